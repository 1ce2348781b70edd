# /// script
# requires-python = ">=3.11"
# dependencies = ["ms-swift==4.6.0", "torch>=2.4"]
# ///
"""ms-swift: `ms-swift`, the method `swift.rlhf_trainers.dpo_trainer.DPOTrainer.dpo_loss`, per-pair losses, and
`ms-swift@LOSS` for its other types.
"""

from __future__ import annotations

from swift.rlhf_trainers.dpo_trainer import DPOTrainer, RunningMoments

from conformance.implementations.dpo_loss_method import CALLED, dpo_loss_of, losses_of
from conformance.implementations.known import ALWAYS_MIXES
from conformance.implementations.torch import torch_implementation

DPO = torch_implementation(dpo_loss_of(DPOTrainer), name="ms-swift", library="ms-swift", notes=ALWAYS_MIXES)
LOSSES = torch_implementation(
    losses_of(DPOTrainer, str, RunningMoments),
    name="ms-swift",
    library="ms-swift",
    loss=CALLED | {"aot_unpaired": "aot_unpaired", "f_dpo_forward_kl": "forward_kl"},
)
