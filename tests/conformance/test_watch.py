"""A clock that runs out while the judge computes is the judge's; one call that is not answered is the implementation's."""

import contextlib
import signal
import threading
import time

import pytest

from conformance import judge
from conformance.clauses import find
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour, Unfinished
from conformance.implementations import load, numpy_implementation
from conformance.implementations.protocol import Weighing
from conformance.inputs.pairs import golden
from conformance.records.record import Verdict
from conformance.running.trying import FIRST, check
from conformance.running.watch import Watch, alarm, watched
from oracle import get_format

SLEEPY = """
import os, time
from conformance.implementations import numpy_implementation
from conformance.implementations.numpy import STABLE

@numpy_implementation
def F(*arguments):
    time.sleep(float(os.environ["DPO_SLEEP"]))
    return STABLE(*arguments)
"""
SLOW_JUDGE = """
import time
from conformance.clauses import registry
from conformance.implementations.numpy import STABLE as F

def slow(check):
    def checked(trial):
        trial.answer(registry.find("CALL-1").check.__globals__["golden"]())
        time.sleep(60)
        return check(trial)
    return checked

clause = registry.find("DEF-1")
object.__setattr__(clause, "check", slow(clause.check))
"""
CLAUSES = [find(identity) for identity in (FIRST, "DEF-1", "DEF-2")]


def verdicts(found):
    return {finding.clause: finding.verdict for finding in found.findings}


def test_a_slow_implementation_that_answers_every_call_is_not_run_and_never_violated(file, monkeypatch):
    monkeypatch.setenv("DPO_SLEEP", "0.3")
    clauses = [find(FIRST), find("BATCH-1"), find("CALL-2")]
    (found,) = judge(file(SLEEPY), dtypes=["binary32"], clauses=clauses, time_limit=2).runs
    assert Verdict.VIOLATES not in verdicts(found).values()
    (late,) = [finding for finding in found.findings if finding.verdict is Verdict.NOT_RUN]
    assert late.note.startswith("not finished within 2 s; its ") and "a longer --time-limit may help" in late.note
    assert found.verdict is Verdict.NOT_RUN


def test_one_call_that_is_not_answered_is_hung(file, monkeypatch):
    monkeypatch.setenv("DPO_SLEEP", "600")
    (found,) = judge(file(SLEEPY), dtypes=["binary32"], clauses=CLAUSES, time_limit=2).runs
    assert found.findings[0].verdict is Verdict.VIOLATES
    assert found.findings[0].note == "hung: no answer within 2 s"


def test_a_judge_that_computes_too_long_blames_nobody(file, monkeypatch):
    monkeypatch.setattr("conformance.running.isolation.PATIENCE", 0.0)
    (found,) = judge(file(SLOW_JUDGE), dtypes=["binary32"], clauses=CLAUSES, time_limit=3).runs
    assert verdicts(found) == {FIRST: Verdict.CONFORMS, "DEF-1": Verdict.NOT_RUN, "DEF-2": Verdict.CONFORMS}
    assert found.findings[1].note == "not finished within 3 s, while the judge computed: a longer --time-limit may help"
    assert found.verdict is Verdict.NOT_RUN


def test_an_object_is_judged_by_the_same_clocks(judged):
    def sleepy(seconds):
        return numpy_implementation(lambda *arguments: time.sleep(seconds) or load("numpy")(*arguments))

    hung = judged(sleepy(600), "binary32", clauses=CLAUSES, time_limit=0.3)
    assert hung.findings[0].note == "hung: no answer within 0.3 s"
    clauses = [find(FIRST), find("BATCH-1"), find("CALL-2")]
    slow = judged(sleepy(0.1), "binary32", clauses=clauses, time_limit=0.5)
    assert list(verdicts(slow).values()) == [Verdict.CONFORMS, Verdict.NOT_RUN, Verdict.CONFORMS]
    assert slow.findings[1].note.startswith("not finished within 0.5 s; its ")


def test_a_loop_that_catches_everything_is_interrupted_all_the_same(judged):
    ends = time.monotonic() + 30

    def stubborn(pc, *_):
        while time.monotonic() < ends:
            with contextlib.suppress(Exception):
                time.sleep(0.01)
        return pc

    found = judged(numpy_implementation(stubborn), "binary32", clauses=CLAUSES, time_limit=0.3)
    assert found.findings[0].note == "hung: no answer within 0.3 s"
    assert time.monotonic() < ends


def test_after_three_calls_that_hang_the_rest_is_not_run(judged):
    def hangs(pc, pr, rc, rr, beta, eps):
        if len(pc) != 3:
            time.sleep(600)
        return load("numpy")(pc, pr, rc, rr, beta, eps)

    clauses = [find(i) for i in (FIRST, "BATCH-1", "BATCH-2", "LOSS-1", "LOSS-2", "DEF-1")]
    found = judged(numpy_implementation(hangs), "binary32", clauses=clauses, time_limit=0.2)
    conforms, violates, not_run = Verdict.CONFORMS, Verdict.VIOLATES, Verdict.NOT_RUN
    assert list(verdicts(found).values()) == [conforms, violates, violates, violates, not_run, not_run]
    assert found.findings[-1].note == "3 calls hung"


def test_an_alarm_that_someone_else_has_set_is_left_alone():
    rang = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(True))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Misbehaviour, match=r"no answer within 0\.2 s"):
            Watch(0.2, alarm).call(time.sleep, 0.3)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert rang == [True]
    assert Watch(60, alarm).call(int, "3") == 3
    assert signal.getsignal(signal.SIGALRM) is before and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_in_another_thread_a_late_call_is_known_when_it_returns():
    told = []

    def late():
        with pytest.raises(Misbehaviour) as caught:
            Watch(0.1, alarm).call(time.sleep, 0.2)
        told.append(caught.value.kind)

    thread = threading.Thread(target=late)
    thread.start()
    thread.join()
    assert told == ["hung"]


def test_a_watched_implementation_is_what_it_was():
    given = load("torch")
    seen = watched(given, Watch(60, alarm))
    assert isinstance(seen, Weighing) and not isinstance(watched(load("numpy"), Watch(60, alarm)), Weighing)
    assert (seen.name, seen.claims, seen.unavailable()) == (given.name, given.claims, None)
    assert dict(seen.environment) == dict(given.environment)


def test_no_check_may_swallow_that_its_time_is_over(small):
    watch = Watch(0.0, alarm)
    trial = Trial(watched(load("numpy"), watch), get_format("binary32"), small, 0)
    with pytest.raises(Unfinished):
        trial.answer(golden())
    note = "not finished within 0 s; its 0 calls took 0 s: a longer --time-limit may help"
    assert [check(find(i), trial).note for i in ("LOSS-1", "PROPERTY-1", "CALL-5")] == [note] * 3
