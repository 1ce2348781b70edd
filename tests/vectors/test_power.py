"""The vectors bite, by themselves: nothing but the files and the consumer judges here."""

from dataclasses import fields

import pytest

from conformance.errors import Misbehaviour
from tests.mutants import registry
from tests.mutants.kinds import Honest

from .consumer import judge, read
from .judged import as_function, mean_of, one_at_a_time
from .kills import KILLS

pytestmark = pytest.mark.no_cover  # it asks the files and their consumer, and nothing of the judge
FILES = read()
FORMATS = ("binary16", "bfloat16", "binary32", "binary64")
ANSWERS_ALL = next(field.default for field in fields(Honest) if field.name == "refuses")
HONEST = [
    (entry, fmt)
    for entry in registry.HONEST
    if not entry.slow and entry.refuses is ANSWERS_ALL  # the files ask for what may be refused, and hold numbers alone
    for fmt in entry.formats
]
REASONS = {
    "it is wrong in batches that are larger than any in the files": (
        "large-batch-wrong",
        "mean-zero-of-many",
        "mean-negative-of-many",
        "mean-twentyfold-of-many",
        "mean-tenth-of-many",
        "mean-summed-from-many",
        "mean-of-means-of-64",
        "mean-without-last-chunk",
        "mean-of-first-128",
        "gradient-mean-of-many-summed",
        "gradient-mean-of-many-zero",
        "mean-median-from-8194",
        "mean-unsmoothed-from-5000",
        "gradient-mean-doubled-from-10000",
    ),
    "no option of the files lies in its band": ("beta-from-40-to-900", "label-smoothing-from-0.75-to-0.95"),
    "the files hold numbers, and no refusal that another batch does not get": (
        "refuses-smoothing-of-large-beta",
        "refuses-half-of-many",
        "refuses-half-without-derivatives",
        "refuses-half-and-goes-on",
    ),
    "beta and label smoothing lie on its grid in the files' batches": (
        "label-smoothing-on-a-grid",
        "mean-beta-on-a-grid",
        "mean-smoothing-on-a-grid",
    ),
    "the files ask for no beta below 0 or above 1,000, and for no label smoothing below 0.001 or above 1/2": (
        "beta-absolute",
        "beta-not-negative",
        "beta-at-most-1000",
        "label-smoothing-at-most-half",
        "label-smoothing-mirrored",
        "label-smoothing-below-1e-3-ignored",
        "label-smoothing-below-1e-7-ignored",
    ),
    "no beta of the files above 1 has a fraction": ("beta-truncated", "gradient-beta-truncated"),
    "the files' means are of finite losses": (
        "mean-without-nan-in-a-block",
        "mean-without-infinity-in-a-block",
        "gradient-mean-dropped-beside-nan",
    ),
    "it is wrong at one size alone, which no batch of the files has": (
        "mean-of-many-doubled",
        "mean-summed-at-48",
        "mean-of-the-first-4200",
        "mean-unsmoothed-at-10",
        "gradient-mean-doubled-at-20",
        "gradient-mean-zero-below-4096",
    ),
    "the files allow a mean what no declared accumulation takes from it": ("mean-added-in-its-format",),
    "it is wrong where no derivative is asked for, and who reads the files here asks for all": (
        "naive-without-derivatives",
        "threshold-without-derivatives",
    ),
    "its entry lies between the logits of the files": ("wrong-entry-of-256",),
    "a number has no strides": ("mean-of-strided", "gradient-mean-of-strided"),
    "the files ask for derivatives of the mean, not of a multiple": (
        "mean-backward-without-upstream",
        "mean-backward-of-absolute-upstream",
        "mean-backward-of-clamped-upstream",
    ),
    "the files have no tie under label smoothing": ("tie-unsmoothed",),
    "the files say nothing of metrics": ("rewards-contracted", "wins-half-of-ties"),
    "an infinite loss under label smoothing is left out of the files: right code gives NaN there too": (
        "label-smoothing-off-at-infinity",
    ),
}
BEYOND = {name: reason for reason, names in REASONS.items() for name in names}
"""Mutants that no vector rejects, with the reason; besides those of the families that the files do not see."""
BEYOND_IN = {
    ("wrong-entry-of-64", "binary16"),
    ("label-smoothing-in-float16", "bfloat16"),
    ("beta-from-6-to-25", "binary16"),
    ("beta-from-0.0002-to-0.0009", "binary16"),
    ("gradient-beta-from-4-to-25", "binary16"),
}
"""Mutants beyond the vectors in one format alone: its entry lies between the logits there; it is wrong at smoothings alone
for which binary16 has no number, and the files have none so small; or no beta of the files is in its band there.
"""
UNSEEN = {
    "metrics",
    "calling",
    "upstream",
    "answers",
    "passes",
    "asking",
    "layout",
    "sizes",
    "transformed",
    "second",
    "memory",
    "combined",
}
"""The files say nothing of metrics and of second derivatives, and not how a function is called: strided, in shared memory,
weighted, in batches of thousands, again before its first answer is read or differentiated, under a framework's
transformations.
"""


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
    """In every format in which the mutant is wrong, but where no vector can see it."""
    files = carrying(flag)
    for name in KILLS[flag]:
        formats = [fmt for fmt in registry.mutant(name).wrong_in if (name, fmt.name) not in BEYOND_IN]
        assert formats
        for fmt in formats:
            assert any(rejected(registry.mutant(name).build(), fmt.name, files)), (name, fmt.name)


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
    assert set(survivors) <= BEYOND_IN


def test_a_mutant_beyond_the_vectors_is_beyond_them():
    for name in BEYOND:
        mutant = registry.mutant(name)
        assert not any(any(rejected(mutant.build(), fmt.name, FILES)) for fmt in mutant.wrong_in)
    for name, fmt in BEYOND_IN:
        assert not any(rejected(registry.mutant(name).build(), fmt, FILES))
