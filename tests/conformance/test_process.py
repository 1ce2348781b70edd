"""Programs judged over their standard streams: what they are asked, what they may answer, and whatever else they do."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from refusing import assert_refused

from conformance import evaluate, judge
from conformance.clauses import CLAUSES, find
from conformance.errors import CannotLoad, Misbehaviour
from conformance.implementations import load
from conformance.implementations.complaints import LONGEST, Complaints, message_of
from conformance.implementations.loading import loaded
from conformance.implementations.process import program
from conformance.inputs.batch import NAMES, Batch
from conformance.inputs.pairs import golden
from conformance.records.record import Level, Verdict
from conformance.running.trying import FIRST
from oracle import binary32, binary64

PROGRAM = Path(__file__).parents[1] / "programs" / "misbehaving.py"
HANGING = {"hangs", "late", "reads-no-more", "never-reads", "closes-output"}
SMOOTHED = golden().at(label_smoothing=0.5)


def source(mode, when="always", hello="{}"):
    return f"process:{shlex.join([sys.executable, str(PROGRAM), mode, when, hello])}"


@pytest.fixture
def start():
    """start(mode, ...): the program in that mode, ended after the test; one that hangs has 1.5 s for an answer."""
    started = []

    def start(mode, *arguments):
        started.append(load(source(mode, *arguments), time_limit=3.0 if mode in HANGING else 120.0))
        return started[-1]

    yield start
    for implementation in started:
        implementation.close()


def gone(pid, within=5.0):
    """True once no such process runs; one that has ended, and that nobody but init could reap, does not run."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/stat")
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


# -- a program that does right -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", [binary32, binary64], ids=str)
def test_a_right_program_answers_as_numpy_does(start, fmt):
    batch = golden().at(beta=0.7, label_smoothing=0.1)
    got, expected = (i.evaluate(batch, fmt, gradient=True) for i in (start("right"), load("numpy")))
    assert got.losses == pytest.approx(expected.losses, rel=4 * fmt.unit_roundoff)
    assert np.array(got.gradient) == pytest.approx(np.array(expected.gradient), rel=8 * fmt.unit_roundoff)
    assert got.dtype == expected.dtype
    assert got.wrote == ()


def test_every_pattern_travels_both_ways(start):
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 2.0**-149, -(2.0**-126), binary32.largest]
    program = start("right")
    losses = program.evaluate(Batch.of(special, 0.0, beta=1.0), binary32, gradient=False).losses
    assert losses[[0, 1]].tolist() == [np.float32(np.log(2))] * 2
    assert losses[[2, 3]].tolist() == [0, np.inf]
    assert np.isnan(losses[4])
    assert losses[7] == 0


def test_a_gradient_is_asked_for_only_where_it_is_claimed(start):
    assert start("right").evaluate(golden(), binary32, gradient=False).gradient is None
    assert start("right", "always", '{"gradient": false}').evaluate(golden(), binary32, gradient=True).gradient is None


def test_a_detached_reference_is_none(start):
    pc, pr, rc, rr = start("detached").evaluate(golden(), binary32, gradient=True).gradient
    assert len(pc) == len(pr) == 3
    assert rc is rr is None


def test_a_mean_is_one_number(start):
    program = start("right", "always", '{"reduction": "mean"}')
    assert program.evaluate(golden(), binary64, gradient=True).losses.shape == ()
    with pytest.raises(Misbehaviour, match=r"shape \(2,\) where \(\) was promised"):
        start("too-many", "always", '{"reduction": "mean"}').evaluate(golden(), binary64, gradient=False)


def test_what_it_says_of_itself_is_what_it_is_judged_on(start):
    hello = '{"subnormals": "flush", "options": ["beta"], "dtypes": ["binary64"], "environment": {"libm": "2.36"}}'
    program = start("right", "always", hello)
    assert program.name == "right"
    assert program.environment == {"version": "3", "libm": "2.36"}
    expected = {"formats": ["binary64"], "options": ["beta"], "subnormals": "flush", "reduction": "none", "gradient": True}
    assert program.claims.plain().items() >= (expected | {"metrics": False}).items()


def test_a_batch_far_larger_than_a_pipe_holds(start):
    batch = Batch.of(-np.arange(20_000.0), -1.0)
    answer = start("right").evaluate(batch, binary64, gradient=True)
    assert len(answer.losses) == 20_000
    assert np.isfinite(answer.losses).all()


def test_an_answer_that_comes_before_the_request_has_gone_out_whole(start):
    hasty = start("hasty", "always", '{"gradient": false}')
    batch = Batch.of(-np.arange(20_000.0), -1.0)
    assert hasty.evaluate(batch, binary64, gradient=False).losses.tolist() == [0] * 20_000
    assert hasty.evaluate(golden(), binary64, gradient=False).losses == pytest.approx([0.598, 0.474, 0.513], abs=1e-3)


@pytest.mark.parametrize("mode", ["crlf", "capitals", "complains"])
def test_what_does_no_harm(start, mode):
    right, other = (start(m).evaluate(golden(), binary32, gradient=True) for m in ("right", mode))
    assert other.losses.tolist() == right.losses.tolist()


# -- one that does not -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "kind", "said"),
    [
        ("dies", "ended", "ended with status 3; on standard error: warming up no kernel image"),
        ("ends", "ended", "ended with status 0"),
        ("segfaults", "ended", "ended with SIGSEGV"),
        ("dies-within-a-line", "ended", "ended with status 4 after '{\"type"),
        ("closes-output", "ended", "it closed its standard output and goes on"),
        ("dies-with-a-child", "ended", "ended with status 9"),
        ("hangs", "hung", "no answer within 1.5 s"),
        ("late", "hung", "no answer within 1.5 s"),
        ("reads-no-more", "hung", "no answer within 1.5 s"),
        ("wrong-id", "out of order", "bears the id 2 where 1 was asked"),
        ("refuses-another", "out of order", "bears the id 6 where 1 was asked"),
        ("answers-twice", "unasked", "wrote what nobody asked for"),
        ("prints-after", "unasked", "nobody asked for: 'done'"),
        ("floods", "unasked", "more than 66,208 bytes: 'xxx"),
        ("nested", "unasked", "more than"),
        ("floods-lines", "garbled", "'type' is a required property"),
        ("prints", "garbled", "not JSON: 'loss = 0.69'; what is not an answer belongs on standard error"),
        ("prints-between", "garbled", "not JSON: 'idle'"),
        ("empty-line", "garbled", "not JSON: ''"),
        ("not-json", "garbled", "not JSON: 'loss: 0.69'"),
        ("not-utf-8", "garbled", "not JSON"),
        ("array", "garbled", "not a JSON object: '[1, 2, 3]'"),
        ("wrong-hex", "garbled", "at losses: 'g"),
        ("spaced-hex", "garbled", "at losses"),
        ("newline-hex", "garbled", "losses: not hexadecimal digits alone"),
        ("prefixed-hex", "garbled", "at losses: '0x"),
        ("numbers", "garbled", "at losses: [0.5, 0.5, 0.5] is not of type 'string'"),
        ("null", "garbled", "at losses"),
        ("no-format", "garbled", "at dtype: 'float8' is not one of"),
        ("three-derivatives", "wrong shape", "gradient: 3 arrays where 4 were promised"),
        ("unknown-key", "garbled", "'note' was unexpected"),
        ("another-type", "garbled", "at type"),
        ("too-many", "wrong shape", "losses: shape (6,) where (3,) was promised"),
        ("too-few", "wrong shape", "losses: shape (1,) where (3,) was promised"),
        ("no-numbers", "wrong shape", "losses: shape (0,)"),
        ("short-derivatives", "wrong shape", "d loss / d policy_chosen_logps: shape (0,)"),
        ("half-width", "wrong width", "losses: 23 digits, not a multiple of binary32's 8"),
        ("narrower", "wrong dtype", "losses: dtype bfloat16 is narrower than the inputs' binary32"),
        ("no-gradient", "no gradient", "it claims gradients, and gave none"),
        ("refuses", "raised", "it answered with the error: log-probabilities must be finite"),
    ],
)
def test_whatever_else_it_does_has_a_name_and_the_next_answer_is_right(start, mode, kind, said):
    program = start(mode, "smoothed" if mode not in {"prints-between", "reads-no-more"} else "always")
    with pytest.raises(Misbehaviour) as error:
        program.evaluate(SMOOTHED, binary32, gradient=True)
    assert error.value.kind == kind
    assert said in str(error.value)
    assert str(error.value).endswith("(request 1: 3 pairs, beta 0.1, label_smoothing 0.5)")
    assert "\n" not in str(error.value)
    if mode not in {"prints-between", "reads-no-more"}:
        assert program.unavailable() is None
        expected = start("right").evaluate(golden(), binary32, gradient=True).losses.tolist()
        assert program.evaluate(golden(), binary32, gradient=True).losses.tolist() == expected


def test_an_answer_to_an_earlier_question_is_out_of_order(start):
    program = start("old-id")
    program.evaluate(golden(), binary32, gradient=True)
    with pytest.raises(Misbehaviour, match="bears the id 1 where 2 was asked"):
        program.evaluate(golden(), binary32, gradient=True)


def test_one_that_reads_nothing_more_of_a_large_batch_hangs(start):
    with pytest.raises(Misbehaviour, match=r"no answer within 1\.5 s"):
        start("reads-no-more").evaluate(Batch.of(-np.arange(50_000.0), -1.0), binary64, gradient=True)


def test_a_claim_that_changes_with_the_start_is_named(start):
    program = start("moody", "smoothed")
    with pytest.raises(Misbehaviour, match="status 9"):
        program.evaluate(SMOOTHED, binary32, gradient=False)
    with pytest.raises(Misbehaviour, match="named or claimed something else") as error:
        program.evaluate(golden(), binary32, gradient=False)
    assert error.value.kind == "another hello"


def test_one_that_starts_only_once(start, tmp_path, monkeypatch):
    monkeypatch.setenv("MARK", str(tmp_path / "mark"))
    program = start("once", "smoothed")
    with pytest.raises(Misbehaviour, match="status 9"):
        program.evaluate(SMOOTHED, binary32, gradient=False)
    with pytest.raises(Misbehaviour, match=r"could not be started again: .*status 1.*the licence is in use"):
        program.evaluate(golden(), binary32, gradient=False)


# -- one that cannot be started ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "hello", "said"),
    [
        ("dies", "{}", "ended: the program ended with status 3; on standard error: warming up no kernel image"),
        ("hangs", "{}", "hung: no answer within 1.5 s"),
        ("not-json", "{}", "garbled: its hello is not JSON: 'loss: 0.69'"),
        ("array", "{}", "garbled: its hello is not a JSON object"),
        ("answers-twice", "{}", "unasked"),
        ("refuses", "{}", "raised: it answered the hello with the error: log-probabilities must be finite"),
        ("right", '{"protocol": 2}', "speaks protocol 2, newer than this suite's: update dpo-conformance"),
        ("right", '{"protocol": 0}', "speaks protocol 0, one that never was"),
        ("right", '{"protocol": "1"}', "not valid at protocol"),
        ("right", '{"dtypes": ["binary128"]}', "not valid at dtypes/0: 'binary128' is not one of"),
        ("right", '{"dtypes": ["float32"]}', "at dtypes/0"),
        ("right", '{"dtypes": []}', "at dtypes"),
        ("right", '{"dtypes": ["binary32", "binary32"]}', "at dtypes"),
        ("right", '{"options": ["tau"]}', "at options/0: 'tau'"),
        ("right", '{"options": "beta"}', "at options"),
        ("right", '{"reduction": "sum"}', "at reduction: 'sum' is not one of ['none', 'mean']"),
        ("right", '{"gradient": "yes"}', "at gradient"),
        ("right", '{"subnormals": "gone"}', "at subnormals"),
        ("right", '{"name": ""}', "at name"),
        ("right", '{"name": "two\\nlines"}', "at name"),
        ("right", '{"environment": {"threads": 4}}', "at environment/threads"),
        ("right", '{"metrics": true}', "'metrics' was unexpected"),
        ("right", '{"type": "hi"}', "at type"),
    ],
)
def test_a_hello_that_is_none_says_why(start, mode, hello, said):
    with pytest.raises(CannotLoad) as error:
        start(mode, "hello", hello)
    assert said in str(error.value)
    assert str(PROGRAM) in str(error.value)


@pytest.mark.parametrize("mode", ["never-reads", "greets-unasked"])
def test_a_hello_that_never_comes_or_comes_unasked(start, mode):
    with pytest.raises(CannotLoad, match="no answer within 1.5 s" if mode == "never-reads" else "its hello is not valid"):
        start(mode)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("process:", "names no program"),
        ("process:  ", "names no program"),
        ("process:'half", "no closing quotation"),
        ("process:/no/such/program --x", "/no/such/program: no such program"),
        ("process:no-such-program-anywhere", "no such program"),
        ("process:/tmp", "/tmp: cannot be started: it is not executable"),
    ],
)
def test_a_command_line_that_leads_nowhere_says_why(name, said):
    with pytest.raises(CannotLoad) as error:
        load(name)
    assert said in str(error.value)


def test_a_script_without_an_interpreter_says_why(tmp_path):
    script = tmp_path / "script"
    script.write_text("print(1)\n", encoding="utf-8")
    script.chmod(0o755)
    with pytest.raises(
        CannotLoad,
        match="cannot be started: neither a program for this machine nor a script whose first line names its interpreter",
    ):
        load(f"process:{script}")


def test_a_relative_path_and_a_quoted_argument_and_no_shell(tmp_path, monkeypatch):
    script = tmp_path / "my program"
    script.write_text(f"#!{sys.executable}\n{PROGRAM.read_text()}", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    with loaded("process:'./my program' right always '{\"name\": \"$HOME > x; y\"}'") as implementation:
        assert implementation.name == "$HOME > x; y"
    assert [path.name for path in tmp_path.iterdir()] == ["my program"]


# -- what is left of it ------------------------------------------------------------------------------------------------


def test_it_is_ended_with_whatever_it_has_started(start):
    implementation = start("with-a-child")
    pid, child = (int(implementation.environment[key]) for key in ("pid", "child"))
    assert not gone(child, within=0.1)
    implementation.close()
    assert not Path(f"/proc/{pid}").exists(), "reaped"
    assert gone(child)


def test_it_is_ended_when_nobody_holds_it_any_more(start):
    implementation = load(source("right"))
    pid = int(implementation.environment["pid"])
    del implementation
    assert not Path(f"/proc/{pid}").exists()


def test_one_that_will_not_end_is_killed(start, monkeypatch):
    monkeypatch.setattr(program, "GRACE", 0.2)
    implementation = start("stays")
    pid = int(implementation.environment["pid"])
    implementation.close()
    assert not Path(f"/proc/{pid}").exists()


def test_after_a_death_its_children_are_gone_too(start):
    implementation = start("dies-with-a-child")
    child = int(implementation.environment["child"])
    with pytest.raises(Misbehaviour, match="status 9"):
        implementation.evaluate(golden(), binary32, gradient=True)
    assert gone(child)


def test_it_does_not_outlive_a_judge_that_is_killed():
    code = (
        "import os, signal\nfrom conformance.implementations import load\n"
        f"i = load({source('with-a-child')!r})\n"
        "print(i.environment['pid'], i.environment['child'], flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
    assert [gone(int(pid)) for pid in done.stdout.split()] == [True, True]


def test_a_fork_of_the_judge_ends_nothing(start):
    implementation = start("right")
    child = os.fork()
    if child == 0:
        implementation.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert len(implementation.evaluate(golden(), binary32, gradient=False).losses) == 3


# -- through every door ------------------------------------------------------------------------------------------------


def conducts(run):
    return [(finding.clause, finding.verdict) for finding in run.findings]


def test_a_snippet_of_a_report_evaluates_it():
    pairs = [values.tolist() for values in golden().logps]
    assert evaluate(source("right"), "binary32", *pairs).losses == pytest.approx(evaluate("numpy", "float32", *pairs).losses)
    assert len(NAMES) == len(pairs)


@pytest.mark.parametrize("isolate", [True, False])
def test_a_right_program_conforms_and_the_record_is_complete(isolate):
    clauses = [clause for clause in CLAUSES if clause.chapter in {"CALL", "OPTION", "SPECIAL"}]
    record = judge(source("right"), clauses=clauses, isolate=isolate)
    assert [run.verdict for run in record.runs] == [Verdict.NOT_CLAIMED] * 2 + [Verdict.CONFORMS] * 2
    assert {run.source for run in record.runs} == {source("right")}
    assert len(record.runs[2].findings) == len(clauses)
    assert all(f.verdict is not Verdict.VIOLATES for run in record.runs for f in run.findings if f.level is Level.MUST)
    record.to_json()


def test_a_refusal_of_nan_is_not_claimed_and_a_death_is_a_violation():
    clauses = [find(i) for i in (FIRST, "CALL-3", "SPECIAL-3", "BATCH-4")]
    refuses, dies = (
        judge(source(mode, "nan"), dtypes=["binary32"], clauses=clauses, isolate=False).runs[0] for mode in ("refuses", "dies")
    )
    conforms, violates = Verdict.CONFORMS, Verdict.VIOLATES
    assert [f.verdict for f in refuses.findings] == [conforms, conforms, Verdict.NOT_CLAIMED, conforms]
    assert [f.verdict for f in dies.findings] == [conforms, conforms, violates, violates]
    assert dies.findings[2].note.startswith("ended: the program ended with status 3")


@pytest.mark.parametrize("isolate", [True, False])
def test_after_three_failures_the_rest_is_not_run(isolate):
    clauses = [find(i) for i in (FIRST, "SMOOTH-1", "DEF-1", "SMOOTH-3", "OPTION-2", "DEF-2")]
    record = judge(source("dies", "smoothed"), dtypes=["binary32", "binary64"], clauses=clauses, isolate=isolate)
    conforms, violates, not_run = Verdict.CONFORMS, Verdict.VIOLATES, Verdict.NOT_RUN
    first, second = record.runs
    assert [f.verdict for f in first.findings] == [conforms, violates, conforms, violates, violates, not_run]
    assert first.findings[-1].note == "3 times the program ended, hung or broke the protocol"
    assert second.verdict is not_run
    assert second.reason == first.findings[-1].note
    assert not record.conforms


@pytest.mark.parametrize("isolate", [True, False])
def test_what_was_not_run_is_no_pass_though_only_shoulds_were_violated(isolate):
    clauses = [find(i) for i in (FIRST, "CALL-5", "CALL-5", "CALL-5", "DEF-1")]
    (run,) = judge(source("dies", "empty"), dtypes=["binary32"], clauses=clauses, isolate=isolate).runs
    assert not run.violated
    assert run.verdict is Verdict.NOT_RUN
    assert run.reason == "3 times the program ended, hung or broke the protocol"


def test_one_that_never_answers_is_asked_nothing_else():
    clauses = [find(i) for i in (FIRST, "DEF-1", "DEF-2")]
    started = time.monotonic()
    (run,) = judge(source("hangs"), dtypes=["binary32"], clauses=clauses, time_limit=12).runs
    assert [f.verdict for f in run.findings] == [Verdict.VIOLATES, Verdict.NOT_RUN, Verdict.NOT_RUN]
    assert run.findings[0].note.startswith("hung: no answer within 6 s (request 1: 3 pairs, ")
    assert time.monotonic() - started < 30


def test_a_death_at_an_infinity_is_filed_where_infinities_are_judged_and_ends_nothing_else():
    clauses = [find(name) for name in ("CALL-1", "CALL-3", "SPECIAL-1", "SPECIAL-2", "SPECIAL-5", "SPECIAL-7", "OPTION-2")]
    (run,) = judge(source("dies", "infinite"), dtypes=["float32"], clauses=clauses).runs
    found = {finding.clause: str(finding.verdict) for finding in run.findings}
    died = dict.fromkeys(("SPECIAL-1", "SPECIAL-2", "SPECIAL-5", "SPECIAL-7"), "violates")
    assert found == {"CALL-1": "conforms", "CALL-3": "conforms", **died, "OPTION-2": "conforms"}
    assert all(
        "; on standard error: warming up no kernel image" in f.note for f in run.findings if str(f.verdict) == "violates"
    )


def test_a_smoke_test_shows_the_conversation_and_what_is_complained_of():
    def smoke(*names):
        from conformance.cli import main  # noqa: PLC0415

        return CliRunner().invoke(main, ["run", "--smoke", *names, "--dtype", "float32"])

    right = smoke(source("right"), "numpy")
    assert right.exit_code == 0
    assert re.search(r"asked    \{.type.:.hello", right.output) and re.search(r"answered \{.*losses", right.output)
    assert len(re.findall(r"loss +0\.598138\d+ +exact 0\.5981388694", right.output)) == 2
    wrong = smoke(source("dies"), "numpy")
    assert wrong.exit_code == 2
    assert (
        "binary32: no answer: ended: the program ended with status 3; on standard error: warming up no kernel image"
        in wrong.output
    )
    assert_refused(smoke("numpy", "--dtype", "float8"), "'float8'")


# -- what is said on standard error, as the languages' own runtimes print it ---------------------------------------------

RUST = """
thread 'main' (2228) panicked at src/main.rs:1:40:
log-probability must be finite,
got inf
stack backtrace:
   0: __rustc::rust_begin_unwind
             at /rustc/59807616/library/std/src/panicking.rs:689:5
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.
"""
JAVA = """Exception in thread "main" java.lang.RuntimeException: loss failed
\tat P.main(P.java:1)
Caused by: java.lang.IllegalArgumentException: logp must be finite
\tat P.f(P.java:1)
\t... 1 more
"""
NODE = """file:///home/me/loss.mjs:1
function f(){ throw new RangeError("logp must be finite"); }
                    ^

RangeError: logp must be finite
    at f (file:///home/me/loss.mjs:1:21)

Node.js v20.20.2
"""
CPP = "terminate called after throwing an instance of 'std::invalid_argument'\n  what():  logp must be finite\n"
PYTHON = """Traceback (most recent call last):
  File "loss.py", line 1, in <module>
    f()
ValueError: logp must be finite
"""
GO = """panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.main()
\t/home/me/loss.go:5 +0x1d
exit status 2
"""
JULIA = "ERROR: LoadError: DomainError with Inf:\nlogp must be finite\nStacktrace:\n [1] f(x::Float64)\n   @ Main ./x.jl:1\n"
FORTRAN = """
Program received signal SIGFPE: Floating-point exception.

Backtrace for this error:
#0  0x7f in ???
#1  0x5 in main__
\tat /x.f90:3
"""
ASSERTION = "warning: slow path\nloss: loss.cpp:4: int main(): Assertion `x < 1e308' failed.\nAborted (core dumped)\n"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (RUST, "thread 'main' (2228) panicked at src/main.rs:1:40: log-probability must be finite, got inf"),
        (
            JAVA,
            'Exception in thread "main" java.lang.RuntimeException: loss failed '
            "Caused by: java.lang.IllegalArgumentException: logp must be finite",
        ),
        (NODE, "RangeError: logp must be finite"),
        (CPP, "terminate called after throwing an instance of 'std::invalid_argument' what():  logp must be finite"),
        (PYTHON, "ValueError: logp must be finite"),
        ("a warning: error: retried\nall is well\n" + PYTHON, "ValueError: logp must be finite"),
        (GO, "panic: runtime error: index out of range [5] with length 3"),
        (JULIA, "ERROR: LoadError: DomainError with Inf: logp must be finite"),
        (ASSERTION, "loss: loss.cpp:4: int main(): Assertion `x < 1e308' failed."),
        (
            "loss.rb:3:in `f': too large (ArgumentError)\n\tfrom loss.rb:5:in `<main>'\n",
            "loss.rb:3:in `f': too large (ArgumentError)",
        ),
        ("loading\nthe licence is in use\n\n", "loading the licence is in use"),
        (
            "ready\n\tat start\nlogp is infinite\nplease report this\n  at frame 1\nnote: run with -v\n",
            "logp is infinite please report this",
        ),
        ("loss: x.lua:3: not finite\nstack traceback:\n\t[C]: in function 'error'\n", "loss: x.lua:3: not finite"),
        ("thread 7 panic: not finite\n/x.zig:3:5: 0x1 in main (x)\n    @panic();\nAborted\n", "thread 7 panic: not finite"),
        (FORTRAN, "Program received signal SIGFPE: Floating-point exception."),
        ('Fatal error: exception Failure("x")\nRaised at f in file "x.ml", line 3\n', 'Fatal error: exception Failure("x")'),
        ("CUDA error: no kernel image\nCompile with more.\n", "CUDA error: no kernel image Compile with more."),
        ("x.cc:3] Check failed: z < 1 \n*** Check failure stack trace: ***\n    @ 0x7f  f()\n", "x.cc:3] Check failed: z < 1"),
        ('not finite\n    while executing\n"error {not finite}"\n    (file "x.tcl" line 3)\n', "not finite"),
        ("Error in loss(x) : not finite\nCalls: main -> loss\nExecution halted\n", "Error in loss(x) : not finite"),
        ("   only indented\n", "only indented"),
        ("", ""),
    ],
)
def test_the_message_is_shown_and_not_the_last_line(written, message):
    assert message_of(written) == message


def test_all_of_standard_error_is_kept_within_bounds(monkeypatch, tmp_path):
    monkeypatch.setenv("DPO_CONFORMANCE_CACHE", str(tmp_path))
    complaints = Complaints()
    for number in range(20_000):
        complaints.add(f"line {number}\n".encode())
    complaints.add(RUST.encode())
    told = complaints.told(["./loss"])
    kept = Path(re.search(r"\(all [\d,]+ lines: (.*)\)$", told).group(1))
    assert "panicked at" in told
    text = kept.read_text()
    assert text.startswith("line 0\nline 1\n") and text.endswith(RUST) and "bytes left out]" in text
    assert len(text) < LONGEST + 100
    complaints.told(["./loss"])
    assert list(tmp_path.rglob("*.txt")) == [kept], "one file a program"


def test_what_cannot_be_started_cannot_be_judged():
    with pytest.raises(CannotLoad, match="no such program"):
        judge("process:/no/such/program", dtypes=["binary32"])
