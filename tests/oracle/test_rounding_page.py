"""What a ball decides, against the definitions in exact fractions and from both sides: never wrong, and never needlessly open.

A ball is an interval of real numbers, and every definition here is monotone between its landmarks, so it is applied to
the two ends. What the interval allows with 2**-40 of its radius to spare must be decided, and a bracket may be wider
than its definition by no more than that.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from oracle import enclosure
from oracle.enclosure import Enclosure
from oracle.formats import FORMATS, Floats, Format, binary16, binary32, binary64

each_format = pytest.mark.parametrize("fmt", FORMATS, ids=str)
SPARE = Fraction(1, 2**40)
OUT_OF_SIGHT, TOO_MANY = Fraction(2) ** -899, Fraction(2) ** 1000
Ends = tuple[Fraction, Fraction]


def held(centre: Fraction, radius: Fraction) -> tuple[float, float, int, float]:
    """The fields of the nearest ball, whose exact centre and radius are read back from them."""
    size = max(abs(centre), radius)
    if size == 0:
        return 0.0, 0.0, 0, 0.0
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent += math.frexp(float(size / Fraction(2) ** exponent))[1]
    unit = Fraction(2) ** exponent
    head = float(centre / unit)
    return head, float(centre / unit - Fraction(head)), exponent, float(radius / unit)


def gathered(fields: list[tuple[float, float, int, float]]) -> Enclosure:
    head, tail, exponent, radius = zip(*fields, strict=True)
    return Enclosure(np.array(head), np.array(tail), np.array(exponent, dtype=np.int64), np.array(radius))


def centre_and_radius(x: Enclosure, i: int) -> Ends:
    unit = Fraction(2) ** int(x.exponent[i])
    return (Fraction(float(x.head[i])) + Fraction(float(x.tail[i]))) * unit, Fraction(float(x.radius[i])) * unit


def landmarks(fmt: Format) -> list[Fraction]:
    """Where a definition changes: 0, subnormals, midpoints, feet of binades, the largest number, the overflow threshold."""
    eta, lam, u = Fraction(fmt.smallest_subnormal), Fraction(fmt.smallest_normal), Fraction(fmt.unit_roundoff)
    top, half = Fraction(2) ** fmt.emax, Fraction(1, 2)
    return [
        *(eta * k for k in (0, Fraction(1, 4), half, 1, 3 * half, 2, 5 * half, 3, 7 * half, 4)),
        *(lam * k for k in (1 - 2 * u, 1 - u, 1, 1 + u, 1 + 2 * u, 2 - 2 * u, 2 - u, 2, 2 + 2 * u, 4)),
        *(half * k for k in (1 - u, 1 - u / 2, 1, 1 + u, 1 + 2 * u, 1 + 3 * u, 1 + 5 * u, 3 * half, 2 - u, 2, 4)),
        *(top * k for k in (1 - u, 1, 2 - 4 * u, 2 - 3 * u, 2 - 2 * u, 2 - u, 2 - u / 2, 2, 2 + 2 * u, 3, 8)),
        *(Fraction(2) ** k for k in (-5000, -1100, 1100, 5000)),
    ]


@cache
def balls(fmt: Format) -> tuple[Enclosure, list[Fraction]]:
    """Balls that end before, at and beyond a landmark, from either side, exact ones and wide ones; and the landmarks."""
    fields, places = [], []
    for k, x in enumerate(landmarks(fmt)):
        q = fmt.quantum(x) if x >= Fraction(fmt.smallest_subnormal) / 8 or x == 0 else x
        for away in (0, *(side * Fraction(k) for k in (2**-200, 2**-55, 2**-20, 0.25, 0.375) for side in (1, -1))):
            reach = abs(away) * q
            close = (1 - Fraction(1, 2**30), 1, 1 + Fraction(1, 2**51), 1 + Fraction(1, 2**30))
            radii = (
                0,
                *(reach * k for k in close),
                q / 2**50,
                q / 5,
                3 * q / 10,
                3 * q / 5,
                x / 4,
                x * 9 / 20,
                x * 4 / 5,
                3 * x,
            )
            for j, radius in enumerate(radii):
                sign = 1 if (j + k) % 2 else -1
                fields.append(held(sign * (x + away * q), radius))
                places.append(sign * x)
    return gathered(fields), places


@cache
def roundings(fmt: Format) -> list[tuple[float, float, float, bool]]:
    """Of each ball: what its lower end, its centre and its upper end round to, and whether they agree with room to spare."""
    x, _ = balls(fmt)
    found = []
    for i in range(x.size):
        centre, radius = centre_and_radius(x, i)
        near, far = abs(centre) - radius * (1 + SPARE), abs(centre) + radius * (1 + SPARE)
        beyond = fmt.overflow_threshold <= far and near < Fraction(2) ** (fmt.emax + 2)  # steps are counted there too
        step = Fraction(2) ** (fmt.emax - fmt.precision + 1)
        same = round(near / step) == round(far / step) if beyond else fmt.round_exact(near) == fmt.round_exact(far)
        ends = [fmt.round_exact(centre + side * radius) for side in (-1, 0, 1)]
        found.append((ends[0], ends[1], ends[2], same and radius <= abs(centre) / 4))
    return found


@pytest.mark.no_cover
@each_format
def test_what_every_number_of_a_ball_rounds_to_is_decided_and_nothing_else(fmt: Format) -> None:
    x, _ = balls(fmt)
    with np.errstate(all="raise"):
        values, decided = enclosure.round(x, fmt)
    for i, (least, middle, most, clear) in enumerate(roundings(fmt)):
        assert not decided[i] or least == values[i] == most, x[i]
        assert decided[i] or not clear, x[i]
        assert values[i] == middle or abs(x.head[i]) < 0.5, x[i]
        assert np.signbit(values[i]) == np.signbit(x.head[i]), x[i]


def test_a_ball_around_0_rounds_to_0_where_it_is_shorter_than_half_the_least_number() -> None:
    least = Fraction(binary16.smallest_subnormal)
    x = gathered([held(Fraction(0), least * k / 100) for k in (1, 26, 49, 51, 60, 99, 101, 300)])
    values, decided = enclosure.round(x, binary16)
    assert not values.any()
    assert decided.tolist() == [True] * 3 + [False] * 5


def test_infinities_and_nan_round_to_themselves() -> None:
    values, decided = enclosure.round(np.array([math.inf, -math.inf, math.nan]), binary32)
    assert values.tolist()[:2] == [math.inf, -math.inf] and math.isnan(values[2]) and decided.all()


@pytest.mark.no_cover
@each_format
def test_the_sign_of_a_difference_is_decided_where_every_number_of_the_ball_has_it(fmt: Format) -> None:
    x, places = balls(fmt)
    at = [i for i, place in enumerate(places) if abs(place) <= Fraction(binary64.largest) and fmt.round_exact(place) == place]
    x, values = x.take(np.array(at)), [float(places[i]) for i in at]
    with np.errstate(all="raise"):
        sign, decided = enclosure.compare(x, values)
    for i, value in enumerate(values):
        centre, radius = centre_and_radius(x, i)
        signs = {(d > 0) - (d < 0) for d in (Fraction(value) - centre - radius, Fraction(value) - centre + radius)}
        assert not decided[i] or signs == {int(sign[i])}, (x[i], value)
        assert decided[i] or sign[i] == 0
        clear = abs(Fraction(value) - centre) > radius * (1 + SPARE) or radius == 0
        assert decided[i] or not clear, (x[i], value)


def test_a_centre_that_looks_like_the_value_is_not_equal_to_it() -> None:
    x = gathered([(0.75, 0.0, 0, 0.125), (0.75, 0.0, 3, 0.125), (0.75, 0.0, 3, 0.0)])
    sign, decided = enclosure.compare(x, [0.75, 0.75, 0.75])
    assert sign.tolist() == [0, -1, -1] and decided.tolist() == [False, True, True]


def test_a_value_may_be_any_kind_of_number() -> None:
    sign, decided = enclosure.compare(enclosure.exact([0.5, 0.5]), [Fraction(1, 4), 1])
    assert sign.tolist() == [-1, 1] and decided.all() and sign.dtype == np.int8
    low, high = enclosure.ulp_errors(enclosure.exact([0.5, 0.5]), [Fraction(3, 4), 1], binary16, (Fraction(1, 2), 1))
    np.testing.assert_allclose([low, high], [[512, 1024]] * 2, rtol=1e-12)


# -- ulp errors --------------------------------------------------------------------------------------------------------


def bracket(centre: Fraction, radius: Fraction, got: float, fmt: Format) -> Ends:
    """The least and the greatest |got - x| / q(x), distance and quantum taken apart; x in the interval, of one sign or 0."""
    beyond, top = Fraction(2) ** (fmt.emax + 1), Fraction(2) ** (fmt.emax - fmt.precision + 1)
    answer = Fraction(got) if math.isfinite(got) else beyond * int(math.copysign(1, got))
    least, most = max(abs(centre) - radius, Fraction(0)), abs(centre) + radius
    found: list[Ends] = []
    if least < fmt.overflow_threshold:
        near, far = max(abs(answer - centre) - radius, Fraction(0)), abs(answer - centre) + radius
        found.append((near / fmt.quantum(most), far / fmt.quantum(least)))
    if most >= fmt.overflow_threshold:
        right = math.isinf(got) and (got > 0) == (centre > 0)
        error = Fraction(0) if right else abs(answer - (beyond if centre > 0 else -beyond)) / top
        found.append((error, error))
    return min(low for low, _ in found), max(high for _, high in found)


def returned(x: Enclosure, places: list[Fraction], fmt: Format) -> Floats:
    """Numbers of the format at each landmark and beside it, 0, both infinities, and the other sign, in turn."""
    at = fmt.ordinals([fmt.round_exact(place) for place in places])
    turn = np.arange(x.size) * 7 % 12
    got = fmt.from_ordinals(at + turn - 3)
    got = np.where(turn == 7, math.inf, np.where(turn == 8, -math.inf, got))
    return np.where(turn == 9, 0.0, np.where(turn == 10, -got, np.where(turn == 11, fmt.largest, got)))


@cache
def brackets(fmt: Format) -> tuple[Floats, list[tuple[Ends, Ends]]]:
    """A number returned for each ball, and the bracket of its error: of the ball, and of one a little wider."""
    x, places = balls(fmt)
    got = returned(x, places, fmt)
    found = []
    for i in range(x.size):
        centre, radius = centre_and_radius(x, i)
        inner, outer = (bracket(centre, r, float(got[i]), fmt) for r in (radius, radius * (1 + SPARE)))
        narrow = x.radius[i] <= 0.125 or radius <= Fraction(fmt.smallest_normal) / 8
        spare = outer[1] * SPARE / 64 if narrow else outer[1] + TOO_MANY
        low, high = min(outer[0] - spare, TOO_MANY), max(outer[1] + spare, OUT_OF_SIGHT)
        found.append((inner, (low if low > OUT_OF_SIGHT else Fraction(0), high)))
    return got, found


@pytest.mark.no_cover
@each_format
def test_ulp_errors_are_the_definition_at_the_ends_of_the_ball(fmt: Format) -> None:
    x, _ = balls(fmt)
    got, found = brackets(fmt)
    with np.errstate(all="raise"):
        low, high = enclosure.ulp_errors(x, got, fmt)
    for i, (inner, outer) in enumerate(found):
        assert outer[0] <= low[i] <= inner[0], (x[i], got[i])
        assert inner[1] <= high[i] and (high[i] <= outer[1] or outer[1] > TOO_MANY), (x[i], got[i])


@each_format
def test_a_size_that_is_known_settles_the_quantum_of_a_ball_over_a_power_of_two(fmt: Format) -> None:
    x = gathered([(0.5, 0.0, 1, 2.0**-5), (-0.5, 0.0, 1, 2.0**-5)])
    got = np.array([3.0, 3.0])
    near, far = np.array([2 - 1 / 16, 4 - 1 / 16]), np.array([2 + 1 / 16, 4 + 1 / 16])
    quanta = 2.0 ** (fmt.precision - 1)
    for within, fine, coarse in (
        (None, 2, 1),
        ((0.0, math.inf), 2, 1),
        ((1.0, math.inf), 1, 1),
        ((0.0, math.nextafter(1, 0)), 2, 2),
        ((0.75, 1.0), 2, 1),
        ((1.0, 1.25), 1, 1),
    ):
        low, high = enclosure.ulp_errors(x, got, fmt, within)
        np.testing.assert_allclose(low, near * coarse * quanta, rtol=1e-12)
        np.testing.assert_allclose(high, far * fine * quanta, rtol=1e-12)


@pytest.mark.parametrize("fmt", [binary16, binary32], ids=str)
@pytest.mark.parametrize("head", [0.0, -0.0])
def test_a_ball_of_both_signs_may_overflow_to_either_infinity(fmt: Format, head: float) -> None:
    """|x| is known to be at least 2**emax, and reaches the overflow threshold on both sides."""
    x = gathered([(head, 0.0, fmt.emax + 1, 1 - fmt.unit_roundoff / 2)])
    for got in (math.inf, -math.inf):
        low, high = enclosure.ulp_errors(x, [got], fmt, (2.0**fmt.emax, math.inf))
        assert low == 0
        assert 1 <= high / 2.0 ** (fmt.precision + 1) < 1 + 2.0**-40


def test_nan_for_a_number_and_a_number_for_nan_are_infinite_errors() -> None:
    x = enclosure.exact([math.nan, math.nan, math.nan, 1.0, math.inf, 0.0, 2.0**127])
    got = [math.nan, 1.0, math.inf, math.nan, math.nan, math.nan, math.nan]
    with np.errstate(all="raise"):
        low, high = enclosure.ulp_errors(x, got, binary32)
    assert low.tolist() == high.tolist() == [0.0, *[math.inf] * 6]


def test_one_ball_is_judged_at_many_numbers() -> None:
    low, high = enclosure.ulp_errors(enclosure.exact(1.0), [[1.0, 1.5], [2.0, math.nan]], binary16)
    np.testing.assert_allclose(low, [[0, 512], [1024, math.inf]], rtol=1e-12)
    np.testing.assert_allclose(high, [[0, 512], [1024, math.inf]], rtol=1e-12)
