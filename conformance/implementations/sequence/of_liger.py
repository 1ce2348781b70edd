# /// script
# requires-python = ">=3.11"
# dependencies = ["liger-kernel==0.8.5", "torch>=2.4", "triton"]
#
# [tool.dpo-conformance]
# no-deps = ["liger-kernel"]
# ///
"""Liger-Kernel: its fused DPO loss whole, `LigerFusedLinearDPOLoss`, from hidden states and weights to the mean."""

from __future__ import annotations

from liger_kernel.chunked_loss import LigerFusedLinearDPOLoss
from torch import Tensor

from conformance.implementations.sequence.torch_paths import torch_path


def _loss(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, ref_hidden: Tensor, ref_weight: Tensor, ref_bias: Tensor | None,
    labels: Tensor, beta: float, label_smoothing: float,
) -> Tensor:  # fmt: skip
    fused = LigerFusedLinearDPOLoss(ignore_index=-100, beta=beta, compute_nll_loss=False, compiled=False, use_ref_model=True)
    loss: Tensor = fused(weight, hidden, labels, bias, ref_hidden, ref_weight, ref_bias)[0]
    return loss


DPO = torch_path(
    _loss, name="Liger fused DPO", dtypes=("binary16", "bfloat16", "binary32"), head=True,
    reduction="mean", options=("beta",), ignore_index=-100, accumulates="float32",
    library="liger-kernel",
)  # fmt: skip
