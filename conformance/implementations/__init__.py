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
    from conformance.implementations.sequence.array_paths import array_path
    from conformance.implementations.sequence.jax import jax_sequence
    from conformance.implementations.sequence.numpy import array_sequence, numpy_sequence
    from conformance.implementations.sequence.pairing import kl_pairing
    from conformance.implementations.sequence.steps import array_steps
    from conformance.implementations.sequence.torch import torch_head, torch_sequence
    from conformance.implementations.sequence.torch_paths import torch_path
    from conformance.implementations.sequence.torch_steps import torch_steps
    from conformance.implementations.torch import torch_implementation

__all__ = [
    "SHIPPED",
    "Answer",
    "Claims",
    "Implementation",
    "array_implementation",
    "array_path",
    "array_sequence",
    "array_steps",
    "jax_implementation",
    "jax_sequence",
    "kl_pairing",
    "load",
    "numpy_implementation",
    "numpy_sequence",
    "torch_head",
    "torch_implementation",
    "torch_path",
    "torch_sequence",
    "torch_steps",
]
_WRAPPERS = {f"{framework}_implementation": framework for framework in ("array", "jax", "numpy", "torch")}
_WRAPPERS |= {"array_sequence": "sequence.numpy", "jax_sequence": "sequence.jax", "numpy_sequence": "sequence.numpy"}
_WRAPPERS |= {"torch_sequence": "sequence.torch", "torch_head": "sequence.torch"}
_WRAPPERS |= {"array_path": "sequence.array_paths", "torch_path": "sequence.torch_paths"}
_WRAPPERS |= {"array_steps": "sequence.steps", "torch_steps": "sequence.torch_steps", "kl_pairing": "sequence.pairing"}


def __getattr__(name: str) -> Any:
    """A framework is imported when its wrapper is first asked for, and not before."""
    if name not in _WRAPPERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WRAPPERS[name]}"), name)
