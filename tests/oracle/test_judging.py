"""Judged numbers: the three tiers against `Real`, one number at a time."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from page import mp

from oracle import FORMATS, Format, Real, bfloat16, binary16, binary32, binary64, first_tier, judging
from oracle.formats import Floats
from oracle.kernel import RELATIVE_ERROR
from oracle.ulp import ulp_error

FUNCTIONS = {
    "f": (judging.losses, first_tier.softplus_minus, lambda z: Real.softplus(-z)),
    "s": (judging.derivatives, first_tier.sigmoid_minus, lambda z: Real.sigmoid(-z)),
}
both = pytest.mark.parametrize("name", FUNCTIONS)
formats = pytest.mark.parametrize("fmt", FORMATS, ids=str)


def logits(fmt: Format) -> Floats:
    """Numbers of the format: of every size, around the underflow of both functions, powers of two, both signs."""
    rng = np.random.default_rng(3)
    top = int(fmt.ordinals(min(fmt.largest, 2.0**60)))
    deep = -fmt.emin * math.log(2)
    t = np.concatenate(
        [
            fmt.from_ordinals(rng.integers(0, top, 120)),
            rng.uniform(0, 40, 120),
            rng.uniform(0.9 * deep, 1.2 * deep + 20, 80),
            np.exp2(np.arange(-10, 8)),
            [0.0, fmt.smallest_subnormal, fmt.largest],
        ]
    )
    t = np.unique(fmt.round_array(np.minimum(t, fmt.largest)))
    return np.concatenate([t, -t])


def answers(fmt: Format, exact: list[Real]) -> list[Floats]:
    """Correctly rounded, a few steps beside that, half-way between two numbers, and no numbers at all."""
    rng = np.random.default_rng(5)
    right = np.array([x.round(fmt) for x in exact])
    places = fmt.ordinals(right)
    beside = fmt.from_ordinals(places + rng.integers(-3, 4, right.size))
    odd = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0], right.size)
    unheld = right + (fmt.from_ordinals(places + 1) - right) / 2
    return [right, beside, np.where(rng.random(right.size) < 0.5, odd, right), unheld]


@pytest.mark.no_cover
@both
@formats
def test_errors_rounding_and_subnormals_are_those_of_real(fmt: Format, name: str) -> None:
    judge, _, truth = FUNCTIONS[name]
    z = logits(fmt)
    exact = [truth(Fraction(float(x))) for x in z]
    nearest = np.array([x.round(fmt) for x in exact])
    for got in answers(fmt, exact):
        judged = judge(z, got, fmt)
        errors = np.array([ulp_error(float(y), x, fmt) for y, x in zip(got, exact, strict=True)])
        assert (judged.wrong == (got != nearest)).all()
        assert (judged.errors >= errors * (1 - 2.0**-50)).all()
        near_power = errors < 0.5
        with np.errstate(invalid="ignore"):
            above = np.where(np.isinf(errors), 0.0, judged.errors - errors)
        assert (above[~near_power] <= 2.0**-15 + errors[~near_power] * 2.0**-19).all()
        assert (above[near_power] <= 2.0**-15 + errors[near_power]).all()
        assert (judged.subnormal == [float(x.round("binary64")) < fmt.smallest_normal for x in exact]).all()


@both
@pytest.mark.parametrize("fmt", [binary16, bfloat16, binary32], ids=str)
def test_the_float64_tier_decides_nearly_everything(fmt: Format, name: str) -> None:
    judge, first, _ = FUNCTIONS[name]
    z = fmt.round_array(np.random.default_rng(1).normal(size=20_000) * 10)
    assert judge(z, fmt.round_array(first(z)), fmt).escalated[0] <= 4
    assert judge(z, fmt.from_ordinals(fmt.ordinals(fmt.round_array(first(z))) + 1), fmt).escalated[0] <= 4


@both
def test_binary64_is_judged_by_double_double(name: str) -> None:
    judge, first, _ = FUNCTIONS[name]
    z = np.random.default_rng(1).normal(size=1000) * 10
    beyond, exactly = judge(z, first(z), binary64).escalated
    assert beyond == 1000
    assert exactly <= 1


def three_ways(first, n: int) -> tuple[Floats, Floats]:
    """Ordinary logits of binary32, and results a step below, a step above and rounded correctly."""
    z = binary32.round_array(np.random.default_rng(2).normal(size=n) * 10)
    steps = np.random.default_rng(4).integers(-1, 2, n)
    return z, binary32.from_ordinals(binary32.ordinals(binary32.round_array(first(z))) + steps)


@both
def test_what_the_float64_tier_leaves_open_goes_up(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a first tier said to be good to a tenth of an ulp only, the verdicts are the same, and more come from above."""
    judge, first, _ = FUNCTIONS[name]
    z, got = three_ways(first, 4000)
    sharp = judge(z, got, binary32)
    monkeypatch.setattr(judging, "first_slack", lambda fmt: 0.1)
    blunt = judge(z, got, binary32)
    assert blunt.escalated[0] > 100 > sharp.escalated[0]
    assert (blunt.wrong == sharp.wrong).all()


@pytest.mark.usefixtures("by_numpy")
@both
def test_where_the_quantum_is_in_doubt_the_number_goes_up(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The neighbourhood of the powers of two widened from 2**-49 to 2**-8, so that some values lie in it."""
    judge, first, _ = FUNCTIONS[name]
    z, got = three_ways(first, 40_000)
    sharp = judge(z, got, binary32)
    monkeypatch.setattr(judging, "_DOWN", 1 - 2.0**-8)
    blunt = judge(z, got, binary32)
    assert blunt.escalated[0] > 10
    assert (blunt.wrong == sharp.wrong).all()


def test_known_sides_of_a_power_of_two_are_not_asked_for_again() -> None:
    """s < 1, s on its side of 1/2, and f > -z settle the quantum without another tier."""
    t = np.concatenate([np.exp2(np.arange(-80, -30)), np.linspace(40, 120, 50)])
    beside = {-1: np.where(t < 1, 0.5 + 2.0**-23, 1 - 2.0**-23), 1: np.where(t < 1, 0.5 - 2.0**-23, 1.0)}
    for sign, got in beside.items():
        judged = judging.derivatives(sign * t, got, binary32)
        assert judged.wrong.all()
        assert judged.escalated == (0, 0)
    powers = np.exp2(np.arange(6, 100))
    judged = judging.losses(-powers, powers * (1 + 2.0**-22), binary32)
    assert judged.wrong.all()
    assert judged.escalated == (0, 0)


@pytest.mark.parametrize(("got", "wrong"), [(256.0, True), (258.0, False)])
def test_a_midpoint_is_decided_by_the_sticky_bit(got: float, wrong: bool) -> None:
    """f(-257) lies above 257, which is half-way between two numbers of bfloat16, by less than 2**-370."""
    judged = judging.losses(np.array([-257.0]), np.array([got]), bfloat16)
    assert judged.wrong[0] == wrong
    assert judged.escalated == (1, 1)


@both
def test_a_verdict_does_not_depend_on_neighbours(name: str) -> None:
    judge, first, _ = FUNCTIONS[name]
    z = logits(binary32)
    got = binary32.round_array(first(z))
    got[::7] = np.nan
    got[3::7] = np.inf
    z, got = np.append(z, [math.inf, -math.inf, math.nan]), np.append(got, [0.0, 0.5, 0.5])
    whole = judge(np.tile(z, 40), np.tile(got, 40), binary32)
    assert 40 * z.size > first_tier.BLOCK
    assert whole.escalated == tuple(40 * count for count in judge(z, got, binary32).escalated)
    assert whole.escalated[0] > 0
    for i in range(0, z.size, 3):
        alone = judge(z[i : i + 1], got[i : i + 1], binary32)
        for place in (i, i + 39 * z.size):
            assert repr(alone.errors[0]) == repr(whole.errors[place])
            assert (alone.wrong[0], alone.subnormal[0]) == (whole.wrong[place], whole.subnormal[place])


@both
@formats
def test_infinite_logits_and_nan(fmt: Format, name: str) -> None:
    judge, _, _ = FUNCTIONS[name]
    limits = {"f": (0.0, math.inf), "s": (0.0, 1.0)}[name]
    z = np.array([math.inf, -math.inf, math.nan])
    right = judge(z, np.array([*limits, math.nan]), fmt)
    assert not right.wrong.any()
    assert (right.errors == 0).all()
    wrong = judge(z, np.array([math.nan, math.nan, 0.0]), fmt)
    assert wrong.wrong.all()
    assert np.isinf(wrong.errors).all()


@both
def test_nothing_is_judged_to_be_nothing(name: str) -> None:
    for fmt in FORMATS:
        judged = FUNCTIONS[name][0](np.empty(0), np.empty(0), fmt)
        assert judged.errors.size == judged.wrong.size == judged.subnormal.size == 0
        assert judged.wrong.dtype == judged.subnormal.dtype == np.bool_
        assert judged.escalated == (0, 0)


# -- each tier decides what its bound decides, and no more ---------------------------------------------------------------


@pytest.mark.parametrize("z", [-math.inf, math.inf, math.nan])
@both
@formats
def test_a_logit_that_is_not_finite_is_judged_alone_as_in_company(fmt: Format, name: str, z: float) -> None:
    judge, first, _ = FUNCTIONS[name]
    limits = {"f": {math.inf: 0.0, -math.inf: math.inf}, "s": {math.inf: 0.0, -math.inf: 1.0}}[name]
    company = fmt.round_array(np.array([-3.0, 0.5, 7.0]))
    right = fmt.round_array(first(company))
    for got in (0.0, 1.0, math.inf, -math.inf, math.nan, limits.get(z, math.nan)):
        expected = limits.get(z, math.nan)
        same = got == expected or (math.isnan(got) and math.isnan(expected))
        for logits_, answers_ in (([z], [got]), ([*company, z], [*right, got]), ([z, *company], [got, *right])):
            judged = judge(np.array(logits_), np.array(answers_), fmt)
            at = logits_.index(z)
            assert judged.wrong[at] == (not same)
            assert judged.subnormal[at] == (z == math.inf)
            if same or math.isnan(z) or math.isnan(got):
                assert judged.errors[at] == (0 if same else math.inf)
            assert judged.escalated[0] == (len(logits_) if fmt is binary64 else 1)
            finite = [i for i in range(len(logits_)) if i != at]
            assert not judged.wrong[finite].any()
            assert (judged.errors[finite] <= 0.51).all()


def test_what_is_known_of_the_exact_value_without_a_tier_holds_and_settles_powers_of_two() -> None:
    z = np.array([-1e300, -40.0, -1.0, -5e-324, 0.0, 5e-324, 1.0, 40.0, 1e300])
    low, high = judging._within_losses(z)
    assert low.tolist() == [1e300, 40.0, 1.0, 5e-324, 0, 0, 0, 0, 0]
    assert np.isinf(high).all()
    low, high = judging._within_slopes(z)
    under = np.nextafter([0.5, 1.0], 0).tolist()
    assert low.tolist() == [0.5] * 5 + [0.0] * 4
    assert high.tolist() == [under[1]] * 4 + [0.5] + [under[0]] * 4


def test_powers_of_two_that_are_known_need_no_higher_tier() -> None:
    zero, beside = np.zeros(2), np.array([0.5 + 2.0**-23, 0.5 - 2.0**-23])
    assert judging.derivatives(zero, beside, binary32).escalated == (0, 0)
    t = np.exp2(np.arange(-80, -60))
    for z, exact in ((0 * t, 0.5 + 0 * t), (t, 0.5 + 0 * t), (-t, 0.5 + 0 * t), (-40 - t, 1 + 0 * t)):
        judged = judging.derivatives(z, exact * (1 + 2.0**-50), binary64)
        assert judged.escalated == (t.size, 0)
        assert judged.wrong.all()
    powers = np.exp2(np.arange(6, 12))
    assert judging.losses(-powers, powers * (1 + 2.0**-50), binary64).escalated == (6, 0)


def near(name: str, value: mp.mpf, steps: range) -> list[float]:
    """The float64 logits around the place where f or s has that value."""
    place = -mp.log(mp.expm1(value)) if name == "f" else mp.log((1 - value) / value)
    ulp = math.ulp(float(place))
    return [float(place) + step * ulp for step in steps]


def exactly(name: str, z: float) -> mp.mpf:
    t = mp.exp(-mp.mpf(z))
    return mp.log1p(t) if name == "f" else t / (1 + t)


@pytest.mark.no_cover
@both
@pytest.mark.parametrize("fmt", [binary16, bfloat16, binary32], ids=str)
def test_errors_beside_a_power_of_two_are_those_of_its_side(fmt: Format, name: str) -> None:
    """Only what is wrongly rounded must be right to 2**-16: the quantum is half as long below the power."""
    judge, _, truth = FUNCTIONS[name]
    z = np.array([x for k in range(1, -fmt.emin) for x in near(name, mp.mpf(2) ** -k, range(-2, 3)) if abs(x) > 1e-9])
    powers = np.exp2(np.round([float(mp.log(exactly(name, x), 2)) for x in z]))
    for steps in (-3, -1, 1, 3):
        got = fmt.from_ordinals(fmt.ordinals(powers) + steps)
        judged = judge(z, got, fmt)
        for i, x in enumerate(z):
            error = ulp_error(float(got[i]), truth(Fraction(float(x))), fmt)
            assert (
                error * (1 - 2.0**-50) <= judged.errors[i] <= max(error * (1 + 2.0**-19) + 2.0**-15, 2 * error * (error < 0.5))
            )
            assert judged.wrong[i]


@pytest.mark.no_cover
@both
@pytest.mark.parametrize(
    ("fmt", "slack"), [(bfloat16, 2.0**-30), (binary16, 2.0**-30), (binary32, 2.0**-25 + 2.0**-30)], ids=str
)
def test_the_float64_tier_leaves_its_own_error_about_a_midpoint_to_the_next(fmt: Format, slack: float, name: str) -> None:
    """A number is in doubt within one slack of the midpoint, 2**(p - 49) + 2**-30 ulp; its neighbours are both tried."""
    judge, _, _ = FUNCTIONS[name]
    rng = np.random.default_rng(9)
    found = set()
    for below in fmt.from_ordinals(rng.integers(fmt.ordinals(2.0**-4), fmt.ordinals(0.375), 20)):
        quantum = float(fmt.quantum(Fraction(float(below))))
        for share in (-1.5, -1.02, -0.98, -0.6, 0.6, 0.98, 1.02, 1.5):
            (z,) = near(name, mp.mpf(float(below)) + mp.mpf(quantum) * (0.5 + share * slack), range(1))
            from_midpoint = (exactly(name, z) - float(below)) / quantum - 0.5
            offset = float(from_midpoint / slack)
            if abs(abs(offset) - 1) < 0.01 + 2.0 ** (fmt.precision - 52) / slack:  # the tier's true error
                continue
            for got in (float(below), float(below) + quantum):
                judged = judge(np.array([z]), np.array([got]), fmt)
                wrong_one = (from_midpoint > 0) == (got == below)
                assert judged.wrong[0] == wrong_one
                assert judged.escalated[0] == (abs(offset) < 1), (offset, got)
                found.add((wrong_one, abs(offset) < 1))
    assert len(found) == 4


@both
def test_what_is_subnormal_is_asked_again_within_2_to_the_minus_48_of_the_smallest_normal(name: str) -> None:
    judge, _, _ = FUNCTIONS[name]
    lam, found = binary16.smallest_normal, set()
    for z in near(name, mp.mpf(lam), range(-6, 7)):
        distance = float((exactly(name, z) / lam - 1) * 2**48)
        judged = judge(np.array([z]), np.array([lam]), binary16)
        assert judged.subnormal[0] == (distance < 0)
        assert judged.errors[0] < 1e-6 and not judged.wrong[0]
        if abs(abs(distance) - 1) > 0.1:
            assert judged.escalated[0] == (abs(distance) < 1)
            found.add((distance < 0, abs(distance) < 1))
    assert len(found) == 4


@pytest.mark.no_cover
@pytest.mark.usefixtures("by_numpy")
@both
@pytest.mark.parametrize("far", [1, 2**12])
def test_what_double_double_knows_less_well_than_stated_goes_to_real(
    name: str, far: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Balls made wider, so that errors are known to about 2**-16 ulp, or 2**-20 of themselves: a little better, or worse."""
    judge, _, truth = FUNCTIONS[name]
    attribute = {"f": "_LOSS", "s": "_SLOPE"}[name]
    function = getattr(judging, attribute)
    z = np.random.default_rng(6).uniform(0.5, 3, 60)
    exact = [truth(Fraction(float(x))) for x in z]
    right = np.array([x.round(binary64) for x in exact])
    got = right + far * np.array([float(binary64.quantum(Fraction(float(y)))) for y in right])
    errors = np.array([ulp_error(float(y), x, binary64) for y, x in zip(got, exact, strict=True)])
    allowed = np.maximum(2.0**-16, errors * 2.0**-20)
    ulps = np.ldexp(np.frexp(right)[0], 53)  # in the value
    rounding_is_clear = np.abs(np.abs(errors - far) - 0.5) > 2 * allowed
    assert rounding_is_clear.sum() > 40
    for share, certain in ((0.9, True), (1.1, False), (2.0**18, False)):
        for some in np.flatnonzero(rounding_is_clear):
            relative = share * allowed[some] / ulps[some] / 2 - RELATIVE_ERROR
            wider = lambda x, relative=relative: function.second(x).widen(relative=relative)  # noqa: E731
            monkeypatch.setattr(judging, attribute, replace(function, second=wider))
            judged = judge(z[[some]], got[[some]], binary64)
            assert judged.escalated == (1, 0 if certain else 1)
            assert errors[some] * (1 - 2.0**-50) <= judged.errors[0] <= errors[some] + allowed[some]
            assert judged.wrong[0] and not judged.subnormal[0]


@pytest.mark.usefixtures("by_numpy")
@both
def test_real_tells_what_is_subnormal_where_double_double_does_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    judge, _, truth = FUNCTIONS[name]
    attribute = {"f": "_LOSS", "s": "_SLOPE"}[name]
    function = getattr(judging, attribute)
    wide = replace(function, second=lambda x: function.second(x).widen(relative=0.25))
    monkeypatch.setattr(judging, attribute, wide)
    edge = -math.log(binary64.smallest_normal)
    z = np.array([3.0, edge - 0.1, edge + 0.1, 720.0, 800.0])
    got = np.array([truth(Fraction(float(x))).round(binary64) for x in z])
    judged = judge(z, got, binary64)
    assert judged.subnormal.tolist() == [False, False, True, True, True]
    assert judged.escalated[1] >= 4
    assert (judged.errors <= 0.5).all() and not judged.wrong.any()


def test_a_result_beyond_the_format_is_wrong_and_is_no_warning() -> None:
    judged = judging.losses(np.array([1.0, 1.0]), np.array([1e300, -1e300]), binary32)
    assert judged.wrong.all()
    assert (judged.errors > 1e300).all()
