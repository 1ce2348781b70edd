"""The pytest plugin in a project of its own, and the one line for anyone's own test."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from pages import fences

from conformance.clauses import CLAUSES
from conformance.errors import BadRequest, CannotLoad
from conformance.implementations import load, numpy_implementation
from conformance.implementations.plugged import GROUP
from conformance.reports import causes, words
from conformance.running.runner import judge
from conformance.testing import assert_conforms

pytest_plugins = ["pytester"]

MINE = """
import numpy as np
from conformance.implementations import numpy_implementation

@numpy_implementation(options=("beta",), dtypes=("bfloat16", "float32"))
def loss(pc, pr, rc, rr, beta, eps):
    z = pc.dtype.type(beta) * ((pc - rc) - (pr - rr))
    with np.errstate(all="ignore"):
        return (-np.log(1 / (1 + np.exp(-z)))).astype(pc.dtype)

@numpy_implementation
def nothing(*arguments):
    return None
"""
OWN = "def test_own():\n    pass\n"
ACCEPT = '[[accept]]\nimplementation = "loss"\nformat = "bfloat16"\nclause = "{}"\nreason = "the kernel is being rewritten"\n'


@pytest.fixture
def project(pytester):
    """project(*options): pytest in a project with a loss and a test of its own; in a process of its own if it is asked for."""
    pytester.makepyfile(mine=MINE, test_own=OWN)
    pytester.makeini("[pytest]\naddopts = --strict-markers -p no:cacheprovider\nfilterwarnings = error\n")

    def project(*options, implementation="mine.py:loss", process=False):
        named = ["--dpo-implementation", implementation] if implementation else []
        runner = pytester.runpytest_subprocess if process else pytester.runpytest_inprocess
        return runner("-p", "dpo_conformance_pytest", *named, *options)

    project.write = lambda name, text: pytester.path.joinpath(name).write_text(text, encoding="utf-8")
    return project


def items(result):
    """The ids of the collected items, under -qq --collect-only."""
    return [line.partition(": ")[0] for line in result.outlines if "::" in line]


def test_every_clause_in_every_claimed_format_is_an_item(project):
    found = items(project("--collect-only", "-q"))
    assert found[0] == "test_own.py::test_own"
    assert found[1:] == [f"dpo[loss-{fmt}]::{clause.id}" for fmt in ("bfloat16", "binary32") for clause in CLAUSES]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--dpo-dtype", "bfloat16", "-k", "KERNEL-1"], ["KERNEL-1"]),
        (["--dpo-dtype", "bfloat16", "-k", "KERNEL-1 or DEF-2"], ["DEF-2", "KERNEL-1"]),
        (["-k", "kernel and float32 and binary32"], []),
        (["-k", "binary32 and REDUCE"], [clause.id for clause in CLAUSES if clause.chapter == "REDUCE"]),
        (["--dpo-dtype", "float32", "-m", "dpo"], [clause.id for clause in CLAUSES]),
        (["--dpo-dtype", "float32", "-m", "should"], [clause.id for clause in CLAUSES if clause.level == "SHOULD"]),
        (["--dpo-dtype", "float32", "-m", "must and dpo"], [clause.id for clause in CLAUSES if clause.level == "MUST"]),
        (
            ["--dpo-dtype", "float32", "-m", "chapter(name='GRAD')"],
            [clause.id for clause in CLAUSES if clause.chapter == "GRAD"],
        ),
    ],
)
def test_items_are_selected_by_name_and_by_marker(project, options, wanted):
    result = project("--collect-only", "-q", *options)
    assert [item.partition("::")[2] for item in items(result)] == wanted
    assert "-" not in re.sub(r"\d+/\d+ tests", "", result.outlines[-1].partition(" in ")[0])


def test_a_violation_fails_with_the_text_of_the_command_line(project):
    result = project(
        "--dpo-dtype",
        "bfloat16",
        "-k",
        "(KERNEL and not KERNEL-6 and not KERNEL-7) or (CALL-1 and not CALL-10 and not CALL-11) or own",
        "-rxs",
        "-v",
    )
    result.assert_outcomes(passed=2, failed=1, skipped=2, xfailed=2)
    (run,) = judge("mine.py:loss", dtypes=["bfloat16"], clauses=[c for c in CLAUSES if c.id == "KERNEL-1"]).runs
    text, shown = words.violation(run, run.findings[0]), result.stdout.str()
    assert text in shown
    assert shown.index("loss: its losses are") < shown.index("to see it again") < shown.index(text), "the cause comes first"
    assert "KERNEL-1 value of the kernel: loss in bfloat16" in result.stdout.str()
    assert re.search(r"SHOULD violated at [\d,]+ of [\d,]+ numbers: z = -89", result.stdout.str())
    assert "not claimed: it does not claim gradients" in result.stdout.str()
    assert "pytest_items.py" not in re.sub(r"SKIPPED.*", "", result.stdout.str()), "no traceback into the suite"


def test_an_accepted_violation_is_an_expected_failure_with_its_reason(project):
    project.write("accept.toml", ACCEPT.format("KERNEL-1"))
    result = project(
        "--dpo-dtype",
        "bfloat16",
        "--dpo-accept",
        "accept.toml",
        "-m",
        "chapter(name='KERNEL')",
        "-k",
        "not KERNEL-6 and not KERNEL-7",
        "-rx",
    )
    result.assert_outcomes(xfailed=3, skipped=2)
    assert "dpo[loss-bfloat16]::KERNEL-1 - the kernel is being rewritten" in result.stdout.str()


@pytest.mark.parametrize(
    ("clause", "more", "said"),
    [
        ("DEF-2", "", "is accepted: the kernel is being rewritten but conforms now: remove the acceptance"),
        ("KERNEL-2", "", "but not claimed now: remove the acceptance"),
        ("KERNEL-1", "expires = 2020-01-01", "but only until 2020-01-01 KERNEL-1 MUST value of the kernel: loss in"),
    ],
)
def test_an_acceptance_that_is_out_of_order_fails(project, clause, more, said):
    project.write("accept.toml", ACCEPT.format(clause) + more)
    result = project("--dpo-dtype", "bfloat16", "--dpo-accept", "accept.toml", "-k", clause)
    result.assert_outcomes(failed=1)
    assert said in " ".join(result.stdout.str().split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--dpo-implementation", "none.py:loss"], "none.py: no such file"),
        (["--dpo-dtype", "float8"], "--dpo-dtype: "),
        (["--dpo-dtype", "float16"], "loss can be judged in no format: it does not claim binary16"),
        (["--dpo-profile", "fast"], "no profile 'fast'"),
        (["--dpo-accept", "accept.toml"], "loss bfloat16 KERNEL-9 is accepted"),
        (["--dpo-accept", "none.toml"], "none.toml: No such file"),
        (["-n", "1", "--dpo-dtype", "float8"], "--dpo-dtype: "),
    ],
)
def test_wrong_usage_is_told_without_a_traceback(project, options, said):
    project.write("accept.toml", ACCEPT.format("KERNEL-9"))
    result = project(*options, process="-n" in options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str()
    assert "Traceback" not in result.stderr.str()


def test_the_test_of_the_page_fails_where_the_loss_is_wrong(pytester):
    (fence,) = [fence for fence in fences("docs/pytest.md") if fence.file == "test_loss.py"]
    pytester.makepyfile(mine=MINE, test_loss=fence.content)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    assert "AssertionError: 1 run: 1 violates, by " in result.stdout.str()
    assert "KERNEL-1 MUST value of the kernel: loss in bfloat16 violates it at 16,183 of " in result.stdout.str()
    assert "conformance/testing/" not in result.stdout.str()


def test_who_gives_no_answer_is_asked_once(project):
    result = project(
        "--dpo-dtype",
        "bfloat16",
        "-k",
        "(CALL-1 and not CALL-10 and not CALL-11) or DEF-2",
        "-rs",
        implementation="mine.py:nothing",
    )
    result.assert_outcomes(failed=1, skipped=1)
    assert "not run: it violates CALL-1: wrong type" in result.stdout.str()


@pytest.mark.no_cover
def test_it_works_under_xdist(project):
    project.write("accept.toml", ACCEPT.format("KERNEL-1"))
    result = project(
        "-n",
        "2",
        "--dpo-dtype",
        "bfloat16",
        "--dpo-accept",
        "accept.toml",
        "-k",
        "(KERNEL and not KERNEL-6 and not KERNEL-7) or DEF or own",
        process=True,
    )
    result.assert_outcomes(passed=7, xfailed=3, skipped=2)


def test_unused_it_adds_nothing_and_imports_nothing(project):
    result = project("--markers", implementation=None)
    assert "dpo" not in result.stdout.str()
    project(implementation=None, process=True).assert_outcomes(passed=1)
    ours = {"numpy", "oracle", "conformance"}
    code = f"import sys, dpo_conformance_pytest; print([m for m in sys.modules if m.split('.')[0] in {ours}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.no_cover
@pytest.mark.parametrize("more", [[], ["-n", "1"]], ids=["here", "xdist"])
def test_the_id_of_an_item_can_be_pasted_and_its_line_says_what_is_wrong(project, more):
    result = project("dpo[loss-bfloat16]::KERNEL-1", "dpo[loss-binary32]::CALL-1", *more, process=bool(more))
    result.assert_outcomes(failed=1, passed=1)
    (line,) = [line for line in result.outlines if line.startswith("FAILED")]
    assert line.startswith("FAILED dpo[loss-bfloat16]::KERNEL-1 - violated at ")
    assert "KERNEL-1 MUST value of the kernel: loss in bfloat16 violates it at" in result.stdout.str()
    project("dpo[loss-bfloat16]::CALL-1", "test_own.py", *more, process=bool(more)).assert_outcomes(passed=2)


def test_an_id_without_its_implementation_says_what_is_missing(project):
    result = project("dpo[loss-bfloat16]::KERNEL-1", implementation=None, process=True)
    assert "add the --dpo-implementation that it was made by" in result.stderr.str()


# -- in a project that has a package of one of our names ---------------------------------------------------------------

OWN_PACKAGE = "import {0}\n\ndef test_own():\n    assert {0}.OWN\n"


@pytest.fixture(params=["conformance", "oracle"])
def shadowing(request, tmp_path):
    """A folder with a package of that name and a test of it."""
    package = tmp_path / request.param
    package.mkdir()
    (package / "__init__.py").write_text("OWN = True\n")
    (tmp_path / "test_own.py").write_text(OWN_PACKAGE.format(request.param))
    (tmp_path / "mine.py").write_text(MINE)
    return package


def pytest_in(folder, *arguments, **variables):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV_"))}
    done = subprocess.run(command, cwd=folder, env=kept | variables, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_project_with_a_package_of_our_name_runs_its_own_tests(shadowing):
    status, told = pytest_in(shadowing.parent)
    assert (status, "1 passed" in told) == (0, True), told


def test_where_a_package_shadows_ours_the_plugin_says_which_and_the_command_judges_all_the_same(shadowing):
    status, told = pytest_in(shadowing.parent, "--dpo-implementation", "mine.py:loss")
    assert status == 4, told
    assert f"{shadowing} shadows its package '{shadowing.name}' here" in told
    judged = ["run", "mine.py:loss", "--dtype", "float32", "-c", "CALL-1", "-q"]
    command = [Path(sys.executable).with_name("dpo-conformance"), *judged]
    done = subprocess.run(command, cwd=shadowing.parent, capture_output=True, text=True, check=False)
    assert (done.returncode, "1 conforms" in done.stdout) == (0, True), done.stdout + done.stderr


def test_the_wheel_has_the_plugin_at_its_top_and_nowhere_else(tmp_path, shadowing):
    pytest.importorskip("hatchling")
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = [name for name in packed.namelist() if "dpo_conformance_pytest" in name]
        assert names == ["dpo_conformance_pytest.py"]
        tops = {name.partition("/")[0] for name in packed.namelist() if "dist-info" not in name}
        assert tops == {"oracle", "conformance", "dpo_conformance_pytest.py"}
        packed.extractall(tmp_path / "installed")
    status, told = pytest_in(shadowing.parent, "--dpo-implementation", "mine.py:loss", PYTHONPATH=str(tmp_path / "installed"))
    assert (status, f"{shadowing} shadows" in told) == (4, True), told


# -- in one line -------------------------------------------------------------------------------------------------------


def test_what_conforms_is_asserted_and_its_record_returned(softplus):
    record = assert_conforms(numpy_implementation(softplus), dtypes=["bfloat16"], clauses=["DEF-2", "call"])
    assert [finding.clause for finding in record.runs[0].findings] == [
        clause.id for clause in CLAUSES if clause.chapter == "CALL" or clause.id == "DEF-2"
    ]


def test_what_does_not_conform_fails_with_the_text_of_the_command_line(linear):
    with pytest.raises(AssertionError) as caught:
        assert_conforms(linear, dtypes=["bfloat16", "float32"], clauses=["DEF"])
    record = judge(linear, dtypes=["bfloat16", "float32"], clauses=[c for c in CLAUSES if c.chapter == "DEF"])
    told = str(caught.value).split("\n\n")
    violations = [(run, finding) for run in record.runs for finding in run.violated]
    assert len(violations) > 5
    assert told[0] == words.summary(record)
    assert told[1:-1] == ["\n".join(causes.lines(cause)) for cause in causes.told(record)]
    assert told[1].startswith("linear: its losses are, at some of the numbers asked, 0 in bfloat16 and binary32")
    assert told[-1] == "\n".join(words.headline(run, finding) for run, finding in violations)


def test_what_was_judged_in_no_format_is_no_pass(softplus):
    with pytest.raises(AssertionError, match="softplus was judged in no format: it does not claim binary64"):
        assert_conforms(numpy_implementation(softplus, dtypes=["float32"]), dtypes=["float64"], clauses=["DEF-2"])


def test_what_is_no_implementation_is_told(softplus):
    with pytest.raises(BadRequest, match="is a function, not an implementation; wrap it with numpy_implementation"):
        assert_conforms(softplus)
    with pytest.raises(BadRequest, match="no clause 'DEF-99'"):
        assert_conforms(numpy_implementation(softplus), clauses=["DEF-99"])


# -- implementations of other distributions ----------------------------------------------------------------------------


@pytest.fixture
def distribution(tmp_path, monkeypatch):
    """An installed distribution that adds the implementation `theirs`, and `broken`."""
    (tmp_path / "theirs_package.py").write_text(MINE, encoding="utf-8")
    info = tmp_path / "theirs_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs-package\nVersion: 1.0\n", encoding="utf-8")
    points = f"[{GROUP}]\ntheirs = theirs_package:loss\nbroken = theirs_package:none\n"
    (info / "entry_points.txt").write_text(points, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))


def test_a_distribution_adds_an_implementation_by_entry_point(distribution):
    from click.testing import CliRunner  # noqa: PLC0415

    from conformance.cli import main  # noqa: PLC0415

    assert load("theirs").name == "loss"
    with pytest.raises(CannotLoad, match="broken: theirs_package has no attribute 'none'"):
        load("broken")
    assert re.search(r"theirs .*theirs_package:loss, of theirs-package", CliRunner().invoke(main, ["list"]).output)
    result = CliRunner().invoke(main, ["run", "other"])
    assert "theirs" in result.stderr
