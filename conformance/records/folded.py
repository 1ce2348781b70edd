"""A batch that repeats its pairs, written once: in turn, or one pair so often after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, repeat
from typing import Any

Inputs = Mapping[str, Sequence[str]]
WHOLE = 16
"""A batch of so many pairs or fewer is written as it is."""


@dataclass(frozen=True, slots=True)
class Folded:
    """Fewer pairs that stand for a batch.

    pairs: how many there are, those given being repeated in turn; 0: as many as are given, or as `times` has them.
    times: how often each of those given stands there, one after the other; empty where each stands there once.
    """

    inputs: Inputs
    pairs: int = 0
    times: tuple[int, ...] = ()

    def plain(self) -> dict[str, Any]:
        """In JSON's own types, without what is 0 or empty."""
        inputs = {name: list(given) for name, given in self.inputs.items()}
        told: dict[str, Any] = {"inputs": inputs, "pairs": self.pairs, "times": list(self.times)}
        return {name: value for name, value in told.items() if value}

    @property
    def whole(self) -> dict[str, tuple[str, ...]]:
        """Every pair of the batch."""
        if self.times:
            return {name: tuple(chain(*map(repeat, given, self.times))) for name, given in self.inputs.items()}
        if not self.pairs:
            return {name: tuple(given) for name, given in self.inputs.items()}
        return {name: tuple(given[i % len(given)] for i in range(self.pairs)) for name, given in self.inputs.items()}


def folded(inputs: Inputs) -> Folded:
    """The batch in the fewest pairs of the two ways to repeat them; as it is where neither halves it, and where it is small."""
    pairs = list(zip(*inputs.values(), strict=True))
    if len(pairs) <= WHOLE:
        return Folded(inputs)
    period = _period(pairs)
    runs = [(pair, len(list(alike))) for pair, alike in groupby(pairs)]
    if min(period, len(runs)) > len(pairs) // 2:
        return Folded(inputs)
    if period <= len(runs):
        return Folded({name: given[:period] for name, given in inputs.items()}, pairs=len(pairs))
    columns = zip(*(pair for pair, _ in runs), strict=True)
    return Folded(dict(zip(inputs, columns, strict=True)), times=tuple(n for _, n in runs))


def _period(pairs: Sequence[object]) -> int:
    """The least number after which they repeat, the last time perhaps in part; all of them where they never do.

    By the longest proper prefix that is a suffix (Knuth, Morris and Pratt 1977).
    """
    borders = [0] * len(pairs)
    for place in range(1, len(pairs)):
        length = borders[place - 1]
        while length and pairs[place] != pairs[length]:
            length = borders[length - 1]
        borders[place] = length + (pairs[place] == pairs[length])
    return len(pairs) - borders[-1]
