"""Batches of some sizes alone: blocks, what is left over after them, and more pairs than a thread's share or 16 bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from conformance.clauses import find
from conformance.clauses.accepted import accepted_gradients, accepted_losses
from conformance.clauses.batch import BLOCKS, FULL
from conformance.clauses.quantities import SIGNS
from conformance.clauses.trial import Trial
from conformance.diagnosis.explaining import of_slopes, tried
from conformance.diagnosis.hypotheses import LOSSES
from conformance.diagnosis.hypotheses.cures import WHOLE
from conformance.diagnosis.points import Points, points
from conformance.diagnosis.probe import PAIRS, PERIODS, Call, Probe, ask, wrong_derivatives, wrong_losses
from conformance.diagnosis.shapes import shape
from conformance.diagnosis.variants import Variant
from conformance.inputs.batch import Batch
from conformance.records.diagnosis import Cause, Kind
from conformance.records.record import Finding
from oracle.bounds import Mask
from oracle.formats import Floats

_CLAUSES = {"BATCH-1", "BATCH-5", "BATCH-6"}
_BEYOND = "a place in the batch is a number of 16 bits, and what lies beyond gets another pair's loss"


def _places_in(dtype: type[np.integer]) -> Variant:
    def after(losses: Floats) -> Floats:
        return losses[np.arange(len(losses)).astype(dtype)]

    return Variant(f"places of {np.dtype(dtype).name}", _BEYOND, WHOLE, after=after, across=True)


_PLACES = (_places_in(np.uint16), _places_in(np.int16))


def cause(trial: Trial, violated: Sequence[Finding]) -> Cause | None:
    """What is returned at the sizes that are wrong; None where none is, or none is asked."""
    if trial.single or not _CLAUSES & {finding.clause for finding in violated}:
        return None
    short = trial.optioned(Batch.of(*PAIRS).take(np.arange(PERIODS["any size"])), beta=0.5, label_smoothing=0.1)
    probe = _probed(trial, short)
    losses = points(probe, "loss")
    if losses.wrong.any():
        return None if _alone(trial, short, wrong_losses) else _told(losses, (*_PLACES, *LOSSES), "BATCH-1")
    slopes = points(probe, "derivatives")
    if not slopes.wrong.any() or _alone(trial, short, wrong_derivatives):
        return None
    return _told(slopes, of_slopes(slopes), "BATCH-6")


def _alone(trial: Trial, short: Batch, judge: Callable[[Trial, Call], Mask]) -> bool:
    """Whether a pair is wrong by itself too, so that no size is to blame."""
    return any(judge(trial, ask(trial, "", short.take([i]))).any() for i in range(len(short)))


def _told(asked: Points, variants: Sequence[Variant], clause: str) -> Cause:
    everywhere, somewhere = tried(asked, variants)
    found = next((cause for _, cause in (*everywhere, *somewhere)), None) or shape(asked)
    where = found.where or ("in batches of more than 32,768 pairs" if found.says == _BEYOND else "")
    return replace(found, kind=Kind.BATCH, where=where, cure=find(clause).remedy)


def _probed(trial: Trial, short: Batch) -> Probe:
    """The short pairs, again and again, at every size that a clause asks; judged as those that they repeat."""
    calls = tuple(call for call in _calls(trial, short) if call.answer is not None)
    losses, slopes = accepted_losses(trial, short), accepted_gradients(trial, short)

    def wrong_loss(call: Call) -> Mask:
        return ~(losses[_again(call, short)].rho(call.losses) <= 1)

    def wrong_slope(call: Call) -> Mask:
        accepted, found = slopes[_again(call, short)], np.zeros(len(call.batch), dtype=bool)
        for place, got in call.derivatives():
            found |= ~(accepted.rho(SIGNS[place] * got) <= 1)
        return found

    return Probe(trial, calls, tuple(map(wrong_loss, calls)), tuple(map(wrong_slope, calls)))


def _again(call: Call, short: Batch) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    return np.arange(len(call.batch)) % len(short)


def _calls(trial: Trial, short: Batch) -> Iterator[Call]:
    for size in sorted({*trial.few_to_130("BATCH-6"), *BLOCKS, *FULL, 1000}):
        if not (trial.compiles and size > 1025):
            yield ask(trial, "any size", short.take(np.arange(size) % len(short)))
