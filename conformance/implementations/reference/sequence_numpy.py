# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""NumPy: oracle.reference.sequence_numpy as it is shipped, by token, by sequence, and with the loss as a whole path."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from conformance.implementations.sequence.array_paths import array_path
from conformance.implementations.sequence.numpy import array_sequence
from oracle.reference.numpy import dpo_gradient, dpo_loss
from oracle.reference.sequence_numpy import sequence_gradient, sequence_logps, token_gradient, token_logps

OPTIONS = ("temperature", "chunk")


def _path(policy: Any, ref: Any, labels: Any, mask: Any, beta: float, eps: float) -> Any:
    return dpo_loss(*_four(policy, ref, labels, mask), beta, eps)


def _slopes(policy: Any, ref: Any, labels: Any, mask: Any, beta: float, eps: float) -> Any:
    chosen, rejected, _, _ = dpo_gradient(*_four(policy, ref, labels, mask), beta, eps)
    return sequence_gradient(policy, labels, mask, incoming=np.concatenate([chosen, rejected]))


def _four(policy: Any, ref: Any, labels: Any, mask: Any) -> tuple[Any, Any, Any, Any]:
    """The log-probabilities of chosen and rejected, by the policy and by the reference."""
    chosen, rejected = np.split(sequence_logps(policy, labels, mask), 2)
    ref_chosen, ref_rejected = np.split(sequence_logps(ref, labels, mask), 2)
    return chosen, rejected, ref_chosen, ref_rejected


SEQUENCE = array_sequence(
    sequence_logps, derivatives=sequence_gradient, name="reference-numpy-sequence", accumulates="float32", options=OPTIONS,
    library="numpy",
)  # fmt: skip
AVERAGE = array_sequence(
    partial(sequence_logps, average=True), derivatives=partial(sequence_gradient, average=True),
    name="reference-numpy-average", average=True, accumulates="float32", library="numpy",
)  # fmt: skip
TOKEN = array_sequence(
    token_logps, derivatives=token_gradient, name="reference-numpy-token", returns="token", accumulates="float32",
    options=OPTIONS, library="numpy",
)  # fmt: skip
PATH = array_path(_path, derivatives=_slopes, name="reference-numpy-path", accumulates="float32", library="numpy")
