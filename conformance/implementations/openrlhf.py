# /// script
# requires-python = ">=3.11"
# dependencies = ["openrlhf==0.11.2", "torch>=2.4"]
#
# [tool.dpo-conformance]
# no-deps = ["openrlhf"]
# ///
"""OpenRLHF: `openrlhf`, its module `openrlhf.models.DPOLoss`, which returns the mean, and `openrlhf@ipo_sum`.

Its package imports deepspeed and flash-attn; the module of the loss is imported alone.
"""

from __future__ import annotations

from torch import Tensor

from conformance.implementations.bare import bare_import
from conformance.implementations.known import ALWAYS_MIXES
from conformance.implementations.torch import torch_implementation

DPOLoss = bare_import("openrlhf.models.loss", unused=("deepspeed",)).DPOLoss


def _loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, label_smoothing: float) -> Tensor:
    loss: Tensor
    loss, _, _ = DPOLoss(beta=beta, label_smoothing=label_smoothing)(pc, pr, rc, rr)
    return loss


def _named(
    loss: str,
    policy_chosen_logps: Tensor,
    policy_rejected_logps: Tensor,
    ref_chosen_logps: Tensor,
    ref_rejected_logps: Tensor,
    beta: float,
    label_smoothing: float = 0.0,
) -> Tensor:
    function = DPOLoss(beta=beta, label_smoothing=label_smoothing, ipo=loss == "ipo")
    found: Tensor
    found, _, _ = function(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    return found


DPO = torch_implementation(_loss, name="openrlhf", reduction="mean", library="openrlhf", notes=ALWAYS_MIXES)
LOSSES = torch_implementation(
    _named,
    name="openrlhf",
    reduction="mean",
    library="openrlhf",
    loss={"sigmoid": "DPOLoss", "cdpo": "DPOLoss", "ipo_sum": "ipo"},
)
