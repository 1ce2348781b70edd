"""The vectors bite, by themselves: nothing but the files and the consumer judges here."""

import pytest

from conformance.errors import Misbehaviour
from tests.mutants import registry

from .consumer import judge, read
from .judged import as_function, mean_of, one_at_a_time
from .kills import KILLS

FILES = read()
FORMATS = ("binary16", "bfloat16", "binary32", "binary64")
HONEST = [(entry, fmt) for entry in registry.HONEST if not entry.slow for fmt in entry.formats]
BEYOND = {
    "large-batch-wrong": "it is wrong from the 513th pair on; the files ask for fewer at once",
    "label-smoothing-on-a-grid": "the label smoothings of the files lie on its grid",
}
"""Mutants that no vector rejects, with the reason; besides those of the families that the files do not see."""
UNSEEN = {"metrics", "calling"}
"""The files say nothing of metrics, and not how a function is called: strided, weighted, in batches of thousands."""


def label(value):
    return getattr(value, "name", None)


def carrying(flag):
    """The files with the tests that carry the flag alone."""
    return [{**file, "tests": [test for test in file["tests"] if flag in test["flags"]]} for file in FILES]


def rejected(implementation, fmt, files):
    """What the vectors reject, one after the other: of pairs, one at a time where it reduces to the mean, and of means."""
    function = as_function(implementation)
    reduces = implementation.claims.reduction == "mean"
    yield from judge(function if reduces else mean_of(function), fmt, files, "mean")
    yield from judge(one_at_a_time(function) if reduces else function, fmt, files)


def test_every_flag_has_mutants_to_kill():
    assert set(KILLS) == {flag for file in FILES for flag in file["notes"]}
    assert all(KILLS.values())


@pytest.mark.parametrize("flag", KILLS)
def test_the_vectors_of_a_flag_kill_its_mutants_by_themselves(flag):
    """In every format in which the mutant is wrong."""
    files = carrying(flag)
    for name in KILLS[flag]:
        mutant = registry.mutant(name)
        assert mutant.wrong_in
        for fmt in mutant.wrong_in:
            assert any(rejected(mutant.build(), fmt.name, files)), (name, fmt.name)


@pytest.mark.parametrize("flag", KILLS)
def test_every_vector_earns_its_flags(flag):
    """Each rejects one of the flag's mutants in some format."""
    files = carrying(flag)
    mutants = [registry.mutant(name) for name in KILLS[flag]]
    seen = {case.test for mutant in mutants for fmt in mutant.wrong_in for case in rejected(mutant.build(), fmt.name, files)}
    assert {test["id"] for file in files for test in file["tests"]} - seen == set()


@pytest.mark.parametrize(("entry", "fmt"), HONEST, ids=lambda value: label(value) or value)
def test_no_honest_implementation_is_accused(entry, fmt):
    assert list(rejected(entry.build(), fmt, FILES)) == []


@pytest.mark.parametrize("family", [family for family in registry.FAMILIES if family not in UNSEEN])
def test_every_mutant_is_rejected_by_some_vector(family):
    survivors = []
    for mutant in registry.FAMILIES[family]:
        if mutant.name in BEYOND:
            continue
        for fmt in mutant.wrong_in:
            try:
                seen = any(rejected(mutant.build(), fmt.name, FILES))
            except Misbehaviour:  # no array of numbers of the promised shape and dtype
                continue
            if not seen:
                survivors.append((mutant.name, fmt.name))
    assert survivors == []


def test_a_mutant_beyond_the_vectors_is_beyond_them():
    for name in BEYOND:
        mutant = registry.mutant(name)
        assert not any(any(rejected(mutant.build(), fmt.name, FILES)) for fmt in mutant.wrong_in)
