"""Ties: pairs whose two responses are the same numbers in the policy and in the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from conformance.clauses import find
from conformance.clauses.trial import Trial
from conformance.diagnosis.explaining import best
from conformance.diagnosis.points import points
from conformance.diagnosis.probe import ask, judged
from conformance.implementations.protocol import ACCURACIES
from conformance.inputs.batch import Batch
from conformance.records.diagnosis import Cause, Kind
from conformance.records.record import Finding

WHERE = "where chosen and rejected are the same numbers"


def cause(trial: Trial, violated: Sequence[Finding]) -> Cause | None:
    """What is returned for ties; None where that is right or is not asked."""
    named = {finding.clause for finding in violated}
    if named & {"TIE-1", "TIE-2"}:
        return _of_numbers(trial)
    return _of_accuracy(trial) if "TIE-4" in named else None


def _ties(trial: Trial, beta: float, eps: float) -> Batch:
    """Sixteen of them, in eighths of a nat."""
    chosen, reference = -np.arange(1.0, 17.0) / 8, -np.arange(17.0, 1.0, -1.0) / 8
    return trial.optioned(Batch.of(chosen, chosen, reference, reference), beta=beta, label_smoothing=eps)


def _of_numbers(trial: Trial) -> Cause | None:
    batches = [_ties(trial, beta, eps) for beta, eps in ((0.25, 0.0), (0.5, 0.0), (2.0, 0.0), (0.25, 0.1))]
    calls = tuple(call for batch in batches if (call := ask(trial, "tie", batch)).answer is not None)
    probe = judged(trial, calls)
    asked = points(probe, "loss")
    if asked.wrong.any():
        margin = -np.log(np.expm1(np.array([call.losses[0] for call in calls[:3]]))) / [call.batch.beta for call in calls[:3]]
        if np.isfinite(margin).all() and np.ptp(margin) < 0.1 * np.abs(margin).max():
            return _cause(
                f"the loss of a margin of {np.median(margin):.3g}, where it is 0",
                "loss",
                int(asked.wrong.sum()),
                len(asked.wrong),
            )
        return replace(best(asked), kind=Kind.BATCH, where=WHERE, cure=find("TIE-1").remedy)
    asked = points(probe, "derivatives")
    if not asked.wrong.any():
        return None
    told = best(asked)
    where = ", ".join(part for part in (WHERE, told.where) if part)
    return replace(told, kind=Kind.BATCH, where=where, cure=find("TIE-2").remedy)


def _of_accuracy(trial: Trial) -> Cause | None:
    beta = 0.1
    rng = np.random.default_rng(5)
    chosen, reference = (trial.fmt.round_array(-rng.uniform(1, 60, 64)) for _ in range(2))
    batch = trial.optioned(Batch.of(chosen, chosen, reference, reference), beta=beta, label_smoothing=0.0)
    found = trial.implementation.metrics(batch, trial.fmt)
    for name in ACCURACIES:
        if found.get(name):
            says = f"{found[name]:.3g} and not 0: ties count as won"
            return Cause(f"{name} of ties", Kind.METRIC, name, says, WHERE, find("TIE-4").remedy, len(batch), 1)
    return None


def _cause(says: str, part: str, wrong: int, asked: int) -> Cause:
    return Cause("margin of a tie", Kind.BATCH, part, says, WHERE, find("TIE-1").remedy, asked, wrong)
