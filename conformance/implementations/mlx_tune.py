# /// script
# requires-python = ">=3.11"
# dependencies = ["mlx-tune==0.6.0", "mlx[cpu]==0.32.4"]
#
# [tool.dpo-conformance]
# no-deps = ["mlx-tune"]
# ///
"""mlx-tune: `mlx-tune@LOSS`, the functions `dpo_loss`, `orpo_loss`, `kto_loss` and `simpo_loss` of `mlx_tune.losses`, which
return the mean.

The forward pass is left out: a response stands for its log-probability, in the place of its tokens. Lengths are handed on as
they are given; its trainers count the prompt's tokens too. KTO has no reference point, and no option for weights. The module is
imported alone.
"""

from __future__ import annotations

from typing import Any

import mlx.core as mx

from conformance.implementations.bare import bare_import
from conformance.implementations.mlx_losses import mlx_losses

_module = bare_import("mlx_tune.losses")
vars(_module)["compute_log_probs_with_lengths"] = lambda model, logps, lengths: logps


def _named(loss: str, policy_chosen_logps: mx.array, policy_rejected_logps: mx.array, **given: Any) -> mx.array:
    pc, pr = policy_chosen_logps, policy_rejected_logps
    reference = [given.get(f"ref_{who}_logps") for who in ("chosen", "rejected")]
    ones = mx.ones(pc.shape, mx.int64)
    if loss == "kto":
        labels = mx.concatenate([ones, 0 * ones])
        rows = mx.concatenate([pc, pr])
        return _module.kto_loss(None, rows, mx.ones(rows.shape), labels, given["beta"], mx.concatenate(reference))[0]
    lengths = [given.get(f"{who}_lengths", ones) for who in ("chosen", "rejected")]
    if loss == "dpo":
        told = given["beta"], *reference, given.get("label_smoothing", 0.0)
        return _module.dpo_loss(None, pc, pr, *lengths, *told)[0]
    if loss == "orpo":
        return _module.orpo_loss(None, pc, pr, *lengths, given["odds_weight"])[0]
    return _module.simpo_loss(None, pc, pr, *lengths, given["beta"], given["gamma"])[0]


LOSSES = mlx_losses(
    _named,
    name="mlx-tune",
    library="mlx-tune",
    options=("beta", "label_smoothing", "gamma", "odds_weight"),
    loss={"sigmoid": "dpo", "cdpo": "dpo", "orpo": "orpo", "kto": "kto", "simpo": "simpo"},
)
