# /// script
# requires-python = ">=3.11"
# dependencies = ["ms-swift==4.6.0", "torch>=2.4"]
# ///
"""ms-swift: `ms-swift`, the method `swift.rlhf_trainers.dpo_trainer.DPOTrainer.dpo_loss`, per-pair losses."""

from __future__ import annotations

from types import SimpleNamespace

from swift.rlhf_trainers.dpo_trainer import DPOTrainer
from torch import Tensor

from conformance.implementations.known import ALWAYS_MIXES
from conformance.implementations.torch import torch_implementation


def _loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, label_smoothing: float) -> Tensor:
    trainer = SimpleNamespace(
        accelerator=SimpleNamespace(device=pc.device),
        reference_free=False,
        f_divergence_type="reverse_kl",
        beta=beta,
        label_smoothing=label_smoothing,
    )
    losses: Tensor
    losses, _, _ = DPOTrainer.dpo_loss(trainer, pc, pr, rc, rr, loss_type="sigmoid")
    return losses


DPO = torch_implementation(_loss, name="ms-swift", library="ms-swift", notes=ALWAYS_MIXES)
