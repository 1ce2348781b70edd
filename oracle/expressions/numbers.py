"""Arithmetic and kernels on finite exact numbers: a Fraction where it is rational, a Real where it has that form, else a
Computable, whose operations here are enclosures by mpmath's libmp.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

from mpmath import libmp

from oracle.atoms import GUARD
from oracle.computable import Computable, Ends, Mpf, Number, TooWide, widened
from oracle.errors import MixedKinds
from oracle.expressions.nodes import Kernel
from oracle.real import Real
from oracle.real import total as total_of_reals

_N = libmp.round_nearest


class Pole(ArithmeticError):
    """A kernel or a quotient was asked for where it is infinite: a division by 0, a logarithm of 0."""

    def __init__(self, sign: int) -> None:
        super().__init__("infinite")
        self.sign = sign


class OutsideDomain(ArithmeticError):
    """A kernel was asked for where it has no real value: the logarithm of a negative number."""


def simplest(x: Number) -> Number:
    """A Real without atoms as the Fraction that it is."""
    return x.constant if isinstance(x, Real) and not x.terms else x


def as_value(x: Number) -> Real | Computable:
    """A rational as the Real that it is."""
    return Real.rational(x) if isinstance(x, Fraction) else x


def as_real(x: Number) -> Real:
    """A Fraction or a Real as a Real."""
    assert not isinstance(x, Computable)
    return Real.rational(x) if isinstance(x, Fraction) else x


def is_zero(x: Number) -> bool:
    """Whether it is known to be exactly 0."""
    return isinstance(x, Fraction) and x == 0


def negate(x: Number) -> Number:
    """-x."""
    return Computable(_negate, (x,)) if isinstance(x, Computable) else -x


def add(x: Number, y: Number) -> Number:
    """X + y."""
    if is_zero(x) or is_zero(y):
        return y if is_zero(x) else x
    if not isinstance(x, Computable) and not isinstance(y, Computable):
        try:
            return simplest(x + y)
        except MixedKinds:
            pass
    return Computable(_add, (x, y))


def total(numbers: Iterable[Number]) -> Number:
    """The sum."""
    items = list(numbers)
    if not any(isinstance(x, Computable) for x in items):
        try:
            return simplest(total_of_reals(as_real(x) for x in items))
        except MixedKinds:
            pass
    result: Number = Fraction(0)
    for x in items:
        result = add(result, x)
    return result


def multiply(x: Number, y: Number) -> Number:
    """X * y."""
    if is_zero(x) or is_zero(y):
        return Fraction(0)
    if isinstance(x, Fraction) and not isinstance(y, Computable):
        return y * x
    if isinstance(y, Fraction) and not isinstance(x, Computable):
        return x * y
    return Computable(_multiply, (x, y))


def divide(x: Number, y: Number) -> Number:
    """X / y. Raises Pole where y is exactly 0."""
    if is_zero(y):
        raise Pole(0)
    if isinstance(y, Fraction):
        return multiply(x, 1 / y)
    return Fraction(0) if is_zero(x) else Computable(_divide, (x, y))


def sign(x: Number) -> int:
    """-1, 0 or 1; raises Undecided where a Computable cannot be told from 0."""
    return (x > 0) - (x < 0) if isinstance(x, Fraction) else x.sign


def apply(kernel: Kernel, x: Number) -> Number:
    """The kernel of x, in its simplest form. Raises Pole and OutsideDomain."""
    if isinstance(x, Fraction):
        return simplest(_of_rational(kernel, x))
    if kernel is Kernel.RELU:
        return x if sign(x) > 0 else Fraction(0)
    if kernel is Kernel.STEP:
        return Fraction(int(sign(x) > 0))
    if kernel is Kernel.SQUARE:
        return multiply(x, x)
    _refuse(kernel, sign(x) if kernel in _DOMAINS else 0)
    return Computable(_KERNELS[kernel], (x,))


_DOMAINS = {Kernel.LOG: 1, Kernel.LOG1MEXP: -1, Kernel.ODDS: -1}
"""The sign that an argument has to have."""


def _refuse(kernel: Kernel, side: int) -> None:
    """Raises Pole at 0 and OutsideDomain beyond it."""
    wanted = _DOMAINS.get(kernel)
    if wanted is not None and side != wanted:
        if side == 0:
            raise Pole(1 if kernel is Kernel.ODDS else -1)
        raise OutsideDomain(kernel.value)


def _of_rational(kernel: Kernel, x: Fraction) -> Number:
    simple: dict[Kernel, Callable[[Fraction], Number]] = {
        Kernel.SOFTPLUS: Real.softplus,
        Kernel.SIGMOID: Real.sigmoid,
        Kernel.BUMP: Real.sigmoid_slope,
        Kernel.RELU: lambda t: max(t, Fraction(0)),
        Kernel.STEP: lambda t: Fraction(int(t > 0)),
        Kernel.SQUARE: lambda t: t * t,
    }
    if kernel in simple:
        return simple[kernel](x)
    _refuse(kernel, (x > 0) - (x < 0))
    if kernel is Kernel.LOG and x == 1:
        return Fraction(0)
    if kernel in {Kernel.EXP, Kernel.EXPM1} and x == 0:
        return Fraction(int(kernel is Kernel.EXP))
    return Computable(_KERNELS[kernel], (x,))


# -- enclosures --------------------------------------------------------------------------------------------------------


def _negate(x: Ends, bits: int) -> Ends:
    return libmp.mpf_neg(x[1]), libmp.mpf_neg(x[0])


def _add(x: Ends, y: Ends, bits: int) -> Ends:
    working = bits + GUARD
    return libmp.mpf_add(x[0], y[0], working, libmp.round_floor), libmp.mpf_add(x[1], y[1], working, libmp.round_ceiling)


def _multiply(x: Ends, y: Ends, bits: int) -> Ends:
    working = bits + GUARD
    low = [libmp.mpf_mul(a, b, working, libmp.round_floor) for a in x for b in y]
    high = [libmp.mpf_mul(a, b, working, libmp.round_ceiling) for a in x for b in y]
    return _least(low), libmp.mpf_neg(_least([libmp.mpf_neg(h) for h in high]))


def _least(ends: list[Mpf]) -> Mpf:
    least = ends[0]
    for end in ends[1:]:
        least = end if libmp.mpf_lt(end, least) else least
    return least


def _divide(x: Ends, y: Ends, bits: int) -> Ends:
    low, high = (libmp.mpf_sign(end) for end in y)
    if low != high or low == 0:
        raise TooWide("divisor")
    working = bits + GUARD
    inverse = (
        libmp.mpf_div(libmp.fone, y[1], working, libmp.round_floor),
        libmp.mpf_div(libmp.fone, y[0], working, libmp.round_ceiling),
    )
    return _multiply(x, inverse, bits)


def _rising(function: Callable[[Mpf, int], Mpf]) -> Callable[[Ends, int], Ends]:
    """The enclosure of a rising function, from a function that libmp gives at bits + GUARD."""

    def enclosure(x: Ends, bits: int) -> Ends:
        return widened(function(x[0], bits + GUARD), bits)[0], widened(function(x[1], bits + GUARD), bits)[1]

    return enclosure


def _log1p(y: Mpf, working: int) -> Mpf:
    """log(1 + y), relatively accurate for every y > -1."""
    if y == libmp.fzero:
        return y
    smallness = -(y[2] + y[3])
    if smallness > working + 8:
        return y  # log(1 + y) is within y**2 of y
    return libmp.mpf_log(libmp.mpf_add(libmp.fone, y), working + max(smallness, 0), _N)


def _softplus(x: Mpf, working: int) -> Mpf:
    tail = _log1p(libmp.mpf_exp(libmp.mpf_neg(libmp.mpf_abs(x)), working, _N), working)
    return libmp.mpf_add(x, tail, working, _N) if libmp.mpf_sign(x) > 0 else tail


def _sigmoid(x: Mpf, working: int) -> Mpf:
    y = libmp.mpf_exp(libmp.mpf_neg(libmp.mpf_abs(x)), working, _N)
    return libmp.mpf_div(libmp.fone if libmp.mpf_sign(x) > 0 else y, libmp.mpf_add(libmp.fone, y, working, _N), working, _N)


def _bump_of(x: Mpf, working: int) -> Mpf:
    y = libmp.mpf_exp(libmp.mpf_neg(libmp.mpf_abs(x)), working, _N)
    whole = libmp.mpf_add(libmp.fone, y, working, _N)
    return libmp.mpf_div(y, libmp.mpf_mul(whole, whole, working, _N), working, _N)


def _bump(x: Ends, bits: int) -> Ends:
    """It falls with |x|."""
    sizes = [libmp.mpf_abs(end) for end in x]
    largest = sizes[0] if libmp.mpf_gt(*sizes) else sizes[1]
    least = libmp.fzero if libmp.mpf_sign(x[0]) != libmp.mpf_sign(x[1]) else _least(sizes)
    return widened(_bump_of(largest, bits + GUARD), bits)[0], widened(_bump_of(least, bits + GUARD), bits)[1]


def _exp(x: Mpf, working: int) -> Mpf:
    return libmp.mpf_exp(x, working, _N)


def _expm1(x: Mpf, working: int) -> Mpf:
    """e**x - 1, relatively accurate: as many more bits as the subtraction cancels."""
    if x == libmp.fzero:
        return x
    smallness = max(0, -(x[2] + x[3]))
    if smallness > working + 8:
        return x
    return libmp.mpf_sub(libmp.mpf_exp(x, working + smallness + 4, _N), libmp.fone, working, _N)


def _negative(x: Mpf) -> Mpf:
    if libmp.mpf_sign(x) >= 0:
        raise TooWide("the argument of log(1 - e**x)")
    return x


def _log1mexp(x: Ends, bits: int) -> Ends:
    """It falls in x."""
    low, high = (_log_of_minus_expm1(_negative(end), bits + GUARD) for end in (x[1], x[0]))
    return widened(low, bits)[0], widened(high, bits)[1]


def _log_of_minus_expm1(x: Mpf, working: int) -> Mpf:
    if x[2] + x[3] > 0:  # x <= -1: e**x is small
        return _log1p(libmp.mpf_neg(libmp.mpf_exp(x, working, _N)), working)
    return libmp.mpf_log(libmp.mpf_neg(_expm1(x, working)), working, _N)


def _odds(x: Mpf, working: int) -> Mpf:
    """1 / expm1(-x)."""
    return libmp.mpf_div(libmp.fone, _expm1(libmp.mpf_neg(_negative(x)), working), working, _N)


def _log(x: Mpf, working: int) -> Mpf:
    if libmp.mpf_sign(x) <= 0:
        raise TooWide("the argument of a logarithm")
    if abs(x[2] + x[3]) > 4:  # far from 1
        return libmp.mpf_log(x, working, _N)
    return _log1p(libmp.mpf_sub(x, libmp.fone), working)


_KERNELS: dict[Kernel, Callable[[Ends, int], Ends]] = {
    Kernel.SOFTPLUS: _rising(_softplus),
    Kernel.SIGMOID: _rising(_sigmoid),
    Kernel.BUMP: _bump,
    Kernel.EXP: _rising(_exp),
    Kernel.EXPM1: _rising(_expm1),
    Kernel.LOG: _rising(_log),
    Kernel.LOG1MEXP: _log1mexp,
    Kernel.ODDS: _rising(_odds),
}
