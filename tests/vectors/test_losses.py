"""The vectors of the losses: as they would be written, each flag earned, and consumed by plain float64 code."""

import json
import math
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from conformance.cli import main
from conformance.vectorgen import losses as made
from conformance.vectorgen.losses import FOLDER, document
from conformance.vectorgen.problems import BadVectors
from oracle.losses import LOSSES

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "vectors"
FILES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")}


def test_each_loss_has_a_file_and_each_wrong_variant_is_caught():
    assert set(FILES) == set(LOSSES)
    for name, file in FILES.items():
        caught = {flag for test in file["tests"] for flag in test["flags"]}
        assert caught == set(file["notes"]), name


@pytest.mark.parametrize("name", ["exo_pair", "kto", "aot"])
def test_a_file_is_what_would_be_written(name):
    assert FILES[name] == json.loads(json.dumps(document(LOSSES[name])))


def test_every_file_is_of_the_schema_and_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(made.schema())
    for name, file in FILES.items():
        assert made.invalid(name, file) == []
        assert file["numberOfTests"] == len(file["tests"])


def test_what_is_not_of_the_schema_is_not_written(two, monkeypatch, tmp_path):
    monkeypatch.setattr(made, "VERSION", 2)
    with pytest.raises(BadVectors, match="version"):
        made.write(tmp_path / "losses")
    assert not (tmp_path / "losses").exists()


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
@pytest.mark.parametrize(("module", "status", "said"), [("right", 0, " 0 rejected"), ("naive", 1, "ipo_average/sum")])
def test_a_consumer_in_javascript_finds_the_wrong_one_and_says_which(module, status, said):
    command = ["node", EXAMPLES / "losses.mjs", FOLDER, EXAMPLES / f"losses-{module}.mjs"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == status, result.stdout + result.stderr
    assert said in result.stdout


def test_a_consumer_without_the_suite():
    """Plain Python's math, from the file alone."""
    for test in FILES["sigmoid"]["tests"]:
        pc, pr, rc, rr = ([float.fromhex(x) for x in row] for row in test["inputs"].values())
        beta = float.fromhex(test["parameters"]["beta"]["hex"])
        logits = [beta * ((a - c) - (b - d)) for a, b, c, d in zip(pc, pr, rc, rr, strict=True)]
        for z, accepted in zip(logits, test["formats"]["binary64"]["losses"], strict=True):
            loss = math.log1p(math.exp(-abs(z))) + max(-z, 0)
            assert float.fromhex(accepted["lowest"]) <= loss <= float.fromhex(accepted["highest"])


@pytest.fixture
def two(monkeypatch):
    """Two of the losses, as if there were no others."""
    few = {name: LOSSES[name] for name in ("hinge", "ipo_sum")}
    monkeypatch.setattr(made, "LOSSES", few)
    return few


def test_the_command_writes_checks_and_removes(two, tmp_path):
    folder = tmp_path / "losses"
    result = CliRunner().invoke(main, ["vectors", "losses", str(folder)])
    assert (result.exit_code, result.output) == (0, f"2 files in {folder}\n")
    for name in two:
        assert (folder / f"{name}.json").read_bytes() == (FOLDER / f"{name}.json").read_bytes()
    assert CliRunner().invoke(main, ["vectors", "losses", "--check", str(folder)]).exit_code == 0
    (folder / "hinge.json").write_text("{}")
    (folder / "gone.json").write_text("{}")
    data = json.loads((folder / "ipo_sum.json").read_text())
    data["tests"][0]["parameters"]["beta"]["decimal"] = "0.5"
    data["tests"][1]["flags"].append("ipo_sum/other")
    (folder / "ipo_sum.json").write_text(json.dumps(data))
    stale = CliRunner().invoke(main, ["vectors", "losses", "--check", str(folder)])
    assert stale.exit_code == 1
    for said in (
        "hinge.json: '$schema' is a required property",
        "ipo_sum.json, notes: ipo_sum/other is flagged and has no note",
        "gone.json: no loss has this name",
    ):
        assert said in stale.output
    assert "beta" in stale.output
    (folder / "hinge.json").write_text("no")
    (folder / "ipo_sum.json").unlink()
    told = [str(problem) for problem in made.check(folder)]
    assert told[0].startswith("hinge.json: is no JSON")
    assert told[1] == "ipo_sum.json: is missing"
    CliRunner().invoke(main, ["vectors", "losses", str(folder)])
    assert sorted(path.stem for path in folder.iterdir()) == sorted(two)
