# /// script
# requires-python = ">=3.11"
# dependencies = ["google-tunix==0.1.7", "jax[cpu]>=0.5"]
# ///
"""tunix: `tunix`, the function `tunix.sft.dpo.dpo_trainer.dpo_loss_fn`, which returns the mean.

Its forward pass, `compute_logps`, is replaced by one that answers with the given log-probabilities; in training it
computes them in float32, so float32 it claims.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import jax
from tunix.sft.dpo import dpo_trainer

from conformance.implementations.jax import jax_implementation
from conformance.implementations.known import ALWAYS_MIXES


def _loss(pc: jax.Array, pr: jax.Array, rc: jax.Array, rr: jax.Array, beta: float, label_smoothing: float) -> jax.Array:
    unused: Any = None
    example = dpo_trainer.TrainExample(
        input_ids=unused,
        positions=unused,
        attention_mask=unused,
        ref_chosen_logps=rc,
        ref_rejected_logps=rr,
        completion_mask=unused,
        logits_to_keep=1,
    )
    with patch.object(dpo_trainer, "compute_logps", lambda *_, **__: (pc, pr)):
        loss: jax.Array
        loss, _ = dpo_trainer.dpo_loss_fn(unused, example, beta=beta, label_smoothing=label_smoothing)
    return loss


DPO = jax_implementation(
    _loss,
    name="tunix",
    dtypes=("binary32",),
    reduction="mean",
    subnormals="flush",
    jit=True,
    library="google-tunix",
    notes=ALWAYS_MIXES,
)
