"""The losses right, the metrics wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.inputs.batch import Batch
from oracle import Format

from . import arrays
from .arrays import Array
from .kinds import Mutant, numpy_mutant
from .witnesses import PAIRS, both, one, pairs

Values = dict[str, Any]


def right(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Values:
    """The metrics, averaged in float64."""
    pc, pr, rc, rr = (x.astype(np.float64) for x in (pc, pr, rc, rr))
    chosen, rejected = pc - rc, pr - rr
    return {
        "accuracy": np.mean(beta * (chosen - rejected) > 0),
        "margin": np.mean(chosen - rejected),
        "chosen_logratio": np.mean(chosen),
        "rejected_logratio": np.mean(rejected),
    }


def _but(**changes: Callable[[Array, Array, Array, Array, float], Any]) -> Callable[..., Values]:
    """The right metrics with some of them replaced, each computed in float64."""

    def metrics(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Values:
        wide = arrays.each(lambda x: x.astype(np.float64), pc, pr, rc, rr)
        replaced = {name: function(*wide, beta) for name, function in changes.items()}
        return right(pc, pr, rc, rr, beta, eps) | replaced

    return metrics


def _mutant(name: str, wrong: str, metrics: Callable[..., Values], source: str = "") -> Mutant:
    return numpy_mutant(
        name,
        "metrics",
        wrong,
        arrays.stable,
        both(pairs(0.5), _with_tie, one(-1.0, -9.0, -2.0, -2.0), one(-9.0, -1.0, -2.0, -2.0)),
        gradient=arrays.gradient,
        metrics=metrics,
        source=source,
    )


def _with_tie(_: Format) -> tuple[Batch, ...]:
    """The four pairs and one whose margin is exactly 0."""
    tied = [[*column, -2.0] for column in PAIRS]
    return (Batch.of(*tied, beta=0.5),)


def _missing(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Values:
    found = right(pc, pr, rc, rr, beta, eps)
    del found["margin"]
    return found


TIES = "https://github.com/huggingface/trl/issues/2371"

MUTANTS = (
    _mutant(
        "accuracy-counts-ties",
        "A tie counts as won: accuracy 1 where policy = reference.",
        _but(accuracy=lambda pc, pr, rc, rr, beta: np.mean((pc - rc) - (pr - rr) >= 0)),
        TIES,
    ),
    _mutant(
        "accuracy-without-reference",
        "The policy's log-probabilities are compared without the reference.",
        _but(accuracy=lambda pc, pr, rc, rr, beta: np.mean(pc > pr)),
    ),
    _mutant(
        "accuracy-of-mean",
        "1 where the mean margin is positive, else 0: not a fraction of pairs.",
        _but(accuracy=lambda pc, pr, rc, rr, beta: float(np.mean((pc - rc) - (pr - rr)) > 0)),
        "https://github.com/hiyouga/LLaMA-Factory/issues/6729",
    ),
    _mutant(
        "accuracy-of-chosen",
        "Pairs whose chosen log-ratio is positive are counted.",
        _but(accuracy=lambda pc, pr, rc, rr, beta: np.mean(pc > rc)),
    ),
    _mutant(
        "accuracy-in-percent",
        "A percentage where a fraction was promised.",
        _but(accuracy=lambda pc, pr, rc, rr, beta: 100 * np.mean((pc - rc) - (pr - rr) > 0)),
    ),
    _mutant(
        "accuracy-inverted",
        "Lost pairs are counted.",
        _but(accuracy=lambda pc, pr, rc, rr, beta: np.mean((pc - rc) - (pr - rr) < 0)),
    ),
    _mutant(
        "margin-times-beta",
        "The margin is multiplied by beta: rewards where nats were promised.",
        _but(margin=lambda pc, pr, rc, rr, beta: beta * np.mean((pc - rc) - (pr - rr))),
    ),
    _mutant(
        "margin-sign",
        "Rejected minus chosen.",
        _but(margin=lambda pc, pr, rc, rr, beta: np.mean((pr - rr) - (pc - rc))),
    ),
    _mutant(
        "margin-summed",
        "The sum of the margins where their mean was promised.",
        _but(margin=lambda pc, pr, rc, rr, beta: np.sum((pc - rc) - (pr - rr))),
    ),
    _mutant(
        "margin-absolute",
        "The mean of |margin|.",
        _but(margin=lambda pc, pr, rc, rr, beta: np.mean(np.abs((pc - rc) - (pr - rr)))),
    ),
    _mutant(
        "log-ratios-swapped",
        "The chosen and the rejected log-ratio change places.",
        _but(
            chosen_logratio=lambda pc, pr, rc, rr, beta: np.mean(pr - rr),
            rejected_logratio=lambda pc, pr, rc, rr, beta: np.mean(pc - rc),
        ),
        "https://github.com/huggingface/trl/pull/5079",
    ),
    _mutant(
        "log-ratio-without-reference",
        "The policy's mean log-probability in the place of the chosen log-ratio.",
        _but(chosen_logratio=lambda pc, pr, rc, rr, beta: np.mean(pc)),
    ),
    _mutant("metric-missing", "The margin is not among the metrics, though all four were promised.", _missing),
)
