"""TIDY: what a call leaves behind: its inputs, the framework, the dtype, the next call."""

from __future__ import annotations

import contextlib
import io

import numpy as np

from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.sequence.judging import Scale, at
from conformance.clauses.trial import Trial
from conformance.inputs.sequences import drawn
from conformance.records.record import Level

chapter = Chapter("TIDY", "sequence")
DTYPES = {"binary16": "float16", "bfloat16": "bfloat16", "binary32": "float32", "binary64": "float64"}


@chapter.clause(
    1,
    Level.MUST,
    "the inputs are left alone",
    statement="A call shall not change its logits, labels or mask; nor hidden states, weights or bias.",
    derivation="The logits are needed for the backward pass, the labels for the reference model.",
    remedy="No operation in place: not logits.div_(temperature), not labels[~mask] = 0; copy first.",
    kills=("divides-in-place", "writes-labels", "head-in-place"),
)
def untouched(trial: Trial) -> Outcome:
    """The bytes of the inputs after calls with and without a temperature."""
    scale = Scale(trial)
    rows = drawn(trial.rng("TIDY-1"), trial.fmt, 3, 7, 12)
    degrees = (1.0, 0.5) if "temperature" in scale.claims.options else (1.0,)
    for degree in degrees:
        wrote = scale.answer(at(rows, temperature=degree)).wrote
        scale.wrong(rows, not wrote, f"it changed {', '.join(wrote)} in place at temperature {degree:g}")
    return scale.outcome()


@chapter.clause(
    2,
    Level.SHOULD,
    "called twice",
    statement="Two calls with the same inputs should give the same bits.",
    derivation="No dropout, no running state, no sum in an order of the moment: policy and reference are compared.",
    guards=("https://github.com/hiyouga/LLaMA-Factory/issues/10779",),
    kills=("random-noise",),
)
def twice(trial: Trial) -> Outcome:
    """Two equal calls with another between."""
    scale = Scale(trial)
    rng = trial.rng("TIDY-2")
    rows, other = (drawn(rng, trial.fmt, 3, 7, 12) for _ in range(2))
    first = scale.answer(rows).values
    scale.answer(other)
    again = scale.answer(rows).values
    scale.wrong(
        rows, bool(np.array_equal(first, again, equal_nan=True)), f"got {first.ravel()[0]!r}, then {again.ravel()[0]!r}"
    )
    return scale.outcome()


@chapter.clause(
    3,
    Level.MUST,
    "strides",
    statement="Logits that are a view with strides shall give the same log-probabilities and derivatives within the bound.",
    derivation="A slice of a wider tensor, as of padded vocabularies, is not contiguous.",
    remedy="Take the strides as they are, or copy: logits.contiguous().",
    kills=("ignores-strides", "gradient-ignores-strides"),
)
def strides(trial: Trial) -> Outcome:
    """Every second column of a wider array."""
    scale = Scale(trial)
    rows = drawn(trial.rng("TIDY-3"), trial.fmt, 3, 7, 12, name="strided")
    answer = scale.answer(rows, strided=True, gradient=scale.claims.gradient)
    scale.values(rows, answer=answer)
    if scale.claims.gradient:
        scale.gradient(rows, answer=answer)
    return scale.outcome()


@chapter.clause(
    4,
    Level.SHOULD,
    "nothing else is changed",
    statement="A call should print nothing and leave the framework's global state as it was.",
    derivation="A log-probability is a function.",
    kills=("prints",),
)
def surroundings(trial: Trial) -> Outcome:
    """The framework's global state, and standard output, around a call."""
    scale = Scale(trial)
    rows = drawn(trial.rng("TIDY-4"), trial.fmt, 3, 7, 12)
    before, printed = dict(scale.implementation.surroundings()), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        scale.answer(rows, gradient=scale.claims.gradient)
    after = scale.implementation.surroundings()
    for name, value in before.items():
        scale.wrong(rows, after.get(name) == value, f"it changed the framework's {name}")
    scale.wrong(rows, not printed.getvalue(), "it printed text")
    return scale.outcome()


@chapter.clause(
    5,
    Level.SHOULD,
    "the dtype promised",
    statement="The result should have the dtype of the logits, or of the format in which the implementation says that it "
    "adds up.",
    derivation="Policy and reference must take the same path: a float32 policy beside a bfloat16 reference is not ln 2 "
    "at the start.",
    kills=("returns-float64",),
)
def dtype(trial: Trial) -> Outcome:
    """The dtype of the values."""
    scale = Scale(trial)
    rows = drawn(trial.rng("TIDY-5"), trial.fmt, 3, 7, 12)
    got = scale.answer(rows).dtype
    promised = {DTYPES[trial.fmt.name]} | {DTYPES[fmt.name] for fmt in [scale.claims.accumulates.get(trial.fmt.name)] if fmt}
    scale.wrong(rows, got in promised, f"it returned {got}, where {' or '.join(sorted(promised))} was promised")
    return scale.outcome()
