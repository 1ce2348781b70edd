"""What a sweep found of one quantity: counts, worst inputs and worst errors over z. It merges in any order to the same."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

EDGES = (0.125, 0.25, 0.375, 0.5, *(2.0**k for k in range(25)), sys.float_info.max)
"""ulp. The histogram counts errors up to the first, then in (EDGES[i], EDGES[i + 1]], then above the last: infinite ones."""
KEPT = 10
"""How many of the worst inputs are kept."""


@dataclass(frozen=True, slots=True)
class Point:
    """One judged number: its error in ulps, rounded up; the logit's sign and magnitude as an ordinal; what was got."""

    error: float
    negative: bool
    magnitude: int
    got: float

    @property
    def rank(self) -> tuple[float, int, bool]:
        """Smaller is worse: the larger error, then the logit nearer to 0, then the positive one."""
        return -self.error, self.magnitude, self.negative


@dataclass(slots=True)
class Found:
    """Counts of what was judged of one quantity.

    wrong: not correctly rounded, flushed ones included. flushed: 0 where the exact value lies below the smallest normal
    and does not round to 0; it counts as no error. not_finite: NaN or an infinity. over_must, over_should: errors above
    those limits. histogram: by EDGES, flushed ones left out. escalated: how many the float64 tier left to
    double-double, and how many that left to `Real`. worst: the worst inputs, the worst first,
    none without error. peaks: the worst error of
    each bin of z, by the bin's number, ~number for a negative z.
    """

    judged: int = 0
    wrong: int = 0
    flushed: int = 0
    not_finite: int = 0
    over_must: int = 0
    over_should: int = 0
    escalated: tuple[int, int] = (0, 0)
    histogram: list[int] = field(default_factory=lambda: [0] * (len(EDGES) + 1))
    worst: list[Point] = field(default_factory=list)
    peaks: dict[int, float] = field(default_factory=dict)

    def merge(self, other: Found) -> None:
        """Add all that another saw elsewhere."""
        for name in ("judged", "wrong", "flushed", "not_finite", "over_must", "over_should"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.escalated = self.escalated[0] + other.escalated[0], self.escalated[1] + other.escalated[1]
        self.histogram = [mine + its for mine, its in zip(self.histogram, other.histogram, strict=True)]
        self.keep(other.worst)
        self.raise_peaks(other.peaks)

    def keep(self, points: Iterable[Point]) -> None:
        """Take the worst of these points among the worst."""
        self.worst = sorted([*self.worst, *points], key=lambda point: point.rank)[:KEPT]

    def raise_peaks(self, peaks: Mapping[int, float]) -> None:
        """Take over each bin's error where it is worse."""
        for number, error in peaks.items():
            self.peaks[number] = max(error, self.peaks.get(number, 0.0))

    @property
    def threshold(self) -> float:
        """What an error at a logit farther from 0 must exceed to be among the worst."""
        return self.worst[-1].error if len(self.worst) == KEPT else 0.0

    def plain(self) -> dict[str, Any]:
        """As JSON's own types; floats are hexadecimal."""
        return {
            "judged": self.judged,
            "wrong": self.wrong,
            "flushed": self.flushed,
            "not_finite": self.not_finite,
            "over_must": self.over_must,
            "over_should": self.over_should,
            "escalated": list(self.escalated),
            "histogram": self.histogram,
            "worst": [[p.error.hex(), p.negative, p.magnitude, p.got.hex()] for p in self.worst],
            "peaks": [[number, self.peaks[number].hex()] for number in sorted(self.peaks)],
        }


def found_from(data: Mapping[str, Any]) -> Found:
    """What JSON's own types describe."""
    rest = {name: value for name, value in data.items() if name not in {"escalated", "worst", "peaks"}}
    up, further = data["escalated"]
    return Found(
        **rest,
        escalated=(up, further),
        worst=[Point(float.fromhex(e), negative, m, float.fromhex(got)) for e, negative, m, got in data["worst"]],
        peaks={number: float.fromhex(error) for number, error in data["peaks"]},
    )
