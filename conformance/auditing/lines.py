"""Log lines as arrays: what each printed quantity may be, line by line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conformance.auditing.settings import Settings
from conformance.auditing.spans import Mask, Span
from oracle.formats import Floats

PARTS = ("numbers", "steps", "train", "bad", "unmoved", "uneven")
"""What lines have besides the spans of their quantities and their rooms."""


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """n lines: their numbers in the file, their steps, which are of training, and a span for every quantity.

    bad: where the loss was printed as NaN or an infinity. unmoved: where every reward was printed as 0. rooms: by how much
    the mean of a quantity over all processes may differ from the figure, which may be that of one of them. uneven: lines of
    several steps across the end of an epoch, whose last step may be of fewer micro-batches.
    """

    numbers: NDArray[np.int64]
    steps: Floats
    train: Mask
    spans: Mapping[str, Span]
    bad: Mask
    unmoved: Mask
    rooms: Mapping[str, Floats]
    uneven: Mask

    def __len__(self) -> int:
        return len(self.numbers)

    def span(self, name: str) -> Span:
        """The quantity's span; unknown everywhere where no line has it."""
        nothing = np.full(len(self), math.nan)
        return self.spans.get(name, Span(nothing, nothing))

    def room(self, name: str, settings: Settings) -> Floats:
        """What a figure that may be of one process is short of that of all: 0 where one trains, and where none has moved."""
        nothing = np.zeros(len(self))
        return nothing if settings.ranks == 1 else np.where(self.unmoved, 0.0, self.rooms.get(name, nothing))


def taken(lines: Lines, places: NDArray[np.intp]) -> Lines:
    """The lines at those places."""
    spans = {name: Span(span.low[places], span.high[places]) for name, span in lines.spans.items()}
    rooms = {name: room[places] for name, room in lines.rooms.items()}
    return Lines(spans=spans, rooms=rooms, **{part: getattr(lines, part)[places] for part in PARTS})
