# /// script
# requires-python = ">=3.11"
# dependencies = ["llamafactory==0.9.5", "torch>=2.4"]
# ///
"""LLaMA-Factory: `llamafactory.train.trainer_utils.get_batch_logps`, of logits in float32 as its trainers call it."""

from __future__ import annotations

import torch
from torch import Tensor

from conformance.implementations.bare import bare_import
from conformance.implementations.sequence.torch import torch_sequence

_MODULE = bare_import("llamafactory.train.trainer_utils")


def _logps(logits: Tensor, labels: Tensor) -> Tensor:
    logps: Tensor = _MODULE.get_batch_logps(logits.to(torch.float32), labels)[0]
    return logps


LOGPS = torch_sequence(
    _logps, name="LLaMA-Factory", dtypes=("binary16", "bfloat16", "binary32"), accumulates="float32", shift=True,
    ignore_index=-100, library="llamafactory",
)  # fmt: skip
