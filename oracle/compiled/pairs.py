"""The loss and the derivative of pairs compiled: `oracle.enclosure.loss` and `gradient`, of what is ordinary there."""

from __future__ import annotations

import numpy as np

from oracle.ball import SLACK, Enclosure, Mask, prepare
from oracle.compiled.balls import Ball, Found, add, exact, multiply, negative, normalised
from oracle.compiled.jit import CHUNK, compiled, inlined
from oracle.compiled.second import (
    Balls,
    Logs,
    Table,
    _entered,
    _left_losses,
    _left_slopes,
    _parts,
    _two_sum,
    _values,
    constants,
    empty,
)
from oracle.doubledouble import Floats

_SUM_ERROR, _LARGEST_SUMMAND = 2.0**-102, 2.0**1000  # a margin beyond is summed by NumPy's way


@inlined
def _margin(pc: float, pr: float, rc: float, rr: float) -> Found:
    """`enclosure._margin`."""
    s, e1 = _two_sum(pc, -pr)
    s, e2 = _two_sum(s, -rc)
    s, e3 = _two_sum(s, rr)
    t, e1 = _two_sum(e1, e2)
    t, e2 = _two_sum(t, e3)
    head, e3 = _two_sum(s, t)
    rest, left1 = _two_sum(e2, e1)
    tail, left2 = _two_sum(e3, rest)
    head, tail = _two_sum(head, tail)
    radius = (abs(left1) + abs(left2)) * SLACK
    decided = (radius <= _SUM_ERROR * abs(head)) & (abs(pc) < _LARGEST_SUMMAND) & (abs(pr) < _LARGEST_SUMMAND)
    decided &= (abs(rc) < _LARGEST_SUMMAND) & (abs(rr) < _LARGEST_SUMMAND)
    found, usual = normalised(head, tail, 0, radius)
    return found, decided & usual


@compiled
def _logits(logps: tuple[Floats, Floats, Floats, Floats], beta: Floats, sign: Floats, z: Balls, usual: Mask) -> None:
    """|z|, the sign of z, and whether all was ordinary."""
    pc, pr, rc, rr = logps
    for i in range(sign.size):
        margin, one = _margin(pc[i], pr[i], rc[i], rr[i])
        factor, other = exact(beta[i])
        found, third = multiply(margin, factor)
        side = np.copysign(1.0, found[0])
        sign[i], usual[i] = side, one & other & third
        z[0][i], z[1][i], z[2][i], z[3][i] = found[0] * side, found[1] * side, found[2], found[3]


@inlined
def _side(sign: float, eps: float) -> Found:
    """The weight of |z| in the loss: eps for z >= 0, else 1 - eps."""
    given, usual = exact(eps)
    other, also = add((0.5, 0.0, 1, 0.0), negative(given))
    below = sign < 0
    return (
        other[0] if below else given[0],
        other[1] if below else given[1],
        other[2] if below else given[2],
        other[3] if below else given[3],
    ), usual & also


@inlined
def _write(ball: Ball, i: int, out: Balls) -> None:
    out[0][i], out[1][i], out[2][i], out[3][i] = ball


@compiled
def _weigh_losses(sign: Floats, eps: Floats, z: Balls, f: Balls, out: Balls, usual: Mask) -> None:
    """F(|z|) + c|z|."""
    for i in range(sign.size):
        c, one = _side(sign[i], eps[i])
        share, other = multiply(c, (z[0][i], z[1][i], z[2][i], z[3][i]))
        found, third = add((f[0][i], f[1][i], f[2][i], f[3][i]), share)
        usual[i] &= one & other & third
        _write(found, i, out)


@compiled
def _weigh_slopes(sign: Floats, eps: Floats, beta: Floats, s: Balls, out: Balls, usual: Mask) -> None:
    """-beta sign(z) (s(|z|) - c)."""
    for i in range(sign.size):
        c, one = _side(sign[i], eps[i])
        difference, other = add((s[0][i], s[1][i], s[2][i], s[3][i]), negative(c))
        factor, third = exact(-sign[i] * beta[i])
        found, fourth = multiply(difference, factor)
        usual[i] &= one & other & third & fourth
        _write(found, i, out)


@compiled
def _pairs(
    logps: tuple[Floats, Floats, Floats, Floats],
    beta: Floats,
    eps: Floats,
    slope: bool,
    table: Table,
    logs: Logs,
    out: Balls,
    usual: Mask,
) -> None:
    rows, places, near = np.empty((12, CHUNK)), np.empty((3, CHUNK), np.int64), np.empty(CHUNK, np.bool_)
    sign = np.empty(CHUNK)
    z = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK, np.int64), np.empty(CHUNK)
    value = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK, np.int64), np.empty(CHUNK)
    t, t_low, d = rows[9], rows[10], rows[11]
    for start in range(0, usual.size, CHUNK):
        at = slice(start, start + CHUNK)
        ordinary = usual[at]
        n = ordinary.size
        pc, pr, rc, rr = logps[0][at], logps[1][at], logps[2][at], logps[3][at]
        _logits((pc, pr, rc, rr), beta[at], sign[:n], z, ordinary)
        _entered(z[0][:n], z[1], z[2], z[3], t, t_low, d, near)
        _values(t[:n], t_low[:n], table, logs, rows, places)
        if slope:
            _left_slopes(z[0][:n], near, d, rows, places[0], value)
            _weigh_slopes(sign[:n], eps[at], beta[at], value, _parts(out, at), ordinary)
        else:
            _left_losses(z[0][:n], near, t, t_low, d, rows, places[0], value)
            _weigh_losses(sign[:n], eps[at], z, value, _parts(out, at), ordinary)
        ordinary &= near[:n]


def pairs(slope: bool, *operands: Floats) -> tuple[Enclosure, Mask]:
    """(balls, usual) of n pairs, losses or derivatives: four logps, beta and label_smoothing, each of shape (n,).

    What is not usual is not worked out. Raises UnfaithfulArithmetic.
    """
    prepare()
    pc, pr, rc, rr, beta, eps = (np.ascontiguousarray(operand) for operand in operands)
    out, usual = empty(pc.size), np.empty(pc.size, dtype=bool)
    _pairs((pc, pr, rc, rr), beta, eps, slope, *constants(), out, usual)
    return Enclosure(*out), usual
