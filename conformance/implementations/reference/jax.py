# /// script
# requires-python = ">=3.11"
# dependencies = ["jax>=0.5"]
# ///
"""JAX: `reference-jax`, oracle.reference.jax as it is shipped. XLA flushes subnormal results on the CPU; so it declares."""

from __future__ import annotations

from conformance.implementations.jax import jax_implementation
from oracle.reference.jax import dpo_loss

LOSS = jax_implementation(dpo_loss, name="reference-jax", subnormals="flush", second_derivatives=True)
