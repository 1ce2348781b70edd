# /// script
# dependencies = ["unsloth-zoo==2026.10.9", "torch>=2.4"]
# ///
"""unsloth-zoo 2026.10.9: `cross_entropy_rows` gives a NaN derivative where nothing counts (MASKED-3).

The module is run from its file, since its package asks for a GPU.
"""

import runpy
from importlib.metadata import distribution

import torch

path = distribution("unsloth-zoo").locate_file("unsloth_zoo/fused_losses/stable_softmax.py")
cross_entropy_rows = runpy.run_path(str(path))["cross_entropy_rows"]
logits = torch.tensor([[0.0, 1.0, 2.0], [float("nan"), 1.0, 2.0]], requires_grad=True)
losses = cross_entropy_rows(logits, torch.tensor([2, -100]))
losses.sum().backward()
print("MASKED-3: the losses are", losses.tolist(), "and the derivatives where nothing counts", logits.grad[1].tolist())
