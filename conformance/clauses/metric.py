"""METRIC: what a training loop prints, for implementations that claim it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from conformance.clauses.accepted import as_pairs
from conformance.clauses.ends import judged_pairs
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import METRICS, exact_value
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.implementations import protocol
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import golden, near_reference, short_responses, tutorial
from conformance.records.record import Level
from oracle import bounds, enclosure

chapter = Chapter("METRIC")
SIZES = (1, 2, 7, 33, 129, 1000)
_OPTIONS = ((0.1, 0.0), (0.5, 0.1), (2.0, 0.0), (None, 0.3))
"""beta and label smoothing in turn; None is drawn from 0.02 to 2."""


def _batches(trial: Trial, clause: str) -> list[Batch]:
    """Worked examples with a tie, and drawn batches, under several betas and label smoothings."""
    rng = trial.rng(clause)
    drawn = [draw(trial.fmt, size, rng) for size in SIZES for draw in (near_reference, short_responses)]
    ties = Batch.of([-3, -4, -5, -6], [-3, -4, -6, -5], [-2, -2, -2, -2], [-2, -2, -2, -2])
    batches = []
    for place, batch in enumerate((tutorial(), golden(), ties, *drawn)):
        beta, eps = _OPTIONS[place % len(_OPTIONS)]
        beta = float(np.exp(rng.uniform(np.log(0.02), np.log(2)))) if beta is None else beta
        batches.append(judged_pairs(trial, trial.optioned(batch, beta=beta, label_smoothing=eps)))
    return [batch for batch in batches if len(batch)]


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
    "roundings in the format (docs/bounds.md). Batches of 1 to 1,000 pairs, each at its own beta and label smoothing.",
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
            allowed = dict.fromkeys(("accuracy", "rewards/accuracies"), 2 * trial.fmt.unit_roundoff)
            _judge(tally, clear, trial.implementation.metrics(clear, trial.fmt), allowed)
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
    "by delta_z at beta = 1, and two roundings more. The mean adds a rounding for each addition, of the mean of the "
    "log-ratios' magnitudes; "
    "2 lambda cover flushed differences and a flushed mean (docs/bounds.md).",
    needs=("metrics",),
    remedy="Report the margin without beta, and each log-ratio as policy minus reference of its own response.",
)
def means(trial: Trial) -> Outcome:
    """Mean margin and mean log-ratios."""
    return _judge_means(trial, "METRIC-2", protocol.METRICS[1:], with_beta=False)


@chapter.clause(
    3,
    Level.MUST,
    "rewards",
    kills=("rewards-without-beta", "reward-margin-without-beta"),
    statement="The mean rewards shall be beta times the mean log-ratios, and the mean reward margin beta times the mean "
    "margin, with the beta of the call.",
    derivation="As METRIC-2, with beta rounded into the format and one product more: delta_beta + u of a reward, delta_z of a "
    "margin. Judged of an implementation that returns them, by the names that training loops log.",
    guards=("https://github.com/huggingface/trl/pull/5079",),
    needs=("metrics",),
    remedy="Multiply each log-ratio by the beta that was passed, once.",
)
def rewards(trial: Trial) -> Outcome:
    """Mean rewards and their mean margin."""
    return _judge_means(trial, "METRIC-3", protocol.REWARDS[1:], with_beta=True)


def _judge_means(trial: Trial, clause: str, names: tuple[str, ...], *, with_beta: bool) -> Outcome:
    """The margin, the chosen and the rejected log-ratio by their names here, or all three times beta."""
    if not set(names) <= trial.implementation.metrics(golden(), trial.fmt).keys():
        return Outcome(0, 0, note=f"it returns no {', '.join(names)}", not_claimed=True)
    tally, u = Tally(trial), trial.fmt.unit_roundoff
    for batch in _batches(trial, clause):
        got = trial.implementation.metrics(batch, trial.fmt)
        beta = batch.beta if with_beta else 1.0
        a, b, c, d = batch.logps
        chosen, rejected = np.abs(a - c), np.abs(b - d)
        growth, most = bounds.summation(len(batch), trial.fmt), beta + bounds.option_error(beta, trial.fmt)
        shift = bounds.option_error(beta, trial.fmt)
        margin = np.maximum(*bounds.logit_error(as_pairs(batch.at(beta=beta)), trial.fmt))
        rooms = (
            margin + most * (growth + 2 * u) * (chosen + rejected),
            (most * (growth + 4 * u) + shift) * chosen,
            (most * (growth + 4 * u) + shift) * rejected,
        )
        least = 2 * trial.fmt.smallest_normal * (1 + most if with_beta else 1)
        allowed = {name: float(np.mean(room)) * (1 + growth) + least for name, room in zip(names, rooms, strict=True)}
        _judge(tally, batch, got, allowed)
    return tally.outcome()


def _judge(tally: Tally, batch: Batch, got: Mapping[str, float], allowed: Mapping[str, float]) -> None:
    """|got - exact| over what is allowed, and one float64 spacing of the exact value, which is itself rounded."""
    for name in (name for name in allowed if name in got):
        value = _exact(name, batch.beta, *(values.tobytes() for values in batch.logps))
        error = abs(got[name] - value)
        with np.errstate(over="ignore"):
            rho = 0.0 if error == 0 else np.float64(error) / (allowed[name] * (1 + 2.0**-40) + np.spacing(abs(value)))
        tally.whole(METRICS[name], batch, got[name], float(rho) if np.isfinite(got[name]) else np.inf)


@lru_cache(maxsize=1024)
def _exact(name: str, beta: float, *logps: bytes) -> float:
    """The metric of a batch, kept for the next implementation that is judged on it."""
    return float(exact_value(METRICS[name], Batch.of(*(np.frombuffer(values) for values in logps), beta=beta)))
