"""DEF: the definition, on examples that anyone can work by hand."""

from __future__ import annotations

import numpy as np

from conformance.clauses import ends
from conformance.clauses.accepted import accepted_losses
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import ANTISYMMETRY, LOSS
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import far_from_reference, golden, near_reference, short_responses, tutorial
from conformance.records.record import Level
from oracle import bounds
from oracle.ball import exact as point

chapter = Chapter("DEF")


@chapter.clause(
    1,
    Level.MUST,
    "the tutorial's example",
    kills=(
        "softplus-of-plus-z",
        "loss-in-bits",
    ),
    statement="The losses of the tutorial's four pairs, logps (-45, -48, -46, -47), (-50, -52, -51, -51), "
    "(-48, -46, -49, -47) and (-52, -55, -53, -54), shall be the exact values within their acceptance intervals, for "
    "beta = 0.1 and for label smoothing 0 and 0.1.",
    derivation="Log-ratios are small integers, exact in every format; the margins are 2, 2, 0 and 2. The interval "
    "allows for rounding beta and the product, and for a kernel at its MUST bound. Mean loss 0.6219, smoothed 0.6369.",
    remedy="Compare with -log sigma(beta * ((pc - rc) - (pr - rr))): its sign, its natural logarithm, each of "
    "the four arguments once.",
)
def tutorial_example(trial: Trial) -> Outcome:
    """Losses of the worked example."""
    tally = Tally(trial)
    for smoothing in trial.offered("label_smoothing", (0.0, 0.1)):
        ends.judge_losses(tally, trial, tutorial().at(label_smoothing=smoothing))
    return tally.outcome()


@chapter.clause(
    2,
    Level.MUST,
    "the golden example",
    kills=(
        "hinge",
        "ipo",
    ),
    statement="The losses of the pairs (-10, -12, -11, -11), (-20, -25, -19, -19) and (-5, -9, -5, -5) shall be the "
    "exact values within their acceptance intervals, for beta = 0.1 and for label smoothing 0 and 0.1.",
    derivation="The margins are 2, 5 and 4, whose sum is not zero, so that smoothed and plain losses differ in the "
    "mean too: 0.52841036865388370661 and 0.56507703532055037735, for the binary64 numbers next to 0.1.",
    guards=("https://github.com/huggingface/trl/pull/3906",),
    remedy="Compare with -log sigma(beta * ((pc - rc) - (pr - rr))): its sign, its natural logarithm, each of "
    "the four arguments once.",
)
def golden_example(trial: Trial) -> Outcome:
    """Losses of the golden example."""
    tally = Tally(trial)
    for smoothing in trial.offered("label_smoothing", (0.0, 0.1)):
        ends.judge_losses(tally, trial, golden().at(label_smoothing=smoothing))
    return tally.outcome()


def _equal_to_reference(trial: Trial, clause: str) -> Batch:
    """Pairs whose policy is the reference, at logps of every size from a nat to 20,000."""
    drawn = near_reference(trial.fmt, trial.sizes.pairs, trial.rng(clause))
    pc, pr = drawn.ref_chosen_logps, drawn.ref_rejected_logps
    return Batch.of(pc, pr, pc, pr)


@chapter.clause(
    3,
    Level.MUST,
    "the loss is not negative",
    kills=(
        "log-of-sigmoid-plus-1e-8",
        "sign-of-loss",
    ),
    statement="The loss without label smoothing shall not be negative.",
    derivation="softplus(-z) > 0 for every finite z; rounding is monotone and keeps a positive number from becoming "
    "negative, and so does every admitted formula.",
    guards=("https://github.com/pytorch/pytorch/issues/20972",),
    remedy="Take softplus(-z) as it is: no epsilon inside the logarithm, no constant subtracted.",
)
def not_negative(trial: Trial) -> Outcome:
    """Signs of losses at growing logits and on drawn pairs."""
    tally, rng = Tally(trial), trial.rng("DEF-3")
    growing = trial.fmt.round_array(-np.geomspace(2.0**-4, 2.0**14, 181))
    (first,) = trial.offered("beta", (1.0,))
    batches = [Batch.of(0.0, growing, beta=first)]
    batches += [draw(trial.fmt, trial.sizes.pairs, rng) for draw in (near_reference, far_from_reference)]
    for batch in batches:
        judged = ends.judged_pairs(trial, batch)
        got = trial.answer(judged).losses
        tally.boolean(LOSS, judged, got, got >= 0)
    return tally.outcome()


@chapter.clause(
    4,
    Level.MUST,
    "policy equals reference",
    kills=(
        "zero-at-reference",
        "hinge",
    ),
    statement="Where the policy's log-probabilities equal the reference's, the loss shall be ln 2 within its acceptance "
    "interval, whatever the log-probabilities and beta.",
    derivation="The margin is exactly 0 and softplus(0) = ln 2. Both usual orders of subtraction give exactly 0; the "
    "sequential one may leave a few ulps of a log-probability, which the interval admits.",
    guards=(
        "https://github.com/eric-mitchell/direct-preference-optimization/issues/34",
        "https://github.com/NVIDIA/NeMo-Aligner/issues/227",
        "https://github.com/allenai/open-instruct/issues/1900",
    ),
    remedy="Subtract the reference from the policy; where they are equal the loss is ln 2, not 0.",
)
def at_reference(trial: Trial) -> Outcome:
    """Losses where the policy is the reference."""
    tally = Tally(trial)
    for beta in trial.offered("beta", (0.1, 1.0)):
        ends.judge_losses(tally, trial, _equal_to_reference(trial, "DEF-4").at(beta=beta))
    return tally.outcome()


@chapter.clause(
    5,
    Level.SHOULD,
    "policy equals reference, the same bits",
    kills=("products-before-differences",),
    statement="Where the policy's log-probabilities equal the reference's, the loss should be the same number for every "
    "pair of a batch.",
    derivation="(pc - rc) - (pr - rr) and (pc - pr) - (rc - rr) are exactly 0 there. The sequential orders leave a "
    "rounding error of the size of an ulp of a log-probability.",
)
def at_reference_same_bits(trial: Trial) -> Outcome:
    """Losses where the policy is the reference, compared with each other."""
    tally = Tally(trial)
    batch = _equal_to_reference(trial, "DEF-4")
    got = trial.answer(batch).losses
    tally.boolean(LOSS, batch, got, got == got[:1])
    return tally.outcome()


@chapter.clause(
    6,
    Level.MUST,
    "antisymmetry",
    kills=(
        "softplus-of-plus-z",
        "absolute-margin",
    ),
    statement="Without label smoothing, the loss of a pair minus the loss of the pair with chosen and rejected exchanged "
    "shall be -z, within the sum of what their two acceptance intervals allow.",
    derivation="softplus(-z) - softplus(z) = -z; each of the two losses errs by at most what its interval allows.",
    guards=("https://github.com/tensorflow/tensorflow/issues/3719",),
    remedy="Keep the sign of the margin: no absolute value, no margin or offset added to the logit, no clamp.",
)
def antisymmetry(trial: Trial) -> Outcome:
    """Differences of losses of exchanged pairs."""
    tally, rng = Tally(trial), trial.rng("DEF-6")
    for draw in (near_reference, short_responses):
        batch = ends.judged_pairs(trial, draw(trial.fmt, trial.sizes.pairs, rng))
        a, b, c, d = batch.logps
        exchanged = Batch.of(b, a, d, c, beta=batch.beta)
        got, other = trial.answer(batch).losses, trial.answer(exchanged).losses
        allowed = accepted_losses(trial, batch)
        opposite = accepted_losses(trial, exchanged)
        error = bounds.centre(point(got) - point(other) - (allowed.exact - opposite.exact))
        room = bounds.centre((allowed.high - allowed.low) + (opposite.high - opposite.low))
        with np.errstate(invalid="ignore"):
            tally.ratio(ANTISYMMETRY, batch, got - other, np.nan_to_num(np.abs(error) / room, nan=np.inf))
    return tally.outcome()
