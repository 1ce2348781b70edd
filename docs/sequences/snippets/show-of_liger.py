# /// script
# dependencies = ["liger-kernel==0.8.5", "torch>=2.4"]
# ///
"""liger-kernel 0.8.5: a NaN where nothing counts makes the fused loss NaN (PATH-5), and so does a
token 0 that is forbidden (PATH-9); in float16 a loss scale comes too late (PATH-13)."""

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


def scaled(scale: float, dtype: torch.dtype) -> float:
    """The derivative in the weight of token 0, which policy and reference find unlikely: beta sigma(0) p_0 and no more."""
    rows = torch.tensor([[-10.0, 0.0], [0.0, 0.0], [0.0, 0.0]], dtype=dtype, requires_grad=True)
    states = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]], dtype=dtype)
    loss = fused(rows, states, torch.tensor([[1], [2]]), None, states, rows.detach())[0]
    (loss * scale).backward()
    return rows.grad[0, 0].item()


print("PATH-13: with a loss scale of 1,024 the derivative is", scaled(1024.0, torch.float16), end=" ")
print(f"in float16, where {1024 * scaled(1.0, torch.float64):.7f} is exact")
