"""The error of one returned number in ulps of the unrounded exact value.

Source: the definition is Goldberg's quantum with the exponent clamped to the format's range; infinities by the rounding
rule, as in Zimmermann et al., "Accuracy of Mathematical Functions in Single, Double, ... Precision".
"""

from __future__ import annotations

import math
from fractions import Fraction

from oracle.arguments import Extended, read
from oracle.doubledouble import assembled
from oracle.dyadic import Dyadic
from oracle.formats import Format
from oracle.real import Number, Real


def ulp_error(got: Number, exact: Real | Number, fmt: Format) -> float:
    """|got - exact| / quantum(exact), in ulps, as a float rounded up; 0.5 at most for a correctly rounded result.

    An infinity where |exact| is below the overflow threshold counts as 2**(emax + 1); a finite `got` where the exact
    value rounds to infinity, and the infinity of the other sign, are measured from there. NaN for a number, a number
    for NaN, and anything but the same infinity for an infinite exact value are infinite errors. got and exact are read
    exactly, whatever number they are; raises NotANumber.
    """
    got_exactly, exact = read("got", got), Real.of(exact)
    if exact.special is not None or (isinstance(got_exactly, float) and math.isnan(got_exactly)):
        return _special_error(got_exactly, exact)
    beyond = Fraction(2) ** (fmt.emax + 1)
    rounded = exact.round(fmt)
    if math.isinf(rounded):
        if got_exactly == rounded:
            return 0.0
        exact = Real.rational(beyond * exact.sign)
    place = beyond * (1 if got_exactly > 0 else -1) if isinstance(got_exactly, float) else got_exactly
    difference = exact - place
    if difference.exact == 0:
        return 0.0
    return _up(difference, quantum_exponent(exact, fmt))


def _special_error(got: Extended, exact: Real) -> float:
    """Equal NaNs and equal infinities are no error; anything else is infinite."""
    special = exact.special
    same = special is not None and (got == special or (got != got and math.isnan(special)))  # noqa: PLR0124 - a NaN
    return 0.0 if same else math.inf


def quantum_exponent(exact: Real | Number, fmt: Format) -> int:
    """log2 of the ulp at the exact value, decided by enclosing it until both ends share a binade.

    It ends: docs/termination.md, "The quantum". Raises NotANumber, and BadArgument for what is not finite.
    """
    exact = Real.of(exact)
    if exact.exact == 0:
        return fmt.emin - fmt.precision + 1
    bits = 16
    while True:
        interval = exact.enclose(bits)
        near, far = (interval.low, interval.high) if interval.low.sign > 0 else (-interval.high, -interval.low)
        least, most = fmt.quantum_exponent(near), fmt.quantum_exponent(far)
        # |x| < far where they differ: a power of two there is left to the binade below
        if least == most or (far.compare(Dyadic(1, far.top)) == 0 and fmt.quantum_exponent(Dyadic(1, far.top - 1)) == least):
            return least
        bits *= 2


def _up(difference: Real, quantum_exponent: int) -> float:
    """|difference| / 2**quantum_exponent as a float, never below the truth."""
    interval = difference.enclose(60)
    far = max(abs(interval.low.mantissa), abs(interval.high.mantissa))
    exponent = interval.low.exponent - quantum_exponent
    shift = max(0, far.bit_length() - 53, -1074 - exponent)
    kept = (far >> shift) + (1 if far & ((1 << shift) - 1) else 0) if shift <= far.bit_length() else 1
    too_large = kept.bit_length() + exponent + shift > 1024
    return math.inf if too_large else assembled(kept, exponent + shift)
