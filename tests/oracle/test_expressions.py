"""Kernels of numbers of every kind, their derivatives and their limits, by textbook formulas or by definition."""

import math
from fractions import Fraction

import mpmath
import pytest

from oracle.computable import TooWide
from oracle.expressions import limits, nodes, numbers
from oracle.expressions.derivative import derivative
from oracle.expressions.exact import values
from oracle.expressions.limits import Growth, NoLimit, finite, grows, limit, vanishes
from oracle.expressions.nodes import Kernel
from oracle.expressions.numbers import OutsideDomain, Pole
from oracle.real import Real
from tests.oracle.test_losses import TEXTBOOK

TEXT = TEXTBOOK | {
    Kernel.BUMP: lambda x: mpmath.exp(x) / (1 + mpmath.exp(x)) ** 2,
    Kernel.STEP: lambda x: mpmath.mpf(int(x > 0)),
    Kernel.ODDS: lambda x: mpmath.exp(x) / (1 - mpmath.exp(x)),
}
TINY = Fraction(1, 2**400)
POINTS = {
    Kernel.LOG: (Fraction(1, 3), Fraction(9, 8), Fraction(40), 1 + TINY),
    Kernel.ODDS: (Fraction(-7, 3), Fraction(-40), -TINY),
}
POINTS[Kernel.LOG1MEXP] = POINTS[Kernel.ODDS]
ANYWHERE = (Fraction(-7, 3), Fraction(5, 7), Fraction(-30), TINY)


def close(mine, theirs):
    assert abs(mpmath.mpf(numbers.as_value(mine).digits(50)) - theirs) <= abs(theirs) * mpmath.mpf(10) ** -49


def through(x):
    """x as a number of no simpler form: (x - 1/e) + 1/e."""
    other = numbers.apply(Kernel.EXP, Fraction(-1))
    return numbers.add(numbers.add(x, other), numbers.negate(other))


@pytest.mark.parametrize("kernel", Kernel)
def test_a_kernel_of_a_rational_and_of_a_computable_is_the_textbooks(kernel):
    with mpmath.workdps(400):
        for x in POINTS.get(kernel, ANYWHERE):
            theirs = TEXT[kernel](mpmath.mpf(x.numerator) / x.denominator)
            for known in (x, through(x)):
                mine = numbers.apply(kernel, known)
                if numbers.is_zero(mine):
                    assert theirs == 0
                else:
                    close(mine, theirs)


def test_numbers_of_all_kinds_are_added_multiplied_and_divided():
    kinds = Fraction(3, 7), Real.softplus(Fraction(2)), Real.sigmoid(Fraction(2)), numbers.apply(Kernel.EXP, Fraction(1, 3))
    with mpmath.workdps(120):
        truth = mpmath.mpf(3) / 7, mpmath.log1p(mpmath.e**2), 1 / (1 + mpmath.e**-2), mpmath.exp(mpmath.mpf(1) / 3)
        for x, a in zip(kinds, truth, strict=True):
            close(numbers.negate(x), -a)
            for y, b in zip(kinds, truth, strict=True):
                close(numbers.add(x, y), a + b)
                close(numbers.multiply(x, numbers.negate(y)), -a * b)
                close(numbers.divide(x, y), a / b)
        close(numbers.total(kinds), mpmath.fsum(truth))
        close(numbers.total(kinds[:3]), mpmath.fsum(truth[:3]))
    zero = Fraction(0)
    for x in kinds:
        assert numbers.multiply(x, zero) == numbers.multiply(zero, x) == numbers.divide(zero, x) == 0
        assert numbers.add(zero, x) is numbers.add(x, zero) is x
        with pytest.raises(Pole):
            numbers.divide(x, zero)
    close(numbers.apply(Kernel.EXP, zero), 1)
    assert numbers.apply(Kernel.EXPM1, zero) == numbers.apply(Kernel.LOG, Fraction(1)) == 0


@pytest.mark.parametrize(("kernel", "side"), [(Kernel.LOG, -1), (Kernel.LOG1MEXP, -1), (Kernel.ODDS, 1)])
def test_a_pole_has_a_sign_and_beyond_it_is_nothing(kernel, side):
    with pytest.raises(Pole) as pole:
        numbers.apply(kernel, Fraction(0))
    assert pole.value.sign == side
    beyond = Fraction(-1 if kernel is Kernel.LOG else 1)
    for x in (beyond, through(beyond)):
        with pytest.raises(OutsideDomain, match=kernel.value):
            numbers.apply(kernel, x)


def test_what_a_few_bits_leave_open_more_bits_decide():
    """A divisor, a logarithm's argument and a negative number that 64 bits cannot tell from 0."""
    small = numbers.apply(Kernel.EXP, Fraction(-200))
    near = numbers.add(
        numbers.add(small, numbers.apply(Kernel.EXP, Fraction(1))), numbers.negate(numbers.apply(Kernel.EXP, Fraction(1)))
    )
    minus = numbers.negate(near)
    with mpmath.workdps(200):
        close(numbers.divide(Fraction(1), near), mpmath.exp(200))
        close(numbers.apply(Kernel.LOG, near), mpmath.mpf(-200))
        for kernel in (Kernel.LOG1MEXP, Kernel.ODDS):
            close(numbers.apply(kernel, minus), TEXT[kernel](-mpmath.exp(-200)))
    for wide in (numbers.divide(Fraction(1), near), *(numbers.apply(k, minus) for k in (Kernel.LOG1MEXP, Kernel.ODDS))):
        with pytest.raises(TooWide):
            wide.interval(64)
    with pytest.raises(TooWide):
        numbers.apply(Kernel.LOG, near).interval(64)


@pytest.mark.parametrize("kernel", numbers._KERNELS)
def test_the_image_of_an_interval_holds_the_kernel_of_its_ends_and_is_hardly_wider(kernel):
    wide = [(-3, -2), (-3, -1), (2, 3), (-2, 3), (-3, 2)]
    for low, high in {Kernel.LOG: wide[2:3], Kernel.ODDS: wide[:2], Kernel.LOG1MEXP: wide[:2]}.get(kernel, wide):
        image = [
            mpmath.mp.make_mpf(end) for end in numbers._KERNELS[kernel]((mpmath.mpf(low)._mpf_, mpmath.mpf(high)._mpf_), 64)
        ]
        with mpmath.workdps(60):
            truth = [TEXT[kernel](mpmath.mpf(x)) for x in (low, high, *([0] if low < 0 < high else []))]
            assert 0 < min(truth) - image[0] < mpmath.mpf(2) ** -60
            assert 0 < image[1] - max(truth) < mpmath.mpf(2) ** -56


@pytest.mark.parametrize("kernel", Kernel)
def test_the_derivative_of_a_kernel_is_that_of_differences(kernel):
    x = nodes.symbol("x")
    slope = derivative(nodes.apply(kernel, x), "x")
    step = mpmath.mpf(10) ** -60
    with mpmath.workdps(200):
        for at in POINTS.get(kernel, ANYWHERE)[:2]:
            ((mine,),) = values([slope], {"x": [at]}, 1)
            point = mpmath.mpf(at.numerator) / at.denominator
            theirs = (TEXT[kernel](point + step) - TEXT[kernel](point - step)) / (2 * step)
            assert abs(mpmath.mpf(mine.digits(50)) - theirs) <= 10 * step**0.75 * max(1, abs(theirs))


END = {
    Kernel.SOFTPLUS: (0, math.inf),
    Kernel.SIGMOID: (0, 1),
    Kernel.BUMP: (0, 0),
    Kernel.RELU: (0, math.inf),
    Kernel.STEP: (0, 1),
    Kernel.SQUARE: (math.inf, math.inf),
    Kernel.EXP: (0, math.inf),
    Kernel.EXPM1: (-1, math.inf),
    Kernel.LOG: (math.nan, math.inf),
    Kernel.LOG1MEXP: (0, math.nan),
    Kernel.ODDS: (0, math.nan),
}
AT_ZERO = {
    Kernel.SOFTPLUS: (math.log(2),) * 2,
    Kernel.SIGMOID: (0.5, 0.5),
    Kernel.BUMP: (0.25, 0.25),
    Kernel.RELU: (0, 0),
    Kernel.STEP: (0, 1),
    Kernel.SQUARE: (0, 0),
    Kernel.EXP: (1, 1),
    Kernel.EXPM1: (0, 0),
    Kernel.LOG: (-math.inf, -math.inf),  # of an exact 0, whichever side it is reached from
    Kernel.LOG1MEXP: (-math.inf, -math.inf),
    Kernel.ODDS: (math.inf, math.inf),
}
"""At -0 and +0."""


def ends_at(kernel, growth):
    try:
        end = limit(limits.apply(kernel, growth))
    except NoLimit:
        return math.nan
    return end if isinstance(end, float) else float(numbers.as_value(end))


@pytest.mark.parametrize("kernel", Kernel)
def test_a_kernel_of_what_grows_or_vanishes_has_its_limit(kernel):
    for sign, end in zip((-1, 1), END[kernel], strict=True):
        assert ends_at(kernel, grows(sign)) == pytest.approx(end, nan_ok=True)
        assert ends_at(kernel, limits.add(grows(sign), finite(Fraction(5)))) == pytest.approx(end, nan_ok=True)
    for sign, end in zip((-1, 1), AT_ZERO[kernel], strict=True):
        assert ends_at(kernel, vanishes(sign)) == pytest.approx(end)


def test_steps_of_what_vanishes_on_an_unknown_side_are_nothing():
    for kernel in (Kernel.RELU, Kernel.STEP):
        assert math.isnan(ends_at(kernel, vanishes(None)))
        assert math.isnan(ends_at(kernel, Growth()))
    assert math.isnan(ends_at(Kernel.EXP, limits.add(grows(1), grows(-1))))
    assert ends_at(Kernel.LOG, limits.add(finite(Fraction(2)), vanishes(1))) == pytest.approx(math.log(2))
    assert math.isnan(ends_at(Kernel.LOG, limits.add(finite(Fraction(-2)), vanishes(1))))


def test_sums_and_quotients_of_infinities():
    a, b, two = grows(1), grows(1), finite(Fraction(2))
    assert limit(limits.add(a, b)) == math.inf  # of one sign, whichever outgrows the other
    assert math.isnan(limit(limits.add(a, limits.scale(b, -1))))
    assert limit(limits.add(a, limits.scale(a, -1), two)) == 2
    assert math.isnan(limit(limits.multiply(a, vanishes(None))))
    assert limit(limits.multiply(vanishes(None), two)) == 0
    assert limit(limits.divide(a, two)) == math.inf
    assert limit(limits.divide(two, a)) == 0
    assert limit(limits.divide(limits.scale(a, 3), limits.add(a, two))) == 3
    assert limit(limits.divide(limits.apply(Kernel.EXP, a), a)) == math.inf
    assert (
        limit(limits.divide(limits.apply(Kernel.EXP, limits.add(a, two)), limits.apply(Kernel.EXP, a))).digits(9)
        == "7.38905610"
    )
    assert limit(limits.apply(Kernel.EXP, limits.multiply(a, a))) == math.inf
    assert limit(limits.apply(Kernel.EXP, limits.multiply(a, limits.scale(a, -1)))) == 0
    for divisor in (Growth(), vanishes(None)):
        with pytest.raises(NoLimit):
            limits.divide(two, divisor)
