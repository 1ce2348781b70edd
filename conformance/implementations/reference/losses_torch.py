# /// script
# requires-python = ">=3.11"
# dependencies = ["torch>=2.4"]
# ///
"""PyTorch: oracle.reference.losses_torch as it is shipped, each loss by its name."""

from __future__ import annotations

from conformance.implementations.protocol import Implementation
from conformance.implementations.torch import torch_implementation
from oracle.reference import losses_torch

NAMES = ("cdpo", "robust", "ipo_sum", "ipo_average", "hinge", "simpo", "cpo", "sigmoid_norm", "kto", "orpo")
LOSSES: dict[str, Implementation] = {
    name: torch_implementation(getattr(losses_torch, name), loss=name, name=f"reference-torch-{name}", library="torch")
    for name in NAMES
}


def __getattr__(name: str) -> Implementation:
    """Each as an attribute, so that it can be named on the command line. Raises AttributeError."""
    if name not in LOSSES:
        raise AttributeError(f"no loss {name!r}: one of {', '.join(NAMES)}")
    return LOSSES[name]
