"""One ball at a time, compiled: the arithmetic of `oracle.ball` where nothing is out of the ordinary.

A ball is (head, tail, exponent, radius), as in `Enclosure`. Ordinary: finite, and no part, shift or radius other than 0
beyond 2**-FAR or 2**FAR of what stands beside it, so that nothing is lost to underflow; each function says whether it is.
What is not is left to NumPy.
"""

from __future__ import annotations

from oracle.ball import ADD_ERROR, LEAST_RADIUS, MULTIPLY_ERROR, SLACK
from oracle.compiled.jit import Integer, Truth, inlined
from oracle.compiled.second import _binary_order, _fast_two_sum, _power_of_two, _two_sum

FAR = 400
LEAST = 2.0**-800
_VELTKAMP = 2.0**27 + 1.0
Ball = tuple[float, float, Integer, float]
Found = tuple[Ball, Truth]


@inlined
def exact(x: float) -> Found:
    """A float as a ball."""
    order = _binary_order(abs(x))
    ordinary = (abs(x) < 2.0**1000) & ((abs(x) > LEAST) | (x == 0))
    order = order if ordinary else 0
    return (x * _power_of_two(-order) + 0.0, 0.0, order, 0.0), ordinary


@inlined
def normalised(head: float, tail: float, exponent: Integer, radius: float) -> Found:
    """`ball.normalised`; head = RN(head + tail)."""
    size = abs(head)
    size = size if size > radius else radius
    ordinary = ((size > LEAST) | (size == 0)) & (size < 2.0**FAR) & ((radius > LEAST) | (radius == 0))
    ordinary &= (abs(tail) > LEAST) | (tail == 0)
    shift = _binary_order(size) if ordinary else 0
    down = _power_of_two(-shift)
    more = LEAST_RADIUS if radius > 0 else 0.0
    return (head * down, tail * down, exponent + shift, radius * down + more), ordinary


@inlined
def add(x: Ball, y: Ball) -> Found:
    """X + y: Joldes, Muller, Popescu, algorithm 6, with the radius of `Enclosure.__add__`."""
    x_empty, y_empty = (x[0] == 0) & (x[3] == 0), (y[0] == 0) & (y[3] == 0)
    x_order, y_order = y[2] if x_empty else x[2], x[2] if y_empty else y[2]
    top = x_order if x_order > y_order else y_order
    x_shift, y_shift = x[2] - top, y[2] - top
    x_shift, y_shift = x_shift if x_shift < 0 else 0, y_shift if y_shift < 0 else 0
    ordinary = (x_shift > -FAR) & (y_shift > -FAR)
    x_down = _power_of_two(x_shift if ordinary else 0)
    y_down = _power_of_two(y_shift if ordinary else 0)
    s, s_error = _two_sum(x[0] * x_down, y[0] * y_down)
    t, t_error = _two_sum(x[1] * x_down, y[1] * y_down)
    s, low = _fast_two_sum(s, s_error + t)
    head, tail = _fast_two_sum(s, t_error + low)
    radius = (x[3] * x_down + y[3] * y_down + ADD_ERROR * abs(head)) * SLACK
    found, usual = normalised(head, tail, top, radius)
    return found, ordinary & usual


@inlined
def negative(x: Ball) -> Ball:
    """-x, exact."""
    return -x[0], -x[1], x[2], x[3]


@inlined
def multiply(x: Ball, y: Ball) -> Found:
    """Xy: Joldes, Muller, Popescu, algorithm 10, with the radius of `Enclosure.__mul__`."""
    p = x[0] * y[0]
    c = _VELTKAMP * x[0]
    a_high = c - (c - x[0])
    a_low = x[0] - a_high
    c = _VELTKAMP * y[0]
    b_high = c - (c - y[0])
    b_low = y[0] - b_high
    error = a_low * b_low - (((p - a_high * b_high) - a_low * b_high) - a_high * b_low)
    head, tail = _fast_two_sum(p, error + (x[0] * y[1] + x[1] * y[0]))
    spread = abs(x[0]) * y[3] + abs(y[0]) * x[3] + x[3] * y[3]
    radius = (spread + abs(p) * MULTIPLY_ERROR) * SLACK
    return normalised(head, tail, x[2] + y[2], radius)
