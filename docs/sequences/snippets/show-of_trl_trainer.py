# /// script
# dependencies = ["trl==1.16.0", "torch>=2.4"]
# ///
"""trl 1.16.0: `ipo` and `sigmoid_norm` divide by a length that counts the first place, which nothing predicts (PATH-15);
on a CPU its fused head is given all places, and one NaN in hidden states that count nothing reaches every weight (PATH-5).

`_compute_loss` of a trainer, with a model that answers with log-probabilities: of the chosen response -2 and -4, of the
rejected one -1, and 0 of the reference.
"""

from collections import defaultdict
from types import SimpleNamespace

import torch
from trl import DPOTrainer
from trl.kernels import ChunkedLogProbFunction

mask = torch.tensor([[1, 1, 1], [1, 1, 0]])  # a completion without a prompt: its first token is not scored
logps = torch.tensor([[-2.0, -4.0], [-1.0, 0.0]])


def loss(kind: str) -> float:
    own = SimpleNamespace(
        model=SimpleNamespace(training=True), aux_loss_enabled=False, ld_alpha=None, precompute_ref_logps=True,
        accelerator=SimpleNamespace(device="cpu", gather=lambda x: x, gather_for_metrics=lambda x: x),
        f_divergence_type="reverse_kl", loss_types=[kind], loss_weights=[1.0], beta=1.0, label_smoothing=0.0,
        use_weighting=False, args=SimpleNamespace(max_length=None), _metrics={"train": defaultdict(list)},
        _total_train_tokens=0, _tp_size=1,
    )  # fmt: skip
    inputs = {
        "input_ids": torch.zeros(2, 3, dtype=torch.long), "attention_mask": torch.ones(2, 3, dtype=torch.long),
        "completion_mask": mask, "ref_chosen_logps": torch.zeros(1), "ref_rejected_logps": torch.zeros(1),
    }  # fmt: skip

    def model(**_):
        zeros = torch.zeros_like(logps)
        return SimpleNamespace(log_probs=logps, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool(), aux_loss=None)

    return DPOTrainer._compute_loss(own, model, inputs, False).item()


margin = -6.0 / 2 - -1.0 / 1  # two tokens are scored, and one
print("PATH-15: ipo", loss("ipo"), "where", (margin - 0.5) ** 2, "is exact")
exact = torch.nn.functional.softplus(torch.tensor(-margin, dtype=torch.float64)).item()
print("PATH-15: sigmoid_norm", loss("sigmoid_norm"), "where", round(exact, 6), "is exact")

hidden, weight = torch.tensor([[1.0], [float("nan")]]), torch.zeros(3, 1, requires_grad=True)
logps = ChunkedLogProbFunction.apply(hidden, weight, None, torch.tensor([2, -100]), 1.0, 8192)[0]
logps[0].backward()
print(
    "PATH-5: the place that counts has",
    round(logps[0].item(), 4),
    "and the weights' derivatives",
    weight.grad.flatten().tolist(),
)
