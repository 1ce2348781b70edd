# /// script
# requires-python = ">=3.11"
# dependencies = ["easydel==0.3.0", "pillow", "torch>=2.4"]
# ///
"""EasyDeL: `easydel`, the function that its DPO trainer gets for loss_type="sigmoid", per-pair losses.

Its trainer computes log-probabilities in float32, so float32 it claims.
"""

from __future__ import annotations

import jax
from easydel.trainers.direct_preference_optimization_trainer._fn import get_loss_function

from conformance.implementations.jax import jax_implementation
from conformance.implementations.known import ALWAYS_MIXES


def _loss(pc: jax.Array, pr: jax.Array, rc: jax.Array, rr: jax.Array, beta: float, label_smoothing: float) -> jax.Array:
    function = get_loss_function("sigmoid", beta, label_smoothing)
    losses: jax.Array = function(pc, pr, rc, rr, beta, label_smoothing)
    return losses


DPO = jax_implementation(
    _loss, name="easydel", dtypes=("binary32",), subnormals="flush", jit=True, library="easydel", notes=ALWAYS_MIXES
)
