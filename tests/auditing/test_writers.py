"""Logs that trackers and trainers wrote of real runs: each is told by its content, and says what the run was."""

import math
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.auditing import Settings, audit_file
from conformance.auditing.reading import NotALog
from conformance.cli import main

LOGS = Path(__file__).with_name("logs")
SMOOTH = {"beta": "0.1", "label_smoothing": "0.3"}
WRITTEN = {
    "llamafactory-0.9.5-smooth.jsonl": ("lines", 20),
    "tensorboardX-2.6.5-smooth.events": ("tensorboard", 31),
    "accelerate-1.15.0-smooth.events": ("tensorboard", 31),
    "pytorch-lightning-2.6.6-smooth.csv": ("table", 31),
    "torchtune-0.6.1-smooth.txt": ("text", 30),
    "verl-0.9.1-smooth.txt": ("text", 30),
    "tqdm-smooth.txt": ("text", 61),
    "comet-3.58.8-smooth.jsonl": ("lines", 25),
    "llamafactory-0.9.5-ignored.jsonl": ("lines", 20),
    "transformers-5.24.0-ignored.events": ("tensorboard", 14),
    "trl-1.16.0-ignored-strings.console": ("text", 13),
    "mlflow-3.17.2-ignored": ("mlflow", 14),
}


@pytest.mark.parametrize("name", [name for name in WRITTEN if "smooth" in name])
def test_a_right_run_has_no_impossible_line_whoever_wrote_it(name):
    """label_smoothing 0.3, by TRL 0.24.0, accumulation 4 in most: the first loss is ln 2, to its last digit."""
    report = audit_file(LOGS / name, Settings.of(**SMOOTH))
    assert (report.form, report.lines) == WRITTEN[name]
    assert (report.impossible, report.cut) == (0, 0)
    assert report.consistent == report.lines


@pytest.mark.parametrize("name", [name for name in WRITTEN if "ignored" in name])
def test_an_ignored_option_shows_whoever_wrote_it(name):
    """The same by TRL 1.16.0, which ignores label_smoothing."""
    report = audit_file(LOGS / name, Settings.of(**SMOOTH))
    assert (report.form, report.lines) == WRITTEN[name]
    assert report.impossible >= 7 and not report.cut
    assert [cause.text for cause in report.causes] == ["label_smoothing is ignored"]


@pytest.mark.parametrize(
    ("name", "run", "lines"),
    [("trackio-0.43.0-ignored.db", "dainty-sunset-0", 14), ("mlflow-3.17.2-ignored.db", "first", 12)],
)
def test_a_database_holds_runs_and_one_is_named(name, run, lines, tmp_path):
    path = Path(shutil.copy(LOGS / name, tmp_path))
    with pytest.raises(NotALog, match=f"holds 2 runs: .*{run}.*--run names one"):
        audit_file(path, Settings.of(**SMOOTH))
    with pytest.raises(NotALog, match="no run nobody; it holds 2 runs"):
        audit_file(path, Settings.of(**SMOOTH), run="nobody")
    result = CliRunner().invoke(main, ["audit", str(path), "--beta", "0.1", "--label-smoothing", "0.3", "--run", run])
    assert result.exit_code == 1, result.output
    assert f"{lines} lines" in result.output and "label_smoothing is ignored" in " ".join(result.output.split())
    assert [one.name for one in tmp_path.iterdir()] == [name], "nothing is written beside it"


def test_a_loss_of_nan_in_a_database_is_one_and_is_not_the_cause_of_the_others():
    report = audit_file(LOGS / "mlflow-3.17.2-ignored.db", Settings.of(**SMOOTH, ranks=1), run="second")
    assert [finding.line for finding in report.findings if math.isnan(finding.left)] == [9]
    assert [cause.text for cause in report.causes] == ["label_smoothing is ignored"]
    assert report.notices[0].text == "first at line 9: loss nan"
    report = audit_file(LOGS / "mlflow-3.17.2-ignored.db", Settings.of(**SMOOTH), run="second")
    assert not [finding for finding in report.findings if finding.check == "finite"], "of several it may be another's"


def test_a_folder_of_event_files_is_one_log(tmp_path):
    for name in ("tensorboardX-2.6.5-smooth.events", "accelerate-1.15.0-smooth.events"):
        (tmp_path / name[:4]).mkdir()
        shutil.copy(LOGS / name, tmp_path / name[:4] / "events.out.tfevents.1.host")
    report = audit_file(tmp_path, Settings.of(**SMOOTH))
    assert (report.form, report.lines, report.impossible) == ("tensorboard", 62, 0)


RIGHT = {
    "trl-1.16.0-accum4rob.json": {"loss": "robust", "label_smoothing": "0.1", "accumulation": 4},
    "trl-1.16.0-kto.json": {"loss": "kto"},
    "trl-1.16.0-cpo.json": {"label_smoothing": 0},
    "trl-1.16.0-cposm.json": {"label_smoothing": "0.3"},
    "trl-1.16.0-simpo.json": {"loss": "simpo", "beta": 2, "label_smoothing": 0, "parameters": {"gamma": "0.5"}},
    "trl-1.16.0-orpo.json": {"loss": "orpo"},
    "trl-1.16.0-sppo.json": {"loss": "sppo_hard"},
    "trl-1.16.0-multi.json": {"label_smoothing": 0, "added_term": True},
    "trl-1.16.0-bf16.json": {"label_smoothing": 0},
    "trl-1.16.0-first.json": {"label_smoothing": 0, "ranks": 1},
    "trl-1.16.0-resume.json": {"label_smoothing": 0, "ranks": 1},
    "trl-1.16.0-precomp.json": {"label_smoothing": 0, "ranks": 1},
    "trl-1.16.0-two-processes.json": {"label_smoothing": 0, "ranks": 2},
    "trl-1.16.0-ragged.json": {"label_smoothing": 0, "ranks": 1},
    "trl-0.24.0-acc4sm.json": {"label_smoothing": "0.3", "accumulation": 4},
    "trl-0.24.0-acc4rob.json": {"loss": "robust", "label_smoothing": "0.1", "accumulation": 4},
    "trl-0.24.0-rpo.json": {"label_smoothing": 0},
    "trl-0.24.0-reffree.json": {"label_smoothing": 0, "reference_free": True, "ranks": 1},
    "trl-0.24.0-padfree.json": {"label_smoothing": 0, "ranks": 1},
    "trl-0.24.0-bcotr.json": {"loss": "bce_pair"},
    "trl-0.24.0-kto.json": {"loss": "kto"},
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_run_of_any_trainer_of_trl_has_no_impossible_line(name):
    """KTO, CPO, SimPO, ORPO, BCO; added terms; evaluations, resumed runs, two processes, epochs that end unevenly."""
    report = audit_file(LOGS / name, Settings.of(**{"beta": "0.1", **RIGHT[name]}))
    assert (report.impossible, report.cut) == (0, 0)
    assert report.lines - report.undecided >= 2


@pytest.mark.parametrize(
    ("name", "settings", "cause"),
    [
        ("trl-1.16.0-accum4sm.json", {"label_smoothing": "0.3"}, "label_smoothing is ignored"),
        ("trl-1.16.0-accum4rob.json", {"label_smoothing": "0.1"}, "the robust loss is computed, not the conservative one"),
        ("trl-1.16.0-multi.json", {"label_smoothing": 0}, "a term that is never negative is added"),
        ("trl-0.24.0-reffree.json", {"label_smoothing": 0}, "no reference is in the loss"),
    ],
)
def test_what_a_run_was_not_told_to_be_is_named(name, settings, cause):
    report = audit_file(LOGS / name, Settings.of(beta="0.1", **settings))
    assert report.impossible
    assert cause in report.causes[0].text


def told(tmp_path, text, name="log", **options):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return audit_file(path, Settings.of(beta="0.1", label_smoothing=0, ranks=1, dtype="float32"), **options)


@pytest.mark.parametrize(
    "text",
    [
        "loss/train: 0.4 rewards_train/margins: 0.5\n",
        "\x1b[36mloss=0.4\x1b[0m, rewards/margins=0.5\n",
        "step;loss;rewards/margins\n1;0,4;0,5\n",
        "Iter 10: Train loss 0.4, Reward margin 0.5, It/sec 1.0\n",
        "| Step | Training Loss | rewards / margins |\n|---|---|---|\n| 1 | 0.4 | 0.5 |\n",
        b"\xef\xbb\xbf" + b'{"loss": 0.4, "rewards/margins": 0.5}\n',
        "[rank0] 2026-11-29 step 3 loss 0.4 reward_margin 0.5\n",
        '{"metrics": [{"key": "loss", "value": 0.4, "step": 1}, {"key": "rewards/margins", "value": 0.5, "step": 1}]}',
    ],
)
def test_however_it_is_written_it_is_the_same_line(text, tmp_path):
    report = told(tmp_path, text)
    assert [finding.check for finding in report.findings] == ["mean"], report


def test_a_name_that_nobody_knows_is_told(tmp_path):
    columns = {"objective": "loss", "gap": "margin"}
    assert told(tmp_path, "objective 0.4\nobjective: 0.4 gap: 0.5\n", columns=columns).impossible == 1
    path = tmp_path / "log"
    options = ["--beta", "0.1", "--label-smoothing", "0", "--ranks", "1", "--column", "objective=loss"]
    result = CliRunner().invoke(main, ["audit", str(path), *options, "--column", "gap=margin"])
    assert result.exit_code == 1, result.output
    result = CliRunner().invoke(main, ["audit", str(path), *options, "--column", "gap=width"])
    assert result.exit_code == 2 and "column = width: one of loss, margin" in " ".join(result.output.split())


def test_rewards_beside_both_losses_of_a_notebook_are_those_of_the_evaluation(tmp_path):
    text = "Step\tTraining Loss\tValidation Loss\tRewards/margins\n1\t0.4\t0.5\t0.5\n"
    report = told(tmp_path, text)
    assert (report.lines, report.impossible) == (2, 0)


@pytest.mark.parametrize(
    ("start", "says"),
    [(b":W&B\x00", "Weights & Biases"), (b":SWL\x00", "SwanLab"), (b"\xff\xfea\0", "UTF-16"), (b"<html>loss", "a web page")],
)
def test_what_is_not_read_is_named_with_the_way_to_what_is(start, says, tmp_path):
    with pytest.raises(NotALog, match=says):
        told(tmp_path, start)


def test_an_event_file_that_is_cut_says_so(tmp_path):
    whole = (LOGS / "tensorboardX-2.6.5-smooth.events").read_bytes()
    report = told(tmp_path, whole[: len(whole) // 2])
    assert (report.cut, report.cuts[0][1].split(";")[0]) == (1, "a record that is damaged or cut off")
    assert 5 < report.lines < 31
