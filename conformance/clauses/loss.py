"""LOSS: the loss end to end, from four log-probabilities, on pairs as training meets them."""

from __future__ import annotations

from conformance.clauses.ends import DERIVATION, judge_losses, judge_regimes
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.trial import Trial
from conformance.inputs.pairs import (
    cancelling,
    far_from_reference,
    mixed_magnitudes,
    near_reference,
    short_responses,
)
from conformance.record import Level

chapter = Chapter("LOSS")


@chapter.clause(
    1,
    Level.MUST,
    "realistic pairs",
    kills=(
        "reference-ignored",
        "margin-in-float16",
    ),
    statement="The loss of pairs with log-probabilities of -5 to -20,000 nats, the policy near to and far from the "
    "reference, shall lie in its acceptance interval.",
    derivation=DERIVATION,
    guards=(
        "https://github.com/AI-Hypercomputer/maxtext/pull/1530",
        "https://github.com/linkedin/Liger-Kernel/pull/378",
        "https://github.com/huggingface/trl/issues/1962",
    ),
)
def realistic(trial: Trial) -> Outcome:
    """Losses near to and far from the reference, and of short responses."""
    return judge_regimes(trial, "LOSS-1", (near_reference, far_from_reference, short_responses), judge_losses)


@chapter.clause(
    2,
    Level.MUST,
    "heavy cancellation",
    kills=("reference-rejected-ignored",),
    statement="The loss of pairs whose four log-probabilities lie within a few ulps of each other shall lie in its "
    "acceptance interval.",
    derivation=DERIVATION + " Differences of neighbours are exact (Sterbenz), so nothing is lost here by right code.",
)
def cancellation(trial: Trial) -> Outcome:
    """Losses where nearly all of the margin cancels."""
    return judge_regimes(trial, "LOSS-2", (cancelling,), judge_losses)


@chapter.clause(
    3,
    Level.MUST,
    "mixed magnitudes",
    kills=("reference-swapped",),
    statement="The loss of pairs whose log-probabilities differ in magnitude, from 1e-4 to 20,000 nats, shall lie in "
    "its acceptance interval.",
    derivation=DERIVATION,
)
def magnitudes(trial: Trial) -> Outcome:
    """Losses of logps of unlike size."""
    return judge_regimes(trial, "LOSS-3", (mixed_magnitudes,), judge_losses)
