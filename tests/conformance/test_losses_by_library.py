"""The losses of libraries: surveyed by name, kept, and told on one page."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli import main, matrix
from conformance.errors import BadRequest, CannotLoad, UnknownImplementation
from conformance.implementations import loading
from conformance.implementations.loading import load, named
from conformance.reports.loss_matrix import read_surveys, render
from conformance.running.survey import fitting, survey

DOCS = Path(__file__).parents[2] / "docs"
LIBRARY = """
import numpy as np
from conformance.implementations import numpy_implementation

def loss(loss, policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps, beta, **_):
    h = (policy_chosen_logps - ref_chosen_logps) - (policy_rejected_logps - ref_rejected_logps)
    if loss == "none":
        raise ValueError("no such loss")
    return (h - 1 / (2 * beta)) ** 2 if loss == "ipo" else np.maximum(1 - beta * h, 0)

LOSSES = numpy_implementation(
    loss, name="stranger", library="numpy", dtypes=["float32"],
    loss={"hinge": "slic", "ipo_average": "ipo", "margin": "none"},
)
"""


@pytest.fixture(scope="module")
def surveyed(tmp_path_factory):
    """The survey of a library that has IPO of sums under the name of averages."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "stranger_losses.py").write_text(LIBRARY)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setitem(loading.SHIPPED, "stranger", ("stranger_losses:DPO", "for a test"))
        said = []
        assert load("stranger@hinge").name == "stranger@hinge"
        assert [one["loss"] for one in survey("stranger", asked=["hinge"])["losses"]] == ["hinge"]
        return survey("stranger", said.append), said


def test_a_survey_says_what_each_is_and_what_it_returns(surveyed):
    found, said = surveyed
    hinge, ipo, none = found["losses"]
    assert said[1] == "stranger: ipo_average, there ipo"
    assert (hinge["called"], hinge["computes"], hinge["violated"]) == ("slic", ["hinge"], [])
    assert hinge["values"] == [{"parameters": {"beta": 0.1}, "got": pytest.approx(0.875), "accepted": True, "failed": ""}]
    assert "PREF-1" in ipo["violated"]
    assert ipo["computes"] == ["ipo_sum"]
    assert not ipo["values"][0]["accepted"]
    assert none["values"][0]["failed"] == "it raised ValueError: no such loss"
    assert none["computes"] == []


def test_the_page_tells_who_computes_which_variant(surveyed, tmp_path):
    (tmp_path / "stranger.json").write_text(json.dumps(surveyed[0]))
    page = render(read_surveys(tmp_path))
    library = surveyed[0]["environment"]["library"]
    assert f"| 0.875000000000 | 0.87499999: {library} |" in page
    assert f"| 23.4584158971 | **21.796875**: {library} |" in page
    assert f"| {library} | `ipo` | **`ipo_sum`** | [PREF-1](clauses/PREF-1.md)" in page
    assert "**none of these** |" in page
    assert "3 losses of 1 libraries" in page
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(BadRequest, match="no survey of losses"):
        read_surveys(tmp_path)


def test_the_page_is_that_of_the_surveys():
    assert (DOCS / "losses-by-library.md").read_text(encoding="utf-8") == render(read_surveys(DOCS / "matrix" / "losses"))


def test_the_command_keeps_what_was_found_and_writes_the_page(surveyed, tmp_path, monkeypatch):
    def run(command, **_):
        return subprocess.CompletedProcess(command, int(command[-1] == "oat"), json.dumps(surveyed[0]))

    monkeypatch.setattr(matrix.subprocess, "run", run)
    result = CliRunner().invoke(main, ["matrix", "--losses", "trl", "oat", "--docs", str(tmp_path)])
    assert result.exit_code == 2
    assert "trl: 3 losses" in result.output
    assert "oat: its losses could not be surveyed: exit status 1" in result.output
    assert (tmp_path / "losses-by-library.md").read_text(encoding="utf-8").startswith("# The losses, library by library")
    assert [path.name for path in (tmp_path / "matrix" / "losses").iterdir()] == ["trl.json"]


def test_one_without_losses_says_so():
    with pytest.raises(CannotLoad, match="numpy: its wrapper has DPO's loss alone"):
        named("numpy")
    with pytest.raises(UnknownImplementation, match="no implementation 'nobody' ships"):
        named("nobody")
    done = subprocess.run(
        [sys.executable, "-m", "conformance.running.survey", "numpy"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "numpy: its wrapper has DPO's loss alone\n")


def test_nothing_fits_nothing():
    assert fitting([]) == []
