"""docs/judge-your-own.md as it stands: every file of the page is written out, and judged by the page's own commands."""

import ast
import importlib.util
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import DOCS, fences

from conformance import judge
from conformance.clauses import CLAUSES
from conformance.cli.run import command as run_command
from conformance.record import Verdict

FENCES = fences("judge-your-own.md")
FILES = {fence.info.split()[1]: fence.content for fence in FENCES if fence.info.startswith("python ")}
LINES = [line for fence in FENCES if fence.info == "bash" for line in fence.content.splitlines()]
COMMANDS = [line for line in LINES if "dpo-conformance run" in line]
TRIED = [clause for clause in CLAUSES if clause.chapter in {"CALL", "OPTION", "SPECIAL", "REDUCTION"}]
"""What a wrapper can get wrong; the kernels behind them are judged elsewhere."""
OTHERS_OWN = {"preference.py", "trainer.py"}
"""Files that stand for what a reader has already."""
FORMULAS = {"torch_loss.py", "numpy_loss.py", "jax_loss.py", "quill_loss.py"}
"""Files whose function `loss` is the reader's own, at the end."""


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder with the page's files and a clone's docs/, as current folder; what is imported from it is forgotten."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "docs").symlink_to(DOCS)
    monkeypatch.chdir(tmp_path)
    path, modules = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = path
    for name in {Path(file).stem for file in FILES} & (set(sys.modules) - modules):
        del sys.modules[name]


def judged(line):
    """The record of a command line of the page, under the clauses that are tried here."""
    words = shlex.split(line)
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        assert name == "PYTHONPATH"
        sys.path.append(str(Path(value).resolve()))
    assert words[:2] == ["dpo-conformance", "run"]
    asked = run_command.make_context("run", words[2:]).params
    return judge(*asked["implementations"], dtypes=asked["dtypes"], clauses=TRIED, isolate=False)


def needs(line):
    """Why the line cannot be run here; None if it can."""
    if "jax" in line and importlib.util.find_spec("jax") is None:
        return "no JAX is installed"
    if "node" in line and shutil.which("node") is None:
        return "no node here"
    if "./dpo_loss" in line and shutil.which("g++") is None:
        return "no g++ here"
    return None


def test_the_page_has_what_the_other_tests_look_at():
    assert len(COMMANDS) == 8
    assert len(FILES) == 8
    assert len(LINES) == len(COMMANDS) + 1
    for name in set(FILES) - OTHERS_OWN:
        assert any(f"{name}:loss" in command for command in COMMANDS), name


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_of_the_page_judges_each_snippet_right(clone, line):
    if needs(line):
        pytest.skip(needs(line))
    if "./dpo_loss" in line:
        (compile_line,) = [other for other in LINES if other.startswith("g++ ")]
        subprocess.run(shlex.split(compile_line), check=True, timeout=300)
    record = judged(line)
    assert record.runs
    assert [(run.verdict, run.violated) for run in record.runs] == [(Verdict.CONFORMS, ())] * len(record.runs)


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("torch_loss.py", "-F.logsigmoid(z)", "-F.sigmoid(z).log()"),
        ("numpy_loss.py", "return -slope, slope, slope, -slope", "return slope, -slope, -slope, slope"),
        ("quill_loss.py", "(pc - rc) - (pr - rr)", "(pr - rr) - (pc - rc)"),
        ("class_loss.py", "kept.beta, kept.label_smoothing = beta, label_smoothing", "kept.beta = beta"),
        ("trainer.py", ".mean()", ".sum() / 2"),
    ],
)
def test_a_mistake_in_a_snippet_is_found(clone, name, right, wrong):
    assert FILES[name].count(right) == 1
    (clone / name).write_text(FILES[name].replace(right, wrong), encoding="utf-8")
    (line,) = [command for command in COMMANDS if name.removesuffix(".py") in command]
    assert {run.verdict for run in judged(line).runs} == {Verdict.VIOLATES}


@pytest.mark.parametrize("name", sorted(set(FILES) - OTHERS_OWN))
def test_wrapping_takes_no_more_than_ten_lines(name):
    wrapping = [line for line in FILES[name].splitlines() if line.strip()]
    if name in FORMULAS:
        (function,) = [node for node in ast.parse(FILES[name]).body if getattr(node, "name", "") == "loss"]
        wrapping = wrapping[: len(wrapping) - (function.end_lineno - function.lineno + 1)]
    assert len(wrapping) <= 10
