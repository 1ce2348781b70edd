"""The vectors of the losses: as they would be written, each flag earned, and consumed by plain float64 code."""

import json
import math

import pytest
from click.testing import CliRunner

from conformance.cli import main
from conformance.vectorgen import losses as made
from conformance.vectorgen.losses import FOLDER, document
from oracle.losses import LOSSES

FILES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")}


def test_each_loss_has_a_file_and_each_wrong_variant_is_caught():
    assert set(FILES) == set(LOSSES)
    for name, file in FILES.items():
        caught = {flag for test in file["tests"] for flag in test["flags"]}
        assert caught == set(file["notes"]), name


@pytest.mark.parametrize("name", ["exo_pair", "kto", "aot"])
def test_a_file_is_what_would_be_written(name):
    assert FILES[name] == json.loads(json.dumps(document(LOSSES[name])))


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
    stale = CliRunner().invoke(main, ["vectors", "losses", "--check", str(folder)])
    assert stale.exit_code != 0
    assert "not what would be written: hinge" in stale.output
    CliRunner().invoke(main, ["vectors", "losses", str(folder)])
    assert sorted(path.stem for path in folder.iterdir()) == sorted(two)
