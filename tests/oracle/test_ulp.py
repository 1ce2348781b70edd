"""oracle.ulp against the definition, at the places where definitions differ, and against oracle.rounding."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from oracle import FORMATS, Format, Real, enclosure, rounding
from oracle.ball import exact as point
from oracle.ulp import ulp_error

INF, NAN = math.inf, math.nan
Exact = Fraction | Real


def quantum(x: Fraction, fmt: Format) -> Fraction:
    """2**(min(max(floor(log2|x|), emin), emax) - p + 1), by comparing with powers of two."""
    power = fmt.emin
    while power < fmt.emax and Fraction(2) ** (power + 1) <= abs(x):
        power += 1
    return Fraction(2) ** (power - fmt.precision + 1)


def error(got: float, x: Exact, fmt: Format) -> float:
    return ulp_error(got, x if isinstance(x, Real) else Real.rational(x), fmt)


@pytest.fixture(params=FORMATS, ids=str)
def fmt(request: pytest.FixtureRequest) -> Format:
    found: Format = request.param
    return found


def number(fmt: Format, place: int) -> float:
    return float(fmt.from_ordinals(np.int64(place)))


def test_the_quantum_at_a_power_of_two_is_that_of_the_binade_above(fmt: Format) -> None:
    for k in (fmt.emin + 1, -1, 0, 1, 5, fmt.emax):
        one = Fraction(2) ** k
        place = int(fmt.ordinals(float(one)))
        below, above = number(fmt, place - 1), number(fmt, place + 1)
        assert error(above, one, fmt) == 1.0
        assert error(below, one, fmt) == 0.5
        assert error(float(one), Fraction(below), fmt) == 1.0
        assert error(float(one), Fraction(above), fmt) == 1.0
        just_below = one - Fraction(2) ** (k - 2000)
        assert 0.5 < error(above, just_below, fmt) / 2 <= math.nextafter(1.0, 2)
        assert error(-above, -one, fmt) == 1.0


def test_the_quantum_of_an_irrational_just_below_or_above_a_power_of_two(fmt: Format) -> None:
    tail = Real.softplus(Fraction(-200))  # about 2**-288.5, irrational
    for x, ulps in ((tail + 1, 1.0), (1 - tail, 2.0)):
        got = 1.0 + math.ldexp(1.0, 1 - fmt.precision)
        assert error(got, x, fmt) == pytest.approx(ulps, rel=1e-12)


def test_the_quantum_of_an_irrational_within_a_billionth_of_a_power_of_two(fmt: Format) -> None:
    place = round(-math.log(math.e - 1) * 2**60)  # softplus(-place / 2**60) is nearly 1
    for shift, quantum_exponent in ((-(2**30), 1 - fmt.precision), (2**30, -fmt.precision)):
        x = Real.softplus(-Fraction(place + shift, 2**60))
        assert error(2.0, x, fmt) == pytest.approx(2.0**-quantum_exponent, rel=1e-8)


def test_the_quantum_of_a_number_that_is_a_power_of_two_to_a_trillion_bits(fmt: Format) -> None:
    x = 1 - Real.softplus(Fraction(-(10**12)))
    assert error(2.0, x, fmt) == pytest.approx(2.0**fmt.precision, rel=1e-12)


def test_subnormals_share_one_quantum(fmt: Format) -> None:
    eta, lam = Fraction(fmt.smallest_subnormal), Fraction(fmt.smallest_normal)
    assert error(0.0, eta, fmt) == 1.0
    assert error(0.0, eta / 2, fmt) == 0.5
    assert error(0.0, lam, fmt) == 2.0 ** (fmt.precision - 1)
    assert error(0.0, lam - eta, fmt) == 2.0 ** (fmt.precision - 1) - 1
    assert error(float(lam), lam - eta, fmt) == 1.0
    assert error(float(3 * eta), Fraction(0), fmt) == 3.0
    assert error(-0.0, Fraction(0), fmt) == error(0.0, Fraction(0), fmt) == 0.0
    assert error(float(eta), eta / 2**40, fmt) == pytest.approx(1.0)


def test_overflow_begins_at_the_threshold(fmt: Format) -> None:
    threshold, ulp = fmt.overflow_threshold, Fraction(2) ** (fmt.emax - fmt.precision + 1)
    for sign in (1, -1):
        for x in (threshold, threshold + ulp / 1000, threshold * 10):
            assert error(sign * INF, sign * x, fmt) == 0.0
            assert error(sign * fmt.largest, sign * x, fmt) == 1.0  # from 2**(emax + 1)
            assert error(-sign * INF, sign * x, fmt) == 2.0 ** (fmt.precision + 1)
        below = threshold - ulp / 1000
        assert error(sign * INF, sign * below, fmt) == pytest.approx(0.501)
        assert error(sign * fmt.largest, sign * below, fmt) == pytest.approx(0.499)
        assert error(sign * INF, sign * Fraction(fmt.largest), fmt) == 1.0


def test_nan_and_infinite_exact_values(fmt: Format) -> None:
    assert error(NAN, Fraction(1), fmt) == INF
    assert error(1.0, Real.nonfinite(NAN), fmt) == INF
    assert error(INF, Real.nonfinite(NAN), fmt) == INF
    assert error(NAN, Real.nonfinite(INF), fmt) == INF
    assert error(NAN, Real.nonfinite(NAN), fmt) == 0.0
    assert error(INF, Real.nonfinite(INF), fmt) == error(-INF, Real.nonfinite(-INF), fmt) == 0.0
    assert error(-INF, Real.nonfinite(INF), fmt) == error(1.0, Real.nonfinite(INF), fmt) == INF


@pytest.mark.no_cover
def test_random_rationals_against_the_definition_in_fractions(fmt: Format) -> None:
    rng = np.random.default_rng(5)
    for _ in range(300):
        power = int(rng.integers(fmt.emin - fmt.precision - 2, fmt.emax + 1))
        x = Fraction(int(rng.integers(2**59, 2**60)), 2**59) * Fraction(2) ** power * int(rng.choice([-1, 1]))
        if abs(x) >= fmt.overflow_threshold:
            continue
        nearest = fmt.round_exact(x)
        got = number(fmt, int(fmt.ordinals(nearest)) + int(rng.integers(-3, 4))) if math.isfinite(nearest) else nearest
        if math.isinf(got):
            continue
        truth = abs(Fraction(got) - x) / quantum(x, fmt)
        assert truth <= Fraction(error(got, x, fmt)) <= truth * (1 + Fraction(1, 2**50))
        assert error(nearest, x, fmt) <= 0.5


def test_correct_rounding_is_half_an_ulp_and_the_array_version_agrees(fmt: Format) -> None:
    rng = np.random.default_rng(6)
    z = fmt.round_array(rng.choice([-1, 1], 200) * np.exp2(rng.uniform(-12, 7, 200)))
    balls = enclosure.softplus_minus(z)
    reals = [Real.softplus(-Fraction(float(x))) for x in z]
    nearest = np.array([real.round(fmt) for real in reals])
    assert max(error(float(y), real, fmt) for y, real in zip(nearest, reals, strict=True)) <= 0.5
    got = fmt.from_ordinals(fmt.ordinals(nearest) + rng.integers(-40, 41, 200))
    low, high = rounding.ulp_errors(balls, got, fmt)
    for y, real, least, most in zip(got, reals, low, high, strict=True):
        slack = 2.0**-45
        assert least * (1 - slack) <= error(float(y), real, fmt) <= most * (1 + slack)


def test_the_array_version_agrees_on_infinities_and_subnormals(fmt: Format) -> None:
    eta, ulp = fmt.smallest_subnormal, math.ldexp(1.0, fmt.emax - fmt.precision + 1)
    exact = [fmt.largest, -fmt.largest, fmt.largest - ulp, eta, 3 * eta, fmt.smallest_normal, 0.0, 1.0, NAN]
    for x in exact:
        real = Real.rational(Fraction(x)) if math.isfinite(x) else Real.nonfinite(x)
        for got in (INF, -INF, NAN, 0.0, eta, fmt.largest, -fmt.largest, 1.0):
            low, high = rounding.ulp_errors(point(np.array([x])), np.array([got]), fmt)
            truth = error(got, real, fmt)
            assert high[0] == pytest.approx(truth, rel=1e-12)
            assert low[0] == pytest.approx(truth, rel=1e-12) or (truth == INF and low[0] > 1e300)  # beyond every float


def test_the_array_version_agrees_beyond_the_threshold(fmt: Format) -> None:
    half = math.ldexp(1.0, fmt.emax - fmt.precision)
    for sign in (1.0, -1.0):
        ball = (point(np.array([fmt.largest])) + half) * 2.0 * sign
        exact = Real.rational(2 * int(sign) * (Fraction(fmt.largest) + Fraction(half)))
        for got in (INF, -INF, fmt.largest, -fmt.largest, 1.0, NAN):
            low, high = rounding.ulp_errors(ball, np.array([got]), fmt)
            truth = error(got, exact, fmt)
            assert low[0] == pytest.approx(truth, rel=1e-12)
            assert high[0] == pytest.approx(truth, rel=1e-12)
