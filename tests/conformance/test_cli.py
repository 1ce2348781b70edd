"""The command line: exit codes, files, and what it prints in a pipe."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from refusing import assert_refused
from rich.console import Console

import oracle
from conformance.clauses import CLAUSES
from conformance.cli import COMMANDS, main
from conformance.cli.statuses import CANNOT_WRITE
from conformance.errors import CannotLoad
from conformance.implementations import SHIPPED, load
from conformance.records.environment import environment, suite, suite_version
from conformance.records.record import Finding, Level, Record, Run, Verdict, read
from oracle import FORMATS, bounds, get_format


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


# -- the group ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_lists_the_commands_and_the_exit_codes(option):
    result = invoke(option)
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    assert all(f" {name} {what}" in text for name, what in COMMANDS.items())
    assert "Exit status: 0" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_of_its_own(name):
    result = invoke(name, "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {name}")


def test_the_version():
    assert invoke("--version").output == f"dpo-conformance {suite_version()}\n"


def test_a_command_that_does_not_exist():
    assert_refused(invoke("jugde"), "No such command 'jugde'")
    assert_refused(invoke("idntify"), "No such command 'idntify': did you mean identify?")


# -- run, with a judge that answers at once ----------------------------------------------------------------------------


@pytest.fixture
def answers(monkeypatch):
    """answers(run, ...): the judge returns those runs; what it was asked comes back as a list."""
    asked = []

    def answers(*runs):
        def judge(*implementations, **keywords):
            asked.append((implementations, keywords))
            keywords["progress"]("mine", "binary16 CALL-1", 0, 1)
            return Record(suite(), environment(), keywords["seed"], runs, "2026-01-01T00:00:00+00:00")

        invoke("run", "--help")
        monkeypatch.setattr("conformance.cli.run.judge", judge)
        return asked

    return answers


def run(verdict, name="mine", source="mine", fmt="binary16", level=Level.MUST):
    judged = verdict in {Verdict.CONFORMS, Verdict.VIOLATES}
    violated = verdict is Verdict.VIOLATES or level is Level.SHOULD
    found = Finding("DEF-1", level, Verdict.VIOLATES if violated else Verdict.CONFORMS, 1, int(violated))
    return Run(name, source, fmt, "quick", verdict, "" if judged else "why", findings=(found,) if judged else ())


CONFORMS, VIOLATES, NOT_RUN, NOT_CLAIMED = (
    run(verdict) for verdict in (Verdict.CONFORMS, Verdict.VIOLATES, Verdict.NOT_RUN, Verdict.NOT_CLAIMED)
)


@pytest.mark.parametrize(
    ("runs", "status"),
    [
        ([CONFORMS], 0),
        ([run(Verdict.CONFORMS, level=Level.SHOULD)], 0),
        ([CONFORMS, NOT_CLAIMED, NOT_RUN], 0),
        ([VIOLATES], 1),
        ([CONFORMS, VIOLATES], 1),
        ([NOT_RUN], 2),
        ([NOT_CLAIMED, NOT_CLAIMED], 2),
        ([CONFORMS, run(Verdict.NOT_RUN, "other")], 2),
        ([CONFORMS, run(Verdict.NOT_RUN, source="elsewhere.py:mine")], 2),
        ([VIOLATES, run(Verdict.NOT_RUN, "other")], 1),
    ],
)
def test_the_exit_code_is_the_verdict_and_what_was_not_judged_is_no_pass(answers, runs, status):
    answers(*runs)
    result = invoke("run", "mine")
    assert result.exit_code == status, result.output
    assert ("Not judged in any format" in result.stderr) == (status == 2)
    assert all(str(run.verdict) in result.stdout for run in runs)


def test_a_run_tells_of_every_clause_where_it_is_asked_to(answers):
    answers(CONFORMS)
    assert "DEF-1" not in invoke("run", "mine").stdout
    assert "mine: the largest ρ of each clause" in (told := invoke("run", "mine", "--clauses").stdout)
    assert re.search(r"DEF-1 +MUST +conforms", told)


def test_options_reach_the_judge(answers):
    asked = answers(CONFORMS)
    invoke("run", "a", "b.py:c", "--dtype", "float16", "--dtype", "bfloat16", "--profile", "standard", "--seed", 7)
    invoke("run", "a", "--time-limit", 9, "--in-process")
    (names, first), (_, second) = asked
    assert names == ("a", "b.py:c")
    wanted = {"dtypes": ("float16", "bfloat16"), "profile": "standard", "seed": 7, "isolate": True}
    assert first.items() >= wanted.items()
    assert second.items() >= {"dtypes": None, "profile": "quick", "seed": 0, "isolate": False, "time_limit": 9.0}.items()


FORMS = {"json": '"schema": 2', "markdown": "## dpo-conformance", "junit": "<testsuites ", "html": "<!DOCTYPE html>"}


@pytest.mark.parametrize(
    "forms", [["json"], ["markdown"], ["junit"], ["html"], ["annotations"], [*FORMS, "annotations"]], ids=" ".join
)
@pytest.mark.parametrize(("status", "verdict"), [(0, CONFORMS), (1, VIOLATES), (2, NOT_RUN)])
def test_every_form_of_output_has_the_exit_code_of_the_verdict(answers, tmp_path, forms, status, verdict):
    answers(verdict)
    arguments = [part for form in forms for part in ([f"--{form}", tmp_path / form] if form in FORMS else [f"--{form}"])]
    result = invoke("run", "mine", *arguments)
    assert result.exit_code == status, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(set(forms) & set(FORMS))
    for form in set(forms) & set(FORMS):
        assert FORMS[form] in (tmp_path / form).read_text(encoding="utf-8")
    assert ("::error " in result.stdout) == ("annotations" in forms and status > 0)
    assert "implementation × format" in result.stdout


@pytest.mark.parametrize("form", FORMS)
def test_no_form_is_written_into_a_folder_that_is_not_there(answers, tmp_path, form):
    asked = answers(CONFORMS)
    assert_refused(invoke("run", "mine", f"--{form}", tmp_path / "none" / "file"), "is not a folder", f"--{form}")
    assert not asked


def test_the_record_is_written_whatever_the_verdict(answers, tmp_path):
    for number, runs in enumerate([[CONFORMS], [VIOLATES], [NOT_RUN]]):
        answers(*runs)
        path = tmp_path / f"{number}.json"
        assert invoke("run", "mine", "--json", path).exit_code == number
        assert read(path).runs == tuple(runs)


def test_a_relative_file_is_written_here(answers, tmp_path, monkeypatch):
    answers(CONFORMS)
    monkeypatch.chdir(tmp_path)
    assert invoke("run", "mine", "--json", "record.json").exit_code == 0
    assert read(tmp_path / "record.json").seed == 0


def test_a_folder_that_is_not_there_is_refused_before_anything_is_judged(answers, tmp_path):
    asked = answers(CONFORMS)
    assert_refused(invoke("run", "mine", "--json", tmp_path / "none" / "record.json"), "is not a folder", "--json")
    assert_refused(invoke("run", "mine", "--json", tmp_path), "--json")
    assert not asked


@pytest.mark.parametrize("verdict", [CONFORMS, VIOLATES])
def test_a_file_that_cannot_be_written_is_told_and_the_others_are_written(answers, monkeypatch, tmp_path, verdict):
    answers(verdict)
    replace = Path.replace

    def full(self, path):
        if path.suffix == ".json":
            raise OSError(28, "No space left on device")
        return replace(self, path)

    monkeypatch.setattr(Path, "replace", full)
    result = invoke("run", "mine", "--json", tmp_path / "record.json", "--markdown", tmp_path / "summary.md")
    assert result.exit_code == CANNOT_WRITE
    assert f"{tmp_path / 'record.json'}: No space left on device" in result.stderr
    assert str(verdict.verdict) in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["summary.md"]


def test_an_implementation_that_cannot_be_loaded_is_wrong_usage(answers, monkeypatch):
    answers(CONFORMS)

    def fails(*_, **__):
        raise CannotLoad("mine.py: no such file")

    monkeypatch.setattr("conformance.cli.run.judge", fails)
    assert_refused(invoke("run", "mine.py:F"), "mine.py: no such file")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "IMPLEMENTATION"),
        (["run", "mxnet"], "no implementation 'mxnet'"),
        (["run", "none.py:F"], "none.py: no such file"),
        (["run", "none.py:F", "--in-process"], "none.py: no such file"),
        (["run", "numpy", "--dtype", "float8"], "'float8'"),
        (["run", "numpy", "--profile", "fast"], "'fast' is not one of 'quick', 'standard', 'exhaustive'"),
        (["run", "numpy", "--seed", "-1"], "--seed"),
        (["run", "numpy", "--seed", 2**63], "seed = "),
        (["run", "numpy", "--time-limit", "0"], "--time-limit"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_is_wrong(arguments, said):
    assert_refused(invoke(*arguments), said)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_is_for_a_terminal_and_literal(answers, monkeypatch, terminal):
    answers(CONFORMS)
    from conformance.cli import progress as module  # noqa: PLC0415
    from conformance.cli.run import clause_shown  # noqa: PLC0415

    out = io.StringIO()
    monkeypatch.setattr(
        module, "Console", lambda **_: Console(file=out, force_terminal=terminal, width=100, legacy_windows=False)
    )
    with module.Bar() as bar:
        clause_shown(bar)("[/red] mine [bold]", "binary16 CALL-1", 3, 8)
        if terminal:
            bar._drawn._progress.refresh()
    shown = [line for line in out.getvalue().splitlines() if "[/red] mine [bold] binary16 CALL-1" in line and "3 of 8" in line]
    assert bool(shown) == terminal
    assert terminal or not out.getvalue().strip()


# -- run, in earnest ---------------------------------------------------------------------------------------------------


def command(*arguments):
    """The command in a process of its own, its output in a pipe."""
    code = "from conformance.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.no_cover
@pytest.mark.parametrize(("name", "status", "verdict"), [("numpy", 0, "conforms"), ("numpy-naive", 1, "violates")])
def test_a_run_in_a_pipe_has_no_progress_and_no_colours(tmp_path, name, status, verdict):
    done = command("run", name, "--dtype", "float32", "--json", str(tmp_path / "record.json"))
    assert (done.returncode, done.stderr) == (status, "")
    assert "\x1b" not in done.stdout
    assert verdict in done.stdout
    (run,) = read(tmp_path / "record.json").runs
    assert (run.implementation, run.format, str(run.verdict)) == (name, "binary32", verdict)
    assert [finding.clause for finding in run.findings] == [clause.id for clause in CLAUSES]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_torch_cuda_without_a_device_is_exit_code_2_and_no_pass():
    result = invoke("run", "torch-cuda")
    assert result.exit_code == 2
    assert result.stdout.count("not run") >= 4
    assert "no CUDA device" in result.stdout
    assert "Not judged in any format: torch-cuda." in result.stderr


# -- oracle ------------------------------------------------------------------------------------------------------------


def table(text):
    """The printed values by name, of the exact column and of the binary64 one."""
    columns = re.split(r"(?m)^with beta and eps as binary64$", text)
    return [dict(re.findall(r"(?m)^ {2,4}(\S.*?) {2,}(\S+)", column)) for column in columns]


def test_the_oracle_prints_the_golden_digits_for_both_kinds_of_beta():
    result = invoke("oracle", "-10", "-12", "-11", "-11", "--beta", "0.1")
    assert result.exit_code == 0
    exact, binary64 = table(result.output)
    assert exact["loss"] == "0.59813886938159183968"
    assert binary64["loss"] == "0.59813886938159183469"
    assert exact["margin"] == binary64["margin"] == "2.0000000000000000000"
    assert exact["logit"] == "0.20000000000000000000"
    assert exact["d/d policy_chosen"] == "-0.045016600268752209144"
    assert exact["d/d ref_rejected"] == exact["d/d policy_chosen"]
    assert [exact[fmt.name] for fmt in FORMATS] == ["0.59814453125", "0.59765625", "0.5981388688087463", "0.5981388693815919"]


@pytest.mark.parametrize("beta", ["1/10", "0.1", "1e-1", "0.10"])
def test_a_ratio_and_a_decimal_are_the_same_number(beta):
    assert invoke("oracle", "-1", "-2", "-3", "-4", "--beta", beta).output == invoke("oracle", "-1", "-2", "-3", "-4").output


@pytest.mark.parametrize("beta", ["0.5", "0x1p-1", "1/2"])
def test_a_beta_that_is_a_binary64_has_one_column(beta):
    result = invoke("oracle", "-0x1.8p+1", "-3", "0", "-0.0", "--beta", beta)
    assert result.exit_code == 0
    (exact,) = table(result.output)
    assert exact["loss"] == "0.69314718055994530942"
    assert exact["d/d policy_chosen"] == "-0.25000000000000000000"


@pytest.mark.parametrize(
    ("logps", "loss"),
    [
        (("-257", "0", "0", "0"), "257.00000000000000000"),
        (("-1e300", "0", "0", "0"), "1.0000000000000000000e+300"),
        (("-inf", "0", "0", "0"), "inf"),
        (("0", "-inf", "0", "0"), "0"),
        (("nan", "0", "0", "0"), "nan"),
    ],
)
def test_the_oracle_takes_negative_huge_and_special_numbers(logps, loss):
    result = invoke("oracle", *logps, "--beta", "1")
    assert result.exit_code == 0, result.output
    assert table(result.output)[0]["loss"] == loss


def test_the_trap_at_257_rounds_up_in_bfloat16():
    assert table(invoke("oracle", "-257", "0", "0", "0", "--beta", "1").output)[0]["bfloat16"] == "258.0"


@pytest.mark.parametrize("digits", [1, 3, 60])
def test_as_many_digits_as_are_asked_for(digits):
    loss = table(invoke("oracle", "-1", "-2", "-1", "-1", "--beta", "1", "--digits", digits).output)[0]["loss"]
    assert loss == ["0.3", "0.313", "0.313261687518222834048995494967855641915280085670348374719064"][[1, 3, 60].index(digits)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-1", "-2", "-3"], "Missing argument 'REF_REJECTED_LOGPS'"),
        (["-1", "-2", "-3", "minus four"], "ref_rejected_logps"),
        (["-1", "x", "-3", "-4"], "policy_rejected_logps"),
        (["-1", "-2", "-3", "-4", "--beta", "inf"], "beta"),
        (["-1", "-2", "-3", "-4", "--beta", "ten"], "beta"),
        (["-1", "-2", "-3", "-4", "--label-smoothing", "1.5"], "label_smoothing"),
        (["-1", "-2", "-3", "-4", "--label-smoothing", "-0.1"], "label_smoothing"),
        (["-1", "-2", "-3", "-4", "--digits", "0"], "--digits"),
        (["-1", "-2", "-3", "1/0"], "ref_rejected_logps"),
    ],
)
def test_what_is_no_number_is_named(arguments, said):
    assert_refused(invoke("oracle", *arguments), said)


def test_the_oracle_in_a_pipe():
    done = command("oracle", "-10", "-12", "-11", "-11", "--label-smoothing", "0.1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert table(done.stdout)[0]["loss"].startswith("0.6181388693815918")


# -- list, explain, gap ------------------------------------------------------------------------------------------------


def test_the_list_names_everything_that_can_be_judged_and_by_what():
    words = invoke("list").output.split()
    assert {*SHIPPED, *(fmt.name for fmt in FORMATS), *(clause.id for clause in CLAUSES)} <= set(words)


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.id)
def test_a_clause_is_explained(clause):
    result = invoke("explain", clause.id.lower())
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    assert f"{clause.id} {clause.level} {clause.title}" in text
    assert all(link in text for link in (*clause.guards, *clause.kills, *clause.needs))
    assert clause.statement.split()[0] in text
    assert "Derivation" in text


def test_a_clause_that_does_not_exist_is_wrong_usage():
    assert_refused(invoke("explain", "KERNEL-99"), "no clause 'KERNEL-99'", "KERNEL-1")


def test_a_chapter_is_explained_by_the_statements_of_its_clauses():
    result = invoke("explain", "grad")
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    for clause in CLAUSES:
        assert (f"{clause.id} {clause.level} {clause.title}" in text) == (clause.chapter == "GRAD")
    assert_refused(invoke("explain", "KERNL"), "no chapter 'KERNL': did you mean KERNEL? one of CALL, DEF")


@pytest.mark.parametrize(("words", "clause"), [("NaN at z = inf", "SPECIAL-2"), ("label_smoothing ignored", "OPTION-2")])
def test_words_find_the_clauses_that_speak_of_them(words, clause):
    result = invoke("explain", words)
    assert result.exit_code == 0
    assert clause in result.output
    assert_refused(invoke("explain", "quaternions"), "no chapter 'quaternions'")


def test_a_run_by_chapters_and_ids_tells_the_verdict_alone_where_it_is_to_be_quiet(tmp_path):
    path = tmp_path / "record.json"
    chosen = ["--in-process", "--dtype", "bf16", "-c", "def", "--clause", "KERNEL-1", "-c", "DEF-1", "--json", path]
    result = invoke("run", "numpy-naive", *chosen, "--quiet")
    assert result.exit_code == 1
    assert [finding.clause for finding in read(path).runs[0].findings] == [
        clause.id for clause in CLAUSES if clause.chapter == "DEF" or clause.id == "KERNEL-1"
    ]
    assert re.fullmatch(r"numpy-naive violates 1 MUST in bfloat16: KERNEL-1.*\n1 run: 1 violates.*\n", result.stdout)
    assert not result.stderr
    assert_refused(invoke("run", "numpy", "-c", "KERNEL-99"), "no clause 'KERNEL-99': one of KERNEL-1, KERNEL-2,")
    assert_refused(invoke("run", "numpy", "-c", "KERNL-1"), "no clause 'KERNL-1': did you mean KERNEL? its chapter is one of")


@pytest.mark.parametrize("fmt", ["bf16", "fp16", "fp32", "fp64"])
def test_what_may_be_returned_is_what_the_suite_accepts_and_no_more(fmt):
    result = invoke("oracle", "-10", "-12", "-11", "-11", "--dtype", fmt)
    assert result.exit_code == 0
    chosen, pairs = get_format(fmt), bounds.Pairs(*map(np.array, ([-10.0], [-12.0], [-11.0], [-11.0])), 0.1, 0.0)
    rows = {
        name: tuple(map(float, numbers.split())) for name, numbers in re.findall(r"(?m)^  (loss|d/d \S+) +(.*)$", result.output)
    }
    assert len(rows) == 5
    for name, (rounded, low, high) in rows.items():
        accepted = bounds.loss(pairs, chosen) if name == "loss" else bounds.gradient(pairs, chosen)
        sign = 1 if name == "loss" or name in {"d/d policy_rejected", "d/d ref_chosen"} else -1
        ends = sorted((sign * low, sign * high))
        place = chosen.ordinals(np.array(ends))
        outside = chosen.from_ordinals(place + np.array([-1, 1]))
        assert [bool(accepted.rho(np.array([x]))[0] <= 1) for x in (*ends, *outside)] == [True, True, False, False]
        assert low <= rounded <= high
    assert rows["loss"][0] == oracle.loss(-10, -12, -11, -11, beta=0.1).round(chosen)


def test_what_may_be_returned_is_asked_for_numbers_of_the_format():
    assert_refused(
        invoke("oracle", "-10.1", "0", "0", "0", "--dtype", "bf16"), "is no number of bfloat16; the nearest is -10.125"
    )
    assert "chapter SPECIAL" in invoke("oracle", "-inf", "0", "0", "0", "--dtype", "bf16").output
    assert "overflows" in invoke("oracle", "-60000", "0", "0", "-60000", "--dtype", "fp16").output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["0.5", "0.5", "bf16"], "0 ulp of bfloat16"),
        (["-0x1p-3", "-0.124", "half"], "16.384 ulp of binary16"),
        (["inf", "1", "float32"], "2.8545e+45 ulp of binary32"),
        (["nan", "1", "float32"], "inf ulp of binary32"),
        (["0.1", "1/10", "fp32"], "0.1 is no number of binary32"),
        (["1", "257.0001", "bf16"], "257.0001 rounds to 258.0"),
    ],
)
def test_the_error_of_a_number_in_ulps(arguments, said):
    result = invoke("ulp", *arguments)
    assert result.exit_code == 0, result.output
    assert said in result.output


def test_the_error_of_what_is_no_number_or_in_no_format():
    assert_refused(invoke("ulp", "one", "1", "bf16"), "one")
    assert_refused(invoke("ulp", "1", "1", "fp8"), "'fp8'")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_table_leaves_out_a_part_of_a_cell(width, monkeypatch, tmp_path):
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for name, path in zip(("numpy-naive", "torch-naive"), paths, strict=True):
        assert invoke("run", name, "--in-process", "--dtype", "bf16", "-c", "KERNEL", "--json", path).exit_code == 1
    monkeypatch.setenv("COLUMNS", str(width))
    commands = [["list"], ["diff", *paths], ["gap", "numpy", "--dtype", "bf16"], ["explain", "KERNEL"], ["explain", "KERNEL-1"]]
    for arguments in commands:
        result = invoke(*arguments)
        assert result.exit_code == 0
        assert "…" not in result.output, arguments
    assert all(len(line) <= width for line in invoke("list").output.splitlines())


def test_the_gap_without_torch_measures_numpy(monkeypatch):
    from conformance.cli import gap as module  # noqa: PLC0415

    def absent(name):
        if name.startswith("torch"):
            raise CannotLoad(f"{name}: no module named 'torch'")
        return load(name)

    monkeypatch.setattr(module, "load", absent)
    result = invoke("gap", "--dtype", "bf16")
    assert result.exit_code == 0
    assert "numpy-naive" in result.stdout and "torch" not in result.stdout
    assert "Not measured: torch-naive: no module named 'torch'" in result.stderr


def test_the_gap_of_one_format(tmp_path):
    path = tmp_path / "gap.json"
    result = invoke("gap", "numpy-naive", "--dtype", "bfloat16", "--json", path)
    assert result.exit_code == 0, result.output
    assert "bfloat16" in result.output
    measured = json.loads(path.read_text(encoding="utf-8"))["formats"]
    assert list(measured) == ["bfloat16"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--dtype", "float8"], "'float8'"), (["mxnet", "--dtype", "bfloat16"], "no implementation 'mxnet'")],
)
def test_a_gap_that_cannot_be_measured_is_wrong_usage(arguments, said):
    assert_refused(invoke("gap", *arguments), said)
