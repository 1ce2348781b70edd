"""The action's steps, and the lines of docs/gate.md, run in a scratch repository: a pull request played through."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pages import fences

from conformance.records.record import read

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
DOCS = (ROOT / "docs/gate.md").read_text(encoding="utf-8")
STABLE = "np.maximum(-z, 0) + np.log1p(np.exp(-np.abs(z)))"
NAIVE = "-np.log(1 / (1 + np.exp(-z)))"
MINE = """import numpy as np

from conformance.implementations import numpy_implementation


@numpy_implementation(options=("beta",))
def loss(pc, pr, rc, rr, beta, eps):
    z = pc.dtype.type(beta) * ((pc - rc) - (pr - rr))
    with np.errstate(all="ignore"):
        return (STABLE).astype(pc.dtype)


@numpy_implementation(dtypes=["float32"])
def narrow(*arguments):
    return loss(*arguments)
""".replace("STABLE", STABLE)

pytestmark = pytest.mark.skipif(not (shutil.which("git") and shutil.which("bash")), reason="needs git and bash")


def blocks(language, containing):
    """The fenced blocks of docs/gate.md in that language that contain a text."""
    found = [fence.content for fence in fences("docs/gate.md") if fence.language == language]
    return [block for block in found if containing in block]


def environment(**more):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "OMP_NUM_THREADS": "1", "GIT_CONFIG_GLOBAL": os.devnull} | more


def shell(script, folder, **more):
    """A script as GitHub runs one under `shell: bash`."""
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(
        command, cwd=folder, env=environment(**more), capture_output=True, text=True, timeout=300, check=False
    )


class Job:
    """A job that uses the action: its steps run in a folder, with the inputs of a workflow."""

    def __init__(self, folder, **inputs):
        unknown = set(inputs) - set(ACTION["inputs"])
        assert not unknown
        missing = {name for name, facts in ACTION["inputs"].items() if facts.get("required")} - set(inputs)
        assert not missing
        self._inputs = {name: facts.get("default", "") for name, facts in ACTION["inputs"].items()} | inputs
        summary = folder.parent / "step-summary.md"
        summary.write_text("", encoding="utf-8")
        self.status, self.output = 0, ""
        for step in ACTION["runs"]["steps"]:
            if self.status == 0 and self._wanted(step.get("if", "")):
                given = {name: self._filled(value) for name, value in step.get("env", {}).items()}
                done = shell(step["run"], folder, GITHUB_STEP_SUMMARY=str(summary), **given)
                self.status, self.output = done.returncode, self.output + done.stdout + done.stderr
        self.summary = summary.read_text(encoding="utf-8")

    def _filled(self, value):
        return re.sub(r"\$\{\{ inputs\.([a-z]+) \}\}", lambda found: self._inputs[found.group(1)], value)

    def _wanted(self, condition):
        if not condition:
            return True
        name, operator, value = re.fullmatch(r"inputs\.([a-z]+) (==|!=) '(.*)'", condition).groups()
        return (self._inputs[name] == value) == (operator == "==")


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository with a loss that conforms and a baseline of it, both committed, made by the lines of the page."""
    folder = tmp_path_factory.mktemp("scratch") / "repository"
    folder.mkdir()
    (folder / "mine.py").write_text(MINE, encoding="utf-8")
    (judge,) = (line for line in gitlab()["script"] if "conformance run" in line)
    (block,) = blocks("bash", "--update")
    commit = "git init -q . && git add . && git -c user.name=n -c user.email=e@x commit -qm 'The loss, and its baseline'"
    done = shell(f"CI_JOB_ID=1\n{judge}\n{block}\nrm record.json\nprintf '__pycache__/\\n' > .gitignore\n{commit}", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert read(folder / "baseline.json").conforms
    return folder


def gitlab():
    (block,) = blocks("yaml", ".gitlab-ci.yml")
    return yaml.safe_load(block)["dpo"]


def workflow_inputs():
    """The inputs that the page's workflow gives to the action; the suite is installed here already."""
    (block,) = blocks("yaml", "- uses: OWNER")
    (step,) = (step for step in yaml.safe_load(block)["jobs"]["dpo"]["steps"] if "OWNER" in step.get("uses", ""))
    return step["with"] | {"install": "false"}


def branch(folder, text):
    (folder / "mine.py").write_text(text, encoding="utf-8")
    assert shell("rm -rf __pycache__", folder).returncode == 0


@pytest.mark.parametrize("step", ACTION["runs"]["steps"], ids=lambda step: step["name"])
def test_no_step_pastes_an_input_into_its_script(step):
    assert step["shell"] == "bash"
    assert "${{" not in step["run"]


@pytest.mark.no_cover
def test_a_pull_request_is_turned_red_by_the_gate_and_green_by_reverting_it(repository):
    green = Job(repository, **workflow_inputs())
    assert green.status == 0, green.output
    assert "dpo-conformance gate: ✅ passes" in green.summary

    branch(repository, MINE.replace(STABLE, NAIVE))
    red = Job(repository, **workflow_inputs())
    assert red.status == 1, red.output
    assert "dpo-conformance gate: ❌ fails" in red.summary
    row = next(
        line for line in red.summary.splitlines() if line.startswith("| KERNEL-1 MUST value of the kernel: loss in bfloat16")
    )
    _, rules, where, mends = row.split(" | ")
    assert "must-violated: conformed before; violated now at " in rules
    assert "grade-dropped: " in rules
    assert where.startswith("z = -89: loss inf (inf), exact 89.0")
    assert "stable log-sigmoid" in mends
    assert "not log(sigmoid(z))" in mends
    assert "<details><summary>KERNEL-1 MUST" in red.summary
    assert re.search(
        r"::error file=mine\.py,title=KERNEL-1 MUST value of the kernel%3A loss in bfloat16::must-violated", red.output
    )
    assert '<failure message="must-violated' in (repository / "dpo-conformance/junit.xml").read_text(encoding="utf-8")

    assert shell("git checkout -q mine.py", repository).returncode == 0
    reverted = Job(repository, **workflow_inputs())
    assert reverted.status == 0, reverted.output
    assert "<failure" not in (repository / "dpo-conformance/junit.xml").read_text(encoding="utf-8")
    assert shell("git status --porcelain mine.py baseline.json", repository).stdout == ""


def test_without_a_baseline_a_violated_must_fails_the_job(repository):
    inputs = {name: value for name, value in workflow_inputs().items() if name != "baseline"}
    branch(repository, MINE.replace(STABLE, NAIVE))
    job = Job(repository, **inputs)
    assert job.status == 1
    assert "KERNEL-1 MUST value of the kernel: loss in bfloat16 violates it" in job.summary
    assert "::error file=mine.py,title=KERNEL-1" in job.output
    assert sorted(path.name for path in (repository / "dpo-conformance").iterdir()) == [
        "junit.xml",
        "record.json",
        "summary.md",
    ]
    branch(repository, MINE)


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"implementations": "none.py:loss"}, "none.py: no such file"),
        ({"formats": "float8"}, "float8"),
        ({"implementations": "$(touch${IFS}pwned).py:loss"}, "$(touch${IFS}pwned).py: no such file"),
        ({"implementations": "mine.py:loss mine.py:narrow"}, "Not judged in any format: narrow."),
        ({"seed": "1"}, "seed 0 before and 1 now"),
        ({"baseline": "none.json"}, "none.json: no such file"),
    ],
)
def test_what_cannot_be_judged_or_compared_fails_the_job_with_2(repository, inputs, said):
    job = Job(repository, **(workflow_inputs() | inputs))
    assert job.status == 2, job.output
    assert said in " ".join(job.output.split())
    assert not (repository / "pwned").exists()


@pytest.mark.no_cover
def test_the_lines_for_gitlab_and_for_any_shell_do_the_same(repository):
    (script,) = blocks("bash", "set -e")
    artifacts = gitlab()["artifacts"]
    for text, status in ((MINE.replace(STABLE, NAIVE), 1), (MINE, 0)):
        branch(repository, text)
        done = shell("\n".join(gitlab()["script"]), repository, CI_JOB_ID="2")
        assert done.returncode == status, done.stdout + done.stderr
        for name in (*artifacts["paths"], artifacts["reports"]["junit"]):
            assert (repository / name).is_file()
    branch(repository, MINE.replace(STABLE, NAIVE))
    done = shell(script, repository)
    assert done.returncode == 1, done.stdout + done.stderr
    branch(repository, MINE)
    shown = shell("dpo-conformance report record.json --form markdown", repository)
    assert shown.stdout == (repository / "run.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["gitlab", "any shell"])
def test_a_record_of_an_earlier_job_passes_no_gate(repository, kind):
    (script,) = ["\n".join(gitlab()["script"])] if kind == "gitlab" else blocks("bash", "set -e")
    stale = (repository / "baseline.json").read_bytes()
    fakes = repository.parent / "fakes"
    fakes.mkdir(exist_ok=True)
    real = Path(sys.executable).with_name("dpo-conformance")
    (fakes / "dpo-conformance").write_text(f'#!/bin/sh\n[ $1 = run ] && exit 1\nexec {real} "$@"\n')  # a broken install
    (fakes / "rm").write_text("#!/bin/sh\n")  # a folder of a cache, say
    for fake in fakes.iterdir():
        fake.chmod(0o755)
    (repository / "record.json").write_bytes(stale)
    done = shell(script, repository, CI_JOB_ID="3", PATH=f"{fakes}{os.pathsep}{environment()['PATH']}")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "it is of another run" in " ".join(done.stderr.split())


def test_the_page_names_every_rule_and_its_acceptances_are_read(tmp_path):
    from conformance.gate import RULES, read_acceptances  # noqa: PLC0415

    assert all(f"`{rule}`" in DOCS for rule in RULES)
    (block,) = blocks("toml", "accept")
    (tmp_path / "accept.toml").write_text(block, encoding="utf-8")
    found = read_acceptances(tmp_path / "accept.toml")
    assert [acceptance.format for acceptance in found] == ["binary16", "bfloat16"]
