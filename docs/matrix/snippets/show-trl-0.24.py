# /// script
# dependencies = ["trl==0.24.0", "transformers==4.57.6", "torch>=2.4"]
# ///
"""TRL 0.24.0: an impossible rejected response gives NaN, not 0 (SPECIAL-2)."""

from types import SimpleNamespace

import torch
from trl import DPOTrainer

trainer = SimpleNamespace(
    accelerator=SimpleNamespace(device="cpu"),
    reference_free=False,
    f_divergence_type="reverse_kl",
    beta=0.1,
    label_smoothing=0.0,
)
logps = [torch.tensor([x]) for x in (-12.0, -float("inf"), -11.0, -14.0)]
losses, _, _ = DPOTrainer.dpo_loss(trainer, *logps)
print("SPECIAL-2: the loss at z = +inf is", losses.item(), "where 0 is exact")
