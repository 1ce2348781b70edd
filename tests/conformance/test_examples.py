"""The example programs in C++ and JavaScript: the right form conforms in each format, the naive one is found out."""

import shutil
import subprocess
from pathlib import Path

import pytest

from conformance import judge
from conformance.clauses import find
from conformance.records.record import Verdict

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
COMPILER, NODE = shutil.which("g++"), shutil.which("node")
NAIVE = ["DEF-3", "KERNEL-1", "KERNEL-2", "LOSS-1", "GRAD-1", "SMOOTH-1", "SPECIAL-2"]
"""MUST clauses that log of sigmoid, always mixed, violates in every format."""


@pytest.fixture(scope="module")
def cpp(tmp_path_factory):
    """The command line of the program in C++, compiled without a warning."""
    if COMPILER is None:
        pytest.skip("no g++ here to compile docs/examples/dpo_loss.cpp")
    program = tmp_path_factory.mktemp("cpp") / "dpo_loss"
    options = ["-O2", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    subprocess.run([COMPILER, *options, "-o", program, EXAMPLES / "dpo_loss.cpp"], check=True, timeout=300)
    return str(program)


@pytest.fixture(scope="module")
def node():
    """The command line of the program in JavaScript."""
    if NODE is None:
        pytest.skip("no node here to run docs/examples/dpo_loss.mjs")
    return f"{NODE} {EXAMPLES / 'dpo_loss.mjs'}"


@pytest.mark.no_cover
@pytest.mark.parametrize(("language", "formats"), [("cpp", ["binary32", "binary64"]), ("node", ["binary64"])])
def test_the_right_form_conforms_and_the_naive_one_does_not(language, formats, request):
    command = request.getfixturevalue(language)
    right = judge(f"process:{command}", isolate=False)
    assert {run.implementation for run in right.runs} == {language}
    assert [run.format for run in right.runs if run.verdict is Verdict.CONFORMS] == formats
    assert [run.format for run in right.runs if run.verdict is not Verdict.NOT_CLAIMED] == formats
    naive = judge(f"process:{command} --naive", dtypes=formats, clauses=[find(i) for i in NAIVE], isolate=False)
    for run in naive.runs:
        assert run.implementation == f"{language}-naive"
        assert [finding.clause for finding in run.violated] == NAIVE
