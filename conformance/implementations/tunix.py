# /// script
# requires-python = ">=3.11"
# dependencies = ["google-tunix==0.1.7", "jax[cpu]>=0.5"]
# ///
"""tunix: `tunix`, the function `tunix.sft.dpo.dpo_trainer.dpo_loss_fn`, which returns the mean, and `tunix@LOSS` for its other
algorithm.

Its forward pass, `compute_logps`, is replaced by one that answers with the given log-probabilities; in training it
computes them in float32, so float32 it claims.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import jax
import jax.numpy as jnp
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


def _named(loss: str, policy_chosen_logps: jax.Array, policy_rejected_logps: jax.Array, **given: Any) -> jax.Array:
    pc, pr, unused = policy_chosen_logps, policy_rejected_logps, None
    lengths = [given.get(f"{who}_lengths", jnp.ones(len(pc), int)) for who in ("chosen", "rejected")]
    example = dpo_trainer.TrainExample(
        input_ids=unused,
        positions=unused,
        attention_mask=unused,
        ref_chosen_logps=given.get("ref_chosen_logps"),
        ref_rejected_logps=given.get("ref_rejected_logps"),
        completion_mask=jnp.concatenate(lengths)[:, None],  # of each response only the sum counts
        logits_to_keep=1,
    )
    settings = {"beta": given.get("beta", 0.1), "lambda_orpo": given.get("odds_weight", 0.1)}
    settings |= {"label_smoothing": given.get("label_smoothing", 0.0), "algorithm": loss}
    with patch.object(dpo_trainer, "compute_logps", lambda *_, **__: (pc, pr)):
        found: jax.Array
        found, _ = dpo_trainer.dpo_loss_fn(None, example, **settings)
    return found


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
LOSSES = jax_implementation(
    _named,
    name="tunix",
    dtypes=("binary32",),
    reduction="mean",
    subnormals="flush",
    jit=True,
    library="google-tunix",
    loss={"sigmoid": "dpo", "cdpo": "dpo", "orpo": "orpo"},
)
