"""Values at infinities, as limits: each infinite input, and each pole, is a number t that grows beyond all bounds.

A `Growth` is a finite sum of monomials  coefficient * product of t_i**k_i e**(r_i t_i), with a remainder that is smaller
than what is kept. Several t grow independently of each other, so a difference of two of them has no limit: NaN, as
inf - inf is. What e**t of a t makes outgrows every power of e**t, and the logarithm of a t is outgrown by it: its
`level`, one more or one less, says so.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from oracle.computable import Number
from oracle.expressions import numbers
from oracle.expressions.nodes import Kernel
from oracle.expressions.numbers import OutsideDomain, Pole

_fresh = itertools.count()


@dataclass(frozen=True, order=True, slots=True)
class Variable:
    """A number that grows beyond all bounds."""

    level: int
    index: int


Order = tuple[Fraction, Fraction]
"""(rate r, power k): e**(r t) t**k."""
Monomial = tuple[tuple[tuple[Variable, Order], ...], Fraction]
"""The orders in each variable, none of them (0, 0), and a rational c: a factor e**c."""
Term = tuple[Monomial, Number | None]
"""A monomial and its exact coefficient; None for one that is not known, not even its sign."""
UNIT: Monomial = ((), Fraction(0))


class NoLimit(ArithmeticError):
    """The infinities are approached from sides on which the values disagree."""


@dataclass(frozen=True, slots=True)
class Growth:
    """A sum of monomials with exact coefficients; None stands for a coefficient that is not known, of an unknown sign."""

    terms: tuple[Term, ...] = ()


def grows(sign: int, level: int = 0) -> Growth:
    """A new number that tends to +inf or -inf."""
    variable = Variable(level, next(_fresh))
    return Growth(((_monomial({variable: (Fraction(0), Fraction(1))}), Fraction(sign)),))


def vanishes(sign: int | None, level: int = 0) -> Growth:
    """A new number that tends to 0, from above or below; faster than what has a lower level grows."""
    variable = Variable(level, next(_fresh))
    return Growth(((_monomial({variable: (Fraction(-1), Fraction(0))}), None if sign is None else Fraction(sign)),))


def approach() -> Variable:
    """A new number t, where an argument is -e**-t: it rises to 0."""
    return Variable(0, next(_fresh))


def rising_to_0(kernel: Kernel, t: Variable) -> Growth:
    """At x = -e**-t: log(1 - e**x) = -t + O(e**-t), its odds e**t - 1/2 + O(e**-t). Raises NoLimit for another kernel."""
    rest: Term = _monomial({t: (Fraction(-1), Fraction(0))}), None
    if kernel is Kernel.LOG1MEXP:
        return Growth(((_monomial({t: (Fraction(0), Fraction(1))}), Fraction(-1)), rest))
    if kernel is Kernel.ODDS:
        return Growth(((_monomial({t: (Fraction(1), Fraction(0))}), Fraction(1)), (UNIT, Fraction(-1, 2)), rest))
    raise NoLimit


def finite(x: Number) -> Growth:
    """A number that does not grow."""
    return Growth(((UNIT, x),))


def _monomial(orders: dict[Variable, Order], exponent: Fraction = Fraction(0)) -> Monomial:
    return tuple(sorted((v, o) for v, o in orders.items() if any(o))), exponent


def _product(x: Monomial, y: Monomial, sign: int = 1) -> Monomial:
    orders = defaultdict(lambda: (Fraction(0), Fraction(0)), x[0])
    for variable, (rate, power) in y[0]:
        known = orders[variable]
        orders[variable] = known[0] + sign * rate, known[1] + sign * power
    return _monomial(dict(orders), x[1] + sign * y[1])


def _tendency(x: Monomial) -> int:
    """1 where the monomial tends to infinity, -1 where to 0, 0 where it is constant. Raises NoLimit."""
    if not x[0]:
        return 0
    highest = max(variable.level for variable, _ in x[0])
    signs = {1 if (order[0] or order[1]) > 0 else -1 for variable, order in x[0] if variable.level == highest}
    if len(signs) > 1:
        raise NoLimit
    return signs.pop()


def add(*growths: Growth) -> Growth:
    """The sum."""
    known: dict[Monomial, Number | None] = {}
    for growth in growths:
        for monomial, coefficient in growth.terms:
            if monomial not in known:
                known[monomial] = coefficient
            else:
                other = known[monomial]
                known[monomial] = None if other is None or coefficient is None else numbers.add(other, coefficient)
    return Growth(tuple((m, c) for m, c in known.items() if c is None or not numbers.is_zero(c)))


def scale(growth: Growth, factor: int | Fraction) -> Growth:
    """The growth times a rational."""
    return multiply(growth, finite(Fraction(factor)))


def multiply(x: Growth, y: Growth) -> Growth:
    """The product; 0 times anything is 0, since an exact 0 is 0 all along the way to a limit."""
    products = [
        Growth(((_product(m, n), None if c is None or d is None else numbers.multiply(c, d)),))
        for m, c in x.terms
        for n, d in y.terms
    ]
    return add(*products)


def leading(x: Growth) -> Term | None:
    """The term that outgrows every other one; None for 0. Raises NoLimit where no term does."""
    if not x.terms:
        return None
    best = x.terms[0]
    rivals: list[Term] = []
    for term in x.terms[1:]:
        tendency = _compared(term[0], best[0])
        if tendency is None:
            rivals.append(term)
        elif tendency > 0:
            best = term
    for term in rivals:
        if _compared(term[0], best[0]) != -1:
            return _of_one_sign(best, x.terms)
    return best


def _compared(x: Monomial, y: Monomial) -> int | None:
    try:
        return _tendency(_product(x, y, -1))
    except NoLimit:
        return None


def _of_one_sign(best: Term, terms: Iterable[Term]) -> Term:
    """best, where what may outgrow it pulls the same way: a sum of infinities of one sign. Raises NoLimit elsewhere."""
    signs = set()
    for monomial, coefficient in terms:
        if _tendency(monomial) > 0:
            signs.add(None if coefficient is None else numbers.sign(coefficient))
    if len(signs) != 1 or None in signs or _tendency(best[0]) <= 0:
        raise NoLimit
    return best


def limit(x: Growth) -> Number | float:
    """What it tends to: an exact number, +inf or -inf; NaN where there is no limit."""
    try:
        term = leading(x)
        if term is None or _tendency(term[0]) < 0:
            return Fraction(0)
        monomial, coefficient = term
        if coefficient is None:
            raise NoLimit
        if _tendency(monomial) > 0:
            return math.inf * numbers.sign(coefficient)
        return _constant(x)
    except NoLimit:
        return math.nan


def _constant(x: Growth) -> Number:
    """The sum of the terms that do not grow, where nothing grows."""
    result: Number = Fraction(0)
    for monomial, coefficient in x.terms:
        if _tendency(monomial) == 0:
            if coefficient is None:
                raise NoLimit
            result = numbers.add(result, _with_exponent(coefficient, monomial[1]))
    return result


def _with_exponent(coefficient: Number, exponent: Fraction) -> Number:
    return coefficient if exponent == 0 else numbers.multiply(coefficient, numbers.apply(Kernel.EXP, exponent))


def divide(x: Growth, y: Growth) -> Growth:
    """The quotient. Where the divisor grows or vanishes, by its leading term alone, with an unknown remainder."""
    term = leading(y)
    if term is None:
        raise NoLimit
    monomial, coefficient = term
    if coefficient is None:
        raise NoLimit
    if monomial == UNIT and len(y.terms) == 1:
        return multiply(x, finite(numbers.divide(Fraction(1), coefficient)))
    inverse = Growth(((_product(UNIT, monomial, -1), numbers.divide(Fraction(1), coefficient)),))
    return (
        multiply(x, inverse)
        if len(y.terms) == 1
        else add(multiply(x, inverse), multiply(multiply(x, inverse), vanishes(None, -1)))
    )


def apply(kernel: Kernel, x: Growth) -> Growth:
    """The kernel of a growth. Raises NoLimit."""
    if kernel is Kernel.SQUARE:
        return multiply(x, x)
    end = limit(x)
    if not isinstance(end, float):
        return _near(kernel, x, end)
    if math.isnan(end):
        raise NoLimit
    level = max(variable.level for monomial, _ in x.terms for variable, _ in monomial[0]) + 1
    return _far(kernel, x, 1 if end > 0 else -1, level)


def _near(kernel: Kernel, x: Growth, end: Number) -> Growth:
    """At a finite limit: the kernel's value there and a remainder that vanishes; at a pole, a new infinity."""
    side = leading(add(x, scale(finite(end), -1))) if not numbers.is_zero(end) else leading(x)
    if kernel in {Kernel.RELU, Kernel.STEP} and numbers.is_zero(end):
        if side is None or side[1] is None:
            raise NoLimit
        positive = numbers.sign(side[1]) > 0
        return (x if kernel is Kernel.RELU else finite(Fraction(1))) if positive else Growth()
    if kernel in {Kernel.EXPM1, Kernel.SQUARE} and numbers.is_zero(end):
        return x
    try:
        value = finite(numbers.apply(kernel, end))
    except Pole as pole:
        return grows(pole.sign, -1)
    except OutsideDomain:
        raise NoLimit from None
    return value if side is None else add(value, vanishes(None, -1))


def _far(kernel: Kernel, x: Growth, sign: int, level: int) -> Growth:
    """At an infinity."""
    one = finite(Fraction(1))
    if kernel in {Kernel.RELU, Kernel.STEP}:
        return Growth() if sign < 0 else (x if kernel is Kernel.RELU else one)
    if kernel is Kernel.LOG:
        if sign < 0:
            raise NoLimit
        return grows(1, -1)
    if kernel in {Kernel.LOG1MEXP, Kernel.ODDS} and sign > 0:
        raise NoLimit
    decay = _exponential(x if sign < 0 else scale(x, -1), level)  # e**-|x|
    if kernel is Kernel.SOFTPLUS:
        return decay if sign < 0 else add(x, decay)
    if kernel is Kernel.SIGMOID:
        return decay if sign < 0 else add(one, scale(decay, -1))
    if kernel is Kernel.LOG1MEXP:
        return scale(decay, -1)
    if kernel in {Kernel.BUMP, Kernel.ODDS}:
        return decay
    rising = decay if sign < 0 else _exponential(x, level)
    return add(rising, scale(one, -1)) if kernel is Kernel.EXPM1 else rising


def _exponential(x: Growth, level: int) -> Growth:
    """e**x: a monomial where x is a sum of multiples of variables and a number, else a new number of the next level."""
    orders: dict[Variable, Order] = {}
    exponent, factor = Fraction(0), cast("Number", Fraction(1))
    for monomial, coefficient in x.terms:
        powers, shift = monomial
        if coefficient is not None and monomial == UNIT:
            if isinstance(coefficient, Fraction):
                exponent += coefficient
            else:
                factor = numbers.multiply(factor, numbers.apply(Kernel.EXP, coefficient))
        elif (
            isinstance(coefficient, Fraction) and shift == 0 and len(powers) == 1 and powers[0][1] == (Fraction(0), Fraction(1))
        ):
            orders[powers[0][0]] = coefficient, Fraction(0)
        elif _tendency(monomial) >= 0:
            return vanishes(1, level) if numbers.sign(_sign_of(x)) < 0 else grows(1, level)
    return Growth(((_monomial(orders, exponent), factor),))


def _sign_of(x: Growth) -> Number:
    term = leading(x)
    if term is None or term[1] is None:
        raise NoLimit
    return term[1]
