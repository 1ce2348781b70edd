# /// script
# requires-python = ">=3.11"
# dependencies = ["easydel==0.3.0", "pillow", "torch>=2.4"]
# ///
"""EasyDeL: `easydel`, the function that its DPO trainer gets for loss_type="sigmoid", per-pair losses, and `easydel@LOSS` for
its other types.

Its trainer computes log-probabilities in float32, so float32 it claims; it averages them over the tokens for IPO, and hands no
temperature to DiscoPOP.
"""

from __future__ import annotations

from typing import Any

import jax
from easydel.trainers.direct_preference_optimization_trainer._fn import get_loss_function

from conformance.implementations.jax import jax_implementation
from conformance.implementations.known import ALWAYS_MIXES


def _loss(pc: jax.Array, pr: jax.Array, rc: jax.Array, rr: jax.Array, beta: float, label_smoothing: float) -> jax.Array:
    function = get_loss_function("sigmoid", beta, label_smoothing)
    losses: jax.Array = function(pc, pr, rc, rr, beta, label_smoothing)
    return losses


def _named(loss: str, policy_chosen_logps: jax.Array, policy_rejected_logps: jax.Array, **given: Any) -> jax.Array:
    logps = policy_chosen_logps, policy_rejected_logps, given["ref_chosen_logps"], given["ref_rejected_logps"]
    if loss == "ipo":
        sizes = [given[name].astype(logps[0].dtype) for name in ("chosen_lengths", "rejected_lengths")]
        pc, pr, rc, rr = (x / size for x, size in zip(logps, sizes * 2, strict=True))
        logps = pc, pr, rc, rr
    beta, smoothing = given["beta"], given.get("label_smoothing", 0.0)
    losses: jax.Array = get_loss_function(loss, beta, smoothing)(*logps, beta, smoothing)
    return losses


DPO = jax_implementation(
    _loss, name="easydel", dtypes=("binary32",), subnormals="flush", jit=True, library="easydel", notes=ALWAYS_MIXES
)
LOSSES = jax_implementation(
    _named,
    name="easydel",
    dtypes=("binary32",),
    subnormals="flush",
    jit=True,
    library="easydel",
    loss={
        "sigmoid": "sigmoid",
        "cdpo": "sigmoid",
        "robust": "robust",
        "hinge": "hinge",
        "ipo_average": "ipo",
        "exo_pair": "exo_pair",
        "nca_pair": "nca_pair",
        "bco_batch": "bco_pair",
        "sppo_hard": "sppo_hard",
        "aot": "aot",
        "aot_unpaired": "aot_pair",
        "apo_zero": "apo_zero",
        "apo_down": "apo_down",
        "discopop": "discopop",
        "kto": "kto",
    },
)
