# /// script
# requires-python = ">=3.11"
# dependencies = ["google-tunix==0.1.7", "jax[cpu]>=0.5"]
# ///
"""tunix: `tunix.rl.common.selective_log_softmax`, one number a token, in float32; the module is imported alone."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from conformance.implementations.bare import bare_import
from conformance.implementations.sequence.jax import jax_sequence

_MODULE = bare_import("tunix.rl.common")


def _logps(logits: jax.Array, labels: jax.Array, mask: jax.Array) -> jax.Array:
    logps: jax.Array = _MODULE.selective_log_softmax(logits, jnp.where(mask, labels, 0))
    return logps


LOGPS = jax_sequence(
    _logps, name="tunix selective_log_softmax", dtypes=("binary16", "bfloat16", "binary32"), returns="token",
    accumulates="float32", library="google-tunix", subnormals="flush",
)  # fmt: skip
