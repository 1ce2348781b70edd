# /// script
# requires-python = ">=3.11"
# dependencies = ["torchtune==0.6.1", "torch>=2.4", "torchao==0.17.0"]
# ///
"""torchtune: `torchtune`, its module `torchtune.rlhf.loss.DPOLoss`, per-pair losses in the dtype of the logps, and
`torchtune@hinge`, its `RSOLoss`.
"""

from __future__ import annotations

from torch import Tensor
from torchtune.rlhf.loss import DPOLoss, RSOLoss

from conformance.implementations.known import ALWAYS_MIXES
from conformance.implementations.torch import torch_implementation


def _loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, label_smoothing: float) -> Tensor:
    losses: Tensor
    losses, _, _ = DPOLoss(beta=beta, label_smoothing=label_smoothing)(pc, pr, rc, rr)
    return losses


def _named(
    loss: str,
    policy_chosen_logps: Tensor,
    policy_rejected_logps: Tensor,
    ref_chosen_logps: Tensor,
    ref_rejected_logps: Tensor,
    beta: float,
    label_smoothing: float = 0.0,
) -> Tensor:
    function = RSOLoss(gamma=beta) if loss == "RSOLoss" else DPOLoss(beta=beta, label_smoothing=label_smoothing)
    losses: Tensor
    losses, _, _ = function(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    return losses


DPO = torch_implementation(_loss, name="torchtune", library="torchtune", notes=ALWAYS_MIXES)
LOSSES = torch_implementation(
    _named, name="torchtune", library="torchtune", loss={"sigmoid": "DPOLoss", "cdpo": "DPOLoss", "hinge": "RSOLoss"}
)
