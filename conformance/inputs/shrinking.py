"""The smallest batch near one that fails: fewer pairs, plainer options, shorter and smaller log-probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from conformance.inputs.batch import Batch

MOST_TRIES = 400
"""So often a smaller batch is tried: a greedy descent ends long before."""


def smallest(batch: Batch, fails: Callable[[Batch], bool]) -> Batch:
    """A batch that fails, from one that does, of which no step below gives another that does.

    Each step that is taken makes the batch smaller in `_size`, so that it ends, and so often at most is one tried. Which
    steps are tried depends on the batch and on what fails alone.
    """
    tries = 0
    descending = True
    while descending:
        descending = False
        for smaller in _smaller(batch):
            if tries >= MOST_TRIES:
                break
            if _size(smaller) < _size(batch):
                tries += 1
                if fails(smaller):
                    batch, descending = smaller, True
                    break
    return batch


def _size(batch: Batch) -> tuple[int, bool, bool, int, float]:
    """Pairs; whether an option is not the plainest; then bits of the log-probabilities, and the sum of their sizes."""
    values = np.concatenate(batch.logps)
    bits = sum(_bits(float(x)) for x in values)
    return len(batch), batch.label_smoothing != 0, batch.beta != 1, bits, float(np.abs(values).sum())


def _bits(x: float) -> int:
    """Bits from the first to the last that is set, of a finite number; 0 for 0."""
    numerator = abs(x.as_integer_ratio()[0])
    return numerator.bit_length() - (numerator & -numerator).bit_length() + 1 if numerator else 0


def _smaller(batch: Batch) -> Iterator[Batch]:
    """Smaller batches, the boldest first."""
    n = len(batch)
    if n > 1:
        yield from (batch.take([i]) for i in range(n))
        yield from (batch.take([j for j in range(n) if j != i]) for i in range(n))
    if batch.label_smoothing:
        yield batch.at(label_smoothing=0.0)
    if batch.beta != 1:
        yield batch.at(beta=1.0)
    for column, values in enumerate(batch.logps):
        for i, value in enumerate(values):
            for shorter in _shorter(float(value)):
                yield batch.with_value(column, i, shorter)


def _shorter(value: float) -> Iterator[float]:
    """0, and the number cut to one bit, two bits, ...; then half of it: numbers of the same format, for bits are only lost."""
    if value == 0:
        return
    yield 0.0
    numerator, denominator = value.as_integer_ratio()
    length = abs(numerator).bit_length()
    for kept in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32):
        if kept < length:
            cut = abs(numerator) >> (length - kept) << (length - kept)
            yield (cut if numerator > 0 else -cut) / denominator
    if abs(value) > 1:
        yield value / 2
