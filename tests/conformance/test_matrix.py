"""The matrix: its command, its page, and the records and snippets that are kept in the documentation."""

import os
import re
import shutil
import sys
import threading
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance import judge
from conformance.clauses import find
from conformance.cli import main
from conformance.errors import CannotInstall, CannotShow
from conformance.implementations import SHIPPED, load
from conformance.records.record import Record, Verdict, read
from conformance.reports import matrix
from conformance.running.job import Interpreter

DOCS = Path(__file__).parents[2] / "docs"


@cache
def kept() -> matrix.Page:
    """What is kept in docs/, read by the process that asks: to read it is to validate it, which takes seconds."""
    return matrix.read_page(DOCS / "matrix")


def invoke(*arguments):
    return CliRunner().invoke(main, ["matrix", *map(str, arguments)])


# -- what is kept in docs/ ---------------------------------------------------------------------------------------------


def test_the_page_is_that_of_the_records():
    assert (DOCS / "matrix.md").read_text(encoding="utf-8") == matrix.render(kept()), "dpo-conformance matrix --page-only"


def test_twelve_real_implementations_and_more_each_with_its_version():
    assert len(kept().records) >= 12
    for name, record in kept().records.items():
        assert name in SHIPPED
        for run in record.runs:
            assert run.implementation == name
            assert re.fullmatch(r"\S+ \d\S*", matrix.library(run))


def test_every_violated_must_is_shown_by_the_library_alone():
    for name, run in kept().runs:
        if not run.violated:
            continue
        code, printed = (kept().snippets / f"show-{name}.{ending}" for ending in ("py", "txt"))
        text = code.read_text(encoding="utf-8")
        assert "conformance." not in text
        assert "import oracle" not in text
        assert printed.read_text(encoding="utf-8").strip()
        for finding in run.violated:
            assert re.search(rf"\b{finding.clause}\b", text), f"{name}: {finding.clause} in {run.format} is not shown"
            assert finding.clause in run.claims["notes"], f"{name}: {finding.clause} in {run.format} has no cause"


def test_every_link_of_the_page_leads_somewhere():
    page = (DOCS / "matrix.md").read_text(encoding="utf-8")
    headings = {matrix._anchor(line.lstrip("# ")) for line in page.splitlines() if line.startswith("#")}
    for target in re.findall(r"\]\(([^)]+)\)", page):
        assert target.startswith("https://") or target[1:] in headings or (DOCS / target).is_file(), target


# -- the page ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made_once(tmp_path_factory, judged):
    """Records of one that conforms, one that violates in two formats, and one that claims nothing of what was asked."""
    folder = tmp_path_factory.mktemp("records")
    chosen = [find(clause) for clause in ("CALL-1", "KERNEL-1", "KERNEL-2", "KERNEL-5")]
    made = {"python": "3.11.7", "cpu": "a CPU", "system": "an OS"}
    for name, formats in (("numpy", ["binary32"]), ("torch-bce", ["binary32", "binary64"]), ("scipy", ["bfloat16"])):
        runs = tuple(judged(load(name), fmt, clauses=chosen) for fmt in formats)
        record = Record({"name": "dpo-conformance", "version": "9.9"}, made, 0, runs, "2026-01-02T03:04:05+00:00")
        record.write(folder / f"{name}.json")
    return folder


@pytest.fixture
def folder(made_once, tmp_path):
    """A copy of them."""
    return Path(shutil.copytree(made_once, tmp_path / "records"))


@pytest.mark.no_cover
def test_a_page_of_records(folder):
    page = matrix.render(matrix.read_page(folder))
    lines = page.splitlines()
    assert any(re.match(r"\| \*\*numpy\*\* \| numpy \S+ \| binary32 \| conforms \| \d+ \| [\d.]+, ", line) for line in lines)
    rows = [line for line in lines if "[violates](#torch-bce)" in line]
    assert len(rows) == 2
    assert all("[KERNEL-2](#kernel-2)" in row for row in rows)
    assert "| bfloat16 |" not in page, "a format that is not claimed"
    assert page.count("### torch-bce\n") == 1
    assert "### KERNEL-2\n\nMUST: derivative of the kernel. " in page
    assert "### KERNEL-1\n" not in page
    (single,) = (line for line in rows if "binary32" in line)
    assert single.count("[KERNEL-5](#kernel-5)") == page.count("### KERNEL-5\n") == 1, "a SHOULD"
    assert "[pytorch/pytorch#195529](https://github.com/pytorch/pytorch/issues/195529)" in page
    assert "| torch-bce | 2026-01-02 | quick, 0 | 9.9 |" in page
    assert page.endswith("| a CPU, an OS |\n")


def test_a_defect_is_told_once_with_its_worst_format(folder):
    page = matrix.read_page(folder)
    runs = [run for name, run in page.runs if name == "torch-bce"]
    ((note, found),) = matrix._defects(runs).items()
    assert "cancels" in note
    assert [finding.clause for _, finding in found] == ["KERNEL-2"]
    assert found[0][1].worst.rho == max(f.worst.rho for run in runs for f in run.violated)


@pytest.mark.parametrize(
    ("subnormals", "verdict", "said"),
    [("flush", None, "flushes"), (None, "conforms", "gradual"), (None, "violates", "0 at 3 of 7"), (None, "not claimed", "")],
)
def test_underflow_is_told(folder, subnormals, verdict, said):
    run = read(folder / "numpy.json").runs[0]
    findings = [f for f in run.findings if f.clause != "KERNEL-5"]
    if verdict is not None:
        judged = next(f for f in run.findings if f.clause == "KERNEL-5")
        findings.append(replace(judged, verdict=Verdict(verdict), points=7, violations=3))
    changed = replace(run, claims={**run.claims, "subnormals": subnormals}, findings=tuple(findings))
    assert matrix.underflow(changed) == said


def test_a_snippet_is_linked_with_what_it_printed(folder):
    (folder / "snippets").mkdir()
    (folder / "snippets" / "show-torch-bce.py").write_text("print('zero')\n", encoding="utf-8")
    assert "zero" not in matrix.render(matrix.read_page(folder)), "not run yet"
    (folder / "snippets" / "show-torch-bce.txt").write_text("zero\n", encoding="utf-8")
    page = matrix.render(matrix.read_page(folder))
    assert "[`matrix/snippets/show-torch-bce.py`](matrix/snippets/show-torch-bce.py) prints:\n\n```text\nzero\n```" in page


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def quickly(monkeypatch):
    """One clause in one format."""
    chosen = {"clauses": [find("CALL-1")], "dtypes": ["bfloat16"]}
    monkeypatch.setattr("conformance.cli.matrix.judge", lambda name, **rest: judge(name, **rest, **chosen))


def test_it_writes_records_and_the_page_and_shows_the_defects(tmp_path, quickly):
    snippets = tmp_path / "matrix" / "snippets"
    snippets.mkdir(parents=True)
    (snippets / "show-numpy.py").write_text("print('shown')\n", encoding="utf-8")
    result = invoke("numpy", "--docs", tmp_path)
    assert result.exit_code == 0, result.output
    assert "numpy: bfloat16 conforms" in result.output
    assert read(tmp_path / "matrix" / "numpy.json").runs[0].implementation == "numpy"
    assert (snippets / "show-numpy.txt").read_text(encoding="utf-8") == "shown\n"
    assert "**numpy**" in (tmp_path / "matrix.md").read_text(encoding="utf-8")


def test_a_record_that_is_there_is_kept_where_a_library_is_not(tmp_path, quickly, monkeypatch):
    monkeypatch.setitem(SHIPPED, "gone", ("conformance.implementations.no_such_file:F", ""))
    assert invoke("numpy", "--docs", tmp_path).exit_code == 0
    result = invoke("gone", "--docs", tmp_path)
    assert result.exit_code == 2
    assert "Not judged: gone." in result.stderr
    assert "**numpy**" in (tmp_path / "matrix.md").read_text(encoding="utf-8")


def test_one_that_is_judged_in_no_format_is_named_and_the_rest_goes_on(tmp_path, quickly):
    result = invoke("torch-cuda", "numpy", "--docs", tmp_path)
    assert result.exit_code == 2
    assert "torch-cuda (1 of 2)" in result.stderr
    assert "torch-cuda: no CUDA device\n" in result.stderr
    assert result.stderr.endswith("Not judged: torch-cuda.\n")
    assert [path.name for path in (tmp_path / "matrix").iterdir()] == ["numpy.json"]


def test_one_that_cannot_be_installed_is_named_and_the_rest_goes_on(tmp_path, quickly, monkeypatch):
    def prepare(name, **_):
        if name == "scipy":
            raise CannotInstall("scipy: pip install: exit status 1\n  no matching distribution")
        return Interpreter(sys.executable, os.environ.get("PYTHONPATH", ""))

    monkeypatch.setattr("conformance.running.environments.prepare", prepare)
    result = invoke("scipy", "numpy", "--isolated", "--docs", tmp_path)
    assert result.exit_code == 2
    assert "scipy: pip install: exit status 1\n  no matching distribution\n" in result.stderr
    assert result.stderr.endswith("Not judged: scipy.\n")
    assert re.search(r"^numpy: bfloat16 conforms \(\d+ s\)$", result.stdout, re.MULTILINE)


def test_the_next_environment_is_made_while_one_is_judged(tmp_path, monkeypatch):
    begun, done = [threading.Event() for _ in range(2)], []

    def prepare(name, **_):
        begun[name == "scipy"].set()
        return Interpreter(sys.executable, "")

    def judged(name, **_):
        done.append((name, begun[1].wait(30)))
        raise CannotShow("enough")

    monkeypatch.setattr("conformance.running.environments.prepare", prepare)
    monkeypatch.setattr("conformance.cli.matrix.judge", judged)
    assert invoke("numpy", "scipy", "--isolated", "--docs", tmp_path).exit_code == 2
    assert done == [("numpy", True), ("scipy", True)]


def test_the_page_alone(tmp_path, folder):
    (tmp_path / "matrix").mkdir()
    (folder / "numpy.json").rename(tmp_path / "matrix" / "numpy.json")
    result = invoke("--page-only", "--docs", tmp_path)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "matrix.md").read_text(encoding="utf-8") == matrix.render(matrix.read_page(tmp_path / "matrix"))


@pytest.mark.parametrize(
    ("text", "said"),
    [("raise SystemExit('no such function')", "exit status 1: no such function"), ("1 / 0", "ZeroDivisionError")],
)
def test_a_snippet_that_fails_is_an_error(tmp_path, quickly, text, said):
    snippets = tmp_path / "matrix" / "snippets"
    snippets.mkdir(parents=True)
    (snippets / "show-numpy.py").write_text(text, encoding="utf-8")
    result = invoke("numpy", "torch", "--docs", tmp_path)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Not judged: numpy." in result.stderr
    assert read(tmp_path / "matrix" / "torch.json").runs, "the rest goes on"


def test_wrong_usage(tmp_path):
    assert "no implementation jaxx" in invoke("jaxx", "--docs", tmp_path).stderr
    (tmp_path / "matrix").mkdir()
    (tmp_path / "matrix" / "x.json").write_text("{", encoding="utf-8")
    result = invoke("--page-only", "--docs", tmp_path)
    assert result.exit_code == 2
    assert "x.json: it ends in the middle" in result.stderr
