"""Acceptance intervals of means over a batch, and of their derivatives."""

from __future__ import annotations

import numpy as np

from oracle.ball import Enclosure, where
from oracle.bounds.acceptance import Acceptance, centre


def mean(each: Acceptance) -> Acceptance:
    """The acceptance interval, of shape (1,), of the mean of n results: n - 1 additions in the format and a division.

    low  = (sum of lows) / n - slack, high likewise, with slack = ((n + 1) u sum of |ends| + n eta) / n: every partial
    sum is at most the sum of the magnitudes, n - 1 additions and the product with 1 / n (two roundings) each err by at
    most u of it (Higham, section 4.2), and the division may underflow.
    """
    n, fmt = len(each.zero), each.fmt
    ends = [np.abs(centre(each.low)), np.abs(centre(each.high))]
    size = float(np.sum(np.maximum(*ends))) * (1 + 2.0**-40)
    slack = ((n + 1) * fmt.unit_roundoff * size + n * fmt.smallest_subnormal) / n
    low, high, exact = (_total(x).divided_by(n) for x in (each.low, each.high, each.exact))
    return Acceptance(exact, low - slack, high + slack, centre(low) < fmt.smallest_normal, fmt)


def _total(x: Enclosure) -> Enclosure:
    total = x[:1]
    for i in range(1, x.size):
        total = total + x[i : i + 1]
    return total


def shared(each: Acceptance, n: int) -> Acceptance:
    """The acceptance intervals of derivatives of a mean over n pairs: each divided by n, with two roundings more."""
    u, eta = each.fmt.unit_roundoff, each.fmt.smallest_subnormal
    low, high, exact = (x.divided_by(n) for x in (each.low, each.high, each.exact))
    low = where(low.head >= 0, low * (1 - 2 * u), low * (1 + 2 * u)) - eta
    high = where(high.head >= 0, high * (1 + 2 * u), high * (1 - 2 * u)) + eta
    smallest = np.minimum(np.abs(centre(low)), np.abs(centre(high)))
    return Acceptance(exact, low, high, each.zero | (smallest < each.fmt.smallest_normal), each.fmt)
