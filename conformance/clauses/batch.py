"""BATCH: a pair's loss does not depend on its neighbours, its place, or how the batch lies in memory."""

from __future__ import annotations

import numpy as np

from conformance.clauses.accepted import accepted_losses
from conformance.clauses.ends import judge_losses, judged_pairs
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import LOSS
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import far_from_reference, short_responses
from conformance.record import Level

chapter = Chapter("BATCH")
SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 1000)
"""Around every vector width and unrolling that CPUs and GPUs use, and one size that is none."""


def _pool(trial: Trial, clause: str) -> Batch:
    """1200 pairs of two regimes, mixed, so that neighbours differ."""
    rng = trial.rng(clause)
    a, b = short_responses(trial.fmt, 700, rng), far_from_reference(trial.fmt, 700, rng)
    joined = Batch.of(*(np.concatenate(both) for both in zip(a.logps, b.logps, strict=True)))
    kept = judged_pairs(trial, joined)
    return kept.take(rng.permutation(len(kept))[:1200])


@chapter.clause(
    1,
    Level.MUST,
    "any size",
    kills=(
        "vector-tail-of-8",
        "single-pair-wrong",
        "large-batch-wrong",
    ),
    statement="The losses shall lie in their acceptance intervals in batches of 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, "
    "32, 33, 64, 65 and 1,000 pairs, at every place of the batch.",
    derivation="A kernel may take vectors of 4 to 64 numbers and the remainder by another path; each must be right.",
    guards=("https://github.com/huggingface/trl/pull/7063", "https://github.com/allenai/open-instruct/pull/1144"),
    needs=("none",),
    remedy="Compute each pair for itself; look at the remainder of a vectorised loop and at the branch for large batches.",
)
def any_size(trial: Trial) -> Outcome:
    """Losses in batches of every size."""
    tally, pool = Tally(trial), _pool(trial, "BATCH-1")
    for size in SIZES:
        judge_losses(tally, trial, pool.take(slice(0, size)))
        judge_losses(tally, trial, pool.take(slice(len(pool) - size, None)))
    return tally.outcome()


@chapter.clause(
    2,
    Level.SHOULD,
    "the same bits alone and in a batch",
    kills=("vector-body-approximate",),
    statement="A pair's loss should be the same number alone and at every place of a batch of any size.",
    derivation="Vector and remainder paths of one kernel may round differently; PyTorch promises no bitwise equality.",
    guards=("https://github.com/pytorch/pytorch/issues/199850",),
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
    large = -0.4 * trial.fmt.largest
    for other in (-1.0, trial.fmt.round_array(large).item(), -np.inf, np.nan):
        mixed = Batch.of(*(np.insert(values, [0, 16, 31], [other, -1.0, other]) for values in pool.logps))
        try:
            whole = trial.answer(mixed).losses
        except Misbehaviour as error:
            if error.kind != "raised" or np.isfinite(other):
                raise
            tally.count("refused", len(mixed))  # to refuse such neighbours is no wrong answer
            continue
        kept = np.delete(np.arange(len(mixed)), [0, 17, 33])
        batch = mixed.take(kept)
        tally.interval(LOSS, batch, whole[kept], accepted_losses(trial, batch))
    repeated = pool.take(np.repeat(np.arange(4), 5))
    judge_losses(tally, trial, repeated)
    return tally.outcome()
