"""log1p(exp(-t)) and 1/(1 + exp(t)) for t in [0, 2**14], to a relative error below 2**-71, over float64 blocks.

Plain double-double inputs and outputs, no ball; `oracle.enclosure` adds the radii. Every line that rounds is accounted
for, under the same name, in docs/enclosures.md, section "The kernel". Method: table-driven reduction after Tang, ACM
TOMS 15(2) (1989) and 16(4) (1990), with heads short enough that the leading products are exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oracle.doubledouble import Floats, Integers, Pair, clear_low_bits, fast_two_sum, power_of_two, two_sum
from oracle.tables import STEPS, tables

LARGEST_T = 2.0**14
RELATIVE_ERROR = 2.0**-71  # of both functions; 2**-72.2 and 2**-72.7 are proved: docs/enclosures.md
DEEPEST = 120  # below y = 2**-120 both functions are y itself to 2**-120, so only the exponent moves on

_STEPS_PER_UNIT = 1477.3197218702985  # 1024/ln 2, rounded
_GRID = 1.5 * 2.0**14  # adding and subtracting it rounds to a multiple of 2**-38


class Values(NamedTuple):
    """softplus(-t) = f * 2**exponent, sigma(-t) = s * 2**exponent, and y = exp(-t) * 2**-exponent to 53 bits."""

    f: Pair
    s: Pair
    y: Floats
    exponent: Integers


def exponential(t: Pair) -> tuple[Pair, Integers]:
    """exp(-t) = (head + tail) * 2**-k with relative error below 2**-73.5, for t in [0, 2**14]; k >= 0, head <= 2."""
    table = tables()
    first, second, third = table.log_step
    n = np.rint(t[0] * _STEPS_PER_UNIT)
    r_head, r_error = two_sum(t[0] - n * first, -(n * second))
    r_low = r_error + (t[1] - n * third)
    r1 = (r_head + _GRID) - _GRID
    r2 = (r_head - r1) + r_low
    r = r1 + r2
    p = (r * r) * (0.5 - r * (1 / 6 - r * (1 / 24 - r * (1 / 120))))  # exp(-r) - 1 + r
    q = p - r2
    steps = -n.astype(np.int64)
    j = steps & np.int64(STEPS - 1)
    head, tail = table.power_head[j], table.power_tail[j]
    leading, error = fast_two_sum(head, -(head * r1))
    low = (head * q + tail * (1.0 + (q - r1))) + error
    return fast_two_sum(leading, low), -(steps >> np.int64(10))


def evaluate(t: Pair) -> Values:
    """softplus(-t) and sigma(-t) with relative error below 2**-71 each, for t in [0, 2**14] given as head + tail."""
    table = tables()
    (y, y_tail), k = exponential(t)
    depth = np.minimum(k, np.int64(DEEPEST))
    scale = power_of_two(-depth)
    y, y_tail = y * scale, y_tail * scale
    # R(1 + y) = 1 + w, with R y = x + x_low and w = w1 + w2
    i = np.rint(y * float(STEPS)).astype(np.int64)
    reciprocal = table.reciprocal[i]
    y1 = clear_low_bits(y, 12)
    x = reciprocal * y1
    x_low = reciprocal * ((y - y1) + y_tail)
    w_head = (reciprocal - 1.0) + x
    w1 = clear_low_bits(w_head, 27)
    w2 = (w_head - w1) + x_low
    w = w1 + w2
    square = w1 * w1  # exact
    crossed = w2 * (w1 + w)  # w² = square + crossed
    cube = (w * w) * w
    # log1p(y) = -ln R + w - w²/2 + cubic
    cubic = cube * (1 / 3 - w * (1 / 4 - w * (1 / 5 - w * (1 / 6 - w * (1 / 7)))))
    f, f_error = fast_two_sum(table.log_head[i], w1)
    f, square_error = fast_two_sum(f, -0.5 * square)
    f_low = ((f_error + square_error) + table.log_tail[i]) + (w2 + (cubic - 0.5 * crossed))
    # 1/(1 + w) = 1 - w + w² - w³/(1 + w)
    g, g_error = fast_two_sum(np.ones_like(w), -w1)
    g, square_error = fast_two_sum(g, square)
    g_low = (g_error + square_error) + (crossed - w2 - cube / (1.0 + w))
    # sigma = R y/(1 + w)
    x1, g1 = clear_low_bits(x, 27), clear_low_bits(g, 27)
    x2, g2 = (x - x1) + x_low, (g - g1) + g_low
    s = fast_two_sum(x1 * g1, x1 * g2 + x2 * (g1 + g2))
    return Values(fast_two_sum(f, f_low), s, y, depth - k)
