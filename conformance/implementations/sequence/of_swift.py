# /// script
# requires-python = ">=3.11"
# dependencies = ["ms-swift==4.6.0", "torch>=2.4"]
# ///
"""ms-swift: the method `RLHFTrainerMixin.get_per_token_logps`, one number a token; the module is imported alone."""

from __future__ import annotations

from types import SimpleNamespace

from torch import Tensor

from conformance.implementations.bare import bare_import
from conformance.implementations.sequence.torch import torch_sequence

_MODULE = bare_import("swift.rlhf_trainers.rlhf_mixin")
_TRAINER = SimpleNamespace(template=SimpleNamespace(sequence_parallel_size=1))


def _logps(logits: Tensor, labels: Tensor) -> Tensor:
    logps: Tensor = _MODULE.RLHFTrainerMixin.get_per_token_logps(_TRAINER, logits, labels)[0]
    return logps


LOGPS = torch_sequence(_logps, name="ms-swift", returns="token", ignore_index=-100, library="ms-swift")
