"""Operations on balls: the radii are those of docs/enclosures.md, none smaller, and none larger by more than the slack."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from radii import LEAST, PRODUCT, QUOTIENT, SUM, U, assert_normal, assert_radius, head, middle, radius, unit

from oracle.ball import Enclosure, exact, normalised, rescaled

pytestmark = pytest.mark.no_cover  # what it runs is counted where others run it

RNG = np.random.default_rng(8)
N = 300


def balls(exponents: tuple[int, int] = (-40, 40), widths: tuple[int, int] = (-120, 2), n: int = N) -> Enclosure:
    """Exact numbers, double-doubles, narrow balls, balls wider than their centre, and 0; in about equal parts."""
    centre = RNG.choice([-1.0, 1.0], n) * RNG.uniform(0.5, 1.0, n)
    tail = np.where(np.arange(n) % 3, centre * RNG.uniform(-1, 1, n) * 2.0**-54, 0.0)
    width = np.where(np.arange(n) % 5, 2.0 ** RNG.uniform(*widths, n), 0.0)
    centre, tail = (np.where(np.arange(n) % 11, part, 0.0) for part in (centre, tail))
    return normalised(centre, tail, RNG.integers(*exponents, n), width, special=np.zeros(n))


EXPONENTS = pytest.mark.parametrize("exponents", [(-3, 3), (-300, 300), (-4000, 4000)])


# -- one operation -----------------------------------------------------------------------------------------------------


@EXPONENTS
def test_the_radius_of_a_sum(exponents: tuple[int, int]) -> None:
    x, y = balls(exponents), balls(exponents)
    for other, result in ((y, x + y), (-y, x - y)):
        assert_normal(result)
        for i in range(N):
            apart = abs(int(x.exponent[i]) - int(other.exponent[i]))
            if apart < 600 or not (x.head[i] or x.radius[i]) or not (y.head[i] or y.radius[i]):
                stated = radius(x, i) + radius(other, i) + SUM * head(result, i)
                rounding = abs(middle(x, i) + middle(other, i) - middle(result, i))
                assert_radius(result, i, stated if radius(x, i) or radius(other, i) or head(result, i) else Fraction(0))
                assert rounding <= SUM * head(result, i) + 2 * LEAST * unit(result, i)


@pytest.mark.parametrize("apart", [598, 599, 600, 601, 5000])
@pytest.mark.parametrize("wide", [False, True])
def test_an_addend_600_orders_below_the_other_goes_into_the_radius(apart: int, wide: bool) -> None:
    large, small = exact([0.75, -0.5, 0.75]), exact([0.5, 0.625, -0.5])
    if wide:
        small = small.widen(relative=0.5)
    small = Enclosure(small.head, small.head * 2.0**-60, small.exponent - apart, small.radius)
    for result in (large + small, small + large):
        for i in range(3):
            gone = middle(result, i) == middle(large, i)
            assert gone == (int(large.exponent[i]) - int(small.exponent[i]) >= 600)
            lost = Fraction(1, 2**598) * unit(large, i) if gone else radius(small, i)
            assert_radius(result, i, lost + SUM * head(result, i))


def test_the_smallest_radii_are_not_lost_where_centres_cancel() -> None:
    """Alone, and beside numbers of an array that are shifted."""
    one, other = exact([1.0, -0.7, 1e-30]), exact([1.0, -0.7, 2e90])
    narrow = one.widen(relative=5e-324)
    assert (narrow.radius < 2.0**-998).all()
    for places in (slice(2), slice(3)):
        for x, y in ((narrow[places], other[places]), (other[places], narrow[places])):
            result = x - y
            for i in range(2):
                assert middle(result, i) == 0
                assert_radius(result, i, radius(narrow, i), room=3 * LEAST * unit(narrow, i))


def test_an_exact_0_of_any_exponent_leaves_a_sum_as_it_is() -> None:
    x, zero = balls(), np.zeros(N)
    for exponent in (-5000, -1, 0, 1, 5000):
        nothing = Enclosure(zero, zero, np.full(N, exponent, dtype=np.int64), zero)
        for result in (x + nothing, nothing + x):
            assert (result.head == x.head).all() and (result.tail == x.tail).all()
            occupied = (x.head != 0) | (x.radius != 0)
            assert (result.exponent == x.exponent)[occupied].all()
    both = exact(zero) + Enclosure(zero, zero, np.full(N, 77, dtype=np.int64), zero)
    assert not both.head.any() and not both.radius.any()


@EXPONENTS
def test_the_radius_of_a_product(exponents: tuple[int, int]) -> None:
    x, y = balls(exponents), balls(exponents)
    result = x * y
    assert_normal(result)
    for i in range(N):
        spread = head(x, i) * radius(y, i) + head(y, i) * radius(x, i) + radius(x, i) * radius(y, i)
        assert_radius(result, i, spread + PRODUCT * head(x, i) * head(y, i))
        assert abs(middle(x, i) * middle(y, i) - middle(result, i)) <= Fraction(82, 10) * U**2 * head(x, i) * head(y, i)


@pytest.mark.parametrize("n", [1, 3, 10**6 + 3, 2**53])
def test_the_radius_of_a_quotient(n: int) -> None:
    x = balls()
    result = x.divided_by(n)
    assert_normal(result)
    for i in range(N):
        assert_radius(result, i, radius(x, i) / n + QUOTIENT * head(result, i))
        assert abs(middle(x, i) / n - middle(result, i)) <= 3 * U**2 * head(result, i) * (1 + 2 * U)


@pytest.mark.parametrize("relative", [1e-300, 2.0**-60, 0.25, 7.0])
def test_the_radius_of_a_widened_ball(relative: float) -> None:
    x = balls()
    by_itself = x.widen(relative=relative)
    assert_normal(by_itself)
    both = x.widen(relative=relative, absolute=np.full(N, 1e-3))
    alone = x.widen(absolute=1e-3)
    for i in range(N):
        grown = radius(x, i) + Fraction(relative) * (head(x, i) + radius(x, i))
        assert_radius(by_itself, i, grown)
        assert middle(by_itself, i) == middle(x, i) == middle(both, i)
        assert_radius(both, i, grown + Fraction(1e-3) + SUM * head(x, i), charged=2)
        assert_radius(alone, i, radius(x, i) + Fraction(1e-3) + SUM * head(x, i))


def test_widening_by_nothing_changes_nothing() -> None:
    x = balls()
    for same in (x.widen(), x.widen(relative=0.0, absolute=0.0), x.widen(absolute=np.zeros(N))):
        assert same is x
    some = x.widen(absolute=np.where(np.arange(N) == 7, 1.0, 0.0))
    assert radius(some, 7) >= radius(x, 7) + 1


def test_a_mirrored_ball_keeps_its_radius_and_an_absolute_value_its_size() -> None:
    x = balls()
    for i in range(N):
        assert middle(-x, i) == -middle(x, i) and radius(-x, i) == radius(x, i)
        assert middle(abs(x), i) == abs(middle(x, i)) and radius(abs(x), i) == radius(x, i)


# -- scales ------------------------------------------------------------------------------------------------------------


def raw(n: int, sizes: tuple[int, int], tails: int, widths: tuple[int, int] | None) -> tuple[np.ndarray, ...]:
    """(head, tail, exponent, radius) of any size, the tail that many binary orders below the head."""
    centre = RNG.choice([-1.0, 1.0], n) * np.ldexp(RNG.uniform(0.5, 1.0, n), RNG.integers(*sizes, n))
    tail = centre * RNG.uniform(0.5, 1.0, n) * 2.0**-tails
    width = np.zeros(n) if widths is None else np.ldexp(RNG.uniform(0.5, 1.0, n), RNG.integers(*widths, n))
    return centre, tail, RNG.integers(-50, 50, n), width


@pytest.mark.parametrize("sizes", [(-1073, -1060), (-1030, -990), (-200, 200), (990, 1024)])
@pytest.mark.parametrize("widths", [None, (-1070, -900), (-300, 300), (990, 1024)])
def test_a_ball_keeps_its_numbers_on_every_scale(sizes: tuple[int, int], widths: tuple[int, int] | None) -> None:
    parts = raw(N, sizes, 55, widths)
    before, after = Enclosure(*parts), normalised(*parts, special=np.zeros(N))
    assert_normal(after)
    for i in range(N):
        moved = abs(middle(after, i) - middle(before, i))
        assert moved <= Fraction(1, 2**1073) * unit(after, i)
        slack = radius(after, i) * 17 * U if after.radius[i] > 2.0**-947 else 0  # there LEAST_RADIUS is rounded away
        assert radius(before, i) + moved <= radius(after, i) + slack
        assert radius(after, i) <= radius(before, i) + 3 * LEAST * unit(after, i)
        assert (radius(after, i) == 0) == (radius(before, i) == 0 and moved == 0)


def test_an_exact_ball_that_loses_a_part_is_exact_no_longer() -> None:
    centre, tail = np.array([1.0, 1.0, 2.0**1000, 2.0**1000]), np.array([0.0, 2.0**-1074, 2.0**-1074, 2.0**900])
    kept = normalised(centre, tail, np.zeros(4, dtype=np.int64), np.zeros(4), special=np.zeros(4))
    assert (kept.radius == 0).tolist() == [True, False, False, True]
    assert (kept.radius[1:3] >= 2.0**-1000).all()


def test_what_is_not_finite_has_no_radius() -> None:
    zero, one = np.zeros(3), np.ones(3)
    special = np.array([np.nan, np.inf, -np.inf])
    result = normalised(one, one * 2.0**-60, np.full(3, 9), one, special=special)
    np.testing.assert_array_equal(result.head, special)
    for part in (result.tail, result.exponent, result.radius):
        assert part.dtype in (np.float64, np.int64) and (part == zero).all()
    assert result.exponent.dtype == np.int64


def test_a_rescaled_ball_is_the_same_ball() -> None:
    parts = raw(N, (-200, 200), 60, (-250, 200))
    before, after = Enclosure(*parts), rescaled(*parts)
    size = np.maximum(np.abs(after.head), after.radius)
    assert ((size >= 0.5) & (size < 1)).all()
    for i in range(N):
        assert middle(after, i) == middle(before, i)
        assert radius(after, i) == radius(before, i)


def test_exact_numbers_are_themselves() -> None:
    values = np.array([0.0, -0.0, 1.0, -0.3, 5e-324, 2.0**-1022, 1.7e308, np.inf, -np.inf, np.nan])
    x = exact(values)
    assert_normal(x[:7])
    assert [middle(x, i) for i in range(7)] == [Fraction(v) for v in values[:7].tolist()]
    np.testing.assert_array_equal(x.head[7:], values[7:])
    assert not x.tail.any() and not x.radius.any() and not x.exponent[7:].any()
    assert x.exponent.dtype == np.int64
