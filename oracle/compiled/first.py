"""The float64 tier compiled: `oracle.first_tier`, and what `oracle.judging` decides by it, line by line the same arithmetic.

Each function here takes contiguous float64 arrays of one length, and writes to arrays of that length.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oracle.ball import prepare
from oracle.compiled.jit import CHUNK, Truth, compiled, inlined
from oracle.doubledouble import Floats, Integers
from oracle.formats import Format

Mask = NDArray[np.bool_]

GRID, REACH = 256.0, 128.0  # as in first_tier
_SIXTH, _TWENTY_FOURTH = 1 / 6, 1 / 24
_INTEGER = 2.0**52  # added to an integer below, it is the last bits of the sum
_PLACES = (1 << 16) - 1
_EXPONENT = 0x7FF0_0000_0000_0000
_FRACTION, _HIDDEN = (1 << 52) - 1, 1 << 52
_DOWN, _UP = 1 - 2.0**-49, 1 + 2.0**-49  # as in judging
_BELOW_HALF, _BELOW_ONE = 0.5 - 2.0**-54, 1 - 2.0**-53


@compiled
def _reduce(z: Floats, r: Floats, k: Integers) -> None:
    """min(|z|, REACH) = k/GRID + r exactly; a z that is not finite is taken for 0."""
    for i in range(z.size):
        t = abs(z[i])
        t = t if t < np.inf else 0.0
        t = t if t < REACH else REACH
        n = np.rint(t * GRID)
        r[i] = t - n * (1 / GRID)
        k[i] = np.float64(n + _INTEGER).view(np.int64) & _PLACES


@compiled
def _look_up(table: Floats, k: Integers, found: Floats) -> None:
    for i in range(k.size):
        found[i] = table[k[i]]


@compiled
def _losses(z: Floats, r: Floats, f: Floats, s: Floats, out: Floats) -> None:
    for i in range(z.size):
        v = s[i] - s[i] * s[i]
        turn = s[i] * (1 / 3) - _SIXTH
        h = r[i] * (v * -0.25 + _TWENTY_FOURTH)
        h += turn
        h *= r[i]
        h += 0.5
        h *= v
        h *= r[i]
        h -= s[i]
        h *= r[i]
        h += f[i]
        below = -z[i]
        out[i] = h + (below if 0.0 < below < np.inf else 0.0)


@compiled
def _slopes(z: Floats, r: Floats, s: Floats, out: Floats) -> None:
    for i in range(z.size):
        v = s[i] - s[i] * s[i]
        w = s[i] * -2.0 + 1.0
        h = r[i] * ((v * -0.5 + _TWENTY_FOURTH) * w)
        h += v
        h -= _SIXTH
        h *= r[i]
        h += w * 0.5
        h *= r[i]
        h -= 1.0
        h *= v
        h *= r[i]
        h += s[i]
        sign = np.copysign(1.0, z[i])
        out[i] = h * sign + (0.5 - 0.5 * sign)


@compiled
def _evaluate(z: Floats, slope: bool, f: Floats, s: Floats, out: Floats) -> None:
    r, f_k, s_k, k = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK, np.int64)
    for start in range(0, z.size, CHUNK):
        part, result = z[start : start + CHUNK], out[start : start + CHUNK]
        n = part.size
        _reduce(part, r, k)
        _look_up(s, k[:n], s_k)
        if slope:
            _slopes(part, r, s_k, result)
        else:
            _look_up(f, k[:n], f_k)
            _losses(part, r, f_k, s_k, result)


@inlined
def _power_below(x: float) -> float:
    """The largest power of two not above a positive normal number, and infinity for infinity."""
    return np.int64(np.float64(x).view(np.int64) & _EXPONENT).view(np.float64)


@inlined
def _held(x: float, precision: int, emin: int, emax: int) -> Truth:
    """Whether the format holds it, an infinity included: its last bits, of which there are more below 2**emin, are 0."""
    bits = np.float64(x).view(np.int64)
    exponent = ((bits & _EXPONENT) >> 52) - 1023
    deep = emin - exponent if exponent < emin else 0
    drop = 53 - precision + deep
    drop = drop if drop < 53 else 53
    last = ((bits & _FRACTION) | _HIDDEN) & ((1 << drop) - 1)
    held: Truth = (x == 0) | ((last == 0) & (exponent <= emax)) | (abs(x) == np.inf)
    return held


@compiled
def _judge(
    z: Floats,
    got: Floats,
    exact: Floats,
    slope: bool,
    form: tuple[int, int, int],
    sizes: tuple[float, float, float, float],
    errors: Floats,
    wrong: Mask,
    subnormal: Mask,
    doubt: Mask,
) -> None:
    """What `oracle.judging._first` decides of a block, without a branch."""
    precision, emin, emax = form
    normal, beyond, steps, slack = sizes
    for i in range(z.size):
        y, x = got[i], exact[i]
        place = y if abs(y) < np.inf else np.copysign(beyond, y)
        distance = abs(place - x)
        power = _power_below(x * _DOWN)
        power = power if power > normal else normal
        error = distance / power * steps + slack
        far = error >= 0.5
        low, high = 0.0, np.inf
        if slope:
            low = 0.0 if z[i] > 0 else 0.5
            high = _BELOW_HALF if z[i] > 0 else (_BELOW_ONE if z[i] < 0 else 0.5)
        else:
            low = -z[i] if (z[i] < 0) & (z[i] > -np.inf) else 0.0
        lower = x * _DOWN
        power = _power_below(lower if lower > low else low)
        power = power if power > normal else normal
        upper = x * _UP
        one_binade = _power_below(upper if upper < high else high) <= power
        again = distance / power * steps + slack
        sure = one_binade & (again * _DOWN - 2 * slack > 0.5)
        number = not np.isnan(y)
        error = again if far else error
        errors[i] = error if number else np.inf
        wrong[i] = far | (not number) | (not _held(y, precision, emin, emax))
        subnormal[i] = x < normal
        doubt[i] = (far & (not sure) & number) | (abs(x - normal) <= normal * 2.0**-48) | (not abs(z[i]) < np.inf)


@compiled
def _judged(
    z: Floats,
    got: Floats,
    slope: bool,
    f: Floats,
    s: Floats,
    form: tuple[int, int, int],
    sizes: tuple[float, float, float, float],
    errors: Floats,
    wrong: Mask,
    subnormal: Mask,
    doubt: Mask,
) -> None:
    exact = np.empty(CHUNK)
    for start in range(0, z.size, CHUNK):
        at = slice(start, start + CHUNK)
        part = z[at]
        _evaluate(part, slope, f, s, exact[: part.size])
        _judge(part, got[at], exact, slope, form, sizes, errors[at], wrong[at], subnormal[at], doubt[at])


def evaluate(z: Floats, slope: bool, tables: tuple[Floats, Floats]) -> Floats:
    """`first_tier.softplus_minus` of finite z, or `sigmoid_minus`. Raises UnfaithfulArithmetic."""
    prepare()
    flat = np.ascontiguousarray(z).reshape(-1)
    out = np.empty(flat.shape)
    _evaluate(flat, slope, *tables, out)
    return out.reshape(z.shape)


def judged(
    z: Floats,
    got: Floats,
    slope: bool,
    tables: tuple[Floats, Floats],
    fmt: Format,
    slack: float,
    found: tuple[Floats, Mask, Mask],
) -> NDArray[np.intp]:
    """Write errors, wrong and subnormal as the float64 tier decides them; the places where it is in doubt.

    Raises UnfaithfulArithmetic.
    """
    prepare()
    errors, wrong, subnormal = found
    doubt = np.empty(z.shape, dtype=bool)
    form = fmt.precision, fmt.emin, fmt.emax
    sizes = fmt.smallest_normal, 2.0 ** (fmt.emax + 1), 2.0 ** (fmt.precision - 1) * _UP, slack
    _judged(np.ascontiguousarray(z), np.ascontiguousarray(got), slope, *tables, form, sizes, errors, wrong, subnormal, doubt)
    return np.flatnonzero(doubt)
