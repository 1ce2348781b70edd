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
    what these allow. breach: the worst of those above the MUST, its error being rho. histogram: by EDGES, flushed ones left
    out. escalated: how many the float64 tier left to double-double, and how many that left to `Real`. worst: the worst
    inputs, the worst first, none without error. peaks: the worst error of each bin of z, by the bin's number, ~number for
    a negative z.
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
    breach: Point | None = None
    peaks: dict[int, float] = field(default_factory=dict)

    def merge(self, other: Found) -> None:
        """Add all that another saw elsewhere."""
        for name in ("judged", "wrong", "flushed", "not_finite", "over_must", "over_should"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.escalated = self.escalated[0] + other.escalated[0], self.escalated[1] + other.escalated[1]
        self.histogram = [mine + its for mine, its in zip(self.histogram, other.histogram, strict=True)]
        self.keep(other.worst)
        self.keep_breach(other.breach)
        self.raise_peaks(other.peaks)

    def keep(self, points: Iterable[Point]) -> None:
        """Take the worst of these points among the worst."""
        self.worst = sorted([*self.worst, *points], key=lambda point: point.rank)[:KEPT]

    def keep_breach(self, point: Point | None) -> None:
        """Take that point, whose error is rho, where it is worse than the breach."""
        self.breach = min((p for p in (self.breach, point) if p is not None), key=lambda p: p.rank, default=None)

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
            "worst": [_listed(p) for p in self.worst],
            "breach": self.breach and _listed(self.breach),
            "peaks": [[number, self.peaks[number].hex()] for number in sorted(self.peaks)],
        }


def _listed(point: Point) -> list[Any]:
    return [point.error.hex(), point.negative, point.magnitude, point.got.hex()]


def _point(error: str, negative: bool, magnitude: int, got: str) -> Point:
    return Point(float.fromhex(error), negative, magnitude, float.fromhex(got))


def found_from(data: Mapping[str, Any]) -> Found:
    """What JSON's own types describe."""
    rest = {name: value for name, value in data.items() if name not in {"escalated", "worst", "breach", "peaks"}}
    up, further = data["escalated"]
    return Found(
        **rest,
        escalated=(up, further),
        worst=[_point(*point) for point in data["worst"]],
        breach=_point(*data["breach"]) if data["breach"] else None,
        peaks={number: float.fromhex(error) for number, error in data["peaks"]},
    )
