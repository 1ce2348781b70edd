"""METRIC: what a training loop prints, for implementations that claim it."""

from __future__ import annotations

import numpy as np

import oracle
from conformance.clauses.ends import judged_pairs
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import METRICS
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import golden, near_reference, short_responses, tutorial
from conformance.record import Level
from oracle import Real

chapter = Chapter("METRIC")


def _batches(trial: Trial, clause: str) -> list[Batch]:
    """Worked examples with a tie, and drawn batches."""
    rng = trial.rng(clause)
    drawn = [draw(trial.fmt, size, rng) for draw in (near_reference, short_responses) for size in (1, 7, 32)]
    ties = Batch.of([-3, -4, -5, -6], [-3, -4, -6, -5], [-2, -2, -2, -2], [-2, -2, -2, -2])
    return [judged_pairs(trial, batch) for batch in (tutorial(), golden(), ties, *drawn)]


@chapter.clause(
    1,
    Level.MUST,
    "accuracy",
    statement="Accuracy shall be the fraction of pairs whose logit is strictly positive: a tie is not a win.",
    derivation="The sign of a margin that both usual orders of subtraction agree on is exact; a batch with a margin within "
    "their error is left out. The quotient of two counts is allowed two roundings in the format.",
    guards=("https://github.com/huggingface/trl/issues/2371", "https://github.com/hiyouga/LlamaFactory/issues/6729"),
    needs=("metrics",),
)
def accuracy(trial: Trial) -> Outcome:
    """Accuracy on batches with clear signs and exact ties."""
    tally = Tally(trial)
    for batch in _batches(trial, "METRIC-1"):
        a, b, c, d = batch.logps
        h = (a - c) - (b - d)
        doubt = 4 * trial.fmt.unit_roundoff * (np.abs(a) + np.abs(b) + np.abs(c) + np.abs(d))
        integers = all((values == np.rint(values)).all() and (np.abs(values) < 100).all() for values in batch.logps)
        clear = batch if integers else batch.take(np.flatnonzero(np.abs(h) > doubt))
        if len(clear):
            got = trial.implementation.metrics(clear, trial.fmt)["accuracy"]
            exact = oracle.metrics(*clear.logps, beta=clear.beta).accuracy
            _judge(tally, "accuracy", clear, got, exact, 2 * trial.fmt.unit_roundoff)
    return tally.outcome()


@chapter.clause(
    2,
    Level.MUST,
    "margin and log-ratios",
    statement="The mean margin shall carry no beta, and the mean log-ratios shall be the policy's log-probability minus "
    "the reference's, of the chosen and of the rejected response.",
    derivation="Each difference errs by u of itself, in every admitted order; n - 1 additions and a division in the "
    "format err by (n + 1) u of the sum of magnitudes.",
    needs=("metrics",),
)
def means(trial: Trial) -> Outcome:
    """Mean margin and mean log-ratios."""
    tally = Tally(trial)
    for batch in _batches(trial, "METRIC-2"):
        a, b, c, d = batch.logps
        got = trial.implementation.metrics(batch, trial.fmt)
        exact = oracle.metrics(*batch.logps, beta=batch.beta)
        sequential = np.maximum(np.abs(a - b), np.abs(a - c)) + np.abs(b) + np.abs(c) + np.abs(d)
        sizes = {
            "margin": np.abs(a - c) + np.abs(b - d) + np.abs(a - b) + np.abs(c - d) + sequential,
            "chosen_logratio": np.abs(a - c),
            "rejected_logratio": np.abs(b - d),
        }
        for name, size in sizes.items():
            allowed = (len(batch) + 3) * trial.fmt.unit_roundoff * float(np.mean(size))
            _judge(tally, name, batch, got[name], getattr(exact, name), allowed)
    return tally.outcome()


def _judge(tally: Tally, name: str, batch: Batch, got: float, exact: Real, allowed: float) -> None:
    """|got - exact| over what is allowed, plus one least subnormal for an exact zero."""
    value = float(exact)
    error = abs(got - value)
    rho = 0.0 if error == 0 else error / (allowed * (1 + 2.0**-40) + np.spacing(abs(value)))
    tally.whole(METRICS[name], batch, got, float(rho) if np.isfinite(got) else np.inf)
