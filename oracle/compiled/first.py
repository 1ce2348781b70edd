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
Returned = Floats | NDArray[np.float32]
Tables = tuple[Floats, Floats]
Form = tuple[int, int, int]
"""Precision, emin and emax of a format."""
Sizes = tuple[float, float, float, float]
"""Its smallest normal number, where an infinity is taken to lie, ulps in a power of two, and the tier's slack."""

GRID, REACH = 256.0, 128.0  # as in first_tier
_SIXTH, _TWENTY_FOURTH = 1 / 6, 1 / 24
_INTEGER = 2.0**52  # added to an integer below, it is the last bits of the sum
_PLACES = (1 << 16) - 1
_EXPONENT = 0x7FF0_0000_0000_0000
_FRACTION, _HIDDEN = (1 << 52) - 1, 1 << 52
_DOWN, _UP = 1 - 2.0**-49, 1 + 2.0**-49  # as in judging
_BELOW_HALF, _BELOW_ONE = 0.5 - 2.0**-54, 1 - 2.0**-53
_FEW = 24
"""So many errors of a part that are not below 1/2 are looked at one by one: more, and a loop over the part is faster."""


@compiled
def reduce(z: Floats, r: Floats, k: Integers) -> np.int64:
    """min(|z|, REACH) = k/GRID + r exactly; how many z are not finite, which are taken for 0."""
    odd = np.int64(0)
    for i in range(z.size):
        t = abs(z[i])
        odd += np.int64(not t < np.inf)
        t = t if t < np.inf else 0.0
        t = t if t < REACH else REACH
        n = np.rint(t * GRID)
        r[i] = t - n * (1 / GRID)
        k[i] = np.float64(n + _INTEGER).view(np.int64) & _PLACES
    return odd


@compiled
def look_up(table: Floats, k: Integers, found: Floats) -> None:
    """The table's entries k."""
    for i in range(k.size):
        found[i] = table[k[i]]


@compiled
def losses(z: Floats, r: Floats, f: Floats, s: Floats, out: Floats) -> None:
    """`first_tier.softplus_minus`, from r and the entries."""
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
def slopes(z: Floats, r: Floats, s: Floats, out: Floats) -> None:
    """`first_tier.sigmoid_minus`, from r and the entry."""
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
        reduce(part, r, k)
        look_up(s, k[:n], s_k)
        if slope:
            slopes(part, r, s_k, result)
        else:
            look_up(f, k[:n], f_k)
            losses(part, r, f_k, s_k, result)


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
def near(got: Returned, exact: Floats, sizes: Sizes, errors: Floats) -> tuple[np.int64, float]:
    """Errors in ulps of the quantum below the exact value; how many are not below 1/2, and the least exact value."""
    normal, beyond, steps, slack = sizes
    far = np.int64(0)
    least = np.int64(_EXPONENT)
    for i in range(got.size):
        y, x = np.float64(got[i]), exact[i]
        place = np.copysign(beyond, y) if abs(y) == np.inf else y
        power = _power_below(x * _DOWN)
        power = power if power > normal else normal
        error = abs(place - x) / power * steps + slack
        errors[i] = error
        far += np.int64(not error < 0.5)
        bits = np.float64(x).view(np.int64)
        least = bits if bits < least else least
    return far, np.int64(least).view(np.float64)


@inlined
def _again(y: float, x: float, z: float, slope: bool, sizes: Sizes) -> tuple[float, Truth]:
    """What is known of an error that is not below 1/2, by what encloses the exact value; and whether that decides."""
    normal, beyond, steps, slack = sizes
    low, high = 0.0, np.inf
    if slope:
        low = 0.0 if z > 0 else 0.5
        high = _BELOW_HALF if z > 0 else (_BELOW_ONE if z < 0 else 0.5)
    else:
        low = -z if (z < 0) & (z > -np.inf) else 0.0
    lower, upper = x * _DOWN, x * _UP
    power = _power_below(lower if lower > low else low)
    power = power if power > normal else normal
    one_binade = _power_below(upper if upper < high else high) <= power
    place = np.copysign(beyond, y) if abs(y) == np.inf else y
    error = abs(place - x) / power * steps + slack
    number = not np.isnan(y)
    sure: Truth = (one_binade & (error * _DOWN - 2 * slack > 0.5)) | (not number)
    return error if number else np.inf, sure


@compiled
def beyond_half(z: Floats, got: Returned, exact: Floats, slope: bool, sizes: Sizes, errors: Floats, far: np.int64) -> np.int64:
    """The errors that are not below 1/2, of which there are `far`, once more; how many are in doubt."""
    in_doubt = np.int64(0)
    if far <= _FEW:
        for i in range(z.size):
            if not errors[i] < 0.5:
                errors[i], sure = _again(np.float64(got[i]), exact[i], z[i], slope, sizes)
                in_doubt += np.int64(not sure)
    else:
        for i in range(z.size):
            error, sure = _again(np.float64(got[i]), exact[i], z[i], slope, sizes)
            known = errors[i] < 0.5
            errors[i] = errors[i] if known else error
            in_doubt += np.int64((not known) & (not sure))
    return in_doubt


@inlined
def is_deep(least: float, normal: float) -> Truth:
    """Whether one of the exact values may be below the smallest normal number."""
    deep: Truth = least <= normal * (1 + 2.0**-47)
    return deep


@compiled
def _judge(
    z: Floats,
    got: Floats,
    exact: Floats,
    slope: bool,
    form: Form,
    sizes: Sizes,
    errors: Floats,
    wrong: Mask,
    subnormal: Mask,
    doubt: Mask,
) -> np.int64:
    """What `oracle.judging._first` decides of a part; how many are in doubt. The masks are all False before."""
    precision, emin, emax = form
    normal = sizes[0]
    far, least = near(got, exact, sizes, errors)
    in_doubt = strange = np.int64(0)
    if far:
        for i in range(z.size):
            wrong[i] = not errors[i] < 0.5
        in_doubt = beyond_half(z, got, exact, slope, sizes, errors, far)
        if in_doubt:
            for i in range(z.size):
                doubt[i] = wrong[i] & (not _again(got[i], exact[i], z[i], slope, sizes)[1])
    for i in range(z.size):
        strange += np.int64(not _held(got[i], precision, emin, emax))
    if strange:
        for i in range(z.size):
            wrong[i] |= not _held(got[i], precision, emin, emax)
    if is_deep(least, normal):
        for i in range(z.size):
            close = abs(exact[i] - normal) <= normal * 2.0**-48
            subnormal[i] = exact[i] < normal
            doubt[i] |= close
            in_doubt += np.int64(close)
    return in_doubt


@compiled
def _judged(
    z: Floats,
    got: Floats,
    slope: bool,
    tables: Tables,
    form: Form,
    sizes: Sizes,
    errors: Floats,
    wrong: Mask,
    subnormal: Mask,
    doubt: Mask,
) -> np.int64:
    """How many are in doubt."""
    r, f_k, s_k, exact, k = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK, np.int64)
    f, s = tables
    in_doubt = np.int64(0)
    for start in range(0, z.size, CHUNK):
        at = slice(start, start + CHUNK)
        part = z[at]
        n = part.size
        odd = reduce(part, r, k)
        look_up(s, k[:n], s_k)
        if slope:
            slopes(part, r, s_k, exact)
        else:
            look_up(f, k[:n], f_k)
            losses(part, r, f_k, s_k, exact)
        told = _judge(part, got[at], exact, slope, form, sizes, errors[at], wrong[at], subnormal[at], doubt[at])
        in_doubt += told + odd
        if odd:
            for i in range(n):
                doubt[start + i] |= not abs(part[i]) < np.inf
    return in_doubt


def evaluate(z: Floats, slope: bool, tables: Tables) -> Floats:
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
    tables: Tables,
    fmt: Format,
    slack: float,
    found: tuple[Floats, Mask, Mask],
) -> NDArray[np.intp]:
    """Write errors, wrong and subnormal, all 0 before, as the float64 tier decides them; the places where it is in doubt.

    Raises UnfaithfulArithmetic.
    """
    prepare()
    errors, wrong, subnormal = found
    doubt = np.zeros(z.shape, dtype=bool)
    form, sizes = sizes_of(fmt, slack)
    flat = np.ascontiguousarray(z), np.ascontiguousarray(got)
    if not _judged(*flat, slope, tables, form, sizes, errors, wrong, subnormal, doubt):
        return np.arange(0)
    return np.flatnonzero(doubt)


def sizes_of(fmt: Format, slack: float) -> tuple[Form, Sizes]:
    """What the loops have to know of a format."""
    sizes = fmt.smallest_normal, 2.0 ** (fmt.emax + 1), 2.0 ** (fmt.precision - 1) * _UP, slack
    return (fmt.precision, fmt.emin, fmt.emax), sizes
