"""All mutants and all honest implementations, by family and by name."""

from __future__ import annotations

from collections import Counter

from . import (
    answers,
    asking,
    backward,
    batch,
    calling,
    combined,
    dtype,
    formula,
    gradient,
    kernels,
    layouts,
    means,
    memory,
    metrics,
    options,
    pair,
    passes,
    precision,
    reference,
    refusals,
    second,
    sizes,
    smoothing,
    special,
    stability,
    ties,
    transformed,
    upstream,
)
from .honest import HONEST
from .kinds import Honest, Mutant

FAMILIES: dict[str, tuple[Mutant, ...]] = {
    "formula": formula.MUTANTS,
    "options": (*options.MUTANTS, *means.BEYOND),
    "reference": reference.MUTANTS,
    "pair": pair.MUTANTS,
    "smoothing": smoothing.MUTANTS,
    "stability": stability.MUTANTS,
    "precision": precision.MUTANTS,
    "kernels": kernels.MUTANTS,
    "gradient": (*gradient.MUTANTS, *backward.MUTANTS),
    "special": special.MUTANTS,
    "batch": batch.MUTANTS,
    "calling": calling.MUTANTS,
    "dtype": dtype.MUTANTS,
    "metrics": metrics.MUTANTS,
    "means": means.MUTANTS,
    "upstream": upstream.MUTANTS,
    "passes": passes.MUTANTS,
    "asking": asking.MUTANTS,
    "answers": answers.MUTANTS,
    "layout": layouts.MUTANTS,
    "sizes": sizes.MUTANTS,
    "tie": ties.MUTANTS,
    "second": second.MUTANTS,
    "memory": memory.MUTANTS,
    "transformed": transformed.MUTANTS,
    "combined": combined.MUTANTS,
    "refusals": refusals.MUTANTS,
}
MUTANTS: tuple[Mutant, ...] = tuple(mutant for family in FAMILIES.values() for mutant in family)

__all__ = ["FAMILIES", "HONEST", "MUTANTS", "Honest", "Mutant", "honest", "mutant"]

_MUTANTS = {mutant.name: mutant for mutant in MUTANTS}
_HONEST = {entry.name: entry for entry in HONEST}
_COUNTS = Counter([*(entry.name for entry in MUTANTS), *(entry.name for entry in HONEST)])
_TWICE = [name for name, count in _COUNTS.items() if count > 1]
if _TWICE:
    raise ValueError(f"names used twice: {', '.join(_TWICE)}")


def mutant(name: str) -> Mutant:
    """The mutant of that name. Raises KeyError."""
    return _MUTANTS[name]


def honest(name: str) -> Honest:
    """The honest implementation of that name. Raises KeyError."""
    return _HONEST[name]
