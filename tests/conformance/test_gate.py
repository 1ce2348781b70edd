"""The gate: a canary for every rule, through the command; what it must not fail; and what it must not compare."""

import itertools
import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from recorded import CLAIMS, MACHINE, changed, finding, record, run, with_run, without, worst
from refusing import assert_refused

from conformance.clauses import find
from conformance.cli import main
from conformance.cli.statuses import CANNOT_WRITE
from conformance.gate import RULES, Acceptance, Effect, Growth, NotComparable, Rule, compare
from conformance.implementations import numpy_implementation
from conformance.records.record import Level, Verdict, read
from conformance.running.runner import judge

BASE = record()
CONFORMS, VIOLATES, NOT_CLAIMED, NOT_RUN = Verdict
VIOLATED = {"verdict": VIOLATES, "violations": 7, "worst": worst(ulp=40.0, rho=5.0)}
NOW_NOT_RUN = {"verdict": NOT_RUN, "violations": 0, "points": 0, "worst": None, "grade": None, "note": "no device"}
NOW_NOT_CLAIMED = {**NOW_NOT_RUN, "verdict": NOT_CLAIMED, "note": "it detaches"}
ACCEPT = """
[[accept]]
implementation = "mine"
format = "bfloat16"
clause = "{clause}"
reason = "until the kernel is rewritten"
{more}
"""


@pytest.fixture
def gate(tmp_path):
    """gate(record, *options): the command's result against BASE, or another baseline; accept: a file's text."""

    def gate(now, *options, baseline=BASE, accept=None):
        now.write(tmp_path / "record.json")
        if baseline is not None:
            baseline.write(tmp_path / "baseline.json")
        arguments = [tmp_path / "record.json", "--baseline", tmp_path / "baseline.json", *options]
        if accept is not None:
            (tmp_path / "accept.toml").write_text(accept, encoding="utf-8")
            arguments += ["--accept", tmp_path / "accept.toml"]
        return CliRunner().invoke(main, ["gate", *map(str, arguments)])

    return gate


# -- a canary for every rule -------------------------------------------------------------------------------------------

CANARIES = {
    Rule.MUST_VIOLATED: [
        (changed(BASE, "LOSS-1", **VIOLATED), "conformed before; violated now at 7 of 1,000 numbers"),
        (changed(BASE, "LOSS-1", 3, **VIOLATED), "LOSS-1 MUST realistic pairs: theirs in binary32"),
        (record(*BASE.runs, run("new", findings=(finding("DEF-1", verdict=VIOLATES),))), "not judged before; violated now"),
        (with_run(BASE, findings=(*BASE.runs[0].findings, finding("DEF-1", verdict=VIOLATES))), "not judged before"),
    ],
    Rule.VIOLATIONS_GREW: [
        (changed(BASE, "LOSS-2", violations=401), "at 100 of 1,000 numbers before; at 401 of 1,000 numbers now"),
    ],
    Rule.GRADE_DROPPED: [
        (changed(BASE, "KERNEL-1", grade="within MUST"), "within 4 ulp before; within MUST now"),
        (changed(BASE, "KERNEL-1", 1, grade="worse"), "within 4 ulp before; worse now"),
    ],
    Rule.ERROR_GREW: [
        (changed(BASE, "KERNEL-1", worst=worst(3.1, 0.2501)), "3 ulp (ρ 0.25) before; 3.1 ulp (ρ 0.2501) now: any growth"),
        (changed(BASE, "KERNEL-1", 1, worst=worst(13.0, 1.01)), "more than 4 times is too much"),
        (changed(BASE, "LOSS-2", worst=worst(float("inf"), float("inf"))), "inf ulp (ρ inf) now"),
    ],
    Rule.CLAUSE_VANISHED: [(without(BASE, "LOSS-1"), "conformed before; not in the record now")],
    Rule.CLAIM_DROPPED: [
        (changed(BASE, "LOSS-1", **NOW_NOT_CLAIMED), "conformed before; not claimed now: it detaches"),
        (with_run(BASE, claims={**CLAIMS, "options": ["beta"]}), "it no longer claims the option label_smoothing"),
        (with_run(BASE, claims={**CLAIMS, "gradient": False}), "it no longer claims gradients"),
        (with_run(BASE, claims={**CLAIMS, "metrics": False}), "it no longer claims metrics"),
        (with_run(BASE, claims={**CLAIMS, "reduction": "mean"}), "it no longer claims per-pair losses"),
        (with_run(BASE, claims={**CLAIMS, "subnormals": "flush"}), "it no longer claims gradual underflow"),
        (with_run(BASE, verdict=NOT_CLAIMED, findings=(), reason="it does not claim bfloat16"), "not claimed now"),
    ],
    Rule.NOT_RUN: [
        (changed(BASE, "LOSS-1", **NOW_NOT_RUN), "conformed before; not run now: no device"),
        (changed(BASE, "LOSS-2", **NOW_NOT_RUN), "violated before; not run now: no device"),
        (with_run(BASE, verdict=NOT_RUN, findings=(), reason="no CUDA device"), "violated before; not run now: no CUDA device"),
        (record(*BASE.runs, run("new", verdict=NOT_RUN, findings=(), reason="no TPU")), "not in the baseline; not run now"),
    ],
    Rule.RUN_VANISHED: [
        (record(*BASE.runs[1:]), "mine in bfloat16 run-vanished: violated before; not in the record now"),
        (record(*BASE.runs[:3]), "theirs in binary32 run-vanished"),
    ],
}  # fmt: skip
BAD_ACCEPTANCES = {
    Rule.ACCEPTANCE_EXPIRED: ("LOSS-2", "expires = 2020-12-31", "it expired on 2020-12-31"),
    Rule.ACCEPTANCE_STALE: ("LOSS-1", "", "it conforms: remove the acceptance"),
    Rule.ACCEPTANCE_UNMATCHED: ("LOSS-9", "", "it is not in the record"),
}
INJECTED = [
    pytest.param(now, None, rule, said, id=f"{rule}-{i}")
    for rule, cases in CANARIES.items()
    for i, (now, said) in enumerate(cases)
] + [
    pytest.param(BASE, ACCEPT.format(clause=clause, more=more), rule, said, id=str(rule))
    for rule, (clause, more, said) in BAD_ACCEPTANCES.items()
]


def test_every_rule_has_a_canary():
    assert {*CANARIES, *BAD_ACCEPTANCES} == set(RULES)
    assert set(RULES) == set(Rule) - {Rule.SHOULD_VIOLATED}


@pytest.mark.parametrize(("now", "accept", "rule", "said"), INJECTED)
def test_a_regression_fails_the_gate_and_is_told(gate, now, accept, rule, said):
    result = gate(now, accept=accept)
    assert result.exit_code == 1, result.output
    text = re.sub(r"\s+", " ", result.output)
    assert f"{rule}: " in text
    assert said in text
    assert "The gate fails: 1 regression in 1 run." in text
    assert text.count("until the kernel is rewritten") == (accept is not None)


FIRST = [
    pytest.param(*next(canary.values[:3] for canary in INJECTED if canary.values[2] is rule), id=str(rule)) for rule in RULES
]
OUTPUTS = [["--markdown"], ["--junit"], ["--annotations"], ["--markdown", "--junit", "--annotations"], ["--update"]]
SAID = {"--markdown": "❌ fails", "--junit": "<failure", "--annotations": "::error "}


@pytest.mark.no_cover
@pytest.mark.parametrize("outputs", OUTPUTS, ids=" ".join)
@pytest.mark.parametrize(("now", "accept", "rule"), FIRST)
def test_every_output_exits_with_1_and_tells_the_rule(gate, tmp_path, outputs, now, accept, rule):
    files = {option: tmp_path / f"out{option}" for option in outputs if option in {"--markdown", "--junit"}}
    result = gate(now, *itertools.chain(*([o, files[o]] if o in files else [o] for o in outputs)), accept=accept)
    assert result.exit_code == 1, result.output
    for option, told in SAID.items():
        if option in outputs:
            text = files[option].read_text(encoding="utf-8") if option in files else result.output
            assert told in text
            assert str(rule) in text
    assert read(tmp_path / "baseline.json") == BASE, "a gate that fails updates nothing"


@pytest.mark.parametrize("outputs", [[], *OUTPUTS], ids=" ".join)
def test_every_output_exits_with_0_where_nothing_is_worse(gate, tmp_path, outputs):
    files = {option: tmp_path / f"out{option}" for option in outputs if option in {"--markdown", "--junit"}}
    result = gate(BASE, *itertools.chain(*([o, files[o]] if o in files else [o] for o in outputs)))
    assert result.exit_code == 0, result.output
    assert "The gate passes" in result.output
    assert "::error" not in result.output
    assert all(told not in path.read_text(encoding="utf-8") for path in files.values() for told in SAID.values())


@pytest.mark.parametrize("outputs", [[], *OUTPUTS], ids=" ".join)
def test_every_output_exits_with_2_where_nothing_can_be_compared(gate, tmp_path, outputs):
    files = {option: tmp_path / f"out{option}" for option in outputs if option in {"--markdown", "--junit"}}
    now = replace(BASE, seed=1)
    assert_refused(
        gate(now, *itertools.chain(*([o, files[o]] if o in files else [o] for o in outputs))), "seed 0 before and 1 now"
    )
    assert not any(path.exists() for path in files.values())
    assert read(tmp_path / "baseline.json") == BASE


def test_many_regressions_are_counted_and_each_is_told(gate):
    now = changed(changed(without(BASE, "CALL-1", 2), "KERNEL-1", **VIOLATED, grade="worse"), "LOSS-1", **VIOLATED)
    result = gate(now)
    assert result.exit_code == 1
    for told in ("must-violated: ", "grade-dropped: ", "clause-vanished: "):
        assert told in result.output
    assert "error-grew: " not in result.output, "that it is violated says it"
    assert result.output.count("to see it again") == 1, "what follows from a violated kernel is told in short"
    assert "The gate fails: 3 regressions in 2 runs." in result.output


def test_why_it_fails_is_told_first_and_each_regression_in_short(gate, tmp_path):
    def mine(factor):
        def loss(pc, pr, rc, rr, beta, eps):
            with np.errstate(all="ignore"):
                z = pc.dtype.type(beta) * ((pc - rc) - (pr - rr))
                return pc.dtype.type(factor) * (np.maximum(-z, 0) + np.log1p(np.exp(-np.abs(z))))

        made = numpy_implementation(loss, name="mine", options=("beta",))
        return judge(made, dtypes=["float32"], clauses=[find("DEF-1"), find("LOSS-1")])

    right, halved, markdown = mine(1), mine(0.5), tmp_path / "gate.md"
    result = gate(halved, "--markdown", markdown, baseline=right)
    first, _, cause, *rest = result.output.splitlines()
    assert first == "The gate fails: 2 regressions in 1 run."
    assert "half of the loss" in " ".join([cause, *rest[:2]])
    assert "  LOSS-1 MUST realistic pairs: mine in binary32" in rest
    assert "to see it again" not in result.output[result.output.index("what is worse") :]
    assert len(result.output.splitlines()) < 60
    assert "half of the loss" in markdown.read_text(encoding="utf-8")
    full = gate(halved, "--full", baseline=right).output
    assert "what usually mends it" in full
    assert "what usually mends it" not in result.output


def test_what_is_lost_for_one_reason_is_told_once(gate):
    lost = tuple(replace(f, **NOW_NOT_RUN) if f.clause != "CALL-1" else f for f in BASE.runs[0].findings)
    result = gate(with_run(BASE, findings=lost))
    assert result.exit_code == 1
    text = " ".join(result.output.split())
    assert "2 clauses: mine in bfloat16 not-run: conformed before; not run now: no device KERNEL-1, LOSS-1" in text
    assert "2 clauses: mine in bfloat16 not-run: violated before; not run now: no device LOSS-2, KERNEL-5" in text


# -- what passes -------------------------------------------------------------------------------------------------------

HARMLESS = {
    "nothing": BASE,
    "time": replace(with_run(BASE, seconds=99999.0), created="2031-01-01T00:00:00+00:00"),
    "a library": with_run(BASE, environment={"torch": "2.15.0", "device": "cpu"}),
    "another CPU": replace(BASE, environment={**MACHINE, "cpu": "B", "python": "3.13.0", "system": "Linux 7.0"}),
    "its file": with_run(with_run(BASE, 0, source="moved.py:F"), 1, source="moved.py:F"),
    "order": replace(BASE, runs=BASE.runs[::-1]),
    "a new run": record(*BASE.runs, run("new", findings=(finding("DEF-1"),), verdict=CONFORMS)),
    "a new format not claimed": record(*BASE.runs, run("mine", "binary64", (), verdict=NOT_CLAIMED, reason="why")),
    "a sampled error within 4 times": changed(BASE, "LOSS-1", worst=worst(12.1, 1.0)),
    "a sampled kernel error within 4 times": changed(BASE, "KERNEL-1", 1, worst=worst(11.9, 0.99)),
    "an error of a SHOULD": changed(BASE, "KERNEL-5", worst=worst(400.0, 99.0)),
    "fewer violations": changed(BASE, "LOSS-2", violations=1),
    "more violations within 4 times": changed(BASE, "LOSS-2", violations=399),
    "a violation mended": changed(BASE, "LOSS-2", verdict=CONFORMS, violations=0),
    "a better grade": changed(BASE, "KERNEL-1", grade="faithful"),
    "other counts": changed(BASE, "KERNEL-1", counts={"wrongly rounded": 77}),
}


@pytest.mark.parametrize("now", HARMLESS.values(), ids=HARMLESS)
def test_what_is_not_worse_passes(gate, now):
    result = gate(now)
    assert result.exit_code == 0, result.output
    assert "The gate passes" in result.output


def test_an_error_below_half_an_ulp_never_grew():
    before = changed(BASE, "LOSS-1", worst=worst(0.01, 0.001))
    for ulp, fails in ((0.5, False), (2.0, False), (2.1, True)):
        after = changed(BASE, "LOSS-1", worst=worst(ulp, 0.001 * ulp / 0.01))
        assert compare(before, after).passes is not fails, ulp
    before = changed(BASE, "KERNEL-1", worst=worst(0.4, 0.05))
    for ulp, fails in ((0.5, False), (0.51, True)):
        assert compare(before, changed(BASE, "KERNEL-1", worst=worst(ulp, ulp / 8))).passes is not fails


def test_on_another_cpu_no_kernel_is_deterministic(gate):
    def elsewhere(ulp, rho):
        return replace(changed(BASE, "KERNEL-1", worst=worst(ulp, rho)), environment={**MACHINE, "cpu": "B"})

    result = gate(elsewhere(3.1, 0.2501))
    assert result.exit_code == 0
    assert "on another CPU a worst error may grow" in result.output
    assert gate(elsewhere(13.0, 1.01)).exit_code == 1
    assert "on another CPU" not in gate(BASE).output


def test_a_kernel_judged_at_other_points_is_sampled():
    fewer = changed(BASE, "KERNEL-1", points=4096, worst=worst(3.1, 0.2501))
    assert compare(BASE, fewer).passes
    assert not compare(changed(BASE, "KERNEL-1", points=4096), fewer).passes


@pytest.mark.parametrize(
    ("option", "factor", "now", "status"),
    [
        ("--exhaustive-growth", 1.1, changed(BASE, "KERNEL-1", worst=worst(3.1, 0.26)), 0),
        ("--exhaustive-growth", 1.03, changed(BASE, "KERNEL-1", worst=worst(3.1, 0.26)), 1),
        ("--sampled-growth", 1.2, changed(BASE, "LOSS-1", worst=worst(3.7, 0.31)), 1),
        ("--sampled-growth", 5, changed(BASE, "LOSS-1", worst=worst(13.0, 1.01)), 0),
    ],
)
def test_the_factors_can_be_set(gate, option, factor, now, status):
    assert gate(now, option, factor).exit_code == status


def test_improvements_are_listed_and_an_update_is_offered(gate):
    better = changed(changed(BASE, "LOSS-2", verdict=CONFORMS, violations=0), "KERNEL-1", grade="faithful")
    result = gate(better)
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    assert "Better than in the baseline" in text
    assert "LOSS-2 MUST heavy cancellation: mine in bfloat16: violated before; conforms now" in text
    assert "within 4 ulp before; faithful now" in text
    assert "To keep what is better: --update makes this record" in text
    assert "--update" not in gate(BASE).output


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (changed(BASE, "LOSS-2", worst=worst(0.3, 0.01)), "worst error 3 ulp (ρ 1.5) before; 0.3 ulp (ρ 0.01) now"),
        (changed(BASE, "LOSS-2", violations=3), "violated at 100 of 1,000 numbers before; at 3 of 1,000 numbers now"),
        (changed(BASE, "KERNEL-5", verdict=CONFORMS, violations=0), "KERNEL-5 SHOULD gradual underflow: mine in bfloat16: "),
        (record(*BASE.runs, run("new", findings=(finding("DEF-1"),), verdict=CONFORMS)), "new in bfloat16: not judged before"),
    ],
)  # fmt: skip
def test_each_improvement_is_told(now, said, gate):
    result = gate(now)
    assert result.exit_code == 0
    assert said in result.output


def test_a_should_newly_violated_is_told_and_passes(gate):
    base = changed(BASE, "KERNEL-5", verdict=CONFORMS, violations=0)
    result = gate(BASE, baseline=base)
    assert result.exit_code == 0
    assert "Worse, and not gated" in result.output
    assert "KERNEL-5 SHOULD gradual underflow: mine in bfloat16: conformed before; violated now" in result.output


def test_what_differs_in_where_they_were_made_is_told(gate):
    now = with_run(replace(BASE, environment={**MACHINE, "cpu": "B"}), environment={"torch": "2.15.0", "device": "cpu"})
    text = gate(now).output
    assert "cpu A CPU before; B now" in text
    assert "mine: torch 2.13.0 before; 2.15.0 now" in text


# -- updates -----------------------------------------------------------------------------------------------------------


def test_an_update_makes_the_record_the_baseline_where_the_gate_passes(gate, tmp_path):
    better = changed(BASE, "LOSS-2", verdict=CONFORMS, violations=0)
    result = gate(better, "--update")
    assert result.exit_code == 0
    assert "is now this record; the MUSTs that it violates, 3, pass from now on." in " ".join(result.output.split())
    assert read(tmp_path / "baseline.json") == better
    assert sorted(path.name for path in tmp_path.iterdir()) == ["baseline.json", "record.json"]


def test_an_update_makes_a_baseline_where_there_is_none(gate, tmp_path):
    assert_refused(gate(BASE, baseline=None), "baseline.json: no such file; with --update this record becomes the baseline")
    assert not (tmp_path / "baseline.json").exists()
    result = gate(BASE, "--update", baseline=None)
    assert result.exit_code == 0
    assert result.output.startswith("The gate passes: there was no baseline to compare with.")
    assert "is now this record; the MUSTs that it violates, 4, pass from now on." in " ".join(result.output.split())
    assert read(tmp_path / "baseline.json") == BASE


def test_no_baseline_is_made_of_a_record_that_judged_nothing(gate, tmp_path):
    nothing = record(run(verdict=NOT_RUN, findings=(), reason="no device"))
    assert_refused(gate(nothing, "--update", baseline=None), "the baseline judged nothing")
    assert not (tmp_path / "baseline.json").exists()


def test_an_update_that_fails_says_what_to_do(gate):
    result = gate(without(BASE, "LOSS-1"), "--update")
    assert result.exit_code == 1
    assert "is left as it was. To accept what is worse, replace it by hand" in " ".join(result.output.split())


# -- what cannot be compared -------------------------------------------------------------------------------------------

INCOMPARABLE = [
    (replace(BASE, suite={**BASE.suite, "version": "0.2.0"}), "suite version 0.1.0 before and 0.2.0 now: judge"),
    (replace(BASE, suite={**BASE.suite, "name": "other"}), "suite name dpo-conformance before and other now"),
    (replace(BASE, seed=1), "seed 0 before and 1 now: judge with the same seed"),
    (with_run(BASE, 2, profile="standard"), "theirs in bfloat16: profile quick before and standard now"),
    (replace(BASE, environment={**MACHINE, "machine": "arm64"}), "machine x86_64 before and arm64 now"),
    (replace(BASE, environment={**MACHINE, "system": "Darwin 24.1"}), "system Linux before and Darwin now"),
    (with_run(BASE, environment={"torch": "2.13.0", "device": "cuda"}), "mine in bfloat16: device cpu before and cuda now"),
    (record(*BASE.runs, BASE.runs[0]), "mine in bfloat16 stands twice in the record"),
]


@pytest.mark.parametrize(("now", "said"), INCOMPARABLE)
def test_what_cannot_be_compared_is_an_error_and_no_pass(gate, now, said):
    assert_refused(gate(now), said)


@pytest.mark.parametrize(
    "now", [now for now, said in INCOMPARABLE if said.startswith(("machine", "system", "mine in bfloat16: d"))]
)
def test_other_machines_can_be_compared_if_that_is_asked_for(gate, now):
    assert gate(now, "--across-machines").exit_code == 0


def test_an_unknown_version_is_no_version(gate):
    unknown = replace(BASE, suite={**BASE.suite, "version": "unknown"})
    assert_refused(gate(unknown, baseline=unknown), "the suite's version is unknown: install dpo-conformance")


def test_a_baseline_that_judged_nothing_compares_with_nothing(gate):
    nothing = record(run(verdict=NOT_RUN, findings=(), reason="no device"))
    assert_refused(gate(BASE, baseline=nothing), "the baseline judged nothing")


@pytest.mark.parametrize("which", ["record.json", "baseline.json"])
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text[: len(text) // 2], ": it ends in the middle, at line "),
        (
            lambda text: text.replace('"verdict": "violates"', '"verdict": "conforms"', 1),
            ": at runs/0 (mine in bfloat16): edited",
        ),
        (lambda text: text.replace('"schema": 2', '"schema": 3'), ": schema 3 is newer than this suite's 2"),
        (lambda text: text.replace('"schema": 2', '"schema": 1'), ": schema 1 is older than this suite's 2"),
        (lambda text: text.replace('"seed": 0', '"seed": "0"'), ": at seed: "),
        (lambda text: "", ": it is empty"),
    ],
)
def test_a_damaged_record_is_refused_with_the_place(gate, tmp_path, which, damage, said):
    gate(BASE)
    path = tmp_path / which
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    arguments = ["gate", tmp_path / "record.json", "--baseline", tmp_path / "baseline.json", "--update"]
    assert_refused(CliRunner().invoke(main, [str(argument) for argument in arguments]), which, said)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_what_powershell_saves_is_read_as_what_it_is(gate, tmp_path, encoding):
    gate(BASE)
    accept = tmp_path / "accept.toml"
    accept.write_text("", encoding="utf-8")
    for path in (tmp_path / "record.json", tmp_path / "baseline.json", accept):
        path.write_text(path.read_text(encoding="utf-8").replace("\n", "\r\n"), encoding=encoding, newline="")
    arguments = ["gate", tmp_path / "record.json", "--baseline", tmp_path / "baseline.json", "--accept", accept]
    assert CliRunner().invoke(main, [str(argument) for argument in arguments]).exit_code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--markdown", "none/out.md"], "none is not a folder"),
        (["--junit", "none/out.xml"], "none is not a folder"),
        (["--sampled-growth", "0.5"], "--sampled-growth"),
        (["--accept", "none.toml"], "none.toml"),
    ],
)
def test_wrong_usage_is_exit_code_2(gate, options, said):
    assert_refused(gate(BASE, *options), said)


def test_a_report_that_cannot_be_written_is_told(gate, tmp_path, monkeypatch):
    replaced = Path.replace

    def full(self, path):
        if path.suffix == ".md":
            raise OSError(28, "No space left on device")
        return replaced(self, path)

    monkeypatch.setattr(Path, "replace", full)
    result = gate(BASE, "--markdown", tmp_path / "out.md")
    assert result.exit_code == CANNOT_WRITE
    assert "out.md: No space left on device" in result.stderr


# -- two implementations of one name -----------------------------------------------------------------------------------


def test_implementations_that_share_a_name_are_told_apart_by_their_source():
    base = record(run("mine", source="a.py:mine"), run("mine", source="b.py:mine"))
    assert compare(base, replace(base, runs=base.runs[::-1])).passes
    (change,) = compare(base, record(base.runs[0])).of(Effect.FAILS)
    assert (change.rule, change.implementation) == (Rule.RUN_VANISHED, "mine (b.py:mine)")
    worse = compare(base, changed(base, "LOSS-1", 1, **VIOLATED)).of(Effect.FAILS)
    assert {change.implementation for change in worse} == {"mine (b.py:mine)"}


def test_a_renamed_implementation_answers_to_its_old_name():
    now = with_run(with_run(BASE, 0, implementation="new"), 1, implementation="new")
    assert not compare(BASE, now).passes
    assert compare(BASE, now, renamed={"mine": "new"}).passes
    with pytest.raises(NotComparable, match="no implementation 'old' in the first record: it has mine, theirs"):
        compare(BASE, now, renamed={"old": "new"})


# -- acceptances -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", ["", "expires = 2999-12-31", 'expires = "2999-12-31"'])
def test_an_accepted_violation_passes_and_is_told_with_its_reason(gate, more):
    now = changed(BASE, "KERNEL-1", **VIOLATED, grade="worse")
    result = gate(now, accept=ACCEPT.format(clause="kernel-1", more=more))
    assert result.exit_code == 0, result.output
    assert "Accepted" in result.output
    assert "accepted: until the kernel is rewritten" in " ".join(result.output.split())


def test_an_acceptance_covers_its_own_clause_alone(gate):
    now = changed(changed(BASE, "KERNEL-1", **VIOLATED), "LOSS-1", **VIOLATED)
    result = gate(now, accept=ACCEPT.format(clause="KERNEL-1", more=""))
    assert result.exit_code == 1
    assert "The gate fails: 1 regression in 1 run." in result.output
    other = changed(BASE, "KERNEL-1", 1, **VIOLATED)
    assert gate(other, accept=ACCEPT.format(clause="KERNEL-1", more="")).exit_code == 1


def test_an_acceptance_covers_no_loss():
    acceptance = Acceptance("mine", "bfloat16", "LOSS-1", "why")
    for now in (without(BASE, "LOSS-1"), changed(BASE, "LOSS-1", **NOW_NOT_RUN), changed(BASE, "LOSS-1", **NOW_NOT_CLAIMED)):
        rules = {change.rule for change in compare(BASE, now, acceptances=(acceptance,)).of(Effect.FAILS)}
        assert Rule.ACCEPTANCE_UNMATCHED in rules
        assert len(rules) == 2


def test_an_acceptance_holds_through_its_last_day_and_not_a_day_longer():
    now, last = changed(BASE, "LOSS-1", **VIOLATED), date(2026, 5, 31)
    acceptance = Acceptance("mine", "bfloat16", "LOSS-1", "why", last)
    assert compare(BASE, now, acceptances=(acceptance,), today=last).passes
    late = compare(BASE, now, acceptances=(acceptance,), today=last + timedelta(days=1))
    assert {change.rule for change in late.of(Effect.FAILS)} >= {Rule.ACCEPTANCE_EXPIRED, Rule.MUST_VIOLATED}


def test_formats_and_clauses_may_be_lists_and_each_combination_must_occur(gate):
    now = changed(changed(BASE, "LOSS-1", 0, **VIOLATED), "LOSS-1", 1, **VIOLATED)
    text = '[[accept]]\nimplementation = "mine"\nformat = ["float32", "bfloat16"]\nclause = {}\nreason = "r"\n'
    assert gate(now, accept=text.format('["LOSS-1", "LOSS-2"]')).exit_code == 0
    result = gate(now, accept=text.format('["LOSS-1", "CALL-1"]'))
    assert result.exit_code == 1
    assert result.output.count("acceptance-stale") == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[accept]", "accept.toml: not TOML: "),
        ("accepts = []", "[[accept]] tables, and nothing else"),
        ("accept = 1", "[[accept]] tables, and nothing else"),
        ("[[accept]]", "[[accept]] number 1: implementation is missing: a text"),
        (ACCEPT.format(clause="LOSS-2", more="").replace("until the kernel is rewritten", "  "), "reason = ' ': a text"),
        (ACCEPT.format(clause="LOSS-2", more="until = 3"), "unknown key 'until': one of implementation, format, clause"),
        (ACCEPT.format(clause="LOSS-2", more="expires = 3"), "expires = 3: a date, as 2030-12-31"),
        (ACCEPT.format(clause="LOSS-2", more='expires = "soon"'), "expires = 'soon': a date"),
        (ACCEPT.format(clause="LOSS-2", more="expires = 2030-12-31T10:00:00"), "a date, as 2030-12-31"),
        (ACCEPT.format(clause="LOSS-2", more="").replace('"bfloat16"', '"float8"'), "number 1: "),
        (ACCEPT.format(clause="LOSS-2", more="").replace('"bfloat16"', "[]"), "format = []: a text"),
        (ACCEPT.format(clause="LOSS-2", more="") * 2, "number 2: mine bfloat16 LOSS-2 stands twice"),
    ],
)
def test_a_bad_file_of_acceptances_is_wrong_usage(gate, text, said):
    assert_refused(gate(BASE, accept=text), said)


def test_an_empty_file_of_acceptances_accepts_nothing(gate):
    assert gate(BASE, accept="").exit_code == 0
    assert gate(changed(BASE, "LOSS-1", **VIOLATED), accept="").exit_code == 1


def test_levels_are_kept_apart():
    base = changed(BASE, "LOSS-2", level=Level.SHOULD)
    (change,) = compare(base, BASE).of(Effect.FAILS)
    assert change.rule is Rule.MUST_VIOLATED
    assert compare(base, base, growth=Growth(1.0, 1.0)).passes


def test_help_names_every_rule_and_the_exit_codes():
    result = CliRunner().invoke(main, ["gate", "--help"])
    assert all(str(rule) in result.output for rule in RULES)
    assert "Exit status: 0 where nothing is worse" in " ".join(result.output.split())
