"""Returned losses and derivatives of exact logits, judged: their errors in ulps, and which are wrongly rounded.

Three tiers: float64 (`oracle.first_tier`) for the formats of up to 32 bits, double-double (`oracle.enclosure`), `Real`. Each
decides only what its own bound decides; what it leaves open goes up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from oracle import compiled, enclosure, first_tier
from oracle.arguments import floats
from oracle.errors import ShapeMismatch
from oracle.formats import Floats, Format
from oracle.real import Real
from oracle.rounding import compare, ulp_errors
from oracle.rounding import round as rounded
from oracle.ulp import ulp_error

Mask = NDArray[np.bool_]

_EXPONENT = np.int64(0x7FF0_0000_0000_0000)
_DOWN, _UP = 1 - 2.0**-49, 1 + 2.0**-49  # twice the first tier's relative error


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What is certain of n returned numbers.

    errors: in ulps of the format at the unrounded exact value, never below the truth and above it by at most 2**-16, or,
    of errors below 1/2 where the exact value is within 2**-48 of a power of two, by a factor of 2; infinite for a NaN
    where a number is due. wrong: not the correctly rounded value (what the format does not hold is wrong). subnormal: the
    exact value is below the smallest normal number. escalated: how many numbers the float64 tier did not decide, and how
    many of them double-double did not.
    """

    errors: Floats
    wrong: Mask
    subnormal: Mask
    escalated: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Function:
    """One function of the logit on its three tiers; within: floats that enclose its exact values, however close."""

    first: Callable[[Floats], Floats]
    second: Callable[[Floats], enclosure.Enclosure]
    exact: Callable[[Fraction], Real]
    within: Callable[[Floats], tuple[Floats, Floats]]


def _within_losses(z: Floats) -> tuple[Floats, Floats]:
    """F > -z, and f > 0."""
    return np.maximum(-z, 0.0), np.full_like(z, np.inf)


def _within_slopes(z: Floats) -> tuple[Floats, Floats]:
    """0 < s < 1/2 for z > 0, 1/2 < s < 1 for z < 0, and s(0) = 1/2."""
    return np.where(z > 0, 0.0, 0.5), np.where(z > 0, np.nextafter(0.5, 0), np.where(z < 0, np.nextafter(1.0, 0), 0.5))


_LOSS = _Function(first_tier.softplus_minus, enclosure.softplus_minus, lambda z: Real.softplus(-z), _within_losses)
_SLOPE = _Function(first_tier.sigmoid_minus, enclosure.sigmoid_minus, lambda z: Real.sigmoid(-z), _within_slopes)


def losses(z: Floats, got: Floats, fmt: Format) -> Judged:
    """Returned losses against f(z) = log1p(exp(-z)): z and got are n numbers each that float64 holds, got of the format.

    Raises NotANumber, NotBinary64 and ShapeMismatch.
    """
    return _judged(_LOSS, z, got, fmt)


def derivatives(z: Floats, got: Floats, fmt: Format) -> Judged:
    """Returned derivatives against s(z) = sigma(-z): z and got as in `losses`, and what it raises."""
    return _judged(_SLOPE, z, got, fmt)


def _judged(function: _Function, z: Floats, got: Floats, fmt: Format) -> Judged:
    z, got = floats("z", z), floats("got", got)
    if z.ndim != 1 or z.shape != got.shape:
        raise ShapeMismatch(f"z and got are n numbers each: z {z.shape}, got {got.shape}")
    judged = Judged(np.zeros(z.shape), np.zeros(z.shape, dtype=bool), np.zeros(z.shape, dtype=bool), (0, 0))
    with np.errstate(all="ignore"):
        if fmt.width <= 32 and compiled.worth("first", z.size):
            from oracle.compiled import first  # noqa: PLC0415 - imports numba

            found = judged.errors, judged.wrong, judged.subnormal
            at = first.judged(z, got, function is _SLOPE, first_tier.tables(), fmt, first_slack(fmt), found)
        elif fmt.width <= 32:
            blocks = range(0, z.size, first_tier.BLOCK)
            doubtful = [_first(function, z, got, fmt, judged, slice(at, at + first_tier.BLOCK)) for at in blocks]
            at = np.concatenate([np.arange(0), *doubtful])
        else:
            at = np.arange(z.size)
        return _raised(function, z, got, fmt, judged, at) if at.size else judged


def _first(function: _Function, z: Floats, got: Floats, fmt: Format, judged: Judged, block: slice) -> NDArray[np.intp]:
    """Judge a block by the float64 tier; the places where it is in doubt.

    Derived in docs/enclosures.md, section "What the float64 tier decides".
    """
    z, got = z[block], got[block]
    highest = z.max()
    odd = np.arange(0) if np.isfinite(highest) and np.isfinite(z.min()) else np.flatnonzero(~np.isfinite(z))
    if odd.size:
        z = np.where(np.isfinite(z), z, 0.0)
        highest = z.max()
    exact = function.first(z)
    power = _power_below(exact * _DOWN)
    deep = highest > -0.69 * fmt.emin  # both functions are above 2**emin before that
    if deep:
        np.maximum(power, fmt.smallest_normal, out=power)
    slack = first_slack(fmt)
    errors = _errors(got, exact, power, fmt, slack, judged.errors[block])
    placed = got
    if not np.isfinite(errors.max()):
        placed = _placed(got, fmt)
        errors = _errors(placed, exact, power, fmt, slack, errors)
    far = errors >= 0.5
    np.logical_or(far, _differs_from_held(got, fmt), out=judged.wrong[block])
    doubtful = [odd]
    at = np.flatnonzero(far)
    if at.size:
        low, high = function.within(z[at])
        power = np.maximum(_power_below(np.maximum(exact[at] * _DOWN, low)), fmt.smallest_normal)
        one_binade = _power_below(np.minimum(exact[at] * _UP, high)) <= power
        errors[at] = _errors(placed[at], exact[at], power, fmt, slack, np.empty(at.size))
        doubtful.append(at[~(one_binade & (errors[at] * _DOWN - 2 * slack > 0.5)) & ~np.isnan(got[at])])
    if placed is not got:
        errors[np.isnan(got)] = np.inf
    if deep:
        np.less(exact, fmt.smallest_normal, out=judged.subnormal[block])
        doubtful.append(np.flatnonzero(np.abs(exact - fmt.smallest_normal) <= fmt.smallest_normal * 2.0**-48))
    return np.unique(np.concatenate(doubtful)) + block.start if any(part.size for part in doubtful) else odd


def first_slack(fmt: Format) -> float:
    """The first tier's error in ulps: 2**-50 of a value below 2**p quanta, and 2**-184 in quanta of at least 2**-149."""
    return 2.0 ** (fmt.precision - 49) + 2.0**-30


def _errors(got: Floats, exact: Floats, power: Floats, fmt: Format, slack: float, out: Floats) -> Floats:
    """|got - exact| in ulps of the binade at that power of two, rounded up, written to out."""
    np.subtract(got, exact, out=out)
    np.abs(out, out=out)
    out /= power
    out *= 2.0 ** (fmt.precision - 1) * _UP
    out += slack
    return out


def _placed(got: Floats, fmt: Format) -> Floats:
    """The numbers themselves; an infinity at 2**(emax + 1), and a NaN, whose place does not matter, there too."""
    return np.where(np.isfinite(got), got, np.copysign(2.0 ** (fmt.emax + 1), got))


def _power_below(x: Floats) -> Floats:
    """The largest power of two not above each positive normal number, and infinity for infinity."""
    power: Floats = (x.view(np.int64) & _EXPONENT).view(np.float64)
    return power


def _differs_from_held(got: Floats, fmt: Format) -> Mask:
    """Where the number is not one that the format holds; a NaN differs from everything."""
    if fmt.width == 32:
        return np.asarray(got.astype(np.float32) != got)
    return np.asarray(fmt.round_array(got) != got)


def _raised(function: _Function, z: Floats, got: Floats, fmt: Format, judged: Judged, at: NDArray[np.intp]) -> Judged:
    """The numbers at those places judged by double-double, and by Real where that leaves them open."""
    size = at.size
    if compiled.worth("second", size):
        from oracle.compiled import judge  # noqa: PLC0415 - imports numba

        errors, wrong, settled = judge.raised(z[at], got[at], function is _SLOPE, fmt)
        judged.errors[at], judged.wrong[at], judged.subnormal[at] = errors, wrong, False
        at = at[~settled]
    ball, answers = function.second(z[at]), got[at]
    low, high = ulp_errors(ball, answers, fmt, function.within(z[at]))
    nearest, decided = rounded(ball, fmt)
    judged.errors[at] = high
    judged.wrong[at] = _differs(answers, nearest)
    side, known = compare(ball, np.full(at.size, fmt.smallest_normal))
    judged.subnormal[at] = side > 0
    decided &= known | np.isnan(ball.head)
    tight = (high == low) | (high - low <= np.maximum(2.0**-16, high * 2.0**-20))
    last = np.flatnonzero(~(decided & tight))
    for i in last:
        exact = function.exact(Fraction(float(z[at[i]])))
        judged.errors[at[i]] = ulp_error(float(answers[i]), exact, fmt)
        judged.wrong[at[i]] = bool(_differs(answers[i], np.asarray(exact.round(fmt))))
        judged.subnormal[at[i]] = (exact - Fraction(fmt.smallest_normal)).sign < 0
    return replace(judged, escalated=(size, last.size))


def _differs(got: Floats, nearest: Floats) -> Mask:
    """True where they are not the same number; a NaN is the same as a NaN, and 0 as -0."""
    return np.asarray((got != nearest) & ~(np.isnan(got) & np.isnan(nearest)))
