"""LAYOUT: a number is the same wherever it lies in memory, and whichever thread computes with it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from conformance.clauses.called import SMOOTHINGS, WEIGHING, alike_pairs, exact_pairs, judge_ways
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import GRADIENTS, LOSS
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.implementations.ways import LAYOUTS, Way
from conformance.inputs.batch import Batch
from conformance.records.record import Level
from oracle.formats import Floats

chapter = Chapter("LAYOUT")
_VIEWS = tuple(way for way in LAYOUTS if way is not Way.SHARED)
_UNUSUAL = (Way.EXPANDED, Way.REVERSED)
_ASKED = (
    "log-probabilities that begin within a longer array, that have strides of 1, 2, 3 and 1 elements and unlike offsets, that "
    "are the columns of one matrix, that are one number expanded with a stride of 0, and that are stored backwards"
)
_JUDGED = (
    " Judged of an implementation whose wrapper makes such views: of PyTorch, NumPy and array frameworks; what lies in the "
)
_JUDGED += "gaps is NaN. A framework that does not take the last two may refuse them by an exception."
MANY = 65_537
"""More than the 32,768 elements from which a framework divides an operation among threads, on either side of its half."""


def _laid_out(trial: Trial) -> Iterator[Batch]:
    """Exact pairs whose reference is one for all, and smoothed ones whose policy_chosen is: what can be expanded."""
    for smoothing in trial.offered("label_smoothing", SMOOTHINGS):
        pairs = exact_pairs(trial, smoothing)
        pc, pr, rc, rr = pairs.logps
        if smoothing:
            yield Batch.of(pc[0], pr, rc, rr, beta=pairs.beta, label_smoothing=smoothing)
        else:
            yield Batch.of(pc, pr, rc[0], rr[0], beta=pairs.beta)


@chapter.clause(
    1,
    Level.MUST,
    "losses wherever the inputs lie",
    kills=(
        "layout-offset-ignored",
        "layout-stride-of-first",
        "layout-columns-read-flat",
        "layout-backwards-read-forwards",
        "naive-at-an-offset",
    ),
    statement=f"The losses shall lie in their acceptance intervals for {_ASKED}.",
    derivation="One forward pass over chosen and rejected is cut in two, logps[:n] and logps[n:]: views with an offset. A "
    "matrix of per-pair sums is read by columns; a reference that is one number is expanded. Code that hands an address to a "
    "kernel, and not the strides, reads what lies beside." + _JUDGED,
    guards=("https://github.com/Dao-AILab/flash-attention/issues/355", "https://github.com/pytorch/pytorch/issues/105801"),
    remedy="Honour the strides and the offset of each input, each its own, or copy it into contiguous memory first.",
)
def losses(trial: Trial) -> Outcome:
    """Losses of views."""
    return judge_ways(trial, _VIEWS, gradient=False, may_refuse=_UNUSUAL, batches=_laid_out(trial))


@chapter.clause(
    2,
    Level.MUST,
    "derivatives wherever the inputs lie",
    kills=(
        "layout-gradient-of-offset",
        "layout-gradient-of-expanded",
        "gradient-of-strided-block",
    ),
    statement=f"The derivatives, and the losses that come with them, shall lie in their acceptance intervals for {_ASKED}.",
    derivation="As of the losses; the backward pass reads what it saved by addresses of its own. " + WEIGHING + _JUDGED,
    needs=("gradient",),
    remedy="Look at the strides in the backward pass, of what is saved and of what is written.",
)
def derivatives(trial: Trial) -> Outcome:
    """Derivatives in views."""
    return judge_ways(trial, _VIEWS, weights=(1.0,), may_refuse=_UNUSUAL, batches=_laid_out(trial))


@chapter.clause(
    3,
    Level.MUST,
    "one mode for all of a batch",
    kills=(
        "HALF_FLUSHED",
        "GRADIENT_HALF_FLUSHED",
    ),
    statement=f"In a batch of {MANY:,} equal pairs whose exact loss is below the smallest normal number, the losses shall be 0 "
    "at every place or at none, and so shall the derivatives.",
    derivation="Flushing is a mode of a thread. A call that sets it reaches its own thread alone, and a framework divides a "
    "large batch among threads: half of a batch then comes back flushed, within every bound, and the loss of a pair depends on "
    "its place. The exact loss is 2^-4 to 2^-1 of the smallest normal number.",
    needs=("none",),
    remedy="Leave the processor's mode alone (torch.set_flush_denormal reaches the calling thread only), or set it in every "
    "thread of the pool before anything is computed.",
)
def one_mode(trial: Trial) -> Outcome:
    """Zeros and other numbers among equal pairs whose loss is subnormal."""
    tally, fmt = Tally(trial), trial.fmt
    z = fmt.round_array(np.log(2.0) * (-fmt.emin + np.array([1.5, 2.5, 4.5])))
    for place in range(len(z)):
        batch = trial.optioned(Batch.at_logits(z[place : place + 1]), beta=1.0, label_smoothing=0.0)
        answer = trial.answer(batch.take(np.zeros(MANY, dtype=np.intp)), gradient=trial.implementation.claims.gradient)
        _judge_zeros(tally, LOSS, batch, answer.losses)
        for quantity, part in zip(GRADIENTS, answer.gradient or (), strict=False):
            if part is not None:
                _judge_zeros(tally, quantity, batch, part)
    return tally.outcome()


def _judge_zeros(tally: Tally, quantity: str, batch: Batch, got: Floats) -> None:
    """The first number stands for all where all are zero or none is; else the number that is not zero, and wrong."""
    zero = got == 0
    mixed = bool(zero.any() and not zero.all())
    number = got[int(np.argmin(zero))] if mixed else got[0]
    tally.boolean(quantity, batch, np.array([number]), np.array([not mixed]))


@chapter.clause(
    4,
    Level.MUST,
    "inputs in the same memory",
    kills=("policy-in-place-of-its-reference", "memo-by-address-within-a-call"),
    statement="The losses and derivatives shall lie in their acceptance intervals where two of the four log-probabilities are "
    "the same array: policy and reference, chosen and rejected, or the chosen of one and the rejected of the other.",
    derivation="What is alike may be passed once for both: a reference that is the policy yet, a batch of ties. Code that "
    "tells arguments apart by identity or address, or works in place on a copy that is none, takes one for the other. "
    + WEIGHING
    + " Judged of an implementation whose wrapper can pass one array twice: of PyTorch, NumPy and array frameworks.",
    remedy="Tell the arguments apart by their places; write into no argument, and into no view of one.",
)
def shared(trial: Trial) -> Outcome:
    """Losses and derivatives of inputs that are one array."""
    gradient = trial.implementation.claims.gradient
    return judge_ways(trial, (Way.SHARED,), weights=(1.0,), gradient=gradient, batches=alike_pairs(trial))
