"""Acceptance intervals of means over a batch, and of their derivatives."""

from __future__ import annotations

import numpy as np

from oracle.arguments import integer, single
from oracle.ball import Enclosure, joined
from oracle.bounds.acceptance import Acceptance, centre, largest, overflow_threshold
from oracle.bounds.conditioning import OUT
from oracle.formats import Floats, Format


def wider(fmt: Format, accumulation: Format | None) -> Format:
    """The format in which a mean adds up: the one that is declared, if it is wider than the format itself."""
    return accumulation if accumulation is not None and accumulation.precision > fmt.precision else fmt


def mean(each: Acceptance, accumulation: Format | None = None) -> Acceptance:
    """The acceptance interval, of shape (1,), of the mean of n >= 1 results, summed in the format in any order.

    accumulation: a wider format that is declared for the sum, which is then rounded into the results' own.
    low = (sum of lows) / n - slack - eta, high likewise: `_slack`, and the product with 1 / n may underflow. A result that
    may be flushed counts as 0 in the sum of lows or highs. Where the sum of the positive highs, or of the negative lows, may
    reach the overflow threshold, so does that end, and an infinity is accepted. Raises OutOfRange for n = 0.
    """
    n, fmt = len(each.zero), each.fmt
    wide = wider(fmt, accumulation)
    lowest, highest = each.hull()
    low, high, exact = (_total(x).divided_by(n) for x in (lowest, highest, each.exact))
    slack = _slack(np.maximum(np.abs(centre(lowest)), np.abs(centre(highest))), fmt, wide) + fmt.smallest_subnormal
    low, high = -_overflowing(-(low - slack), -lowest, fmt), _overflowing(high + slack, highest, fmt)
    near = (centre(low) < fmt.smallest_normal) & (centre(high) > -fmt.smallest_normal)
    return Acceptance(exact, low, high, np.asarray(near), fmt)


def _slack(sizes: Floats, fmt: Format, wide: Format) -> float:
    """What the roundings of a mean come to, of n results of at most those sizes.

    With B the mean of the k largest sizes (each over n), T that of the others, and any k from 1 to n,

        ((1 + (k - 1) u) (1 + u)**2 - 1) B + (1 + (1 + (k - 1) u) 2 (1 + n u)) (1 + u)**2 T

    bounds n - 1 additions in any order, 1 / n and the product with it; (1 + u)**3 where n is no number of the format, and a
    factor 1 + u more where the sum is made in a wider format, whose unit roundoff is then that of the additions. An
    addition errs by no more than its smaller operand, so that what is small beside the rest costs no more than itself.
    The k that gives the least is taken; a running mean, `_running`, is admitted besides.
    """
    n, u = sizes.size, wide.unit_roundoff
    with np.errstate(under="ignore"):
        shares = np.sort(sizes / n)[::-1]
        largest_k = np.cumsum(shares)
        others = np.append(np.cumsum(shares[::-1])[::-1][1:], 0.0)
        steps = np.arange(n) * u
        last = _growth(_last(n, fmt) + (wide != fmt), fmt)
        bounds = (steps + (1 + steps) * last) * largest_k + (1 + (1 + steps) * 2 * (1 + n * u)) * (1 + last) * others
        return max(float(bounds.min()) * OUT, _running_in(n, fmt, wide) * float(largest_k[-1]) * OUT)


def _running_in(n: int, fmt: Format, wide: Format) -> float:
    """`_running` in the wider format, and a rounding of the result."""
    return _running(n, fmt) if wide == fmt else (_running(n, wide) + fmt.unit_roundoff) * OUT


def _running(n: int, fmt: Format) -> float:
    """What a running mean, m + (x - m) / i, errs by of the mean of the magnitudes: n + 2 ln n + 4 roundings.

    0 beyond n = 2**(p - 4), since it stands still soon after: its step falls below half an ulp at n = 2**p.
    """
    return _growth(n + 2 * float(np.log(n)) + 4, fmt) if n <= 2 ** (fmt.precision - 4) else 0.0


def _overflowing(high: Enclosure, ends: Enclosure, fmt: Format) -> Enclosure:
    """The upper end of a mean, or the overflow threshold where the sum of what is positive in it may reach that."""
    n = ends.size
    most = _mean(np.maximum(centre(ends), 0.0)) * (1 + summation(n, fmt))
    return largest(high, overflow_threshold(fmt, high.shape)) if most >= fmt.largest / n else high


def _mean(x: Floats) -> float:
    """Each number over n first, so that no sum overflows."""
    with np.errstate(under="ignore"):
        return float(np.sum(x / x.size))


def summation(n: int, fmt: Format, accumulation: Format | None = None, *, zeros: int = 0) -> float:
    """What the mean of n numbers errs by, relative to the mean of their magnitudes: `_slack` with k = n, or `_running`.

    zeros: so many of them are 0, which to add rounds nothing. Raises NotAnInteger and OutOfRange.
    """
    n = integer("n", n, "a number of results, from 1 to 2**53", 1, 2**53)
    k = n - integer("zeros", zeros, "a number of results that are 0, fewer than n", 0, n - 1)
    wide = wider(fmt, accumulation)
    steps, last = (k - 1) * wide.unit_roundoff, _growth(_last(n, fmt) + (wide != fmt), fmt)
    return max((steps + (1 + steps) * last) * OUT, _running_in(n, fmt, wide))


def _last(n: int, fmt: Format) -> int:
    """The roundings of 1 / n and of the product with it; one more where n is no number of the format."""
    return 2 + (float(fmt.round_array(n)) != n)


def _growth(roundings: float, fmt: Format) -> float:
    return float(np.expm1(roundings * np.log1p(fmt.unit_roundoff))) * OUT


def _total(x: Enclosure) -> Enclosure:
    """The sum of the balls, shape (1,), halves added to halves."""
    while x.size > 1:
        half = x.size // 2
        halves = x[:half] + x[half : 2 * half]
        x = joined(halves, x[2 * half :]) if x.size % 2 else halves
    return x


def shared(each: Acceptance, n: int, beta: float = 1.0, accumulation: Format | None = None) -> Acceptance:
    """The acceptance intervals of derivatives of a mean over n pairs: each divided by n, with `_last` roundings more.

    As many as `_running` has where a running mean is admitted: its derivative is a product of n factors 1 - 1 / i. 0 is
    accepted besides where the derivative, or its n-th part without beta > 1, may be subnormal. Raises NotAnInteger and
    OutOfRange, and for beta what `option_range` does.
    """
    n, beta = integer("n", n, "a number of results, from 1 to 2**53", 1, 2**53), single("beta", beta, finite=True)
    wide = wider(each.fmt, accumulation)
    last = _growth(_last(n, each.fmt) + (wide != each.fmt), each.fmt)
    eta, growth = each.fmt.smallest_subnormal, max(last, _running_in(n, each.fmt, wide))
    low, high, exact = (x.divided_by(n) for x in (each.low, each.high, each.exact))
    low, high = low - abs(low) * growth - eta, high + abs(high) * growth + eta
    least = each.fmt.smallest_normal * max(1.0, abs(beta))
    near = (centre(low) < least) & (centre(high) > -least)
    return Acceptance(exact, low, high, each.zero | near, each.fmt)
