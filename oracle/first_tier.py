"""log1p(exp(-z)) and 1/(1 + exp(z)) in plain float64 to a proved relative error of 2**-50: the first tier.

It decides nearly every 16- and 32-bit result at a few nanoseconds; what it leaves open goes to `oracle.enclosure`. Both
functions are tabulated at the multiples of 1/256 by the certified kernel and carried to z by a quartic Taylor step, whose
coefficients are polynomials in s because f' = -s and s' = -s(1 - s). IEEE-754 +, - and * alone, no libm: the same bits on
every machine that passes `assert_ieee`. Proof: docs/enclosures.md, section "The float64 tier"; tests/oracle/
test_first_tier.py checks it entry by entry in interval arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from oracle import compiled, kernel
from oracle.arguments import floats
from oracle.ball import prepare
from oracle.doubledouble import Floats, power_of_two
from oracle.errors import NotFinite

RELATIVE_ERROR = 2.0**-50
LEAST = 2.0**-184  # beyond |z| = REACH the tail, which is smaller, is wrong by up to its own size
GRID = 256
REACH = 128.0
HALF_STEP = 0.5 / GRID
BLOCK = 16384  # the arrays of a block stay in the cache
_SIXTH, _TWENTY_FOURTH = 1 / 6, 1 / 24


def softplus_minus(z: Floats) -> Floats:
    """F of z's shape with |F - f| <= 2**-50 F + 2**-184, f = log1p(exp(-z)), for finite z that float64 holds.

    Raises NotANumber, NotBinary64 and NotFinite.
    """
    z = floats("z", z)
    if compiled.worth("first", z.size):
        from oracle.compiled import first  # noqa: PLC0415 - imports numba

        _ends(z)
        return first.evaluate(z, False, tables())
    return _in_blocks(_softplus_minus, z)


def sigmoid_minus(z: Floats) -> Floats:
    """S of z's shape with |S - s| <= 2**-50 S + 2**-184, s = 1/(1 + exp(z)), for finite z that float64 holds.

    Raises NotANumber, NotBinary64 and NotFinite.
    """
    z = floats("z", z)
    if compiled.worth("first", z.size):
        from oracle.compiled import first  # noqa: PLC0415 - imports numba

        _ends(z)
        return first.evaluate(z, True, tables())
    return _in_blocks(_sigmoid_minus, z)


@cache
def tables() -> tuple[Floats, Floats]:
    """f and s at k/256 for k = 0 .. 32768: the heads of the certified kernel's results, within (1/2 + 2**-17) ulp."""
    t = np.arange(int(GRID * REACH) + 1) / GRID
    values = kernel.evaluate((t, np.zeros_like(t)))
    scale = power_of_two(values.exponent)
    return values.f[0] * scale, values.s[0] * scale


def _in_blocks(function: Callable[[Floats, float, float], Floats], z: Floats) -> Floats:
    prepare()
    with np.errstate(under="ignore"):
        if z.ndim == 1 and 0 < z.size <= BLOCK:
            return function(z, *_ends(z))
        flat = z.reshape(-1)
        result = np.empty(flat.shape)
        for start in range(0, flat.size, BLOCK):
            block = flat[start : start + BLOCK]
            result[start : start + BLOCK] = function(block, *_ends(block))
    return result.reshape(z.shape)


def _ends(z: Floats) -> tuple[float, float]:
    """The least and the largest. Raises NotFinite for a NaN or an infinity, whose result would look like a number."""
    least, largest = float(z.min(initial=np.inf)), float(z.max(initial=-np.inf))
    if not (-np.inf < least and largest < np.inf):
        raise NotFinite("z", z[~np.isfinite(z)][0], "finite logits")
    return least, largest


Entry = Floats | np.float64


def _near(z: Floats, lowest: float, highest: float, f: Floats, s: Floats) -> tuple[Floats, Floats, Entry, Entry]:
    """(scratch, r, f(k/GRID), s(k/GRID)): min(|z|, REACH) = k/GRID + r exactly, |r| <= 2**-9.

    A block without any k but 0 gets the two entries themselves: the same numbers, without looking them up.
    """
    r = np.abs(z)
    if max(highest, -lowest) <= HALF_STEP:
        return np.empty_like(r), r, f[0], s[0]
    np.minimum(r, REACH, out=r)
    n = np.rint(r * GRID)
    k = n.astype(np.intp)
    n *= 1 / GRID
    r -= n
    return n, r, np.take(f, k, mode="clip"), np.take(s, k, mode="clip")


def _softplus_minus(z: Floats, lowest: float, highest: float) -> Floats:
    f, s = tables()
    if highest < -REACH:
        return -z
    if lowest > REACH:
        return np.full_like(z, f[-1])
    h, r, f_k, s_k = _near(z, lowest, highest, f, s)
    v = s_k - s_k * s_k
    turn = s_k * (1 / 3) - _SIXTH
    # f(k/256 + r) = f_k + r(-s_k + r v(1/2 + r((2s_k - 1)/6 + r(1 - 6v)/24)))
    np.multiply(r, v * -0.25 + _TWENTY_FOURTH, out=h)
    h += turn
    h *= r
    h += 0.5
    h *= v
    h *= r
    h -= s_k
    h *= r
    h += f_k
    if lowest < 0:  # f(-t) = t + f(t)
        h += np.maximum(-z, 0.0)
    return h


def _sigmoid_minus(z: Floats, lowest: float, highest: float) -> Floats:
    f, s = tables()
    if lowest > REACH or highest < -REACH:
        return np.full_like(z, s[-1] if lowest > 0 else 1.0)
    h, r, _, s_k = _near(z, lowest, highest, f, s)
    v = s_k - s_k * s_k
    w = s_k * -2.0 + 1.0
    # s(k/256 + r) = s_k + r v(-1 + r(w/2 + r(v - 1/6 + r w(1/24 - v/2)))), w = 1 - 2s_k
    np.multiply(r, (v * -0.5 + _TWENTY_FOURTH) * w, out=h)
    h += v
    h -= _SIXTH
    h *= r
    h += w * 0.5
    h *= r
    h -= 1.0
    h *= v
    h *= r
    h += s_k
    if lowest < 0:  # s(-t) = 1 - s(t)
        sign = np.copysign(1.0, z)
        h *= sign
        h += 0.5 - 0.5 * sign
    return h
