# /// script
# dependencies = ["torchtune==0.6.1", "torch>=2.4", "torchao==0.17.0"]
# ///
"""torchtune 0.6.1: log-probabilities times the mask (MASKED-1, 2, 3, 5, FORBIDDEN-1), and an infinite float16 sum (LOGP-5)."""

import torch
from torchtune.rlhf import get_batch_log_probs

inf, nan = float("inf"), float("nan")
labels = torch.tensor([[0, 2, -100]])  # the token 2 counts, and what follows it does not


def asked(clause: str, bad: float) -> None:
    logits = torch.tensor([[[0.0, 1.0, 2.0], [bad, 1.0, 2.0], [0.0, 0.0, 0.0]]], requires_grad=True)
    found = get_batch_log_probs(logits, labels)
    found.sum().backward()
    print(f"{clause}: with {bad} where nothing counts, {found.item()}; its derivative there is", logits.grad[0, 1, 0].item())


asked("MASKED-1, MASKED-3", nan)
asked("MASKED-2", inf)
asked("MASKED-5, FORBIDDEN-1", -inf)
print("where", get_batch_log_probs(torch.tensor([[[0.0, 1.0, 2.0]] * 3]), labels).item(), "and a derivative of 0 are exact")
flat = get_batch_log_probs(torch.zeros(1, 2, 151_936, dtype=torch.float16), torch.tensor([[0, 2]]))
print("LOGP-5: of 151,936 equal logits in float16,", flat.item(), "where -11.93 is exact")
