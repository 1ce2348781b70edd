"""GRAD: the derivatives in the four log-probabilities, end to end."""

from __future__ import annotations

import numpy as np

from conformance.clauses.accepted import accepted_gradients
from conformance.clauses.called import SMOOTHINGS, exact_pairs
from conformance.clauses.ends import DERIVATION, judge_gradients, judge_regimes, reference_detached, tally_gradients
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import GRADIENTS, POLICY_ALONE, WEIGHED, WEIGHTS
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.implementations.protocol import Weighing
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import (
    cancelling,
    far_from_reference,
    mixed_magnitudes,
    near_reference,
    one_sided,
    short_responses,
)
from conformance.records.record import Level

chapter = Chapter("GRAD")


@chapter.clause(
    1,
    Level.MUST,
    "realistic pairs",
    kills=(
        "gradient-rejected-sign",
        "gradient-without-beta",
        "gradient-reference-sign",
    ),
    statement="The derivatives of the loss in the four log-probabilities, -beta sigma(-z) for policy_chosen and "
    "ref_rejected and +beta sigma(-z) for policy_rejected and ref_chosen, shall lie in their acceptance intervals on "
    "pairs with log-probabilities of -5 to -20,000 nats; a reference that is detached from the graph is not judged.",
    derivation=DERIVATION,
    guards=(
        "https://github.com/OpenRLHF/OpenRLHF/issues/364",
        "https://github.com/thinking-machines-lab/tinker-cookbook/pull/188",
    ),
    needs=("gradient",),
    remedy="Let a stable log-sigmoid be differentiated, or return beta * sigma(-z) with its sign for each "
    "argument; no clamp on the way, whose derivative is 0.",
)
def realistic(trial: Trial) -> Outcome:
    """Derivatives near to and far from the reference, and of short responses."""
    return judge_regimes(trial, "GRAD-1", (near_reference, far_from_reference, short_responses), judge_gradients)


@chapter.clause(
    2,
    Level.MUST,
    "cancellation and mixed magnitudes",
    kills=("gradient-chosen-doubled",),
    statement="The derivatives of the loss shall lie in their acceptance intervals on pairs whose log-probabilities "
    "lie within a few ulps of each other, and on pairs whose log-probabilities differ in magnitude.",
    derivation=DERIVATION,
    needs=("gradient",),
    remedy="Take the differences before the product with beta; let a stable log-sigmoid be differentiated, with "
    "no clamp on the way.",
)
def adversarial(trial: Trial) -> Outcome:
    """Derivatives where the margin cancels, and of logps of unlike size."""
    return judge_regimes(trial, "GRAD-2", (cancelling, mixed_magnitudes), judge_gradients)


@chapter.clause(
    3,
    Level.MUST,
    "policy equals reference",
    kills=(
        "gradient-zero-at-kink",
        "gradient-one-at-kink",
    ),
    statement="Where the policy's log-probabilities equal the reference's, the derivative in policy_chosen shall be "
    "-beta (1/2 - eps) and in policy_rejected beta (1/2 - eps), within their acceptance intervals: not 0, and not beta.",
    derivation="z = 0, where every training starts, is where the piecewise form max(-z, 0) + log1p(e^-|z|) has its kink: "
    "automatic differentiation that takes one side there gives 0 or -beta. " + DERIVATION,
    guards=("https://github.com/jax-ml/jax/issues/2140", "https://github.com/jax-ml/jax/issues/2107"),
    needs=("gradient",),
    remedy="Differentiate the library's own log-sigmoid or softplus, or give max(-z, 0) + log1p(exp(-|z|)) a derivative of "
    "its own: differentiated as it is written, it takes one side of its kink at 0.",
)
def at_the_reference(trial: Trial) -> Outcome:
    """Derivatives at a margin of exactly 0."""
    draws = (short_responses, near_reference)
    return judge_regimes(trial, "GRAD-3", draws, _judge_at_reference, betas=(0.1, 5.0), smoothings=(0.0, 0.1))


def _judge_at_reference(tally: Tally, trial: Trial, batch: Batch) -> None:
    policy = batch.take(slice(0, 50)).logps[:2]  # the logit is 0 at each of them
    judge_gradients(tally, trial, Batch(*policy, *policy, batch.beta, batch.label_smoothing))


@chapter.clause(
    4,
    Level.SHOULD,
    "equal and opposite",
    kills=("gradient-rejected-sign",),
    statement="The derivatives in policy_chosen and in policy_rejected should be each other's negatives, bit for bit, and so "
    "should those in ref_chosen and in ref_rejected where the reference is not detached.",
    derivation="The margin is a difference: one number goes to both sides of it, with two signs, and negation is exact.",
    needs=("gradient",),
)
def equal_and_opposite(trial: Trial) -> Outcome:
    """The derivatives of a pair against each other."""
    return judge_regimes(trial, "GRAD-4", (near_reference, short_responses), _judge_opposites, betas=(0.1, 1.0))


def _judge_opposites(tally: Tally, trial: Trial, batch: Batch) -> None:
    answer = trial.answer(batch, gradient=True)
    parts = answer.gradient or (None,) * 4
    for one, other in ((0, 1), (2, 3)):
        if one == 2 and reference_detached(answer):
            tally.count("reference detached", len(batch))
            continue
        this, that = (np.full(len(batch), np.nan) if part is None else part for part in (parts[one], parts[other]))
        tally.boolean(GRADIENTS[other], batch, that, that == -this)


@chapter.clause(
    5,
    Level.MUST,
    "tails",
    kills=(
        "gradient-one-minus-sigmoid",
        "gradient-floored",
        "gradient-nan-branch",
    ),
    statement="Where three of the log-probabilities are 0, so that the margin is exact, from 1 to 20,000 nats of either sign, "
    "the derivatives shall lie in their acceptance intervals: never NaN, and 0 only where the exact derivative, or sigma(-z), "
    "is below the smallest normal number.",
    derivation="Only the product with beta and the kernel err. 1 - sigma(z) is 0 from z = (p + 1) ln 2 on, and two branches of "
    "which the one not taken overflows have the derivative 0 * inf. " + DERIVATION,
    guards=(
        "https://github.com/jax-ml/jax/issues/40825",
        "https://github.com/thinking-machines-lab/tinker-cookbook/pull/188",
    ),
    needs=("gradient",),
    remedy="Differentiate a stable log-sigmoid, or return sigma(-z) itself: not 1 - sigma(z), no constant added, and no "
    "branch whose other side overflows.",
)
def tails(trial: Trial) -> Outcome:
    """Derivatives deep in both tails, and on the way there."""
    return judge_regimes(trial, "GRAD-5", (one_sided,), judge_gradients, smoothings=(0.0, 0.1))


def _judge_weighed(trial: Trial, *, policy_alone: bool) -> Outcome:
    """Derivatives of weighted sums, divided by the weights; the policy's alone, of plain sums."""
    quantities = POLICY_ALONE if policy_alone else WEIGHED
    judged = trial.implementation
    if not isinstance(judged, Weighing):
        return Outcome(0, 0, note="no framework takes its derivatives", not_claimed=True)

    tally = Tally(trial)
    for smoothing in trial.offered("label_smoothing", SMOOTHINGS):
        batch = exact_pairs(trial, smoothing)
        scale = np.ones(len(batch)) if policy_alone else np.resize(WEIGHTS, len(batch))
        answer = trial.weighed(judged, batch, scale, policy_alone=policy_alone)
        tally_gradients(tally, answer, batch, accepted_gradients(trial, batch), scale, quantities)
    return tally.outcome()


@chapter.clause(
    6,
    Level.MUST,
    "a weight for each loss",
    kills=(
        "backward-without-upstream",
        "backward-with-first-upstream",
    ),
    statement="The derivatives of a sum of losses, each with a weight of its own, shall be the derivatives of each loss times "
    "its weight; what is judged is the derivative divided by the weight.",
    derivation="The chain rule. A training step divides by the batch size and by the steps of gradient accumulation, and "
    "scales the loss in binary16: a backward pass of its own must multiply by what comes in. The weights are 1, 2, 4 and 8 of "
    "either sign, which scale exactly, so that the acceptance interval is that of the derivative itself. Judged of an "
    "implementation whose derivatives its framework takes.",
    needs=("gradient",),
    remedy="Multiply by the incoming derivative in a backward pass of your own, pair by pair: grad_output * slope, not slope.",
)
def weights(trial: Trial) -> Outcome:
    """Derivatives of weighted sums of losses."""
    return _judge_weighed(trial, policy_alone=False)


@chapter.clause(
    7,
    Level.MUST,
    "a reference without derivatives",
    kills=("gradient-needs-reference",),
    statement="The derivatives in the policy's log-probabilities shall lie in their acceptance intervals where no "
    "derivative is asked for in the reference's.",
    derivation="A training step runs its reference without gradients. " + DERIVATION + " Judged of an implementation whose "
    "derivatives its framework takes.",
    needs=("gradient",),
    remedy="Return a derivative for each argument that asks for one, in its own place, whatever the others ask for.",
)
def reference_without(trial: Trial) -> Outcome:
    """Derivatives in the policy's logps alone."""
    return _judge_weighed(trial, policy_alone=True)
