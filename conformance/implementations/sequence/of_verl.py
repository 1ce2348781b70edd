# /// script
# requires-python = ">=3.11"
# dependencies = ["verl==0.9.1", "torch>=2.4", "tensordict>=0.8", "transformers>=4.50"]
#
# [tool.dpo-conformance]
# no-deps = ["verl"]
# ///
"""verl: `logprobs_from_logits_naive` and `logprobs_from_logits_v2`, one number a token; the module is imported alone."""

from __future__ import annotations

import torch
from torch import Tensor

from conformance.implementations.bare import bare_import
from conformance.implementations.sequence.torch import torch_sequence

_MODULE = bare_import("verl.utils.torch_functional")


def _naive(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    logps: Tensor = _MODULE.logprobs_from_logits_naive(logits, torch.where(mask, labels, 0))
    return logps


def _second(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    logps: Tensor = _MODULE.logprobs_from_logits_v2(logits, torch.where(mask, labels, 0))
    return logps


NAIVE = torch_sequence(_naive, name="verl naive", returns="token", library="verl")
SECOND = torch_sequence(_second, name="verl v2", returns="token", library="verl")
