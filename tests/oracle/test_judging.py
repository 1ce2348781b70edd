"""Judged numbers: the three tiers against `Real`, one number at a time."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from oracle import FORMATS, Format, Real, bfloat16, binary16, binary32, binary64, first_tier, judging
from oracle.formats import Floats
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
    monkeypatch.setattr(judging, "_slack", lambda fmt: 0.1)
    blunt = judge(z, got, binary32)
    assert blunt.escalated[0] > 100 > sharp.escalated[0]
    assert (blunt.wrong == sharp.wrong).all()


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
    whole = judge(np.tile(z, 40), np.tile(got, 40), binary32)
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
        assert judged.escalated == (0, 0)
