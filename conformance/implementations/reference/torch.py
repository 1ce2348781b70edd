# /// script
# requires-python = ">=3.11"
# dependencies = ["torch>=2.4"]
# ///
"""PyTorch: `reference-torch`, oracle.reference.torch as it is shipped, eager, compiled, and reduced to the mean."""

from __future__ import annotations

from torch import Tensor

from conformance.implementations.torch import torch_implementation
from oracle.reference.torch import dpo_loss


def _mean(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, label_smoothing: float) -> Tensor:
    return dpo_loss(pc, pr, rc, rr, beta, label_smoothing, "mean")


LOSS = torch_implementation(dpo_loss, name="reference-torch", library="torch", second_derivatives=True)
COMPILED = torch_implementation(dpo_loss, name="reference-torch-compile", compile=True, library="torch")
MEAN = torch_implementation(_mean, name="reference-torch-mean", reduction="mean", library="torch", second_derivatives=True)
