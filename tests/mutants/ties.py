"""Wrong where chosen and rejected are the same numbers."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import arrays
from .arrays import Array
from .kinds import Mutant, numpy_mutant, torch_mutant
from .tensors import Loss, each, scaled_gradient, stable
from .witnesses import tied

_torch = functools.partial(torch_mutant, family="tie", witness=tied(0.5))


def _tie(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor) -> Tensor:
    return (pc == pr) & (rc == rr)


def _left_out(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    losses = stable(pc, pr, rc, rr, beta, eps)
    return torch.where(_tie(pc, pr, rc, rr), 0 * losses.detach(), losses)


def _shifted(by: float) -> Loss:
    """Ties have a margin of so many nats."""

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        return stable(torch.where(_tie(pc, pr, rc, rr), pc + by, pc), pr, rc, rr, beta, eps)

    return loss


def _without_gradient(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    keep = ~_tie(pc, pr, rc, rr)
    return stable(*each(lambda x: torch.where(keep, x, x.detach()), pc, pr, rc, rr), beta, eps)


def _doubled_gradient(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    tie = _tie(pc, pr, rc, rr)
    return stable(*each(lambda x: torch.where(tie, scaled_gradient(x, 2.0), x), pc, pr, rc, rr), beta, eps)


def _unsmoothed(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """Ties are not smoothed: their loss is right, their derivative is not."""
    return torch.where(_tie(pc, pr, rc, rr), stable(pc, pr, rc, rr, beta, 0.0), stable(pc, pr, rc, rr, beta, eps))


def _contracted(pc: Array, pr: Array, rc: Array, rr: Array, beta: float) -> Array:
    """fma(beta, pc - rc, -RN(beta (pr - rr))): the first product is not rounded."""
    wide = np.float64 if pc.dtype.itemsize < 8 else np.longdouble
    chosen, rejected, factor = pc - rc, pr - rr, arrays.number(pc, beta)
    result: Array = (wide(factor) * chosen.astype(wide) - (factor * rejected).astype(wide)).astype(pc.dtype)
    return result


def _contracted_loss(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
    z = _contracted(pc, pr, rc, rr, beta)
    return arrays.mixed(arrays.softplus(-z), arrays.softplus(z) if eps else z, eps)


def _metrics(wins: Any) -> Any:
    def metrics(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> dict[str, Any]:
        chosen, rejected = pc - rc, pr - rr
        return {
            "accuracy": np.mean(wins(pc, pr, rc, rr, beta), dtype=np.float64),
            "margin": np.mean(chosen - rejected, dtype=np.float64),
            "chosen_logratio": np.mean(chosen, dtype=np.float64),
            "rejected_logratio": np.mean(rejected, dtype=np.float64),
        }

    return metrics


MUTANTS: tuple[Mutant, ...] = (
    _torch(name="tie-left-out", wrong="The loss of a tie is 0.", function=_left_out),
    _torch(name="tie-loses", wrong="A tie has a margin of -1.", function=_shifted(-1.0)),
    _torch(name="tie-wins", wrong="A tie has a margin of 1.", function=_shifted(1.0)),
    _torch(name="tie-without-gradient", wrong="The derivatives of a tie are 0.", function=_without_gradient),
    _torch(name="tie-gradient-doubled", wrong="The derivatives of a tie are those of a pair lost.", function=_doubled_gradient),
    _torch(
        name="tie-unsmoothed",
        wrong="The derivatives of a tie are those without label smoothing.",
        function=_unsmoothed,
        witness=tied(0.5, 0.25),
    ),
    numpy_mutant(
        "rewards-contracted",
        "tie",
        "The difference of the rewards is a fused multiply-subtract, and a win is where it is above 0: half of all ties.",
        _contracted_loss,
        tied(0.1),
        metrics=_metrics(lambda pc, pr, rc, rr, beta: _contracted(pc, pr, rc, rr, beta) > 0),
        source="https://github.com/huggingface/trl/issues/2371",
    ),
    numpy_mutant(
        "wins-half-of-ties",
        "tie",
        "Every other tie counts as a win.",
        arrays.stable,
        tied(0.1),
        metrics=_metrics(
            lambda pc, pr, rc, rr, beta: ((pc - rc) - (pr - rr) > 0) | ((pc == pr) & (np.arange(len(pc)) % 2 == 1))
        ),
    ),
)
