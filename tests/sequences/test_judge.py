"""The judge of sequences, paths and steps: it rejects each mutant by the clause that names it, and no honest implementation."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.clauses import EVERY, Clause, find
from conformance.clauses.trial import Trial
from conformance.cli import main
from conformance.errors import BadClaim, CannotLoad
from conformance.implementations import load
from conformance.implementations.sequence.path import path_claims
from conformance.inputs.profiles import get_profile
from conformance.records.record import Finding, Level, Verdict
from conformance.running.trying import check
from oracle import get_format

from .campaign import MUTANTS, judged, violated
from .honest import HONEST
from .kinds import Mutant
from .preferences import PREFERENCES

BY_NAME = {entry.name: entry for entry in MUTANTS}
KINDS = {"sequence", "path", "steps", "pairing"}
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
    "kl-turned",
    "kl-turned-back",
    "kl-drawn",
    "path-ipo_average",
    "path-kto",
    "path-orpo",
    "path-simpo",
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


@pytest.mark.no_cover
@pytest.mark.parametrize("entry", PREFERENCES, ids=lambda entry: entry.name)
def test_a_path_of_another_definition_is_told_which(entry: Mutant) -> None:
    clause, told = {
        "path-kto-live": ("PATH-6", "d loss / d logits"),
        "path-orpo-certain-is-nan": ("PATH-16", "got nan, where a number is exact"),
        "path-ipo-counts-first": ("PATH-15", "a length that counts the first place"),
        "path-orpo-lengths-exchanged": ("PATH-2", "the lengths of chosen and rejected exchanged"),
        "path-simpo-padded-lengths": ("PATH-2", "the padded length"),
    }.get(entry.name, ("PATH-2", f"those of another definition: {entry.wrong}"))
    seen = found(find(clause), entry, "binary32")
    assert seen.verdict is Verdict.VIOLATES
    assert told in seen.note


def test_a_path_is_judged_as_the_loss_that_it_claims(tmp_path: Path) -> None:
    source = tmp_path / "mine.py"
    source.write_text("from tests.sequences.preferences import named\nsimpo = named('simpo')\n", encoding="utf-8")
    done = CliRunner().invoke(main, ["run", f"{source}:simpo", "--loss", "simpo", "--dtype", "float32", "-c", "PATH-2"])
    assert (done.exit_code, "conforms" in done.output) == (0, True), done.output
    with pytest.raises(CannotLoad, match="claims the loss simpo, not orpo"):
        load(f"{source}:simpo@orpo")
    with pytest.raises(BadClaim, match="beta_2"):
        path_claims(reduction="none", loss="simpo", options=("beta_2",))
    with pytest.raises(BadClaim, match="said by the loss"):
        path_claims(reduction="none", loss="simpo", options=("beta",), average=True)


def test_there_are_enough_of_them() -> None:
    assert len(MUTANTS) >= 60
    assert len(HONEST) >= 20
    assert len(BY_NAME) == len(MUTANTS)
    assert {find(clause.id) for clause, _ in NAMED} == {clause for clause in EVERY if clause.kind in KINDS}
