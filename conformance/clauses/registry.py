"""All clauses, chapter by chapter, in the order of the documentation."""

from __future__ import annotations

from conformance.clauses import (
    batch,
    call,
    definition,
    extreme,
    gradient,
    kernel,
    loss,
    metric,
    option,
    prop,
    reduction,
    smooth,
    special,
)
from conformance.clauses.model import Clause
from conformance.errors import BadRequest

CHAPTERS = tuple(
    module.chapter
    for module in (
        call,
        definition,
        kernel,
        loss,
        gradient,
        extreme,
        smooth,
        special,
        option,
        batch,
        reduction,
        metric,
        prop,
    )
)
CLAUSES: tuple[Clause, ...] = tuple(clause for chapter in CHAPTERS for clause in chapter.clauses)


def find(identity: str) -> Clause:
    """The clause of that id, in any case. Raises BadRequest, naming the ids there are."""
    for clause in CLAUSES:
        if clause.id == identity.upper():
            return clause
    raise BadRequest(f"no clause {identity!r}: one of {', '.join(clause.id for clause in CLAUSES)}")
