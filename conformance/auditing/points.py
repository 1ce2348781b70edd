"""The lines of a log that its plot shows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from conformance.auditing import names
from conformance.auditing.lines import Lines
from conformance.auditing.report import Point

Kept = tuple[int, float | None, float, float, tuple[bool, ...]]
POINTS = 1500
"""Lines of the plot that are kept, besides the impossible ones."""


class Points:
    """Lines for the plot: all while they are few, then every second, fourth, ... of them; impossible ones apart."""

    def __init__(self) -> None:
        self._points: list[Kept] = []
        self._impossible: list[Kept] = []
        self._every, self._seen = 1, 0

    def add(self, lines: Lines, wrong: Sequence[NDArray[np.bool_]]) -> None:
        """Keep some of a block's training lines; wrong: by each format's arithmetic, the strictest first."""
        loss, margin = lines.span(names.LOSS), lines.span(names.MARGIN)
        for i in np.flatnonzero(np.isfinite(loss.low) & np.isfinite(margin.low) & lines.train):
            middle = [float(span.low[i] + span.high[i]) / 2 for span in (margin, loss)]
            step = None if math.isnan(lines.steps[i]) else float(lines.steps[i])
            kept = int(lines.numbers[i]), step, middle[0], middle[1], tuple(bool(mask[i]) for mask in wrong)
            if wrong[0][i] and len(self._impossible) < POINTS:
                self._impossible.append(kept)
            elif self._seen % self._every == 0:
                self._points.append(kept)
            self._seen += 1
        while len(self._points) > POINTS:
            self._points, self._every = self._points[::2], self._every * 2

    def all(self, judge: int) -> tuple[Point, ...]:
        """What was kept, in the order of the lines; impossible as one of the formats' arithmetic says."""
        kept = sorted((*self._points, *self._impossible), key=lambda point: point[0])
        return tuple(Point(line, step, margin, loss, wrong[judge]) for line, step, margin, loss, wrong in kept)
