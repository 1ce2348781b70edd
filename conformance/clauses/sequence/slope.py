"""SLOPE: the derivatives of log-probabilities in the logits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.sequence.judging import Scale, at, head_slopes
from conformance.clauses.trial import Trial
from conformance.inputs.sequences import drawn, near_zero
from conformance.records.record import Level
from oracle.sequence import bounds

chapter = Chapter("SLOPE", "sequence")
ENTRY = (
    "Entry δ_tj − p_j: p_j is off, relative, by e^(error of logp_j + 6u) − 1, the target's by u besides "
    "(docs/bounds.md). Not in ulps: "
    "the tail of a softmax is 100 ulp off in perfect code."
)


@chapter.clause(
    1,
    Level.MUST,
    "derivatives",
    statement="The derivative of a log-probability in a logit shall be 1 − p_t for the label and −p_j for the others, "
    "over the temperature, "
    "for each token that counts, divided by their number where a mean is claimed; and the log-probability shall be what it is "
    "where no derivative is asked for.",
    derivation=ENTRY,
    needs=("gradient",),
    remedy="Let autograd differentiate log_softmax; a handwritten backward recomputes p = exp(z − lse), subtracts it "
    "from the one-hot label, "
    "multiplies by the incoming derivative of its own row, and rounds once.",
    kills=("detached", "gradient-unscaled", "gradient-sign", "gradient-softmax-only", "value-with-graph"),
)
def entries(trial: Trial) -> Outcome:
    """Every entry of small batches."""
    scale = Scale(trial)
    rng = trial.rng("SLOPE-1")
    for columns, spread in ((2, 1.0), (7, 3.0), (64, 2.0), (1000, 1.0)):
        rows = drawn(rng, trial.fmt, 3, 6, columns, spread=spread)
        answer = scale.answer(rows, gradient=True)
        scale.values(rows, answer=answer)
        scale.gradient(rows, answer=answer)
        if "temperature" in scale.claims.options:
            scale.gradient(at(rows, temperature=0.7))
    return scale.outcome()


@chapter.clause(
    2,
    Level.MUST,
    "rows sum to 0",
    statement="The derivatives in one row of logits shall sum to 0 within their bounds: a level in all logits changes no "
    "log-probability.",
    derivation="Σ_j (δ_tj − p_j) = 0. The sum of the entries' bounds.",
    needs=("gradient",),
    remedy="Use the same log-sum-exp for every column, and subtract the one-hot label once.",
    kills=("gradient-softmax-only", "gradient-without-label"),
)
def rows_sum(trial: Trial) -> Outcome:
    """Sums over the vocabulary."""
    scale = Scale(trial)
    rows = drawn(trial.rng("SLOPE-2"), trial.fmt, 3, 6, 64)
    answer = scale.answer(rows, gradient=True)
    _, allowed = scale.gradient_allowed(rows, answer, bounds.must)
    sums = scale.slopes(rows, answer).sum(axis=2)
    scale.hold(rows, sums, np.zeros_like(sums), allowed.sum(axis=2), "the sum of a row of derivatives")
    return scale.outcome()


@chapter.clause(
    3,
    Level.MUST,
    "no derivative where nothing counts",
    statement="The logits of a place that does not count shall have the derivative 0.",
    derivation="The exact value does not look at them.",
    needs=("gradient", "sequence"),
    remedy="Mask before the sum, and let the backward take the mask as the forward did.",
    kills=("gradient-at-masked",),
)
def masked(trial: Trial) -> Outcome:
    """Places of the prompt, of holes and of padding, and the last place of what shifts itself."""
    scale = Scale(trial)
    rows = drawn(trial.rng("SLOPE-3"), trial.fmt, 4, 9, 13).padded(3, 5)
    answer = scale.answer(rows, gradient=True)
    found, (_, _, mask) = scale.slopes(rows, answer), rows.aligned
    scale.wrong(rows, not found[~mask].any(), f"{np.count_nonzero(found[~mask])} derivatives are not 0 where nothing counts")
    if scale.claims.shift and answer.gradient is not None:
        scale.wrong(rows, not answer.gradient[:, -1].any(), "the last place, which predicts nothing, has a derivative")
    return scale.outcome()


@chapter.clause(
    4,
    Level.SHOULD,
    "a derivative near certainty",
    statement="The label's derivative should not be 0 while its log-probability is not.",
    derivation="1 − p_t from autograd is 0 from a lead of p ln 2 nats on (17 in binary32): the token is no longer "
    "learnt. −expm1(logp) of an "
    "accurate logp is right (Prieto et al. 2025, softmax collapse).",
    needs=("gradient",),
    remedy="Return −expm1(logp) for the label's own derivative, from a log-probability with digits near 0.",
    kills=("log-softmax-rounded",),
)
def near_certainty(trial: Trial) -> Outcome:
    """Leads of 3 to 30 nats."""
    scale = Scale(trial)
    rows = near_zero(trial.fmt, 50, trial.rng("SLOPE-4"))
    slopes = scale.slopes(rows, scale.answer(rows, gradient=True))
    own = slopes[np.arange(rows.shape[0]), 0, rows.labels[:, 1]]
    tiny = np.exp(-np.array([3.0, 6.0, 9.0, 12.0, 18.0, 24.0, 30.0])) < trial.fmt.smallest_normal
    for i, value in enumerate(own):
        scale.wrong(rows, bool(value > 0) or bool(tiny[i]), f"the label's derivative is {float(value)!r} at its row {i}")
    return scale.outcome()


@chapter.clause(
    5,
    Level.MUST,
    "derivatives of each row",
    statement="A row's derivatives shall be those that it has alone, whatever the lengths of the others.",
    derivation=ENTRY,
    needs=("gradient", "sequence"),
    remedy="Divide each row by its own count, before the sum over rows.",
    kills=("gradient-batch-count",),
)
def each_row(trial: Trial) -> Outcome:
    """Rows of 2 to 7 tokens."""
    scale = Scale(trial)
    rows = drawn(trial.rng("SLOPE-5"), trial.fmt, 4, 9, 13)
    scale.gradient(rows)
    for i in (0, 3):
        scale.gradient(replace(rows.take([i]), name=f"row {i} alone"))
    return scale.outcome()


@chapter.clause(
    6,
    Level.MUST,
    "incoming derivatives",
    statement="The derivatives of each number that is returned shall be multiplied by its own incoming derivative.",
    derivation="The chain rule: a loss multiplies each log-probability's derivatives by a number of its own. The factors are "
    "powers of two and 0, so that the bounds of SLOPE-1 are multiplied by them.",
    needs=("gradient", "incoming"),
    guards=("https://github.com/linkedin/Liger-Kernel/issues/968",),
    remedy="A handwritten backward multiplies by grad_output, row by row.",
    kills=("ignores-incoming", "first-incoming", "mean-incoming"),
)
def incoming(trial: Trial) -> Outcome:
    """A factor a number: -2, 0.5, 0 and 1."""
    scale = Scale(trial)
    rows = drawn(trial.rng("SLOPE-6"), trial.fmt, 4, 9, 13)
    tokens = rows.aligned[2].shape
    each = np.resize(np.array([-2.0, 0.5, 0.0, 1.0]), tokens if scale.claims.returns == "token" else tokens[0])
    answer = scale.answer(rows, gradient=True, incoming=each)
    exact, allowed = scale.gradient_allowed(rows, answer, bounds.must)
    factor = each[..., None] if each.ndim > 1 else each[:, None, None]
    room = allowed * np.abs(factor) + trial.fmt.smallest_subnormal
    scale.hold(rows, scale.slopes(rows, answer), exact * factor, room, "d logp / d logits, each times its incoming derivative,")
    return scale.outcome()


@chapter.clause(
    7,
    Level.MUST,
    "derivatives of a fused head",
    statement="A fused head's derivatives in its hidden states shall be those in the logits times the weights, and those in "
    "its bias their sum over the places.",
    derivation=f"logits = hidden · weightᵀ + bias. {ENTRY} Each times |weight|, and V − 1 roundings of the product; the places "
    "for the bias.",
    needs=("gradient", "head"),
    remedy="d hidden = d logits · weight and d bias = Σ d logits, before d logits are overwritten by the next tile.",
    kills=("head-hidden-halved", "head-bias-mean", "head-bias-twice"),
)
def inner(trial: Trial) -> Outcome:
    """Hidden states and bias, on logits that are multiples of 1/8: with a bias that is not 0 in any column."""
    scale = Scale(trial)
    rows = drawn(trial.rng("SLOPE-7"), trial.fmt, 3, 6, 40)
    rows = replace(rows, logits=np.round(rows.logits * 8) / 8, name="multiples of 1/8")
    answer = scale.answer(rows, gradient=True)
    scale.values(rows, answer=answer)
    exact, allowed = scale.gradient_allowed(rows, answer, bounds.must)
    found = answer.inner
    if found is None or found.hidden is None or (found.bias is None and scale.claims.infinities):
        scale.wrong(rows, False, "no derivative reached the hidden states, or the bias")
        return scale.outcome()
    if scale.claims.shift:  # the last place predicts nothing
        exact, allowed = (np.pad(x, ((0, 0), (0, 1), (0, 0))) for x in (exact, allowed))
    for name, got, right, room in head_slopes(found, (exact, allowed), (scale.arithmetic(answer), trial.fmt)):
        scale.hold(rows, got, right, room, f"d logp / d {name}")
    return scale.outcome()
