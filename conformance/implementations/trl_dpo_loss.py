# /// script
# requires-python = ">=3.11"
# dependencies = ["trl==0.24.0", "transformers==4.57.6", "torch>=2.4"]
# ///
"""TRL before 0.29: `trl-0.24`, the method `DPOTrainer.dpo_loss`, per-pair losses in the dtype of the logps."""

from __future__ import annotations

from types import SimpleNamespace

from torch import Tensor
from trl import DPOTrainer

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


DPO = torch_implementation(_loss, name="trl-0.24", library="trl", notes=ALWAYS_MIXES)
