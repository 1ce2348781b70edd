"""The confrontations, each with its share of the points, and one piece of work."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from tests.oracle.confront import calls, decisions, first_tier, kernel, pairs, twins
from tests.oracle.confront.logits import Generator
from tests.oracle.confront.tally import Tally

Confrontation = Callable[[Generator, int], list[Tally]]
CONFRONTATIONS: dict[str, tuple[tuple[float, Confrontation], ...]] = {
    "double-double": ((0.964, kernel.confront), (0.004, decisions.confront), (0.032, pairs.confront)),
    "float64": ((0.99, first_tier.values), (0.01, first_tier.judged)),
    "calls": ((1.0, calls.confront),),
    "compiled": ((0.989, twins.tiers), (0.001, twins.boundaries), (0.01, twins.pairs)),
}
"""For each tier, what is confronted, and with which share of the points."""

PIECE = 50_000


def piece(tier: str, seed: int, index: int, points: int = PIECE) -> list[Tally]:
    """A tier's confrontations over `points` points; the same points for the same seed and index, on any number of workers."""
    tallies = []
    for i, (share, confront) in enumerate(CONFRONTATIONS[tier]):
        count = max(8, round(share * points))
        tallies += confront(np.random.default_rng([seed, index, i]), count)
    return tallies


def gather(totals: dict[str, Tally], tallies: Iterable[Tally]) -> None:
    """Counts tallies in, each under its name."""
    for tally in tallies:
        totals.setdefault(tally.name, Tally(tally.name)).add(tally)
