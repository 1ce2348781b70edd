"""What a log shows that proves nothing by itself: what came first when it went wrong, and what no longer moves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from conformance.auditing import names
from conformance.auditing.report import Notice
from conformance.auditing.settings import Settings
from oracle.formats import Floats

STUCK = 5
"""Lines in a row with the same figures."""
_WATCHED = (
    names.LOSS,
    names.MARGIN,
    names.CHOSEN,
    names.REJECTED,
    names.LOGPS_CHOSEN,
    names.LOGPS_REJECTED,
    names.NORM,
    names.KL,
)
LN2 = math.log(2)


@dataclass(slots=True)
class Watch:
    """Looks at the training lines block by block, in order, and remembers little."""

    settings: Settings
    first_bad: dict[str, tuple[int, str]] = field(default_factory=dict)
    _last: dict[str, tuple[float, int, int]] = field(default_factory=dict)
    _longest: dict[str, tuple[int, int, float]] = field(default_factory=dict)
    _start: tuple[int, float] | None = None
    _without: int = 0
    _first_without: int | None = None

    def see(self, columns: Mapping[str, tuple[NDArray[np.int64], Floats]]) -> None:
        """More training lines: for each quantity the numbers of the lines that have it, and the figures."""
        rewarded = [columns[name][0] for name in (names.MARGIN, names.CHOSEN) if name in columns]
        without = np.setdiff1d(rewarded[0], columns.get(names.LOSS, (np.zeros(0, np.int64),))[0]) if rewarded else rewarded
        if len(without):
            self._without += len(without)
            self._first_without = int(without[0]) if self._first_without is None else self._first_without
        for name in _WATCHED:
            numbers, column = columns.get(name, (np.zeros(0, np.int64), np.zeros(0)))
            if not column.size:
                continue
            bad = np.flatnonzero(~np.isfinite(column))
            if bad.size:
                self.first_bad.setdefault(name, (int(numbers[bad[0]]), str(float(column[bad[0]]))))
            self._same(name, column, numbers)
            if name == names.LOSS and self._start is None:
                self._start = int(numbers[0]), float(column[0])

    def _same(self, name: str, column: Floats, numbers: NDArray[np.int64]) -> None:
        """The longest run of equal figures, which may have begun in the block before."""
        starts = np.concatenate([[0], np.flatnonzero(column[1:] != column[:-1]) + 1])
        lengths = np.diff(np.append(starts, column.size))
        was = self._last.get(name)
        for place, length in zip(starts[[0, -1]].tolist(), lengths[[0, -1]].tolist(), strict=True):
            goes_on = place == 0 and was is not None and was[0] == column[0]
            since, lasts = (was[1], was[2] + length) if goes_on and was is not None else (int(numbers[place]), length)
            self._keep(name, since, lasts, float(column[place]))
            self._last[name] = float(column[place]), since, lasts
        best = int(np.argmax(lengths))
        self._keep(name, int(numbers[starts[best]]), int(lengths[best]), float(column[starts[best]]))

    def _keep(self, name: str, since: int, length: int, value: float) -> None:
        if length > self._longest.get(name, (0, 0, 0.0))[1]:
            self._longest[name] = since, length, value

    def notices(self, coarse: bool) -> tuple[Notice, ...]:
        """What was seen. coarse: the log-probabilities lie on the grid of bfloat16."""
        return (*self._bad(), *self._absent(), *self._stuck(), *self._started(), *self._coarse(coarse))

    def _bad(self) -> Iterable[Notice]:
        if not self.first_bad:
            return
        order = sorted(self.first_bad.items(), key=lambda item: (item[1][0], _WATCHED.index(item[0])))
        first = order[0][1][0]
        together = ", ".join(f"{name} {value}" for name, (line, value) in order if line == first)
        later = "; ".join(f"{name} {value} at line {line}" for name, (line, value) in order if line != first)
        yield Notice("not finite", f"first at line {first}: {together}" + (f"; then {later}" if later else ""), first)

    def _absent(self) -> Iterable[Notice]:
        if self._start is not None and self._first_without is not None:
            lines = f"{self._without:,} training lines with rewards, the first {self._first_without}"
            yield Notice(
                "no loss", f"no loss on {lines}: some writers drop NaN and infinity, or write null", self._first_without
            )

    def _stuck(self) -> Iterable[Notice]:
        for name, (since, count, value) in self._longest.items():
            if count < STUCK or name == names.KL:
                continue
            if name == names.LOSS and abs(value - LN2) < 1e-4:
                text = f"the loss is ln 2 for {count:,} lines: nothing is learned, or policy and reference are one model"
            else:
                text = f"the {name} is {value:g} for {count:,} lines: nothing moves it"
            yield Notice("stuck", text, since)

    def _started(self) -> Iterable[Notice]:
        if self._start is None or not math.isfinite(self._start[1]) or self._start[1] <= 0:
            return
        line, loss = self._start
        for count, what in ((self.settings.accumulation, "accumulation steps"), (self.settings.ranks, "ranks")):
            if count is not None and count > 1:
                for value, how in ((count * LN2, "multiplied in"), (LN2 / count, "divided out twice")):
                    if abs(loss / value - 1) < 2e-2:
                        yield Notice("start", f"the first loss, {loss:g}, is ln 2 with the {count} {what} {how}", line)
                        return

    def _coarse(self, coarse: bool) -> Iterable[Notice]:
        if coarse:
            grid = "the log-probabilities lie on the grid of bfloat16 (beyond 1,024 nats multiples of 8)"
            yield Notice("bfloat16", f"{grid}: their last digits are lost")
