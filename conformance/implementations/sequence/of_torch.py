# /// script
# requires-python = ">=3.11"
# dependencies = ["torch>=2.4"]
# ///
"""PyTorch's own ways to a token's log-probability: one number a token, and what they claim is theirs alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone names it
from torch import Tensor

from conformance.implementations.sequence.torch import torch_sequence


def _gathered(values: Tensor, labels: Tensor) -> Tensor:
    return values.gather(-1, labels[..., None])[..., 0]


def _log_softmax(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    return _gathered(F.log_softmax(logits, -1), torch.where(mask, labels, 0))


def _logsumexp(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    return _gathered(logits, torch.where(mask, labels, 0)) - torch.logsumexp(logits, -1)


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return -F.cross_entropy(logits.transpose(1, 2), labels, reduction="none", ignore_index=-100)


LOG_SOFTMAX = torch_sequence(_log_softmax, name="torch log_softmax", returns="token", library="torch")
LOGSUMEXP = torch_sequence(_logsumexp, name="torch gather - logsumexp", returns="token", library="torch")
CROSS_ENTROPY = torch_sequence(_cross_entropy, name="torch cross_entropy", returns="token", ignore_index=-100, library="torch")
COMPILED = torch_sequence(_log_softmax, name="torch log_softmax compiled", returns="token", compile=True, library="torch")
