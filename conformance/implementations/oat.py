# /// script
# requires-python = ">=3.11"
# dependencies = ["oat-llm==0.2.4", "torch>=2.4"]
#
# [tool.dpo-conformance]
# no-deps = ["oat-llm"]
# any-python = ["oat-llm"]
# ///
"""oat: `oat`, its module `oat.learners.loss.DPOLoss`, which returns the mean; every pair and token is unmasked.

oat-llm declares Python below 3.11 for the sake of what it depends on; the module of the loss needs torch alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

from conformance.implementations.bare import bare_import
from conformance.implementations.known import ALWAYS_MIXES
from conformance.implementations.torch import torch_implementation

DPOLoss = bare_import("oat.learners.loss").DPOLoss


def _loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, label_smoothing: float) -> Tensor:
    loss: Tensor
    masks = torch.ones_like(pc), torch.ones(2 * len(pc), 1)
    loss, _, _ = DPOLoss(beta=beta, label_smoothing=label_smoothing)(pc, pr, rc, rr, *masks)
    return loss


DPO = torch_implementation(_loss, name="oat", reduction="mean", library="oat-llm", notes=ALWAYS_MIXES)
