# /// script
# requires-python = ">=3.11"
# dependencies = ["ms-swift==4.6.0", "torch>=2.4"]
# ///
"""ms-swift: `ms-swift`, the method `swift.rlhf_trainers.dpo_trainer.DPOTrainer.dpo_loss`, per-pair losses."""

from __future__ import annotations

from swift.rlhf_trainers.dpo_trainer import DPOTrainer

from conformance.implementations.dpo_loss_method import dpo_loss_of
from conformance.implementations.known import ALWAYS_MIXES
from conformance.implementations.torch import torch_implementation

DPO = torch_implementation(dpo_loss_of(DPOTrainer), name="ms-swift", library="ms-swift", notes=ALWAYS_MIXES)
