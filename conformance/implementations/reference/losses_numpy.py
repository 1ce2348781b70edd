# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""NumPy: oracle.reference.losses_numpy as it is shipped, each loss by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.implementations.numpy import numpy_implementation
from conformance.implementations.protocol import Implementation
from oracle.reference import losses_numpy

NAMES = ("cdpo", "robust", "ipo_sum", "ipo_average", "hinge", "simpo", "cpo", "sigmoid_norm", "kto", "orpo")


def _part(name: str, index: int) -> Callable[..., Any]:
    """The losses, or their derivatives."""
    return lambda **given: getattr(losses_numpy, name)(**given)[index]


LOSSES: dict[str, Implementation] = {
    name: numpy_implementation(
        _part(name, 0), loss=name, name=f"reference-numpy-{name}", gradient=_part(name, 1), library="numpy"
    )
    for name in NAMES
}


def __getattr__(name: str) -> Implementation:
    """Each as an attribute, so that it can be named on the command line. Raises AttributeError."""
    if name not in LOSSES:
        raise AttributeError(f"no loss {name!r}: one of {', '.join(NAMES)}")
    return LOSSES[name]
