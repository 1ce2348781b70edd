# /// script
# requires-python = ">=3.11"
# dependencies = ["jax>=0.5"]
# ///
"""JAX: oracle.reference.sequence_jax as it is shipped, by token, by sequence, and with the loss as a whole path."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from conformance.implementations.sequence.array_paths import array_path
from conformance.implementations.sequence.jax import jax_sequence
from oracle.reference.jax import dpo_loss
from oracle.reference.sequence_jax import sequence_logps, token_logps


def _wide_enough(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function in JAX's 64-bit mode where its first array is binary64, else as JAX is by default."""

    def call(first: Any, *others: Any) -> Any:
        with jax.enable_x64(first.dtype == np.float64):
            return function(first, *others)

    return call


OPTIONS = ("temperature", "chunk")


def _path(policy: Any, ref: Any, labels: Any, mask: Any, beta: float, eps: float) -> Any:
    chosen, rejected = jnp.split(sequence_logps(policy, labels, mask), 2)
    ref_chosen, ref_rejected = jnp.split(sequence_logps(ref, labels, mask), 2)
    return dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta, eps)


def _slopes(policy: Any, *others: Any) -> Any:
    return jax.grad(lambda policy: _path(policy, *others).sum())(policy)


SEQUENCE = jax_sequence(
    sequence_logps, name="reference-jax-sequence", accumulates="float32", options=OPTIONS, subnormals="flush", library="jax"
)
AVERAGE = jax_sequence(
    partial(sequence_logps, average=True), name="reference-jax-average", average=True, accumulates="float32",
    subnormals="flush", library="jax",
)  # fmt: skip
TOKEN = jax_sequence(
    token_logps, name="reference-jax-token", returns="token", accumulates="float32", options=OPTIONS, subnormals="flush",
    library="jax",
)  # fmt: skip
PATH = array_path(
    _wide_enough(_path), derivatives=_wide_enough(_slopes), from_numpy=_wide_enough(jnp.asarray), to_numpy=np.asarray,
    name="reference-jax-path", accumulates="float32", library="jax",
)  # fmt: skip
