"""What is required: numbered clauses, each with its level, statement, derivation and check."""

from conformance.clauses.model import Clause, Outcome
from conformance.clauses.registry import CLAUSES, EVERY, find, for_kind, select

__all__ = ["CLAUSES", "EVERY", "Clause", "Outcome", "find", "for_kind", "select"]
