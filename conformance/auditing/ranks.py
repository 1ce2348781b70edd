"""What is not known of a line while it is not known how many processes trained: the rewards may be those of one of them.

Some trainers log the loss of all processes beside the rewards and the accuracy of the first (TRL 0.11.4 does). Its pairs
are a sample of those that the loss is of, and how far such a sample strays shows in the log, from one line to the next.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from conformance.auditing import names
from conformance.auditing.spans import Span
from oracle.formats import Floats

WATCHED = (names.MARGIN, names.ACCURACY)
FEWEST = 8
"""Lines from which a spread is taken; a shorter log says nothing of other processes."""
WINDOW = 16
FINE = 1e-5
"""A reward within it of 0 is one of a model that has not moved: no printed 0.000 is."""
DEVIATIONS = 6.0
"""Standard deviations of a line's own spread by which the pairs of other processes may differ from those of the first."""


@dataclass(slots=True)
class Spread:
    """How far a quantity strays from line to line: the largest standard deviation in any window of the lines so far."""

    _largest: dict[str, float] = field(default_factory=dict)

    def see(self, name: str, column: Floats) -> None:
        """More lines of a quantity, in order. Second differences take the run's own trend out: their variance is 6 times."""
        finite = column[np.isfinite(column)]
        if finite.size < FEWEST:
            return
        squares = np.diff(finite, 2) ** 2 / 6
        window = min(WINDOW, squares.size)
        # sums, not a convolution: a window of equal figures has to give 0
        largest = float(np.sqrt(sliding_window_view(squares, window).mean(axis=1).max()))
        self._largest[name] = max(self._largest.get(name, 0.0), largest)

    def room(self, name: str) -> float:
        """By how much the mean over all processes may differ from the figure; anything where too few lines tell."""
        return DEVIATIONS * self._largest.get(name, math.inf)


def unmoved(chosen: Span, rejected: Span, margin: Span) -> NDArray[np.bool_]:
    """Where every reward that is logged is 0, finely enough: policy and reference are one model, in every process."""
    logged = chosen.known | rejected.known | margin.known
    with np.errstate(invalid="ignore"):
        zero = [~span.known | ((span.low >= -FINE) & (span.high <= FINE)) for span in (chosen, rejected, margin)]
    return logged & zero[0] & zero[1] & zero[2]
