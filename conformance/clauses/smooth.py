"""SMOOTH: label smoothing, (1 - eps) loss(z) + eps loss(-z)."""

from __future__ import annotations

from conformance.clauses.ends import DERIVATION, judge_gradients, judge_losses, judge_regimes
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.trial import Trial
from conformance.inputs.pairs import SMOOTHINGS, far_from_reference, near_reference, short_responses
from conformance.record import Level

chapter = Chapter("SMOOTH")
_BETAS = (0.1, 1.0)


@chapter.clause(
    1,
    Level.MUST,
    "value of the smoothed loss",
    statement="The loss at label_smoothing eps in {0, 0.001, 0.1, 0.3, 0.5} shall be (1 - eps) softplus(-z) + eps "
    "softplus(z), within its acceptance interval.",
    derivation=DERIVATION + " Both usual forms are admitted: the mixture, and softplus(-z) + eps z.",
    guards=("https://github.com/huggingface/trl/pull/3906", "https://github.com/huggingface/trl/pull/7063"),
    needs=("label_smoothing",),
)
def value(trial: Trial) -> Outcome:
    """Smoothed losses on realistic pairs."""
    draws = (near_reference, far_from_reference, short_responses)
    return judge_regimes(trial, "SMOOTH-1", draws, judge_losses, betas=_BETAS, smoothings=SMOOTHINGS)


@chapter.clause(
    2,
    Level.MUST,
    "derivative of the smoothed loss",
    statement="The derivatives of the smoothed loss, -beta (sigma(-z) - eps) for policy_chosen and its like, shall lie "
    "in their acceptance intervals for eps in {0, 0.001, 0.1, 0.3, 0.5}.",
    derivation=DERIVATION + " The derivative is a difference and vanishes where sigma(-z) = eps: the error is allowed "
    "relative to sigma(-z) + eps, since correct code may lose every digit there.",
    guards=("https://github.com/huggingface/trl/pull/3906",),
    needs=("label_smoothing", "gradient"),
)
def derivative(trial: Trial) -> Outcome:
    """Smoothed derivatives on realistic pairs."""
    draws = (near_reference, far_from_reference, short_responses)
    return judge_regimes(trial, "SMOOTH-2", draws, judge_gradients, betas=_BETAS, smoothings=SMOOTHINGS)
