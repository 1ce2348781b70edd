"""The libraries' own functions behind the suite's interface, and the page that tells how they fare."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.clauses import EVERY
from conformance.errors import CannotLoad
from conformance.implementations import load
from conformance.inputs.paths import Paths, drawn_pairs
from conformance.inputs.sequences import full
from oracle import binary32, get_format, sequence

from .page import FORMATS, NAMES, PACKAGE, PAGE

PAGE_ROWS = [
    line.strip("| ").split(" | ")
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if re.match(r"\| (?!function|-)", line)
]


@pytest.mark.parametrize("name", NAMES)
def test_a_named_function_gives_log_probabilities(name: str) -> None:
    try:
        wrapped = load(f"{PACKAGE}.{name}")
    except CannotLoad as error:
        pytest.skip(str(error))
    if wrapped.claims.kind == "path":
        import numpy as np  # noqa: PLC0415

        paths: Paths = drawn_pairs(np.random.default_rng(0), binary32, 1, 3, 5)
        assert wrapped.evaluate(paths, binary32).losses > 0
        return
    if "compiled" in wrapped.name:
        pytest.skip("it takes half a minute to compile")
    rows = full([[0.5, -1.0, 2.0], [1.0, 0.0, 0.25]], [2, 0], "two tokens")
    found = wrapped.evaluate(rows, binary32).values.reshape(2, -1)[:, 0]
    exact = [float(sequence.token_logp(row, label)) for row, label in (([0.5, -1.0, 2.0], 2), ([1.0, 0.0, 0.25], 0))]
    assert found == pytest.approx(exact, rel=1e-6)
    assert wrapped.environment["library"].partition(" ")[2][0].isdigit()


def test_the_page_tells_of_twelve_libraries_functions_by_clauses_that_exist() -> None:
    assert len(PAGE_ROWS) >= 12
    known = {clause.id for clause in EVERY}
    for row in PAGE_ROWS:
        assert re.fullmatch(r"\S+ \d\S*", row[1])
        for cell in row[2:7]:
            assert set(re.findall(r"[A-Z]+-\d+", cell)) <= known


def test_each_name_is_of_a_file_that_says_what_it_needs() -> None:
    folder = Path(__file__).resolve().parents[2] / "conformance" / "implementations" / "sequence"
    for name in NAMES:
        text = (folder / f"{name.partition(':')[0]}.py").read_text(encoding="utf-8")
        assert text.startswith("# /// script\n")
        assert "dependencies = [" in text
    assert [get_format(fmt).name for fmt in FORMATS] == list(FORMATS)
