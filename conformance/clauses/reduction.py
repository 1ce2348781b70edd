"""REDUCE: the mean over a batch, for implementations that return it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from conformance.clauses.accepted import accepted_gradients, accepted_losses
from conformance.clauses.ends import derivatives, judged_pairs
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import MEAN_GRADIENTS, MEAN_LOSS
from conformance.clauses.refusal import refusable
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import far_from_reference, golden, near_reference, short_responses, tutorial
from conformance.records.record import Level
from oracle import bounds

chapter = Chapter("REDUCE")
SIZES = (1, 2, 3, 7, 8, 9, 16, 33)


@chapter.clause(
    1,
    Level.MUST,
    "a mean",
    kills=(
        "sum-for-mean",
        "mean-over-n-minus-1",
    ),
    statement="An implementation that reduces to the mean shall return the mean of the pairs' losses within its "
    "acceptance interval: not their sum, and not over another number of pairs.",
    derivation="The pairs' intervals added and divided by n, with n - 1 additions, 1 / n and a product rounded in the "
    "format (docs/bounds.md, the mean).",
    guards=("https://github.com/huggingface/trl/issues/2615", "https://github.com/huggingface/trl/pull/5710"),
    needs=("mean",),
    remedy="Return the sum over n pairs divided by n: not the sum, and not n - 1, the padded size or the number of devices.",
)
def mean_loss(trial: Trial) -> Outcome:
    """Means of batches of several sizes."""
    tally, rng = Tally(trial), trial.rng("REDUCE-1")
    draws = (near_reference, far_from_reference, short_responses)
    batches = [draw(trial.fmt, size, rng) for draw in draws for size in SIZES]
    for drawn in (golden(), tutorial(), _with_vanished(), *batches):
        for smoothing in trial.offered("label_smoothing", (0.0, 0.1)):
            batch = judged_pairs(trial, drawn.at(label_smoothing=smoothing))
            acceptance = bounds.mean(accepted_losses(trial, batch))
            got = trial.implementation.evaluate(batch, trial.fmt, gradient=False).losses
            tally.whole(MEAN_LOSS, batch, float(got), float(acceptance.rho(got.reshape(1))[0]))
    return tally.outcome()


def _with_vanished() -> Batch:
    """The golden pairs among pairs whose loss underflows to 0: they count in the mean all the same."""
    return Batch.of(*(np.concatenate([values, far]) for values, far in zip(golden().logps, _VANISHED, strict=True)))


_VANISHED = ([-16.0, -8.0], [-16384.0, -8192.0], [-16.0, -8.0], [-16.0, -8.0])


@chapter.clause(
    2,
    Level.MUST,
    "derivatives of a mean",
    kills=(
        "gradient-of-sum-for-mean",
        "gradient-mean-reference-sign",
    ),
    statement="The derivatives of the mean loss of n pairs shall be the pairs' derivatives divided by n, within their "
    "acceptance intervals.",
    derivation="Each pair's interval divided by n, with two roundings more.",
    guards=("https://github.com/huggingface/trl/issues/2617",),
    needs=("mean", "gradient"),
    remedy="Divide by the number of pairs once.",
)
def mean_gradient(trial: Trial) -> Outcome:
    """Derivatives of means; each is told with the batch turned so that its pair is the first."""
    tally, rng = Tally(trial), trial.rng("REDUCE-2")
    for size in SIZES:
        _judge_derivatives(tally, trial, judged_pairs(trial, short_responses(trial.fmt, size, rng)))
    return tally.outcome()


def _judge_derivatives(tally: Tally, trial: Trial, batch: Batch) -> None:
    acceptance = bounds.shared(accepted_gradients(trial, batch), len(batch), batch.beta)
    answer = trial.implementation.evaluate(batch, trial.fmt, gradient=True)
    for quantity, sign, got in derivatives(tally, answer, batch, MEAN_GRADIENTS):
        rho = acceptance.rho(sign * got)
        for i in range(len(batch)):
            turned = batch.take(np.roll(np.arange(len(batch)), -i))
            tally.whole(quantity, turned, float(got[i]), float(rho[i]))


@chapter.clause(
    3,
    Level.MUST,
    "a NaN in the batch",
    kills=("mean-without-nan",),
    statement="The mean over a batch with a NaN log-probability shall be NaN.",
    derivation="A mean over the other pairs hides a broken model, and is a mean over another number of pairs.",
    guards=("https://github.com/huggingface/trl/issues/1199",),
    needs=("mean",),
    remedy="Take the plain mean: no nanmean, no mask of what is not finite.",
)
@refusable
def mean_of_nan(trial: Trial) -> Outcome:
    """Means of batches with a NaN at each place."""
    return _judge_with(trial, np.nan, range(4))


def _judge_with(trial: Trial, value: float, places: Iterable[int]) -> Outcome:
    """Means of the golden batch with that value at each of the places of its second pair."""
    tally = Tally(trial)
    for place in places:
        logps = [values.copy() for values in golden().logps]
        logps[place][1] = value
        batch = Batch.of(*logps)
        got = float(trial.implementation.evaluate(batch, trial.fmt, gradient=False).losses)
        right = got == np.inf if np.isinf(value) else np.isnan(got)
        tally.whole(MEAN_LOSS, batch, got, 0.0 if right else np.inf)
    return tally.outcome()


@chapter.clause(
    4,
    Level.MUST,
    "options in a mean",
    kills=("mean-options-of-one",),
    statement="The mean loss at beta = 0.5 and label smoothing 0.1 shall lie in its acceptance interval for batches of 2, 9, "
    "65 and 1,000 pairs, and for inputs that are strided views.",
    derivation="One that reduces is judged elsewhere a pair at a time: a batch is where its options may be lost.",
    needs=("mean",),
    remedy="Take the same options in a batch as of one pair; reduce last.",
)
def options_in_mean(trial: Trial) -> Outcome:
    """Smoothed means at another beta, of larger batches."""
    tally = Tally(trial)
    for size in (2, 9, 65, 1000):
        batch = _optioned(trial, "REDUCE-4", size)
        acceptance = bounds.mean(accepted_losses(trial, batch))
        for strided in (False, True):
            got = trial.implementation.evaluate(batch, trial.fmt, gradient=False, strided=strided).losses
            tally.whole(MEAN_LOSS, batch, float(got), float(acceptance.rho(got.reshape(1))[0]))
    return tally.outcome()


def _optioned(trial: Trial, clause: str, size: int) -> Batch:
    """Short responses at beta = 0.5 and label smoothing 0.1, where they are claimed."""
    drawn = short_responses(trial.fmt, size, trial.rng(clause))
    return judged_pairs(trial, trial.optioned(drawn, beta=0.5, label_smoothing=0.1))


@chapter.clause(
    5,
    Level.MUST,
    "derivatives of a mean under options",
    kills=("gradient-mean-unsmoothed",),
    statement="The derivatives of the mean loss at beta = 0.5 and label smoothing 0.1 shall be the pairs' derivatives divided "
    "by n, within their acceptance intervals, for batches of 2, 9 and 65 pairs.",
    derivation="Each pair's interval divided by n, with two roundings more.",
    needs=("mean", "gradient"),
    remedy="Take the same options in a batch as of one pair; divide by the number of pairs once.",
)
def mean_gradient_options(trial: Trial) -> Outcome:
    """Derivatives of smoothed means at another beta."""
    tally = Tally(trial)
    for size in (2, 9, 65):
        _judge_derivatives(tally, trial, _optioned(trial, "REDUCE-5", size))
    return tally.outcome()


@chapter.clause(
    6,
    Level.MUST,
    "an infinite loss in the batch",
    kills=("mean-without-infinity",),
    statement="The mean over a batch with an impossible chosen response, or an impossible rejected reference response, shall "
    "be +infinity where label smoothing is 0.",
    derivation="The loss of such a pair is +infinity (SPECIAL-1). A mean over the other pairs hides it.",
    needs=("mean",),
    remedy="Take the plain mean: no mask of what is not finite.",
)
@refusable
def mean_of_infinity(trial: Trial) -> Outcome:
    """Means of batches with a pair whose logit is -infinity."""
    return _judge_with(trial, -np.inf, (0, 3))
