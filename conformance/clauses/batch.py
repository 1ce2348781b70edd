"""BATCH: a pair's loss does not depend on its neighbours, its place, or how the batch lies in memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from conformance.clauses.accepted import accepted_gradients, accepted_losses
from conformance.clauses.ends import derivatives, judge_losses, judged_pairs, tally_gradients
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import LOSS, WEIGHTS
from conformance.clauses.repeats import Repeats
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.implementations.protocol import Answer, Weighing
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import far_from_reference, short_responses
from conformance.records.record import Level
from oracle.formats import Floats

chapter = Chapter("BATCH")
SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 1000)
"""Around every vector width and unrolling that CPUs and GPUs use, and one size that is none."""
BLOCKS = (256, 257, 512, 513, 1024, 1025, 4096, 4097, 65_536, 65_537)
"""The blocks that kernels take, with one pair more; the last are beyond a thread's share and beyond 16 bits."""
FULL = (255, 511, 1023, 2047, 2048, 2049, 8191, 8192, 8193, 32_768, 32_769)
"""Blocks with one pair less, whose remainder is the longest, and further ones: of the losses alone."""
FEW = (
    "of every size from 1 to 130 (of 12 and four drawn ones where a framework compiles for each: of JAX and of arrays of "
    "any framework)"
)
TOLD = "256, 512, 1,024, 4,096 and 65,536 pairs and of one more each"
DISTINCT = 251
"""Unlike pairs in a large batch, which repeats them: a prime, so that a pair's place in a vector, a block or a thread's share
differs at each repetition."""


FAR = 20480.0
"""A log-probability of every format at which each kernel has long left its common path."""


def _pool(trial: Trial, clause: str, size: int = DISTINCT) -> Batch:
    """So many pairs of two regimes, mixed, so that neighbours differ."""
    rng = trial.rng(clause)
    half = size * 7 // 12
    a, b = short_responses(trial.fmt, half, rng), far_from_reference(trial.fmt, half, rng)
    joined = Batch.of(*(np.concatenate(both) for both in zip(a.logps, b.logps, strict=True)))
    kept = judged_pairs(trial, joined)
    return kept.take(rng.permutation(len(kept))[:size])


def _places(pool: Batch, size: int, start: int = 0) -> NDArray[np.intp]:
    """So many places in the pool: from that one on, again and again."""
    return (start + np.arange(size)) % len(pool)


@chapter.clause(
    1,
    Level.MUST,
    "any size",
    kills=(
        "vector-tail-of-8",
        "single-pair-wrong",
        "large-batch-wrong",
    ),
    statement=f"The losses shall lie in their acceptance intervals in batches {FEW}, of 1,000, of {TOLD}, of 255, 511 and "
    "1,023, of 2,048, 8,192 and 32,768 and their neighbours, and of six drawn sizes, at every place of the batch.",
    derivation="A kernel may take vectors of 4 to 64 numbers, blocks of 128 to 4,096 and a share for each thread, and the "
    "remainder by another path; each must be right. What is wrong at one size alone, above 130 and of none of these kinds, is "
    "met by luck: six of the sizes from 2 to 3,000 are drawn.",
    guards=("https://github.com/huggingface/trl/pull/7063", "https://github.com/allenai/open-instruct/pull/1144"),
    needs=("none",),
    remedy="Compute each pair for itself; look at the remainder of a vectorised loop and at the branch for large batches.",
)
def any_size(trial: Trial) -> Outcome:
    """Losses in batches of every size."""
    tally, pool = Tally(trial), _pool(trial, "BATCH-1")
    acceptance, repeats = accepted_losses(trial, pool), Repeats(tally, pool)
    drawn = trial.rng("BATCH-1 sizes").integers(2, 3_000, 6).tolist()
    for size in (*BLOCKS, *FULL, 1000, *drawn, *trial.few_to_130("BATCH-1")):  # the first has every pair
        for start in (0, len(pool) // 2) if size in SIZES else (0,):
            pairs = _places(pool, size, start)
            repeats.interval(LOSS, trial.answer(pool.take(pairs)).losses, acceptance, pairs=pairs)
    return tally.outcome()


@chapter.clause(
    2,
    Level.SHOULD,
    "the same bits alone and in a batch",
    kills=("vector-body-approximate",),
    statement="A pair's loss should be the same number alone and at every place of a batch of any size, beside pairs of far "
    "logits too.",
    derivation="Vector and remainder paths of one kernel may round differently, and one number far out may take its whole "
    "vector to another path; PyTorch promises no bitwise equality.",
    guards=("https://github.com/pytorch/pytorch/issues/199850", "https://github.com/shibatch/sleef/issues/444"),
    needs=("none",),
)
def same_bits(trial: Trial) -> Outcome:
    """Losses in batches against the losses of single pairs."""
    tally, pool = Tally(trial), _pool(trial, "BATCH-2").take(slice(0, 66))
    alone = np.concatenate([trial.answer(pool.take([i])).losses for i in range(len(pool))])
    for size in SIZES:
        batch = pool.take(slice(0, size))
        got = trial.answer(batch).losses
        tally.boolean(LOSS, batch, got, got == alone[: len(batch)])
    for far in ((-FAR, 0.0, 0.0, 0.0), (0.0, -FAR, 0.0, 0.0)):
        beside = np.arange(0, len(pool), 3)  # every fourth: one in each vector
        mixed = Batch.of(*(np.insert(x, beside, at) for x, at in zip(pool.logps, far, strict=True)))
        got = np.delete(trial.answer(mixed).losses, beside + np.arange(len(beside)))
        tally.boolean(LOSS, pool, got, got == alone)
    return tally.outcome()


@chapter.clause(
    3,
    Level.MUST,
    "any order and any strides",
    kills=(
        "losses-sorted",
        "losses-reversed",
    ),
    statement="The losses shall lie in their acceptance intervals, each at its own pair's place, whatever the order of the "
    "pairs, and for inputs that are strided views.",
    derivation="Code that sorts, pairs by position or assumes contiguous memory gives right numbers in wrong places.",
    needs=("none",),
    remedy="Index by pair and not by sorted value; honour the strides of the inputs or make them contiguous first.",
)
def order_and_strides(trial: Trial) -> Outcome:
    """Losses of a batch forwards, backwards, shuffled, and strided."""
    tally, pool = Tally(trial), _pool(trial, "BATCH-3").take(slice(0, 200))
    shuffled = trial.rng("BATCH-3 order").permutation(len(pool))
    for order in (np.arange(len(pool)), np.arange(len(pool))[::-1], shuffled):
        batch = pool.take(order)
        acceptance = accepted_losses(trial, batch)
        for strided in (False, True):
            got = trial.answer(batch, strided=strided).losses
            tally.interval(LOSS, batch, got, acceptance)
    return tally.outcome()


@chapter.clause(
    4,
    Level.MUST,
    "unlike neighbours",
    kills=(
        "margins-centred",
        "losses-averaged",
    ),
    statement="A pair's loss shall lie in its acceptance interval whatever its neighbours are: equal to it, very large, "
    "infinite or NaN.",
    derivation="Losses are per pair. Normalising, centring or masking by what else is in the batch changes the objective.",
    needs=("none",),
    remedy="Take no maximum, mean, scale or condition over the batch.",
)
def neighbours(trial: Trial) -> Outcome:
    """Losses of finite pairs among special ones; the special ones are judged by SPECIAL."""
    tally, pool = Tally(trial), _pool(trial, "BATCH-4").take(slice(0, 31))
    for batch, answer in _among_others(tally, trial, pool, gradient=False):
        tally.interval(LOSS, batch, answer.losses, accepted_losses(trial, batch))
    repeated = pool.take(np.repeat(np.arange(4), 5))
    judge_losses(tally, trial, repeated)
    return tally.outcome()


def _among_others(tally: Tally, trial: Trial, pool: Batch, *, gradient: bool) -> Iterator[tuple[Batch, Answer]]:
    """The pool's pairs and what is answered for them among ordinary, very large, infinite, undefined and NaN pairs."""
    large = trial.fmt.round_array(-0.4 * trial.fmt.largest).item()
    for other in ([-1.0] * 4, [large] * 4, [-np.inf, -1.0, -1.0, -1.0], [-np.inf] * 4, [np.nan] * 4):
        mixed = Batch.of(*(np.insert(x, [0, 16, 31], [at, -1.0, at]) for x, at in zip(pool.logps, other, strict=True)))
        try:
            whole = trial.answer(mixed, gradient=gradient)
        except Misbehaviour as error:
            if error.kind != "raised" or np.isfinite(other).all():
                raise
            tally.count("refused", len(mixed))  # to refuse such neighbours is no wrong answer
            continue
        yield pool, whole.take(np.delete(np.arange(len(mixed)), [0, 17, 33]))


@chapter.clause(
    5,
    Level.MUST,
    "options at any size",
    kills=(
        "label-smoothing-of-small-batches",
        "reference-of-small-batches",
        "beta-of-48",
    ),
    statement="The losses at beta = 0.5 and label smoothing 0.1 shall lie in their acceptance intervals in batches "
    f"{FEW}, of 1,000, of {TOLD}, and for inputs that are strided views.",
    derivation="The path for a large batch, for the remainder of a vectorised loop or for strided inputs is code of its own, "
    "and each of them takes beta, label smoothing and the reference anew.",
    needs=("none",),
    remedy="Hand every option and both reference log-probabilities to every path: the chunked, the remaining, the strided.",
)
def options_at_any_size(trial: Trial) -> Outcome:
    """Smoothed losses in batches of every size."""
    tally, pool = Tally(trial), _optioned(trial, 0.1)
    acceptance, repeats = accepted_losses(trial, pool), Repeats(tally, pool)
    for size in (*BLOCKS, 1000, *trial.few_to_130("BATCH-5")):
        pairs = _places(pool, size)
        for strided in (False, True) if size in STRIDED else (False,):
            got = trial.answer(pool.take(pairs), strided=strided).losses
            repeats.interval(LOSS, got, acceptance, pairs=pairs)
    return tally.outcome()


STRIDED = (9, 65)
"""Sizes of strided batches: less and more than a vector, and its remainder."""


def _optioned(trial: Trial, smoothing: float) -> Batch:
    """Pairs at beta = 0.5 and that label smoothing, where they are claimed."""
    return trial.optioned(_pool(trial, "BATCH-5"), beta=0.5, label_smoothing=smoothing)


@chapter.clause(
    6,
    Level.MUST,
    "derivatives at any size",
    kills=(
        "gradient-of-strided",
        "gradient-vector-tail",
        "unsmoothed-where-differentiated",
        "upstream-of-two-ignored",
    ),
    statement="The derivatives, and the losses that come with them, at beta = 0.5 and label smoothing 0 and 0.1 shall lie in "
    f"their acceptance intervals in batches {FEW}, of {TOLD}, and for inputs that are strided views; under label smoothing "
    "those of a sum weighed by 1, 2, 4 and 8 of either sign, over the weights, where a framework takes the derivatives.",
    derivation="As of the losses: a backward pass has vectors, remainders, strides and large batches of its own. Powers of two "
    "scale exactly.",
    needs=("none", "gradient"),
    remedy="Look at the remainder of the vectorised loop and at the strides of the backward pass, not the forward one alone.",
)
def derivatives_at_any_size(trial: Trial) -> Outcome:
    """Derivatives, and losses beside them, in batches of every size."""
    tally = Tally(trial)
    for smoothing in trial.offered("label_smoothing", (0.0, 0.1)):
        pool = _optioned(trial, smoothing)
        losses, gradients, repeats = accepted_losses(trial, pool), accepted_gradients(trial, pool), Repeats(tally, pool)
        for size in (*BLOCKS, *trial.few_to_130("BATCH-6")):
            pairs = _places(pool, size)
            batch = pool.take(pairs)
            for strided in (False, True) if size in STRIDED else (False,):
                answer, scale = _differentiated(trial, batch, weighed=smoothing != 0 and not strided, strided=strided)
                repeats.interval(LOSS, answer.losses, losses, pairs=pairs)
                for quantity, sign, got in derivatives(tally, answer, batch):
                    repeats.interval(quantity, got / scale, gradients, sign, pairs=pairs)
    return tally.outcome()


def _differentiated(trial: Trial, batch: Batch, *, weighed: bool, strided: bool) -> tuple[Answer, Floats | float]:
    """The derivatives of the sum, or of a weighed one where a framework takes them, and the weights."""
    judged = trial.implementation
    if not weighed or not isinstance(judged, Weighing):
        return trial.answer(batch, gradient=True, strided=strided), 1.0
    scale = np.resize(WEIGHTS, len(batch))
    return trial.weighed(judged, batch, scale), scale


@chapter.clause(
    7,
    Level.MUST,
    "unlike neighbours, derivatives",
    kills=(
        "gradient-dropped-beside-nan",
        "gradient-nan-beside-infinity",
    ),
    statement="A pair's derivatives shall lie in their acceptance intervals whatever its neighbours are: very large, infinite "
    "or NaN.",
    derivation="The loss of a batch is a sum over its pairs, and the derivative in a pair's log-probability is that of its own "
    "loss. To drop, scale or clip by what else is in the batch is the trainer's business, not the loss's.",
    needs=("none", "gradient"),
    remedy="Decide nothing over the batch: no test for any NaN, no norm, no clip of all derivatives together.",
)
def neighbours_derivatives(trial: Trial) -> Outcome:
    """Derivatives of finite pairs among special ones."""
    tally, pool = Tally(trial), _pool(trial, "BATCH-4").take(slice(0, 31))
    for batch, answer in _among_others(tally, trial, pool, gradient=True):
        tally_gradients(tally, answer, batch, accepted_gradients(trial, batch))
    return tally.outcome()
