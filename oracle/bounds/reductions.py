"""Acceptance intervals of means over a batch, and of their derivatives."""

from __future__ import annotations

import numpy as np

from oracle.arguments import integer, single
from oracle.ball import Enclosure
from oracle.bounds.acceptance import Acceptance, centre, largest, overflow_threshold
from oracle.bounds.conditioning import OUT
from oracle.formats import Floats, Format


def mean(each: Acceptance) -> Acceptance:
    """The acceptance interval, of shape (1,), of the mean of n >= 1 results, summed in the format in any order.

    low  = (sum of lows) / n - slack, high likewise, with slack = (((1 + u)**(n + 1) - 1) sum of |ends| + n eta) / n:
    n - 1 additions, 1 / n and the product with it (Higham, section 4.2), one rounding more where n is no number of the
    format; the product may underflow. A result that may be flushed counts as 0 in the sum of lows or highs. Where the
    sum of the positive highs, or of the negative lows, may reach the overflow threshold, so does that end, and an
    infinity is accepted. Raises OutOfRange for n = 0.
    """
    n, fmt = len(each.zero), each.fmt
    lowest, highest = each.hull()
    low, high, exact = (_total(x).divided_by(n) for x in (lowest, highest, each.exact))
    size = _mean(np.maximum(np.abs(centre(lowest)), np.abs(centre(highest))))
    slack = summation(n, fmt) * size + fmt.smallest_subnormal
    low, high = -_overflowing(-(low - slack), -lowest, fmt), _overflowing(high + slack, highest, fmt)
    near = (centre(low) < fmt.smallest_normal) & (centre(high) > -fmt.smallest_normal)
    return Acceptance(exact, low, high, np.asarray(near), fmt)


def _overflowing(high: Enclosure, ends: Enclosure, fmt: Format) -> Enclosure:
    """The upper end of a mean, or the overflow threshold where the sum of what is positive in it may reach that."""
    n = ends.size
    most = _mean(np.maximum(centre(ends), 0.0)) * (1 + summation(n, fmt))
    return largest(high, overflow_threshold(fmt, high.shape)) if most >= fmt.largest / n else high


def _mean(x: Floats) -> float:
    """Each number over n first, so that no sum overflows."""
    with np.errstate(under="ignore"):
        return float(np.sum(x / x.size))


def summation(n: int, fmt: Format) -> float:
    """(1 + u)**(n + 1) - 1: n - 1 additions, 1 / n and the product with it; n + 2 where n is no number of the format.

    Relative to the mean of the magnitudes. Raises NotAnInteger, and OutOfRange for n < 1.
    """
    n = integer("n", n, "a number of results, 1 or more", 1)
    return _growth(n + 1 + (not _held(n, fmt)), fmt)


def _growth(roundings: int, fmt: Format) -> float:
    return float(np.expm1(roundings * np.log1p(fmt.unit_roundoff))) * OUT


def _held(n: int, fmt: Format) -> bool:
    return float(fmt.round_array(n)) == n


def _total(x: Enclosure) -> Enclosure:
    total = x[:1]
    for i in range(1, x.size):
        total = total + x[i : i + 1]
    return total


def shared(each: Acceptance, n: int, beta: float = 1.0) -> Acceptance:
    """The acceptance intervals of derivatives of a mean over n pairs: each divided by n, with two roundings more.

    Three where n is no number of the format. 0 is accepted besides where the derivative, or its n-th part without
    beta > 1, may be subnormal. Raises NotAnInteger and OutOfRange, and for beta what `option_range` does.
    """
    n, beta = integer("n", n, "a number of results, 1 or more", 1), single("beta", beta, finite=True)
    eta, growth = each.fmt.smallest_subnormal, _growth(2 + (not _held(n, each.fmt)), each.fmt)
    low, high, exact = (x.divided_by(n) for x in (each.low, each.high, each.exact))
    low, high = low - abs(low) * growth - eta, high + abs(high) * growth + eta
    least = each.fmt.smallest_normal * max(1.0, abs(beta))
    near = (centre(low) < least) & (centre(high) > -least)
    return Acceptance(exact, low, high, each.zero | near, each.fmt)
