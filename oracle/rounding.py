"""What a ball decides: the sign of a difference, ulp errors, and the correctly rounded value in a format.

Definitions as in oracle.formats: quantum q(x) = 2**(min(max(floor(log2|x|), emin), emax) - p + 1) of the exact x.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oracle.arguments import elements, floats
from oracle.ball import Enclosure, Mask, as_enclosure, exact, in_blocks, normalised, where
from oracle.doubledouble import Floats, Integers, power_of_two, two_sum
from oracle.formats import Format, get_format
from oracle.real import Real

DOWN, UP = 1.0 - 2.0**-50, 1.0 + 2.0**-50  # cover the at most three roundings of a bound
OUT_OF_SIGHT = 900  # binary orders: below 2**-900 quanta an error is reported as at most 2**-900
NO_POWER = np.int64(-(2**60))


def compare(x: Enclosure | ArrayLike, values: ArrayLike) -> tuple[NDArray[np.int8], Mask]:
    """(sign, decided): the sign of values - x, -1, 0 or 1, certain where decided; 0 where it is not.

    A decided 0 says that x is exactly the value, infinities included. Against NaN nothing is decided. Raises NotANumber and
    NotBinary64.
    """
    sign, decided = in_blocks(_compare, as_enclosure(x), floats("values", values))
    return sign, decided


def _compare(x: Enclosure, values: Floats) -> tuple[NDArray[np.int8], Mask]:
    difference = exact(values) - x
    same_infinity = np.isinf(values) & (values == x.head)
    with np.errstate(invalid="ignore"):
        apart = np.abs(difference.head) * DOWN > difference.radius
        sign = np.where(apart, np.sign(difference.head), 0.0)
    equal = ((difference.head == 0) & (difference.radius == 0)) | same_infinity
    return sign.astype(np.int8), apart | equal


def ulp_errors(
    x: Enclosure | ArrayLike, got: ArrayLike, fmt: Format, within: tuple[ArrayLike, ArrayLike] | None = None
) -> tuple[Floats, Floats]:
    """(low, high), certified: low <= |got - x| / q(x) <= high, with q the quantum of the format at the exact x.

    From the overflow threshold 2**emax (2 - 2**-p) on, x is infinite: the right infinity has error 0, any other number
    is measured from 2**(emax + 1); an infinity got below the threshold counts as 2**(emax + 1). NaN for a number and a
    number for NaN: infinite; NaN for NaN: 0. Where a ball leaves the quantum or the overflow open, both are covered.
    within: floats known to enclose |x| besides the ball: they settle the quantum where a ball reaches over a power of two.
    Raises NotANumber and NotBinary64.
    """
    bounds = (0.0, np.inf) if within is None else within
    operands = [floats("got", got), *(floats("within", bound) for bound in bounds)]
    low, high = in_blocks(lambda a, b, least, most: _ulp_errors(a, b, least, most, fmt), as_enclosure(x), *operands)
    return low, high


def _ulp_errors(x: Enclosure, got: Floats, least: Floats, most: Floats, fmt: Format) -> tuple[Floats, Floats]:
    x = x if x.shape == got.shape else x.broadcast_to(np.broadcast_shapes(x.shape, got.shape))
    got = np.broadcast_to(got, x.shape)
    answer = where(np.isinf(got), _beyond(fmt, got), got)
    lowest, highest = _powers(x)
    lowest = np.where(least > 0, np.maximum(lowest, np.frexp(least)[1].astype(np.int64) - 1), lowest)
    highest = np.where(most < np.inf, np.minimum(highest, np.frexp(most)[1].astype(np.int64) - 1), highest)
    overflows, may_overflow = _overflow(x, fmt)
    low, high = _distance(answer - x, lowest, highest, fmt)
    if may_overflow.any():
        top = np.full_like(lowest, fmt.emax)
        low2, high2 = _distance(answer - _beyond(fmt, x.head), top, top, fmt)
        low = np.where(overflows, low2, np.where(may_overflow, np.minimum(low, low2), low))
        high = np.where(overflows, high2, np.where(may_overflow, np.maximum(high, high2), high))
        both_signs = may_overflow & ~overflows & (x.radius >= np.abs(x.head) * DOWN)
        low = np.where(both_signs, 0.0, low)
        high = np.where(both_signs, np.maximum(high, 2.0 ** (fmt.precision + 1)), high)
    odd = np.isnan(got) != np.isnan(x.head)
    both = np.isnan(got) & np.isnan(x.head)
    return (
        np.where(odd, np.inf, np.where(both, 0.0, low)),
        np.where(odd, np.inf, np.where(both, 0.0, high)),
    )


def round(x: Enclosure | Real | ArrayLike, fmt: Format | str) -> tuple[Floats, Mask]:  # noqa: A001
    """(values, decided): an enclosure, a Real, or exact numbers of any kind, rounded once to nearest even into the format.

    Underflow is gradual; from the overflow threshold on the value is an infinity. Of an enclosure a value may be left
    undecided, and is then one of the two candidates; anything else, arrays of Real included, is always decided. Zero has the
    sign of the centre. Raises UnknownFormat and NotANumber.
    """
    known = get_format(fmt)
    if isinstance(x, Enclosure):
        values, decided = in_blocks(lambda a: _round(a, known), x)
        return values, decided
    items = elements("x", x)
    if items.dtype == object and any(isinstance(item, Real) for item in items.flat):
        values = np.empty(items.shape)
        for index in np.ndindex(items.shape):
            item: Any = items[index]
            values[index] = Real.of(item).round(known)
    else:
        values = known.round_array(items)
    return values, np.ones(values.shape, dtype=bool)


def _round(x: Enclosure, fmt: Format) -> tuple[Floats, Mask]:
    finite = np.isfinite(x.head)
    quantum = np.minimum(np.maximum(x.exponent - 1, fmt.emin), fmt.emax) - fmt.precision + 1
    steps = x.exponent - quantum  # |x| < 2**steps quanta
    too_large = steps > fmt.precision + 1
    least = quantum == fmt.emin - fmt.precision + 1  # all quanta below are as long
    edge = np.where(least, -1.0, 2.0 ** (fmt.precision - 1))
    unit = power_of_two(np.minimum(np.maximum(steps, -OUT_OF_SIGHT), fmt.precision + 2))
    with np.errstate(invalid="ignore", under="ignore", over="ignore"):
        radius = x.radius * unit * UP
        n, gap = _nearest(np.abs(x.head) * unit, x.tail * np.copysign(unit, x.head), edge)
        decided = (gap * DOWN > radius) | ((radius == 0) & (gap >= 0))
        half = quantum >> np.int64(1)
        magnitude = (n * power_of_two(half)) * power_of_two(quantum - half)
    magnitude = np.where(too_large | (magnitude > fmt.largest), np.inf, magnitude)
    decided |= too_large & (np.abs(x.head) - x.radius > 0.26)
    return np.where(finite, np.copysign(magnitude, x.head), x.head), decided | ~finite


def _nearest(head: Floats, tail: Floats, edge: Floats | float) -> tuple[Floats, Floats]:
    """(n, gap): the integer nearest to head + tail, ties to even, and how far that number may move and still give n.

    Below n = edge, the foot of a binade, the quanta are half as long: there n is the nearest only down to n - 1/4.
    """
    n = np.rint(head)
    rest, lost = two_sum(head - n, tail)
    odd = np.rint(n * 0.5) != n * 0.5
    up = (rest > 0.5) | ((rest == 0.5) & ((lost > 0) | ((lost == 0) & odd)))
    down = (rest < -0.5) | ((rest == -0.5) & ((lost < 0) | ((lost == 0) & odd)))
    carry = up * 1.0 - down
    n, rest = n + carry, rest - carry
    reach = np.where(n == edge, 0.25, 0.5)
    return n, np.minimum((0.5 - rest) - lost, (reach + rest) + lost)


def _beyond(fmt: Format, sign: Floats) -> Enclosure:
    """2**(emax + 1) with the sign of the argument: what an infinity counts as."""
    zero = np.zeros_like(sign)
    return Enclosure(np.copysign(0.5, sign), zero, np.full(sign.shape, fmt.emax + 2, dtype=np.int64), zero)


def _powers(x: Enclosure) -> tuple[Integers, Integers]:
    """Bounds of floor(log2|x|); the lower one is NO_POWER where the ball reaches far below its centre."""
    size, tail = np.abs(x.head), np.where(np.signbit(x.head), -x.tail, x.tail)
    with np.errstate(invalid="ignore", under="ignore"):
        above_half = ((size - 0.5) + tail) * DOWN >= x.radius
        below_half = ((size - 0.5) + tail) * DOWN < -x.radius
        quite_above = (size >= 0.5) & (x.radius <= 0.125)
        below_one = ((1.0 - size) + tail * -1.0) * DOWN > x.radius
    lowest = np.where(above_half, x.exponent - 1, np.where(quite_above, x.exponent - 2, NO_POWER))
    highest = np.where(below_half, x.exponent - 2, np.where(below_one, x.exponent - 1, x.exponent))
    nothing = (x.head == 0) & (x.radius == 0)
    return lowest, np.where(nothing, NO_POWER, highest)


def _overflow(x: Enclosure, fmt: Format) -> tuple[Mask, Mask]:
    """(surely, possibly): |x| >= 2**emax (2 - 2**-p)."""
    possibly = (x.exponent >= fmt.emax) | np.isinf(x.head)  # |x| < 2 * 2**exponent
    if not possibly.any():
        return possibly, possibly
    significand = 1.0 - 2.0 ** -(fmt.precision + 1)  # exact in binary64 up to p = 52; 1 - 2**-54 is a head and a tail
    head = np.full_like(x.head, significand)
    tail = np.full_like(x.head, -(2.0**-54) if fmt.precision == 53 else 0.0)
    powers = np.full_like(x.exponent, fmt.emax + 1)
    threshold = normalised(head, tail, powers, np.zeros_like(head), special=np.zeros_like(head))
    difference = abs(x) - threshold
    at_least = difference.head * DOWN >= difference.radius
    below = -difference.head * DOWN > difference.radius
    infinite = np.isinf(x.head)
    return infinite | (possibly & at_least), infinite | (possibly & ~below)


def _distance(difference: Enclosure, lowest: Integers, highest: Integers, fmt: Format) -> tuple[Floats, Floats]:
    """Bounds of |difference| over the quantum, where floor(log2|x|) is in [lowest, highest]."""
    coarse = np.clip(highest, fmt.emin, fmt.emax) - fmt.precision + 1
    fine = np.clip(lowest, fmt.emin, fmt.emax) - fmt.precision + 1
    size, radius = np.abs(difference.head), difference.radius
    up, down = difference.exponent - fine, difference.exponent - coarse
    with np.errstate(invalid="ignore", under="ignore"):
        high = (size * UP + radius) * UP * power_of_two(np.clip(up, -OUT_OF_SIGHT, 1020))
        low = (size * DOWN - radius) * DOWN * power_of_two(np.clip(down, -OUT_OF_SIGHT, 1020))
    high = np.where(up > 1020, np.inf, high)
    low = np.where(down < -OUT_OF_SIGHT, 0.0, np.maximum(low, 0.0))
    nothing = (difference.head == 0) & (radius == 0)
    return low, np.where(nothing, 0.0, high)
