# /// script
# requires-python = ">=3.11"
# dependencies = ["trl==1.16.0", "torch>=2.4"]
# ///
"""TRL: `selective_log_softmax`, one number a token, and its fused head, `ChunkedLogProbFunction`, in float32."""

from __future__ import annotations

import torch
from torch import Tensor
from trl.kernels import ChunkedLogProbFunction
from trl.trainer.utils import selective_log_softmax

from conformance.implementations.sequence.torch import torch_head, torch_sequence


def _selective(logits: Tensor, labels: Tensor, mask: Tensor, temperature: float = 1.0) -> Tensor:
    logps: Tensor = selective_log_softmax(logits, torch.where(mask, labels, 0), temperature)
    return logps


def _fused(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    mask: Tensor,
    temperature: float = 1.0,
    chunk_size: int = 8192,
) -> Tensor:
    """As the trainer: only what counts is projected, the rest is 0, and the sum over tokens is the trainer's."""
    flat = mask.reshape(-1)
    found = ChunkedLogProbFunction.apply(
        hidden.reshape(-1, hidden.shape[-1])[flat], weight, bias, labels.reshape(-1)[flat], temperature, chunk_size
    )[0]
    logps: Tensor = torch.zeros(flat.shape, dtype=found.dtype).masked_scatter(flat, found)
    return logps.reshape(mask.shape).sum(-1)


SELECTIVE = torch_sequence(
    _selective, name="TRL selective_log_softmax", returns="token", options=("temperature",), library="trl"
)
FUSED = torch_head(
    _fused, name="TRL fused head", dtypes=("bfloat16", "binary16", "binary32"), accumulates="float32",
    options=("temperature", "chunk"), library="trl",
)  # fmt: skip
