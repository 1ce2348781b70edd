"""`dpo-conformance vectors`: what it prints and its exit status."""

import json
import re
import shutil

import pytest
from click.testing import CliRunner

from conformance.cli import main
from conformance.vectorgen import folder

from .consumer import FOLDER


@pytest.fixture
def place(tmp_path):
    """A copy of the files."""
    return shutil.copytree(FOLDER, tmp_path / "vectors")


@pytest.fixture
def generated_once(monkeypatch, generated):
    """What was generated already, in the place of generating it again."""
    monkeypatch.setattr(folder, "generate", lambda *_: dict(generated))


def invoke(*arguments):
    return CliRunner().invoke(main, ["vectors", *(str(argument) for argument in arguments)])


@pytest.mark.usefixtures("generated_once")
def test_check_of_the_shipped_files():
    result = invoke("check")
    assert result.exit_code == 0
    assert re.fullmatch(r"\d+ vectors in \d+ files: all as generated\.\n", result.output)


@pytest.mark.usefixtures("generated_once")
def test_check_of_a_changed_bit(place):
    path = place / "kernel.json"
    data = json.loads(path.read_text())
    answer = data["tests"][3]["formats"]["binary32"]["loss"]
    answer["lowest"] = answer["rounded"]
    path.write_text(json.dumps(data))
    result = invoke("check", "--folder", place)
    assert result.exit_code == 1
    assert result.output.startswith(f"kernel.json, {data['tests'][3]['id']}, formats.binary32.loss.lowest: is ")
    assert result.output.count("\n") == 1


@pytest.mark.usefixtures("generated_once")
def test_check_prints_twenty_problems_or_all(place):
    for name in ("kernel.json", "special.json"):
        data = json.loads((place / name).read_text())
        data["tests"] = data["tests"][:1]
        (place / name).write_text(json.dumps(data))
    short, full = invoke("check", "--folder", place), invoke("check", "--all", "--folder", place)
    assert short.exit_code == full.exit_code == 1
    assert short.output.count("\n") == 21
    assert re.search(r"\.\.\. and \d+ more; --all prints them\.\n$", short.output)
    assert full.output.count("\n") > 100


@pytest.mark.usefixtures("generated_once")
def test_write_says_what_it_wrote(place):
    assert invoke("write", "--folder", place).output == "Nothing changed.\n"
    (place / "mean.json").unlink()
    result = invoke("write", "--folder", place)
    assert result.exit_code == 0
    assert result.output == f"{place / 'mean.json'}: written\n"
    assert (place / "mean.json").read_bytes() == (FOLDER / "mean.json").read_bytes()


@pytest.mark.usefixtures("generated_once")
def test_write_refuses_where_an_id_vanished(place):
    with (place / "ids.txt").open("a") as ids:
        ids.write("kernel-00000000\n")
    (place / "mean.json").unlink()
    result = invoke("write", "--folder", place)
    assert result.exit_code == 1
    assert "ids.txt, kernel-00000000: was published and is gone" in result.stderr
    assert "Nothing was written." in result.stderr
    assert not (place / "mean.json").exists()


def test_list_shows_files_and_flags():
    result = invoke("list")
    assert result.exit_code == 0
    assert str(FOLDER) in result.output
    assert all(path.name in result.output for path in FOLDER.glob("*.json"))
    assert "LogOfSigmoid" in result.output


def test_list_of_a_flag_shows_its_note_and_its_tests():
    result = invoke("list", "robustforconservative")
    assert result.exit_code == 0
    assert result.output.startswith("RobustForConservative  wrong formula\n")
    assert "https://github.com/linkedin/Liger-Kernel/pull/1204" in result.output
    assert len(re.findall(r"^  smoothing-[0-9a-f]{8} ", result.output, re.MULTILINE)) >= 30


def test_list_of_what_is_no_flag():
    result = invoke("list", "Nothing")
    assert result.exit_code == 2
    assert "no flag 'Nothing'" in result.stderr


def test_list_of_a_file_that_is_not_valid(place):
    (place / "kernel.json").write_text("{}")
    result = invoke("list", "--folder", place)
    assert result.exit_code == 2
    assert "kernel.json" in result.stderr
    (place / "kernel.json").write_text("{")
    result = invoke("list", "--folder", place)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_a_folder_that_is_not_there(tmp_path):
    for name in ("check", "write", "list"):
        result = invoke(name, "--folder", tmp_path / "nothing")
        assert result.exit_code == 2
        assert "does not exist" in result.stderr
