"""Generated batches of preference pairs, from bit patterns to adversarial cancellations: a function of the generator alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from conformance.inputs.batch import Batch
from conformance.inputs.logits import thresholds
from conformance.inputs.pairs import BETAS, SMOOTHINGS
from oracle import Format
from oracle.formats import Floats

MOST = 20_000.0
"""Nats: no log-probability is farther from 0."""
LARGEST_BATCH = 8


def batches(
    fmt: Format,
    rng: np.random.Generator,
    count: int,
    *,
    betas: tuple[float, ...] = BETAS,
    smoothings: tuple[float, ...] = SMOOTHINGS,
) -> Iterator[Batch]:
    """So many batches of 1 to 8 pairs of any of the kinds below, each with one of the betas and of the smoothings."""
    for _ in range(count):
        n = int(rng.integers(1, LARGEST_BATCH + 1))
        columns = np.array([KINDS[rng.integers(len(KINDS))](fmt, rng) for _ in range(n)]).T
        beta, eps = betas[rng.integers(len(betas))], smoothings[rng.integers(len(smoothings))]
        yield Batch.of(*columns, beta=beta, label_smoothing=eps)


def realistic(fmt: Format, rng: np.random.Generator) -> Floats:
    """Whole numbers of quarters of a nat, of all sizes."""
    return 0.0 - fmt.round_array(rng.integers(0, 2 ** rng.integers(0, 16, 4, endpoint=True)) / 4)


def patterns(fmt: Format, rng: np.random.Generator) -> Floats:
    """Any four numbers of the format from -20,000 to 0, subnormals included; one in eight of them is an end of these."""
    top = _top(fmt)
    places = rng.integers(0, top, 4, endpoint=True)
    ends = np.array([0, 1, top])[rng.integers(0, 3, 4)]
    return 0.0 - fmt.from_ordinals(np.where(rng.integers(0, 8, 4) == 0, ends, places))


def cancelling(fmt: Format, rng: np.random.Generator) -> Floats:
    """Four log-probabilities within a few ulps of each other."""
    base, steps = rng.integers(0, _top(fmt), endpoint=True), rng.integers(-8, 8, 4, endpoint=True)
    return 0.0 - fmt.from_ordinals(np.maximum(0, base + steps))


def at_threshold(fmt: Format, rng: np.random.Generator) -> Floats:
    """A margin a few ulps from where stable and unstable code part, through non-positive log-probabilities."""
    known = thresholds(fmt)
    place = int(fmt.ordinals(fmt.round_array(known[rng.integers(len(known))])))
    pair = np.zeros(4)
    pair[rng.integers(2)] = -abs(float(fmt.from_ordinals(place + int(rng.integers(-8, 8, endpoint=True)))))
    return pair


KINDS = (realistic, patterns, cancelling, at_threshold)


def _top(fmt: Format) -> int:
    return int(fmt.ordinals(fmt.round_array(MOST)))
