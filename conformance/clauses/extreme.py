"""EXTREME: very long responses, very small and very large beta, and numbers near overflow."""

from __future__ import annotations

import numpy as np

from conformance.clauses.ends import DERIVATION, judge_gradients, judge_losses, judge_regimes
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.inputs.pairs import near_overflow, overflowing_margin, short_responses, very_long_responses
from conformance.records.record import Level

chapter = Chapter("EXTREME")
BETAS = (1e-6, 1e-3, 0.1, 30.0, 1e3)
_SMALL = tuple(2.0**k for k in (-24, -16, -8, -4))


@chapter.clause(
    1,
    Level.MUST,
    "value at extreme beta and length",
    kills=(
        "logit-clamped-50",
        "logps-clamped-1e4",
    ),
    statement="The loss shall lie in its acceptance interval for beta from 0.000001 to 1,000 and log-probabilities down "
    "to -100,000 nats (-60,000 in binary16), where nothing on the way to the logit overflows.",
    derivation=DERIVATION,
    guards=("https://github.com/huggingface/trl/issues/878",),
    needs=("beta",),
    remedy="Clamp neither the logit nor the loss; use a stable log-sigmoid.",
)
def value(trial: Trial) -> Outcome:
    """Losses of very long and very short responses."""
    draws = (very_long_responses, short_responses)
    return judge_regimes(trial, "EXTREME-1", draws, judge_losses, betas=BETAS)


@chapter.clause(
    2,
    Level.MUST,
    "derivative at extreme beta and length",
    kills=(
        "gradient-clipped",
        "logsumexp-minus-reward",
    ),
    statement="The derivatives of the loss shall lie in their acceptance intervals for beta from 0.000001 to 1,000 and "
    "log-probabilities down to -100,000 nats (-60,000 in binary16), where nothing on the way to the logit overflows.",
    derivation=DERIVATION,
    needs=("beta", "gradient"),
    remedy="Clamp neither the logit nor the loss; differentiate a stable log-sigmoid.",
)
def derivative(trial: Trial) -> Outcome:
    """Derivatives of very long and very short responses."""
    draws = (very_long_responses, short_responses)
    return judge_regimes(trial, "EXTREME-2", draws, judge_gradients, betas=BETAS)


@chapter.clause(
    3,
    Level.MUST,
    "near overflow",
    kills=("log1p-of-exp",),
    statement="The loss shall be the right finite number where the exact loss, both log-ratios, both pair differences, "
    "the margin and the logit are representable, however close to the largest number they are.",
    derivation=DERIVATION + " Pairs whose sequential partial sums overflow are left out too, since that order is admitted.",
    needs=("beta",),
    remedy="Scale and add nothing before the differences are taken: beta * pc or pc + rr overflows where beta * "
    "((pc - rc) - (pr - rr)) does not.",
)
def near_the_largest(trial: Trial) -> Outcome:
    """Losses of log-probabilities of the order of the largest number."""
    return judge_regimes(trial, "EXTREME-3", (near_overflow,), judge_losses, betas=(*_SMALL, 1.0))


@chapter.clause(
    4,
    Level.SHOULD,
    "only the margin overflows",
    kills=("log1p-of-exp",),
    statement="The loss should be the right finite number where the exact loss and both log-ratios are representable "
    "and only the margin is not.",
    derivation="In binary16, pc = rr = -39296, pr = rc = 0 and beta = 2^-10 give z = -76.75, but every code that forms "
    "the margin before it multiplies by beta returns infinity; beta applied to the log-ratios first does not.",
    needs=("beta",),
)
def overflowing(trial: Trial) -> Outcome:
    """Losses where the margin is beyond the largest number and the logit is not."""
    tally, rng = Tally(trial), trial.rng("EXTREME-4")
    beta = 2.0 ** -(trial.fmt.emax - 5)
    if trial.refuses("beta", beta):
        return Outcome(0, 0, note=f"it refuses beta = {beta:g}", not_claimed=True)
    batch = overflowing_margin(trial.fmt, trial.sizes.pairs, rng).at(beta=beta)
    with np.errstate(over="ignore"):
        judge_losses(tally, trial, batch)
    return tally.outcome()
