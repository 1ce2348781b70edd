"""rho as docs/bounds.md states it, in fractions, on intervals made by hand: both ways of computing it obey."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from oracle import FORMATS, Format, binary32, binary64
from oracle.ball import Enclosure, where
from oracle.ball import exact as point
from oracle.bounds import Acceptance, centre
from oracle.bounds.acceptance import largest, overflow_threshold
from oracle.formats import Floats

RNG = np.random.default_rng(12)
N = 50


def middle(x: Enclosure, i: int) -> Fraction:
    return (Fraction(float(x.head[i])) + Fraction(float(x.tail[i]))) * Fraction(2) ** int(x.exponent[i])


def radius(x: Enclosure, i: int) -> Fraction:
    return Fraction(float(x.radius[i])) * Fraction(2) ** int(x.exponent[i])


def stated(each: Acceptance, i: int, got: float) -> Fraction | float:
    """The page's rho of a number that was got, before figure and verdict are made to agree."""
    exact, low, high = (middle(x, i) for x in (each.exact, each.low, each.high))
    if each.zero[i] and got == 0:
        return Fraction(0)
    if math.isnan(got):
        return math.inf
    place = Fraction(got) if math.isfinite(got) else placed(got, exact, each.fmt)
    if place == exact:
        return Fraction(0)
    width = high - exact if place > exact else exact - low
    return abs(place - exact) / width if width else math.inf


def placed(infinity: float, exact: Fraction, fmt: Format) -> Fraction:
    sign = 1 if infinity > 0 else -1
    return sign * max(fmt.overflow_threshold, sign * exact)


def outside(each: Acceptance, i: int, got: float) -> bool:
    """Certainly beyond the far side of an end's ball."""
    place = Fraction(got) if math.isfinite(got) else placed(got, middle(each.exact, i), each.fmt)
    high, low = middle(each.high, i) + radius(each.high, i), middle(each.low, i) - radius(each.low, i)
    return place > high or place < low


def assert_rho(each: Acceptance, got: Floats) -> None:
    found = each.rho(got)
    assert found.shape == got.shape and not np.isnan(found).any()
    for i, (rho, x) in enumerate(zip(found.tolist(), got.tolist(), strict=True)):
        ratio = stated(each, i, x)
        if math.isnan(x) or ratio == 0:
            assert rho == ratio, (i, x)
            continue
        assert (rho > 1) == outside(each, i, x), (i, x, rho)
        wanted = max(ratio, 1) if outside(each, i, x) else min(ratio, 1)
        if wanted < 2**1023:
            assert rho == pytest.approx(float(wanted), rel=1e-12), (i, x)
        else:
            assert rho > 2.0**1022, (i, x)


def intervals(fmt: Format, exponents: tuple[int, int], widths: tuple[float, float], doubt: float) -> Acceptance:
    """Around numbers of both signs and of those sizes; ends at relative distances between the widths, balls at each."""
    sizes = np.ldexp(RNG.uniform(0.5, 1, N), RNG.integers(*exponents, N)) * RNG.choice([-1.0, 1.0], N)
    up, down = (np.exp(RNG.uniform(*np.log(widths), N)) * np.abs(sizes) for _ in range(2))
    exact = point(sizes).widen(relative=2.0**-70)
    low, high = ((exact + change).widen(absolute=doubt * up) for change in (-down, up))
    return Acceptance(exact, low, high, RNG.random(N) < 0.3, fmt)


def shares(each: Acceptance, share: float) -> Floats:
    """The numbers at that share of the way from the exact value to an end, on either side in turn."""
    found = np.empty(len(each.zero))
    for i in range(found.size):
        exact, end = middle(each.exact, i), middle(each.high if i % 2 else each.low, i)
        found[i] = float(exact + Fraction(share) * (end - exact))
    return found


@pytest.mark.no_cover
@pytest.mark.parametrize("exponents", [(-3, 3), (-900, 900), (-1020, -960), (1000, 1010)])
@pytest.mark.parametrize("widths", [(1e-5, 1e-2), (0.01, 40.0), (0.99, 1.01)])
def test_rho_is_the_pages(exponents: tuple[int, int], widths: tuple[float, float]) -> None:
    for doubt in (0.0, 1e-4):
        each = intervals(binary64, exponents, widths, doubt)
        for share in (0.0, 1e-3, 0.5, 1 - 2 * doubt - 1e-6, 1 + 0.5 * doubt, 1 + 2 * doubt + 1e-6, 3.0, 1000.0):
            got = shares(each, share)
            assert_rho(each, got)
            assert_rho(each, np.where(np.arange(N) % 3, got, -got))
        for same in (0.0, -0.0, math.inf, -math.inf, math.nan):
            assert_rho(each, np.full(N, same))


def test_both_ways_of_computing_rho_give_the_same() -> None:
    each = intervals(binary32, (-20, 20), (1e-4, 2.0), 1e-5)
    for share in (1e-3, 0.3, 0.9, 1.1, 7.0, 1e6):
        got = shares(each, share)
        quickly, decided = each._quickly(got)
        assert decided.mean() > 0.95
        np.testing.assert_allclose(quickly[decided], each._carefully(got)[decided], rtol=1e-14)
        assert (each.rho(got)[decided] == quickly[decided]).all()


def test_what_is_decided_quickly_is_what_can_be() -> None:
    """Not an infinity, a NaN, an interval in doubt or of no width, nor one beyond 2**-900."""
    one = Acceptance(*(point(np.full(10, x)) for x in (2.0, 1.0, 3.0)), np.zeros(10, bool), binary64)
    got = np.array([1.5, 2.5, 3.5, 0.5, 0.0, 2.0**900, 2.0, math.inf, -math.inf, math.nan])
    assert one._quickly(got)[1].tolist() == [True] * 6 + [True] + [False] * 3
    for end in ("low", "high"):
        assert not replace(one, **{end: one.exact})._quickly(got)[1].any()
        assert not replace(one, **{end: point(np.full(10, math.nan))})._quickly(got)[1].any()
        assert not replace(one, **{end: point(np.full(10, math.inf))})._quickly(got)[1].any()
    assert not replace(one, exact=one.exact.widen(absolute=0.01))._quickly(got)[1].any()
    for least, near in ((2.0**-900, True), (2.0**-902, False)):
        tiny = Acceptance(*(point(np.full(1, x)) for x in (0.0, -least, least)), np.zeros(1, bool), binary64)
        for size in (2.0**-950, 2.0**-2, 2.0**60):
            assert tiny._quickly(np.array([size]))[1][0] == near
            assert_rho(tiny, np.array([size]))
    far = Acceptance(*(point(np.full(1, x)) for x in (0.0, -(2.0**-800), 2.0**800)), np.zeros(1, bool), binary64)
    assert far._quickly(np.array([2.0**-199]))[1][0] and not far._quickly(np.array([2.0**-201]))[1][0]
    assert_rho(far, np.array([2.0**-201]))
    far = Acceptance(*(point(np.full(1, x)) for x in (0.0, -(2.0**-800), 2.0**-800)), np.zeros(1, bool), binary64)
    assert far._quickly(np.array([2.0**223]))[1][0] and not far._quickly(np.array([2.0**224]))[1][0]
    lost = Enclosure(np.array([0.5]), np.array([2.0**-300]), np.array([-890]), np.zeros(1))
    beside = Acceptance(lost, lost * 0.5, lost * 1.5, np.zeros(1, bool), binary64)
    assert not beside._quickly(np.array([2.0**-891]))[1][0] and 0 < beside.rho(np.array([2.0**-891]))[0] < 2.0**-250


@pytest.mark.parametrize("size", [1.0, 2.0**-70])
@pytest.mark.parametrize("doubt", [0.0, 2.0**-13, 2.0**-40])
def test_what_is_decided_quickly_is_apart_by_all_three_radii_and_2_to_the_minus_49(size: float, doubt: float) -> None:
    """Error and allowance both hold the exact value's radius, the allowance the end's besides: 3 doubt, of the width 1."""
    known = point(size * np.array([1.0, 0.0, 2.0]))
    exact, low, high = (known[[i]].widen(absolute=size * doubt) if doubt else known[[i]] for i in range(3))
    each = Acceptance(exact, low, high, np.zeros(1, bool), binary64)
    for share, decided in (
        (1 - 3 * doubt * 1.01 - 2.0**-48, True),
        (1 - 3 * doubt * 0.99 - 2.0**-51, False),
        (1 + 3 * doubt * 0.99 + 2.0**-51, False),
        (1 + 3 * doubt * 1.01 + 2.0**-48, True),
    ):
        for got in (size * (1 + share), size * (1 - share)):
            error = Fraction(got) - Fraction(size)
            offset = abs(abs(error) / Fraction(size) - 1) - 3 * Fraction(doubt)
            if abs(offset) < 2.0**-47 and not doubt and decided:
                continue  # 1 + share has lost the bits that would tell
            assert each._quickly(np.array([got]))[1][0] == decided, (share, got)


def test_a_result_at_an_end_to_the_last_bit_is_accepted_and_the_next_is_not() -> None:
    ends = [(1.0, 3.0), (-3.0, -1.0), (0.5, 1e3), (-1e-3, 1e-3), (2.0**-1022, 1.0)]
    exact = np.array([2.0, -2.0, 0.75, 1e-4, 2.0**-1021])
    low, high = np.array(ends).T
    each = Acceptance(point(exact), point(low), point(high), np.zeros(5, bool), binary64)
    for end, outward in ((low, -math.inf), (high, math.inf)):
        assert (each.rho(end) == 1).all()
        beyond = each.rho(np.nextafter(end, outward))
        assert (beyond > 1).all() and (beyond < 1 + 1e-9).all()
        within = each.rho(np.nextafter(end, exact))
        assert (within <= 1).all() and (within > 1 - 1e-9).all()


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_an_infinity_is_placed_at_the_overflow_threshold_or_at_an_exact_value_beyond(fmt: Format) -> None:
    edge, twice = fmt.overflow_threshold, Fraction(2) ** (fmt.emax + 1)
    big = point(np.full(4, fmt.largest))
    double = Enclosure(np.full(4, 0.5), np.zeros(4), np.full(4, fmt.emax + 2), np.zeros(4))
    for sign in (1.0, -1.0):
        near, far = big * sign * 0.75, double * sign
        low, high = (near - big, far) if sign > 0 else (far, near + big)
        mixed = np.array([True, False, True, False])
        each = Acceptance(where(mixed, near, far), low, high, np.zeros(4, bool), fmt)
        rho = each.rho(np.array([1.0, 1.0, -1.0, -1.0]) * sign * math.inf)
        expected = (edge - middle(big, 0) * Fraction(3, 4)) / (twice - middle(big, 0) * Fraction(3, 4))
        assert rho[0] == pytest.approx(float(expected), rel=1e-12)
        assert rho[1] == 0
        assert rho[2] > 1 and rho[3] > 1
    threshold = overflow_threshold(fmt, (2,))
    assert [middle(threshold, i) for i in range(2)] == [edge] * 2 and (threshold.radius < 2.0**-103).all()


def test_infinite_and_unknown_exact_values_accept_themselves_alone() -> None:
    got = np.array([math.inf, -math.inf, math.nan, 0.0, -0.0, 1.0])
    for special in got[:3]:
        exact = point(np.full(6, special))
        for zero in (False, True):
            each = Acceptance(exact, exact, exact, np.full(6, zero), binary32)
            same = [x == special or (math.isnan(x) and math.isnan(special)) for x in got.tolist()]
            assert each.rho(got).tolist() == [0.0 if x else math.inf for x in same]
    one = point(np.ones(2))
    beside = Acceptance(where(np.array([True, False]), one, math.inf), one * 0.5, one * 2, np.zeros(2, bool), binary32)
    assert beside.rho(np.array([math.inf, math.inf]))[1] == 0
    assert 1 < beside.rho(np.array([math.inf, math.inf]))[0] < math.inf
    assert beside.rho(np.array([1.5, 1.5])).tolist() == [0.5, math.inf]


def test_a_zero_that_underflow_gives_is_accepted_where_nothing_is_decided_quickly() -> None:
    one = point(np.ones(2))
    each = Acceptance(one, one, one * 3.0, np.array([True, False]), binary32)
    assert not each._quickly(np.zeros(2))[1].any()
    assert each.rho(np.zeros(2)).tolist() == each.rho(-np.zeros(2)).tolist() == [0.0, math.inf]
    assert each.rho(np.array([1.0, 2.0])).tolist() == [0.0, 0.5]
    assert each.rho(np.array([0.5, 0.5])).tolist() == [math.inf] * 2


def test_an_unknown_end_accepts_nothing_but_the_other_numbers_keep_theirs() -> None:
    one = point(np.ones(3))
    for end in ("low", "high"):
        ends = {"low": one * 0.5, "high": one * 2}
        ends[end] = where(np.array([False, True, False]), math.nan, ends[end])
        each = Acceptance(one, ends["low"], ends["high"], np.zeros(3, bool), binary32)
        for x, rho in ((1.5, 0.5), (0.75, 0.5), (1.0, 0.0)):
            assert each.rho(np.full(3, x)).tolist() == [rho, math.inf, rho]


def test_the_intervals_at_some_places() -> None:
    each = intervals(binary32, (-3, 3), (0.1, 0.2), 1e-5)
    some = np.array([7, 3, 3])
    part = each[some]
    for end in ("exact", "low", "high"):
        for field in ("head", "tail", "exponent", "radius"):
            assert (getattr(getattr(part, end), field) == getattr(getattr(each, end), field)[some]).all()
    assert (part.zero == each.zero[some]).all() and part.fmt is binary32


def test_the_centre_as_one_float64() -> None:
    values = np.array([0.0, 1.0, -0.3, 5e-324, 1.7e308, math.inf, -math.inf])
    assert (centre(point(values)) == values).all()
    assert np.isnan(centre(point(np.array([math.nan]))))
    beyond = point(np.array([0.75, -0.75])) * point(2.0**1000) * point(2.0**1000)
    assert centre(beyond).tolist() == [math.inf, -math.inf]
    beneath = point(np.array([0.75, -0.75])) * point(2.0**-1000) * point(2.0**-1000)
    assert centre(beneath).tolist() == [0.0, 0.0]
    far = Enclosure(np.array([0.75] * 4), np.zeros(4), np.array([2**40, 6000, -6000, -(2**40)]), np.zeros(4))
    assert centre(far).tolist() == [math.inf, math.inf, 0.0, 0.0]


def test_the_largest_of_several() -> None:
    a, b, c = (point(np.array(x)) for x in ([1.0, -2.0, 3.0], [2.0, -1.0, 3.0], [0.0, -1.5, 4.0]))
    assert centre(largest(a, b, c)).tolist() == [2.0, -1.0, 4.0]
    assert largest(a) is a
