"""The numbers of a format that a bound accepts: the least and the greatest, so that a bound can travel as data."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

from oracle.ball import Enclosure
from oracle.bounds.acceptance import Acceptance, centre
from oracle.errors import Undecided
from oracle.formats import Floats, Format
from oracle.real import Number, Real
from oracle.ulp import quantum_exponent

_REACH = 2
"""Numbers to either side of an end's centre, rounded: the end's ball is far narrower than one number."""


def accepted_numbers(acceptance: Acceptance) -> tuple[Floats, Floats]:
    """(lowest, highest): the least and the greatest number of the format with rho <= 1, an infinity included.

    Every number between them is accepted. A 0 that is accepted by underflow alone is left aside: `acceptance.zero`
    holds it. Raises Undecided where an exact value is not finite, or where rho does not say where an end is.
    """
    without = replace(acceptance, zero=np.zeros_like(acceptance.zero))
    if not np.isfinite(acceptance.exact.head).all():
        raise Undecided("an exact value that is not finite has no acceptance interval")
    return _outermost(without, without.low, -1), _outermost(without, without.high, 1)


def _outermost(acceptance: Acceptance, end: Enclosure, outward: int) -> Floats:
    """The outermost accepted numbers near an end of the interval."""
    fmt = acceptance.fmt
    guess = fmt.ordinals(fmt.round_array(centre(end)))
    found = np.full(guess.shape, np.nan)
    for step in range(_REACH, -_REACH - 1, -1):
        number = fmt.from_ordinals(guess + outward * step)
        accepted = acceptance.rho(number) <= 1
        if step == _REACH and (accepted & np.isfinite(number)).any():
            raise Undecided("an acceptance interval reaches farther than its end")
        found = np.where(accepted & np.isnan(found), number, found)
        if not np.isnan(found).any():
            break
    if np.isnan(found).any():
        raise Undecided("an acceptance interval holds no number of the format near its end")
    return found


def within_ulps(exact: Real | Number, ulps: Number, fmt: Format) -> tuple[float, float]:
    """(lowest, highest): the least and the greatest number of the format whose `ulp_error` is at most `ulps`.

    exact is finite. An infinity counts as 2**(emax + 1), and so does an exact value that rounds to one: see oracle.ulp.
    Raises NotANumber and NotFinite.
    """
    exact, allowed = Real.of(exact), Real.rational(ulps).constant
    if math.isinf(exact.round(fmt)):
        exact = Real.rational(exact.sign * Fraction(2) ** (fmt.emax + 1))
    room = allowed * Fraction(2) ** quantum_exponent(exact, fmt)
    return -at_most(-exact + room, fmt), at_most(exact + room, fmt)


def at_most(x: Real | Number, fmt: Format) -> float:
    """The greatest number of the format that is not above x; infinity from 2**(emax + 1) on. x is finite.

    Raises NotANumber, and BadArgument for a NaN.
    """
    x = Real.of(x)
    if (x - Fraction(2) ** (fmt.emax + 1)).sign >= 0:
        return math.inf
    nearest = x.round(fmt)
    if math.isinf(nearest):
        return min(nearest, fmt.largest)
    above = (x - Fraction(nearest)).sign < 0
    return float(fmt.neighbours(nearest)[0]) if above else nearest
