"""A computable real number that encloses itself at any precision and rounds itself correctly into any format.

Every quantity of a DPO loss with rational inputs is a rational number plus a rational combination of atoms
(`oracle.atoms`) at distinct positive rational arguments. Kept in that canonical form, the number is rational exactly
when it has no atoms left (docs/termination.md, after Lindemann and Weierstrass), so the loops below end: a rational is
rounded by integer arithmetic, and anything else is never at a midpoint and is enclosed until both ends round alike.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from oracle.arguments import integer, read
from oracle.atoms import Kind, enclose, exponent_bounds
from oracle.decimal import agreed_digits, digits_beside, exact_digits
from oracle.dyadic import Dyadic, truncate
from oracle.errors import BadArgument, MixedKinds, NotFinite
from oracle.formats import Format, get_format

if TYPE_CHECKING:
    from typing import Self

MOST_BITS = 2**20
"""The largest precision, whose exponential takes seconds."""
Term = tuple[Kind, Fraction, Fraction]
"""An atom's kind, its argument (> 0, or >= 0 for the softplus tail), and its non-zero coefficient."""
Number = Fraction | Decimal | int | float | str | np.generic
"""A real number, read exactly by `oracle.arguments.read`."""


@dataclass(frozen=True, slots=True)
class Interval:
    """low <= x <= high, both dyadic; equal only where x is that number. Strict at both ends otherwise."""

    low: Dyadic
    high: Dyadic


@dataclass(frozen=True, slots=True)
class Real:
    """constant + sum of coefficient * atom, or one of NaN, +inf, -inf (then `special` holds it).

    Build one with `Real.rational`, `Real.softplus`, `Real.sigmoid` and +, -, and * or / by a rational; == is exact.
    """

    constant: Fraction = Fraction(0)
    terms: tuple[Term, ...] = ()
    special: float | None = None

    # -- building ------------------------------------------------------------------------------------------------

    @classmethod
    def rational(cls, value: Number) -> Self:
        """That number, read exactly. Raises NotANumber and NotFinite."""
        return cls(_fraction("value", value))

    @classmethod
    def nonfinite(cls, value: float) -> Self:
        """NaN, +inf or -inf. Raises BadArgument for anything else."""
        if not isinstance(value, float | np.floating) or np.isfinite(value):
            raise BadArgument("value", value, "a float that is NaN or infinite")
        return cls(special=float(value))

    @classmethod
    def of(cls, value: Real | Number) -> Real:
        """A Real as it is; any other real number, NaN and infinities included, read exactly. Raises NotANumber."""
        if isinstance(value, Real):
            return value
        exact = read("value", value)
        return cls(exact) if isinstance(exact, Fraction) else cls(special=exact)

    @classmethod
    def softplus(cls, x: Number) -> Self:
        """log(1 + e**x) = max(x, 0) + tail(|x|). Raises NotANumber and NotFinite, as the next two do."""
        x = _fraction("x", x)
        return cls(max(x, Fraction(0)), ((Kind.SOFTPLUS_TAIL, abs(x), Fraction(1)),))

    @classmethod
    def sigmoid(cls, x: Number) -> Self:
        """The sigmoid 1 / (1 + e**-x); 1/2 at 0, and 1 - sigmoid(-x) for positive x."""
        x = _fraction("x", x)
        if x == 0:
            return cls(Fraction(1, 2))
        if x < 0:
            return cls(Fraction(0), ((Kind.SIGMOID_TAIL, -x, Fraction(1)),))
        return cls(Fraction(1), ((Kind.SIGMOID_TAIL, x, Fraction(-1)),))

    @classmethod
    def sigmoid_slope(cls, x: Number) -> Self:
        """sigmoid(x) * sigmoid(-x), the derivative of sigmoid; 1/4 at 0."""
        x = _fraction("x", x)
        if x == 0:
            return cls(Fraction(1, 4))
        return cls(Fraction(0), ((Kind.BUMP, abs(x), Fraction(1)),))

    # -- arithmetic ----------------------------------------------------------------------------------------------

    def __add__(self, other: Real | Number) -> Real:
        other = Real.of(other)
        if self.special is None and other.special is None and not (self.terms and other.terms):  # nothing to collect
            return Real(self.constant + other.constant, self.terms or other.terms)
        return total((self, other))

    __radd__ = __add__

    def __neg__(self) -> Real:
        return self * -1

    def __sub__(self, other: Real | Number) -> Real:
        return self + -Real.of(other)

    def __rsub__(self, other: Number) -> Real:
        return -self + other

    def __mul__(self, factor: Number) -> Real:
        factor = _fraction("factor", factor)
        if self.special is not None:
            return Real.nonfinite(math.nan if factor == 0 else (self.special if factor > 0 else -self.special))
        if factor == 0:
            return Real()
        terms = tuple((kind, argument, coefficient * factor) for kind, argument, coefficient in self.terms)
        return Real(self.constant * factor, terms)

    __rmul__ = __mul__

    def __truediv__(self, divisor: Number) -> Real:
        return self * (1 / _fraction("divisor", divisor))

    # -- asking --------------------------------------------------------------------------------------------------

    @property
    def exact(self) -> Fraction | None:
        """The number itself where it is rational, else None."""
        return self.constant if not self.terms and self.special is None else None

    def enclose(self, precision: int) -> Interval:
        """A certified interval around x of width at most 2**-precision * |x|; a point where x is dyadic.

        Raises NotAnInteger and OutOfRange for a precision, and BadArgument where x is NaN or infinite.
        """
        precision = integer("precision", precision, f"a number of bits from 1 to {MOST_BITS:,}", 1, MOST_BITS)
        if self.special is not None:
            raise BadArgument("x", self.special, "a finite number; NaN and infinities have no interval")
        if not self.terms and self.constant.denominator & (self.constant.denominator - 1) == 0:
            point, _ = truncate(self.constant, 1)
            return Interval(point, point)
        bits = precision + 8
        while True:
            low, high = self._enclose_on_grid(bits)
            width = high.mantissa - low.mantissa
            least = min(abs(low.mantissa), abs(high.mantissa))
            if width == 0 or (low.sign == high.sign != 0 and width << precision <= least):
                return Interval(low, high)
            bits *= 2

    def round(self, fmt: Format | str) -> float:
        """x rounded once to nearest, ties to even: a Python float that the format holds, or an infinity, or NaN."""
        fmt = get_format(fmt)
        if self.special is not None:
            return self.special
        if not self.terms:
            return fmt.round_exact(self.constant)
        bits = fmt.precision + 16
        while True:
            low, high = self._enclose_on_grid(bits)
            below, above = fmt.round_exact(low, lean=1), fmt.round_exact(high, lean=-1)
            if below == above and math.copysign(1, below) == math.copysign(1, above):
                return below
            bits *= 2

    def bits(self, fmt: Format | str) -> int:
        """The bit pattern of the correctly rounded value."""
        fmt = get_format(fmt)
        return int(fmt.encode(self.round(fmt)))

    def digits(self, n: int) -> str:
        """x in decimal, correctly rounded to n significant digits (an exact tie goes to the even digit).

        Raises NotAnInteger and OutOfRange.
        """
        n = integer("n", n, f"a number of significant digits from 1 to {MOST_BITS // 4:,}", 1, MOST_BITS // 4)
        if self.special is not None:
            return str(self.special)
        if not self.terms:
            return exact_digits(self.constant, n)
        bits = 4 * n + 32
        while True:
            low, high = self._enclose_on_grid(bits)
            if low.sign == high.sign != 0:
                text = self._digits_beside(n, bits) or agreed_digits(low, high, n, bits)
                if text is not None:
                    return text
            bits *= 2

    def _digits_beside(self, n: int, bits: int) -> str | None:
        """The digits where the constant is all that the grid shows, which may lie at a decimal midpoint; else None."""
        evaluated, negligible, anchor = self._by_size(bits)
        if evaluated:
            return None
        room = len(negligible) * Fraction(2) ** (anchor - bits)
        return digits_beside(self.constant, _side(negligible), room, n)

    @property
    def sign(self) -> int:
        """-1, 0 or 1; raises BadArgument for NaN."""
        if self.special is not None:
            if math.isnan(self.special):
                raise BadArgument("x", self.special, "a number; NaN has no sign")
            return 1 if self.special > 0 else -1
        return self.enclose(1).low.sign if self.terms else (self.constant > 0) - (self.constant < 0)

    def __float__(self) -> float:
        return self.round("binary64")

    def __str__(self) -> str:
        return self.digits(20)

    def __repr__(self) -> str:
        return f"Real({self.digits(20)})"

    # -- the enclosure -------------------------------------------------------------------------------------------

    def _enclose_on_grid(self, bits: int) -> tuple[Dyadic, Dyadic]:
        """low <= x <= high on one grid of 2**-bits times the largest addend; strict unless x is dyadic.

        An atom that is proved smaller than the grid's unit is not evaluated: it is known to lie between 0 and one
        unit, and that strictness is the sticky bit which decides a midpoint at once.
        """
        evaluated, negligible, _ = self._by_size(bits)
        enclosed = [(c, *enclose(kind, argument, bits + 8)) for kind, argument, c in evaluated]
        tops = [_top(c) + high.top for c, _, high in enclosed] + ([_top(self.constant)] if self.constant else [])
        unit = max(tops) - bits
        low = _scaled_floor(self.constant, Dyadic(1, 0), unit)
        high = -_scaled_floor(-self.constant, Dyadic(1, 0), unit)
        for coefficient, below, above in enclosed:
            near, far = (below, above) if coefficient > 0 else (above, below)
            low += _scaled_floor(coefficient, near, unit)
            high += -_scaled_floor(-coefficient, far, unit)
        side = 0 if evaluated else _side(negligible)  # beside evaluated atoms, whose own grid soon shows them, not needed
        low -= sum(c < 0 for *_, c in negligible) * (side <= 0)
        high += sum(c > 0 for *_, c in negligible) * (side >= 0)
        return Dyadic(low, unit), Dyadic(high, unit)

    def _by_size(self, bits: int) -> tuple[list[Term], list[Term], int]:
        """(evaluated, negligible, anchor): the terms that such a grid shows, those proved smaller than its unit, and a
        lower bound of log2 of the largest addend's size. Without a constant at least one term is shown.
        """
        floors = [_top(c) + exponent_bounds(t)[0] - 1 for _, t, c in self.terms]
        anchor = max([*floors, _top(self.constant)] if self.constant else floors)
        evaluated: list[Term] = []
        negligible: list[Term] = []
        for term in self.terms:
            small = _top(term[2]) + 1 + exponent_bounds(term[1])[1] < anchor - bits - 8
            (negligible if small else evaluated).append(term)
        return evaluated, negligible, anchor


def _side(terms: list[Term]) -> int:
    """The sign of a sum of terms that nothing else is added to, at no cost where all have one; 0 for no terms."""
    signs = {1 if c > 0 else -1 for *_, c in terms}
    return signs.pop() if len(signs) == 1 else Real(terms=tuple(terms)).sign if terms else 0


def _fraction(argument: str, value: Number) -> Fraction:
    """A finite number, read exactly."""
    exact = value if type(value) is Fraction else read(argument, value)
    if not isinstance(exact, Fraction):
        raise NotFinite(argument, value, "a finite number")
    return exact


def _top(value: Fraction) -> int:
    """An integer k with 2**(k-1) < |value| < 2**(k+1)."""
    return value.numerator.bit_length() - value.denominator.bit_length()


def _scaled_floor(factor: Fraction, value: Dyadic, unit: int) -> int:
    """floor(factor * value / 2**unit)."""
    numerator = factor.numerator * value.mantissa
    shift = value.exponent - unit
    if shift >= 0:
        return (numerator << shift) // factor.denominator
    if numerator.bit_length() < -shift:  # less than one unit: no huge shift
        return -1 if numerator < 0 else 0
    return numerator // (factor.denominator << -shift)


def total(numbers: Iterable[Real]) -> Real:
    """The exact sum, in canonical form; infinities and NaN as in IEEE 754 (inf - inf is NaN).

    Raises MixedKinds where losses and derivatives are added: no proof decides whether such a sum is rational.
    """
    constant = Fraction(0)
    special: float | None = None
    coefficients: defaultdict[tuple[Kind, Fraction], Fraction] = defaultdict(Fraction)
    for number in numbers:
        if number.special is not None:
            special = number.special if special is None else special + number.special
        constant += number.constant
        for kind, argument, coefficient in number.terms:
            coefficients[kind, argument] += coefficient
    if special is not None:
        return Real.nonfinite(special)
    terms = tuple((kind, argument, c) for (kind, argument), c in coefficients.items() if c)
    kinds = {kind for kind, _, _ in terms}
    if Kind.SOFTPLUS_TAIL in kinds and len(kinds) > 1:
        raise MixedKinds("a loss and a derivative cannot be added: sum losses apart from gradients")
    return Real(constant, tuple(sorted(terms, key=lambda term: (term[0].value, term[1]))))
