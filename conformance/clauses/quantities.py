"""The quantities that checks judge, by the names that findings give them, each with its exact value."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import oracle
from conformance.implementations import protocol
from conformance.inputs.batch import NAMES, Batch
from oracle import Real
from oracle.dpo import Reals

LOSS = "loss"
GRADIENTS = tuple(f"d loss / d {name}" for name in NAMES)
"""The derivatives, in the order of the signature."""
WEIGHED = tuple(f"d weighted loss / d {name}" for name in NAMES)
"""The derivatives of a weighted sum of losses, each divided by its weight."""
UNWEIGHED = ", its weight 0"
"""What the name of a derivative ends in that is exactly 0, since its weight is."""
OPPOSED = ", twice with opposite signs"
"""What the name of a derivative ends in that is exactly 0, since its argument is one in either of two roles."""
WEIGHTS = (4.0, 1.0, -2.0, 8.0, 2.0)
"""Powers of two, so that they scale exactly; unlike neighbours, so that one for all shows."""
POLICY_ALONE = tuple(f"{name}, the reference without derivatives" for name in GRADIENTS)
"""The derivatives where none is asked for in the reference."""
SIGNS = (-1.0, 1.0, 1.0, -1.0)
"""The sign of each derivative relative to beta * (sigma(-z) - eps)."""
SECOND = tuple(tuple(f"d2 loss / d {first} d {name}" for name in NAMES) for first in NAMES)
"""The second derivatives: in each argument, those of the first derivative in it."""
MEAN_LOSS = "mean loss"
MEAN_GRADIENTS = tuple(f"d mean loss / d {name}" for name in NAMES)
ANTISYMMETRY = "loss(z) - loss(-z)"
METRICS = {name: f"metric {name}" for name in (*protocol.METRICS, *protocol.REWARDS)}
_REWARDS = dict(zip(protocol.REWARDS, protocol.METRICS, strict=True))


def exact_value(quantity: str, batch: Batch) -> Real:
    """The exact value of a named quantity: of the batch's one pair, or of the whole batch for means and metrics.

    The derivative of a mean is the one in its batch's first pair. What follows a comma says how it was asked for.
    """
    return Real.rational(0) if quantity.endswith((UNWEIGHED, OPPOSED)) else _VALUES[quantity.partition(", ")[0]](batch)


def _one(value: Reals) -> Real:
    """The Real of a batch of one pair, or of its first."""
    return value if isinstance(value, Real) else value.flat[0]


def _loss(batch: Batch) -> Reals:
    return oracle.loss(*batch.logps, beta=batch.beta, label_smoothing=batch.label_smoothing)


def _logit(batch: Batch) -> Reals:
    return oracle.logit(*batch.logps, beta=batch.beta)


def _derivative(place: int, *, mean: bool) -> Callable[[Batch], Real]:
    def value(batch: Batch) -> Real:
        found = oracle.gradient(*batch.logps, beta=batch.beta, label_smoothing=batch.label_smoothing)
        return _one(found.by_logps[place]) / (len(batch) if mean else 1)

    return value


def _second(first: int, place: int) -> Callable[[Batch], Real]:
    def value(batch: Batch) -> Real:
        found = _one(oracle.second_derivative(*batch.logps, beta=batch.beta))
        return found * (Fraction(batch.beta) ** 2 * int(SIGNS[first] * SIGNS[place]))

    return value


def _metric(name: str) -> Callable[[Batch], Real]:
    def value(batch: Batch) -> Real:
        found: Real = getattr(oracle.metrics(*batch.logps, beta=batch.beta), _REWARDS.get(name, name))
        return found if name in protocol.METRICS or name == protocol.REWARDS[0] else found * Fraction(batch.beta)

    return value


_VALUES: dict[str, Callable[[Batch], Real]] = {
    LOSS: lambda batch: _one(_loss(batch)),
    MEAN_LOSS: lambda batch: oracle.mean(_loss(batch)),
    ANTISYMMETRY: lambda batch: -_one(_logit(batch)),
    **{name: _derivative(place, mean=False) for names in (GRADIENTS, WEIGHED) for place, name in enumerate(names)},
    **{name: _second(first, place) for first, names in enumerate(SECOND) for place, name in enumerate(names)},
    **{name: _derivative(place, mean=True) for place, name in enumerate(MEAN_GRADIENTS)},
    **{quantity: _metric(name) for name, quantity in METRICS.items()},
    "metric logps/chosen": lambda batch: oracle.mean(batch.policy_chosen_logps),
    "metric logps/rejected": lambda batch: oracle.mean(batch.policy_rejected_logps),
}
