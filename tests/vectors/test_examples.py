"""The consumers in other languages, as they stand in the documentation: each takes right code and rejects naive code."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pages import fences

from .consumer import FOLDER

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "vectors"


def needs(*programs):
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"no {' and no '.join(missing)} on this machine")


def node(folder, module):
    command = ["node", str(EXAMPLES / "consumer.mjs"), str(folder), str(EXAMPLES / module)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_consumer_is_thirty_lines():
    assert len((EXAMPLES / "consumer.mjs").read_text(encoding="utf-8").splitlines()) <= 30


@needs("node")
def test_node_takes_right_code():
    done = node(FOLDER, "right.mjs")
    assert re.fullmatch(r"(\d{3,}) results judged, 0 rejected\n", done.stdout), done.stdout + done.stderr
    assert done.returncode == 0


@needs("node")
def test_node_rejects_naive_code():
    done = node(FOLDER, "naive.mjs")
    assert done.returncode == 1
    assert re.search(r"^kernel-[0-9a-f]{8} loss: got Infinity, exact 712\.0+", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^special-[0-9a-f]{8} loss: got NaN, exact 0 ", done.stdout, re.MULTILINE)


@needs("node")
def test_node_does_not_pass_an_empty_folder(tmp_path):
    assert node(tmp_path, "right.mjs").returncode == 1


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """compiled(*flags): the C consumer, compiled with warnings as errors."""
    place = tmp_path_factory.mktemp("c")

    def compiled(*flags):
        program = place / ("consumer" + "".join(flags))
        source = str(EXAMPLES / "consumer.c")
        command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", *flags, source, "-lm", "-o", str(program)]
        subprocess.run(command, check=True, timeout=60)
        return str(program)

    return compiled


@pytest.fixture(scope="module")
def lines():
    """All files, flattened by jq."""
    command = [
        "jq",
        "-r",
        "--arg",
        "format",
        "binary32",
        "-f",
        str(EXAMPLES / "flatten.jq"),
        *sorted(map(str, FOLDER.glob("*.json"))),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


@needs("cc", "jq")
def test_c_takes_right_code(compiled, lines):
    done = subprocess.run([compiled()], input=lines, capture_output=True, text=True, timeout=60, check=False)
    assert re.fullmatch(r"(\d{3,}) results judged, 0 rejected\n", done.stdout), done.stdout
    assert done.returncode == 0


@needs("cc", "jq")
def test_c_rejects_naive_code(compiled, lines):
    done = subprocess.run([compiled("-DNAIVE")], input=lines, capture_output=True, text=True, timeout=60, check=False)
    assert re.search(r"^kernel-[0-9a-f]{8}: got inf, accepted is ", done.stdout, re.MULTILINE), done.stdout
    assert done.returncode == 1


@needs("cc", "jq")
def test_c_does_not_pass_nothing(compiled):
    assert subprocess.run([compiled()], input="", capture_output=True, text=True, timeout=60, check=False).returncode == 1


def blocks(language):
    return [fence.content for fence in fences("docs/vectors.md") if fence.language == language]


def test_the_python_of_the_page_rejects_naive_code(monkeypatch):
    monkeypatch.chdir(FOLDER.parents[1])
    (code,) = blocks("python")
    naive = code.replace("max(-z, 0.0) + math.log1p(math.exp(-abs(z)))", "math.log(1 + math.exp(min(-z, 700.0)))")
    assert naive != code
    with pytest.raises(AssertionError, match="kernel-"):
        exec(compile(naive, "docs/vectors.md", "exec"), {})


def test_the_test_on_the_page_is_in_the_files(files):
    (shown, *_) = blocks("json")
    test = next(test for test in files["definition"]["tests"] if test["id"] == re.search(r'"id": "(.*?)"', shown)[1])
    assert f'"comment": "{test["comment"]}"' in shown
    assert test["exact"]["loss"] in shown
    assert all(bits in shown for bits in test["formats"]["binary32"]["loss"].values() if isinstance(bits, str))
    assert json.dumps(test["flags"]) in shown


def test_the_page_lists_every_file(files):
    text = (EXAMPLES.parents[1] / "vectors.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)\.json`", text, re.MULTILINE)) == set(files)
