"""Dyadic rationals m * 2**e: the exact numbers that binary arithmetic is made of."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from oracle.arguments import integer
from oracle.errors import BadArgument


@dataclass(frozen=True, slots=True)
class Dyadic:
    """The exact number mantissa * 2**exponent; both are integers of any size.

    Unlike a Fraction it holds e**-1e300 in a few words. Equal numbers may have different fields:
    compare with `compare`, not with ==.
    """

    mantissa: int
    exponent: int

    def __post_init__(self) -> None:
        if type(self.mantissa) is not int or type(self.exponent) is not int:  # a NumPy integer would wrap around
            for name in ("mantissa", "exponent"):
                value = getattr(self, name)
                object.__setattr__(self, name, integer(name, value, "an integer"))

    @property
    def sign(self) -> int:
        """-1, 0 or 1."""
        return (self.mantissa > 0) - (self.mantissa < 0)

    @property
    def top(self) -> int:
        """floor(log2 |x|) of a non-zero x."""
        return self.exponent + self.mantissa.bit_length() - 1

    def __neg__(self) -> Dyadic:
        return Dyadic(-self.mantissa, self.exponent)

    def scaled(self, power: int) -> Dyadic:
        """x * 2**power, exact. Raises NotAnInteger, as building one does."""
        return Dyadic(self.mantissa, self.exponent + integer("power", power, "an integer"))

    def fraction(self) -> Fraction:
        """The same number as a Fraction; a huge exponent makes a huge integer."""
        return Fraction(self.mantissa) * Fraction(2) ** self.exponent

    def compare(self, other: Dyadic) -> int:
        """-1, 0 or 1 as x is below, equal to or above the other, without building huge integers.

        Raises BadArgument for what is no Dyadic.
        """
        if not isinstance(other, Dyadic):
            raise BadArgument("other", other, "a Dyadic")
        if self.sign != other.sign or self.sign == 0:
            return (self.sign > other.sign) - (self.sign < other.sign)
        if self.top != other.top:
            return self.sign if self.top > other.top else -self.sign
        low = min(self.exponent, other.exponent)
        left = self.mantissa << (self.exponent - low)
        right = other.mantissa << (other.exponent - low)
        return (left > right) - (left < right)


def truncate(value: Fraction, bits: int) -> tuple[Dyadic, bool]:
    """The dyadic of at least `bits` significant bits nearest to zero-ward of value, and whether it is inexact.

    A value that is itself dyadic comes back exactly.
    """
    numerator, denominator = value.numerator, value.denominator
    if denominator & (denominator - 1) == 0:
        return Dyadic(numerator, 1 - denominator.bit_length()), False
    shift = max(0, bits + denominator.bit_length() - numerator.bit_length() + 1)
    quotient, remainder = divmod(abs(numerator) << shift, denominator)
    return Dyadic(quotient if numerator >= 0 else -quotient, -shift), remainder != 0
