# /// script
# requires-python = ">=3.11"
# dependencies = ["torchtune==0.6.1", "torch>=2.4", "torchao==0.17.0"]
# ///
"""torchtune: `torchtune`, its module `torchtune.rlhf.loss.DPOLoss`, per-pair losses in the dtype of the logps."""

from __future__ import annotations

from torch import Tensor
from torchtune.rlhf.loss import DPOLoss

from conformance.implementations.known import ALWAYS_MIXES
from conformance.implementations.torch import torch_implementation


def _loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, label_smoothing: float) -> Tensor:
    losses: Tensor
    losses, _, _ = DPOLoss(beta=beta, label_smoothing=label_smoothing)(pc, pr, rc, rr)
    return losses


DPO = torch_implementation(_loss, name="torchtune", library="torchtune", notes=ALWAYS_MIXES)
