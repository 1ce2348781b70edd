"""Ball arithmetic, comparison, ulp errors and rounding against exact fractions: every point of a ball is obeyed."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import oracle
from oracle import enclosure, rounding
from oracle.ball import joined
from oracle.enclosure import Enclosure
from oracle.errors import OutOfRange
from oracle.formats import FORMATS, Format, binary32, binary64

RNG = np.random.default_rng(44)
WHERE_IN_THE_BALL = [Fraction(-1), Fraction(-1, 3), Fraction(0), Fraction(7, 9), Fraction(1)]


def balls(count: int, exponents: tuple[int, int] = (-40, 40), widths: tuple[int, int] = (-110, 2)) -> Enclosure:
    """Balls of all widths: exact ones, ones with a tail far below, ones wider than their centre."""
    head = RNG.choice([-1.0, 1.0], count) * RNG.uniform(0.5, 1.0, count)
    head = np.where(RNG.random(count) < 0.1, RNG.choice([-0.5, 0.5, 0.75], count), head)
    tail = head * RNG.uniform(-1, 1, count) * 2.0 ** (-54 - np.where(RNG.random(count) < 0.1, 900, 0))
    tail = np.where(RNG.random(count) < 0.2, 0.0, tail)
    radius = 2.0 ** RNG.uniform(*widths, count)
    radius = np.where(RNG.random(count) < 0.25, 0.0, radius)
    exponent = RNG.integers(*exponents, count)
    return rounding.normalised(head, tail, exponent, radius, special=np.zeros(count))


def unit(x: Enclosure, i: int) -> Fraction:
    return Fraction(2) ** int(x.exponent[i])


def point(x: Enclosure, i: int, at: Fraction) -> Fraction:
    """The real number at centre + at * radius."""
    centre = Fraction(float(x.head[i])) + Fraction(float(x.tail[i]))
    return (centre + at * Fraction(float(x.radius[i]))) * unit(x, i)


def holds(x: Enclosure, i: int, truth: Fraction) -> bool:
    return abs(truth - point(x, i, Fraction(0))) <= Fraction(float(x.radius[i])) * unit(x, i)


@pytest.mark.no_cover
@pytest.mark.parametrize("exponents", [(-3, 3), (-700, 700), (-5000, 5000)])
def test_sums_differences_and_products_hold_every_point(exponents: tuple[int, int]) -> None:
    n = 400
    x, y = balls(n, exponents), balls(n, exponents)
    opposite = enclosure.where(RNG.random(n) < 0.3, -x, y)
    results = [
        (x + opposite, opposite, lambda a, b: a + b),
        (x - y, y, lambda a, b: a - b),
        (x * y, y, lambda a, b: a * b),
    ]
    for result, other, operation in results:
        for i in range(n):
            for p, q in zip(WHERE_IN_THE_BALL, reversed(WHERE_IN_THE_BALL), strict=True):
                assert holds(result, i, operation(point(x, i, p), point(other, i, q)))
                assert holds(result, i, operation(point(x, i, p), point(other, i, p)))
        size = np.maximum(np.abs(result.head), result.radius)
        assert (((size >= 0.5) & (size < 1)) | (size == 0)).all()


def test_sums_and_products_of_exact_numbers_are_sharp() -> None:
    x, y = (enclosure.exact(RNG.normal(size=500)) for _ in range(2))
    near = enclosure.exact(-x.head * (1 + RNG.integers(-3, 4, 500) * 2.0**-52) * 2.0**x.exponent)
    for result in (x + y, x + near, x * y, x.divided_by(3)):
        assert (result.radius <= 2.0**-101 * np.abs(result.head)).all()
    zero = x - x
    assert not zero.head.any() and not zero.radius.any()
    nothing = x.widen(relative=0.1) * 0.0
    assert not nothing.head.any() and not nothing.radius.any()


@pytest.mark.parametrize("n", [1, 3, 10**6 + 3, 2**53])
def test_quotients_hold_every_point(n: int) -> None:
    x = balls(300)
    quotient = x.divided_by(n)
    assert all(holds(quotient, i, point(x, i, at) / n) for i in range(300) for at in WHERE_IN_THE_BALL)


@pytest.mark.parametrize("n", [0, -1, 2**53 + 1])
def test_other_divisors_are_refused(n: int) -> None:
    with pytest.raises(OutOfRange, match=rf"^n = {n}: an integer from 1 to 2\*\*53$"):
        balls(3).divided_by(n)


def test_widened_balls_hold_the_widened_points() -> None:
    x = balls(300)
    wide = x.widen(relative=0.25, absolute=1e-3)
    for i in range(300):
        for at in WHERE_IN_THE_BALL:
            value = point(x, i, at)
            for sign in (-1, 1):
                assert holds(wide, i, value + sign * (abs(value) / 4 + Fraction(1e-3)))


def test_a_ball_widened_by_less_than_any_product_holds_is_widened_still() -> None:
    wide = enclosure.exact([0.5, 1.5]).widen(relative=5e-324)
    assert all(holds(wide, i, v * (1 + Fraction(5e-324))) for i, v in enumerate((Fraction(1, 2), Fraction(3, 2))))


def test_infinities_and_nan_follow_ieee() -> None:
    inf, nan = np.inf, np.nan
    x, y = enclosure.exact([inf, inf, 0.0, nan, 1.0]), enclosure.exact([1.0, -inf, inf, 1.0, -inf])
    np.testing.assert_array_equal((x + y).head, [inf, nan, inf, nan, -inf])
    np.testing.assert_array_equal((x * y).head, [inf, -inf, nan, nan, -inf])
    refusal = "^factor = 'a ball that holds 0 and other numbers': an infinite factor needs one of known sign$"
    half = np.array([0.5])
    touching = Enclosure(half, 0 * half, np.array([1]), half)  # [0, 2]
    for factors in ((touching, inf), (wide(1.0), inf), (enclosure.exact(-inf), wide(1.0)), (wide(-1.5), inf)):
        with pytest.raises(OutOfRange, match=refusal):
            factors[0] * factors[1]
    assert (wide(0.999) * inf).head == inf and (wide(-0.999) * -inf).head == inf
    assert np.isnan((enclosure.exact(0.0) * inf).head)


def wide(radius: float) -> Enclosure:
    """0.1, or minus 0.1, in a ball of that many times its size."""
    return enclosure.exact(math.copysign(0.1, radius)).widen(absolute=abs(radius) * 0.1)


def test_indexing_reshaping_taking_and_choosing() -> None:
    x = balls(12)
    assert x.reshape(3, 4)[1].shape == (4,)
    assert (x.take(np.array([5, 2])).head == x.head[[5, 2]]).all()
    chosen = enclosure.where(np.arange(12) < 6, x, 7.0)
    assert (chosen.head[6:] * 2.0 ** chosen.exponent[6:] == 7.0).all() and (chosen.radius[:6] == x.radius[:6]).all()
    assert (abs(x).head >= 0).all()


def test_balls_one_after_the_other() -> None:
    x, y = balls(5), balls(3)
    both = joined(x, y)
    for field in ("head", "tail", "exponent", "radius"):
        assert getattr(both, field).tolist() == [*getattr(x, field), *getattr(y, field)]


def test_float32_numbers_and_integers_are_exact_float64() -> None:
    for values in (np.array([0.1, 3.0], np.float32), np.array([2**53 - 1, -3]), [1, 2]):
        x = enclosure.exact(values)
        assert x.head.dtype == x.tail.dtype == x.radius.dtype == np.float64
        assert (np.ldexp(x.head, x.exponent) == np.asarray(values, np.float64)).all()


def test_results_of_many_numbers_have_the_types_of_few() -> None:
    few, many = (enclosure.compare(enclosure.exact(np.ones(n)), np.zeros(n)) for n in (2, 20_000))
    for some, all_ in zip(few, many, strict=True):
        assert some.dtype == all_.dtype and (all_ == some[0]).all()
    assert many[0].dtype == np.int8 and many[1].dtype == np.bool_
    assert enclosure.softplus_minus(np.ones(20_000)).exponent.dtype == np.int64


def test_compare_is_right_where_it_decides_and_decides_what_is_clear() -> None:
    n = 500
    x = balls(n, widths=(-70, -45))
    values = np.ldexp(x.head * (1 + RNG.integers(-3, 4, n) * 2.0**-52), x.exponent)
    sign, decided = enclosure.compare(x, values)
    for i in range(n):
        signs = {(v > 0) - (v < 0) for v in (Fraction(float(values[i])) - point(x, i, at) for at in WHERE_IN_THE_BALL)}
        assert not decided[i] or signs == {int(sign[i])}
        assert decided[i] or len(signs) > 1 or sign[i] == 0
        if x.radius[i] == 0:
            assert decided[i]
    special, sure = enclosure.compare(enclosure.exact([np.inf, np.inf, 1.0, np.nan]), [np.inf, 1.0, np.inf, 1.0])
    assert special.tolist() == [0, -1, 1, 0] and sure.tolist() == [True, True, True, False]


def near_format(fmt: Format, count: int, widths: tuple[int, int]) -> Enclosure:
    """Balls around numbers of the format, their midpoints, binade edges, subnormals and the overflow threshold."""
    places = RNG.integers(0, int(fmt.ordinals(np.inf)), count)
    values = fmt.from_ordinals(places)
    binade = 2.0 ** RNG.integers(max(fmt.emin, -1000) - 3, fmt.emax, count)
    values = np.where(RNG.random(count) < 0.3, binade, values)
    values = np.where(RNG.random(count) < 0.1, fmt.largest, values)
    step = enclosure.exact(np.minimum(fmt.neighbours(np.abs(values))[1], fmt.largest)) - values
    offset = RNG.choice([0.0, 0.25, 0.5, 0.5, 1.0, 1e-9, -0.25, -0.5], count)
    fuzz = np.where(RNG.random(count) < 0.5, 0.0, RNG.normal(size=count) * 2.0 ** RNG.integers(-60, 0, count))
    x = enclosure.exact(values) + step * offset + step * fuzz
    radius = np.where(RNG.random(count) < 0.4, 0.0, 2.0 ** RNG.uniform(*widths, count))
    sign = RNG.choice([-1.0, 1.0], count)
    return rounding.normalised(x.head * sign, x.tail * sign, x.exponent, radius, special=np.zeros(count))


@pytest.mark.no_cover
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_rounding_is_right_for_every_point_of_a_decided_ball(fmt: Format) -> None:
    n = 3000
    x = near_format(fmt, n, (-100, -2))
    values, decided = enclosure.round(x, fmt)
    for i in np.flatnonzero(decided):
        for at in WHERE_IN_THE_BALL:
            truth = point(x, int(i), at)
            assert fmt.round_exact(truth) == values[i], (x[i], at)
    exact = x.radius == 0
    assert decided[exact].all()
    narrow = x.widen(relative=2.0**-100)
    assert enclosure.round(narrow, fmt)[1].mean() > 0.4


def true_error(x: Fraction, got: float, fmt: Format) -> Fraction | float:
    """The definition of ulp error, in exact arithmetic."""
    if np.isnan(got):
        return np.inf
    beyond = Fraction(2) ** (fmt.emax + 1)
    answer = beyond * (1 if got > 0 else -1) if np.isinf(got) else Fraction(got)
    if abs(x) >= fmt.overflow_threshold:
        if np.isinf(got) and (got > 0) == (x > 0):
            return Fraction(0)
        x = beyond * (1 if x > 0 else -1)
    return abs(answer - x) / fmt.quantum(x)


@pytest.mark.no_cover
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_ulp_errors_bracket_the_definition(fmt: Format) -> None:
    n = 2000
    x = near_format(fmt, n, (-100, -10))
    rounded, _ = enclosure.round(x, fmt)
    steps = np.clip(fmt.ordinals(rounded) + RNG.integers(-3, 4, n), -int(fmt.ordinals(np.inf)), None)
    got = np.where(RNG.random(n) < 0.05, np.inf, fmt.from_ordinals(steps))
    got = np.where(RNG.random(n) < 0.05, 0.0, got)
    low, high = enclosure.ulp_errors(x, got, fmt)
    for i in range(n):
        for at in WHERE_IN_THE_BALL:
            error = true_error(point(x, i, at), float(got[i]), fmt)
            assert Fraction(float(low[i])) <= error
            assert high[i] == np.inf or error <= Fraction(float(high[i]))
    exact = (x.radius == 0) & np.isfinite(high)
    assert ((high - low)[exact] <= 1e-12 * np.maximum(high[exact], 2.0**-800)).all()


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_ulp_errors_hold_for_balls_as_wide_as_their_centre_at_the_overflow_threshold(fmt: Format) -> None:
    heads = RNG.choice([-1.0, 1.0], 400) * RNG.choice([1 - 2.0**-53, 0.999, 0.75, 0.5, 0.0005, 0.0], 400)
    widths = RNG.choice([1 - 2.0**-53, 0.9999, 0.51], 400)
    x = Enclosure(heads, np.zeros(400), RNG.integers(fmt.emax - 1, fmt.emax + 4, 400), widths)
    got = RNG.choice([np.inf, -np.inf, fmt.largest, -fmt.largest, 0.0, 1.0], 400)
    low, high = enclosure.ulp_errors(x, got, fmt)
    for i in range(400):
        for at in WHERE_IN_THE_BALL:
            error = true_error(point(x, i, at), float(got[i]), fmt)
            assert Fraction(float(low[i])) <= error
            assert high[i] == np.inf or error <= Fraction(float(high[i]))


def test_ulp_errors_of_special_values() -> None:
    inf, nan = np.inf, np.nan
    x = enclosure.exact([inf, inf, -inf, nan, nan, 1.0, 1.0, 0.0, 0.0])
    got = np.array([inf, -inf, -inf, nan, 1.0, nan, 1.0, 0.0, 2.0**-149])
    low, high = enclosure.ulp_errors(x, got, binary32)
    np.testing.assert_allclose(high, [0.0, 2.0**25, 0.0, 0.0, inf, inf, 0.0, 0.0, 1.0], rtol=1e-14)
    assert (low <= high).all()


def test_a_log1p_of_exp_in_binary64_is_judged_to_a_small_part_of_an_ulp() -> None:
    z = RNG.normal(size=20_000) * 10
    low, high = enclosure.ulp_errors(enclosure.softplus_minus(z), np.log1p(np.exp(-z)), binary64)
    assert (high - low).max() <= 2.0**-9
    assert high.max() < 64


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_the_front_door_rounds_exact_numbers_and_takes_a_format_by_name(fmt: Format) -> None:
    values = np.array([0.1, 257.0, -1e-6, math.inf])
    rounded, decided = oracle.round(values, fmt.name)
    assert (rounded == fmt.round_array(values)).all()
    assert decided.all()
    with pytest.raises(oracle.UnknownFormat):
        oracle.round(values, "float8")
