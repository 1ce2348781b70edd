# /// script
# requires-python = ">=3.11"
# dependencies = ["mlx-lm-lora==5.10.2", "mlx[cpu]==0.32.4"]
#
# [tool.dpo-conformance]
# no-deps = ["mlx-lm-lora"]
# ///
"""mlx-lm-lora: `mlx-lm-lora@LOSS`, the functions `dpo_loss` and `orpo_loss` of its trainers, which return the mean.

The forward pass is left out: DPO's is handed token scores of which a response's first is its log-probability, as its trainer
sums them, or averages them for IPO; ORPO's averages. Its modules of the losses are imported alone.
"""

from __future__ import annotations

from typing import Any

import mlx.core as mx

from conformance.implementations.bare import bare_import
from conformance.implementations.mlx_losses import mlx_losses

_HERE = "mlx_lm_lora.trainer"
_UNUSED = ("mlx_lm", "tqdm", "mlx_lm_lora.recurrent_patch", f"{_HERE}.long_context", f"{_HERE}.sft_trainer")
_dpo = bare_import(f"{_HERE}.dpo_trainer", unused=_UNUSED)
_orpo = bare_import(f"{_HERE}.orpo_trainer", unused=_UNUSED)


def _mask(given: dict[str, Any], who: str, n: int) -> mx.array:
    """Which tokens are the response's, behind one token of a prompt."""
    sizes = given.get(f"{who}_lengths", mx.ones((n,), mx.int64))
    places = mx.arange(1 + (int(sizes.max()) if n else 1))
    return mx.logical_and(places >= 1, places <= sizes[:, None]).astype(mx.float32)


def _named(loss: str, policy_chosen_logps: mx.array, policy_rejected_logps: mx.array, **given: Any) -> mx.array:
    pc, pr = policy_chosen_logps, policy_rejected_logps
    masks = [_mask(given, who, len(pc)) for who in ("chosen", "rejected")]
    if loss == "orpo":
        averages = (x / given[f"{who}_lengths"].astype(x.dtype) for who, x in (("chosen", pc), ("rejected", pr)))
        chosen, rejected = averages
        return _orpo.orpo_loss(chosen, mx.zeros(1), rejected, mx.zeros(1), *masks, mx.ones(pc.shape), given["odds_weight"])[0]

    def score(logps: mx.array, mask: mx.array) -> mx.array:
        first = mx.arange(mask.shape[1] - 1) == 0
        return _dpo.compute_score(mx.where(first, logps[:, None], 0.0), mask, loss)

    scores = [
        score(x, mask)
        for x, mask in zip((pc, pr, given["ref_chosen_logps"], given["ref_rejected_logps"]), masks * 2, strict=True)
    ]
    delta = given.get("penalty", 50.0)
    return _dpo.dpo_loss(*scores, *masks, beta=given["beta"], delta=delta, loss_type=loss)[0]


LOSSES = mlx_losses(
    _named,
    name="mlx-lm-lora",
    library="mlx-lm-lora",
    loss={"sigmoid": "sigmoid", "hinge": "hinge", "ipo_average": "ipo", "dpop": "dpop", "orpo": "orpo"},
)
