"""An audit as one self-contained web page: verdict, cause, evidence, and the loss over the margin with what is impossible."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from conformance.auditing.report import FileReport, Point, Report
from conformance.auditing.settings import shape_of
from conformance.records.environment import suite
from conformance.reports import audit_words
from conformance.reports.html_files import digest, environment, file_text, trusted

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 760, 380, 56, 40, 12
STEPS = 160
"""Places at which the curve is drawn."""
TRACED = 400
"""So many lines are joined in their order; more would cover the figure."""
Place = Callable[[float], float]


class Mark(NamedTuple):
    """A place on an axis, and what is written there."""

    place: float
    text: str


class Dot(NamedTuple):
    """One line of the log: where it is drawn, how late it is (0 to 1), and what it says when pointed at."""

    x: float
    y: float
    late: float
    impossible: bool
    told: str


@dataclass(frozen=True, slots=True)
class Plot:
    """The loss over the mean margin: the exact curve, the region below it that no log reaches, the lines in their order."""

    region: str
    curve: str
    trace: str
    dots: tuple[Dot, ...]
    x_ticks: tuple[Mark, ...]
    y_ticks: tuple[Mark, ...]
    formula: str
    told: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    foot: int = HEIGHT - BOTTOM


def render(report: Report) -> str:
    """The page of a report."""
    text = style()
    rendered: str = (
        environment()
        .get_template("audit.html")
        .render(
            files=sections([report]),
            audit_words=audit_words,
            suite=suite(),
            style=trusted(text),
            style_digest=digest(text),
            script="",
        )
    )
    return rendered


def style() -> str:
    """The page's style, with what an audit adds."""
    return file_text("page.css") + file_text("audit.css")


def sections(reports: Sequence[Report]) -> list[tuple[FileReport, Plot | None]]:
    """What was audited, each with its figure where it has one."""
    return [(file, plot(file)) for report in reports for file in report.files]


def plot(file: FileReport) -> Plot | None:
    """The figure of one log; None where no line has both a loss and a margin, or the loss is no function of the logit."""
    shape = shape_of(file.settings)
    points = [point for point in file.points if math.isfinite(point.loss) and math.isfinite(point.margin)]
    if shape is None or not shape.curves or not points:
        return None
    left, right = _ends([point.margin for point in points], 1.0)
    z = np.linspace(left, right, STEPS)
    curve = np.minimum.reduce([one.values(z) for one in shape.curves])
    low, high = _ends([*(point.loss for point in points), float(curve.min()), float(min(curve[0], curve[-1]))], 0.2)

    def x_of(margin: float) -> float:
        return round(LEFT + (WIDTH - LEFT) * (margin - left) / (right - left), 2)

    def y_of(loss: float) -> float:
        held = min(max(loss, low), high)
        return round(TOP + (HEIGHT - BOTTOM - TOP) * (high - held) / (high - low), 2)

    drawn = list(zip(z.tolist(), curve.tolist(), strict=True))
    path = "L".join(f"{x_of(at)} {y_of(loss)}" for at, loss in drawn)
    wrong = sum(point.impossible for point in points)
    return Plot(
        region=f"M{path}L{WIDTH} {HEIGHT - BOTTOM}L{LEFT} {HEIGHT - BOTTOM}Z",
        curve="".join(_inside(drawn, high, x_of, y_of)),
        trace="M" + "L".join(f"{x_of(point.margin)} {y_of(point.loss)}" for point in points) if len(points) <= TRACED else "",
        dots=tuple(_dots(points, x_of, y_of)),
        x_ticks=tuple(Mark(x_of(at), f"{at:g}") for at in _ticks(left, right)),
        y_ticks=tuple(Mark(y_of(at), f"{at:g}") for at in _ticks(low, high)),
        formula=shape.formula,
        told=f"{len(points):,} lines are drawn, {wrong:,} of them impossible.",
    )


def _inside(drawn: Sequence[tuple[float, float]], high: float, x_of: Place, y_of: Place) -> Iterator[str]:
    """The parts of a curve that are not above the figure."""
    pen = "M"
    for at, loss in drawn:
        if loss > high:
            pen = "M"
            continue
        yield f"{pen}{x_of(at)} {y_of(loss)}"
        pen = "L"


def _dots(points: Sequence[Point], x_of: Place, y_of: Place) -> Iterator[Dot]:
    first, last = points[0].line, points[-1].line
    for point in points:
        late = (point.line - first) / (last - first) if last > first else 1.0
        at = "" if point.step is None else f", step {point.step:g}"
        told = f"line {point.line:,}{at}: margin {point.margin:.5g}, loss {point.loss:.5g}"
        yield Dot(x_of(point.margin), y_of(point.loss), round(late, 3), point.impossible, told)


def _ends(values: Sequence[float], least: float) -> tuple[float, float]:
    """The ends of an axis that holds all values, with some room."""
    low, high = min(values), max(values)
    room = max((high - low) * 0.06, least * 0.1, abs(high) * 1e-6)
    return low - room, high + room


def _ticks(low: float, high: float) -> Iterator[float]:
    """About six round numbers within an axis."""
    rough = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
    for k in range(math.ceil(low / step), math.floor(high / step) + 1):
        yield round(k * step, 12)
