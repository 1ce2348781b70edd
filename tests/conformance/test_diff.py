"""The comparison for a reader: what differs is told, what does not is counted, and nothing is judged."""

import re
from dataclasses import replace

import pytest
from click.testing import CliRunner
from recorded import MACHINE, changed, finding, record, run, with_run, without, worst

from conformance.cli import main
from conformance.records.record import Verdict

BASE = record()


@pytest.fixture
def diff(tmp_path, monkeypatch):
    """diff(before, now, *options): the command's result, on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "200")

    def diff(before, now, *options):
        before.write(tmp_path / "a.json")
        now.write(tmp_path / "b.json")
        return CliRunner().invoke(main, ["diff", str(tmp_path / "a.json"), str(tmp_path / "b.json"), *options])

    return diff


def words(result):
    assert result.exit_code == 0, result.output
    return re.sub(r"\s+", " ", result.output)


def test_the_same_record_differs_in_nothing(diff):
    text = words(diff(BASE, BASE))
    assert text.count("0 of 5 clauses differ") == 4
    assert "→" not in text.partition("before → now ρ")[2].partition("─")[2]
    assert "With the first as its baseline: The gate passes" in text


def test_what_differs_is_told_clause_by_clause(diff):
    now = changed(BASE, "KERNEL-1", grade="faithful", worst=worst(0.9, 0.1, got=0.125), counts={"wrongly rounded": 1234})
    text = words(diff(BASE, now))
    assert "mine in bfloat16: 1 of 5 clauses differ" in text
    assert text.count("0 of 5 clauses differ") == 3
    for told in ("KERNEL-1 grade within 4 ulp faithful", "wrongly rounded 1,234", "worst error 3 ulp (ρ 0.25) 0.9 ulp (ρ 0.1)"):
        assert told in text
    assert "got there 0.25 0.125" in text
    assert "3 → 0.9" in text


def test_a_regression_is_told_and_not_judged(diff):
    now = without(changed(BASE, "LOSS-1", verdict=Verdict.VIOLATES, violations=3, worst=worst(rho=9.0)), "CALL-1", 3)
    text = words(diff(BASE, now))
    assert "LOSS-1 verdict conforms violates" in text
    assert "violated at 0 of 1,000 numbers 3 of 1,000 numbers" in text
    assert "CALL-1 verdict conforms not in the record" in text
    assert "With the first as its baseline: The gate fails: 2 regressions in 2 runs." in text


def test_where_one_was_not_judged_the_reason_is_told_and_no_numbers(diff):
    now = changed(BASE, "LOSS-1", verdict=Verdict.NOT_RUN, violations=0, points=0, worst=None, note="no device")
    text = words(diff(BASE, now))
    assert "LOSS-1 verdict conforms not run note no device" in text
    assert "worst error" not in text


def test_a_run_that_only_one_has_is_in_the_table(diff):
    text = words(diff(BASE, record(*BASE.runs[:3], run("new", findings=(finding("DEF-1"),)))))
    assert "theirs binary32 violates → none" in text
    assert "new bfloat16 none → violates" in text


def test_two_implementations_answer_to_each_other_where_each_record_has_one(diff):
    eager, compiled = (record(run(name), run(name, "binary32")) for name in ("eager", "compiled"))
    text = words(diff(eager, compiled))
    assert text.count("0 of 5 clauses differ") == 2
    assert "compiled: loaded as eager.py:F before; as compiled.py:F now" in text


def test_implementations_are_mapped_by_an_option(diff):
    now = with_run(with_run(BASE, 0, implementation="new"), 1, implementation="new")
    assert "none →" in words(diff(BASE, now))
    text = words(diff(BASE, now, "--map", "mine=new"))
    assert "none" not in text
    assert "new in bfloat16: 0 of 5 clauses differ" in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--map", "mine"], "'mine': OLD=NEW, each name once"),
        (["--map", "mine=a", "--map", "mine=b"], "'mine=b': OLD=NEW, each name once"),
        (["--map", "mine=a", "--map", "theirs=a"], "'theirs=a': OLD=NEW, each name once"),
        (["--map", "none=mine"], "no implementation 'none' in the first record: it has mine, theirs"),
        (["--map", "mine=none"], "no implementation 'none' in the second record"),
    ],
)
def test_a_wrong_mapping_is_wrong_usage(diff, options, said):
    result = diff(BASE, BASE, *options)
    assert result.exit_code == 2
    assert said in re.sub(r"\s+", " ", result.stderr)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (replace(BASE, seed=1), "seed 0 before and 1 now"),
        (replace(BASE, suite={**BASE.suite, "version": "9"}), "suite version 0.1.0 before and 9 now"),
        (with_run(BASE, profile="standard"), "profile quick before and standard now"),
    ],
)
def test_what_cannot_be_compared_is_wrong_usage(diff, now, said):
    result = diff(BASE, now)
    assert result.exit_code == 2
    assert said in re.sub(r"\s+", " ", result.stderr)


def test_other_machines_devices_and_libraries_are_told(diff):
    now = replace(BASE, environment={**MACHINE, "machine": "arm64", "system": "Darwin 24.1"})
    now = with_run(now, environment={"torch": "2.15.0", "device": "cuda"})
    text = words(diff(BASE, now))
    for told in (
        "machine x86_64 before; arm64 now",
        "system Linux 6.1 before; Darwin 24.1 now",
        "mine: torch 2.13.0 before; 2.15.0 now",
    ):
        assert told in text
    assert "mine: device cpu before; cuda now" in text
    assert "before: " in text
    assert "mine device cuda, torch 2.15.0" in text


def test_names_are_told_literally(diff):
    name = "[bold]<script>\x1b[31m"
    text = words(diff(record(run(name)), record(run(name), seed=0)))
    assert r"[bold]<script>\x1b[31m in bfloat16: 0 of 5 clauses differ" in text
    assert "\x1b" not in text
