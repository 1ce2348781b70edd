# /// script
# requires-python = ">=3.11"
# dependencies = ["oat-llm==0.2.4", "torch>=2.4"]
#
# [tool.dpo-conformance]
# no-deps = ["oat-llm"]
# any-python = ["oat-llm"]
# ///
"""oat: `oat`, its module `oat.learners.loss.DPOLoss`, which returns the mean, and `oat@LOSS` for its other algorithms and
options; every pair and token is unmasked.

oat-llm declares Python below 3.11 for the sake of what it depends on; the module of the loss needs torch alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from conformance.implementations.bare import bare_import
from conformance.implementations.known import ALWAYS_MIXES
from conformance.implementations.torch import torch_implementation

module = bare_import("oat.learners.loss")
DPOLoss, DAPAlgo, SimPOLoss = module.DPOLoss, module.DAPAlgo, module.SimPOLoss


def _loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, label_smoothing: float) -> Tensor:
    loss: Tensor
    masks = torch.ones_like(pc), torch.ones(2 * len(pc), 1)
    loss, _, _ = DPOLoss(beta=beta, label_smoothing=label_smoothing)(pc, pr, rc, rr, *masks)
    return loss


def _named(loss: str, policy_chosen_logps: Tensor, policy_rejected_logps: Tensor, **given: Any) -> Tensor:
    pc, pr = policy_chosen_logps, policy_rejected_logps
    lengths = [given.get(f"{who}_lengths", torch.ones(len(pc), dtype=torch.long)) for who in ("chosen", "rejected")]
    sizes = torch.cat(lengths)
    every, tokens = torch.ones_like(pc), torch.arange(int(sizes.max()) if len(sizes) else 1) < sizes[:, None]
    found: Tensor
    if loss == "simpo":
        function = SimPOLoss(given["beta"], given["gamma"] / given["beta"], given.get("label_smoothing", 0.0))
        pc, pr = (x / length.to(x.dtype) for x, length in zip((pc, pr), lengths, strict=True))
        found, _, _ = function(pc, pr, every)
        return found
    keyword = {"len_reg_alpha": "alpha", "dpo_positive_lambda": "penalty", "sft_weight": "alpha"}.get(loss)
    told = (
        {loss: given[keyword]} if keyword else {"dap_algo": {"ipo": DAPAlgo.IPO, "slic": DAPAlgo.SLiC}.get(loss, DAPAlgo.DPO)}
    )
    function = DPOLoss(given["beta"], given.get("label_smoothing", 0.0), **told)
    found, _, _ = function(pc, pr, given["ref_chosen_logps"], given["ref_rejected_logps"], every, tokens)
    return found


DPO = torch_implementation(_loss, name="oat", reduction="mean", library="oat-llm", notes=ALWAYS_MIXES)
LOSSES = torch_implementation(
    _named,
    name="oat",
    reduction="mean",
    library="oat-llm",
    loss={
        "sigmoid": "dpo",
        "cdpo": "dpo",
        "ipo_sum": "ipo",
        "hinge": "slic",
        "simpo": "simpo",
        "simpo_smoothed": "simpo",
        "r_dpo": "len_reg_alpha",
        "dpop": "dpo_positive_lambda",
        "rpo": "sft_weight",
    },
)
