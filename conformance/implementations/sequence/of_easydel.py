# /// script
# requires-python = ">=3.11"
# dependencies = ["easydel==0.3.0", "pillow", "torch>=2.4"]
# ///
"""EasyDeL: the function `get_batch_logps` of its ORPO trainer, sum and average; the module is imported alone."""

from __future__ import annotations

import jax

from conformance.implementations.bare import bare_import
from conformance.implementations.sequence.jax import jax_sequence

_MODULE = bare_import("easydel.trainers.odds_ratio_preference_optimization_trainer._fn")
FORMATS = ("binary16", "bfloat16", "binary32")


def _sum(logits: jax.Array, labels: jax.Array, chunk_size: int | None = None) -> jax.Array:
    logps: jax.Array = _MODULE.get_batch_logps(logits, labels, logprob_vocab_chunk_size=chunk_size)
    return logps


def _average(logits: jax.Array, labels: jax.Array) -> jax.Array:
    logps: jax.Array = _MODULE.get_batch_logps(logits, labels, average_log_prob=True)
    return logps


SUM = jax_sequence(
    _sum, name="EasyDeL", dtypes=FORMATS, accumulates="float32", shift=True, ignore_index=-100, options=("chunk",),
    library="easydel", subnormals="flush",
)  # fmt: skip
AVERAGE = jax_sequence(
    _average, name="EasyDeL average", dtypes=FORMATS, accumulates="float32", shift=True, ignore_index=-100, average=True,
    library="easydel", subnormals="flush",
)  # fmt: skip
