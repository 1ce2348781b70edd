"""Ways to put a step's mean together from its parts, the wrong ones that are known: weights, one for each pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from oracle.formats import Floats

Sizes = tuple[int, ...]
WHOLE = (
    "Add the losses of all parts and divide by the number of pairs of the whole step, or weigh each part's mean by its "
    "pairs; count pairs, not parts."
)
RANKS = (
    "Divide by the pairs of the whole step before the backward pass; where ranks are averaged afterwards, multiply by "
    "their number."
)


@dataclass(frozen=True, slots=True)
class Way:
    """key: its name. says: what comes of it. weight: of each pair of part `i`, by the sizes of the parts. cure: if its own."""

    key: str
    says: str
    weight: Callable[[Sizes, int], float]
    cure: str = ""

    def weights(self, sizes: Sizes) -> Floats:
        """One for each pair of the step, in order."""
        return np.repeat([self.weight(sizes, i) if size else 0.0 for i, size in enumerate(sizes)], sizes)


def _full(sizes: Sizes) -> list[int]:
    """The places of the parts that are not empty."""
    return [i for i, size in enumerate(sizes) if size]


MEAN = Way("", "", lambda sizes, i: 1 / sum(sizes))
"""Right."""
WAYS = (
    Way(
        "mean of the parts' means",
        "the mean of the parts' means, each part weighed alike whatever its pairs",
        lambda sizes, i: 1 / (sizes[i] * len(_full(sizes))),
    ),
    Way(
        "empty parts counted",
        "the mean of the parts' means, an empty part counted as one",
        lambda sizes, i: 1 / (sizes[i] * len(sizes)),
    ),
    Way(
        "normaliser counts empty parts",
        "the mean over the pairs times the share of the parts that are not empty",
        lambda sizes, i: len(_full(sizes)) / len(sizes) / sum(sizes),
    ),
    Way("sum of the parts' means", "the sum of the parts' means", lambda sizes, i: 1 / sizes[i]),
    Way("sum over the pairs", "the sum over all pairs, not the mean", lambda sizes, i: 1.0),
    Way("divided by the parts", "the mean divided by the number of parts", lambda sizes, i: 1 / (sum(sizes) * len(sizes))),
    Way(
        "divided by the full parts",
        "the mean divided by the number of parts that are not empty",
        lambda sizes, i: 1 / (sum(sizes) * len(_full(sizes))),
    ),
    Way("times the parts", "the mean times the number of parts", lambda sizes, i: len(sizes) / sum(sizes)),
    Way("sum over the parts", "the sum over all pairs divided by the number of parts", lambda sizes, i: 1 / len(sizes)),
    Way(
        "last part alone",
        "that of the last part alone",
        lambda sizes, i: (i == _full(sizes)[-1]) / sizes[i],
    ),
    Way(
        "last part's share alone",
        "that of the last part alone, by the pairs of the whole step: what the other parts added up is gone",
        lambda sizes, i: (i == _full(sizes)[-1]) / sum(sizes),
        "Clear the gradients once a step, before its first part: what is cleared between parts is lost.",
    ),
    Way("first part alone", "that of the first part alone", lambda sizes, i: (i == _full(sizes)[0]) / sizes[i]),
    Way(
        "largest part",
        "the sum over all pairs divided by the largest part times the number of parts",
        lambda sizes, i: 1 / (max(sizes) * len(sizes)),
    ),
    Way(
        "first part's size",
        "the sum over all pairs divided by the first part's pairs times the number of parts",
        lambda sizes, i: 1 / (sizes[_full(sizes)[0]] * len(sizes)),
    ),
    Way("over n - 1", "the sum over all pairs divided by one fewer", lambda sizes, i: 1 / max(sum(sizes) - 1, 1)),
    Way("rows for pairs", "the mean over the rows, two a pair: half of the mean", lambda sizes, i: 0.5 / sum(sizes)),
)
"""The likelier of two that give the same first."""
