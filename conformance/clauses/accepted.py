"""What the oracle says of a batch (acceptance intervals, which pairs are judged), kept for the next implementation."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from conformance.clauses.trial import Trial
from conformance.inputs.batch import Batch
from oracle import bounds
from oracle.bounds import Acceptance

_MOST_PAIRS = 2**21
"""Pairs kept at the most, over all intervals: about 200 MB."""


T = TypeVar("T")


class _Kept(Generic[T]):
    """Values by their inputs, the least recently used dropped first. Same inputs, same value: no state shows."""

    def __init__(self) -> None:
        self._values: OrderedDict[bytes, tuple[T, int]] = OrderedDict()
        self._pairs = 0

    def get(self, key: bytes, pairs: int, make: Callable[[], T]) -> T:
        """The value of that key, of so many pairs, made if it is not there."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key][0]
        made = make()
        self._values[key] = made, pairs
        self._pairs += pairs
        while self._pairs > _MOST_PAIRS and len(self._values) > 1:
            self._pairs -= self._values.popitem(last=False)[1][1]
        return made


_INTERVALS: _Kept[Acceptance] = _Kept()
_PLACES: _Kept[NDArray[np.intp]] = _Kept()


def accepted_losses(trial: Trial, batch: Batch, *, ratios_first: bool = False) -> Acceptance:
    """`oracle.bounds.loss` of the batch in the trial's format."""
    key = _key(b"ratios first" if ratios_first else b"loss", trial, batch)
    return _INTERVALS.get(
        key, len(batch), lambda: bounds.loss(as_pairs(batch), trial.fmt, flush=trial.flush, ratios_first=ratios_first)
    )


def accepted_gradients(trial: Trial, batch: Batch) -> Acceptance:
    """`oracle.bounds.gradient` of the batch in the trial's format."""
    key = _key(b"gradient", trial, batch)
    return _INTERVALS.get(key, len(batch), lambda: bounds.gradient(as_pairs(batch), trial.fmt, flush=trial.flush))


def judged_places(trial: Trial, batch: Batch) -> NDArray[np.intp]:
    """The places of the pairs whose way to the logit does not overflow in the format."""

    def made() -> NDArray[np.intp]:
        return np.flatnonzero(bounds.representable(as_pairs(batch), trial.fmt))

    return _PLACES.get(_key(b"judged", trial, batch), len(batch), made)


def as_pairs(batch: Batch) -> bounds.Pairs:
    """The batch as the bounds see it."""
    return bounds.Pairs(*batch.logps, batch.beta, batch.label_smoothing)


def _key(what: bytes, trial: Trial, batch: Batch) -> bytes:
    digest = hashlib.blake2b(what + trial.fmt.name.encode() + bytes([trial.flush]), digest_size=20)
    digest.update(f"{batch.beta!r} {batch.label_smoothing!r}".encode())
    for values in batch.logps:
        digest.update(values.tobytes())
    return digest.digest()
