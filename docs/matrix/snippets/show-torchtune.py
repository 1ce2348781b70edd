# /// script
# dependencies = ["torchtune==0.6.1", "torch>=2.4", "torchao==0.17.0"]
# ///
"""torchtune 0.6.1: an impossible rejected response gives NaN, not 0 (SPECIAL-2)."""

import torch
from torchtune.rlhf.loss import DPOLoss

logps = [torch.tensor([x]) for x in (-12.0, -float("inf"), -11.0, -14.0)]
losses, _, _ = DPOLoss(beta=0.1, label_smoothing=0.0)(*logps)
print("SPECIAL-2: the loss at z = +inf is", losses.item(), "where 0 is exact")
