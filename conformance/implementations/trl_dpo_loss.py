# /// script
# requires-python = ">=3.11"
# dependencies = ["trl==0.24.0", "transformers==4.57.6", "torch>=2.4"]
# ///
"""TRL before 0.29: `trl-0.24`, the method `DPOTrainer.dpo_loss`, per-pair losses in the dtype of the logps, and `trl-0.24@LOSS`
for its other types.
"""

from __future__ import annotations

from trl import DPOTrainer
from trl.trainer.dpo_config import FDivergenceType
from trl.trainer.utils import RunningMoments

from conformance.implementations.dpo_loss_method import CALLED, dpo_loss_of, losses_of
from conformance.implementations.known import ALWAYS_MIXES
from conformance.implementations.torch import torch_implementation

DPO = torch_implementation(dpo_loss_of(DPOTrainer), name="trl-0.24", library="trl", notes=ALWAYS_MIXES)
LOSSES = torch_implementation(
    losses_of(DPOTrainer, FDivergenceType, RunningMoments), name="trl-0.24", library="trl", loss=CALLED
)
