"""A number given by ever narrower enclosures: what log-probabilities and everything made of them are.

Each has a function that, asked for `bits`, gives rationals low < x < high, or x itself. Rounding encloses until both ends round
alike (Ziv). Where a theorem says that x is transcendental (docs/termination.md, "From logits") that ends; where none does, the
loop gives up at LIMIT bits with Undecided, and says nothing false.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from mpmath import libmp

from oracle.atoms import GUARD, Kind, enclose
from oracle.decimal import agreed_digits, exact_digits
from oracle.dyadic import Dyadic
from oracle.errors import BadArgument, Undecided
from oracle.formats import Format, get_format

LIMIT = 1 << 14
"""Bits after which a number that no theorem calls irrational is given up."""
Ends = tuple[Fraction, Fraction]


class Computable:
    """A real number that encloses itself; or an exact rational; or NaN or an infinity (then `special` holds it).

    +, -, and * with another, or with a rational; `round`, `digits`, `sign`, `enclose`. proven: a theorem says that it is no
    rational number, so that rounding it ends.
    """

    def __init__(
        self,
        enclosing: Callable[[int], Ends] | None = None,
        *,
        exact: Fraction | None = None,
        special: float | None = None,
        proven: bool = False,
    ) -> None:
        self.exact = exact
        self.special = special
        self.proven = proven
        self._enclosing = None if enclosing is None else lru_cache(maxsize=4)(enclosing)

    @classmethod
    def of(cls, value: Computable | Fraction | int) -> Computable:
        """A rational as it is; a Computable unchanged."""
        return value if isinstance(value, Computable) else cls(exact=Fraction(value))

    def ends(self, bits: int) -> Ends:
        """low <= x <= high, strictly unless x is that number; the width tends to 0 as bits grows. Raises BadArgument."""
        if self.special is not None:
            raise BadArgument("x", self.special, "a finite number; NaN and infinities have no interval")
        if self.exact is not None:
            return self.exact, self.exact
        assert self._enclosing is not None
        return self._enclosing(bits)

    # -- arithmetic ----------------------------------------------------------------------------------------------

    def __add__(self, other: Computable | Fraction | int) -> Computable:
        other = Computable.of(other)
        if self.special is not None or other.special is not None:
            return Computable(special=_float(self) + _float(other))
        if self.exact is not None and other.exact is not None:
            return Computable(exact=self.exact + other.exact)
        proven = (self.proven and other.exact is not None) or (other.proven and self.exact is not None)
        return Computable(lambda bits: _sum(self.ends(bits), other.ends(bits)), proven=proven)

    __radd__ = __add__

    def __neg__(self) -> Computable:
        return self * -1

    def __sub__(self, other: Computable | Fraction | int) -> Computable:
        return self + -Computable.of(other)

    def __rsub__(self, other: Fraction | int) -> Computable:
        return -self + other

    def __mul__(self, other: Computable | Fraction | int) -> Computable:
        other = Computable.of(other)
        if self.special is not None or other.special is not None:
            return Computable(special=_float(self) * _float(other))
        if self.exact == 0 or other.exact == 0:
            return Computable(exact=Fraction(0))
        if self.exact is not None and other.exact is not None:
            return Computable(exact=self.exact * other.exact)
        proven = (self.proven and other.exact is not None) or (other.proven and self.exact is not None)
        return Computable(lambda bits: _product(self.ends(bits), other.ends(bits)), proven=proven)

    __rmul__ = __mul__

    # -- asking --------------------------------------------------------------------------------------------------

    def enclose(self, precision: int) -> Ends:
        """Rational ends around x, at most 2**-precision * |x| apart.

        Raises BadArgument for a precision below 1 and where x is NaN or infinite, and Undecided.
        """
        if precision < 1:
            raise BadArgument("precision", precision, "a number of bits, 1 or more")
        bits = precision + 8
        while True:
            low, high = self.ends(bits)
            if low == high or ((low > 0) == (high > 0) and (high - low) * 2**precision <= min(abs(low), abs(high))):
                return low, high
            bits = self._more(bits)

    def round(self, fmt: Format | str) -> float:
        """x rounded once to nearest even, as a Python float; an infinity; or NaN. Raises Undecided."""
        fmt = get_format(fmt)
        if self.special is not None:
            return self.special
        if self.exact is not None:
            return fmt.round_exact(self.exact)
        bits = fmt.precision + 16
        while True:
            low, high = self._grid(bits)
            below, above = fmt.round_exact(low, lean=1), fmt.round_exact(high, lean=-1)
            if below == above and math.copysign(1, below) == math.copysign(1, above):
                return below
            bits = self._more(bits)

    def bits(self, fmt: Format | str) -> int:
        """The bit pattern of the correctly rounded value. Raises Undecided."""
        known = get_format(fmt)
        return int(known.encode(self.round(known)))

    def digits(self, n: int) -> str:
        """x in decimal, correctly rounded to n significant digits. Raises BadArgument for n below 1, and Undecided."""
        if n < 1:
            raise BadArgument("n", n, "a number of significant digits, 1 or more")
        if self.special is not None:
            return str(self.special)
        if self.exact is not None:
            return exact_digits(self.exact, n)
        bits = 4 * n + 32
        while True:
            low, high = self._grid(bits)
            text = agreed_digits(low, high, n, bits) if low.sign == high.sign != 0 else None
            if text is not None:
                return text
            bits = self._more(bits)

    @property
    def sign(self) -> int:
        """-1, 0 or 1. Raises BadArgument for NaN, and Undecided."""
        if self.special is not None:
            if math.isnan(self.special):
                raise BadArgument("x", self.special, "a number; NaN has no sign")
            return 1 if self.special > 0 else -1
        low, _ = self.enclose(1)
        return (low > 0) - (low < 0)

    def __float__(self) -> float:
        return self.round("binary64")

    def __str__(self) -> str:
        return self.digits(20)

    def __repr__(self) -> str:
        return f"Computable({self.digits(20)})"

    def _grid(self, bits: int) -> tuple[Dyadic, Dyadic]:
        """The ends, outward on a grid of 2**-bits of the larger: still strict."""
        low, high = self.ends(bits)
        size = max(abs(low), abs(high))
        unit = size.numerator.bit_length() - size.denominator.bit_length() - bits - 8
        step = Fraction(2) ** unit
        return Dyadic(math.floor(low / step), unit), Dyadic(math.ceil(high / step), unit)

    def _more(self, bits: int) -> int:
        if not self.proven and bits >= LIMIT:
            raise Undecided(f"not decided at {bits} bits, and no theorem says that the number is irrational")
        return 2 * bits


def _float(x: Computable) -> float:
    """The special value, or a finite float of the same sign."""
    return x.special if x.special is not None else float(x.sign)


def _sum(a: Ends, b: Ends) -> Ends:
    return a[0] + b[0], a[1] + b[1]


def _product(a: Ends, b: Ends) -> Ends:
    products = [x * y for x in a for y in b]
    return min(products), max(products)


# -- functions -----------------------------------------------------------------------------------------------------------


def softplus(x: Computable, *, proven: bool = False) -> Computable:
    """log(1 + e**x), which increases: the image of the ends."""
    if x.special is not None:
        return Computable(exact=Fraction(0)) if x.special == -math.inf else Computable(special=x.special)

    def ends(bits: int) -> Ends:
        low, high = x.ends(bits)
        return _softplus(low, bits, 0), _softplus(high, bits, 1)

    return Computable(ends, proven=proven)


def _softplus(x: Fraction, bits: int, side: int) -> Fraction:
    return max(x, Fraction(0)) + enclose(Kind.SOFTPLUS_TAIL, abs(x), bits)[side].fraction()


def sigmoid(x: Computable) -> Computable:
    """1/(1 + e**-x), which increases: 1/2 at 0."""
    if x.special is not None:
        return Computable(special=x.special) if math.isnan(x.special) else Computable(exact=Fraction(int(x.special > 0)))
    if x.exact == 0:
        return Computable(exact=Fraction(1, 2))

    def ends(bits: int) -> Ends:
        low, high = x.ends(bits)
        return _sigmoid(low, bits, 0), _sigmoid(high, bits, 1)

    return Computable(ends, proven=x.exact is not None)


def _sigmoid(x: Fraction, bits: int, side: int) -> Fraction:
    if x <= 0:
        return enclose(Kind.SIGMOID_TAIL, -x, bits)[side].fraction()
    return 1 - enclose(Kind.SIGMOID_TAIL, x, bits)[1 - side].fraction()


def exponential(x: Fraction, bits: int) -> Ends:
    """low < e**x < high, relative width below 2**-bits; GUARD bits more are asked of mpmath, as in `oracle.atoms`."""
    working = bits + GUARD + max(0, x.numerator.bit_length() - x.denominator.bit_length() + 1)
    value = libmp.mpf_exp(libmp.from_rational(x.numerator, x.denominator, working), bits + GUARD)
    middle = Fraction(int(value[1])) * Fraction(2) ** int(value[2])
    return middle * (1 - Fraction(1, 2 ** (bits + 2))), middle * (1 + Fraction(1, 2 ** (bits + 2)))


def log1p(x: Fraction, bits: int) -> Ends:
    """low < log(1 + x) < high for x > 0, relative width below 2**-bits."""
    working = bits + GUARD
    y = libmp.from_rational(x.numerator, x.denominator, working)
    smallness = max(0, -(y[2] + y[3]))
    value = y if smallness > working else libmp.mpf_log(libmp.mpf_add(libmp.fone, y), working + smallness)
    middle = Fraction(int(value[1])) * Fraction(2) ** int(value[2])
    return middle * (1 - Fraction(1, 2 ** (bits + 2))), middle * (1 + Fraction(1, 2 ** (bits + 2)))
