"""CALL: it can be called at all, and answers with what it promised."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace

import numpy as np

from conformance.clauses.accepted import accepted_losses
from conformance.clauses.called import judge_ways
from conformance.clauses.mistakes import judge_explained
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import LOSS
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.implementations.ways import Way
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import golden
from conformance.records.record import Level

chapter = Chapter("CALL")
DTYPES = {"binary16": "float16", "bfloat16": "bfloat16", "binary32": "float32", "binary64": "float64"}


@chapter.clause(
    1,
    Level.MUST,
    "it answers",
    kills=(
        "returns-narrower",
        "returns-integers",
        "returns-objects",
    ),
    statement="Called with arrays of n log-probabilities in the judged format, the implementation shall return n losses "
    "(or one mean, as it claims) as floating-point numbers of at least that format's precision, and derivatives likewise; "
    "the losses of the very first call shall lie in their acceptance intervals.",
    derivation="A result of another shape, of an integer type, of a narrower type or of no array type at all is no loss "
    "of these pairs. A wider result is admitted: a framework that computes 16-bit losses in binary32 may return them so.",
    remedy="Return one floating-point loss a pair, as an array of the framework, in the dtype of the inputs or a wider one. "
    "Where it does not take a format, leave that out of its dtypes=: it is then not claimed, and not judged.",
)
def answers(trial: Trial) -> Outcome:
    """One ordinary call; the implementation's wrapper raises Misbehaviour for whatever is no answer."""
    tally, batch = Tally(trial), golden()
    answer = trial.answer(batch, gradient=trial.implementation.claims.gradient)
    tally.interval(LOSS, batch, answer.losses, accepted_losses(trial, batch))
    return tally.outcome()


@chapter.clause(
    2,
    Level.SHOULD,
    "the dtype of the inputs",
    kills=("returns-float32",),
    statement="The losses should have the dtype of the log-probabilities.",
    derivation="NumPy's and PyTorch's functions keep the dtype of their arguments, and so do users of a loss expect it.",
)
def same_dtype(trial: Trial) -> Outcome:
    """The dtype of the losses."""
    got = trial.answer(golden()).dtype
    note = "" if got == DTYPES[trial.fmt.name] else f"it returned {got} for {DTYPES[trial.fmt.name]}"
    return Outcome(1, 1 if note else 0, note=note)


@chapter.clause(
    3,
    Level.MUST,
    "the inputs are left alone",
    kills=(
        "WRITES_INPUTS",
        "WRITES_ARRAYS",
    ),
    statement="A call shall not change its inputs, and neither shall the metrics.",
    derivation="The log-probabilities are still needed: for metrics, for the backward pass, for the next loss.",
    remedy="Write no operation in place on an argument: no `-=`, no `out=`, no `mul_`; copy first.",
)
def inputs_untouched(trial: Trial) -> Outcome:
    """The bytes of the inputs after calls with and without smoothing, and after the metrics."""
    wrote: set[str] = set()
    smoothings = trial.offered("label_smoothing", (0.0, 0.1))
    for smoothing in smoothings:
        wrote.update(trial.answer(golden().at(label_smoothing=smoothing)).wrote)
        try:
            wrote.update(trial.answer(_awkward().at(label_smoothing=smoothing)).wrote)
        except Misbehaviour as error:
            if error.kind not in {"raised", "ended"}:  # it may refuse them; a program that breaks off is judged by SPECIAL
                raise
    note = f"it changed {', '.join(sorted(wrote))} in place" if wrote else ""
    asked = 8 * len(smoothings)
    if trial.implementation.claims.metrics:
        asked += 4
        try:
            trial.implementation.metrics(golden(), trial.fmt)
        except Misbehaviour as error:
            if error.kind != "wrote its inputs":
                raise
            note, wrote = note or str(error), wrote or {"metrics"}
    return Outcome(asked, len(wrote), note=note)


def _awkward() -> Batch:
    """Inputs that code likes to clean in place: infinities, NaN, a zero, a large number."""
    return Batch.of([-np.inf, np.nan, 0.0, -8192.0], [-1.0, -2.0, -np.inf, 0.0], [-1.0, -1.0, -1.0, -1.0], -2.0)


@chapter.clause(
    4,
    Level.SHOULD,
    "nothing else is changed",
    kills=(
        "PRINTS",
        "SETS_SEEDS",
    ),
    statement="A call should print nothing and leave the framework's global state as it was: default dtype, number of "
    "threads, gradient mode, error handling, and the state of the random generators.",
    derivation="A loss is a function. What it changes besides, some other code will trip over.",
)
def surroundings_untouched(trial: Trial) -> Outcome:
    """The framework's global state, and standard output, around a call."""
    before = dict(trial.implementation.surroundings())
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        trial.answer(golden(), gradient=trial.implementation.claims.gradient)
    after = trial.implementation.surroundings()
    changed = [name for name in before if before[name] != after.get(name)]
    notes = [f"it changed the framework's {name}" for name in changed]
    notes += ["it printed text"] if printed.getvalue() else []
    return Outcome(len(before) + 1, len(notes), note="; ".join(notes))


@chapter.clause(
    5,
    Level.SHOULD,
    "an empty batch",
    kills=("subtracts-maximum",),
    statement="A batch of no pairs should give no losses.",
    derivation="The last shard of an uneven split may be empty.",
    needs=("none",),
)
def empty_batch(trial: Trial) -> Outcome:
    """A batch of size 0."""
    try:
        trial.implementation.evaluate(Batch.of([], [], [], []), trial.fmt, gradient=False)
    except Misbehaviour as error:
        return Outcome(1, 1, note=f"{error.kind}: {error}")
    return Outcome(1, 0)


@chapter.clause(
    6,
    Level.MUST,
    "called again",
    kills=(
        "beta-of-first-call",
        "label-smoothing-of-first-call",
        "memo-by-both-ends",
        "BETA_IN_FIRST_DTYPE",
    ),
    statement="A call shall leave no state behind: the losses shall lie in their acceptance intervals whatever was "
    "called before, with whatever options, and be it the same pairs in another order, others between the same two, or the same "
    "at the same options in each other format that is claimed.",
    derivation="A method that changes its own options (exo_pair sets label_smoothing) answers wrongly from then on. "
    "One that the first call of the process has fixed looks like one that is ignored from the start, which violates this "
    "too; the finding then names the option. What is kept by the value of an option alone, a constant as a tensor, has the "
    "format of the call that made it: beta and eps are drawn, so that no call before had them.",
    guards=("https://github.com/huggingface/trl/pull/3906",),
    remedy="Keep nothing between calls: no cached batch, beta or label smoothing, no running mean.",
)
def no_state(trial: Trial) -> Outcome:
    """Losses of alternating calls with different pairs, options and sizes, and of batches that are alike in part."""
    calls = [
        golden().at(beta=beta, label_smoothing=smoothing)
        for beta in trial.offered("beta", (0.1, 2.0))
        for smoothing in trial.offered("label_smoothing", (0.0, 0.3))
    ]
    alike = (calls[0].take(places) for places in ([0, 0, 2], [1, 0, 2], [2, 1, 2], [0, 1, 2]))
    beta, eps = trial.rng("CALL-6").uniform([0.1, 0.1], [2.0, 0.4]).tolist()
    elsewhere = trial.optioned(golden(), beta=beta, label_smoothing=eps)
    for fmt in sorted(trial.implementation.claims.formats, key=lambda fmt: fmt.precision):
        if fmt != trial.fmt:
            with contextlib.suppress(Misbehaviour):  # of that format another run tells
                replace(trial, fmt=fmt).answer(elsewhere)
    again = (elsewhere, *calls, *reversed(calls), calls[0].take([1]), *calls, *alike)
    return judge_explained(trial, again, since=": from the start, or since an earlier call")


@chapter.clause(
    7,
    Level.SHOULD,
    "called twice",
    kills=("DIFFERS_BY_CALL",),
    statement="Two calls with the same inputs should give the same bits.",
    derivation="Every operation of the loss is deterministic.",
)
def same_twice(trial: Trial) -> Outcome:
    """Losses of two equal calls."""
    tally = Tally(trial)
    first, second = trial.answer(golden()).losses, trial.answer(golden()).losses
    tally.boolean(LOSS, golden(), second, first == second)
    return tally.outcome()


@chapter.clause(
    8,
    Level.MUST,
    "an answer stays what it was",
    kills=(
        "buffer-of-losses",
        "buffer-of-gradients",
    ),
    statement="The losses and derivatives that a call returned, and the losses of one that asks for no derivatives, shall "
    "lie in their acceptance intervals still after other calls, with other pairs and options, of as many pairs, of one and of "
    "more.",
    derivation="A loop keeps losses for its log and derivatives for its next step. An output buffer that the next call "
    "overwrites makes an answer of one batch that of another. Judged of an implementation whose wrapper can hold what was "
    "returned.",
    remedy="Return new memory at each call, or a copy of the buffer.",
)
def answers_held(trial: Trial) -> Outcome:
    """Answers read after six other calls."""
    return judge_ways(trial, (Way.HELD, Way.HELD_LOSSES), weights=(1.0,), gradient=trial.implementation.claims.gradient)


@chapter.clause(
    9,
    Level.MUST,
    "arrays filled anew",
    kills=(
        "memo-by-address",
        "memo-by-identity",
    ),
    statement="The losses and derivatives, and the losses where no derivative is asked for, shall lie in their acceptance "
    "intervals where the same arrays, or tensors, were passed before and have been filled with other numbers since.",
    derivation="A loop that reuses its buffers, as captured graphs and data loaders do, passes other numbers at the same "
    "address. What is remembered by address, or by the object's identity, is then the answer to another batch. Judged of an "
    "implementation whose wrapper can fill the arrays of its framework.",
    remedy="Remember nothing by identity or address; look at the numbers.",
)
def arrays_refilled(trial: Trial) -> Outcome:
    """Answers for arrays that held another batch."""
    return judge_ways(trial, (Way.REFILLED, Way.REFILLED_LOSSES), weights=(1.0,), gradient=trial.implementation.claims.gradient)


@chapter.clause(
    10,
    Level.MUST,
    "derivatives after other losses",
    kills=("gradient-of-last-losses",),
    statement="The derivatives, where they are a function of their own, shall lie in their acceptance intervals where the "
    "losses of another batch were asked for since those of this one.",
    derivation="An evaluation stands between a forward pass and its backward pass. What reads the numbers that the last call "
    "of the loss left behind, and not its own arguments, gives the derivatives of that call's batch. Judged of NumPy and of "
    "array frameworks; AUTOGRAD-3 asks the same of a framework's own derivatives.",
    guards=("https://github.com/NVIDIA/TransformerEngine/issues/2746",),
    needs=("gradient",),
    remedy="Compute the derivatives from the arguments, or from what this call's own forward pass handed on.",
)
def later(trial: Trial) -> Outcome:
    """Derivatives asked for after other losses."""
    return judge_ways(trial, (Way.LATER,), weights=(1.0,))


@chapter.clause(
    11,
    Level.MUST,
    "from another thread",
    kills=("unsmoothed-in-another-thread", "gradient-of-another-thread"),
    statement="The losses and derivatives shall lie in their acceptance intervals where the call is made from another thread "
    "than those before it; an exception is no wrong answer.",
    derivation="Evaluation, logging and a pipeline's stages have threads of their own. What is kept for each thread, as an "
    "option or a mode is that was set when the module was imported, is not there: the answer is silently that of a default. "
    "The calls are one after the other, never two at once. Judged of PyTorch, JAX, NumPy and array frameworks.",
    remedy="Pass options as arguments; keep none in thread-local or context-local storage.",
)
def another_thread(trial: Trial) -> Outcome:
    """Answers to calls from a thread of their own."""
    gradient = trial.implementation.claims.gradient
    return judge_ways(trial, (Way.ELSEWHERE,), weights=(1.0,), gradient=gradient, may_refuse=(Way.ELSEWHERE,))
