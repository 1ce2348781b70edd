# /// script
# requires-python = ">=3.11"
# dependencies = ["mlx-vlm==0.7.10", "mlx[cpu]==0.32.4"]
#
# [tool.dpo-conformance]
# no-deps = ["mlx-vlm"]
# ///
"""mlx-vlm: `mlx-vlm@LOSS`, its objectives `dpo_objective` and `orpo_objective` over the scores of responses.

Its trainers sum log-probabilities, and average them over the tokens for IPO and ORPO, and so does this. Its module of the
objectives is imported alone.
"""

from __future__ import annotations

from typing import Any

import mlx.core as mx

from conformance.implementations.bare import bare_import
from conformance.implementations.mlx_losses import mlx_losses

_module = bare_import("mlx_vlm.trainer.losses.preference")
AVERAGED = {"ipo", "orpo"}


def _named(loss: str, **given: Any) -> mx.array:
    def score(who: str, side: str) -> mx.array:
        logps = given[f"{who}_{side}_logps"]
        return logps / given[f"{side}_lengths"].astype(logps.dtype) if loss in AVERAGED else logps

    policy = [score("policy", side) for side in ("chosen", "rejected")]
    if loss == "orpo":
        return _module.orpo_objective(*policy, beta=given["odds_weight"])[0]
    reference = [score("ref", side) for side in ("chosen", "rejected")]
    delta = given.get("penalty", 50.0)
    return _module.dpo_objective(*policy, *reference, beta=given["beta"], loss_type=loss, delta=delta)[0]


LOSSES = mlx_losses(
    _named,
    name="mlx-vlm",
    library="mlx-vlm",
    reduction="none",
    loss={"sigmoid": "sigmoid", "hinge": "hinge", "ipo_average": "ipo", "dpop": "dpop", "orpo": "orpo"},
)
