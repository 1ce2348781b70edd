# /// script
# requires-python = ">=3.11"
# dependencies = ["unsloth-zoo==2026.10.9", "torch>=2.4"]
#
# [tool.dpo-conformance]
# no-deps = ["unsloth-zoo"]
# ///
"""unsloth-zoo: `fused_losses.stable_softmax.target_logprob` on float32 logits, the target apart, and `cross_entropy_rows`."""

from __future__ import annotations

import torch
from torch import Tensor

from conformance.implementations.bare import bare_import
from conformance.implementations.sequence.torch import torch_sequence

_MODULE = bare_import("unsloth_zoo.fused_losses.stable_softmax")
FORMATS = ("binary32", "binary64")


def _target(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    logps: Tensor = _MODULE.target_logprob(logits, torch.where(mask, labels, 0))[0]
    return logps


def _rows(logits: Tensor, labels: Tensor) -> Tensor:
    losses: Tensor = _MODULE.cross_entropy_rows(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1))
    return -losses.reshape(labels.shape).sum(-1)


TARGET = torch_sequence(_target, name="unsloth target_logprob", returns="token", dtypes=FORMATS, library="unsloth-zoo")
ROWS = torch_sequence(_rows, name="unsloth cross_entropy_rows", dtypes=FORMATS, ignore_index=-100, library="unsloth-zoo")
