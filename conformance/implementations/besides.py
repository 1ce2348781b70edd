"""What a wrapper answers besides the batch that it is asked about, where a way of calling needs more than one."""

from __future__ import annotations

import numpy as np

from conformance.implementations.protocol import DEFAULTS, Claims
from conformance.implementations.ways import Way
from conformance.inputs.batch import Batch


def another(batch: Batch, claims: Claims) -> Batch:
    """A batch of the same size that has nothing in common: chosen and rejected exchanged, and other options where claimed."""
    pc, pr, rc, rr = batch.logps
    beta = 2 * batch.beta if "beta" in claims.options else DEFAULTS["beta"]
    smoothing = 0.25 if batch.label_smoothing == 0 else 0.0
    smoothing = smoothing if "label_smoothing" in claims.options else DEFAULTS["label_smoothing"]
    return Batch(pr, pc, rr, rc, beta, smoothing)


def others(way: Way, batch: Batch, claims: Claims) -> list[Batch]:
    """What is answered besides: another batch; and while an answer is held four of the same size, one pair, and more pairs."""
    other = another(batch, claims)
    if way not in {Way.HELD, Way.HELD_LOSSES}:
        return [other]
    more = other.take(np.arange(2 * len(batch) + 1) % len(batch))
    return [other, other, other, other, other.take([0]), more]
