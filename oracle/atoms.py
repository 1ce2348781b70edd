"""Certified enclosures, at any precision, of the three functions that every DPO quantity is made of.

For a rational t >= 0:

    softplus tail   log(1 + e**-t)              loss(z) = max(-z, 0) + tail(|z|)
    sigmoid tail    1 / (1 + e**t)              sigma(-z) for z > 0
    bump            e**t / (1 + e**t)**2        the second derivative of the loss

All three are positive, decreasing, and lie in [e**-t / 4, e**-t]. mpmath evaluates them; what we take from it is
weaker than what it promises: GUARD extra bits are asked for and a relative slack of 2**-precision / 4 is put around the
answer, so an error of up to 2**(GUARD - 4) units in mpmath's last place cannot make an enclosure false.
"""

from __future__ import annotations

from enum import Enum
from fractions import Fraction

from mpmath import libmp

from oracle.dyadic import Dyadic

GUARD = 40
_NEAREST = libmp.round_nearest


class Kind(Enum):
    """Which of the three functions."""

    SOFTPLUS_TAIL = "softplus tail"
    SIGMOID_TAIL = "sigmoid tail"
    BUMP = "bump"


def exponent_bounds(argument: Fraction) -> tuple[int, int]:
    """Integers low <= high with 2**low < atom(argument) <= 2**high, for each of the three kinds, at no cost.

    From e**-t / 4 <= atom <= e**-t and 1.442 < log2(e) < 1.443.
    """
    scaled = argument.numerator * 1442 // argument.denominator
    steeper = argument.numerator * 1443 // argument.denominator
    return -(steeper // 1000) - 4, -(scaled // 1000)


def enclose(kind: Kind, argument: Fraction, precision: int) -> tuple[Dyadic, Dyadic]:
    """low < atom(argument) < high with (high - low) <= 2**-precision * atom, for a rational argument >= 0.

    Error propagation: t is rounded to an absolute error below 2**-working, which e**-t turns into a relative one;
    log1p, y / (1 + y) and y / (1 + y)**2 have relative condition numbers of at most 1 in y; each libmp call adds
    its own rounding. The sum stays far inside the slack.
    """
    working = precision + GUARD
    t_bits = working + max(0, argument.numerator.bit_length() - argument.denominator.bit_length() + 1)
    t = libmp.from_rational(argument.numerator, argument.denominator, t_bits, _NEAREST)
    y = libmp.mpf_exp(libmp.mpf_neg(t), working, _NEAREST)
    value = _FUNCTIONS[kind](y, working)
    return _widen(value, precision)


def _softplus_tail(y: libmp.MPF, working: int) -> libmp.MPF:
    """log(1 + y), relatively accurate for every y in (0, 1]."""
    smallness = -(y[2] + y[3])  # y < 2**-smallness
    if smallness > working:
        return y  # y - y**2 / 2 < log(1 + y) < y, and y / 2 < 2**-working
    return libmp.mpf_log(libmp.mpf_add(libmp.fone, y), working + max(smallness, 0), _NEAREST)


def _sigmoid_tail(y: libmp.MPF, working: int) -> libmp.MPF:
    return libmp.mpf_div(y, libmp.mpf_add(libmp.fone, y, working, _NEAREST), working, _NEAREST)


def _bump(y: libmp.MPF, working: int) -> libmp.MPF:
    whole = libmp.mpf_add(libmp.fone, y, working, _NEAREST)
    return libmp.mpf_div(y, libmp.mpf_mul(whole, whole, working, _NEAREST), working, _NEAREST)


_FUNCTIONS = {Kind.SOFTPLUS_TAIL: _softplus_tail, Kind.SIGMOID_TAIL: _sigmoid_tail, Kind.BUMP: _bump}


def _widen(value: libmp.MPF, precision: int) -> tuple[Dyadic, Dyadic]:
    """The slack: value * (1 -+ 2**-(precision + 2)), rounded outward on an integer grid."""
    _, mantissa, exponent, length = value
    mantissa, exponent, length = int(mantissa), int(exponent), int(length)
    shift = max(0, precision + 8 - length)
    mantissa, exponent = mantissa << shift, exponent - shift
    slack = (mantissa >> (precision + 2)) + 1
    return Dyadic(mantissa - slack, exponent), Dyadic(mantissa + slack, exponent)
