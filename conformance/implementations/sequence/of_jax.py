# /// script
# requires-python = ">=3.11"
# dependencies = ["jax>=0.5"]
# ///
"""JAX's own ways to a token's log-probability."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from conformance.implementations.sequence.jax import jax_sequence


def _log_softmax(logits: jax.Array, labels: jax.Array, mask: jax.Array) -> jax.Array:
    safe = jnp.where(mask, labels, 0)
    return jnp.take_along_axis(jax.nn.log_softmax(logits, -1), safe[..., None], -1)[..., 0]


def _logsumexp(logits: jax.Array, labels: jax.Array, mask: jax.Array) -> jax.Array:
    safe = jnp.where(mask, labels, 0)
    return jnp.take_along_axis(logits, safe[..., None], -1)[..., 0] - jax.nn.logsumexp(logits, -1)


LOG_SOFTMAX = jax_sequence(_log_softmax, name="jax log_softmax", returns="token", library="jax", subnormals="flush")
LOGSUMEXP = jax_sequence(_logsumexp, name="jax gather - logsumexp", returns="token", library="jax", subnormals="flush")
