"""REDUCE: the mean over a batch, for implementations that return it."""

from __future__ import annotations

import numpy as np

from conformance.clauses.accepted import accepted_gradients, accepted_losses
from conformance.clauses.ends import judged_pairs, negated
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import MEAN_GRADIENTS, MEAN_LOSS, SIGNS
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.inputs.pairs import far_from_reference, golden, near_reference, short_responses, tutorial
from conformance.record import Level
from oracle import bounds

chapter = Chapter("REDUCE")
SIZES = (1, 2, 3, 7, 8, 9, 16, 33)


@chapter.clause(
    1,
    Level.MUST,
    "a mean",
    statement="An implementation that reduces to the mean shall return the mean of the pairs' losses within its "
    "acceptance interval: not their sum, and not over another number of pairs.",
    derivation="The pairs' intervals added and divided by n, with n - 1 additions, 1 / n and a product rounded in the "
    "format (docs/bounds.md, the mean).",
    guards=("https://github.com/huggingface/trl/issues/2615", "https://github.com/huggingface/trl/pull/5710"),
    needs=("mean",),
)
def mean_loss(trial: Trial) -> Outcome:
    """Means of batches of several sizes."""
    tally, rng = Tally(trial), trial.rng("REDUCE-1")
    draws = (near_reference, far_from_reference, short_responses)
    batches = [draw(trial.fmt, size, rng) for draw in draws for size in SIZES]
    for drawn in (golden(), tutorial(), *batches):
        for smoothing in trial.offered("label_smoothing", (0.0, 0.1)):
            batch = judged_pairs(trial, drawn.at(label_smoothing=smoothing))
            acceptance = bounds.mean(accepted_losses(trial, batch))
            got = trial.implementation.evaluate(batch, trial.fmt, gradient=False).losses
            tally.whole(MEAN_LOSS, batch, float(got), float(acceptance.rho(got.reshape(1))[0]))
    return tally.outcome()


@chapter.clause(
    2,
    Level.MUST,
    "derivatives of a mean",
    statement="The derivatives of the mean loss of n pairs shall be the pairs' derivatives divided by n, within their "
    "acceptance intervals.",
    derivation="Each pair's interval divided by n, with two roundings more.",
    guards=("https://github.com/huggingface/trl/issues/2617",),
    needs=("mean", "gradient"),
)
def mean_gradient(trial: Trial) -> Outcome:
    """Derivatives of means in the policy's logps."""
    tally, rng = Tally(trial), trial.rng("REDUCE-2")
    for size in SIZES:
        batch = judged_pairs(trial, short_responses(trial.fmt, size, rng))
        acceptance = bounds.shared(accepted_gradients(trial, batch), len(batch))
        answer = trial.implementation.evaluate(batch, trial.fmt, gradient=True)
        parts = answer.gradient or (None,) * 4
        for quantity, sign, part in list(zip(MEAN_GRADIENTS, SIGNS, parts, strict=True))[:2]:
            got = np.full(len(batch), np.nan) if part is None else part
            rho = (acceptance if sign > 0 else negated(acceptance)).rho(got)
            tally.ratio(quantity, batch, got, rho)
    return tally.outcome()
