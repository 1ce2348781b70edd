"""What may be refused: where the range ends, what a trial then asks, and how a refusal is told from none."""

import numpy as np
import pytest

from conformance.clauses import find
from conformance.clauses.admitted import may_be_refused
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.implementations import numpy_implementation
from conformance.inputs.profiles import get_profile
from conformance.running.trying import check
from oracle import binary32


def _trial(wrong):
    def loss(pc, pr, rc, rr, beta, eps):
        if wrong(beta, eps):
            raise TypeError("not that")
        z = beta * ((pc - rc) - (pr - rr))
        return (1 - eps) * np.logaddexp(0, -z) + (eps * np.logaddexp(0, z) if eps else 0)

    return Trial(numpy_implementation(loss), binary32, get_profile("quick"), 0)


@pytest.mark.parametrize(
    ("options", "may"),
    [
        ({"beta": 0.001}, False),
        ({"beta": 1000.0}, False),
        ({"beta": 0.0009}, True),
        ({"beta": 1001.0}, True),
        ({"beta": 0.0}, True),
        ({"beta": -0.1}, True),
        ({"label_smoothing": 0.0}, False),
        ({"label_smoothing": 0.001}, False),
        ({"label_smoothing": 0.4999}, False),
        ({"label_smoothing": 0.5}, True),
        ({"label_smoothing": 1e-4}, True),
        ({"label_smoothing": 0.1, "beta": 0.0}, True),
    ],
)
def test_where_the_range_ends(options, may):
    assert may_be_refused(**options) is may


def test_what_is_refused_and_may_be_is_not_asked():
    trial = _trial(lambda beta, eps: eps >= 0.3 or beta < 0.01)
    assert trial.offered("label_smoothing", (0.0, 0.3, 0.5)) == (0.0, 0.3)
    assert trial.offered("beta", (0.0, 1e-6, 0.005, 1.0)) == (0.005, 1.0)
    assert trial.offered("beta", (1e-6,)) == (0.1,)
    assert check(find("EXTREME-4"), trial).note == "it refuses beta = 1.88079e-37"
    assert check(find("SMOOTH-1"), trial).note.startswith("raised: ")


def test_a_refusal_that_is_none_when_asked_again_is_a_violation():
    calls = iter((True, False))
    trial = _trial(lambda beta, eps: eps >= 0.5 and next(calls))
    with pytest.raises(Misbehaviour, match="it refuses 3 pairs and answers them when asked again"):
        trial.offered("label_smoothing", (0.5,))
