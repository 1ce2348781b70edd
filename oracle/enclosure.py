"""The DPO loss and its gradient over whole arrays, certified: margin, logit, loss, slope and gradient as balls.

Loss f(z) = softplus(-z) = log1p(exp(-z)); slope s(z) = sigma(-z) = 1/(1 + exp(z)), so dloss/dz = -s. The functions
take broadcastable arrays of numbers that float64 holds (beta and label_smoothing too), refuse any other with NotANumber or
NotBinary64, and give an `Enclosure` of the broadcast shape. No elementary function of the C library is called: the
results are the same bits wherever `assert_ieee` passes. Proof: docs/enclosures.md.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from oracle import compiled
from oracle.arguments import check_shapes, floats
from oracle.ball import (
    SLACK,
    Enclosure,
    Mask,
    as_enclosure,
    exact,
    in_blocks,
    normalised,
    rescaled,
    where,
)
from oracle.doubledouble import Floats, UnfaithfulArithmetic, assert_ieee, fast_two_sum, power_of_two, two_sum
from oracle.kernel import RELATIVE_ERROR, evaluate
from oracle.rounding import compare, round, ulp_errors  # noqa: A004

LARGEST_EXPONENT = 14  # |z| < 2**14 is evaluated; beyond 2**13 a proof is enough
TAIL_EXPONENT = -11800  # exp(-2**13) < 2**-11800
ENTRY_ERROR = 2.0**-100  # the roundings of t + f(t) and 1 - s(t), and exp(-t) < 2**-120 taken as 2**-120
SUM_ERROR = 2.0**-102  # a margin whose double-double leaves more than this to the radius is summed in integers
LARGEST_SUMMAND = 2.0**1020


def margin(policy_chosen: ArrayLike, policy_rejected: ArrayLike, ref_chosen: ArrayLike, ref_rejected: ArrayLike) -> Enclosure:
    """margin = policy_chosen - policy_rejected - ref_chosen + ref_rejected, relative radius at most 2**-101.

    That holds under any cancellation and past 1.8e308, and radius is 0 where head and tail hold all of it. NaN where an
    argument is NaN or where infinities of both signs meet. Source: Ogita, Rump, Oishi, SIAM J. Sci. Comput. 26
    (2005), two passes, checked; Python's integers where the check fails.
    """
    (result,) = in_blocks(_margin, *_floats(**locals()))
    return _as_ball(result)


def logit(
    policy_chosen: ArrayLike,
    policy_rejected: ArrayLike,
    ref_chosen: ArrayLike,
    ref_rejected: ArrayLike,
    beta: ArrayLike = 0.1,
) -> Enclosure:
    """Z = beta * margin, relative radius at most 2**-100; no overflow and no underflow; 0 * inf is NaN."""
    (result,) = in_blocks(_logit, *_floats(**locals()))
    return _as_ball(result)


def kernel(z: Enclosure | ArrayLike) -> tuple[Enclosure, Enclosure]:
    """(f(z), s(z)), relative radius at most 2**-70 from an exact z.

    A radius d <= 1 of z adds at most d(1 + 2d) min(f, 1) to f and d(1 + 2d) exp(-|z|) to s; a wider z is coarse.

    For z >= 2**13: both in [0, 2**-11800]. For z <= -2**13: f = -z + [0, 2**-11800], s in 1 - [0, 2**-11800].
    f(inf) = 0, f(-inf) = inf, s(inf) = 0, s(-inf) = 1.
    """
    f, s = in_blocks(_kernel, as_enclosure(z))
    return _as_ball(f), _as_ball(s)


def softplus_minus(z: Enclosure | ArrayLike) -> Enclosure:
    """F(z) = softplus(-z) = log1p(exp(-z)), as `kernel`."""
    return kernel(z)[0]


def sigmoid_minus(z: Enclosure | ArrayLike) -> Enclosure:
    """S(z) = sigma(-z) = 1/(1 + exp(z)), as `kernel`."""
    return kernel(z)[1]


def loss(
    policy_chosen: ArrayLike,
    policy_rejected: ArrayLike,
    ref_chosen: ArrayLike,
    ref_rejected: ArrayLike,
    beta: ArrayLike = 0.1,
    label_smoothing: ArrayLike = 0.0,
) -> Enclosure:
    """The loss (1 - eps) f(z) + eps f(-z) = f(|z|) + c|z| with c = eps for z >= 0, else 1 - eps: no cancellation.

    Relative radius at most 2**-69 for 0 <= eps <= 1. At z = inf: inf, or 0 if eps = 0; at -inf: inf, or 0 if eps = 1.
    """
    (result,) = in_blocks(lambda *logps: (_paired(_loss, *logps),), *_floats(**locals()))
    return _as_ball(result)


def gradient(
    policy_chosen: ArrayLike,
    policy_rejected: ArrayLike,
    ref_chosen: ArrayLike,
    ref_rejected: ArrayLike,
    beta: ArrayLike = 0.1,
    label_smoothing: ArrayLike = 0.0,
) -> Enclosure:
    """dloss/dpolicy_chosen = -beta (s(z) - eps) = -beta sign (s(|z|) - c), with c and |z| as in `loss`.

    The derivatives by policy_rejected and ref_chosen are its negative, by ref_rejected itself. Radius at most
    beta * 2**-69 * (s(|z|) + |s(|z|) - c|): relative to the result where s does not meet eps, absolute where it does.
    """
    (result,) = in_blocks(lambda *logps: (_paired(_gradient, *logps),), *_floats(**locals()))
    return _as_ball(result)


def _floats(**arguments: ArrayLike) -> list[Floats]:
    """Each argument as float64. Raises ShapeMismatch, naming every argument's shape, and what `floats` raises."""
    arrays = [floats(name, value) for name, value in arguments.items()]
    check_shapes(arguments, arrays)
    return arrays


def _as_ball(result: object) -> Enclosure:
    assert isinstance(result, Enclosure)
    return result


def _margin(pc: Floats, pr: Floats, rc: Floats, rr: Floats) -> tuple[Enclosure]:
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        special = ((0.25 * pc - 0.25 * pr) - 0.25 * rc) + 0.25 * rr
        s, e1 = two_sum(pc, -pr)
        s, e2 = two_sum(s, -rc)
        s, e3 = two_sum(s, rr)
        t, e1 = two_sum(e1, e2)
        t, e2 = two_sum(t, e3)
        head, e3 = two_sum(s, t)
        rest, left1 = two_sum(e2, e1)
        tail, left2 = two_sum(e3, rest)
        head, tail = two_sum(head, tail)
        radius = (np.abs(left1) + np.abs(left2)) * SLACK
        peak = np.maximum(np.maximum(np.abs(pc), np.abs(pr)), np.maximum(np.abs(rc), np.abs(rr)))
        decided = (radius <= SUM_ERROR * np.abs(head)) & (peak < LARGEST_SUMMAND)
        unsure = np.flatnonzero(~decided & np.isfinite(special))
    exponent = np.zeros(head.shape, dtype=np.int64)
    if unsure.size:
        rows = np.broadcast_arrays(pc, pr, rc, rr)
        for i in unsure:
            head[i], tail[i], exponent[i], radius[i] = _sum_in_integers(*(float(row[i]) for row in rows))
    return (normalised(head, tail, exponent, radius, special),)


def _sum_in_integers(pc: float, pr: float, rc: float, rr: float) -> tuple[float, float, int, float]:
    """(head, tail, exponent, radius) of one margin, from the exact sum over 2**-1074."""
    total = 0
    for sign, value in ((1, pc), (-1, pr), (-1, rc), (1, rr)):
        numerator, denominator = value.as_integer_ratio()
        total += sign * numerator * (2**1074 // denominator)
    drop = max(0, total.bit_length() - 1000)
    kept = total >> drop
    head = float(kept)
    tail = float(kept - int(head))
    left = abs(kept - int(head) - int(tail)) + (kept << drop != total)
    return head, tail, drop - 1074, float(left) * SLACK


def _logit(pc: Floats, pr: Floats, rc: Floats, rr: Floats, beta: Floats) -> tuple[Enclosure]:
    return (_margin(pc, pr, rc, rr)[0] * exact(beta),)


def _side(z: Enclosure, label_smoothing: Floats) -> Enclosure:
    """C = eps for z >= 0, else 1 - eps: the weight of |z| in the loss."""
    return where(np.signbit(z.head), exact(1.0) - label_smoothing, label_smoothing)


def _paired(function: Callable[..., Enclosure], *operands: Floats) -> Enclosure:
    """`_loss` or `_gradient` of pairs, by compiled loops where they pay: those leave what is out of the ordinary."""
    (size,) = np.broadcast_shapes(*(operand.shape for operand in operands))
    if not compiled.worth("second", size):
        return function(*operands)
    from oracle.compiled import pairs  # noqa: PLC0415 - imports numba

    whole = [np.broadcast_to(operand, (size,)) for operand in operands]
    balls, usual = pairs.pairs(function is _gradient, *whole)
    left = np.flatnonzero(~usual)
    return balls.replaced(left, function(*(operand[left] for operand in whole))) if left.size else balls


def _loss(pc: Floats, pr: Floats, rc: Floats, rr: Floats, beta: Floats, label_smoothing: Floats) -> Enclosure:
    (z,) = _logit(pc, pr, rc, rr, beta)
    c, t = _side(z, label_smoothing), abs(z)
    value = _kernel(t)[0] + c * t
    free = (c.head == 0) & np.isinf(t.head)
    return where(free, 0.0, value) if free.any() else value


def _gradient(pc: Floats, pr: Floats, rc: Floats, rr: Floats, beta: Floats, label_smoothing: Floats) -> Enclosure:
    (z,) = _logit(pc, pr, rc, rr, beta)
    difference = _kernel(abs(z))[1] - _side(z, label_smoothing)
    sign = np.where(np.signbit(z.head), 1.0, -1.0)
    return difference * exact(sign * beta)


def _kernel(z: Enclosure) -> tuple[Enclosure, Enclosure]:
    if compiled.worth("second", z.size):
        from oracle.compiled import second  # noqa: PLC0415 - imports numba

        f, s, near = second.kernel(z)
    else:
        f, s, near = _evaluated(z)
    return (f, s) if near.all() else _with_tails(z, near, f, s)


def _evaluated(z: Enclosure) -> tuple[Enclosure, Enclosure, Mask]:
    """F and s where |z| < 2**14 and the ball is no wider than 1, and where that is."""
    sign = np.copysign(1.0, z.head)
    below = 0.5 - 0.5 * sign  # 1 where z < 0, else 0
    scale = power_of_two(np.minimum(np.maximum(z.exponent, -1022), LARGEST_EXPONENT))
    with np.errstate(invalid="ignore", under="ignore"):
        signed = sign * scale
        t, t_low, d = z.head * signed, z.tail * signed, z.radius * scale
        nothing = (z.head == 0) & (z.radius == 0)  # an exact 0 may carry any exponent: 0 * 2**20
        near = np.isfinite(z.head) & ((z.exponent <= LARGEST_EXPONENT) | nothing) & (d <= 1.0)
        if not near.all():
            t, t_low, d = np.where(near, t, 0.0), np.where(near, t_low, 0.0), np.where(near, d, 0.0)
            below = np.where(near, below, 0.0)
        values = evaluate((t, t_low))
        d = d * (1.0 + 2.0 * d)  # at least d e^d
        # f(-t) = t + f(t), s(-t) = 1 - s(t)
        f, error = two_sum(t * below, values.f[0])
        f_pair = fast_two_sum(f, error + (values.f[1] + t_low * below))
        f_radius = values.f[0] * RELATIVE_ERROR + f * ENTRY_ERROR + d * np.minimum(f, 1.0)
        s, error = two_sum(below, sign * values.s[0])
        s_pair = fast_two_sum(s, error + sign * values.s[1])
        s_radius = values.s[0] * RELATIVE_ERROR + s * ENTRY_ERROR + d * values.y
    exponent = values.exponent * (below == 0.0)
    return rescaled(*f_pair, exponent, f_radius * SLACK), rescaled(*s_pair, exponent, s_radius * SLACK), near


def _with_tails(z: Enclosure, near: Mask, f: Enclosure, s: Enclosure) -> tuple[Enclosure, Enclosure]:
    """f and s where z is not evaluated: |z| >= 2**13 surely, a ball wider than 1, an infinity, NaN."""
    zero, one = exact(np.zeros_like(z.head)), exact(np.ones_like(z.head))
    half = np.full_like(z.head, 0.5)
    nothing = Enclosure(half, zero.tail, np.full_like(z.exponent, TAIL_EXPONENT), half)  # [0, 2**-11800]
    size = np.abs(z.head)
    with np.errstate(invalid="ignore"):
        far = (z.exponent > LARGEST_EXPONENT) & (size - np.abs(z.tail) - z.radius >= 0.26)
        # a coarse ball: s is in [0, 1], f in [0, |z| + 1], where 1 <= 2**exponent / 2
        most = 0.5 * (size + np.abs(z.tail) + z.radius + 0.5) * SLACK
        coarse_f = normalised(most, zero.tail, z.exponent, most * SLACK, special=np.where(np.isnan(size), size, 0.0))
        coarse_s = normalised(half, zero.tail, zero.exponent, half, special=np.where(np.isnan(size), size, 0.0))
        upper, lower = far & (z.head > 0), far & (z.head < 0)
        far_f, far_s = where(lower, nothing - z, nothing), where(lower, one - nothing, nothing)
    far_f = where(z.head == np.inf, zero, where(z.head == -np.inf, exact(np.inf), far_f))
    far_s = where(z.head == np.inf, zero, where(z.head == -np.inf, one, far_s))
    settled = upper | lower | np.isinf(z.head)
    return (
        where(near, f, where(settled, far_f, coarse_f)),
        where(near, s, where(settled, far_s, coarse_s)),
    )


__all__ = [
    "Enclosure",
    "UnfaithfulArithmetic",
    "assert_ieee",
    "compare",
    "exact",
    "gradient",
    "kernel",
    "logit",
    "loss",
    "margin",
    "round",
    "sigmoid_minus",
    "softplus_minus",
    "ulp_errors",
    "where",
]
