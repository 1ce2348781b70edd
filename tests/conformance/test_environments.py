"""An environment for one implementation: what makes it is asked once, and what fails is told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance import judge
from conformance.clauses import CLAUSES, find
from conformance.cli import main
from conformance.errors import CannotInstall, UnknownImplementation
from conformance.files import CACHE
from conformance.records.record import Verdict
from conformance.running import environments
from conformance.running.environments import prepare

FAKE = """#!{python}
import os, pathlib, sys
arguments = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(repr(arguments) + "\\n")
if os.environ.get("FAKE_UV_FAILS", "") in arguments:
    print("x" * 99)
    sys.exit("error: no matching distribution\\nhint: there is none")
if arguments[0] == "venv":
    python = pathlib.Path(arguments[-1], "bin", "python")
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\\nexec {python} "$@"\\n')
    python.chmod(0o755)
"""
MINE = """# /// script
# dependencies = ["some-library==1.0", "alone==2"]
# [tool.dpo-conformance]
# no-deps = ["alone"]
# ///
import importlib.util, os
from conformance.implementations import numpy_implementation
seen = [importlib.util.find_spec("decoy") is not None, "VIRTUAL_ENV" in os.environ, os.environ.get("UV_TORCH_BACKEND")]
F = numpy_implementation(lambda pc, *_: pc, name=repr(seen))
"""


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """calls(): what the fake uv, alone on the path, was called with; the cache is empty at first."""
    log, program = tmp_path / "log", tmp_path / "bin" / "uv"
    program.parent.mkdir()
    program.write_text(FAKE.format(python=sys.executable, log=str(log)), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    return lambda: [json.loads(line.replace("'", '"')) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE, encoding="utf-8")
    return f"{path}:F"


def test_an_environment_is_made_once(calls, mine):
    told = []
    first, second = (prepare(mine, told=told.append) for _ in range(2))
    assert first == second
    assert len(told) == 1
    assert "some-library==1.0, alone==2" in told[0]
    venv, install, alone = calls()
    folder = Path(first.python).parent.parent
    assert venv[0] == "venv"
    assert venv[-1] == str(folder)
    assert install[:4] == ["pip", "install", "--python", first.python]
    assert install[-1] == "some-library==1.0"
    assert any(item.startswith("mpmath") for item in install), "what the suite itself needs"
    assert not any(item.startswith(("torch", "pytest")) for item in install), "the suite's extras"
    assert alone[4:] == ["--no-deps", "alone==2"]


def test_other_requirements_are_another_environment_and_another_name_is_not(calls, mine, tmp_path):
    first = prepare(mine)
    Path(tmp_path / "other.py").write_text(MINE, encoding="utf-8")
    assert prepare(f"{tmp_path}/other.py:F") == first
    Path(tmp_path / "other.py").write_text(MINE.replace("==1.0", "==1.1"), encoding="utf-8")
    assert prepare(f"{tmp_path}/other.py:F") != first
    assert len(calls()) == 6


@pytest.mark.parametrize("step", ["venv", "some-library==1.0", "--no-deps"])
def test_a_failed_install_is_told_with_the_tools_last_lines_and_tried_again(calls, mine, monkeypatch, step):
    monkeypatch.setenv("FAKE_UV_FAILS", step)
    with pytest.raises(CannotInstall) as error:
        prepare(mine)
    assert "exit status 1\n" in str(error.value)
    assert str(error.value).endswith("  error: no matching distribution\n  hint: there is none")
    assert str(error.value).startswith(f"{mine}: ")
    monkeypatch.delenv("FAKE_UV_FAILS")
    assert Path(prepare(mine).python).is_file()


def test_one_that_was_left_half_made_is_made_again(calls, mine):
    made = prepare(mine)
    (Path(made.python).parent.parent / "complete.json").unlink()
    prepare(mine)
    assert len(calls()) == 6


def test_without_uv_it_is_said_how_to_get_it(calls, mine, monkeypatch):
    told = []
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(CannotInstall, match="pip install uv, or --installer pip"):
        prepare(mine, told=told.append)
    assert calls() == told == []


def test_pip_makes_it_from_this_python(calls, mine, monkeypatch):
    ran = []

    def run(command, **_):
        ran.append(command)
        Path(command[-1]).mkdir(parents=True, exist_ok=True) if command[1:3] == ["-m", "venv"] else None
        return subprocess.CompletedProcess(command, 0, "")

    monkeypatch.setattr(subprocess, "run", run)
    made = prepare(mine, installer="pip")
    assert ran[0] == [sys.executable, "-m", "venv", str(Path(made.python).parent.parent)]
    assert ran[1][:4] == [made.python, "-m", "pip", "install"]
    assert ran[2][-2:] == ["--no-deps", "alone==2"]
    assert calls() == []


def test_a_python_that_does_not_suit_is_for_uv_to_find(calls, mine, tmp_path):
    text = MINE.replace("# dependencies", '# requires-python = ">=4"\n# dependencies')
    Path(tmp_path / "mine.py").write_text(text, encoding="utf-8")
    prepare(mine)
    assert calls()[0][:4] == ["venv", "--quiet", "--python", ">=4"]
    with pytest.raises(CannotInstall, match=r"it needs Python >=4, and this is 3\."):
        prepare(mine, installer="pip")


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("math:log1p", CannotInstall, "does not state what it needs"),
        ("nothing", UnknownImplementation, "no implementation 'nothing'"),
    ],
)
def test_what_has_no_requirements_cannot_be_isolated(calls, name, error, said):
    with pytest.raises(error, match=said):
        prepare(name)


def test_it_is_judged_there_by_this_suite_and_sees_nothing_of_here(calls, mine, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "decoy.py").touch()
    monkeypatch.syspath_prepend(elsewhere)
    monkeypatch.setenv("PYTHONPATH", f"{elsewhere}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path))
    monkeypatch.setenv("UV_TORCH_BACKEND", "cpu")
    monkeypatch.chdir(elsewhere)
    chosen = [find("CALL-1")]
    here = judge(mine, dtypes=["bfloat16"], clauses=chosen)
    there = judge(mine, dtypes=["bfloat16"], clauses=chosen, interpreters={mine: prepare(mine)})
    assert here.runs[0].implementation == "[True, True, 'cpu']"
    assert there.runs[0].implementation == "[False, False, 'cpu']"
    assert there.runs[0].findings[0].verdict is Verdict.VIOLATES
    assert there.runs[0].environment["python"].startswith("3.")


def test_what_is_lent_is_this_suite_and_nothing_else(calls, mine):
    lent = Path(prepare(mine).suite)
    code = "import conformance, oracle, importlib.metadata as m; print(conformance.__file__, m.version('dpo-conformance'))"
    shown = subprocess.run(
        [sys.executable, "-P", "-c", code], env={"PYTHONPATH": str(lent)}, capture_output=True, text=True, check=True
    ).stdout.split()
    assert Path(shown[0]).parent == lent / "conformance"
    assert Path(shown[0]).resolve() == Path(environments.__file__).resolve().parent.parent / "__init__.py"
    assert {place.name.partition("-")[0] for place in lent.iterdir()} == {"conformance", "oracle", "dpo_conformance"}


def test_the_command_line_isolates(calls, mine, monkeypatch):
    monkeypatch.setattr("conformance.cli.run.judge", lambda *names, interpreters, **_: judged(names, interpreters))
    judged_by = {}

    def judged(names, interpreters):
        judged_by.update(interpreters)
        return judge(*names, dtypes=["bfloat16"], clauses=[CLAUSES[0]], interpreters=interpreters)

    result = CliRunner().invoke(main, ["run", mine, "--isolated"])
    assert result.exit_code == 1, result.output
    assert list(judged_by) == [mine]
    assert "with uv: some-library==1.0" in result.stderr
    refused = CliRunner().invoke(main, ["run", mine, "--isolated", "--in-process"])
    assert refused.exit_code == 2
    assert "exclude each other" in refused.stderr
