"""Correctly rounded decimal text of exact numbers, and of numbers known by a dyadic interval."""

from __future__ import annotations

from fractions import Fraction

from mpmath import libmp

from oracle.dyadic import Dyadic

_MODERATE = 20_000
"""Below this binary exponent, powers of ten are cheap integers; beyond it, logarithms carry the exponent."""


def exact_digits(value: Fraction, n: int) -> str:
    """A rational in decimal, rounded to n significant digits, ties to even."""
    if value == 0:
        return "0"
    digits, exponent = _round(abs(value), n, 0)
    return _format(value < 0, digits, exponent)


def agreed_digits(low: Dyadic, high: Dyadic, n: int, bits: int) -> str | None:
    """The n digits that every number strictly between low and high rounds to; None where they do not agree.

    low and high have the same sign and are not zero.
    """
    negative = low.sign < 0
    if negative:
        low, high = -high, -low
    power, scaled_low, scaled_high = _without_exponent(low, high, bits)
    first = _round(scaled_low, n, 1)
    last = _round(scaled_high, n, -1)
    if first != last:
        return None
    digits, exponent = first
    return _format(negative, digits, exponent + power)


def digits_beside(value: Fraction, lean: int, room: Fraction, n: int) -> str | None:
    """The n digits that every number strictly between value and value + lean * room rounds to; None where they do not agree.

    value is not zero, lean is 1 or -1, and room is smaller than |value|.
    """
    away = lean if value > 0 else -lean
    first, last = _round(abs(value), n, away), _round(abs(value + lean * room), n, -away)
    return _format(value < 0, *first) if first == last else None


def _round(value: Fraction, n: int, lean: int) -> tuple[str, int]:
    """n digits d.ddd and the decimal exponent of a positive number; lean says on which side of it the truth lies."""
    power = value.numerator.bit_length() - value.denominator.bit_length() - 1  # 2**power < value < 2**(power + 2)
    exponent = power * 30102999566 // 10**11 - (power < 0)  # below power * log10(2), by at most 2 + |power| / 10**11
    while value >= Fraction(10) ** (exponent + 1):
        exponent += 1
    scaled = value * Fraction(10) ** (n - 1 - exponent)
    whole, rest = divmod(scaled.numerator, scaled.denominator)
    doubled = 2 * rest - scaled.denominator
    if doubled > 0 or (doubled == 0 and (lean > 0 or (lean == 0 and whole & 1))):
        whole += 1
    if whole == 10**n:
        whole, exponent = whole // 10, exponent + 1
    return _text(whole), exponent


def _text(whole: int) -> str:
    """The decimal digits of an integer >= 0 of any size, in pieces that Python's limit on str(int) lets through."""
    size = int(whole.bit_length() * 0.30103)
    if size < 4000:
        return str(whole)
    upper, lower = divmod(whole, 10 ** (size // 2))
    return _text(upper) + _text(lower).zfill(size // 2)


def _without_exponent(low: Dyadic, high: Dyadic, bits: int) -> tuple[int, Fraction, Fraction]:
    """An integer k and rationals a <= low / 10**k, b >= high / 10**k of moderate size.

    For a huge exponent: 2**e = 10**(e log10 2) = 10**k * 10**f, evaluated with slack 2**-bits.
    """
    if abs(low.exponent) < _MODERATE:
        return 0, low.fraction(), high.fraction()
    working = bits + low.exponent.bit_length() + 40
    nearest = libmp.round_nearest
    ln10 = libmp.mpf_ln10(working, nearest)
    exponent = libmp.from_int(low.exponent)
    tens = libmp.mpf_div(libmp.mpf_mul(exponent, libmp.mpf_ln2(working, nearest), working), ln10, working, nearest)
    k = int(libmp.to_int(tens))
    rest = libmp.mpf_mul(libmp.mpf_sub(tens, libmp.from_int(k), working), ln10, working)
    man, exp = libmp.to_man_exp(libmp.mpf_exp(rest, working, nearest))
    scale = Dyadic(int(man), int(exp)).fraction()
    slack = scale / 2 ** (bits + 4)
    shift = high.exponent - low.exponent
    return k, low.mantissa * (scale - slack), (high.mantissa * Fraction(2) ** shift) * (scale + slack)


def _format(negative: bool, digits: str, exponent: int) -> str:
    """Positional between 1e-5 and 1e21, scientific outside."""
    sign = "-" if negative else ""
    if exponent < -5 or exponent >= max(21, len(digits)):
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{fraction}e{'-' if exponent < 0 else '+'}{_text(abs(exponent))}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    padded = digits.ljust(exponent + 1, "0")
    whole, fraction = padded[: exponent + 1], padded[exponent + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"
