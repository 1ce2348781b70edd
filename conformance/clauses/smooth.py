"""SMOOTH: label smoothing, (1 - eps) loss(z) + eps loss(-z)."""

from __future__ import annotations

import numpy as np

from conformance.clauses.accepted import accepted_losses
from conformance.clauses.ends import DERIVATION, judge_gradients, judge_losses, judge_regimes
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import LOSS
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import SMOOTHINGS, far_from_reference, near_reference, short_responses
from conformance.records.record import Level
from oracle import bounds
from oracle.formats import Floats

chapter = Chapter("SMOOTH")
_BETAS = (0.3,)
"""Between the usual ones: options beside each other are drawn by OPTION, BATCH and PROPERTY."""


@chapter.clause(
    1,
    Level.MUST,
    "value of the smoothed loss",
    kills=(
        "robust-for-conservative",
        "label-smoothing-halved",
    ),
    statement="The loss at label_smoothing eps in {0.001, 0.1, 0.3, 0.5} shall be (1 - eps) softplus(-z) + eps "
    "softplus(z), within its acceptance interval.",
    derivation=DERIVATION + " Both usual forms are admitted: the mixture, and softplus(-z) + eps z.",
    guards=("https://github.com/huggingface/trl/pull/3906", "https://github.com/huggingface/trl/pull/7063"),
    needs=("label_smoothing",),
    remedy="Mix (1 - eps) * softplus(-z) + eps * softplus(z), each by a stable log-sigmoid; nothing is divided "
    "by 1 - 2 eps, which is robust DPO.",
)
def value(trial: Trial) -> Outcome:
    """Smoothed losses on realistic pairs."""
    draws = (near_reference, far_from_reference, short_responses)
    return judge_regimes(trial, "SMOOTH-1", draws, judge_losses, betas=_BETAS, smoothings=SMOOTHINGS[1:])


@chapter.clause(
    2,
    Level.MUST,
    "derivative of the smoothed loss",
    kills=(
        "gradient-of-unsmoothed",
        "gradient-of-smoothed-sign",
    ),
    statement="The derivatives of the smoothed loss, -beta (sigma(-z) - eps) for policy_chosen and its like, shall lie "
    "in their acceptance intervals for eps in {0.001, 0.1, 0.3, 0.5}.",
    derivation=DERIVATION + " The derivative is a difference and vanishes where sigma(-z) = eps: the error is allowed "
    "relative to sigma(-z) + eps, since correct code may lose every digit there.",
    guards=("https://github.com/huggingface/trl/pull/3906",),
    needs=("label_smoothing", "gradient"),
    remedy="Differentiate (1 - eps) * softplus(-z) + eps * softplus(z): for policy_chosen that is -beta * (sigma(-z) - eps).",
)
def derivative(trial: Trial) -> Outcome:
    """Smoothed derivatives on realistic pairs."""
    draws = (near_reference, far_from_reference, short_responses)
    return judge_regimes(trial, "SMOOTH-2", draws, judge_gradients, betas=_BETAS, smoothings=SMOOTHINGS[1:])


@chapter.clause(
    3,
    Level.MUST,
    "monotone and convex",
    kills=("robust-for-conservative",),
    statement="On logits a quarter apart from -16 to 16, the loss shall fall, and under label smoothing fall up to "
    "ln((1 - eps) / eps) and rise from there, and its slope shall grow, wherever the exact differences exceed what the "
    "acceptance intervals allow.",
    derivation="The loss is convex in z with derivative eps - sigma(-z). First differences are judged where they exceed "
    "the two intervals' room, second differences where they exceed that of four.",
    needs=("beta",),
    remedy="Use one stable formula over the whole range: no threshold beyond which another one is taken, no clamp.",
)
def shape(trial: Trial) -> Outcome:
    """Signs of first and second differences of the loss on a grid."""
    tally = Tally(trial)
    z = np.arange(-64, 65) / 4.0
    for eps in trial.offered("label_smoothing", SMOOTHINGS):
        batch = Batch.at_logits(z, label_smoothing=eps)
        got = trial.answer(batch).losses
        acceptance = accepted_losses(trial, batch)
        exact = bounds.centre(acceptance.exact)
        lowest, highest = acceptance.hull()
        room = bounds.centre(highest - lowest)
        for order, spread in ((1, np.ones(2)), (2, np.array([1.0, 2.0, 1.0]))):
            _judge_differences(tally, batch, got, np.diff(exact, order), np.convolve(room, spread, "valid"), order)
    return tally.outcome()


def _judge_differences(tally: Tally, batch: Batch, got: Floats, exact: Floats, room: Floats, order: int) -> None:
    """The sign of a difference of losses is right wherever the exact one is clear of the room for error."""
    clear = np.flatnonzero(np.abs(exact) > room)
    with np.errstate(invalid="ignore"):
        seen = np.diff(got, order)
    tally.boolean(LOSS, batch.take(clear), got[clear], np.sign(seen[clear]) == np.sign(exact[clear]))
