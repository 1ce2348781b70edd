"""The figure of a sweep: the worst error in ulps over the logit, for the loss and for its derivatives."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from conformance.reports.plots import new_figure, save
from conformance.reports.sweep import columns, ulps
from conformance.sweep.quantities import QUANTITIES
from conformance.sweep.report import BEND, Judgement, Report
from oracle import get_format

_BLUE, _ORANGE, _BLACK, _RED = "#0072B2", "#E69F00", "#000000", "#D55E00"
NARROW = 4.0
"""A range of |z| that spans no larger a ratio has a linear axis."""
LINEAR = 5.0
"""ulp. Up to this worst error the axis is linear."""


def plot(report: Report, path: Path) -> None:
    """Worst error over z, z < 0 on the left: a row for the loss, one for the derivatives; limits are marked.

    The suffix is the form of the file. Raises MissingMatplotlib, and OSError.
    """
    shown = columns(report)
    figure = new_figure(figsize=(11, 1.4 + 2.8 * max(1, len(shown))))
    sides = [side for side in (-1, 1) if any(bins_of(judgement, side) for _, judgement in shown)] or [1]
    grid = figure.subplots(max(1, len(shown)), len(sides), sharey="row", squeeze=False)
    for row, (name, judgement) in zip(grid, shown, strict=False):
        for axes, side in zip(row, sides, strict=True):
            _draw(axes, report, judgement, side)
        row[0].set_ylabel(f"{_brief(name)}\nworst error, ulp", fontsize=9)
    for axes, side in zip(grid[-1], sides, strict=True):
        preferred = "chosen" if side > 0 else "rejected"
        axes.set_xlabel(f"logit z (z {'>' if side > 0 else '<'} 0: the {preferred} response is preferred)", fontsize=9)
    worst = "; ".join(f"{_brief(name)} {ulps(judgement.ulp)} ulp" for name, judgement in shown)
    figure.suptitle(f"{_who(report)}: all {report.judged:,} logits judged. Worst: {worst or 'nothing'}", fontsize=11)
    save(figure, path)


def _draw(axes: Any, report: Report, judgement: Judgement, side: int) -> None:
    bins = bins_of(judgement, side)
    low, high = window(bins, farthest(report, side))
    top = height(judgement)
    inside = [(place, error) for place, error in bins if low <= place < high]
    edges = [*(max(place, low) for place, _ in inside), high]
    heights = [min(error, top) for _, error in inside]
    colour = _BLUE if judgement.quantity == "loss" else _ORANGE
    if inside and edges[-1] > edges[-2]:
        axes.stairs(heights, edges, fill=True, color=colour, linewidth=0)
        axes.stairs(heights, edges, color=colour, linewidth=1.2, baseline=None)
    axes.set_xlim(low, high)
    if high / low > NARROW:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(lambda x, _: _tick(side, x))
    else:
        axes.xaxis.set_major_formatter(lambda x, _: f"{side * x:.9g}".replace("-", "\N{MINUS SIGN}"))
    axes.set_axisbelow(True)
    if side < 0:
        axes.invert_xaxis()
    axes.grid(which="major", axis="x", color="#dddddd", linewidth=0.6)
    _limits(axes, report, top)
    beyond = [(place, error) for place, error in bins if place < low or high <= place < farthest(report, side)]
    _notes(axes, report, judgement, side, beyond)


def _limits(axes: Any, report: Report, top: float) -> None:
    """The lines that an error is read against, and the scale that holds them."""
    if top > LINEAR:
        axes.set_yscale("symlog", linthresh=1.0)
    axes.set_ylim(0, top * 1.25)
    lines = [(0.5, "correctly rounded", _BLACK), (1.0, "1 ulp", _BLACK)]
    lines += [(report.should, "SHOULD", _BLACK), (report.must, "MUST", _RED)]
    for limit, name, colour in lines:
        if limit <= top * 1.25:
            axes.axhline(limit, color=colour, linewidth=0.9, linestyle=":")
            axes.annotate(name, (0.005, limit), xycoords=("axes fraction", "data"), fontsize=7, va="bottom", color=colour)


def _notes(axes: Any, report: Report, judgement: Judgement, side: int, outside: list[tuple[float, float]]) -> None:
    """What the axes leave out, and where the result becomes subnormal."""
    low, high = axes.get_xlim() if side > 0 else axes.get_xlim()[::-1]
    told = []
    if not math.isfinite(judgement.ulp):
        told.append("infinite errors are drawn at the top")
    for name, errors in (
        ("nearer to 0", [error for place, error in outside if place < low]),
        ("farther out", [error for place, error in outside if place >= high]),
    ):
        if errors:
            told.append(f"{name}: at most {ulps(max(errors))} ulp")
    fmt = get_format(report.format)
    quantity = next(one for one in QUANTITIES if one.name == judgement.quantity)
    tiny = float(fmt.from_ordinals(quantity.subnormal_above(fmt)))
    if side > 0 and low < tiny < high:
        axes.axvline(tiny, color=_BLACK, linewidth=0.9, linestyle=(0, (1, 3)))
        flushed = f", {judgement.flushed:,} flushed to 0" if judgement.flushed else ""
        told.append(f"subnormal from z = {tiny:.6g}{flushed}")
    place, align = (0.98, "right") if side > 0 else (0.02, "left")
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2}
    axes.text(place, 0.96, "\n".join(told), transform=axes.transAxes, ha=align, va="top", fontsize=8, bbox=box)


def bins_of(judgement: Judgement, side: int) -> list[tuple[float, float]]:
    """|z| of the number nearest to 0 and the worst error of each bin of that sign, from 0 outwards."""
    found = [(float.fromhex(peak.nearest), peak.ulp) for peak in judgement.peaks]
    return sorted((abs(z), error) for z, error in found if math.copysign(1, z) == side)


def window(bins: list[tuple[float, float]], end: float) -> tuple[float, float]:
    """The part of |z| that is drawn: what was swept of the bend, or all of it where the worst error lies elsewhere."""
    low, high = (2.0**k for k in BEND)
    places = [place for place, _ in bins if place > 0]
    inside = max((error for place, error in bins if low <= place < high), default=-1.0)
    if not all(error <= inside for _, error in bins):
        low, high = min(places, default=low), math.inf
    first = max([low, *places[:1]]) if bins and bins[0][0] > 0 else low
    last = min(high, end)
    return (first, last) if last > first else (first, 2 * first)


def farthest(report: Report, side: int) -> float:
    """The largest |z| of that sign that was swept."""
    return abs(float.fromhex(report.high if side > 0 else report.low))


def height(judgement: Judgement) -> float:
    """The top of the axis: the worst error, held where it is beyond all use."""
    return min(max(judgement.ulp, 1.2), 2.0**24)


def _brief(name: str) -> str:
    return name.splitlines()[0].removesuffix(";").replace("_logps", "")


def _tick(side: int, size: float) -> str:
    """A power of two as a decimal, or as a power where it is too long."""
    if 0.1 < size < 2000:
        return f"{side * size:g}".replace("-", "\N{MINUS SIGN}")
    return f"${'-' if side < 0 else ''}2^{{{math.frexp(size)[1] - 1}}}$"


def _who(report: Report) -> str:
    framework = report.implementation.partition("-")[0]
    version = report.environment.get(framework)
    named = "" if version is None else f" {version}" if framework == report.implementation else f" ({framework} {version})"
    return f"{report.implementation}{named} in {report.format}"
