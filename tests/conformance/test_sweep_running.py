"""A sweep from end to end: the same report whoever judges what in which order, killed and resumed or not."""

import concurrent.futures
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conformance.errors import BadRequest, CannotLoad, UnknownImplementation
from conformance.implementations import load, numpy_implementation
from conformance.sweep import CannotSweep, MixedWorkers, read, sweep, worker
from conformance.sweep.crew import WorkerFailed
from conformance.sweep.identity import identity, subject
from conformance.sweep.ledger import MAGIC, ChangedSweep, CorruptLedger, Ledger, LedgerInUse, NotALedger
from conformance.sweep.plan import BLOCK, plan
from oracle import bfloat16, binary16, binary32

RANGE = {"low": "-0x1.08p0", "high": "0x1.08p0"}
"""Of binary16 this is a handful of blocks."""


def timeless(report):
    """The report as JSON, without its time fields."""
    return replace(report, created="", seconds=0.0).to_json()


def mine(body, before=""):
    """A file of an implementation that does something first, then is right."""
    return f"""
import os, signal, sys, time
from pathlib import Path
import numpy as np
from conformance.implementations import numpy_implementation
{before}

@numpy_implementation
def F(pc, pr, rc, rr, beta, eps):
    z = ((pc - rc) - (pr - rr)).astype(float)
    {body}
    return (np.maximum(-z, 0) + np.log1p(np.exp(-np.abs(z)))).astype(pc.dtype)
"""


class Inline(Executor):
    """Runs what it is given at once, or in a random order when it is asked; `change` alters each result."""

    def __init__(self, change=lambda result: result):
        self._change = change

    def submit(self, function, /, *arguments, **keywords):
        future = Future()
        try:
            future.set_result(self._change(function(*arguments, **keywords)))
        except Exception as error:
            future.set_exception(error)
        return future


class Shuffled(Executor):
    """A thread that runs what it has been given in a random order."""

    def __init__(self):
        self._pool = ThreadPoolExecutor(1)
        self._random = random.Random(1)
        self._waiting = []

    def submit(self, function, /, *arguments, **keywords):
        future = Future()
        self._waiting.append((future, function, arguments))
        self._pool.submit(self._run)
        return future

    def _run(self):
        time.sleep(0.002)
        future, function, arguments = self._waiting.pop(self._random.randrange(len(self._waiting)))
        future.set_result(function(*arguments))


# -- the same report ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole():
    """The report of numpy over a few blocks around 0 in binary32 and beyond, in one shard a sign, in this process."""
    return {
        "binary32": sweep("numpy", binary32, isolate=False, low=-BOUND, high=BOUND, shard_size=1 << 28),
        "bfloat16": sweep("numpy", bfloat16, isolate=False),
    }


BOUND = float(binary32.from_ordinals(6 * BLOCK + 77))


@pytest.mark.no_cover
@pytest.mark.parametrize("size", [1, 2 * BLOCK, 1 << 28])
@pytest.mark.parametrize(
    "how",
    [
        lambda: {"isolate": False},
        lambda: {"executor": Inline()},
        lambda: {"executor": ThreadPoolExecutor(3), "workers": 5},
        lambda: {"executor": Shuffled(), "workers": 50},
    ],
    ids=["in process", "inline", "threads", "shuffled"],
)
def test_the_report_does_not_depend_on_shards_executor_or_order(whole, how, size):
    found = sweep("numpy", binary32, low=-BOUND, high=BOUND, shard_size=size, **how())
    assert timeless(found) == timeless(whole["binary32"])
    assert timeless(sweep("numpy", bfloat16, shard_size=size, **how())) == timeless(whole["bfloat16"])


@pytest.mark.parametrize("workers", [1, 3])
def test_the_report_does_not_depend_on_the_number_of_processes(whole, workers):
    told = []
    found = sweep(
        "numpy", binary32, low=-BOUND, high=BOUND, shard_size=BLOCK, workers=workers, progress=lambda *step: told.append(step)
    )
    assert timeless(found) == timeless(whole["binary32"])
    numbers = found.numbers
    assert told[0] == (0, numbers, 0) and told[-1] == (numbers, numbers, 0)
    assert [done for done, *_ in told] == sorted(done for done, *_ in told)


def test_an_object_is_judged_in_this_process_and_has_no_source(whole):
    found = sweep(load("numpy"), bfloat16)
    assert (found.source, found.code) == ("", "")
    assert timeless(replace(found, source="numpy", code=whole["bfloat16"].code)) == timeless(whole["bfloat16"])
    for keywords in ({"workers": 2}, {"executor": Inline()}):
        with pytest.raises(BadRequest, match="an object is judged in this process"):
            sweep(load("numpy"), bfloat16, **keywords)


def test_the_range_is_judged_and_nothing_else(whole):
    found = sweep("numpy", binary16, isolate=False, low=-0.5, high=2)
    assert found.judged == found.numbers == int(binary16.ordinals(0.5)) + 1 + int(binary16.ordinals(2.0)) + 1
    assert all(judgement.judged == found.judged for judgement in found.judgements)
    nearest = [float.fromhex(peak.nearest) for peak in found.judgements[0].peaks]
    assert nearest == sorted(nearest) and nearest[0] >= -0.5 and nearest[-1] <= 2


# -- who cannot be swept -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("isolate", [True, False])
def test_who_cannot_be_swept_is_told_why(file, isolate):
    text = mine("pass").replace("@numpy_implementation", "@numpy_implementation(DECORATED)")
    cases = {
        'reduction="mean"': "reduces to a mean",
        'dtypes=["float32"]': "does not claim binary16: it claims binary32",
        "options=()": "does not claim beta",
    }
    for number, (claims, said) in enumerate(cases.items()):
        if isolate and number:
            break  # one process is enough: the words are the same
        with pytest.raises(CannotSweep, match=said):
            sweep(file(text.replace("DECORATED", claims), f"m{number}.py"), binary16, isolate=isolate)


@pytest.mark.parametrize("how", [{"workers": 1}, {"isolate": False}, {"executor": Inline()}])
def test_who_cannot_be_loaded_is_the_error_of_load(how):
    with pytest.raises(UnknownImplementation, match="no implementation 'jacks'"):
        sweep("jacks", binary16, **how)
    if "workers" not in how:
        with pytest.raises(CannotLoad, match="no such file"):
            sweep("none.py:F", binary16, **how)


def test_an_import_that_ends_or_hangs_the_process_cannot_be_loaded(file):
    with pytest.raises(CannotLoad, match="ended the process with status 7: farewell while it was imported"):
        sweep(file(mine("pass", "print('farewell', flush=True); os._exit(7)")), binary16, workers=1)
    with pytest.raises(CannotLoad, match="not imported within 1 s"):
        sweep(file(mine("pass", "time.sleep(60)"), "slow.py"), binary16, workers=1, time_limit=1)


def test_wrong_requests_are_refused():
    with pytest.raises(BadRequest, match="'float8'"):
        sweep("numpy", "float8")
    with pytest.raises(BadRequest, match="0 workers"):
        sweep("numpy", binary16, workers=0)


# -- death, hanging, misbehaviour --------------------------------------------------------------------------------------

AT = "if (z == 1).any(): "


def test_a_worker_that_dies_by_accident_costs_nothing(file, tmp_path):
    flag = tmp_path / "flag"
    once = (
        f"{AT}\n        if not Path({str(flag)!r}).exists():\n            Path({str(flag)!r}).touch(); os.kill(os.getpid(), 9)"
    )
    found = sweep(file(mine(once)), binary16, workers=1)
    assert flag.exists() and found.conforms and found.judged == found.numbers


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ("os.kill(os.getpid(), 11)", "died", "it ended the process with SIGSEGV"),
        ("print('out of luck', flush=True); os._exit(3)", "died", "it ended the process with status 3: out of luck"),
        ("time.sleep(60)", "hung", "no answer within 3 s"),
        ("raise RuntimeError('no kernel')", "raised", "RuntimeError: no kernel"),
    ],
)
def test_conduct_is_a_finding_and_the_other_shards_are_kept(file, tmp_path, body, kind, said):
    name = file(mine(AT + body))
    ledger = tmp_path / "ledger"
    found = sweep(name, binary16, workers=2, shard_size=1, time_limit=3, resume=ledger)
    assert not found.conforms
    (failure,) = found.failures
    assert (failure.kind, said in failure.text) == (kind, True)
    assert (float.fromhex(failure.first), float.fromhex(failure.last)) == (0.0, binary16.largest)
    assert found.judged == found.numbers // 2
    assert len(ledger.read_bytes().splitlines()) == 3
    assert json.loads(found.to_json())["verdict"] == "violates"


def test_a_call_that_hangs_is_named_by_its_block_and_the_sweep_is_carried_on(file, tmp_path):
    flag, ledger = tmp_path / "flag", tmp_path / "ledger"
    flag.touch()
    two = int(binary32.ordinals(2.0))
    low, high, at, first, last = binary32.from_ordinals(
        [two, two + 4 * BLOCK - 1, *(two + 3 * BLOCK + i for i in (7, 0, -1))]
    ).tolist()
    name = file(mine(f"if (z == {at!r}).any() and Path({str(flag)!r}).exists(): time.sleep(60)"))
    asked = {"low": low, "high": high, "workers": 1, "shard_size": 2 * BLOCK, "resume": ledger}
    hung = sweep(name, binary32, time_limit=3, **asked)
    (failure,) = hung.failures
    assert (failure.kind, failure.text.startswith("no answer within 3 s")) == ("hung", True)
    assert (float.fromhex(failure.first), float.fromhex(failure.last)) == (first, high) and first > last
    assert hung.judged == 2 * BLOCK
    flag.unlink()
    seen = []
    carried = sweep(name, binary32, progress=lambda done, total, before: seen.append(before), **asked)
    assert carried.conforms and carried.judged == 4 * BLOCK and set(seen) == {2 * BLOCK}


def test_an_implementation_that_is_slow_and_answers_is_waited_for(file):
    """Eight calls of half a second each; a shard of them takes longer than one call may."""
    two = int(binary32.ordinals(2.0))
    low, high = binary32.from_ordinals([two, two + 8 * BLOCK - 1]).tolist()
    found = sweep(file(mine("time.sleep(0.45)")), binary32, low=low, high=high, workers=1, time_limit=3)
    assert found.conforms and found.seconds > 3.6


def test_what_the_implementation_prints_is_not_the_sweeps(file, capfd):
    assert sweep(file(mine("print('noise'); print('noise', file=sys.stderr)")), binary16, workers=1).conforms
    assert "noise" not in "".join(capfd.readouterr())


def test_a_lent_executor_that_breaks_or_stalls_is_told():
    class Broken(Inline):
        def submit(self, function, /, *arguments, **keywords):
            if function is worker.judge:
                raise_in = Future()
                raise_in.set_exception(concurrent.futures.BrokenExecutor("a worker was lost"))
                return raise_in
            return super().submit(function, *arguments, **keywords)

    with pytest.raises(WorkerFailed, match=r"at the shard from 0.0 to 65504.0: BrokenExecutor: a worker was lost"):
        sweep("numpy", binary16, executor=Broken())

    class Stalled(Inline):
        def submit(self, function, /, *arguments, **keywords):
            return Future() if function is worker.judge else super().submit(function, *arguments, **keywords)

    found = sweep("numpy", binary16, executor=Stalled(), time_limit=1)
    assert [failure.kind for failure in found.failures] == ["hung"] and not found.conforms


def test_workers_that_do_not_judge_the_same_are_refused():
    def older(result):
        if isinstance(result, tuple):
            who, found = result
            return replace(who, environment={**who.environment, "numpy": "1.0"}), found
        return result

    with pytest.raises(MixedWorkers, match=r"environment numpy was .* and is 1\.0"):
        sweep("numpy", binary16, executor=Inline(older))


def test_no_process_is_left(file):
    import multiprocessing  # noqa: PLC0415

    sweep("numpy", binary16, workers=2)
    deadline = time.monotonic() + 5
    while multiprocessing.active_children() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not multiprocessing.active_children()


# -- the ledger --------------------------------------------------------------------------------------------------------

PART = {
    "low": -float(binary32.from_ordinals(2 * BLOCK + 9)),
    "high": float(binary32.from_ordinals(BLOCK // 2)),
    "shard_size": 1,
}


@pytest.fixture
def kept(tmp_path):
    """A ledger of four shards in binary32 near 0 and the report that goes with it."""
    ledger = tmp_path / "ledger"
    report = sweep("numpy", binary32, isolate=False, resume=ledger, **PART)
    return ledger, report


@pytest.fixture
def short(tmp_path):
    """open(): the ledger of a sweep of a few logits, in three shards, and what it was made with."""
    planned = plan(binary32, -(2.0**-149), float(binary32.from_ordinals(BLOCK + 3)), 1)
    who = identity(subject(load("numpy"), "numpy"), planned)
    path = tmp_path / "short"

    def opened(**changed):
        return Ledger(path, {**who, **changed}, planned.shards())

    sweep("numpy", binary32, isolate=False, low=planned.low, high=planned.high, shard_size=1, resume=path)
    return path, opened


def test_a_ledger_cut_at_any_byte_goes_on_from_its_whole_lines(short):
    path, opened = short
    content = path.read_bytes()
    with opened() as ledger:
        finished = dict(ledger.finished)
    assert len(finished) == 3
    ends = [i + 1 for i, byte in enumerate(content) if byte == 10]
    for cut in {*range(0, len(content), 499), *ends, *(end - 1 for end in ends), *(end + 1 for end in ends[:-1])}:
        path.write_bytes(content[:cut])
        with opened() as ledger:
            assert len(ledger.finished) == max(0, sum(end <= cut for end in ends) - 2)
            for shard, found in finished.items():
                if shard not in ledger.finished:
                    ledger.add(shard, found)
        with opened() as ledger:
            assert ledger.finished == finished


def test_a_ledger_with_a_changed_byte_is_refused_and_left_alone(short):
    path, opened = short
    content = path.read_bytes()
    for place in range(0, len(content) - 1, 97):
        changed = bytearray(content)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises((CorruptLedger, NotALedger)) as refused:
            opened()
        if place > len(MAGIC) + 1:
            assert f"line {content[:place].count(10) + 1}:" in str(refused.value)
        assert path.read_bytes() == changed


def test_a_shard_twice_or_of_nobody_is_refused(short):
    path, opened = short
    content = path.read_bytes()
    path.write_bytes(content + content.splitlines(keepends=True)[-1])
    with pytest.raises(CorruptLedger, match=r"line 6: a shard that was not asked for, or a second time"):
        opened()


@pytest.mark.parametrize("content", [b"precious\n", b"precious", b'{"a": 1}\n', b"dpo-conformance sweep ledger 2\n"])
def test_another_file_is_refused_and_left_alone(short, content):
    path, opened = short
    path.write_bytes(content)
    with pytest.raises(NotALedger, match="not the ledger of a sweep"):
        opened()
    assert path.read_bytes() == content


def test_a_ledger_in_use_is_refused(short):
    _, opened = short
    with opened(), pytest.raises(LedgerInUse, match="another sweep"):
        opened()


def test_a_resumed_sweep_ends_in_the_same_report_and_judges_only_what_is_left(kept, monkeypatch):
    ledger, report = kept
    lines = ledger.read_bytes().splitlines(keepends=True)
    assert len(lines) == 6
    ledger.write_bytes(b"".join(lines[:4]) + lines[4][:100])
    told = []
    again = sweep(
        "numpy",
        binary32,
        executor=Inline(),
        resume=ledger,
        progress=lambda *step: told.append(step),
        **PART,
    )
    assert timeless(again) == timeless(report)
    assert told[0][0] == told[0][2] == told[-1][2] > 0
    assert sorted(ledger.read_bytes().splitlines()) == sorted(line.rstrip() for line in lines)


def test_another_sweep_does_not_carry_on(file, tmp_path):
    ledger, name = tmp_path / "ledger", file(mine("pass"))
    keywords = {"isolate": False, "resume": ledger, **RANGE}
    sweep(name, binary16, **keywords)
    for changed, said in [
        ({"low": -1}, r"from was -0x1.08.*p\+0 and is -0x1.0000000000000p\+0"),
        ({"shard_size": 1}, r"shard size was \d+ and is 32768"),
    ]:
        with pytest.raises(ChangedSweep, match=said):
            sweep(name, binary16, **{**keywords, **changed})
    with pytest.raises(ChangedSweep, match="format was binary16 and is bfloat16"):
        sweep(name, bfloat16, **keywords)
    with pytest.raises(ChangedSweep, match="implementation was F and is numpy; source"):
        sweep("numpy", binary16, **keywords)
    text = mine("z = z * 1")
    worker._load.cache_clear()
    with pytest.raises(ChangedSweep, match=r"code was [0-9a-f]{12}\.\.\. and is [0-9a-f]{12}\.\.\.\. Name another file"):
        sweep(file(text), binary16, **keywords)


def test_another_version_does_not_carry_on(short):
    _, opened = short
    with pytest.raises(ChangedSweep, match=r"suite was .* and is 9\.9"):
        opened(suite="9.9")
    with pytest.raises(ChangedSweep, match=r"environment torch was absent and is 3\.0"):
        opened(environment={**subject(load("numpy"), "").environment, "torch": "3.0"})


# -- kill -9 and Ctrl-C ------------------------------------------------------------------------------------------------


def started(*arguments):
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # a background job inherits it ignored
    code = f"{heard}; from conformance.cli import main; main()"
    command = [sys.executable, "-c", code, "sweep", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def workers_of(pid):
    """The ids of the processes below that one, where Linux tells them."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.no_cover
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_sweep_that_is_ended_half_way_and_resumed_ends_in_the_identical_report(file, tmp_path, how):
    name = file(mine("time.sleep(0.1)"))
    ledger, out = tmp_path / "ledger", tmp_path / "out.json"
    arguments = [name, "--dtype", "binary32", "--from", -BOUND, "--to", BOUND]
    arguments += ["--shard-size", 1, "--workers", 2, "--resume", ledger, "--json", out]
    process = started(*arguments)
    deadline = time.monotonic() + 60
    while not (ledger.exists() and ledger.read_bytes().count(b"\n") >= 5):
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.02)
    children = workers_of(process.pid)
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # as a terminal sends it: to the workers, too
    else:
        process.send_signal(how)
    _, said = process.communicate(timeout=30)
    assert process.returncode == (-9 if how == signal.SIGKILL else 130)
    if how == signal.SIGINT:
        assert re.search(r"Interrupted: [\d,]+ of [\d,]+ logits are judged and kept in .*ledger", said)
        assert "Traceback" not in said
    assert not out.exists()
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    shards = ledger.read_bytes().count(b"\n") - 2
    assert 3 <= shards < 14
    again = started(*arguments)
    stdout, said = again.communicate(timeout=60)
    assert (again.returncode, said) == (0, "")
    assert "conforms at every logit" in stdout
    through = sweep(load(file(mine("pass"), "quick.py")), binary32, low=-BOUND, high=BOUND)
    assert timeless(replace(read(out), source="", code="")) == timeless(through)


def test_objects_with_no_derivative_are_judged_by_their_losses_alone():
    def right(pc, pr, rc, rr, beta, eps):
        return np.logaddexp(0, -((pc - rc) - (pr - rr)).astype(float)).astype(pc.dtype)

    found = sweep(numpy_implementation(right), binary16)
    assert [judgement.quantity for judgement in found.judgements] == ["loss"]
