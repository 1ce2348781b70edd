# /// script
# requires-python = ">=3.11"
# dependencies = ["openrlhf==0.11.2", "torch>=2.4"]
#
# [tool.dpo-conformance]
# no-deps = ["openrlhf"]
# ///
"""OpenRLHF: its function `openrlhf.models.utils.log_probs_from_logits`, one number a token; the module is imported alone."""

from __future__ import annotations

import torch
from torch import Tensor

from conformance.implementations.bare import bare_import
from conformance.implementations.sequence.torch import torch_sequence

_UTILS = bare_import("openrlhf.models.utils", unused=("deepspeed",))


def _logps(logits: Tensor, labels: Tensor, mask: Tensor, temperature: float = 1.0) -> Tensor:
    logps: Tensor = _UTILS.log_probs_from_logits(logits, torch.where(mask, labels, 0), temperature)
    return logps


LOGPS = torch_sequence(_logps, name="OpenRLHF", returns="token", options=("temperature",), library="openrlhf")
