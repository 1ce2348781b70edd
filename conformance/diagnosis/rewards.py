"""Unstable ways to the loss by the two rewards, whose logarithm or difference loses what the logit alone would keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from conformance.diagnosis.kernels import Arithmetic, Unstable
from oracle.formats import Floats


@dataclass(frozen=True, slots=True)
class OfRewards:
    """A way to the loss of two rewards, (chosen, rejected, arithmetic), whose intermediate results are as large as these."""

    key: str
    says: str
    way: Callable[[Floats, Floats, Arithmetic], Floats]


REWARDS = (
    OfRewards(
        "log-softmax of the rewards",
        "-log_softmax over the two rewards, whose logarithm absorbs the tail",
        lambda c, r, a: -a(a(c - np.maximum(c, r)) - a(np.log(a(1 + a(np.exp(-np.abs(a(c - r)))))))),
    ),
    OfRewards(
        "logsumexp less the reward",
        "logsumexp(c, r) - c of the two rewards, which cancels",
        lambda c, r, a: a(a(np.maximum(c, r) + a(np.log1p(a(np.exp(-np.abs(a(c - r))))))) - c),
    ),
    OfRewards(
        "log of the sum of exponentials",
        "log(exp(c) + exp(r)) - c of the two rewards, which overflows and cancels",
        lambda c, r, a: a(a(np.log(a(a(np.exp(c)) + a(np.exp(r))))) - c),
    ),
)
"""Ways that compute with the rewards, not with the logit alone: what they lose depends on the rewards' size."""


def of_rewards(way: OfRewards, chosen: Floats, rejected: Floats) -> Unstable:
    """The same as a way to softplus(x), at these rewards."""

    def scaled(x: Floats, a: Arithmetic) -> tuple[Floats, Floats]:
        """The rewards, exchanged where x is, and moved by a rounding where x is."""
        with np.errstate(all="ignore"):
            ratio = np.where(rejected == chosen, 1.0, x / (rejected - chosen))
        first, last = np.where(ratio < 0, rejected, chosen), np.where(ratio < 0, chosen, rejected)
        return a(first * np.abs(ratio)), a(last * np.abs(ratio))

    return Unstable(
        way.key,
        way.says,
        lambda x, a: way.way(*scaled(x, a), a),
        lambda z: 1 + np.abs(chosen) + np.abs(rejected),
    )
