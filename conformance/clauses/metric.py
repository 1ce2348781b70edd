"""METRIC: what a training loop prints, for implementations that claim it."""

from __future__ import annotations

import numpy as np

import oracle
from conformance.clauses.accepted import as_pairs
from conformance.clauses.ends import judged_pairs
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import METRICS
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import golden, near_reference, short_responses, tutorial
from conformance.records.record import Level
from oracle import Real, bounds, enclosure

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
    kills=(
        "accuracy-counts-ties",
        "accuracy-of-chosen",
    ),
    statement="Accuracy shall be the fraction of pairs whose logit is strictly positive: a tie is not a win.",
    derivation="Every admitted way to the logit, and every comparison of two rewards, has its sign right where |z| > "
    "delta_z; pairs within that are left out, ties of small integers are not. The quotient of two counts is allowed two "
    "roundings in the format (docs/bounds.md).",
    guards=("https://github.com/huggingface/trl/issues/2371", "https://github.com/hiyouga/LlamaFactory/issues/6729"),
    needs=("metrics",),
    remedy="Count the pairs whose chosen reward is strictly above the rejected one.",
)
def accuracy(trial: Trial) -> Outcome:
    """Accuracy on batches with clear signs and exact ties."""
    tally = Tally(trial)
    for batch in _batches(trial, "METRIC-1"):
        z = bounds.centre(enclosure.logit(*batch.logps, batch.beta))
        doubt = np.maximum(*bounds.logit_error(as_pairs(batch), trial.fmt))
        integers = all((values == np.rint(values)).all() and (np.abs(values) < 100).all() for values in batch.logps)
        clear = batch if integers else batch.take(np.flatnonzero(np.abs(z) > doubt))
        if len(clear):
            got = trial.implementation.metrics(clear, trial.fmt)["accuracy"]
            exact = oracle.metrics(*clear.logps, beta=clear.beta).accuracy
            _judge(tally, "accuracy", clear, got, exact, 2 * trial.fmt.unit_roundoff)
    return tally.outcome()


@chapter.clause(
    2,
    Level.MUST,
    "margin and log-ratios",
    kills=(
        "margin-times-beta",
        "log-ratios-swapped",
    ),
    statement="The mean margin shall carry no beta, and the mean log-ratios shall be the policy's log-probability minus "
    "the reference's, of the chosen and of the rejected response.",
    derivation="A log-ratio errs by u of itself, and by three roundings more where it is a reward divided by beta; a margin "
    "by delta_z at beta = 1, and two roundings more. The mean adds (1 + u)^(n + 1) - 1 of the mean log-ratios' magnitudes; "
    "2 lambda cover flushed differences and a flushed mean (docs/bounds.md).",
    needs=("metrics",),
    remedy="Report the margin without beta, and each log-ratio as policy minus reference of its own response.",
)
def means(trial: Trial) -> Outcome:
    """Mean margin and mean log-ratios."""
    tally = Tally(trial)
    for batch in _batches(trial, "METRIC-2"):
        a, b, c, d = batch.logps
        got = trial.implementation.metrics(batch, trial.fmt)
        exact = oracle.metrics(*batch.logps, beta=batch.beta)
        chosen, rejected = np.abs(a - c), np.abs(b - d)
        u, growth = trial.fmt.unit_roundoff, bounds.summation(len(batch), trial.fmt)
        margin = np.maximum(*bounds.logit_error(as_pairs(batch.at(beta=1.0)), trial.fmt)) + (growth + 2 * u) * (
            chosen + rejected
        )
        allowed = {
            "margin": margin,
            "chosen_logratio": (growth + 4 * u) * chosen,
            "rejected_logratio": (growth + 4 * u) * rejected,
        }
        for name, room in allowed.items():
            least = 2 * trial.fmt.smallest_normal
            _judge(tally, name, batch, got[name], getattr(exact, name), float(np.mean(room)) * (1 + growth) + least)
    return tally.outcome()


def _judge(tally: Tally, name: str, batch: Batch, got: float, exact: Real, allowed: float) -> None:
    """|got - exact| over what is allowed, and one float64 spacing of the exact value, which is itself rounded."""
    value = float(exact)
    error = abs(got - value)
    with np.errstate(over="ignore"):
        rho = 0.0 if error == 0 else np.float64(error) / (allowed * (1 + 2.0**-40) + np.spacing(abs(value)))
    tally.whole(METRICS[name], batch, got, float(rho) if np.isfinite(got) else np.inf)
