"""A real number known by enclosures alone, of which no theorem says that it is irrational.

It has `Real`'s questions: `round`, `bits`, `digits`, `enclose`, `sign`. Each asks for enclosures of doubling precision, up to
LIMIT bits; what they do not settle then raises `Undecided`. Nothing is guessed and no loop is unbounded
(docs/termination.md, "Losses that the theorem does not cover").

An interval is two mpf numbers of mpmath's libmp. As in `oracle.atoms`, less is taken from libmp than it promises: every
operation is asked for GUARD more bits than are used, and its result is widened by a relative 2**-bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias, TypeVar

from mpmath import libmp

from oracle.atoms import GUARD
from oracle.decimal import agreed_digits
from oracle.dyadic import Dyadic
from oracle.errors import BadArgument, Undecided
from oracle.formats import Format, get_format
from oracle.real import Interval, Real

LIMIT = 1 << 14
"""Bits. An answer that needs more is refused."""
FIRST = 128
_NEAREST = libmp.round_nearest

Mpf: TypeAlias = Any  # (sign, mantissa, exponent, bits)
Ends: TypeAlias = tuple[Mpf, Mpf]
"""low <= x <= high."""


T = TypeVar("T")


class TooWide(Exception):
    """An operand's enclosure does not yet say what an operation needs: the sign of a divisor, a logarithm's domain."""


@dataclass(frozen=True, slots=True, eq=False)
class Computable:
    """The number whose enclosure at a precision of `bits` an operation and its operands give."""

    operation: Callable[..., Ends]
    operands: tuple[Number, ...]
    _known: dict[int, Ends] = field(default_factory=dict)

    def interval(self, bits: int) -> Ends:
        """An enclosure that narrows as bits grows. Raises TooWide where bits are too few for an operation."""
        if bits not in self._known:
            self._known[bits] = self.operation(*(interval(operand, bits) for operand in self.operands), bits)
        return self._known[bits]

    def enclose(self, precision: int) -> Interval:
        """A certified interval of width at most 2**-precision |x|. Raises BadArgument below 1, and Undecided."""
        if precision < 1:
            raise BadArgument("precision", precision, "a number of bits, 1 or more")

        def narrow(low: Dyadic, high: Dyadic, _: int) -> Interval | None:
            if low.sign != high.sign or not low.sign:
                return None
            unit = min(low.exponent, high.exponent)
            first, last = (end.mantissa << (end.exponent - unit) for end in (low, high))
            return Interval(low, high) if (last - first) << precision <= min(abs(first), abs(last)) else None

        return self._settle(narrow, precision + 16, f"{precision} bits of it")

    def round(self, fmt: Format | str) -> float:
        """x rounded once to nearest, ties to even. Raises Undecided where x is too near to a midpoint to tell."""
        known = get_format(fmt)

        def rounded(low: Dyadic, high: Dyadic, bits: int) -> float | None:
            below, above = known.round_exact(low, lean=1), known.round_exact(high, lean=-1)
            return below if below == above and math.copysign(1, below) == math.copysign(1, above) else None

        return self._settle(rounded, known.precision + 40, f"its rounding into {known.name}")

    def bits(self, fmt: Format | str) -> int:
        """The bit pattern of the correctly rounded value."""
        known = get_format(fmt)
        return int(known.encode(self.round(known)))

    def digits(self, n: int) -> str:
        """x in decimal, correctly rounded to n significant digits. Raises BadArgument for n below 1, and Undecided."""
        if n < 1:
            raise BadArgument("n", n, "a number of significant digits, 1 or more")

        def agreed(low: Dyadic, high: Dyadic, bits: int) -> str | None:
            return agreed_digits(low, high, n, bits) if low.sign == high.sign != 0 else None

        return self._settle(agreed, 4 * n + 32, f"{n} digits of it")

    @property
    def sign(self) -> int:
        """-1 or 1; raises Undecided where x cannot be told from 0."""
        return self._settle(lambda low, high, _: low.sign if low.sign == high.sign != 0 else None, FIRST, "its sign")

    @property
    def special(self) -> None:
        """None: a Computable is a finite number. `Real` holds NaN and infinities."""
        return

    @property
    def exact(self) -> None:
        """None: not known to be rational."""
        return

    def _settle(self, decide: Callable[[Dyadic, Dyadic, int], T | None], bits: int, wanted: str) -> T:
        while bits <= LIMIT:
            try:
                low, high = (_dyadic(end) for end in self.interval(bits))
            except TooWide:
                bits *= 2
                continue
            # ends of very different size decide nothing, and aligning them could take all memory
            near = low.sign != high.sign or abs(low.top - high.top) <= bits
            answer = decide(low, high, bits) if near else None
            if answer is not None:
                return answer
            bits *= 2
        raise Undecided(f"{LIMIT} bits of the number do not settle {wanted}, and no theorem says that more would do")

    def __float__(self) -> float:
        return self.round("binary64")

    def __str__(self) -> str:
        return self.digits(20)

    def __repr__(self) -> str:
        return f"Computable({self.digits(20)})"


Number: TypeAlias = Fraction | Real | Computable
"""A finite exact number, in the simplest form in which it is known."""


def interval(x: Number, bits: int) -> Ends:
    """An enclosure of a number, of relative width about 2**-bits where it is rational or a Real."""
    if isinstance(x, Computable):
        return x.interval(bits)
    if isinstance(x, Real):
        known = x.enclose(bits)
        return _mpf(known.low), _mpf(known.high)
    if x == 0:
        return libmp.fzero, libmp.fzero
    return widened(libmp.from_rational(x.numerator, x.denominator, bits + GUARD, _NEAREST), bits)


def widened(x: Mpf, bits: int) -> Ends:
    """x (1 -+ 2**-bits), for an x that libmp gave at bits + GUARD; 0 stays."""
    slack = libmp.mpf_shift(libmp.mpf_abs(x), -bits)
    working = bits + GUARD
    return libmp.mpf_sub(x, slack, working, libmp.round_floor), libmp.mpf_add(x, slack, working, libmp.round_ceiling)


def _mpf(x: Dyadic) -> Mpf:
    return libmp.from_man_exp(x.mantissa, x.exponent)


def _dyadic(x: Mpf) -> Dyadic:
    sign, mantissa, exponent, _ = x
    return Dyadic(-int(mantissa) if sign else int(mantissa), int(exponent))
