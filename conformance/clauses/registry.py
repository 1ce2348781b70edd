"""All clauses, chapter by chapter, in the order of the documentation."""

from __future__ import annotations

from conformance.clauses import definition, gradient, kernel, loss, smooth
from conformance.clauses.model import Clause
from conformance.errors import BadRequest

CHAPTERS = (definition.chapter, kernel.chapter, loss.chapter, gradient.chapter, smooth.chapter)
CLAUSES: tuple[Clause, ...] = tuple(clause for chapter in CHAPTERS for clause in chapter.clauses)


def find(identity: str) -> Clause:
    """The clause of that id, in any case. Raises BadRequest, naming the ids there are."""
    for clause in CLAUSES:
        if clause.id == identity.upper():
            return clause
    raise BadRequest(f"no clause {identity!r}: one of {', '.join(clause.id for clause in CLAUSES)}")
