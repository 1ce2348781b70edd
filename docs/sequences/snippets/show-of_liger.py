# /// script
# dependencies = ["liger-kernel==0.8.5", "torch>=2.4"]
# ///
"""liger-kernel 0.8.5: a NaN where nothing counts makes the fused loss NaN (PATH-5), and so does a
token 0 that is forbidden (PATH-9)."""

import torch
from liger_kernel.chunked_loss import LigerFusedLinearDPOLoss

labels = torch.tensor([[2, -100], [1, -100]])
weight = torch.tensor([[0.0], [1.0], [2.0]])
fused = LigerFusedLinearDPOLoss(beta=0.1, compute_nll_loss=False, compiled=False, use_ref_model=True)
for bad in (float("nan"), 0.0):
    hidden = torch.tensor([[[1.0], [bad]], [[0.5], [0.0]]])
    print(
        "PATH-5: with", bad, "where nothing counts, the loss is", fused(weight, hidden, labels, None, hidden, weight)[0].item()
    )
hidden, bias = torch.tensor([[[1.0], [0.0]], [[0.5], [0.0]]]), torch.tensor([-float("inf"), 0.0, 0.0])
found = fused(weight, hidden, labels, bias, hidden, weight, bias)[0].item()
print("PATH-9: with token 0 forbidden, the loss is", found, "where 0.6931 is exact")
