"""The acceptance intervals of a batch, kept for the next implementation that is judged on the same inputs."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

from conformance.clauses.trial import Trial
from conformance.inputs.batch import Batch
from oracle import bounds
from oracle.bounds import Acceptance

_MOST_PAIRS = 2**21
"""Pairs kept at the most, over all intervals: about 200 MB."""


class _Kept:
    """Intervals by their inputs, the least recently used dropped first. Same inputs, same interval: no state shows."""

    def __init__(self) -> None:
        self._intervals: OrderedDict[bytes, Acceptance] = OrderedDict()
        self._pairs = 0

    def get(self, key: bytes, make: Callable[[], Acceptance]) -> Acceptance:
        """The interval of that key, made if it is not there."""
        if key in self._intervals:
            self._intervals.move_to_end(key)
            return self._intervals[key]
        made = self._intervals[key] = make()
        self._pairs += len(made.zero)
        while self._pairs > _MOST_PAIRS and len(self._intervals) > 1:
            self._pairs -= len(self._intervals.popitem(last=False)[1].zero)
        return made


_KEPT = _Kept()


def accepted_losses(trial: Trial, batch: Batch, *, ratios_first: bool = False) -> Acceptance:
    """`oracle.bounds.loss` of the batch in the trial's format."""
    key = _key(b"ratios first" if ratios_first else b"loss", trial, batch)
    return _KEPT.get(key, lambda: bounds.loss(as_pairs(batch), trial.fmt, flush=trial.flush, ratios_first=ratios_first))


def accepted_gradients(trial: Trial, batch: Batch) -> Acceptance:
    """`oracle.bounds.gradient` of the batch in the trial's format."""
    key = _key(b"gradient", trial, batch)
    return _KEPT.get(key, lambda: bounds.gradient(as_pairs(batch), trial.fmt, flush=trial.flush))


def as_pairs(batch: Batch) -> bounds.Pairs:
    """The batch as the bounds see it."""
    return bounds.Pairs(*batch.logps, batch.beta, batch.label_smoothing)


def _key(what: bytes, trial: Trial, batch: Batch) -> bytes:
    digest = hashlib.blake2b(what + trial.fmt.name.encode() + bytes([trial.flush]), digest_size=20)
    digest.update(f"{batch.beta!r} {batch.label_smoothing!r}".encode())
    for values in batch.logps:
        digest.update(values.tobytes())
    return digest.digest()
