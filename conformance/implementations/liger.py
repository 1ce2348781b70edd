# /// script
# requires-python = ">=3.11"
# dependencies = ["liger-kernel==0.8.5", "torch>=2.4", "triton"]
#
# [tool.dpo-conformance]
# no-deps = ["liger-kernel"]
# ///
"""Liger-Kernel: `liger`, `LigerFusedLinearDPOFunction.preference_loss_fn`, which returns the mean over the pairs.

The fused loss upcasts its logits, so that in training the logps reach this function as float32. The fused loss whole is
judged from hidden states by `sequence/of_liger.py`; where it gives the same bits is told in docs/judge-your-own.md.
"""

from __future__ import annotations

import torch
from liger_kernel.chunked_loss.dpo_loss import LigerFusedLinearDPOFunction
from torch import Tensor

from conformance.implementations.known import smoothing_ignored
from conformance.implementations.torch import torch_implementation

_IGNORED = (
    'its docstring says \'Label smoothing for "robust" / "exo_pair" / cDPO\', and its code calls the robust loss cDPO; '
    "loss_type='sigmoid' accepts it and does not use it (https://github.com/huggingface/trl/pull/7063 speaks of it)"
)
NOTES = smoothing_ignored(_IGNORED)


def _loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, label_smoothing: float) -> Tensor:
    loss: Tensor
    target = torch.zeros(2 * len(pc), 1, dtype=torch.long)  # of the whole batch: only its length counts
    loss, _, _ = LigerFusedLinearDPOFunction.preference_loss_fn(
        pc, pr, target, rc, rr, beta=beta, loss_type="sigmoid", label_smoothing=label_smoothing
    )
    return loss


DPO = torch_implementation(_loss, name="liger", dtypes=("binary32",), reduction="mean", library="liger-kernel", notes=NOTES)
