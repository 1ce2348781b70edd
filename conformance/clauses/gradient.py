"""GRAD: the derivatives in the four log-probabilities, end to end."""

from __future__ import annotations

from conformance.clauses.ends import DERIVATION, judge_gradients, judge_regimes
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
)
def adversarial(trial: Trial) -> Outcome:
    """Derivatives where the margin cancels, and of logps of unlike size."""
    return judge_regimes(trial, "GRAD-2", (cancelling, mixed_magnitudes), judge_gradients)
