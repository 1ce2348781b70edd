"""The command `sweep`: exit codes, files, refusals, and what it prints; its reports and its figure."""

import io
import json
import math
import subprocess
import sys
from dataclasses import replace

import jsonschema
import matplotlib.figure
import pytest
from click.testing import CliRunner
from refusing import assert_refused
from rich.console import Console

from conformance.cli import main
from conformance.errors import BadRequest
from conformance.implementations import load, numpy_implementation
from conformance.records.document import BadRecord
from conformance.reports import plots, sweep_plot
from conformance.reports import sweep as text
from conformance.reports.plots import MissingMatplotlib
from conformance.sweep import read, sweep
from conformance.sweep.report import schema
from oracle import bfloat16, binary16


def invoke(*arguments):
    return CliRunner().invoke(main, ["sweep", *map(str, arguments)])


@pytest.fixture(scope="module")
def right():
    return sweep(load("numpy"), binary16)


@pytest.fixture(scope="module")
def naive():
    return sweep(load("numpy-naive"), bfloat16)


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "status", "said"), [("numpy", 0, "conforms at every logit"), ("numpy-naive", 1, "violates")])
def test_the_exit_code_is_the_verdict_and_every_file_is_written(tmp_path, name, status, said):
    json_file, markdown, figure = (tmp_path / f"out.{suffix}" for suffix in ("json", "md", "png"))
    result = invoke(name, "--dtype", "float16", "--in-process", "--json", json_file, "--markdown", markdown, "--plot", figure)
    assert result.exit_code == status, result.output
    assert said in result.stdout and not result.stderr
    report = read(json_file)
    assert report.conforms == (status == 0)
    assert report.low == (-binary16.largest).hex() and report.judged == 63_488
    assert markdown.read_text().startswith(f"# {name} in binary16: every logit\n")
    assert "![The worst error in ulps over the logit z](<out.png>)" in markdown.read_text()
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.iterdir()} == {"out.json", "out.md", "out.png"}


def test_conduct_is_exit_code_1(file):
    name = file(
        "from conformance.implementations import numpy_implementation\n"
        "@numpy_implementation\n"
        "def F(*_):\n    raise ValueError('no kernel')\n"
    )
    result = invoke(name, "--dtype", "binary16", "--in-process")
    assert result.exit_code == 1
    assert "raised: it raised ValueError: no kernel; at the logits from 0.0 to 65504.0" in result.stdout
    assert "violates: it ended the sweep, and 63,488 logits are not judged" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "IMPLEMENTATION"),
        (["numpy"], "--dtype"),
        (["numpy", "--dtype", "float8"], "'float8'"),
        (["jacks", "--dtype", "binary16"], "no implementation 'jacks'"),
        (["none.py:F", "--dtype", "binary16", "--in-process"], "none.py: no such file"),
        (["numpy", "--dtype", "binary16", "--from", "2", "--to", "1"], "from = 2.0 is above to = 1.0"),
        (["numpy", "--dtype", "binary16", "--from", "0.1"], "its neighbours there are 0.0999755859375"),
        (["numpy", "--dtype", "binary16", "--to", "inf"], "SPECIAL judges infinities"),
        (["numpy", "--dtype", "binary64"], "give a shorter range"),
        (["numpy", "--dtype", "binary16", "--shard-size", "0"], "--shard-size"),
        (["numpy", "--dtype", "binary16", "--workers", "0"], "--workers"),
        (["numpy", "--dtype", "binary16", "--time-limit", "0"], "--time-limit"),
        (["numpy", "--dtype", "binary16", "--plot", "x.xyz"], "a figure is one of"),
        (["numpy", "--dtype", "binary16", "--scheduler", "tcp://x:1", "--in-process"], "exclude each other"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_is_wrong(arguments, said):
    assert_refused(invoke(*arguments), said)


@pytest.mark.parametrize("option", ["--json", "--markdown", "--plot", "--resume"])
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_judged(option, tmp_path, monkeypatch):
    def never(*_):
        raise AssertionError("something was judged")

    monkeypatch.setattr("conformance.sweep.crew.judge_shard", never)
    path = tmp_path / "none" / "out.png"
    result = invoke("numpy", "--dtype", "binary16", "--in-process", option, path)
    assert_refused(result, "out.png", f"{tmp_path / 'none'} is not a folder")


def test_a_foreign_file_to_resume_from_is_wrong_usage(tmp_path):
    (tmp_path / "notes").write_text("precious")
    assert_refused(invoke("numpy", "--dtype", "binary16", "--in-process", "--resume", tmp_path / "notes"), "not the ledger")
    assert (tmp_path / "notes").read_text() == "precious"


def test_an_interrupt_without_a_ledger_says_that_nothing_is_kept(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("conformance.sweep.crew.judge_shard", interrupted)
    result = invoke("numpy", "--dtype", "binary16", "--in-process")
    assert result.exit_code == 130
    assert "Interrupted: 0 of 63,488 logits are judged, and nothing is kept; --resume FILE would keep it." in result.stderr


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_with_rate_and_time_left_is_for_a_terminal(monkeypatch, terminal):
    from conformance.cli import progress  # noqa: PLC0415
    from conformance.cli import sweep as module  # noqa: PLC0415

    out = io.StringIO()
    monkeypatch.setattr(
        progress, "Console", lambda **_: Console(file=out, force_terminal=terminal, width=140, legacy_windows=False)
    )
    clock = iter([100.0, 110.0])
    with progress.Bar("[/red] mine") as bar:
        monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
        if terminal:
            monkeypatch.setattr(bar._drawn._progress, "get_time", lambda: 0.0)
        pace = module._Pace(bar)
        pace.advance(1_000_000, 4_000_000, 1_000_000)
        pace.advance(1_500_000, 4_000_000, 1_000_000)
        if terminal:
            bar._drawn._progress.refresh()
    said = "1,500,000 of 4,000,000 logits, 50,000 a second, 0:00:50 left"
    assert (said in out.getvalue()) == ("[/red] mine" in out.getvalue()) == terminal
    assert terminal or not out.getvalue().strip()


def test_a_sweep_in_a_pipe_over_processes_has_no_progress_and_no_colours():
    command = ["sweep", "numpy", "--dtype", "bfloat16", "--from", "1", "--to", "2"]
    code = "from conformance.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "numpy in bfloat16: every logit from 1.0 to 2.0" in done.stdout


# -- the report as data ------------------------------------------------------------------------------------------------


def test_a_report_is_valid_and_comes_back_from_its_file_as_it_was(right, naive, tmp_path):
    jsonschema.Draft202012Validator.check_schema(schema())
    for report in (right, naive):
        report.write(tmp_path / "out.json")
        assert read(tmp_path / "out.json") == report
        data = json.loads(report.to_json())
        assert set(data) == set(schema()["required"])
    with pytest.raises(BadRecord, match="at verdict"):
        replace(right, verdict="perhaps").to_json()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data.pop("judged"), "'judged' is a required property"),
        (lambda data: data.update(schema=2), "at schema"),
        (lambda data: data["judgements"][0]["worst"][0].update(z="0.5"), "at judgements/0/worst/0/z"),
        (lambda data: data["judgements"][0].update(wrong=-1), "at judgements/0/wrong"),
    ],
)
def test_a_file_that_is_no_report_is_refused_with_the_place(right, tmp_path, change, said):
    data = json.loads(right.to_json())
    change(data)
    (tmp_path / "out.json").write_text(json.dumps(data))
    with pytest.raises(BadRecord, match=said):
        read(tmp_path / "out.json")
    (tmp_path / "out.json").write_text("{")
    with pytest.raises(BadRecord, match="it ends in the middle"):
        read(tmp_path / "out.json")


def test_the_worst_inputs_are_worked_out_exactly(right):
    for judgement in right.judgements:
        assert len(judgement.worst) == 10
        assert [bad.ulp for bad in judgement.worst] == sorted((bad.ulp for bad in judgement.worst), reverse=True)
        sign = -1 if "chosen" in judgement.quantity else 1
        for bad in judgement.worst:
            z = float.fromhex(bad.z)
            slope = 1 / (1 + math.exp(z))
            wanted = math.log1p(math.exp(-z)) if judgement.quantity == "loss" else sign * slope
            assert float(bad.exact) == pytest.approx(wanted, rel=1e-12)
            assert len(bad.exact.lstrip("-0.").replace(".", "")) == 20


# -- the report in words -----------------------------------------------------------------------------------------------


def rendered(report, width=100):
    out = io.StringIO()
    text.render(report, Console(file=out, width=width, highlight=False))
    return out.getvalue()


def test_both_derivatives_are_one_column_where_they_mirror_each_other(right):
    assert [name for name, _ in text.columns(right)] == ["loss", "derivatives"]
    loss, chosen, rejected = right.judgements
    changed = replace(right, judgements=(loss, chosen, replace(rejected, wrong=1)))
    assert [name for name, _ in text.columns(changed)] == [judgement.quantity for judgement in right.judgements]
    assert "policy_rejected_logps is minus it" in " ".join(rendered(right).split())
    assert "is minus it" not in " ".join(rendered(changed).split())


@pytest.mark.parametrize("form", [rendered, text.markdown], ids=["terminal", "markdown"])
def test_the_words_say_what_was_found_and_where(right, naive, form):
    told = " ".join(form(naive).split())
    loss = naive.judgements[0]
    for part in (
        "violates",
        f"{loss.wrong:,}",
        f"{loss.flushed:,}",
        f"{loss.not_finite:,}",
        "flushed to zero",
        "4 ulp at a small z",
    ):
        assert part in told
    assert f"{loss.quantity} at {loss.over_must:,}" in told
    for bad in loss.worst:
        assert bad.exact in told and repr(float.fromhex(bad.z)) in told
    assert "conforms at every logit" in form(right)
    assert "got inf (inf)" in told


def test_the_words_of_a_report_with_nothing_judged_and_of_an_exact_one():
    failed = sweep(numpy_implementation(lambda *_: None), binary16)
    assert "wrong type" in rendered(failed) and "wrong type" in text.markdown(failed)
    exact = replace(failed, judgements=tuple(replace(one, worst=()) for one in sweep(load("numpy"), binary16).judgements))
    assert "none: every number is exact" in rendered(exact)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (0.5, "0.5"), (0.50000285, "0.5001"), (1.0, "1"), (2.34567, "2.346"), (9.9999, "10"), (math.inf, "∞")],
)
def test_ulps_are_rounded_up(value, shown):
    assert text.ulps(value) == shown
    assert math.isinf(value) or float(text.ulps(value)) >= value


# -- the figure --------------------------------------------------------------------------------------------------------


@pytest.fixture
def drawn(monkeypatch):
    figures = []
    save = matplotlib.figure.Figure.savefig
    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", lambda self, *a, **k: figures.append(self) or save(self, *a, **k))
    return figures


def test_the_figure_has_a_row_for_the_loss_and_one_for_the_derivatives(right, drawn, tmp_path):
    sweep_plot.plot(right, tmp_path / "out.png")
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    axes = drawn[0].axes
    assert len(axes) == 4
    assert [a.xaxis_inverted() for a in axes] == [True, False] * 2
    for a, judgement in zip(axes[::2], (right.judgements[0], right.judgements[1]), strict=True):
        assert a.get_ylim()[1] >= judgement.ulp
    heights = [value for a in axes[:2] for patch in a.patches for value in patch.get_data().values]
    assert max(heights) == pytest.approx(right.judgements[0].ulp, rel=2.0**-19)
    assert "numpy" in drawn[0].get_suptitle() and "63,488 logits" in drawn[0].get_suptitle()
    texts = " ".join(one.get_text() for one in axes[1].texts)
    assert "subnormal from z = 9.71094" in texts and "correctly rounded" in texts


def test_the_figure_of_infinite_errors_marks_the_limits(naive, drawn, tmp_path):
    sweep_plot.plot(naive, tmp_path / "out.svg")
    axes = drawn[0].axes
    assert all(a.get_yscale() == "symlog" for a in axes[:2])
    texts = " ".join(one.get_text() for a in axes for one in a.texts)
    assert "MUST" in texts and "SHOULD" in texts
    assert all(math.isfinite(v) for a in axes for patch in a.patches for v in patch.get_data().values)


@pytest.mark.parametrize(
    ("low", "high", "sides"),
    [("1", "2", 1), ("-2", "-1", 1), ("-0x1p-20", "0x1p-20", 2), ("0x1p90", "0x1p100", 1), ("1", "1", 1), ("0", "0", 1)],
)
def test_the_figure_of_a_part_shows_that_part(drawn, tmp_path, low, high, sides):
    report = sweep(numpy_implementation(lambda pc, pr, *_: pc - pr), bfloat16, low=low, high=high)
    sweep_plot.plot(report, tmp_path / "out.png")
    assert len(drawn[0].axes) == sides
    for axes in drawn[0].axes:
        left, right = sorted(axes.get_xlim())
        assert 0 < left < right < math.inf


def test_a_figure_without_matplotlib_or_of_no_known_form_is_refused_before_the_sweep(tmp_path, monkeypatch):
    with pytest.raises(BadRequest, match=r"a figure is one of .*png"):
        plots.check(tmp_path / "out.xyz")
    assert_refused(CliRunner().invoke(main, ["gap", "no-such", "--plot", str(tmp_path / "out.xyz")]), "a figure is one of")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingMatplotlib):
        plots.check(tmp_path / "out.png")
