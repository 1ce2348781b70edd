# /// script
# requires-python = ">=3.11"
# dependencies = ["torchtune==0.6.1", "torch>=2.4", "torchao==0.17.0"]
# ///
"""torchtune: its function `torchtune.rlhf.get_batch_log_probs`, which shifts itself and takes the mask from the labels."""

from __future__ import annotations

from torch import Tensor
from torchtune.rlhf import get_batch_log_probs

from conformance.implementations.sequence.torch import torch_sequence


def _sum(logits: Tensor, labels: Tensor) -> Tensor:
    logps: Tensor = get_batch_log_probs(logits, labels)
    return logps


def _average(logits: Tensor, labels: Tensor) -> Tensor:
    logps: Tensor = get_batch_log_probs(logits, labels, return_average_logprobs=True)
    return logps


SUM = torch_sequence(_sum, name="torchtune", shift=True, ignore_index=-100, library="torchtune")
AVERAGE = torch_sequence(
    _average,
    name="torchtune average",
    shift=True,
    ignore_index=-100,
    average=True,
    accumulates={"binary16": "binary16", "bfloat16": "bfloat16"},  # though it returns float32
    library="torchtune",
)
