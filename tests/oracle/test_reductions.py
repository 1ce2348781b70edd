"""oracle.reductions: exact means and the tutorial's metrics."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
from oracle import EmptyBatch, MixedKinds, OracleError, Real

TUTORIAL = (
    [-45.0, -50.0, -48.0, -52.0],
    [-48.0, -52.0, -46.0, -55.0],
    [-46.0, -51.0, -49.0, -53.0],
    [-47.0, -51.0, -47.0, -54.0],
)


def exact(x: object) -> Fraction | None:
    assert isinstance(x, Real)
    return x.exact


def test_metrics_of_the_tutorial() -> None:
    metrics = oracle.metrics(*TUTORIAL, beta=0.1)
    assert metrics.accuracy.exact == Fraction(3, 4)
    assert metrics.margin.exact == Fraction(3, 2)
    assert metrics.chosen_logratio.exact == 1
    assert metrics.rejected_logratio.exact == Fraction(-1, 2)


def test_a_tie_counts_as_wrong_and_so_does_nan() -> None:
    accuracy = oracle.metrics([1.0, 0.0, math.nan, math.inf, -math.inf], 0.0, 0.0, 0.0).accuracy
    assert accuracy.exact == Fraction(2, 5)


def test_accuracy_is_that_of_the_logit_not_of_the_margin() -> None:
    assert oracle.metrics([1.0, 2.0, -1.0], 0, 0, 0, beta=-1).accuracy.exact == Fraction(1, 3)
    assert oracle.metrics([1.0, 2.0, -1.0], 0, 0, 0, beta=0).accuracy.exact == 0


def test_a_margin_below_every_float_still_counts() -> None:
    assert oracle.metrics("1e-9999", 0, 0, 0).accuracy.exact == 1


@settings(deadline=None)
@given(st.lists(st.fractions(max_denominator=1000), min_size=1, max_size=20))
def test_mean_of_rationals_is_exact(values: list[Fraction]) -> None:
    assert oracle.mean([Real.rational(v) for v in values]).exact == sum(values) / len(values)


@settings(deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=1, max_size=12))
def test_losses_of_opposite_logits_have_an_exact_mean_difference(values: list[float]) -> None:
    there = oracle.mean(oracle.loss(values, 0, 0, 0, beta=1))
    back = oracle.mean(oracle.loss([-v for v in values], 0, 0, 0, beta=1))
    assert (back - there).exact == sum(map(Fraction, values)) / len(values)


def test_mean_takes_arrays_lists_iterators_and_one_real() -> None:
    losses = oracle.loss([[1.0, 2.0], [3.0, 4.0]], 0, 0, 0)
    assert isinstance(losses, np.ndarray)
    want = oracle.mean(list(losses.flat))
    assert oracle.mean(losses) == oracle.mean(iter(list(losses.flat))) == oracle.mean(x for x in losses.flat) == want
    assert oracle.mean(losses.tolist()) == want
    assert oracle.mean(losses[0, 0]) == losses[0, 0]
    assert oracle.mean(np.array(losses[0, 0], dtype=object)) == losses[0, 0]


def test_mean_does_not_depend_on_the_order() -> None:
    losses = oracle.loss(np.linspace(-9, 9, 40), 0, 0, 0)
    assert isinstance(losses, np.ndarray)
    assert oracle.mean(losses) == oracle.mean(losses[::-1])


@pytest.mark.parametrize("empty", [[], np.empty(0, dtype=object), np.empty((3, 0), dtype=object), iter(())])
def test_the_mean_of_nothing_is_an_error(empty: object) -> None:
    with pytest.raises(EmptyBatch, match=r"^the mean of an empty batch is not defined$"):
        oracle.mean(empty)  # type: ignore[arg-type]
    assert issubclass(EmptyBatch, OracleError)


def test_metrics_of_an_empty_batch_are_an_error() -> None:
    with pytest.raises(EmptyBatch):
        oracle.metrics([], [], [], [])


def test_infinities_and_nan_in_a_mean() -> None:
    losses = oracle.loss([-math.inf, 1.0], 0, 0, 0)
    assert oracle.mean(losses).round("binary32") == math.inf
    assert math.isnan(oracle.mean([Real.nonfinite(math.inf), Real.nonfinite(-math.inf)]).round("binary32"))
    assert math.isnan(oracle.mean(oracle.loss([math.nan, 1.0], 0, 0, 0)).round("binary32"))


def test_a_loss_and_a_derivative_have_no_mean() -> None:
    with pytest.raises(MixedKinds):
        oracle.mean([oracle.loss(1.0, 0, 0, 0), oracle.gradient(1.0, 0, 0, 0).policy_chosen])


def test_means_of_gradients_and_second_derivatives_mix() -> None:
    gradient = oracle.gradient(1.0, 0, 0, 0, beta=1).policy_chosen
    second = oracle.second_derivative(1.0, 0, 0, 0, beta=1)
    mean = oracle.mean([gradient, second])
    s = 1 / (1 + math.exp(1))
    assert math.isclose(float(mean), (-s + s * (1 - s)) / 2, rel_tol=1e-15)
