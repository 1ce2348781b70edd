"""A wrong metric beside a right loss is told by what it holds instead."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.clauses import find
from conformance.implementations import numpy_implementation
from conformance.reports import causes
from conformance.running.runner import judge


def losses(pc, pr, rc, rr, beta, eps):
    z = pc.dtype.type(beta) * ((pc - rc) - (pr - rr))
    return np.maximum(-z, 0) + np.log1p(np.exp(-np.abs(z)))


def logged(pc, pr, rc, rr, beta, **changed):
    """The right ones, but for those that are changed."""
    chosen, rejected = np.mean(pc - rc, dtype=np.float64), np.mean(pr - rr, dtype=np.float64)
    accuracy = np.mean((pc - rc) > (pr - rr))
    rewards = [accuracy, beta * (chosen - rejected), beta * chosen, beta * rejected]
    names = ("rewards/accuracies", "rewards/margins", "rewards/chosen", "rewards/rejected")
    return {
        "accuracy": accuracy,
        "margin": chosen - rejected,
        "chosen_logratio": chosen,
        "rejected_logratio": rejected,
        **dict(zip(names, rewards, strict=True)),
        **changed,
    }


WRONG = {
    "rewards by another beta": (
        lambda pc, pr, rc, rr, b, e: logged(pc, pr, rc, rr, 0.3) | {"margin": np.mean((pc - rc) - (pr - rr))},
        "rewards/margins, rewards/chosen and rewards/rejected are, at all 15 numbers asked in binary32, by beta = 0.3,",
    ),
    "a factor": (
        lambda pc, pr, rc, rr, b, e: logged(pc, pr, rc, rr, b, margin=3 * np.mean((pc - rc) - (pr - rr), dtype=np.float64)),
        "margin is, at all 5 numbers asked in binary32, 3 times the right number",
    ),
    "swapped": (
        lambda pc, pr, rc, rr, b, e: logged(pc, pr, rc, rr, b, margin=np.mean((pr - rr) - (pc - rc), dtype=np.float64)),
        "margin is, at all 5 numbers asked in binary32, with chosen and rejected exchanged",
    ),
    "percent": (
        lambda pc, pr, rc, rr, b, e: logged(pc, pr, rc, rr, b, accuracy=100 * np.mean((pc - rc) > (pr - rr))),
        "in percent",
    ),
    "mean over another": (
        lambda pc, pr, rc, rr, b, e: logged(pc, pr, rc, rr, b, margin=np.sum((pc - rc) - (pr - rr), dtype=np.float64)),
        "the sum over all pairs",
    ),
    "NaN": (lambda pc, pr, rc, rr, b, e: logged(pc, pr, rc, rr, b, margin=np.nan), "margin is, at all 5 numbers asked in"),
    "missing": (lambda pc, pr, rc, rr, b, e: {"accuracy": 1.0}, "wrong type in binary32: metrics: no margin"),
    "a threshold": (
        lambda pc, pr, rc, rr, b, e: logged(pc, pr, rc, rr, b, accuracy=np.mean(((pc - rc) - (pr - rr)) > 0.5)),
        "whose margin is above 0.5, not above 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_the_first_sentence_tells_what_a_metric_holds(name):
    metrics, says = WRONG[name]
    implementation = numpy_implementation(losses, metrics=metrics, options=("beta",), name="mine")
    record = judge(implementation, dtypes=["float32"], clauses=[find(f"METRIC-{number}") for number in (1, 2, 3)])
    (told,) = causes.told(record)
    assert says in told.headline
    assert told.cure
