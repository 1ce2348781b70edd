# /// script
# dependencies = ["ms-swift==4.6.0", "torch>=2.4"]
# ///
"""ms-swift 4.6.0: a NaN derivative where nothing counts (MASKED-3), and a float16 sum is infinity (LOGP-5)."""

from types import SimpleNamespace

import torch
from swift.rlhf_trainers.rlhf_mixin import RLHFTrainerMixin

trainer = SimpleNamespace(template=SimpleNamespace(sequence_parallel_size=1))
logits = torch.tensor([[[0.0, 1.0, 2.0], [float("nan"), 1.0, 2.0]]], requires_grad=True)
found = RLHFTrainerMixin.get_per_token_logps(trainer, logits, torch.tensor([[2, -100]]))[0]
found.sum().backward()
print(
    "MASKED-3: the log-probabilities are",
    found.tolist(),
    "and the derivatives where nothing counts",
    logits.grad[0, 1].tolist(),
)
flat = torch.zeros(1, 1, 151_936, dtype=torch.float16)
found = RLHFTrainerMixin.get_per_token_logps(trainer, flat, torch.tensor([[0]]))[0]
print("LOGP-5: of equal logits", found.item(), "where -11.93 is exact")
