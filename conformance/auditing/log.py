"""The audit of one log, in one pass and in blocks of lines."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from conformance.auditing import names
from conformance.auditing.causes import explained
from conformance.auditing.evidence import Evidence
from conformance.auditing.figures import Rounding, read, value
from conformance.auditing.lines import CHECKS, Check, Lines, Outcome
from conformance.auditing.notices import Watch
from conformance.auditing.ranks import WATCHED, Spread, unmoved
from conformance.auditing.reading import Cut, Entry
from conformance.auditing.report import SHOWN, Cause, Checked, FileReport, Impossible, Point
from conformance.auditing.settings import Settings
from conformance.auditing.spans import Span
from oracle import Format, bfloat16, binary32
from oracle.formats import Floats

BLOCK = 8192
Kept = tuple[int, float | None, float, float, tuple[bool, ...]]
Watched = dict[str, tuple[NDArray[np.int64], Floats]]
POINTS = 1500
"""Lines of the plot that are kept, besides the impossible ones."""
METRICS = frozenset({names.MARGIN, names.CHOSEN, names.REJECTED, names.ACCURACY, names.LOGPS_CHOSEN, names.LOGPS_REJECTED})
LOGPS = (names.LOGPS_CHOSEN, names.LOGPS_REJECTED)
LOOKED_AT, SELDOM = 256, 64
KEPT = 512
"""Lines of each sort that are kept to try causes on."""


@dataclass(slots=True)
class _Tally:
    """What one format's arithmetic allows, and a number of processes: verdicts and findings, if the run was such."""

    fmt: Format
    settings: Settings
    impossible: int = 0
    consistent: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    findings: list[Impossible] = field(default_factory=list)
    kept: list[Lines] = field(default_factory=list)

    def add(self, lines: Lines) -> NDArray[np.bool_]:
        """Check a block; says which of its lines are impossible."""
        settings, shape = self.settings, self.settings.shape()
        wrong, judged = np.zeros(len(lines), bool), np.zeros(len(lines), bool)
        for check in CHECKS:
            with np.errstate(all="ignore"):  # figures may be infinite
                outcome = check.run(lines, settings, shape, self.fmt)
            self.asked[check.id] += int(np.count_nonzero(outcome.asked))
            self.broken[check.id] += int(np.count_nonzero(outcome.impossible))
            wrong |= outcome.impossible
            judged |= outcome.asked
            self._note(check, lines, outcome)
        self.impossible += int(np.count_nonzero(wrong))
        self.consistent += int(np.count_nonzero(judged & ~wrong))
        self._keep(lines, wrong)
        return wrong

    def _note(self, check: Check, lines: Lines, outcome: Outcome) -> None:
        for i in np.flatnonzero(outcome.impossible)[: max(0, SHOWN - len(self.findings))]:
            step = float(lines.steps[i])
            phase = "train" if lines.train[i] else "eval"
            at = None if math.isnan(step) else step
            self.findings.append(
                Impossible(check.id, int(lines.numbers[i]), phase, at, float(outcome.left[i]), float(outcome.right[i]))
            )

    def _keep(self, lines: Lines, wrong: NDArray[np.bool_]) -> None:
        have = sum(len(block) for block in self.kept)
        if have < 2 * KEPT:
            places = np.sort(np.concatenate([np.flatnonzero(wrong)[:KEPT], np.flatnonzero(~wrong & lines.train)[:KEPT]]))
            self.kept.append(taken(lines, places[: 2 * KEPT - have]))


def audit_log(entries: Iterable[Entry | Cut], settings: Settings, *, file: str = "", form: str = "") -> FileReport:
    """The report of a log's lines: each consistent, impossible, or not decided by any check.

    Where the format of the run is neither told nor shown, a line is impossible only if it is so in bfloat16 too; where the
    number of processes is not told, only if it is so whether the rewards are those of all or of one.
    """
    roundings: dict[tuple[str, str], Rounding] = {}
    formats = (settings.dtype,) if settings.dtype is not None else (binary32, bfloat16)
    told = (replace(settings, ranks=1), settings) if settings.ranks is None else (settings,)
    tallies = [_Tally(fmt, each) for fmt in formats for each in told]
    watch, evidence, spread = Watch(settings), Evidence(), Spread()
    cuts: list[tuple[int, str]] = []
    count, cut, points, columns = 0, 0, _Points(), set[str]()
    for block in _blocks(entries):
        found = [one for one in block if isinstance(one, Entry)]
        broken = [(one.number, one.reason) for one in block if isinstance(one, Cut)]
        cut += len(broken)
        cuts += broken[: max(0, 100 - len(cuts))]
        if not found:
            continue
        count += len(found)
        lines, watched = _lines(found, roundings, spread)
        columns.update(lines.spans)
        watch.see(watched)
        evidence.add(read(raw) for entry in _some(found) for name in LOGPS if (raw := entry.figures.get(name)) is not None)
        wrong = [tally.add(lines) for tally in tallies]
        points.add(lines, wrong)
    shown = evidence.format
    # the coarser of the formats that it may be, and of the processes what is told
    judge = len(tallies) - 1 if settings.dtype is not None or shown in {None, bfloat16} else len(told) - 1
    chosen, alone = tallies[judge], tallies[judge - len(told) + 1]
    strict = tallies[0] if shown is None else alone
    doubtful = strict.impossible - chosen.impossible
    return FileReport(
        file=file,
        form=form,
        settings=_told(settings),
        lines=count,
        consistent=chosen.consistent - doubtful,
        impossible=chosen.impossible,
        undecided=count - chosen.consistent - chosen.impossible + doubtful,
        cut=cut,
        cuts=tuple(cuts),
        checks=_checked(chosen, alone, strict, settings, columns),
        findings=tuple(chosen.findings),
        causes=_causes(chosen),
        notices=watch.notices(settings.dtype is None and shown == bfloat16),
        points=points.all(judge),
        columns=tuple(sorted(columns)),
        format=chosen.fmt.name,
    )


def _causes(tally: _Tally) -> tuple[Cause, ...]:
    if not tally.impossible or not tally.kept:
        return ()
    return explained(_joined(tally.kept), tally.settings, tally.fmt)


def _checked(chosen: _Tally, alone: _Tally, strict: _Tally, settings: Settings, columns: set[str]) -> tuple[Checked, ...]:
    """alone: as chosen, if one process trained; strict: and in the finest format that it may be."""
    found = []
    for check in CHECKS:
        needs = _needs(check, settings, columns)
        broken, by_one, finest = (tally.broken[check.id] for tally in (chosen, alone, strict))
        missing = [f"--dtype: impossible in {strict.fmt.name}, possible in {chosen.fmt.name}"] if finest > by_one else []
        if by_one > broken:
            missing.append("--ranks: impossible if 1 process trained, possible if the rewards are those of one of several")
        inequality = f"{check.left} {check.relation} {check.right}"
        told = "; ".join(missing) or needs
        found.append(
            Checked(check.id, check.statement, inequality, chosen.asked[check.id], broken, check.premise, finest - broken, told)
        )
    return tuple(found)


_COLUMNS = {
    "least": (names.LOSS,),
    "most": (names.LOSS,),
    "mean": (names.LOSS, names.MARGIN),
    "one-sided": (names.LOSS, names.ACCURACY),
    "finite": (names.LOSS, names.MARGIN),
    "difference": (names.MARGIN, names.CHOSEN, names.REJECTED),
    "share": (names.ACCURACY,),
    "sided": (names.MARGIN, names.ACCURACY),
    "counted": (names.ACCURACY,),
    "probability": (names.LOGPS_CHOSEN,),
    "odds": (names.ODDS, names.ODDS_RATIO),
}


def _needs(check: Check, settings: Settings, columns: set[str]) -> str:
    """What would have to be told, or logged, for a check to be asked; empty where it can be."""
    missing = [name for name in _COLUMNS[check.id] if name not in columns]
    if names.MARGIN in missing and {names.CHOSEN, names.REJECTED} <= columns:
        missing.remove(names.MARGIN)
    if missing:
        return "not logged: " + ", ".join(missing)
    if check.id in {"least", "most", "mean", "one-sided", "finite"} and settings.shape() is None:
        return settings.missing
    if check.id == "counted" and settings.pairs_per_line is None:
        return "--pairs-per-line"
    if check.id == "one-sided" and settings.pairs_per_line is None:
        return "--pairs-per-line: an accuracy of 0 or 1 is one of every pair only where it is printed finely enough"
    if check.id in {"mean", "one-sided", "finite"} and settings.ranks not in {None, 1}:
        return "rewards of all ranks: with --ranks above 1 the rewards may be those of one rank"
    return ""


def _told(settings: Settings) -> dict[str, str]:
    told: dict[str, object] = {"loss": settings.loss, "beta": settings.beta, "label_smoothing": settings.label_smoothing}
    told |= dict(settings.parameters)
    told |= {"pairs_per_line": settings.pairs_per_line, "accumulation": settings.accumulation, "ranks": settings.ranks}
    told |= {"dtype": settings.dtype.name if settings.dtype is not None else None}
    return {name: str(value) for name, value in told.items() if value is not None}


# -- blocks ------------------------------------------------------------------------------------------------------------


def _blocks(entries: Iterable[Entry | Cut]) -> Iterator[list[Entry | Cut]]:
    source = iter(entries)
    while block := list(islice(source, BLOCK)):
        yield block


def _lines(entries: Sequence[Entry], roundings: dict[tuple[str, str], Rounding], spread: Spread) -> tuple[Lines, Watched]:
    """The block as arrays, and the training figures as they stand; what shows of a column's rounding is learnt first."""
    present = sorted({name for entry in entries for name in entry.figures} - {names.STEP})
    train = np.array([entry.phase == "train" for entry in entries])
    for entry in _some(entries):
        for name, raw in entry.figures.items():
            roundings.setdefault((entry.phase, _writer(name)), Rounding()).add((read(raw),))
    values = {name: np.array([value(entry.figures.get(name)) for entry in entries]) for name in present}
    spans = {}
    for name, column in values.items():
        low, high = np.full(len(entries), math.nan), np.full(len(entries), math.nan)
        for phase, mask in (("train", train), ("eval", ~train)):
            rounding = roundings.get((phase, _writer(name)), Rounding())
            low[mask], high[mask] = rounding.interval(column[mask])
        spans[name] = Span(low, high)
    steps = np.array([value(entry.figures.get(names.STEP)) for entry in entries])
    nothing = np.full(len(entries), math.nan)
    loss = values.get(names.LOSS, np.zeros(len(entries)))
    bad = ~np.isfinite(loss) & np.array([names.LOSS in entry.figures for entry in entries])
    numbers = np.array([entry.number for entry in entries], dtype=np.int64)
    there = {name: train & np.array([name in entry.figures for entry in entries]) for name in present}
    watched = {name: (numbers[there[name]], column[there[name]]) for name, column in values.items()}
    rewards = names.CHOSEN, names.REJECTED, names.MARGIN
    chosen, rejected, margin = (values.get(name, nothing) for name in rewards)
    margins = np.where(np.isnan(margin), chosen - rejected, margin)
    spread.see(names.MARGIN, margins[train])
    spread.see(names.ACCURACY, values.get(names.ACCURACY, nothing)[train])
    rooms = {name: np.full(len(entries), spread.room(name)) for name in WATCHED}
    return Lines(
        numbers, steps, train, spans, bad, unmoved(*(spans.get(name, Span(nothing, nothing)) for name in rewards)), rooms
    ), watched


def _some(entries: Sequence[Entry]) -> Iterator[Entry]:
    """The entries whose digits are counted: the first of a block, and then one now and then."""
    yield from entries[:LOOKED_AT]
    yield from entries[LOOKED_AT::SELDOM]


def _writer(name: str) -> str:
    """Columns that one piece of code rounds alike: the loss has its own, all metrics of preference pairs another."""
    return "metrics" if name in METRICS else name


def taken(lines: Lines, places: NDArray[np.intp]) -> Lines:
    """The lines at those places."""
    spans = {name: Span(span.low[places], span.high[places]) for name, span in lines.spans.items()}
    rooms = {name: room[places] for name, room in lines.rooms.items()}
    bad, still = lines.bad[places], lines.unmoved[places]
    return Lines(lines.numbers[places], lines.steps[places], lines.train[places], spans, bad, still, rooms)


def _joined(blocks: Sequence[Lines]) -> Lines:
    present = sorted({name for block in blocks for name in block.spans})
    spans = {
        name: Span(*(np.concatenate([ends[side] for ends in (block.span(name) for block in blocks)]) for side in (0, 1)))
        for name in present
    }
    numbers, steps = (np.concatenate([getattr(block, part) for block in blocks]) for part in ("numbers", "steps"))
    train, bad, still = (np.concatenate([getattr(block, part) for block in blocks]) for part in ("train", "bad", "unmoved"))
    rooms = {name: np.concatenate([block.rooms[name] for block in blocks]) for name in WATCHED}
    return Lines(numbers, steps, train, spans, bad, still, rooms)


class _Points:
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
