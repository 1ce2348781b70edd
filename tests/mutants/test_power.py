"""The judge rejects every mutant and no honest implementation; every clause rejects a mutant that it names.

`python -m tests.mutants` judges them all under all clauses. Here each mutant meets one clause that is known to reject
it, which is enough to see the suite's power, and to see it go.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.clauses import CLAUSES, Clause, find
from conformance.clauses.trial import Trial
from conformance.implementations.protocol import Implementation
from conformance.inputs.profiles import get_profile
from conformance.records.record import Level, Verdict
from conformance.running.runner import run
from conformance.running.trying import check
from oracle import Format, get_format

from . import registry
from .hostile import HOSTILE
from .kinds import Honest, Mutant
from .power import COST

pytestmark = pytest.mark.no_cover  # hours of clauses that other tests cover
KILLS: dict[str, dict[str, list[str]]] = json.loads(Path(__file__).with_name("kills.json").read_text(encoding="utf-8"))
WRONG = [(mutant, fmt) for mutant in registry.MUTANTS for fmt in mutant.wrong_in]
FAIR = [(entry, get_format(name)) for entry in registry.HONEST if not entry.slow for name in entry.formats]


def _label(value: object) -> str | None:
    return getattr(value, "name", None) or getattr(value, "id", None)


def _cheapest_first(clauses: list[str]) -> list[Clause]:
    musts = (clause for clause in map(find, clauses) if clause.level is Level.MUST)
    return sorted(musts, key=lambda clause: COST.get(clause.chapter, 8))


def _rejects(clause: Clause, implementation: Implementation, fmt: Format) -> bool:
    return check(clause, Trial(implementation, fmt, get_profile("quick"), 0)).verdict is Verdict.VIOLATES


@pytest.mark.parametrize(("mutant", "fmt"), WRONG, ids=_label)
def test_every_mutant_is_rejected(mutant: Mutant, fmt: Format) -> None:
    """By a MUST that rejected it when kills.json was written: write it again if the clauses have changed.

    The cheapest is enough, but for a mutant with a memory, which some clauses reject only for what was called before.
    """
    assert any(_rejects(clause, mutant.build(), fmt) for clause in _cheapest_first(KILLS[mutant.name][fmt.name]))


@pytest.mark.parametrize(("entry", "fmt"), FAIR, ids=_label)
def test_no_honest_implementation_is_accused(entry: Honest, fmt: Format) -> None:
    found = run(entry.build(), fmt, get_profile("quick"), seed=1)
    assert [finding.clause for finding in found.violated] == []
    assert found.verdict is Verdict.CONFORMS


@pytest.mark.parametrize("clause", CLAUSES, ids=_label)
def test_every_clause_rejects_each_mutant_that_it_names(clause: Clause) -> None:
    """A name in capitals is a hostile implementation: what it does wrong is no number."""
    assert clause.kills
    for name in clause.kills:
        assert any(_rejects(clause, built, fmt) for built, fmt in _named(name)), name


def _named(name: str) -> Iterator[tuple[Implementation, Format]]:
    if name.isupper():
        yield from ((HOSTILE[name], fmt) for fmt in reversed(HOSTILE[name].claims.formats))
    else:
        yield from ((registry.mutant(name).build(), fmt) for fmt in reversed(registry.mutant(name).wrong_in))


def test_the_kills_file_is_complete() -> None:
    assert {(mutant.name, fmt.name) for mutant, fmt in WRONG} == {(m, f) for m, fs in KILLS.items() for f in fs}
