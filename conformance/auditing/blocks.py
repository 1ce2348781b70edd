"""A log in blocks of lines, each as arrays; what shows of a column's rounding is learnt first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from conformance.auditing import names
from conformance.auditing.figures import Rounding, read, value
from conformance.auditing.lines import PARTS, Lines
from conformance.auditing.ranks import WATCHED, Spread, unmoved
from conformance.auditing.reading import Cut, Entry
from conformance.auditing.spans import Mask, Span
from oracle import bfloat16
from oracle.formats import Floats

BLOCK = 8192
Watched = dict[str, tuple[NDArray[np.int64], Floats]]
METRICS = frozenset({names.MARGIN, names.CHOSEN, names.REJECTED, names.ACCURACY, names.LOGPS_CHOSEN, names.LOGPS_REJECTED})
REWARDS = (names.CHOSEN, names.REJECTED, names.MARGIN)
CAST = 1.0
"""Units of bfloat16 that a loss may be off by that is printed too shortly to show whether it was cast to it."""
LOOKED_AT, SELDOM = 256, 64
SHOWN = 0.01
"""Epochs. How finely a log tells where in an epoch a line stands."""


def blocks(entries: Iterable[Entry | Cut]) -> Iterator[list[Entry | Cut]]:
    """The entries some thousands at a time."""
    source = iter(entries)
    while block := list(islice(source, BLOCK)):
        yield block


@dataclass(slots=True)
class Columns:
    """What shows of a log's columns, block after block: how they are rounded, how they spread, where the last line stood.

    as_shown: whether the format that a column's figures show widens what they may be; where one is told, it does not.
    """

    as_shown: bool = True
    roundings: dict[tuple[str, str], Rounding] = field(default_factory=dict)
    spread: Spread = field(default_factory=Spread)
    _step: float = math.nan
    _epoch: float = math.nan

    def lines(self, entries: Sequence[Entry]) -> tuple[Lines, Watched]:
        """The next block as arrays, and the training figures as they stand."""
        for entry in some(entries):
            for name, raw in entry.figures.items():
                self.roundings.setdefault((entry.phase, _writer(name)), Rounding()).add((read(raw),))
        train = np.array([entry.phase == "train" for entry in entries])
        there = {name: np.array([name in entry.figures for entry in entries]) for name in _present(entries)}
        values = {name: np.array([value(entry.figures.get(name)) for entry in entries]) for name in there}
        nothing = np.full(len(entries), math.nan)
        steps, epochs = values.pop(names.STEP, nothing), values.pop(names.EPOCH, nothing)
        spans = {name: self._span(name, column, train) for name, column in values.items()}
        loss, absent = values.get(names.LOSS, nothing), np.zeros(len(entries), bool)
        numbers = np.array([entry.number for entry in entries], dtype=np.int64)
        lines = Lines(
            numbers=numbers,
            steps=steps,
            train=train,
            spans=spans,
            bad=~np.isfinite(loss) & there.get(names.LOSS, absent),
            unmoved=unmoved(*(spans.get(name, Span(nothing, nothing)) for name in REWARDS)),
            rooms=self._rooms({name: values.get(name, nothing)[train] for name in (*REWARDS, names.ACCURACY)}, len(entries)),
            uneven=self._uneven(steps, epochs, train),
        )
        seen = {name: train & there[name] for name in values}
        return lines, {name: (numbers[seen[name]], column[seen[name]]) for name, column in values.items()}

    def _span(self, name: str, column: Floats, train: Mask) -> Span:
        low, high = np.full(len(column), math.nan), np.full(len(column), math.nan)
        for phase, mask in (("train", train), ("eval", ~train)):
            rounding = self.roundings.get((phase, _writer(name)), Rounding())
            low[mask], high[mask] = rounding.interval(column[mask], as_shown=self.as_shown)
            if name == names.LOSS and self.as_shown and rounding.short:
                room = CAST * bfloat16.unit_roundoff * np.where(np.isfinite(column[mask]), np.abs(column[mask]), 0.0)
                low[mask], high[mask] = low[mask] - room, high[mask] + room
        return Span(low, high)

    def _rooms(self, values: dict[str, Floats], count: int) -> dict[str, Floats]:
        margin = values[names.MARGIN]
        self.spread.see(names.MARGIN, np.where(np.isnan(margin), values[names.CHOSEN] - values[names.REJECTED], margin))
        self.spread.see(names.ACCURACY, values[names.ACCURACY])
        return {name: np.full(count, self.spread.room(name)) for name in WATCHED}

    def _uneven(self, steps: Floats, epochs: Floats, train: Mask) -> Mask:
        """Training lines of several steps among which an epoch ends, as far as steps and epochs are logged."""
        uneven = np.zeros(len(steps), bool)
        step, epoch = steps[train], epochs[train]
        with np.errstate(invalid="ignore"):
            several = ~(np.diff(step, prepend=self._step if self._step == self._step else 0.0) == 1)
            before = np.append(self._epoch if self._epoch == self._epoch else SHOWN, epoch[:-1])
            uneven[train] = several & (np.floor(epoch + SHOWN) > np.floor(before - SHOWN))
        if step.size:
            self._step, self._epoch = float(step[-1]), float(epoch[-1])
        return uneven


def _present(entries: Sequence[Entry]) -> list[str]:
    return sorted({name for entry in entries for name in entry.figures})


def some(entries: Sequence[Entry]) -> Iterator[Entry]:
    """The entries whose digits are counted: the first of a block, and then one now and then."""
    yield from entries[:LOOKED_AT]
    yield from entries[LOOKED_AT::SELDOM]


def _writer(name: str) -> str:
    """Columns that one piece of code rounds alike: the loss has its own, all metrics of preference pairs another."""
    return "metrics" if name in METRICS else name


def joined(blocks: Sequence[Lines]) -> Lines:
    """The lines of all blocks, in their order."""
    present = sorted({name for block in blocks for name in block.spans})
    spans = {
        name: Span(*(np.concatenate([ends[side] for ends in (block.span(name) for block in blocks)]) for side in (0, 1)))
        for name in present
    }
    rooms = {name: np.concatenate([block.rooms[name] for block in blocks]) for name in WATCHED}
    parts = {part: np.concatenate([getattr(block, part) for block in blocks]) for part in PARTS}
    return Lines(spans=spans, rooms=rooms, **parts)
