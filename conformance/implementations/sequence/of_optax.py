# /// script
# requires-python = ">=3.11"
# dependencies = ["optax==0.2.8", "jax>=0.5"]
# ///
"""optax: `softmax_cross_entropy_with_integer_labels`, one number a token."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from conformance.implementations.sequence.jax import jax_sequence


def _logps(logits: jax.Array, labels: jax.Array, mask: jax.Array) -> jax.Array:
    losses: jax.Array = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.where(mask, labels, 0))
    return -losses


LOGPS = jax_sequence(_logps, name="optax cross entropy", returns="token", library="optax", subnormals="flush")
