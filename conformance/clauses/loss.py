"""LOSS: the loss end to end, from four log-probabilities, on pairs as training meets them."""

from __future__ import annotations

from conformance.clauses.accepted import accepted_losses
from conformance.clauses.ends import DERIVATION, judge_losses, judge_regimes
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import LOSS
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import (
    cancelling,
    far_from_reference,
    mixed_magnitudes,
    near_reference,
    short_responses,
)
from conformance.records.record import Level

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
    remedy="Form the logit as beta * ((pc - rc) - (pr - rr)), differences before the product and in no narrower "
    "format than the inputs', then a stable log-sigmoid.",
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
    remedy="Take the differences before the product with beta, and in no narrower format than the inputs'. Compiled code: "
    "build it without -ffast-math and -Ofast, which let the compiler sum the four in any order.",
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
    remedy="Form the logit as beta * ((pc - rc) - (pr - rr)), in no narrower format than the inputs', then a "
    "stable log-sigmoid.",
)
def magnitudes(trial: Trial) -> Outcome:
    """Losses of logps of unlike size."""
    return judge_regimes(trial, "LOSS-3", (mixed_magnitudes,), judge_losses)


@chapter.clause(
    4,
    Level.SHOULD,
    "near the reference, log-ratios first",
    kills=("margin-in-float16",),
    statement="Where the policy is near the reference, the loss should lie in the acceptance interval of the order "
    "(pc - rc) - (pr - rr): as near to the exact value as log-ratios taken first come.",
    derivation="delta_z of that order alone, D = 2 (|pc - rc| + |pr - rr|) (docs/bounds.md). A policy and a reference within "
    "a factor of 2 of each other have an exact log-ratio (Sterbenz), while pc - pr rounds at the size of the responses: "
    "hundreds of nats. Both orders are correct code, and a MUST admits both; this one is better by up to p bits.",
    guards=("https://github.com/huggingface/trl/pull/3906",),
)
def log_ratios_first(trial: Trial) -> Outcome:
    """Losses near the reference, against the sharper interval."""
    return judge_regimes(trial, "LOSS-4", (near_reference,), _judge_sharply)


def _judge_sharply(tally: Tally, trial: Trial, batch: Batch) -> None:
    tally.interval(LOSS, batch, trial.answer(batch).losses, accepted_losses(trial, batch, ratios_first=True))
