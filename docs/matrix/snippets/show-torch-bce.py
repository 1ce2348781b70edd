# /// script
# dependencies = ["torch>=2.4"]
# ///
"""PyTorch, binary_cross_entropy_with_logits: its derivative cancels, and an infinite z gives NaN.

KERNEL-2, and by the same cause KERNEL-7, GRAD-1, GRAD-2, GRAD-5, GRAD-6, GRAD-7, AUTOGRAD-1, AUTOGRAD-2, AUTOGRAD-3,
AUTOGRAD-4, AUTOGRAD-5, AUTOGRAD-6, AUTOGRAD-7, AUTOGRAD-8, AUTOGRAD-12, BATCH-6, BATCH-7, CALL-8, CALL-9, CALL-11, EXTREME-2,
LAYOUT-2, OPTION-5, OPTION-6, SMOOTH-2 and PROPERTY-2; SPECIAL-1, SPECIAL-2 and SPECIAL-9.
"""

import math

import torch
import torch.nn.functional as F


def derivative(x, dtype):
    z = torch.tensor([x], dtype=dtype, requires_grad=True)
    return torch.autograd.grad(F.binary_cross_entropy_with_logits(z, torch.ones_like(z)), z)[0].item()


for dtype, x in ((torch.float16, 8.5), (torch.bfloat16, 7.0), (torch.float32, 17.5), (torch.float64, 38.0)):
    print(f"{dtype} at z = {x}: derivative {derivative(x, dtype)!r}, exact {-1 / (1 + math.exp(x))!r}")
for clause, x in (("SPECIAL-1", -math.inf), ("SPECIAL-2", math.inf)):
    z = torch.tensor([x])
    value = F.binary_cross_entropy_with_logits(z, torch.ones_like(z)).item()
    print(f"{clause}: at z = {x} the loss is {value!r} where {'inf' if x < 0 else 0} is exact")
