"""What double-double decides of returned numbers, compiled: `oracle.judging`'s second tier, of what is ordinary there."""

from __future__ import annotations

import numpy as np

from oracle.ball import Mask, prepare
from oracle.compiled.balls import FAR, Ball, add, exact, negative
from oracle.compiled.jit import CHUNK, Integer, Truth, compiled, inlined
from oracle.compiled.second import (
    Balls,
    Logs,
    Table,
    _binary_order,
    _entered,
    _left_losses,
    _left_slopes,
    _power_of_two,
    _two_sum,
    _values,
    constants,
)
from oracle.doubledouble import Floats
from oracle.formats import Format
from oracle.rounding import DOWN, UP

_NO_POWER = -(2**60)
_BELOW_HALF, _BELOW_ONE = 0.5 - 2.0**-54, 1 - 2.0**-53
Form = tuple[Integer, Integer, Integer]
"""Precision, emin, emax."""


@inlined
def _clip(x: Integer, least: Integer, most: Integer) -> Integer:
    x = x if x > least else least
    return x if x < most else most


@inlined
def _powers(x: Ball, least: float, most: float) -> tuple[Integer, Integer]:
    """`rounding._powers` of a positive ball that lies in [least, most] besides."""
    over = ((x[0] - 0.5) + x[1]) * DOWN
    under_one = ((1.0 - x[0]) + x[1] * -1.0) * DOWN > x[3]
    quite_above = (x[0] >= 0.5) & (x[3] <= 0.125)
    lowest = x[2] - 1 if over >= x[3] else (x[2] - 2 if quite_above else _NO_POWER)
    highest = x[2] - 2 if over < -x[3] else (x[2] - 1 if under_one else x[2])
    floor, ceiling = _binary_order(least) - 1, _binary_order(most) - 1
    lowest = floor if (least > 0) & (floor > lowest) else lowest
    highest = ceiling if (most < np.inf) & (ceiling < highest) else highest
    return lowest, highest


@inlined
def _rounded(x: Ball, form: Form) -> tuple[float, Truth]:
    """`rounding._round` of a positive ball far below the overflow."""
    precision, emin, emax = form
    quantum = _clip(x[2] - 1, emin, emax) - precision + 1
    steps = x[2] - quantum
    unit = _power_of_two(_clip(steps, -900, precision + 2))
    head = x[0] * unit
    n = np.rint(head)
    rest, lost = _two_sum(head - n, x[1] * unit)
    odd = np.rint(n * 0.5) * 2.0 != n
    up = (rest > 0.5) | ((rest == 0.5) & ((lost > 0) | ((lost == 0) & odd)))
    down = (rest < -0.5) | ((rest == -0.5) & ((lost < 0) | ((lost == 0) & odd)))
    carry = (1.0 if up else 0.0) - (1.0 if down else 0.0)
    n, rest = n + carry, rest - carry
    edge = -1.0 if quantum == emin - precision + 1 else _power_of_two(precision - 1)
    above, below = (0.5 - rest) - lost, ((0.25 if n == edge else 0.5) + rest) + lost
    gap = above if above < below else below
    half = quantum >> 1
    value = (n * _power_of_two(half)) * _power_of_two(quantum - half)
    return value, gap * DOWN > x[3] * unit * UP


@compiled
def _decide(
    z: Floats, got: Floats, slope: bool, form: Form, x: Balls, near: Mask, errors: Floats, wrong: Mask, settled: Mask
) -> None:
    precision, emin, emax = form
    for i in range(z.size):
        low, high = 0.0, np.inf
        if slope:
            low = 0.0 if z[i] > 0 else 0.5
            high = _BELOW_HALF if z[i] > 0 else (_BELOW_ONE if z[i] < 0 else 0.5)
        else:
            low = -z[i] if z[i] < 0 else 0.0
        ball = x[0][i], x[1][i], x[2][i], x[3][i]
        answer, finite = exact(got[i])
        difference, usual = add(answer, negative(ball))
        lowest, highest = _powers(ball, low, high)
        up = difference[2] - (_clip(lowest, emin, emax) - precision + 1)
        down = difference[2] - (_clip(highest, emin, emax) - precision + 1)
        ordinary = finite & usual & near[i] & (ball[2] < emax) & (ball[2] > emin + 2)
        ordinary &= (up < FAR) & (up > -FAR) & (down < FAR) & (down > -FAR)
        size, radius = abs(difference[0]), difference[3]
        most = (size * UP + radius) * UP * _power_of_two(up if ordinary else 0)
        least = (size * DOWN - radius) * DOWN * _power_of_two(down if ordinary else 0)
        least = least if least > 0.0 else 0.0
        nearest, decided = _rounded(ball, form)
        room = most * 2.0**-20
        room = room if room > 2.0**-16 else 2.0**-16
        errors[i], wrong[i] = most, got[i] != nearest
        settled[i] = ordinary & decided & ((most == least) | (most - least <= room))


@compiled
def _raised(
    z: Floats,
    got: Floats,
    slope: bool,
    form: Form,
    table: Table,
    logs: Logs,
    errors: Floats,
    wrong: Mask,
    settled: Mask,
) -> None:
    rows, places, near = np.empty((12, CHUNK)), np.empty((3, CHUNK), np.int64), np.empty(CHUNK, np.bool_)
    point = np.empty(CHUNK), np.zeros(CHUNK), np.empty(CHUNK, np.int64), np.zeros(CHUNK)
    x = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK, np.int64), np.empty(CHUNK)
    t, t_low, d = rows[9], rows[10], rows[11]
    for start in range(0, z.size, CHUNK):
        at = slice(start, start + CHUNK)
        part = z[at]
        n = part.size
        for i in range(n):
            ball, finite = exact(part[i])
            point[0][i], point[2][i] = ball[0] if finite else np.inf, ball[2]
        _entered(point[0][:n], point[1], point[2], point[3], t, t_low, d, near)
        _values(t[:n], t_low[:n], table, logs, rows, places)
        if slope:
            _left_slopes(point[0][:n], near, d, rows, places[0], x)
        else:
            _left_losses(point[0][:n], near, t, t_low, d, rows, places[0], x)
        _decide(part, got[at], slope, form, x, near, errors[at], wrong[at], settled[at])


def raised(z: Floats, got: Floats, slope: bool, fmt: Format) -> tuple[Floats, Mask, Mask]:
    """(errors, wrong, settled) of n numbers: the first two hold where double-double settles both, of a normal exact value.

    Raises UnfaithfulArithmetic.
    """
    prepare()
    errors, wrong, settled = np.empty(z.size), np.empty(z.size, dtype=bool), np.empty(z.size, dtype=bool)
    form = fmt.precision, fmt.emin, fmt.emax
    _raised(np.ascontiguousarray(z), np.ascontiguousarray(got), slope, form, *constants(), errors, wrong, settled)
    return errors, wrong, settled
