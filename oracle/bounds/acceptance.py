"""The acceptance interval of each of many results, and how far a result lies in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oracle.ball import Enclosure, where
from oracle.ball import exact as point
from oracle.formats import Floats, Format

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Acceptance:
    """For each of n results: the exact value, and the interval [low, high] of what correct code may return.

    zero says where 0 is accepted besides, by underflow of the result or of an intermediate.
    """

    exact: Enclosure
    low: Enclosure
    high: Enclosure
    zero: Mask
    fmt: Format

    def rho(self, got: Floats) -> Floats:
        """The error over what the bound allows on that side: at most 1 is accepted, 0 is exact. Infinite for a NaN.

        A result in doubt at an end of the interval is accepted: the ends are rounded outward. An infinity is placed at
        the overflow threshold, and so is a bound beyond it.
        """
        at = point(self._placed(got))
        error, room_above, room_below = at - self.exact, self.high - self.exact, self.exact - self.low
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratio = np.abs(_quotient(error, where(error.head > 0, room_above, room_below)))
        outside = _surely_positive(at - self.high) | _surely_positive(self.low - at)
        ratio = np.where(error.head == 0, 0.0, ratio)
        ratio = np.where(outside, np.maximum(ratio, np.nextafter(1.0, 2.0)), np.minimum(ratio, 1.0))
        ratio = np.where(self.zero & (got == 0), 0.0, ratio)
        return np.where(np.isnan(got), np.inf, ratio)

    def _placed(self, got: Floats) -> Floats:
        threshold = float(self.fmt.overflow_threshold) if self.fmt.width < 64 else np.finfo(np.float64).max
        return np.where(np.isinf(got), np.copysign(threshold, got), got)


def _quotient(x: Enclosure, y: Enclosure) -> Floats:
    """x / y to about 50 bits, for a figure."""
    scale = np.clip(x.exponent - y.exponent, -2000, 2000).astype(np.int32)
    return np.asarray(np.ldexp(x.head / y.head, scale))


def _surely_positive(x: Enclosure) -> Mask:
    return np.asarray(x.head > x.radius)


def centre(x: Enclosure) -> Floats:
    """The middle of each ball as one float64: for sizes and figures, never for a decision."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.ldexp(x.head, np.clip(x.exponent, -5000, 5000).astype(np.int32)))
