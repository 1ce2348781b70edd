"""The double-double kernel compiled: `oracle.kernel.evaluate`, and with it the core of `oracle.enclosure.kernel`.

The passes are those of the NumPy code, cut where a table is looked up, so that all of the rest is vector loops.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oracle.ball import SLACK, Enclosure, Mask, prepare
from oracle.compiled.jit import CHUNK, Integer, compiled, inlined
from oracle.doubledouble import Floats, Integers
from oracle.tables import tables

Rows = NDArray[np.float64]
"""Shape (rows, CHUNK): what lies between two passes."""
Balls = tuple[Floats, Floats, Integers, Floats]
"""Arrays of heads, tails, exponents and radii."""
Table = tuple[Floats, Floats, Floats, Floats, Floats]
Logs = tuple[float, float, float]

_STEPS_PER_UNIT, _GRID = 1477.3197218702985, 1.5 * 2.0**14  # as in kernel
_RELATIVE_ERROR, _ENTRY_ERROR = 2.0**-71, 2.0**-100  # as in kernel and enclosure
_DEEPEST, _LARGEST_EXPONENT = 120, 14
_INTEGER, _PLACES = 2.0**52, (1 << 52) - 1  # an integer is the last bits of its sum with 2**52


@inlined
def _power_of_two(exponent: Integer) -> float:
    return np.int64((exponent + 1023) << 52).view(np.float64)


@inlined
def _binary_order(x: float) -> Integer:
    """frexp's exponent of 0 or of a positive normal number."""
    order = (np.float64(x).view(np.int64) >> 52) - 1022
    return order if x != 0 else 0


@inlined
def _two_sum(a: float, b: float) -> tuple[float, float]:
    s = a + b
    shadow = s - a
    return s, (a - (s - shadow)) + (b - shadow)


@inlined
def _fast_two_sum(a: float, b: float) -> tuple[float, float]:
    s = a + b
    return s, b - (s - a)


@inlined
def _clear_low_bits(a: float, bits: Integer) -> float:
    return np.int64(np.float64(a).view(np.int64) & -(1 << bits)).view(np.float64)


@compiled
def _reduce(t: Floats, t_low: Floats, logs: Logs, r1: Floats, q: Floats, j: Integers, k: Integers) -> None:
    """exp(-t) = 2**(j/1024 - k) exp(-r1) (1 + q - p...): the first half of `kernel.exponential`."""
    first, second, third = logs
    for i in range(t.size):
        n = np.rint(t[i] * _STEPS_PER_UNIT)
        r_head, r_error = _two_sum(t[i] - n * first, -(n * second))
        r_low = r_error + (t_low[i] - n * third)
        leading = (r_head + _GRID) - _GRID
        r2 = (r_head - leading) + r_low
        r = leading + r2
        p = (r * r) * (0.5 - r * (1 / 6 - r * (1 / 24 - r * (1 / 120))))
        r1[i], q[i] = leading, p - r2
        steps = -(np.float64(n + _INTEGER).view(np.int64) & _PLACES)
        j[i], k[i] = steps & 1023, -(steps >> 10)


@compiled
def _look_up(table: Floats, places: Integers, found: Floats) -> None:
    for i in range(places.size):
        found[i] = table[places[i]]


@compiled
def _exponential(
    head: Floats,
    tail: Floats,
    r1: Floats,
    q: Floats,
    k: Integers,
    y: Floats,
    y_tail: Floats,
    place: Integers,
    exponent: Integers,
) -> None:
    """y = exp(-t) scaled by 2**-exponent, and where its reciprocal and logarithm stand in the tables."""
    for i in range(k.size):
        leading, error = _fast_two_sum(head[i], -(head[i] * r1[i]))
        low = (head[i] * q[i] + tail[i] * (1.0 + (q[i] - r1[i]))) + error
        value, rest = _fast_two_sum(leading, low)
        depth = k[i] if k[i] < _DEEPEST else _DEEPEST
        scale = _power_of_two(-depth)
        y[i], y_tail[i] = value * scale, rest * scale
        at = np.float64(np.rint(y[i] * 1024.0) + _INTEGER).view(np.int64) & _PLACES
        place[i] = at if at <= 1024 else 0  # of what is no ball, and is not read: no place outside the tables
        exponent[i] = depth - k[i]


@compiled
def _finish(
    y: Floats,
    y_tail: Floats,
    reciprocal: Floats,
    log_head: Floats,
    log_tail: Floats,
    f: Floats,
    f_tail: Floats,
    s: Floats,
    s_tail: Floats,
) -> None:
    """The second half of `kernel.evaluate`."""
    for i in range(y.size):
        y1 = _clear_low_bits(y[i], 12)
        x = reciprocal[i] * y1
        x_low = reciprocal[i] * ((y[i] - y1) + y_tail[i])
        w_head = (reciprocal[i] - 1.0) + x
        w1 = _clear_low_bits(w_head, 27)
        w2 = (w_head - w1) + x_low
        w = w1 + w2
        square = w1 * w1
        crossed = w2 * (w1 + w)
        cube = (w * w) * w
        cubic = cube * (1 / 3 - w * (1 / 4 - w * (1 / 5 - w * (1 / 6 - w * (1 / 7)))))
        value, value_error = _fast_two_sum(log_head[i], w1)
        value, square_error = _fast_two_sum(value, -0.5 * square)
        low = ((value_error + square_error) + log_tail[i]) + (w2 + (cubic - 0.5 * crossed))
        g, g_error = _fast_two_sum(1.0, -w1)
        g, square_error = _fast_two_sum(g, square)
        g_low = (g_error + square_error) + (crossed - w2 - cube / (1.0 + w))
        x1, g1 = _clear_low_bits(x, 27), _clear_low_bits(g, 27)
        x2, g2 = (x - x1) + x_low, (g - g1) + g_low
        s[i], s_tail[i] = _fast_two_sum(x1 * g1, x1 * g2 + x2 * (g1 + g2))
        f[i], f_tail[i] = _fast_two_sum(value, low)


@compiled
def _values(t: Floats, t_low: Floats, table: Table, logs: Logs, rows: Rows, places: Integers) -> None:
    """`kernel.evaluate` of up to CHUNK numbers: f, its tail, s, its tail, y in rows 0 to 4, the exponent in places[0]."""
    n = t.size
    f, f_tail, s, s_tail, y, y_tail = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5]
    exponent, j, k = places[0], places[1], places[2]
    _reduce(t, t_low, logs, f, s, j, k)
    _look_up(table[0], j[:n], rows[6])
    _look_up(table[1], j[:n], rows[7])
    _exponential(rows[6], rows[7], f, s, k[:n], y, y_tail, j, exponent)
    _look_up(table[2], j[:n], rows[6])
    _look_up(table[3], j[:n], rows[7])
    _look_up(table[4], j[:n], rows[8])
    _finish(y[:n], y_tail, rows[6], rows[7], rows[8], f, f_tail, s, s_tail)


@inlined
def _rescaled(head: float, tail: float, exponent: Integer, radius: float, i: int, out: Balls) -> None:
    """`ball.rescaled`, written to place i."""
    size = abs(head)
    shift = _binary_order(size if size > radius else radius)
    down = _power_of_two(-shift)
    out[0][i], out[1][i], out[2][i], out[3][i] = head * down, tail * down, exponent + shift, radius * down


@compiled
def _entered(
    head: Floats, tail: Floats, exponent: Integers, radius: Floats, t: Floats, t_low: Floats, d: Floats, near: Mask
) -> None:
    """|z| as head and tail, its radius, and whether it is evaluated; 0 where it is not: as `enclosure._kernel` begins."""
    for i in range(head.size):
        e = exponent[i] if exponent[i] > -1022 else -1022
        e = e if e < _LARGEST_EXPONENT else _LARGEST_EXPONENT
        scale = _power_of_two(e)
        signed = np.copysign(1.0, head[i]) * scale
        nothing = (head[i] == 0) & (radius[i] == 0)
        wide = radius[i] * scale
        close = (abs(head[i]) < np.inf) & ((exponent[i] <= _LARGEST_EXPONENT) | nothing) & (wide <= 1.0)
        near[i] = close
        t[i] = head[i] * signed if close else 0.0
        t_low[i] = tail[i] * signed if close else 0.0
        d[i] = wide if close else 0.0


@compiled
def _left_losses(
    sign: Floats, near: Mask, t: Floats, t_low: Floats, d: Floats, rows: Rows, exponent: Integers, out: Balls
) -> None:
    """F(-t) = t + f(t), with its radius: as `enclosure._evaluated` ends."""
    for i in range(sign.size):
        below = (0.5 - 0.5 * np.copysign(1.0, sign[i])) if near[i] else 0.0
        wide = d[i] * (1.0 + 2.0 * d[i])
        f, error = _two_sum(t[i] * below, rows[0, i])
        value, rest = _fast_two_sum(f, error + (rows[1, i] + t_low[i] * below))
        radius = rows[0, i] * _RELATIVE_ERROR + f * _ENTRY_ERROR + wide * (f if f < 1.0 else 1.0)
        _rescaled(value, rest, exponent[i] if below == 0.0 else 0, radius * SLACK, i, out)


@compiled
def _left_slopes(sign: Floats, near: Mask, d: Floats, rows: Rows, exponent: Integers, out: Balls) -> None:
    """S(-t) = 1 - s(t), with its radius."""
    for i in range(sign.size):
        side = np.copysign(1.0, sign[i])
        below = (0.5 - 0.5 * side) if near[i] else 0.0
        wide = d[i] * (1.0 + 2.0 * d[i])
        s, error = _two_sum(below, side * rows[2, i])
        value, rest = _fast_two_sum(s, error + side * rows[3, i])
        radius = rows[2, i] * _RELATIVE_ERROR + s * _ENTRY_ERROR + wide * rows[4, i]
        _rescaled(value, rest, exponent[i] if below == 0.0 else 0, radius * SLACK, i, out)


@inlined
def _parts(balls: Balls, at: slice) -> Balls:
    return balls[0][at], balls[1][at], balls[2][at], balls[3][at]


@compiled
def _kernel(z: Balls, table: Table, logs: Logs, near: Mask, f: Balls, s: Balls) -> None:
    rows, places = np.empty((12, CHUNK)), np.empty((3, CHUNK), np.int64)
    for start in range(0, near.size, CHUNK):
        at = slice(start, start + CHUNK)
        sign, close = z[0][at], near[at]
        n = close.size
        t, t_low, d = rows[9], rows[10], rows[11]
        _entered(sign, z[1][at], z[2][at], z[3][at], t, t_low, d, close)
        _values(t[:n], t_low[:n], table, logs, rows, places)
        _left_losses(sign, close, t, t_low, d, rows, places[0], _parts(f, at))
        _left_slopes(sign, close, d, rows, places[0], _parts(s, at))


def constants() -> tuple[Table, Logs]:
    """The tables of the kernel, as the loops take them."""
    known = tables()
    return (known.power_head, known.power_tail, known.reciprocal, known.log_head, known.log_tail), known.log_step


def empty(n: int) -> Balls:
    """Room for n balls: head, tail, exponent, radius."""
    return np.empty(n), np.empty(n), np.empty(n, np.int64), np.empty(n)


def kernel(z: Enclosure) -> tuple[Enclosure, Enclosure, Mask]:
    """(f, s, near) of a one-dimensional array of balls: f and s hold where z is near. Raises UnfaithfulArithmetic."""
    prepare()
    f, s, near = empty(z.size), empty(z.size), np.empty(z.size, dtype=bool)
    head, tail, radius = (np.ascontiguousarray(part) for part in (z.head, z.tail, z.radius))
    _kernel((head, tail, np.ascontiguousarray(z.exponent), radius), *constants(), near, f, s)
    return Enclosure(*f), Enclosure(*s), near
