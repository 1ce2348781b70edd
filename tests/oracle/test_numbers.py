"""The ends of bounds as numbers of the format, against a walk over the numbers of the 16-bit formats."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import oracle
from oracle import Real, Undecided, bfloat16, binary16, binary32, binary64, bounds
from oracle.ball import exact as point
from oracle.bounds import Pairs
from oracle.ulp import ulp_error

NARROW = (binary16, bfloat16)
ROWS = np.array(
    [
        (-10.0, -12.0, -11.0, -11.0),
        (-500.0, -512.0, -499.0, -513.0),
        (-40.0, -12.0, -11.0, -11.0),
        (-1.0, -200.0, -11.0, -11.0),
        (-3.0, -3.0, -3.0, -3.0),
    ]
)


def pairs(beta, eps):
    return Pairs(*ROWS.T, beta, eps)


def around(fmt, lowest, highest):
    """Every number from well below lowest to well above highest, and every 64th of the others, in order."""
    infinity = int(fmt.ordinals(math.inf))
    first, last = int(fmt.ordinals(lowest)), int(fmt.ordinals(highest))
    near = np.arange(max(first - 200, -infinity), min(last + 200, infinity) + 1)
    return fmt.from_ordinals(np.union1d(near, np.arange(-infinity, infinity + 1, 64)))


@pytest.mark.parametrize("fmt", NARROW, ids=str)
@pytest.mark.parametrize(("beta", "eps"), [(0.1, 0.0), (0.5, 0.1), (2.0, 0.5), (0.0, 0.0)])
@pytest.mark.parametrize("bound", [bounds.loss, bounds.gradient])
def test_the_ends_are_those_of_all_accepted_numbers(fmt, beta, eps, bound):
    acceptance = bound(pairs(beta, eps), fmt)
    lowest, highest = bounds.accepted_numbers(acceptance)
    for i in range(len(ROWS)):
        numbers = around(fmt, lowest[i], highest[i])
        one = bound(Pairs(*(np.full(len(numbers), x) for x in ROWS[i]), beta, eps), fmt)
        accepted = numbers[replace(one, zero=np.zeros_like(one.zero)).rho(numbers) <= 1]
        assert (accepted[0], accepted[-1]) == (lowest[i], highest[i])
        assert (accepted == numbers[(numbers >= lowest[i]) & (numbers <= highest[i])]).all()  # no gap


def test_an_infinity_is_accepted_where_the_bound_reaches_the_overflow_threshold():
    lost = Pairs(*np.array([[-65504.0], [0.0], [0.0], [0.0]]), 1.0, 0.0)
    assert bounds.accepted_numbers(bounds.loss(lost, binary16))[1] == math.inf
    less = Pairs(*np.array([[-32768.0], [0.0], [0.0], [0.0]]), 1.0, 0.0)
    assert math.isfinite(bounds.accepted_numbers(bounds.loss(less, binary16))[1][0])


def test_an_exact_value_that_is_not_finite_has_no_ends():
    infinite = Pairs(*np.array([[-math.inf], [0.0], [0.0], [0.0]]), 1.0, 0.0)
    with pytest.raises(Undecided, match=r"^an exact value that is not finite has no acceptance interval$"):
        bounds.accepted_numbers(bounds.loss(infinite, binary32))


def test_a_zero_accepted_by_flushing_alone_is_no_end():
    eta = binary16.smallest_subnormal
    exact, low, high = (point(np.array([steps * eta])) for steps in (5.0, 0.5, 9.0))
    acceptance = bounds.Acceptance(exact, low, high, np.array([True]), binary16)
    assert acceptance.rho(np.array([0.0])) == 0
    assert [float(end[0]) for end in bounds.accepted_numbers(acceptance)] == [eta, 9 * eta]


@pytest.mark.parametrize(
    ("everywhere", "said"),
    [
        (0.0, "^an acceptance interval reaches farther than its end$"),
        (2.0, "^an acceptance interval holds no number of the format near its end$"),
    ],
)
def test_an_end_that_rho_does_not_know_is_undecided(monkeypatch, everywhere, said):
    acceptance = bounds.loss(pairs(0.1, 0.0), binary32)
    monkeypatch.setattr(bounds.Acceptance, "rho", lambda _, got: np.full_like(got, everywhere))
    with pytest.raises(Undecided, match=said):
        bounds.accepted_numbers(acceptance)


def test_a_number_three_places_from_an_end_is_not_near_it(monkeypatch):
    eta = binary16.smallest_subnormal
    acceptance = bounds.Acceptance(*(point(np.array([k * eta])) for k in (5, 1, 9)), np.array([False]), binary16)
    for last, decided in ((7, True), (6, False)):
        monkeypatch.setattr(
            bounds.Acceptance, "rho", lambda _, got, last=last: np.where((got >= 3 * eta) & (got <= last * eta), 0, 2)
        )
        if decided:
            assert [float(end[0]) for end in bounds.accepted_numbers(acceptance)] == [3 * eta, 7 * eta]
        else:
            with pytest.raises(Undecided, match="no number"):
                bounds.accepted_numbers(acceptance)


@pytest.mark.no_cover
@pytest.mark.parametrize("fmt", NARROW, ids=str)
@pytest.mark.parametrize("z", [-20.0, -4.0, 0.0, 0.5, 8.0, 9.5, 90.0])
@pytest.mark.parametrize("ulps", [0.5, 4.0, 8.0])
def test_within_ulps_is_what_the_error_says(fmt, z, ulps):
    exact = oracle.loss(0, -z, 0, 0, beta=1)
    lowest, highest = bounds.within_ulps(exact, ulps, fmt)
    near = fmt.from_ordinals(fmt.ordinals(exact.round(fmt)) + np.arange(-40, 41))
    accepted = [x for x in near if ulp_error(float(x), exact, fmt) <= ulps]
    assert (accepted[0], accepted[-1]) == (lowest, highest)


@pytest.mark.parametrize("steps", range(20))
def test_within_ulps_near_overflow(steps):
    """An infinity counts as 2**(emax + 1), one quantum above the largest number."""
    largest = Fraction(binary16.largest)
    exact = Real.rational(largest + 24 - 32 * steps)
    lowest, highest = bounds.within_ulps(exact, 8.0, binary16)
    assert (highest == math.inf) == (ulp_error(math.inf, exact, binary16) <= 8)
    assert ulp_error(lowest, exact, binary16) <= 8 < ulp_error(float(binary16.neighbours(lowest)[0]), exact, binary16)
    assert tuple(-x for x in bounds.within_ulps(-exact, 8.0, binary16)) == (highest, lowest)


@pytest.mark.parametrize("fmt", [binary16, bfloat16, binary32, binary64], ids=str)
def test_at_most_rounds_down(fmt):
    one = Real.rational(1)
    below, above = fmt.neighbours(1.0)
    tiny = Fraction(1, 2**90)
    assert bounds.at_most(one, fmt) == 1.0
    assert bounds.at_most(one - tiny, fmt) == below
    assert bounds.at_most(one + tiny, fmt) == 1.0
    assert bounds.at_most(Real.softplus(Fraction(0)), fmt) <= float(Real.softplus(Fraction(0)).round(fmt))
    assert bounds.at_most(Real.rational(Fraction(2) ** (fmt.emax + 1) - tiny), fmt) == fmt.largest
    assert bounds.at_most(Real.rational(Fraction(2) ** (fmt.emax + 1)), fmt) == math.inf
    assert bounds.at_most(Real.rational(-(Fraction(2) ** (fmt.emax + 1))), fmt) == -math.inf
    assert above > 1
