# /// script
# requires-python = ">=3.11"
# dependencies = ["trl==1.16.0", "torch>=2.4"]
# ///
"""TRL: `trl`, the loss inside `DPOTrainer.compute_loss` with precomputed reference logps; it returns the mean.

The model is a stub that answers with log-probabilities: one prompt token and one completion token a row, which carries
the whole response's. TRL's fused head gives float32 log-probabilities whatever the model's dtype, so float32 it claims.
"""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from trl import DPOTrainer

from conformance.implementations.known import smoothing_ignored
from conformance.implementations.torch import torch_implementation

_IGNORED = (
    "documented: DPOConfig.label_smoothing is 'used in Robust DPO and EXO' (https://huggingface.co/docs/trl/dpo_trainer); "
    "loss_type='sigmoid' accepts it and, since https://github.com/huggingface/trl/pull/3906, does not use it"
)
NOTES = smoothing_ignored(_IGNORED)


def _same(value: Tensor) -> Tensor:
    """What gathering over one process gives."""
    return value


def _trainer(beta: float, label_smoothing: float) -> Any:
    """What compute_loss reads of a trainer, with the values of a default DPOConfig."""
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=True),
        accelerator=SimpleNamespace(device=torch.device("cpu"), gather=_same, gather_for_metrics=_same),
        aux_loss_enabled=False,
        ld_alpha=None,
        precompute_ref_logps=True,
        f_divergence_type="reverse_kl",
        loss_types=["sigmoid"],
        loss_weights=[1.0],
        beta=beta,
        label_smoothing=label_smoothing,
        use_weighting=False,
        args=SimpleNamespace(max_length=None),
        _metrics={"train": defaultdict(list)},
        _total_train_tokens=0,
        _tp_size=1,
    )
    trainer._compute_loss = lambda *arguments: DPOTrainer._compute_loss(trainer, *arguments)
    return trainer


def _loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, label_smoothing: float) -> Tensor:
    log_probs = torch.cat([pc, pr])[:, None]
    zeros, ids = torch.zeros_like(log_probs), torch.zeros(2 * len(pc), 2, dtype=torch.long)
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "completion_mask": torch.tensor([0, 1]).expand_as(ids),
        "ref_chosen_logps": rc,
        "ref_rejected_logps": rr,
    }

    def model(**_: Any) -> SimpleNamespace:
        return SimpleNamespace(log_probs=log_probs, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool())

    loss: Tensor = DPOTrainer.compute_loss(_trainer(beta, label_smoothing), model, inputs)
    return loss


DPO = torch_implementation(_loss, name="trl", dtypes=("binary32",), reduction="mean", library="trl", notes=NOTES)
