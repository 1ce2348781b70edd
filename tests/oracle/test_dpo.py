"""oracle.dpo: the published figures, the gradient against the definition, symmetry, special values, shapes, inputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
from oracle import Gradient, Real

NAN, INF = math.nan, math.inf
GOLDEN = ([-10.0, -20.0, -5.0], [-12.0, -25.0, -9.0], [-11.0, -19.0, -5.0], [-11.0, -19.0, -5.0])
TUTORIAL = (
    [-45.0, -50.0, -48.0, -52.0],
    [-48.0, -52.0, -46.0, -55.0],
    [-46.0, -51.0, -49.0, -53.0],
    [-47.0, -51.0, -47.0, -54.0],
)
FIELDS = ("policy_chosen", "policy_rejected", "ref_chosen", "ref_rejected", "beta", "label_smoothing")

moderate = st.fractions(-40, 40, max_denominator=10**4)
betas = st.fractions(-3, 3, max_denominator=10**3)
smoothings = st.fractions(0, 1, max_denominator=100)
pairs = st.tuples(moderate, moderate, moderate, moderate, betas, smoothings)


def loss(pc: Any, pr: Any, rc: Any, rr: Any, beta: Any, eps: Any) -> Real:
    result = oracle.loss(pc, pr, rc, rr, beta=beta, label_smoothing=eps)
    assert isinstance(result, Real)
    return result


def gradient(pc: Any, pr: Any, rc: Any, rr: Any, beta: Any, eps: Any) -> list[Real]:
    result = oracle.gradient(pc, pr, rc, rr, beta=beta, label_smoothing=eps)
    return [getattr(result, field) for field in FIELDS]


def one(x: object) -> float:
    """binary64's view of one Real."""
    assert isinstance(x, Real)
    return x.round("binary64")


# -- published figures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("beta", "eps", "want"),
    [
        (0.1, 0, "0.52841036865388370661"),
        (0.1, 0.1, "0.56507703532055037735"),
        ("0.1", 0, "0.52841036865388371474"),
        ("0.1", "0.1", "0.56507703532055038141"),
        (Fraction(1, 10), Decimal("0.1"), "0.56507703532055038141"),
    ],
)
def test_golden_mean_losses(beta: Any, eps: Any, want: str) -> None:
    assert oracle.mean(oracle.loss(*GOLDEN, beta=beta, label_smoothing=eps)).digits(20) == want


@pytest.mark.parametrize("beta", [0.1, "0.1", np.float32(0.1)])
def test_the_tutorials_printed_figures(beta: Any) -> None:
    assert f"{float(oracle.mean(oracle.loss(*TUTORIAL, beta=beta))):.4f}" == "0.6219"
    assert f"{float(oracle.mean(oracle.loss(*TUTORIAL, beta=beta, label_smoothing=0.1))):.4f}" == "0.6369"
    assert [one(x) for x in np.ravel(oracle.chosen_logratio(*TUTORIAL))] == [1, 1, 1, 1]
    assert [one(x) for x in np.ravel(oracle.rejected_logratio(*TUTORIAL))] == [-1, -1, 1, -1]
    assert [one(x) for x in np.ravel(oracle.margin(*TUTORIAL, beta=beta))] == [2, 2, 0, 2]


def test_the_tutorials_logits_in_its_own_format() -> None:
    """float32(0.1) * 2 prints as 0.20000000298023224, as on the tutorial's page; the real 1/10 gives 0.2."""
    in_float32 = [x.round("binary32") for x in np.ravel(oracle.logit(*TUTORIAL, beta=np.float32(0.1)))]
    assert in_float32 == [0.20000000298023224, 0.20000000298023224, 0.0, 0.20000000298023224]
    assert [x.digits(3) for x in np.ravel(oracle.logit(*TUTORIAL, beta="0.1"))] == ["0.200", "0.200", "0", "0.200"]


def test_the_default_beta_is_the_float_and_smoothing_is_off() -> None:
    assert oracle.loss(-1.0, -3.0, -2.0, -1.0) == loss(-1.0, -3.0, -2.0, -1.0, 0.1, 0)
    assert oracle.loss(-1.0, -3.0, -2.0, -1.0) != loss(-1.0, -3.0, -2.0, -1.0, "0.1", 0)


def test_the_defaults_are_those_of_every_definition() -> None:
    logps = (-1.0, -3.0, -2.0, -1.0)
    for definition in (oracle.logit, oracle.loss, oracle.second_derivative):
        assert definition(*logps) == definition(*logps, beta=0.1) == definition(*logps, beta=0.1, label_smoothing=0)
    by_default = oracle.gradient(*logps)
    assert [getattr(by_default, field) for field in FIELDS] == gradient(*logps, 0.1, 0)


# -- the definitions ---------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(pairs)
def test_log_ratios_margin_and_logit_are_exact(pair: tuple[Fraction, ...]) -> None:
    pc, pr, rc, rr, beta, _ = pair
    for function, want in (
        (oracle.chosen_logratio, pc - rc),
        (oracle.rejected_logratio, pr - rr),
        (oracle.margin, (pc - rc) - (pr - rr)),
        (oracle.logit, beta * ((pc - rc) - (pr - rr))),
    ):
        result = function(pc, pr, rc, rr, beta=beta)
        assert isinstance(result, Real)
        assert result.exact == want


@settings(deadline=None)
@given(pairs)
def test_the_smoothed_loss_is_the_weighted_sum_of_both(pair: tuple[Fraction, ...]) -> None:
    pc, pr, rc, rr, beta, eps = pair
    chosen, rejected = loss(pc, pr, rc, rr, beta, 0), loss(pr, pc, rr, rc, beta, 0)
    assert loss(*pair) == chosen * (1 - eps) + rejected * eps


@settings(deadline=None)
@given(pairs)
def test_exchanging_chosen_and_rejected_exchanges_the_labels(pair: tuple[Fraction, ...]) -> None:
    pc, pr, rc, rr, beta, eps = pair
    assert loss(*pair) == loss(pr, pc, rr, rc, beta, 1 - eps)
    there, back = gradient(*pair), gradient(pr, pc, rr, rc, beta, 1 - eps)
    assert there[0] == back[1]
    assert there[4] == back[4]
    assert there[5] == -back[5]


@settings(deadline=None)
@given(pairs)
def test_the_gradient_is_antisymmetric(pair: tuple[Fraction, ...]) -> None:
    chosen, rejected, ref_chosen, ref_rejected, _, _ = gradient(*pair)
    assert chosen == ref_rejected == -rejected == -ref_chosen


@settings(deadline=None)
@given(pairs)
def test_negating_beta_swaps_the_roles(pair: tuple[Fraction, ...]) -> None:
    pc, pr, rc, rr, beta, eps = pair
    assert loss(pc, pr, rc, rr, -beta, eps) == loss(pr, pc, rr, rc, beta, eps)


def difference(function: Callable[[Fraction], Real], at: Fraction, h: Fraction) -> Fraction:
    """The central difference quotient, from 200-bit enclosures."""
    up, down = (function(at + s * h).enclose(400).low.fraction() for s in (1, -1))
    return (up - down) / (2 * h)


@settings(max_examples=40, deadline=None)
@given(pairs)
def test_the_gradient_is_the_derivative_of_the_loss(pair: tuple[Fraction, ...]) -> None:
    """Central differences with h = 2**-60: their error is h**2 / 6 times the third derivative, below 2**-100 here."""
    h = Fraction(1, 2**60)
    partials = gradient(*pair)
    for place, partial in enumerate(partials):
        if place == 5 and not h <= pair[5] <= 1 - h:
            continue

        def along(x: Fraction, place: int = place) -> Real:
            return loss(*pair[:place], x, *pair[place + 1 :])

        truth = partial.enclose(200).low.fraction() if partial != Real() else Fraction(0)
        assert abs(difference(along, pair[place], h) - truth) < Fraction(1, 2**80)


@settings(max_examples=40, deadline=None)
@given(moderate, smoothings)
def test_the_second_derivative_is_that_of_the_loss_in_z(z: Fraction, eps: Fraction) -> None:
    def slope(x: Fraction) -> Real:
        return gradient(x, 0, 0, 0, 1, eps)[0]

    second = oracle.second_derivative(z, 0, 0, 0, beta=1, label_smoothing=eps)
    assert isinstance(second, Real)
    h = Fraction(1, 2**60)
    up, down = ((slope(z + s * h) + 2).enclose(400).low.fraction() for s in (1, -1))  # + 2: away from a zero slope
    assert abs((up - down) / (2 * h) - second.enclose(200).low.fraction()) < Fraction(1, 2**80)


@settings(deadline=None)
@given(moderate, smoothings)
def test_smoothing_does_not_change_the_second_derivative(z: Fraction, eps: Fraction) -> None:
    assert oracle.second_derivative(z, 0, 0, 0, label_smoothing=eps) == oracle.second_derivative(-z, 0, 0, 0)


# -- edges of beta and label_smoothing ---------------------------------------------------------------------------------


def test_beta_zero_is_log_two_without_gradient_in_the_logps() -> None:
    assert loss(-3.0, -4.0, -1.0, -7.0, 0, 0.2) == Real.softplus(Fraction(0))
    partials = gradient(-3.0, -4.0, -1.0, -7.0, 0, "0.2")
    assert [p.exact for p in partials[:4]] == [0, 0, 0, 0]
    assert partials[4].exact == -5 * (Fraction(1, 5) - Fraction(1, 2))
    assert partials[5].exact == 0
    assert oracle.second_derivative(-3.0, -4.0, -1.0, -7.0, beta=0) == Real.rational(Fraction(1, 4))


def test_the_gradient_vanishes_at_a_tie_with_even_smoothing() -> None:
    assert [p.exact for p in gradient(1.0, 1.0, 0.0, 0.0, 0.1, 0.5)] == [0] * 6


def test_label_smoothing_one_is_the_loss_of_the_exchanged_pair() -> None:
    assert loss(2.5, 0, 0, 0, 1, 1) == loss(0, 2.5, 0, 0, 1, 0) == Real.softplus(Fraction(5, 2))


@pytest.mark.parametrize("eps", [0, "1/4", 1])
def test_the_loss_is_positive_and_at_least_the_entropy_of_the_labels(eps: Any) -> None:
    e = float(Fraction(eps))
    entropy = -sum(p * math.log(p) for p in (e, 1 - e) if p)
    for z in (-700, -3, -0.5, 0, 0.5, 3, 700):
        assert loss(z, 0, 0, 0, 1, eps).sign == 1
        assert one(loss(z, 0, 0, 0, 1, eps)) >= entropy * (1 - 1e-15)


# -- special values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", range(4))
def test_nan_in_any_logp_is_nan_everywhere(place: int) -> None:
    logps: list[Any] = [-1.0] * 4
    logps[place] = NAN
    assert math.isnan(one(oracle.margin(*logps)))
    assert math.isnan(one(oracle.logit(*logps)))
    assert math.isnan(one(oracle.loss(*logps)))
    assert math.isnan(one(oracle.second_derivative(*logps)))
    assert all(math.isnan(one(x)) for x in gradient(*logps, 0.1, 0.1))
    assert math.isnan(one(oracle.chosen_logratio(*logps))) == (place in {0, 2})
    assert math.isnan(one(oracle.rejected_logratio(*logps))) == (place in {1, 3})


@pytest.mark.parametrize(
    ("logps", "z"),
    [
        ((INF, 0, 0, 0), INF),
        ((0, INF, 0, 0), -INF),
        ((0, 0, INF, 0), -INF),
        ((0, 0, 0, INF), INF),
        ((-INF, 0, 0, 0), -INF),
        ((0, -INF, 0, 0), INF),
        ((0, -INF, -INF, 0), INF),
        ((-INF, 0, -INF, 0), NAN),
        ((-INF, -INF, 0, 0), NAN),
        ((0, -INF, 0, -INF), NAN),
    ],
)
def test_infinite_logps_follow_ieee_754(logps: tuple[float, ...], z: float) -> None:
    for beta, want in ((2, z), (-2, -z), ("1e-9999", z), ("-1e9999", -z), (0, NAN)):
        got = one(oracle.logit(*logps, beta=beta))
        assert got == want or (math.isnan(got) and math.isnan(want))
    f = np.float64
    with np.errstate(invalid="ignore"):
        assert str(one(oracle.margin(*logps))) == str(float((f(logps[0]) - f(logps[2])) - (f(logps[1]) - f(logps[3]))))


@pytest.mark.parametrize(
    ("z", "eps", "value", "slope", "by_beta"),
    [
        (INF, 0, 0.0, 0.0, 0.0),
        (INF, 0.25, INF, 0.25, INF),
        (INF, 1, INF, 1.0, INF),
        (-INF, 0, INF, -1.0, INF),
        (-INF, 0.25, INF, -0.75, INF),
        (-INF, 1, 0.0, 0.0, 0.0),
        (NAN, 0, NAN, NAN, NAN),
    ],
)
def test_limits_at_infinite_logits(z: float, eps: float, value: float, slope: float, by_beta: float) -> None:
    def equal(got: float, want: float) -> bool:
        return got == want or (math.isnan(got) and math.isnan(want))

    assert equal(one(loss(z, 0, 0, 0, 1, eps)), value)
    partials = [one(x) for x in gradient(z, 0, 0, 0, 2, eps)]
    assert equal(partials[0], 2 * slope)
    assert equal(partials[1], -2 * slope)
    assert equal(partials[4], by_beta)
    assert equal(partials[5], z)
    assert equal(one(oracle.second_derivative(z, 0, 0, 0)), NAN if math.isnan(z) else 0.0)


@pytest.mark.parametrize("huge", [10**400, "-1e9999", Fraction(-(10**400), 3)])
def test_a_number_beyond_every_float_beside_an_infinity_is_finite(huge: Any) -> None:
    assert one(oracle.chosen_logratio(huge, 0, INF, 0)) == -INF
    assert one(oracle.chosen_logratio(INF, 0, huge, 0)) == INF
    assert one(oracle.margin(huge, -INF, 0, huge)) == INF
    assert math.isnan(one(oracle.margin(NAN, huge, huge, huge)))


def test_zero_times_infinity_is_nan() -> None:
    assert math.isnan(one(loss(INF, 0, 0, 0, 0, 0)))
    assert all(math.isnan(one(x)) for x in gradient(INF, 0, 0, 0, 0, 0))


@pytest.mark.parametrize("eps", [0, 0.25, 1])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_limits_are_those_of_finite_logits(sign: int, eps: float) -> None:
    near = [x.round("bfloat16") for x in (loss(sign * 1e300, 0, 0, 0, "1e9999", eps), *gradient(sign * 9999, 0, 0, 0, 1, eps))]
    far = [x.round("bfloat16") for x in (loss(sign * INF, 0, 0, 0, 1, eps), *gradient(sign * INF, 0, 0, 0, 1, eps))]
    assert near[:5] == far[:5]


# -- shapes and kinds of input -----------------------------------------------------------------------------------------


def test_scalars_give_one_real_and_arrays_give_object_arrays() -> None:
    assert isinstance(oracle.loss(1.0, 2.0, 3.0, 4.0), Real)
    assert isinstance(oracle.loss(np.array(1.0), 2.0, 3.0, 4.0), Real)
    losses = oracle.loss(np.zeros((3, 1)), np.zeros(4), 0.0, [[1.0] * 4] * 3, beta=[0.1, 0.2, 0.3, 0.4])
    assert isinstance(losses, np.ndarray)
    assert losses.shape == (3, 4)
    assert losses.dtype == object
    assert all(isinstance(x, Real) for x in losses.flat)
    assert losses[2, 3] == oracle.loss(0, 0, 0, 1, beta=0.4)


def test_broadcasting_includes_beta_and_label_smoothing() -> None:
    losses = oracle.loss(1.0, 0, 0, 0, beta=[[1], [2]], label_smoothing=[0, 0.5, 1])
    assert isinstance(losses, np.ndarray)
    assert losses.shape == (2, 3)
    assert losses[1, 2] == Real.softplus(Fraction(2))


@pytest.mark.parametrize("shape", [(0,), (2, 0), (5,), (2, 3), (1, 1, 1)])
def test_gradient_fields_have_the_common_shape(shape: tuple[int, ...]) -> None:
    result = oracle.gradient(np.zeros(shape), 0.0, 0.0, 0.0)
    assert isinstance(result, Gradient)
    for field in FIELDS:
        array = getattr(result, field)
        assert array.shape == shape
        assert array.dtype == object
    for function in (oracle.loss, oracle.second_derivative, oracle.margin):
        assert np.shape(function(np.zeros(shape), 0.0, 0.0, 0.0)) == shape


def test_each_element_stands_for_itself() -> None:
    rng = np.random.default_rng(0)
    columns = rng.normal(-50, 20, (4, 2, 3))
    together = oracle.gradient(*columns, beta=0.3, label_smoothing=0.1)
    for index in np.ndindex(2, 3):
        alone = gradient(*(column[index] for column in columns), 0.3, 0.1)
        assert [getattr(together, field)[index] for field in FIELDS] == alone


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.longdouble, np.int16, object])
def test_arrays_of_any_format_are_read_as_the_numbers_they_hold(dtype: Any) -> None:
    array = np.array([-3.14159, -271.828, -1.0]).astype(dtype)
    got = oracle.loss(array, 0, 0, 0, beta=1)
    want = [Real.softplus(-Fraction(*_ratio(x))) for x in array]
    assert list(np.ravel(got)) == want


def _ratio(x: Any) -> tuple[int, int]:
    return x.as_integer_ratio() if hasattr(x, "as_integer_ratio") else float(x).as_integer_ratio()


@pytest.mark.parametrize("third", [Fraction(1, 3), "1/3"])
def test_fractions_text_and_decimals_are_what_they_say(third: Any) -> None:
    assert loss(third, 0, 0, 0, 3, 0) == Real.softplus(Fraction(-1))
    assert loss("0x1.8p1", 0, 0, 0, Decimal("0.5"), 0) == Real.softplus(Fraction(-3, 2))
    mixed = oracle.loss([third, 0.5, Decimal("0.1"), "0x1p-1"], 0, 0, 0, beta=1)
    assert list(np.ravel(mixed)) == [Real.softplus(-Fraction(x)) for x in (Fraction(1, 3), 0.5, "0.1", 0.5)]


def test_inputs_are_left_alone() -> None:
    columns = [np.array([-1.0, -2.0]) for _ in range(4)]
    oracle.gradient(*columns)
    assert all(column.tolist() == [-1.0, -2.0] and column.dtype == np.float64 for column in columns)
