"""One line of a log as it was read, or why it could not be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from conformance.auditing.figures import Raw
from conformance.auditing.names import EPOCH, LOSS, STEP, word
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
    """The entries of one line: one for training, one for evaluation, where there is a figure besides the step.

    What is no number is not there: a dash, "n/a". Where both losses are named with their phase and the rewards are not
    (the table of a notebook), the rewards are those of the evaluation. A train_loss that stands alone is transformers' mean
    over the whole run, and no line's.
    """
    plain: dict[str, Raw] = {}
    train: dict[str, Raw] = {}
    held_out: dict[str, Raw] = {}
    told, alone = {"": plain, "train": train, "eval": held_out}, False
    for name, value in pairs:
        known = word(name)
        if known is not None and _is_figure(value):
            told[known.phase].setdefault(known.word, value)  # type: ignore[arg-type]
            alone = alone or name == "train_loss"
    if alone and (LOSS in plain or not (train.keys() | plain.keys()) - PLACES - {LOSS}):
        train.pop(LOSS, None)
    if not held_out:
        train = {**plain, **train}
    else:
        both = LOSS in train and LOSS not in plain and held_out.keys() == {LOSS}
        places = {name: value for name, value in plain.items() if name in PLACES}
        train, held_out = {**(places if both else plain), **train}, {**(plain if both else places), **held_out}
    phases = (("train", train), ("eval", held_out))
    return [Entry(line, phase, figures) for phase, figures in phases if figures.keys() - PLACES]


PLACES = frozenset({STEP, EPOCH})
"""What says where a line stands in the run, and is no figure of it."""


def _is_figure(value: object) -> bool:
    """Whether a value is a number, or a text of one."""
    if type(value) is float:
        return True
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, int | float) and not isinstance(value, bool)
