"""Whatever a named implementation does, its record is complete and the rest of the run goes on."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import judge
from conformance.clauses import CLAUSES, find
from conformance.clauses.trial import Trial
from conformance.errors import BadRequest, CannotLoad, UnknownImplementation
from conformance.implementations import load
from conformance.inputs.pairs import golden
from conformance.inputs.profiles import get_profile
from conformance.records.record import Level, Verdict, plain
from conformance.running import worker
from conformance.running.job import Job
from conformance.running.state import Died, State
from conformance.running.trying import FIRST, opened
from oracle import bfloat16, binary32

HOSTILE = Path(__file__).parents[1] / "mutants" / "hostile.py"
TEXT = """
import ctypes, os, signal, sys, threading, time
import numpy as np
from conformance.implementations import numpy_implementation

def right(pc, pr, rc, rr, beta, eps):
    z = pc.dtype.type(beta) * ((pc - rc) - (pr - rr))
    kernel = [np.maximum(x, x.dtype.type(0)) + np.log1p(np.exp(-np.abs(x))) for x in (-z, z)]
    e = z.dtype.type(eps)
    return kernel[0] if eps == 0 else (z.dtype.type(1) - e) * kernel[0] + e * kernel[1]

def when(condition, act):
    def function(pc, pr, rc, rr, beta, eps):
        if condition(pc, beta, eps):
            act()
        return right(pc, pr, rc, rr, beta, eps)
    return function

always = lambda *_: True
smoothed = lambda pc, beta, eps: eps == 0.5
empty = lambda pc, beta, eps: len(pc) == 0
def says():
    print('{"verdict": "conforms"}')
    os.write(1, b'{"done": true}\\n')
    sys.stderr.write("noise\\n")
def fails():
    raise RuntimeError("no kernel")
ends = lambda: os._exit(0)
SEGFAULT = lambda: ctypes.string_at(0)
HANG = lambda: time.sleep(3600)
def closes():
    os.closerange(0, 64)
    time.sleep(3600)
def panics():
    sys.stderr.write("thread 'x' panicked at x.rs:1:2:\\nnot finite\\nnote: run with a backtrace\\n")
    sys.stderr.flush()
    os.abort()
def detach():
    if os.fork() == 0:
        time.sleep(3600)
    os._exit(9)
"""


@pytest.fixture(scope="module")
def name(tmp_path_factory):
    """name(condition, act): a file whose implementation F does that when, and is right else."""
    folder = tmp_path_factory.mktemp("hostile")

    def name(condition, act, **keywords):
        path = folder / f"{abs(hash((condition, act, *keywords)))}.py"
        path.write_text(f"{TEXT}\nF = numpy_implementation(when({condition}, {act}), name={act!r}, **{keywords})\n")
        return f"{path}:F"

    return name


def chapter(*names):
    return [clause for clause in CLAUSES if clause.chapter in names]


CHECKED = [*chapter("CALL"), find("LOSS-1"), find("SMOOTH-1"), find("OPTION-1")]


def complete(record, clauses=CHECKED, fmts=("bfloat16",)):
    """The record's runs, after a look that each has a finding for every clause, and that it can be written."""
    assert [run.format for run in record.runs] == list(fmts)
    for run in record.runs:
        assert [finding.clause for finding in run.findings] == [clause.id for clause in clauses]
    record.to_json()
    return record.runs


def notes(run, verdict):
    return {finding.clause: finding.note for finding in run.findings if finding.verdict is verdict}


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("SEGFAULT", "ended the process with SIGSEGV"),
        ("os.abort", "ended the process with SIGABRT"),
        ("ends", "ended the process with status 0"),
        ("lambda: os._exit(3)", "ended the process with status 3"),
        ("panics", "ended the process with SIGABRT: thread 'x' panicked at x.rs:1:2: not finite"),
        ("detach", "ended the process with status 9"),
        ("lambda: os.kill(os.getpid(), signal.SIGKILL)", "ended the process with SIGKILL"),
        ("sys.exit", "raised: it raised SystemExit"),
        ("fails", "raised: it raised RuntimeError: no kernel"),
    ],
)
def test_one_that_ends_the_first_call_violates_it_and_is_asked_nothing_else(name, act, said):
    record = judge(name("always", act), dtypes=["bfloat16"], clauses=CHECKED, time_limit=60)
    (run,) = complete(record)
    assert run.verdict is Verdict.VIOLATES
    assert run.implementation == act
    assert list(notes(run, Verdict.VIOLATES)) == [FIRST]
    assert said in notes(run, Verdict.VIOLATES)[FIRST]
    skipped = notes(run, Verdict.NOT_RUN)
    assert len(skipped) == len(CHECKED) - 1
    assert all(said in note and f"it violates {FIRST}" in note for note in skipped.values())


@pytest.mark.parametrize(("act", "said"), [("HANG", "hung: no answer within 3 s"), ("closes", "hung: it closed its output")])
def test_one_that_hangs_is_ended_in_time(name, act, said):
    started = time.monotonic()
    record = judge(name("always", act), dtypes=["bfloat16"], clauses=CHECKED, time_limit=3)
    (run,) = complete(record)
    assert said in notes(run, Verdict.VIOLATES)[FIRST]
    assert time.monotonic() - started < 60


def test_a_new_process_goes_on_after_the_clause_that_ended_the_old_one(name):
    clauses = [find(FIRST), find("CALL-5"), find("DEF-1"), find("OPTION-1")]
    record = judge(name("empty", "SEGFAULT"), dtypes=["bfloat16", "binary32"], clauses=clauses)
    for run in complete(record, clauses, ["bfloat16", "binary32"]):
        assert [finding.verdict for finding in run.findings] == [Verdict.CONFORMS, Verdict.VIOLATES] + [Verdict.CONFORMS] * 2
        assert run.verdict is Verdict.CONFORMS, "an empty batch is a SHOULD"


def test_what_was_found_before_and_after_a_crash_is_what_a_healthy_process_finds(name):
    clauses = [clause for clause in CHECKED if clause.id != "CALL-5"]
    healthy, ill = (
        judge(source, dtypes=["bfloat16"], clauses=clauses).runs[0]
        for source in (name("empty", "says"), name("smoothed", "ends"))
    )
    crashed = notes(ill, Verdict.VIOLATES)
    assert list(crashed) == ["SMOOTH-1"]
    same = [(a, b) for a, b in zip(healthy.findings, ill.findings, strict=True) if a.clause not in crashed]
    assert len(same) == len(clauses) - 1
    assert all(a == b for a, b in same)


def test_after_three_deaths_the_rest_is_not_run(name):
    clauses = [find(i) for i in (FIRST, "SMOOTH-1", "SMOOTH-3", "OPTION-2", "DEF-1", "DEF-2")]
    record = judge(name("smoothed", "ends"), dtypes=["bfloat16", "binary32"], clauses=clauses)
    first, second = complete(record, clauses, ["bfloat16", "binary32"])
    conforms, violates, not_run = Verdict.CONFORMS, Verdict.VIOLATES, Verdict.NOT_RUN
    assert [f.verdict for f in first.findings] == [conforms, violates, violates, violates, not_run, not_run]
    assert {f.verdict for f in second.findings} == {not_run}
    assert "3 clauses ended the process, hung or were not finished" in second.findings[0].note
    assert (first.verdict, second.verdict) == (violates, not_run)
    assert "3 clauses" in second.reason


@pytest.mark.parametrize("clauses", [["SMOOTH-1"], [FIRST, "SMOOTH-1"]])
def test_a_third_death_in_the_last_clause_of_a_format_ends_the_run(name, clauses):
    clauses = [find(i) for i in clauses]
    every = ["binary16", "bfloat16", "binary32", "binary64"]
    record = judge(name("smoothed", "ends"), clauses=clauses)
    runs = complete(record, clauses, every)
    assert [run.findings[-1].verdict for run in runs] == [Verdict.VIOLATES] * 3 + [Verdict.NOT_RUN]


def test_a_format_that_is_not_claimed_is_not_claimed_after_three_deaths_either(name):
    clauses = [find(i) for i in ("SMOOTH-1", "SMOOTH-3", "OPTION-2")]
    record = judge(name("smoothed", "ends", dtypes=["bfloat16"]), dtypes=["bfloat16", "binary32"], clauses=clauses)
    assert [run.verdict for run in record.runs] == [Verdict.VIOLATES, Verdict.NOT_CLAIMED]
    assert record.runs[1].findings == ()
    record.to_json()


def test_what_it_prints_is_not_taken_for_the_suites_word(name, capfd):
    clauses = [find(i) for i in (FIRST, "CALL-4", "DEF-1")]
    (run,) = complete(judge(name("always", "says"), dtypes=["bfloat16"], clauses=clauses), clauses)
    assert notes(run, Verdict.VIOLATES) == {"CALL-4": "it printed text"}
    assert capfd.readouterr().out == ""


def test_the_others_are_judged_as_if_it_were_not_there(name):
    alone = judge(name("empty", "says"), dtypes=["bfloat16"], clauses=CHECKED).runs
    together = judge(name("always", "ends"), name("empty", "says"), dtypes=["bfloat16"], clauses=CHECKED).runs
    assert [run.verdict for run in together] == [Verdict.VIOLATES, Verdict.CONFORMS]
    assert plain(together[1].findings) == plain(alone[0].findings)


def test_a_process_of_its_own_finds_what_this_one_finds(name):
    source = name("empty", "says")
    own, here = (judge(source, dtypes=["bfloat16"], clauses=CHECKED, isolate=isolate).runs[0] for isolate in (True, False))
    assert plain(own.findings) == plain(here.findings)
    assert (own.source, own.implementation, own.claims, own.environment) == (
        here.source, here.implementation, here.claims, here.environment
    )  # fmt: skip


@pytest.mark.parametrize("isolate", [True, False])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise OSError('libcudart.so.12: cannot open')", "raised OSError: libcudart.so.12"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("F = 3", "not an implementation"),
        ("", "has no attribute"),
        ("F = (", "SyntaxError"),
    ],
)
def test_one_that_cannot_be_imported_is_an_error(file, isolate, text, said):
    with pytest.raises(CannotLoad, match=said):
        judge(file(text), dtypes=["bfloat16"], isolate=isolate)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import os; os._exit(7)", "ended the process with status 7 while it was imported"),
        ("import os; os.abort()", "ended the process with SIGABRT"),
        ("import time; time.sleep(3600)", "hung: no answer within 3 s while it was imported"),
    ],
)
def test_one_whose_import_ends_or_hangs_the_process_is_an_error(file, text, said):
    with pytest.raises(CannotLoad, match=said):
        judge(file(text), dtypes=["bfloat16"], time_limit=3)


def test_a_name_of_no_known_form_is_an_error_as_in_this_process():
    with pytest.raises(UnknownImplementation, match="mxnet"):
        judge("mxnet", dtypes=["bfloat16"])


def test_a_second_import_that_fails_is_a_finding(name, tmp_path):
    mark = tmp_path / "imported"
    path = tmp_path / "once.py"
    source = Path(name("smoothed", "ends").removesuffix(":F")).read_text()
    path.write_text(f"import pathlib\nmark = pathlib.Path({str(mark)!r})\nassert not mark.exists()\nmark.touch()\n{source}")
    clauses = [find(i) for i in (FIRST, "SMOOTH-1", "DEF-1", "DEF-2", "DEF-3")]
    (run,) = complete(judge(f"{path}:F", dtypes=["bfloat16"], clauses=clauses), clauses)
    conforms, violates, not_run = Verdict.CONFORMS, Verdict.VIOLATES, Verdict.NOT_RUN
    assert [f.verdict for f in run.findings] == [conforms, violates, violates, violates, not_run]
    assert "AssertionError" in run.findings[2].note


@pytest.mark.no_cover
@pytest.mark.parametrize("attribute", ["SEGFAULTS", "RAISES_BASE_EXCEPTION", "RETURNS_NONE", "PRINTS"])
def test_torch_code_that_misbehaves_is_a_finding(attribute):
    clauses = [find(i) for i in (FIRST, "DEF-1")]
    (run,) = complete(
        judge(f"{HOSTILE}:{attribute}", dtypes=["binary32"], clauses=clauses, time_limit=120), clauses, ["binary32"]
    )
    expected = Verdict.CONFORMS if attribute == "PRINTS" else Verdict.VIOLATES
    assert run.verdict is expected
    assert run.findings[0].level is Level.MUST


def test_progress_counts_every_step_of_every_implementation(name):
    seen = []
    clauses = [find(i) for i in (FIRST, "DEF-1")]
    sources = [name("empty", "says"), name("always", "ends")]
    judge(*sources, dtypes=["bfloat16", "binary32"], clauses=clauses, progress=lambda *step: seen.append(step))
    assert [step[2] for step in seen] == [0, 1, 2, 3, 4, 6]
    assert {step[3] for step in seen} == {8}
    assert seen[0][:2] == ("says", f"bfloat16 {FIRST}")


def test_no_clause_is_a_bad_request(name):
    for isolate in (True, False):
        with pytest.raises(BadRequest, match="no clause"):
            judge(name("empty", "says"), clauses=[], isolate=isolate)


def test_a_job_names_what_a_process_needs():
    from conformance.inputs.profiles import get_profile  # noqa: PLC0415
    from oracle import bfloat16  # noqa: PLC0415

    job = Job("torch", (bfloat16,), get_profile("quick"), 7, (find(FIRST),))
    expected = {"source": "torch", "formats": ["bfloat16"], "profile": "quick", "seed": 7, "clauses": [FIRST], "start": 5}
    assert job.plain(5).items() >= expected.items()


def test_a_sign_of_life_is_progress_within_the_clause(small):
    told = []
    state = State(Job("numpy", (binary32,), small, 0, CLAUSES[:2]))
    blank = opened(load("numpy"), binary32, small, "numpy")
    state.take({"run": plain(blank)}, None)
    state.take({"alive": [1, 3]}, lambda *step: told.append(step))
    state.take({"alive": [2, 3]}, None)
    assert told == [("numpy", f"binary32 {CLAUSES[0].id} 33 %", 0, 2)]
    assert state.step == 0


@pytest.fixture
def state(small):
    """state(): of two clauses in two formats, of an implementation that has been imported and claims one of them."""

    def state(imported=True):
        made = State(Job("numpy", (binary32, bfloat16), small, 0, CLAUSES[1:3]))
        if imported:
            blank = opened(load("numpy"), binary32, small, "numpy")
            made.take({"run": plain(replace(blank, claims=blank.claims | {"formats": ["binary32"]}))}, None)
        return made

    return state


def test_a_process_that_ends_before_it_has_said_who_it_judges_cannot_be_loaded(state):
    for end, said in (("died", "it fell while it was imported"), ("stopped", "it fell, before it was imported")):
        with pytest.raises(CannotLoad, match=said):
            getattr(state(imported=False), end)("it fell")
    with pytest.raises(UnknownImplementation, match="of no known form"):
        state(imported=False).take({"error": "UnknownImplementation", "text": "of no known form"}, None)
    with pytest.raises(Died, match="loaded again: gone"):
        state().take({"error": "CannotLoad", "text": "gone"}, None)


@pytest.mark.parametrize(("end", "verdict"), [("died", Verdict.VIOLATES), ("stopped", Verdict.NOT_RUN)])
def test_the_clause_at_hand_and_no_other_is_what_the_process_ended_in(state, end, verdict):
    made = state()
    made.take({"diagnosing": "binary32"}, None)
    getattr(made, end)("it fell")
    assert made.step == 0  # it had been asked why: no clause is to blame
    for step in (1, 2):
        getattr(made, end)("it fell")
        assert made.step == step
    getattr(made, end)("it fell")  # in a format that it does not claim
    assert made.finished
    runs = made.runs()
    assert [[f.verdict for f in run.findings] for run in runs] == [[verdict] * 2, []]
    assert runs[1].verdict is Verdict.NOT_CLAIMED
    assert made.violated is any(f.verdict is Verdict.VIOLATES and f.level is Level.MUST for f in runs[0].findings)


def test_one_that_flushes_subnormals_of_the_whole_thread_is_named(file):
    text = """
import torch
from conformance.implementations import torch_implementation

@torch_implementation(options=("beta",))
def F(pc, pr, rc, rr, beta, label_smoothing):
    torch.set_flush_denormal(True)
    return -torch.nn.functional.logsigmoid(beta * ((pc - rc) - (pr - rr)))
"""
    clauses = [find(i) for i in (FIRST, "DEF-1")]
    (run,) = complete(judge(file(text), dtypes=["binary32"], clauses=clauses, time_limit=120), clauses, ["binary32"])
    assert run.verdict is Verdict.VIOLATES
    assert "changed the arithmetic" in run.findings[0].note
    assert "subnormal" in run.findings[0].note


def test_an_exception_of_the_suites_own_blames_nobody(capsys):
    def broken(trial):
        trial.answer(golden())
        raise ZeroDivisionError("a slip in a check")

    clause = replace(find("DEF-2"), check=broken)
    given = load("numpy")
    finding = worker._checked(clause, Trial(given, binary32, get_profile("quick"), 0), given)
    assert finding.verdict is Verdict.NOT_RUN
    assert finding.note == "a defect of the suite, not of the implementation: ZeroDivisionError: a slip in a check"
    assert "in broken" in capsys.readouterr().err


def test_an_exception_of_the_implementations_own_ends_the_process_as_ever():
    class Raw(type(load("numpy"))):
        def evaluate(self, batch, fmt, *, gradient, strided=False):
            raise ZeroDivisionError("a slip in an implementation")

    given = load("numpy")
    raw = Raw(given.__wrapped__, given.name, given.claims, None, None, None)
    with pytest.raises(ZeroDivisionError):
        worker._checked(find("DEF-2"), Trial(raw, binary32, get_profile("quick"), 0), raw)
