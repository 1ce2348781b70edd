"""The acceptance interval of each of many results, and how far a result lies in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from oracle.arguments import floats
from oracle.ball import Enclosure, where
from oracle.ball import exact as point
from oracle.doubledouble import assert_ieee, power_of_two
from oracle.formats import Floats, Format

Mask = NDArray[np.bool_]


_IN_SIGHT = 900
"""Binary orders from 1, beyond which no quick comparison is made."""
_DOWN, _UP = 1 - 2.0**-50, 1 + 2.0**-50  # cover the at most three roundings of a comparison


@dataclass(frozen=True, eq=False)
class Acceptance:
    """For each of n results: the exact value, and the interval [low, high] of what correct code may return.

    zero says where 0 is accepted besides, by underflow of the result or of an intermediate.
    """

    exact: Enclosure
    low: Enclosure
    high: Enclosure
    zero: Mask
    fmt: Format

    def hull(self) -> tuple[Enclosure, Enclosure]:
        """(low, high) of the least interval that holds all that is accepted, 0 included where it is."""
        low = where(self.zero & (self.low.head > 0), 0.0, self.low)
        return low, where(self.zero & (self.high.head < 0), 0.0, self.high)

    def rho(self, got: Floats) -> Floats:
        """The error over what the bound allows on that side: at most 1 is accepted, 0 is exact; never NaN.

        A result in doubt at an end of the interval is accepted: the ends are rounded outward. An infinity is placed at
        the overflow threshold, or at the exact value where that is beyond. Infinite for a NaN, for an exact value that
        is not finite unless it is what was got, and where an end is NaN. Raises NotANumber and NotBinary64.
        """
        assert_ieee()
        got = np.atleast_1d(floats("got", got))
        if not got.size:
            return np.zeros(0)
        ratio, decided = self._quickly(got)
        doubt = np.flatnonzero(~decided)
        if doubt.size:
            ratio[doubt] = self[doubt]._carefully(got[doubt])
        return ratio

    def __getitem__(self, index: NDArray[np.intp]) -> Acceptance:
        """The intervals at those places, with what has been worked out of them."""
        part = Acceptance(self.exact[index], self.low[index], self.high[index], self.zero[index], self.fmt)
        head, tail, radius, above, below, usable = self._in_floats
        ends = ((above[0][index], above[1][index]), (below[0][index], below[1][index]))
        part.__dict__["_in_floats"] = head[index], tail[index], radius[index], *ends, usable[index]
        return part

    def _quickly(self, got: Floats) -> tuple[Floats, Mask]:
        """(rho, decided): in plain floats, decided where error and allowance are surely apart.

        got - head is exact or ends a cancellation by less than a factor of 2, so that the error is within 3u of itself.
        """
        head, tail, doubt, above, below, usable = self._in_floats
        with np.errstate(all="ignore"):
            error = (got - head) - tail
            size = np.abs(error)
            up = error > 0
            allowed, slack = np.where(up, above[0], below[0]), np.where(up, above[1], below[1])
            inside = (size + doubt) * _UP < (allowed - slack) * _DOWN
            outside = (size - doubt) * _DOWN > (allowed + slack) * _UP
            ratio = size / allowed  # below 1 where inside, above 1 where outside: they are 2**-49 apart
            clear = (inside | outside) & np.isfinite(ratio) & ((ratio >= 2.0**-1000) | (error == 0))
        ratio[self.zero & (got == 0)] = 0.0
        return ratio, usable & clear

    @cached_property
    def _in_floats(self) -> tuple[Floats, Floats, Floats, tuple[Floats, Floats], tuple[Floats, Floats], Mask]:
        """(head, tail, radius) of the exact value; (centre, radius) of high - exact and exact - low; where they are usable.

        Usable: both widths are positive, finite and known well enough to divide by, and all of these are floats exactly
        but for the tails of the widths, below 2**-53 of them. Worked out once for all the results that this interval judges.
        """
        with np.errstate(all="ignore"):
            above, below = self.high - self.exact, self.exact - self.low
            usable = np.isfinite(self.exact.head) & _surely_positive(above) & _surely_positive(below) & ~self._undecided()
            for ball in (self.exact, above, below):
                usable &= np.isfinite(ball.head) & (np.abs(ball.exponent) <= _IN_SIGHT)
            scale = _scale(self.exact)
            head, tail, radius = (part * scale for part in (self.exact.head, self.exact.tail, self.exact.radius))
            usable &= tail / scale == self.exact.tail
            widths = [(width.head * size, width.radius * size) for width, size in ((w, _scale(w)) for w in (above, below))]
        return head, tail, radius, widths[0], widths[1], usable

    def _carefully(self, got: Floats) -> Floats:
        """The ratio where nothing is taken for granted: each end is compared with the result itself."""
        at = self._placed(got)
        with np.errstate(all="ignore"):
            error, above, below = at - self.exact, self.high - self.exact, self.exact - self.low
            ratio = np.abs(_quotient(error, where(error.head > 0, above, below)))
            outside = _surely_positive(at - self.high) | _surely_positive(self.low - at)
        ratio = np.where(error.head == 0, 0.0, ratio)
        ratio = np.where(outside, np.maximum(ratio, np.nextafter(1.0, 2.0)), np.minimum(ratio, 1.0))
        ratio = np.where(self.zero & (got == 0), 0.0, ratio)
        ends = np.isnan(self.low.head) | np.isnan(self.high.head)
        ratio = np.where(np.isnan(ratio) | ends | self._undecided(), np.inf, ratio)
        same = (got == self.exact.head) | (np.isnan(got) & np.isnan(self.exact.head))
        return np.where(np.isfinite(self.exact.head), ratio, np.where(same, 0.0, np.inf))

    def _undecided(self) -> Mask:
        zero = np.zeros_like(self.exact.radius)
        doubt = Enclosure(self.exact.radius, zero, self.exact.exponent, zero) * 1024.0
        with np.errstate(invalid="ignore"):
            return _surely_positive(doubt - (self.high - self.low))

    def _placed(self, got: Floats) -> Enclosure:
        """The result as a point; an infinity where rounding begins to give it."""
        threshold = overflow_threshold(self.fmt, got.shape)
        sign = np.where(np.signbit(got), -1.0, 1.0)
        reach = self.exact * sign if np.isfinite(self.exact.head).all() else threshold
        beyond = where((reach - threshold).head > 0, reach, threshold) * sign
        return where(np.isinf(got), beyond, point(np.where(np.isinf(got), 0.0, got)))


def overflow_threshold(fmt: Format, shape: tuple[int, ...]) -> Enclosure:
    """2**emax * (2 - 2**-p), where rounding to nearest begins to give an infinity."""
    return point(np.full(shape, fmt.largest)) + 2.0 ** (fmt.emax - fmt.precision)


def largest(first: Enclosure, *others: Enclosure) -> Enclosure:
    """Elementwise the ball whose centre is largest."""
    for other in others:
        first = where((other - first).head > 0, other, first)
    return first


def _quotient(x: Enclosure, y: Enclosure) -> Floats:
    """x / y to about 50 bits, for a figure."""
    scale = np.clip(x.exponent - y.exponent, -2000, 2000).astype(np.int32)
    return np.asarray(np.ldexp(x.head / y.head, scale))


def _scale(x: Enclosure) -> Floats:
    """2**exponent of each ball that is in sight."""
    return power_of_two(np.clip(x.exponent, -_IN_SIGHT, _IN_SIGHT))


def _surely_positive(x: Enclosure) -> Mask:
    """Where the ball lies above 0; the tail is below 2**-53 of the head."""
    return np.asarray(x.head * (1 - 2.0**-50) > x.radius)


def centre(x: Enclosure) -> Floats:
    """The middle of each ball as one float64: for sizes and figures, never for a decision."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.ldexp(x.head, np.clip(x.exponent, -5000, 5000).astype(np.int32)))
