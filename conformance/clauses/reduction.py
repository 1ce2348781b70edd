"""REDUCE: the mean over a batch, for implementations that return it."""

from __future__ import annotations

import numpy as np

from conformance.clauses.accepted import accepted_gradients, accepted_losses
from conformance.clauses.ends import judged_pairs
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import MEAN_GRADIENTS, MEAN_LOSS, SIGNS
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import far_from_reference, golden, near_reference, short_responses, tutorial
from conformance.record import Level
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
    kills=("gradient-of-sum-for-mean",),
    statement="The derivatives of the mean loss of n pairs shall be the pairs' derivatives divided by n, within their "
    "acceptance intervals.",
    derivation="Each pair's interval divided by n, with two roundings more.",
    guards=("https://github.com/huggingface/trl/issues/2617",),
    needs=("mean", "gradient"),
    remedy="Divide by the number of pairs once.",
)
def mean_gradient(trial: Trial) -> Outcome:
    """Derivatives of means in the policy's logps; each is told with the batch turned so that its pair is the first."""
    tally, rng = Tally(trial), trial.rng("REDUCE-2")
    for size in SIZES:
        batch = judged_pairs(trial, short_responses(trial.fmt, size, rng))
        acceptance = bounds.shared(accepted_gradients(trial, batch), len(batch), batch.beta)
        answer = trial.implementation.evaluate(batch, trial.fmt, gradient=True)
        parts = answer.gradient or (None,) * 4
        for quantity, sign, part in list(zip(MEAN_GRADIENTS, SIGNS, parts, strict=True))[:2]:
            got = np.full(len(batch), np.nan) if part is None else part
            rho = acceptance.rho(sign * got)
            for i in range(len(batch)):
                turned = batch.take(np.roll(np.arange(len(batch)), -i))
                tally.whole(quantity, turned, float(got[i]), float(rho[i]))
    return tally.outcome()


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
def mean_of_nan(trial: Trial) -> Outcome:
    """Means of batches with a NaN at each place."""
    tally = Tally(trial)
    for place in range(4):
        logps = [values.copy() for values in golden().logps]
        logps[place][1] = np.nan
        batch = Batch.of(*logps)
        try:
            got = float(trial.implementation.evaluate(batch, trial.fmt, gradient=False).losses)
        except Misbehaviour as error:
            if error.kind != "raised":
                raise
            return Outcome(0, 0, note=f"it refuses such inputs: {error}", not_claimed=True)
        tally.whole(MEAN_LOSS, batch, got, 0.0 if np.isnan(got) else np.inf)
    return tally.outcome()
