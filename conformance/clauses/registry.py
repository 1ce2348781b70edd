"""All clauses, chapter by chapter, in the order of the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from conformance.clauses import (
    autograd,
    batch,
    call,
    definition,
    extreme,
    gradient,
    kernel,
    layout,
    loss,
    metric,
    option,
    preference_ends,
    prop,
    reduction,
    second,
    smooth,
    special,
    tie,
)
from conformance.clauses.model import Clause
from conformance.clauses.sequence import added, forbidden, logp, masked, mismatch, path_ends, slope_ends, step, tidy
from conformance.errors import BadRequest, did_you_mean

CHAPTERS = tuple(
    module.chapter
    for module in (
        call,
        definition,
        kernel,
        loss,
        tie,
        gradient,
        autograd,
        second,
        extreme,
        smooth,
        special,
        option,
        batch,
        layout,
        reduction,
        metric,
        prop,
        logp,
        added,
        masked,
        forbidden,
        slope_ends,  # and what it begins from, slope
        tidy,
        path_ends,  # and what it begins from, path
        step,
        mismatch,
        preference_ends,  # and what it begins from, preference
    )
)
EVERY: tuple[Clause, ...] = tuple(clause for chapter in CHAPTERS for clause in chapter.clauses)
"""The clauses of every kind of implementation."""
CLAUSES: tuple[Clause, ...] = tuple(clause for clause in EVERY if clause.kind == "loss")
"""The clauses of a loss of four log-probabilities."""


def for_kind(kind: str, clauses: Sequence[Clause]) -> tuple[Clause, ...]:
    """The clauses to judge an implementation of that kind by: all of its own where all of a loss's were asked for."""
    return tuple(clause for clause in EVERY if clause.kind == kind) if tuple(clauses) == CLAUSES else tuple(clauses)


def select(names: Iterable[str]) -> tuple[Clause, ...]:
    """The clauses of those ids and chapters, in any case, each once and in the order of the documentation. Raises
    BadRequest, naming the chapters there are for a name of no form of an id.
    """
    chosen: set[str] = set()
    for name in names:
        chapter = [clause.id for clause in EVERY if clause.chapter == name.upper()]
        if not chapter and "-" not in name:
            chapters = [chapter.name for chapter in CHAPTERS]
            raise BadRequest(f"no chapter {name!r}: {did_you_mean(name.upper(), chapters)}one of {', '.join(chapters)}")
        chosen.update(chapter or [find(name).id])
    return tuple(clause for clause in EVERY if clause.id in chosen)


def find(identity: str) -> Clause:
    """The clause of that id, in any case. Raises BadRequest, naming the ids of its chapter, or the chapters there are."""
    for clause in EVERY:
        if clause.id == identity.upper():
            return clause
    chapter = identity.upper().partition("-")[0]
    there = [clause.id for clause in EVERY if clause.chapter == chapter]
    names = [each.name for each in CHAPTERS]
    told = f"one of {', '.join(there)}" if there else f"{did_you_mean(chapter, names)}its chapter is one of {', '.join(names)}"
    raise BadRequest(f"no clause {identity!r}: {told}")
