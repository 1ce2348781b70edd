"""The geometry of the page's figures: ρ clause by clause, and the worst errors of sweeps over the logit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from conformance.reports import sweep_plot, words
from conformance.reports.html_facts import ClauseShown, RunShown
from conformance.reports.sweep import columns, title, ulps
from conformance.sweep.report import Judgement, Report

STYLES = 6
"""Curves that are told apart by colour and dashes; a further one begins again."""
LEAST_RHO, MOST_RHO = 1e-3, 1e3
"""The ends of the axis of ρ; what lies beyond is drawn there."""
WIDTH, LEFT, TOP, HIGH = 760, 56, 12, 190
RIGHT = 36
"""What a slanted name may take beyond the last bar."""
APART = 12
"""Names of lines that are nearer to each other stand side by side."""
GUTTER = 16
FLOOR = 0.25
"""ulp. The foot of a logarithmic axis of errors."""


class Limit(NamedTuple):
    """A line across a figure, and where its name ends."""

    place: float
    text: str
    end: float


class Mark(NamedTuple):
    """A place on an axis, and what is written there."""

    place: float
    text: str


# -- ρ, clause by clause -----------------------------------------------------------------------------------------------


class Bar(NamedTuple):
    """The ρ of one clause."""

    x: float
    y: float
    width: float
    height: float
    clause: ClauseShown
    text: str


@dataclass(frozen=True, slots=True)
class Strip:
    """The ρ of every clause of a run that judged numbers, on a logarithmic axis; 1 is what a bound allows."""

    bars: tuple[Bar, ...]
    ticks: tuple[Mark, ...]
    chapters: tuple[Mark, ...]
    bottom: float
    told: str


def strip(run: RunShown) -> Strip | None:
    """The figure of a run; None where no clause has a ρ."""
    judged = [one for one in run.clauses if one.finding.worst is not None]
    if not judged:
        return None
    step = (WIDTH - LEFT) / len(judged)
    bars = tuple(_bar(one, LEFT + step * place, step) for place, one in enumerate(judged))
    chapters: dict[str, float] = {}
    for bar in bars:
        chapters.setdefault(bar.clause.finding.clause.partition("-")[0], bar.x)
    ticks = tuple(Mark(_rho_y(value), f"{value:g}") for value in (LEAST_RHO, 0.1, 1.0, 10.0, MOST_RHO))
    above = sum(one.finding.worst is not None and one.finding.worst.rho > 1 for one in judged)
    told = f"{len(judged)} clauses judged numbers; at {above} of them the worst error is more than the bound allows."
    return Strip(bars, ticks, tuple(Mark(x, name) for name, x in chapters.items()), TOP + HIGH, told)


def _bar(one: ClauseShown, x: float, step: float) -> Bar:
    rho = one.finding.worst.rho if one.finding.worst is not None else 0.0
    y = min(_rho_y(rho), TOP + HIGH - 2)
    return Bar(x + step * 0.1, y, step * 0.8, TOP + HIGH - y, one, f"{one.finding.clause}: ρ {words.figure(rho)}")


def _rho_y(rho: float) -> float:
    held = min(max(rho, LEAST_RHO), MOST_RHO) if not math.isnan(rho) else MOST_RHO
    share = math.log(held / LEAST_RHO) / math.log(MOST_RHO / LEAST_RHO)
    return round(TOP + HIGH * (1 - share), 2)


# -- errors over z -----------------------------------------------------------------------------------------------------


class Curve(NamedTuple):
    """The worst error of one implementation, bin by bin, as an SVG path."""

    style: int
    name: str
    path: str


class Panel(NamedTuple):
    """One sign of z."""

    left: float
    width: float
    told: str
    ticks: tuple[Mark, ...]
    curves: tuple[Curve, ...]


class Fact(NamedTuple):
    """One curve in words: who, and how bad, and where."""

    style: int
    name: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """The worst error in ulps over z of every sweep of one format, for one quantity."""

    title: str
    panels: tuple[Panel, ...]
    ticks: tuple[Mark, ...]
    limits: tuple[Limit, ...]
    bottom: float
    facts: tuple[Fact, ...]


Swept = tuple[Report, Judgement]


def figures(sweeps: Sequence[Report]) -> Iterator[Figure]:
    """A figure for each format and quantity; whoever was swept in it is drawn into the same."""
    groups: dict[tuple[str, str], list[Swept]] = {}
    for report in sweeps:
        for name, judgement in columns(report):
            groups.setdefault((report.format, name), []).append((report, judgement))
    for (fmt, quantity), swept in groups.items():
        yield _figure(f"{quantity} in {fmt}", swept)


def _figure(name: str, swept: Sequence[Swept]) -> Figure:
    top = max(sweep_plot.height(judgement) for _, judgement in swept) * 1.1
    sides = [side for side in (-1, 1) if any(sweep_plot.bins_of(judgement, side) for _, judgement in swept)]
    width = (WIDTH - LEFT - GUTTER * (len(sides) - 1)) / max(1, len(sides))
    panels = tuple(_panel(swept, side, LEFT + (width + GUTTER) * place, width, top) for place, side in enumerate(sides))
    must, should = swept[0][0].must, swept[0][0].should
    limits = [(0.5, "correctly rounded"), (should, f"SHOULD {should:g}"), (must, f"MUST {must:g}")]
    marks = [Mark(_ulp_y(value, top), text) for value, text in limits if value <= top]
    facts = tuple(_fact(place % STYLES, report, judgement) for place, (report, judgement) in enumerate(swept))
    return Figure(name, panels, tuple(_ulp_ticks(top)), tuple(_limits(marks)), TOP + HIGH, facts)


def _limits(marks: Sequence[Mark]) -> Iterator[Limit]:
    """Each line with its name on the right, or beside the name of the line below where they would cover each other."""
    below, end = math.inf, float(WIDTH)
    for mark in marks:
        end = end - 8 * len(mark.text) if below - mark.place < APART else WIDTH
        below = mark.place
        yield Limit(mark.place, mark.text, end - 2)


def _panel(swept: Sequence[Swept], side: int, left: float, width: float, top: float) -> Panel:
    found = [(place, report, sweep_plot.bins_of(one, side)) for place, (report, one) in enumerate(swept)]
    found = [(place, report, bins) for place, report, bins in found if bins]
    ends = [sweep_plot.window(bins, sweep_plot.farthest(report, side)) for _, report, bins in found]
    low, high = min(first for first, _ in ends), max(last for _, last in ends)
    axis = _Axis(left, width, side, low, high)
    paths = [_path(axis, bins, sweep_plot.farthest(report, side), top) for _, report, bins in found]
    drawn = [Curve(found[i][0] % STYLES, found[i][1].implementation, path) for i, path in enumerate(paths)]
    preferred = "z > 0: the chosen response is preferred" if side > 0 else "z < 0: the rejected response is preferred"
    return Panel(left, width, preferred, tuple(axis.ticks()), tuple(drawn))


def _path(axis: _Axis, bins: Sequence[tuple[float, float]], end: float, top: float) -> str:
    """Steps: each bin's worst error from its own first logit to the next bin's."""
    inside = [(place, error) for place, error in bins if place < axis.high]
    places = [max(place, axis.low) for place, _ in inside] + [max(min(end, axis.high), axis.low)]
    steps = [(ends, error) for ends, (_, error) in zip(pairwise(places), inside, strict=True) if ends[1] > ends[0]]
    parts = [f"{axis.x(a)} {_ulp_y(error, top)}L{axis.x(b)} {_ulp_y(error, top)}" for (a, b), error in steps]
    return f"M{'L'.join(parts)}" if parts else ""


class _Axis(NamedTuple):
    """|z| on a panel: logarithmic unless its ends are near each other; z = 0 is on the right where z < 0."""

    left: float
    width: float
    side: int
    low: float
    high: float

    @property
    def linear(self) -> bool:
        """True where the ends span no large ratio."""
        return self.low <= 0 or self.high / self.low <= sweep_plot.NARROW

    def x(self, size: float) -> float:
        """Where |z| = size lies, held between the ends."""
        held = min(max(size, self.low), self.high)
        if self.linear:
            share = (held - self.low) / (self.high - self.low)
        else:
            share = math.log(held / self.low) / math.log(self.high / self.low)
        return round(self.left + self.width * (share if self.side > 0 else 1 - share), 2)

    def ticks(self) -> Iterator[Mark]:
        """Powers of two, at most six; the ends and the middle of a linear axis."""
        if self.linear:
            for size in (self.low, (self.low + self.high) / 2, self.high):
                yield Mark(self.x(size), _minus(f"{self.side * size:.6g}"))
            return
        first, last = math.ceil(math.log2(self.low)), math.floor(math.log2(self.high))
        step = max(1, math.ceil((last - first + 1) / 6))
        for k in range(first, last + 1):
            if k % step == 0:
                text = f"{2.0**k:g}" if -5 < k < 11 else f"2^{k}"
                yield Mark(self.x(2.0**k), ("\N{MINUS SIGN}" if self.side < 0 else "") + _minus(text))


def _ulp_y(error: float, top: float) -> float:
    held = min(max(error, 0.0), top)
    share = held / top if top <= sweep_plot.LINEAR else math.log(max(held, FLOOR) / FLOOR) / math.log(top / FLOOR)
    return round(TOP + HIGH * (1 - share), 2)


def _ulp_ticks(top: float) -> Iterator[Mark]:
    if top <= sweep_plot.LINEAR:
        values = [0.0, *(i / 2 for i in range(1, math.floor(top * 2) + 1))]
        for value in values:
            yield Mark(_ulp_y(value, top), f"{value:g}")
        return
    last = math.floor(math.log2(top))
    step = max(1, math.ceil((last + 1) / 5))
    yield Mark(_ulp_y(FLOOR, top), f"≤ {FLOOR:g}")
    for k in range(0, last + 1, step):
        yield Mark(_ulp_y(2.0**k, top), f"{2**k}" if k < 14 else f"2^{k}")


def _fact(style: int, report: Report, judgement: Judgement) -> Fact:
    """Verdict, grade, worst error, where, and how many logits were judged."""
    at = words.decimal(judgement.worst[0].z) if judgement.worst else ""
    cells = (str(judgement.verdict), judgement.grade, ulps(judgement.ulp), at, f"{judgement.judged:,}")
    return Fact(style, title(report), cells)


def _minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")
