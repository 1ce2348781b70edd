"""The judge of sequences, paths and steps: it rejects each mutant by the clause that names it, and no honest implementation."""

from __future__ import annotations

import pytest

from conformance.clauses import EVERY, Clause, find
from conformance.clauses.trial import Trial
from conformance.inputs.profiles import get_profile
from conformance.records.record import Finding, Level, Verdict
from conformance.running.trying import check
from oracle import get_format

from .campaign import MUTANTS, judged, violated
from .honest import HONEST
from .kinds import Mutant

BY_NAME = {entry.name: entry for entry in MUTANTS}
KINDS = {"sequence", "path", "steps"}
NAMED = [(clause, name) for clause in EVERY if clause.kind in KINDS for name in clause.kills]
CHEAP = (
    "gather-minus-logsumexp",
    "shifts-itself",
    "per-token",
    "head",
    "fused",
    "path",
    "steps",
    "array-steps",
)


def found(clause: Clause, entry: Mutant, fmt: str) -> Finding:
    """What the clause finds of the mutant."""
    return check(clause, Trial(entry.build(), get_format(fmt), get_profile("quick"), 0))


@pytest.mark.parametrize(("clause", "name"), NAMED, ids=[f"{clause.id}-{name}" for clause, name in NAMED])
def test_a_clause_rejects_each_mutant_that_it_names(clause: Clause, name: str) -> None:
    entry = BY_NAME[name]
    fmt = "binary32" if "binary32" in entry.formats else entry.formats[0]
    seen = found(clause, entry, fmt)
    assert seen.verdict is Verdict.VIOLATES, seen.note
    assert seen.note, "a finding without a word"


@pytest.mark.parametrize("name", CHEAP)
def test_no_honest_implementation_violates_a_must(name: str) -> None:
    (entry,) = (entry for entry in HONEST if entry.name == name)
    run = judged(entry, "binary32")
    assert run.verdict is Verdict.CONFORMS, [(f.clause, f.note) for f in run.findings if f.clause in violated(run, Level.MUST)]


def test_there_are_enough_of_them() -> None:
    assert len(MUTANTS) >= 60
    assert len(HONEST) >= 20
    assert len(BY_NAME) == len(MUTANTS)
    assert {find(clause.id) for clause, _ in NAMED} == {clause for clause in EVERY if clause.kind in KINDS}
