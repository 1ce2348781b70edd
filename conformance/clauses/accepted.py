"""What the oracle says of a batch (acceptance intervals, which pairs are judged), kept for the next implementation."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from conformance.clauses.trial import Trial
from conformance.inputs.batch import Batch
from oracle import bounds
from oracle.bounds import Acceptance

_MOST_PAIRS = 2**21
"""Pairs kept at the most, over all intervals: about 200 MB."""


_MOST_AT_ONCE = 2**15
"""Pairs that are worked out at once: more would leave the cache, and gain nothing."""
T = TypeVar("T")
Sliced = TypeVar("Sliced", Acceptance, NDArray[np.bool_])


class _Kept(Generic[T]):
    """Values by their inputs, the least recently used dropped first. Same inputs, same value: no state shows."""

    def __init__(self) -> None:
        self._values: OrderedDict[bytes, tuple[T, int]] = OrderedDict()
        self._pairs = 0

    def __contains__(self, key: bytes) -> bool:
        return key in self._values

    def get(self, key: bytes, pairs: int, make: Callable[[], T]) -> T:
        """The value of that key, of so many pairs, made if it is not there."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key][0]
        made = make()
        self.put(key, pairs, made)
        return made

    def put(self, key: bytes, pairs: int, value: T) -> None:
        """Keep a value that is not there, and drop the oldest that are too many."""
        self._values[key] = value, pairs
        self._pairs += pairs
        while self._pairs > _MOST_PAIRS and len(self._values) > 1:
            self._pairs -= self._values.popitem(last=False)[1][1]


_INTERVALS: _Kept[Acceptance] = _Kept()
_JUDGED: _Kept[NDArray[np.bool_]] = _Kept()
_LOSS, _GRADIENT, _REPRESENTABLE = b"loss", b"gradient", b"judged"


def accepted_losses(trial: Trial, batch: Batch, *, ratios_first: bool = False) -> Acceptance:
    """`oracle.bounds.loss` of the batch in the trial's format."""
    key = _key(b"ratios first" if ratios_first else _LOSS, trial, batch)
    return _INTERVALS.get(
        key, len(batch), lambda: bounds.loss(as_pairs(batch), trial.fmt, flush=trial.flush, ratios_first=ratios_first)
    )


def accepted_gradients(trial: Trial, batch: Batch) -> Acceptance:
    """`oracle.bounds.gradient` of the batch in the trial's format."""
    key = _key(_GRADIENT, trial, batch)
    return _INTERVALS.get(key, len(batch), lambda: bounds.gradient(as_pairs(batch), trial.fmt, flush=trial.flush))


def losses_ahead(trial: Trial, batches: Sequence[Batch]) -> None:
    """What `accepted_losses` says of each of these batches, worked out at once: a small batch costs as much as a large one."""
    _ahead(_INTERVALS, _LOSS, trial, batches, lambda pairs: bounds.loss(pairs, trial.fmt, flush=trial.flush))


def gradients_ahead(trial: Trial, batches: Sequence[Batch]) -> None:
    """What `accepted_gradients` says of each of these batches, worked out at once."""
    _ahead(_INTERVALS, _GRADIENT, trial, batches, lambda pairs: bounds.gradient(pairs, trial.fmt, flush=trial.flush))


def judged_places(trial: Trial, batch: Batch) -> NDArray[np.intp]:
    """The places of the pairs whose way to the logit does not overflow in the format."""

    def made() -> NDArray[np.bool_]:
        return bounds.representable(as_pairs(batch), trial.fmt)

    return np.flatnonzero(_JUDGED.get(_key(_REPRESENTABLE, trial, batch), len(batch), made))


def places_ahead(trial: Trial, batches: Sequence[Batch]) -> None:
    """What `judged_places` says of each of these batches, worked out at once."""
    _ahead(_JUDGED, _REPRESENTABLE, trial, batches, lambda pairs: bounds.representable(pairs, trial.fmt))


def _ahead(
    kept: _Kept[Sliced], what: bytes, trial: Trial, batches: Sequence[Batch], make: Callable[[bounds.Pairs], Sliced]
) -> None:
    """One evaluation for all that have label smoothing, and one for those that have none."""
    keys = {_key(what, trial, batch): batch for batch in batches if len(batch)}
    missing = [(key, batch) for key, batch in keys.items() if key not in kept]
    for smoothed in (False, True):
        these = [(key, batch) for key, batch in missing if (batch.label_smoothing != 0) is smoothed]
        if len(these) < 2 or sum(len(batch) for _, batch in these) > _MOST_AT_ONCE:
            continue
        sizes = [len(batch) for _, batch in these]
        logps = [np.concatenate(arrays) for arrays in zip(*(batch.logps for _, batch in these), strict=True)]
        options = [np.repeat([getattr(batch, name) for _, batch in these], sizes) for name in ("beta", "label_smoothing")]
        whole, start = make(bounds.Pairs(*logps, *options)), 0
        for (key, _), size in zip(these, sizes, strict=True):
            kept.put(key, size, whole[np.arange(start, start + size)])
            start += size


def as_pairs(batch: Batch) -> bounds.Pairs:
    """The batch as the bounds see it."""
    return bounds.Pairs(*batch.logps, batch.beta, batch.label_smoothing)


def _key(what: bytes, trial: Trial, batch: Batch) -> bytes:
    digest = hashlib.blake2b(what + trial.fmt.name.encode() + bytes([trial.flush]), digest_size=20)
    digest.update(f"{batch.beta!r} {batch.label_smoothing!r}".encode())
    for values in batch.logps:
        digest.update(values.tobytes())
    return digest.digest()
