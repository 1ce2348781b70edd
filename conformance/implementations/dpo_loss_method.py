"""The method `DPOTrainer.dpo_loss`, as TRL had it before 0.29 and as others have taken it over from there."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor, Tensor, float, float], Tensor]


def dpo_loss_of(trainer: Any) -> Loss:
    """Per-pair losses from that class's own method, called on what it reads of a trainer with the default options."""

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, label_smoothing: float) -> Tensor:
        stub = SimpleNamespace(
            accelerator=SimpleNamespace(device=pc.device),
            reference_free=False,
            f_divergence_type="reverse_kl",
            beta=beta,
            label_smoothing=label_smoothing,
        )
        losses: Tensor
        losses, _, _ = trainer.dpo_loss(stub, pc, pr, rc, rr, loss_type="sigmoid")
        return losses

    return loss
