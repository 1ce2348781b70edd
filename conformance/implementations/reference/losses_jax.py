# /// script
# requires-python = ">=3.11"
# dependencies = ["jax>=0.5"]
# ///
"""JAX: oracle.reference.losses_jax as it is shipped, each loss by its name."""

from __future__ import annotations

from conformance.implementations.jax import jax_implementation
from conformance.implementations.protocol import Implementation
from oracle.reference import losses_jax

NAMES = ("cdpo", "robust", "ipo_sum", "ipo_average", "hinge", "simpo", "cpo", "sigmoid_norm", "kto", "orpo")
LOSSES: dict[str, Implementation] = {
    name: jax_implementation(
        getattr(losses_jax, name), loss=name, name=f"reference-jax-{name}", subnormals="flush", library="jax"
    )
    for name in NAMES
}


def __getattr__(name: str) -> Implementation:
    """Each as an attribute, so that it can be named on the command line. Raises AttributeError."""
    if name not in LOSSES:
        raise AttributeError(f"no loss {name!r}: one of {', '.join(NAMES)}")
    return LOSSES[name]
