# /// script
# requires-python = ">=3.11"
# dependencies = ["torch>=2.4"]
# ///
"""PyTorch: oracle.reference.sequence_torch as it is shipped, by token, by sequence, and with the loss as a whole path."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from conformance.implementations.sequence.torch import torch_sequence
from conformance.implementations.sequence.torch_paths import torch_path
from oracle.reference.sequence_torch import sequence_logps, token_logps
from oracle.reference.torch import dpo_loss

OPTIONS = ("temperature", "chunk")


def _unmasked(logits: Tensor, labels: Tensor, *, temperature: float, chunk_size: int | None = None) -> Tensor:
    return sequence_logps(logits, labels, shift=True, temperature=temperature, chunk_size=chunk_size)


def _path(policy: Tensor, ref: Tensor, labels: Tensor, mask: Tensor, beta: float, eps: float) -> Tensor:
    chosen, rejected = sequence_logps(policy, labels, mask).chunk(2)
    ref_chosen, ref_rejected = sequence_logps(ref, labels, mask).chunk(2)
    return dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta, eps)


SEQUENCE = torch_sequence(
    sequence_logps, name="reference-torch-sequence", accumulates="float32", options=OPTIONS, library="torch"
)
SHIFTED = torch_sequence(
    _unmasked, name="reference-torch-shifted", shift=True, ignore_index=-100, accumulates="float32", options=OPTIONS,
    library="torch",
)  # fmt: skip
AVERAGE = torch_sequence(
    partial(sequence_logps, average=True), name="reference-torch-average", average=True, accumulates="float32", library="torch"
)
TOKEN = torch_sequence(
    token_logps, name="reference-torch-token", returns="token", accumulates="float32", options=OPTIONS, library="torch"
)
PATH = torch_path(_path, name="reference-torch-path", accumulates="float32", library="torch")
