# /// script
# dependencies = ["torch>=2.4"]
# ///
"""PyTorch: softplus in float64 is the identity beyond its threshold 20, and its derivative 1.

KERNEL-1, KERNEL-6, KERNEL-7, LOSS-1, LOSS-3, EXTREME-1, SMOOTH-1, OPTION-1, OPTION-6, AUTOGRAD-9, BATCH-1, BATCH-3, BATCH-4,
BATCH-5, LAYOUT-1 and PROPERTY-1 by its value; KERNEL-2, GRAD-1, GRAD-2, GRAD-5, GRAD-6, GRAD-7, AUTOGRAD-1, AUTOGRAD-2,
AUTOGRAD-3, AUTOGRAD-4, AUTOGRAD-5, AUTOGRAD-6, AUTOGRAD-7, AUTOGRAD-8, AUTOGRAD-12, BATCH-6, BATCH-7, CALL-8, CALL-9, CALL-11,
EXTREME-2, LAYOUT-2, OPTION-5, SMOOTH-2 and PROPERTY-2 by its derivative.
"""

import math

import torch
import torch.nn.functional as F

for x in (20.0, 20.000000000000004, 25.0):
    z = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    value = F.softplus(z)
    (slope,) = torch.autograd.grad(value, z)
    exact, exact_slope = x + math.log1p(math.exp(-x)), 1 / (1 + math.exp(-x))
    print(f"x = {x!r}: softplus {value.item()!r}, exact {exact!r}; derivative {slope.item()!r}, exact {exact_slope!r}")
