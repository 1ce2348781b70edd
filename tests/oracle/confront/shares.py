"""The confrontations, each with its share of the points, and one piece of work."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from tests.oracle.confront import decisions, kernel, pairs
from tests.oracle.confront.logits import Generator
from tests.oracle.confront.tally import Tally

CONFRONTATIONS: tuple[tuple[float, Callable[[Generator, int], list[Tally]]], ...] = (
    (0.964, kernel.confront),
    (0.004, decisions.confront),
    (0.032, pairs.confront),
)
PIECE = 50_000


def piece(seed: int, index: int, points: int = PIECE) -> list[Tally]:
    """All confrontations over `points` points; the same points for the same seed and index, on any number of workers."""
    tallies = []
    for i, (share, confront) in enumerate(CONFRONTATIONS):
        count = max(8, round(share * points))
        tallies += confront(np.random.default_rng([seed, index, i]), count)
    return tallies


def gather(totals: dict[str, Tally], tallies: Iterable[Tally]) -> None:
    """Counts tallies in, each under its name."""
    for tally in tallies:
        totals.setdefault(tally.name, Tally(tally.name)).add(tally)
