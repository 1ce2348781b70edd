"""What is judged: turn a plain function into an implementation, or load one by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.implementations.loading import SHIPPED, load
from conformance.implementations.protocol import Answer, Claims, Implementation

if TYPE_CHECKING:
    from conformance.implementations.numpy import numpy_implementation
    from conformance.implementations.torch import torch_implementation

__all__ = ["SHIPPED", "Answer", "Claims", "Implementation", "load", "numpy_implementation", "torch_implementation"]


def __getattr__(name: str) -> Any:
    """A framework is imported when its wrapper is first asked for, and not before."""
    if name == "numpy_implementation":
        from conformance.implementations.numpy import numpy_implementation  # noqa: PLC0415

        return numpy_implementation
    if name == "torch_implementation":
        from conformance.implementations.torch import torch_implementation  # noqa: PLC0415

        return torch_implementation
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
