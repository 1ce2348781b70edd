# /// script
# dependencies = ["torch>=2.4"]
# ///
"""PyTorch, binary_cross_entropy_with_logits compiled: its derivative cancels, and an infinite z gives NaN.

KERNEL-2, and by the same cause GRAD-1, GRAD-2, GRAD-5, GRAD-6, GRAD-7, BATCH-6, BATCH-7, EXTREME-2, SMOOTH-2 and PROPERTY-2;
SPECIAL-1, SPECIAL-2 and SPECIAL-9.
The 16-bit formats are computed in float32: in float16 the derivative of one term is right, since its numbers end before it
cancels; where two terms are mixed, the sigmoid is kept in float16 for the backward pass, and cancels there (SMOOTH-2).
"""

import math

import torch
import torch.nn.functional as F

bce = torch.compile(F.binary_cross_entropy_with_logits, dynamic=True)


def derivative(x, dtype):
    z = torch.tensor([x], dtype=dtype, requires_grad=True)
    return torch.autograd.grad(bce(z, torch.ones_like(z)), z)[0].item()


for dtype, x in ((torch.float16, 8.5), (torch.bfloat16, 17.5), (torch.float32, 17.5), (torch.float64, 38.0)):
    print(f"{dtype} at z = {x}: derivative {derivative(x, dtype)!r}, exact {-1 / (1 + math.exp(x))!r}")
for clause, x in (("SPECIAL-1", -math.inf), ("SPECIAL-2", math.inf)):
    z = torch.tensor([x])
    value = bce(z, torch.ones_like(z)).item()
    print(f"{clause}: at z = {x} the loss is {value!r} where {'inf' if x < 0 else 0} is exact")


@torch.compile(dynamic=True)
def smoothed(pc, pr, rc, rr, eps):
    z = (pc - rc) - (pr - rr)
    losses = F.binary_cross_entropy_with_logits(z, torch.ones_like(z), reduction="none")
    exchanged = F.binary_cross_entropy_with_logits(z, torch.zeros_like(z), reduction="none")
    return (1 - eps) * losses + eps * exchanged


logps = [torch.tensor([x], dtype=torch.float16, requires_grad=True) for x in (-0.0774, -7.8789, -0.5059, -0.0434)]
z = ((logps[0] - logps[2]) - (logps[1] - logps[3])).item()
slope = torch.autograd.grad(smoothed(*logps, 0.001), logps)[0].item()
print(f"SMOOTH-2: float16, z = {z}, label_smoothing 0.001: derivative {slope!r}, exact {0.001 - 1 / (1 + math.exp(z))!r}")
impossible = [torch.tensor([x]) for x in (-1.0, -math.inf, -1.0, -1.0)]
print("SPECIAL-9: at z = inf, label_smoothing 0.1:", smoothed(*impossible, 0.1).item(), "where inf is exact")
