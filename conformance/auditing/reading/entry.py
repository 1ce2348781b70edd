"""One line of a log as it was read, or why it could not be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from conformance.auditing.figures import Raw
from conformance.auditing.names import STEP, word
from conformance.errors import ConformanceError


class NotALog(ConformanceError):
    """The file cannot be read as a log or as tensors: empty, of no known form, hostile, or without its reader installed."""


class Entry(NamedTuple):
    """The quantities of one line, by our words. number: of the line, row or entry, from 1. phase: "train" or "eval"."""

    number: int
    phase: str
    figures: dict[str, Raw]


class Cut(NamedTuple):
    """A line that could not be read, and why."""

    number: int
    reason: str


def split(line: int, pairs: Iterable[tuple[str, object]]) -> list[Entry]:
    """The entries of one line: one for training, one for evaluation, where there is a figure besides the step."""
    train: dict[str, Raw] = {}
    held_out: dict[str, Raw] = {}
    for name, value in pairs:
        known = word(name)
        if known is not None and isinstance(value, str | float | int) and value != "":
            (train if known[0] == "train" else held_out).setdefault(known[1], value)
    both = (("train", train), ("eval", held_out))
    return [Entry(line, phase, figures) for phase, figures in both if len(figures) > (STEP in figures)]
