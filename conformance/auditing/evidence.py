"""In which format the log-probabilities were computed, as far as the figures themselves show it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from conformance.auditing.figures import AVERAGED, LOOKED_AT, SHORT, Figure, on_grid
from oracle import Format, bfloat16, binary32

ENOUGH = 3


@dataclass(slots=True)
class Evidence:
    """Counts of log-probabilities: with all their digits or fewer, on the grid of bfloat16 or off it.

    Beyond 128 nats neighbours in bfloat16 are 1 apart, beyond 1,024 they are 8 apart: a log-probability of a response is
    then a multiple of 8, and a mean of k of them a multiple of 8 / k.
    """

    fine: int = 0
    coarse: int = 0
    short: int = 0
    short_coarse: int = 0

    def add(self, figures: Iterable[Figure | None]) -> None:
        """Count more log-probabilities."""
        for figure in figures:
            if self.fine + self.coarse + self.short >= LOOKED_AT:
                return
            if figure is None or not math.isfinite(figure.value) or abs(figure.value) < 1:
                continue
            on = on_grid(figure, AVERAGED) if figure.digits > SHORT else None
            if on is None:
                self.short += 1
                self.short_coarse += _multiple(figure.value)
            else:
                self.coarse += on
                self.fine += not on

    @property
    def format(self) -> Format | None:
        """binary32 or bfloat16 where the figures decide it; None where there are none, or too short to tell."""
        if self.fine + self.coarse:
            return bfloat16 if self.coarse > 2 * self.fine else binary32
        return bfloat16 if self.short >= ENOUGH and self.short == self.short_coarse else None


def _multiple(value: float) -> bool:
    """Whether it is a number of 8 significant bits, or half way between two."""
    steps = value / 2.0 ** (math.floor(math.log2(abs(value))) - 8)
    return abs(steps - round(steps)) < 1e-6
