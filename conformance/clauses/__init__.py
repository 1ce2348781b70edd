"""What is required: numbered clauses, each with its level, statement, derivation and check."""

from conformance.clauses.model import Clause, Outcome
from conformance.clauses.registry import CLAUSES, find

__all__ = ["CLAUSES", "Clause", "Outcome", "find"]
