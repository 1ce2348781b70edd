"""Each way to call a right loss gives the plain answer, its derivatives times the weights: torch, JAX and NumPy."""

import math

import numpy as np
import pytest

from conformance.clauses import find
from conformance.clauses.trial import Trial
from conformance.implementations import load
from conformance.implementations.protocol import Versatile
from conformance.implementations.ways import UNWEIGHED, Way, alike, asked
from conformance.inputs.pairs import golden
from conformance.inputs.profiles import get_profile
from conformance.records.record import Verdict
from conformance.running.trying import check
from oracle import bfloat16, binary32

GIVEN = [
    (name, way)
    for name in ("torch", "jax", "numpy")
    if isinstance(implementation := load(name), Versatile)
    for way in sorted(implementation.ways)
]


@pytest.mark.parametrize(("name", "way"), GIVEN)
def test_a_way_gives_the_plain_answer(name, way):
    implementation, batch = load(name), golden()
    weights = np.full(len(batch), -2.0) if way is Way.GIVEN_EXPANDED else np.resize([4.0, 1.0, -2.0], len(batch))
    if way in UNWEIGHED:
        weights = np.ones(len(batch))
    plain = implementation.evaluate(batch, binary32, gradient=True)
    answer = implementation.by_way(way, batch, binary32, gradient=True, weights=weights)
    assert answer.losses == pytest.approx(plain.losses, rel=1e-6)
    for place, (part, own) in enumerate(zip(answer.gradient or (None,) * 4, plain.gradient, strict=True)):
        if place not in asked(way) or (way is Way.ONE_TENSOR and place == 3):
            assert part is None
        else:  # the golden pairs' reference is one tensor in two roles that cancel
            assert part == pytest.approx(own * weights * (way is not Way.ONE_TENSOR or place < 2), rel=1e-5)


@pytest.mark.parametrize("clause", ["REDUCE-5", "REDUCE-8", "REDUCE-9"])
def test_a_right_mean_is_weighed_and_its_options_are_differentiated(clause):
    from conformance.implementations.reference.torch import MEAN  # noqa: PLC0415 - it imports torch

    finding = check(find(clause), Trial(MEAN, bfloat16, get_profile("quick"), 0))
    assert finding.verdict is Verdict.CONFORMS
    assert finding.points > 0


def test_arguments_are_alike_by_their_numbers_nan_too():
    nan = [math.nan, 0.0]
    assert alike((nan, [0.0, -1.0], nan, [0.0, 0.0])) == (0, 1, 0, 3)
