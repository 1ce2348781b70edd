"""The method `DPOTrainer.dpo_loss`, as TRL had it before 0.29 and as others have taken it over from there."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor, Tensor, float, float], Tensor]
CALLED = {
    "sigmoid": "sigmoid",
    "cdpo": "sigmoid",
    "robust": "robust",
    "hinge": "hinge",
    "ipo_average": "ipo",
    "exo_pair": "exo_pair",
    "nca_pair": "nca_pair",
    "bco_batch": "bco_pair",
    "sppo_hard": "sppo_hard",
    "aot": "aot",
    "aot_unpaired": "aot_pair",
    "apo_zero": "apo_zero",
    "apo_down": "apo_down",
    "discopop": "discopop",
    "f_dpo_js": "js_divergence",
    "f_dpo_alpha": "alpha_divergence",
}
"""The losses of the method, each with what `loss_type` or `f_divergence_type` calls it."""


def dpo_loss_of(trainer: Any) -> Loss:
    """Per-pair losses from that class's own method, called on what it reads of a trainer with the default options."""

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, label_smoothing: float) -> Tensor:
        losses: Tensor
        losses, _, _ = trainer.dpo_loss(
            stub(pc, beta=beta, label_smoothing=label_smoothing), pc, pr, rc, rr, loss_type="sigmoid"
        )
        return losses

    return loss


def losses_of(trainer: Any, divergence: Callable[[str], Any], moments: Callable[[Any], Any]) -> Callable[..., Tensor]:
    """Any of `CALLED` from that class's own method.

    The trainer divides by the lengths before IPO, and so does this. divergence: what f_divergence_type is given of its name;
    moments: what keeps BCO's running mean, of an accelerator. It is new at each call: the first step's.
    """

    def loss(loss: str, policy_chosen_logps: Tensor, policy_rejected_logps: Tensor, **given: Any) -> Tensor:
        logps = policy_chosen_logps, policy_rejected_logps, given["ref_chosen_logps"], given["ref_rejected_logps"]
        if loss == "ipo":
            sizes = [given[name].to(logps[0].dtype) for name in ("chosen_lengths", "rejected_lengths")]
            pc, pr, rc, rr = (x / size for x, size in zip(logps, sizes * 2, strict=True))
            logps = pc, pr, rc, rr
        kind = "sigmoid" if loss.endswith(("_kl", "_divergence")) else loss
        told = stub(logps[0], **{name: given[name] for name in ("beta", "label_smoothing") if name in given})
        told.f_divergence_type = divergence("reverse_kl" if kind == loss else loss)
        told.f_divergence_params = {"alpha_divergence_coef": given.get("alpha", 1.0)}
        told.args = SimpleNamespace(discopop_tau=given.get("tau", 0.05))
        told.running = moments(told.accelerator)
        losses: Tensor
        losses, _, _ = trainer.dpo_loss(told, *logps, loss_type=kind)
        return losses

    return loss


def bound(trainer: Any, told: SimpleNamespace, *methods: str) -> SimpleNamespace:
    """A namespace with the class's own methods, which find on it what they read of the trainer."""
    for name in methods:
        setattr(told, name, getattr(trainer, name).__get__(told))
    return told


def stub(pc: Tensor, beta: float = 0.1, label_smoothing: float = 0.0) -> SimpleNamespace:
    """What the method reads of a trainer on one process."""

    def one(x: Tensor, *_: Any, **__: Any) -> Tensor:
        return x

    accelerator = SimpleNamespace(
        device=pc.device, num_processes=1, gather=one, gather_for_metrics=one, reduce=one, use_distributed=False
    )
    return SimpleNamespace(
        accelerator=accelerator,
        reference_free=False,
        f_divergence_type="reverse_kl",
        beta=beta,
        label_smoothing=label_smoothing,
    )
