"""What each of many numbers may be: from the least to the largest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from oracle.formats import Floats

Mask = NDArray[np.bool_]


class Span(NamedTuple):
    """The least and the largest that each of n numbers may be; NaN where a line does not have it."""

    low: Floats
    high: Floats

    @property
    def known(self) -> Mask:
        """Where the line has the quantity, as a finite number or an infinity."""
        return ~np.isnan(self.low)

    def wider(self, by: Floats | float) -> Span:
        """The same with room on either side."""
        return Span(self.low - by, self.high + by)
