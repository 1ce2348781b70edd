"""What is judged: turn a plain function into an implementation, or load one by name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from conformance.implementations.loading import SHIPPED, load
from conformance.implementations.protocol import Answer, Claims, Implementation

if TYPE_CHECKING:
    from conformance.implementations.array import array_implementation
    from conformance.implementations.jax import jax_implementation
    from conformance.implementations.numpy import numpy_implementation
    from conformance.implementations.torch import torch_implementation

__all__ = [
    "SHIPPED",
    "Answer",
    "Claims",
    "Implementation",
    "array_implementation",
    "jax_implementation",
    "load",
    "numpy_implementation",
    "torch_implementation",
]
_WRAPPERS = {f"{framework}_implementation": framework for framework in ("array", "jax", "numpy", "torch")}


def __getattr__(name: str) -> Any:
    """A framework is imported when its wrapper is first asked for, and not before."""
    if name not in _WRAPPERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WRAPPERS[name]}"), name)
