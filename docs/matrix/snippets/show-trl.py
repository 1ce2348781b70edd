# /// script
# dependencies = ["trl==1.16.0", "torch>=2.4"]
# ///
"""TRL 1.16.0: loss_type="sigmoid" takes label_smoothing and does not use it.

OPTION-2, and by the same cause AUTOGRAD-1, AUTOGRAD-2, AUTOGRAD-3, AUTOGRAD-4, AUTOGRAD-5, AUTOGRAD-6, AUTOGRAD-7,
AUTOGRAD-8, AUTOGRAD-9, AUTOGRAD-11, AUTOGRAD-12, CALL-6, CALL-8, CALL-9, CALL-11, DEF-1, DEF-2, GRAD-3, GRAD-5, GRAD-6,
GRAD-7, LAYOUT-1, LAYOUT-2, LAYOUT-4, OPTION-5, OPTION-6, OPTION-7, PROPERTY-1, PROPERTY-2, REDUCE-1, REDUCE-4, REDUCE-5,
REDUCE-8, REDUCE-10, SMOOTH-1, SMOOTH-2, SMOOTH-3, SPECIAL-5, SPECIAL-9 and TIE-2, whose inputs are
smoothed. One pair with margin 2 and beta 0.1; the model is a stub with one completion token.
"""

import math
from collections import defaultdict
from types import SimpleNamespace

import torch
from trl import DPOConfig, DPOTrainer


def one(value):
    return value


def loss(logps, beta, label_smoothing):
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=True),
        accelerator=SimpleNamespace(device="cpu", gather=one, gather_for_metrics=one),
        aux_loss_enabled=False, ld_alpha=None, precompute_ref_logps=True, f_divergence_type="reverse_kl",
        loss_types=["sigmoid"], loss_weights=[1.0], beta=beta, label_smoothing=label_smoothing, use_weighting=False,
        _metrics={"train": defaultdict(list)}, _total_train_tokens=0, _tp_size=1,
    )  # fmt: skip
    pc, pr, rc, rr = (torch.tensor([x], requires_grad=True) for x in logps)
    tokens, zeros = torch.zeros(2, 2, dtype=torch.long), torch.zeros(2, 1)
    inputs = {
        "input_ids": tokens, "attention_mask": tokens + 1, "completion_mask": torch.tensor([[0, 1], [0, 1]]),
        "ref_chosen_logps": rc, "ref_rejected_logps": rr,
    }  # fmt: skip
    answer = SimpleNamespace(log_probs=torch.cat([pc, pr])[:, None], entropy=zeros, mean_logits=zeros, is_top1=zeros.bool())
    value = DPOTrainer._compute_loss(trainer, lambda **_: answer, inputs, False)
    return value.item(), torch.autograd.grad(value, pc)[0].item()


z = 0.1 * 2
for eps in (0.0, 0.1, 0.3, 0.5):
    value, slope = loss((-10.0, -12.0, -11.0, -11.0), 0.1, eps)
    exact = (1 - eps) * math.log1p(math.exp(-z)) + eps * math.log1p(math.exp(z))
    exact_slope = -0.1 * (1 / (1 + math.exp(z)) - eps)
    print(f"label_smoothing {eps}: loss {value:.9f}, exact {exact:.9f}; d/d pc {slope:.9f}, exact {exact_slope:.9f}")
value, slope = loss((-12.0, -math.inf, -11.0, -14.0), 0.1, 0.1)
print(f"SPECIAL-9, SPECIAL-5: z = +inf, label_smoothing 0.1: loss {value}, exact inf; d/d pc {slope:.9f}, exact 0.01")
print("DPOConfig:", DPOConfig.__dataclass_fields__["label_smoothing"].metadata["help"].partition(". ")[0] + ".")
