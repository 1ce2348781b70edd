# /// script
# dependencies = ["llamafactory==0.9.5", "torch>=2.4"]
# ///
"""llamafactory 0.9.5: log-probabilities are multiplied by the mask (MASKED-1, MASKED-2, MASKED-3, MASKED-5, FORBIDDEN-1)."""

import torch
from llamafactory.train.trainer_utils import get_batch_logps

inf, nan = float("inf"), float("nan")
labels = torch.tensor([[0, 2, -100]])  # the token 2 counts, and what follows it does not


def asked(clause: str, bad: float) -> None:
    logits = torch.tensor([[[0.0, 1.0, 2.0], [bad, 1.0, 2.0], [0.0, 0.0, 0.0]]], requires_grad=True)
    found = get_batch_logps(logits, labels)[0]
    found.sum().backward()
    print(f"{clause}: with {bad} where nothing counts, {found.item()}; its derivative there is", logits.grad[0, 1, 0].item())


asked("MASKED-1, MASKED-3", nan)
asked("MASKED-2", inf)
asked("MASKED-5, FORBIDDEN-1", -inf)
print("where", get_batch_logps(torch.tensor([[[0.0, 1.0, 2.0]] * 3]), labels)[0].item(), "and a derivative of 0 are exact")
