"""The value right, its derivative that of other options: what a backward pass of its own takes wrongly."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .kinds import Mutant, Witness, stateful_mutant, torch_mutant
from .tensors import Loss, stable
from .witnesses import both, one, options, pairs

Change = Callable[[float, float], tuple[float, float]]


def with_derivative_of(change: Change) -> Loss:
    """The right losses, with the derivatives of the losses under other options."""

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        value = stable(pc, pr, rc, rr, beta, eps).detach()
        other = stable(pc, pr, rc, rr, *change(beta, eps))
        return torch.where(torch.isfinite(other), value + (other - other.detach()), value)

    return loss


def _mutant(name: str, wrong: str, change: Change, witness: Witness = options, source: str = "") -> Mutant:
    return torch_mutant(name, "gradient", wrong, with_derivative_of(change), witness, source=source)


def _remembering(index: int) -> Loss:
    """The first beta (index 0) or label_smoothing (index 1) is kept for the derivatives."""
    first: list[float] = []

    def change(beta: float, eps: float) -> tuple[float, float]:
        first.append((beta, eps)[index])
        return (first[0], eps) if index == 0 else (beta, first[0])

    return with_derivative_of(change)


MUTANTS = (
    _mutant(
        "gradient-beta-on-a-grid",
        "A beta from 0.05 to 2 is rounded to a multiple of 0.05 in the derivative.",
        lambda beta, eps: (round(beta * 20) / 20 if 0.05 < beta < 2 else beta, eps),
        one(-1.0, -2.0, -1.0, -1.0, beta=0.07),
    ),
    _mutant(
        "gradient-label-smoothing-on-a-grid",
        "A label smoothing above 0.02 is rounded to a multiple of 0.05 in the derivative.",
        lambda beta, eps: (beta, round(eps * 20) / 20 if eps > 0.02 else eps),
        one(-1.0, -9.0, -1.0, -1.0, beta=1.0, eps=0.03),
    ),
    stateful_mutant(
        "gradient-beta-of-first-call",
        "gradient",
        "The beta of the first call is kept for the derivatives.",
        lambda: _remembering(0),
        options,
    ),
    stateful_mutant(
        "gradient-smoothing-of-first-call",
        "gradient",
        "The label smoothing of the first call is kept for the derivatives.",
        lambda: _remembering(1),
        options,
    ),
    _mutant("gradient-beta-of-default", "The derivative is that of beta = 0.1.", lambda beta, eps: (0.1, eps)),
    _mutant("gradient-beta-twice", "The derivative is that of beta^2.", lambda beta, eps: (beta * beta, eps)),
    _mutant("gradient-beta-at-most-1", "The derivative is that of min(beta, 1).", lambda beta, eps: (min(beta, 1.0), eps)),
    _mutant(
        "gradient-beta-at-least-0.05",
        "The derivative is that of max(beta, 0.05).",
        lambda beta, eps: (max(beta, 0.05) if beta >= 0 else beta, eps),
        pairs(0.01),
    ),
    _mutant("gradient-beta-absolute", "The derivative is that of |beta|.", lambda beta, eps: (abs(beta), eps), pairs(-0.5)),
    _mutant(
        "gradient-beta-zero-is-default", "The derivative is that of `beta or 0.1`.", lambda b, e: (b or 0.1, e), pairs(0.0)
    ),
    _mutant(
        "gradient-beta-two-decimals",
        "The derivative is that of beta to two decimals.",
        lambda b, e: (round(b, 2), e),
        pairs(0.001),
    ),
    _mutant(
        "gradient-smoothing-at-most-0.1", "The derivative is that of min(eps, 0.1).", lambda beta, eps: (beta, min(eps, 0.1))
    ),
    _mutant("gradient-smoothing-halved", "The derivative is that of eps / 2.", lambda beta, eps: (beta, eps / 2)),
    _mutant(
        "gradient-smoothing-at-most-half",
        "The derivative is that of min(eps, 1/2).",
        lambda beta, eps: (beta, min(eps, 0.5)),
        pairs(2.0, 0.95),
    ),
    _mutant(
        "gradient-small-smoothing-ignored",
        "The derivative is that of eps = 0 where eps is below 0.001.",
        lambda beta, eps: (beta, eps if eps >= 1e-3 else 0.0),
        both(one(-1.0, -33.0, -1.0, -1.0, beta=1.0, eps=9e-4)),
    ),
    _mutant(
        "gradient-options-swapped",
        "beta and label_smoothing change places in the derivative.",
        lambda beta, eps: (eps, min(abs(beta), 1.0)),
    ),
)
