# /// script
# requires-python = ">=3.11"
# dependencies = ["torch>=2.4"]
# ///
"""PyTorch's spellings of the loss: log-sigmoid, softplus, binary cross entropy with logits, logaddexp; eager and compiled.

`torch`, `torch-compile` and `torch-cuda` are log-sigmoid; `torch-naive` is log of sigmoid, which is wrong.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every user of torch gives it
from torch import Tensor

from conformance.implementations.torch import torch_implementation

_LINEAR = (
    "documented: for numerical stability it reverts to the linear function above its threshold, 20 by default "
    "(https://docs.pytorch.org/docs/stable/generated/torch.nn.Softplus.html), where log1p(exp(-20)) = 2.1e-9 still "
    "counts in binary64"
)
_LOST = (
    "the derivative is computed as sigmoid(z) - 1, which cancels and is 0 for large z "
    "(https://github.com/pytorch/pytorch/issues/195529, https://github.com/pytorch/pytorch/issues/195677)"
)
_TIMES_ZERO = "a label of 0 or 1 multiplies an infinite term by 0"
_VALUE = (
    *("KERNEL-1", "KERNEL-6", "KERNEL-7", "LOSS-1", "LOSS-3", "EXTREME-1", "SMOOTH-1", "OPTION-1", "OPTION-6"),
    *("BATCH-1", "BATCH-3", "BATCH-4", "BATCH-5", "LAYOUT-1", "AUTOGRAD-9", "PROPERTY-1"),
)
_GRADIENT = (
    *(f"GRAD-{number}" for number in (1, 2, 5, 6, 7)),
    *(f"AUTOGRAD-{number}" for number in (*range(1, 9), 12)),
    *("KERNEL-2", "KERNEL-7", "EXTREME-2", "SMOOTH-2", "OPTION-5", "OPTION-6", "BATCH-6", "BATCH-7", "LAYOUT-2", "PROPERTY-2"),
    *("CALL-8", "CALL-9", "CALL-11"),
)
SOFTPLUS_NOTES = dict.fromkeys((*_VALUE, *_GRADIENT), _LINEAR)
BCE_NOTES = dict.fromkeys(_GRADIENT, _LOST) | dict.fromkeys(("SPECIAL-1", "SPECIAL-2", "SPECIAL-9"), _TIMES_ZERO)


def _logit(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float) -> Tensor:
    return beta * ((pc - rc) - (pr - rr))


def _logsigmoid(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, label_smoothing: float) -> Tensor:
    z = _logit(pc, pr, rc, rr, beta)
    losses = -F.logsigmoid(z)
    return losses if label_smoothing == 0 else (1 - label_smoothing) * losses - label_smoothing * F.logsigmoid(-z)


def _naive(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, label_smoothing: float) -> Tensor:
    """-log(sigmoid(z)), as tutorials write it: wrong in both tails."""
    z = _logit(pc, pr, rc, rr, beta)
    losses = -torch.log(torch.sigmoid(z))
    if label_smoothing == 0:
        return losses
    return (1 - label_smoothing) * losses - label_smoothing * torch.log(torch.sigmoid(-z))


def _softplus(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, label_smoothing: float) -> Tensor:
    z = _logit(pc, pr, rc, rr, beta)
    losses = F.softplus(-z)
    return losses if label_smoothing == 0 else (1 - label_smoothing) * losses + label_smoothing * F.softplus(z)


def _bce(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, label_smoothing: float) -> Tensor:
    """Hard labels, mixed: the label 1 - label_smoothing, rounded, would lose most of a small label_smoothing."""
    z = _logit(pc, pr, rc, rr, beta)
    losses = F.binary_cross_entropy_with_logits(z, torch.ones_like(z), reduction="none")
    if label_smoothing == 0:
        return losses
    exchanged = F.binary_cross_entropy_with_logits(z, torch.zeros_like(z), reduction="none")
    return (1 - label_smoothing) * losses + label_smoothing * exchanged


def _logaddexp(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, label_smoothing: float) -> Tensor:
    z = _logit(pc, pr, rc, rr, beta)
    zero = torch.zeros_like(z)
    losses = torch.logaddexp(zero, -z)
    if label_smoothing == 0:
        return losses
    return (1 - label_smoothing) * losses + label_smoothing * torch.logaddexp(zero, z)


def _metrics(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, label_smoothing: float) -> dict[str, Tensor]:
    """Accumulated in float64, whatever the dtype."""
    chosen, rejected = pc - rc, pr - rr
    margin = chosen - rejected
    return {
        "accuracy": (beta * margin > 0).double().mean(),
        "margin": margin.double().mean(),
        "chosen_logratio": chosen.double().mean(),
        "rejected_logratio": rejected.double().mean(),
    }


CPU = torch_implementation(_logsigmoid, name="torch", metrics=_metrics, library="torch")
COMPILED = torch_implementation(_logsigmoid, name="torch-compile", compile=True, metrics=_metrics, library="torch")
CUDA = torch_implementation(_logsigmoid, name="torch-cuda", device="cuda", metrics=_metrics, library="torch")
NAIVE = torch_implementation(_naive, name="torch-naive")
SOFTPLUS = torch_implementation(_softplus, name="torch-softplus", library="torch", notes=SOFTPLUS_NOTES)
SOFTPLUS_COMPILED = torch_implementation(
    _softplus, name="torch-softplus-compile", compile=True, library="torch", notes=SOFTPLUS_NOTES
)
BCE = torch_implementation(_bce, name="torch-bce", library="torch", notes=BCE_NOTES)
BCE_COMPILED = torch_implementation(_bce, name="torch-bce-compile", compile=True, library="torch", notes=BCE_NOTES)
LOGADDEXP = torch_implementation(_logaddexp, name="torch-logaddexp", library="torch")
LOGADDEXP_COMPILED = torch_implementation(_logaddexp, name="torch-logaddexp-compile", compile=True, library="torch")
