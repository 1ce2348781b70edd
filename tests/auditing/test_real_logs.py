"""Logs that TRL's DPOTrainer wrote on a random one-layer model: what was right, and what its release ignored."""

import json
import sys
import types
import warnings
from pathlib import Path

import pytest

from conformance import audit
from conformance.auditing import Settings, audit_file
from conformance.auditing.callback import ImpossibleLog, audit_callback

LOGS = Path(__file__).with_name("logs")


def report(name, **settings):
    return audit_file(LOGS / name, Settings.of(beta="0.1", **settings))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("trl-1.16.0-plain.json", {"label_smoothing": 0, "pairs_per_line": 4}),
        ("trl-1.16.0-robust.json", {"loss": "robust", "label_smoothing": "0.1"}),
        ("trl-1.16.0-hinge.json", {"loss": "hinge"}),
        ("trl-1.16.0-ipo.json", {"loss": "ipo_average"}),
        ("trl-1.16.0-accum4.json", {"accumulation": 4, "label_smoothing": 0, "pairs_per_line": 8}),
        ("trl-0.24.0-plain.json", {"label_smoothing": 0}),
        ("trl-0.24.0-smooth.json", {"label_smoothing": "0.3"}),
        ("trl-0.24.0-smooth.console", {"label_smoothing": "0.3"}),
        ("trl-0.24.0-robust.json", {"loss": "robust", "label_smoothing": "0.1"}),
        ("trl-0.24.0-accum.json", {"accumulation": 4, "label_smoothing": 0}),
        ("trl-0.24.0-half.json", {"label_smoothing": 0}),
    ],
)
def test_a_right_run_has_no_impossible_line(name, settings):
    found = report(name, **settings)
    assert found.impossible == found.cut == 0
    assert found.consistent >= 10


def test_the_rewards_of_one_of_two_processes_beside_the_loss_of_both():
    """TRL 0.11.4 logs the first process's; a run is right though its loss is below that of its logged margin."""
    name = "trl-0.11.4-two-processes.json"
    found = report(name, label_smoothing=0)
    assert (found.impossible, found.consistent, found.undecided) == (0, 18, 7)
    (asked,) = [check for check in found.checks if check.undecided]
    assert asked.needs == "--ranks: impossible if 1 process trained, possible if the rewards are those of one of several"
    assert report(name, label_smoothing=0, ranks=2).undecided == 0
    assert report(name, label_smoothing=0, ranks=1, dtype="float32").impossible == 12


def test_a_loss_counted_twice_shows_at_the_start_of_several_processes():
    name = "trl-0.11.4-two-processes.json"
    history = json.loads((LOGS / name).read_text())["log_history"]
    doubled = [{**entry, "loss": 2 * entry["loss"]} for entry in history if "loss" in entry]
    for ranks in (None, 2):
        (file,) = audit(doubled, beta=0.1, label_smoothing=0, ranks=ranks).files
        assert (file.findings[0].check, file.findings[0].line) == ("one-sided", 1)


def test_five_steps_to_a_line_and_another_beta():
    found = audit_file(LOGS / "trl-1.16.0-accum4log5.json", Settings.of(beta="0.5", label_smoothing=0, accumulation=4))
    assert found.impossible == 0
    assert found.consistent == 9


@pytest.mark.parametrize("name", ["trl-1.16.0-smooth.json", "trl-1.16.0-smooth.console"])
def test_label_smoothing_that_the_release_ignores_shows_in_its_log(name):
    found = report(name, label_smoothing="0.3")
    assert found.impossible >= 5
    assert [cause.text for cause in found.causes] == ["label_smoothing is ignored"]
    assert {finding.check for finding in found.findings} == {"least", "mean"}


def test_the_robust_loss_under_the_name_of_the_conservative():
    found = report("trl-1.16.0-robust.json", label_smoothing="0.1")
    assert found.causes[0].text == "the robust loss is computed, not the conservative one (cDPO)"


def test_hinge_under_the_name_of_sigmoid():
    assert report("trl-1.16.0-hinge.json", label_smoothing=0).causes[0].text == "the loss is hinge, not sigmoid"


def test_bfloat16_is_told_by_the_log_probabilities():
    found = report("trl-0.24.0-half.json", label_smoothing=0)
    assert found.format == "bfloat16"
    assert any(notice.kind == "bfloat16" for notice in found.notices)
    assert report("trl-0.24.0-half.json", label_smoothing=0, dtype="float32").impossible > 0


def test_the_callback_warns_once_a_kind(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", types.SimpleNamespace(TrainerCallback=object))
    callback = audit_callback(beta=0.1, label_smoothing=0.3)
    history = json.loads((LOGS / "trl-1.16.0-smooth.json").read_text())["log_history"]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for entry in history:
            state = types.SimpleNamespace(global_step=entry["step"], is_world_process_zero=True)
            callback.on_log(None, state, None, logs=dict(entry))
    assert [warning.category for warning in caught] == [ImpossibleLog] * 2
    assert "step 6" in str(caught[1].message)


def test_the_callback_knows_how_many_processes_train(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", types.SimpleNamespace(TrainerCallback=object))
    callback = audit_callback(beta=0.1, label_smoothing=0)
    below = {"loss": 0.4, "rewards/margins": 0.5}
    told = {}
    for processes in (2, 1):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            callback.on_log(types.SimpleNamespace(world_size=processes), types.SimpleNamespace(global_step=7), None, logs=below)
        told[processes] = [(warning.category, "step 7" in str(warning.message)) for warning in caught]
    assert told == {2: [], 1: [(ImpossibleLog, True)]}
