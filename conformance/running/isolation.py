"""Judging a named implementation in a process of its own, so that whatever it does is a finding and the run goes on."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import IO, Any

from conformance.clauses import Clause, find
from conformance.errors import CannotLoad, UnknownImplementation
from conformance.records.record import Finding, Run, Verdict, finding_from, run_from
from conformance.running.profiles import Profile
from conformance.running.trying import FIRSTS, concluded, failed, skipped
from conformance.running.watch import MOST_FAILURES, Page, unfinished
from oracle import Format

PATIENCE = 10.0
"""Seconds beyond the limit that the judge has to put down what it computes."""
GRACE = 1.0
"""Seconds that a process has to end by itself once it has answered, so that what is registered for its exit runs."""
Progress = Callable[[str, str, int, int], None]


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The Python of another environment, and the folder from which that one imports the suite."""

    python: str
    suite: str


@dataclass(frozen=True, slots=True)
class Job:
    """What to judge: an implementation by name, the formats, and the clauses in order; and by which Python, if another."""

    source: str
    formats: tuple[Format, ...]
    profile: Profile
    seed: int
    clauses: tuple[Clause, ...]
    interpreter: Interpreter | None = None

    @property
    def command(self) -> list[str]:
        """The worker's command line; another environment's does not see the current folder."""
        python = [sys.executable] if self.interpreter is None else [self.interpreter.python, "-P"]
        return [*python, "-m", "conformance.running.worker"]

    @property
    def environ(self) -> dict[str, str] | None:
        """The worker's environment variables: this process's, less what would show it another Python's packages."""
        if self.interpreter is None:
            return None
        kept = {key: value for key, value in os.environ.items() if key not in {"PYTHONHOME", "VIRTUAL_ENV"}}
        return kept | {"PYTHONPATH": self.interpreter.suite}

    def plain(self, start: int) -> dict[str, Any]:
        """The job from one step on, as JSON's own types; a step is a format and a clause."""
        return {
            "source": self.source,
            "formats": [fmt.name for fmt in self.formats],
            "profile": self.profile.name,
            "seed": self.seed,
            "clauses": [clause.id for clause in self.clauses],
            "start": start,
            "path": sys.path if self.interpreter is None else None,
        }


class Died(Exception):
    """The process ended or hung before it had answered; the text says which, in words for a finding."""


class Stopped(Exception):
    """The judge itself was not done in time and its process was ended; the text says so, in words for a finding."""


def judged(job: Job, time_limit: float, progress: Progress | None) -> list[Run]:
    """A run for each format. Raises CannotLoad and UnknownImplementation, as `load` does."""
    state = _State(job)
    while not state.finished:
        try:
            for message in _messages(job, state.step, time_limit):
                state.take(message, progress)
            if not state.finished:
                raise Died("stopped answering before the last clause")
        except Died as death:
            state.died(str(death))
        except Stopped as reason:
            state.stopped(str(reason))
    return state.runs()


class _State:
    """What has been learned so far, across the processes that it took."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._blank: dict[str, Run] = {}
        self._findings: dict[str, list[Finding]] = {fmt.name: [] for fmt in job.formats}
        self._seconds = dict.fromkeys(self._findings, 0.0)
        self._failures = 0
        self._since = time.perf_counter()
        self.step = 0

    @property
    def finished(self) -> bool:
        """True after the last clause of the last format."""
        return self.step >= len(self._job.formats) * len(self._job.clauses)

    def take(self, message: Mapping[str, Any], progress: Progress | None) -> None:
        """One message of the process: how it loads, which clause it is at, what it found."""
        if "error" in message:
            if self._blank:
                raise Died(f"could not be loaded again: {message['text']}")
            kind = {"UnknownImplementation": UnknownImplementation}.get(message["error"], CannotLoad)
            raise kind(message["text"])
        if "clauses" in message:
            self._job = replace(self._job, clauses=tuple(find(identity) for identity in message["clauses"]))
        elif "run" in message:
            run = run_from(message["run"])
            self._blank[run.format] = run
            if run.verdict is not Verdict.CONFORMS:
                self._next_format()
        elif "checking" in message and progress is not None:
            total = len(self._job.formats) * len(self._job.clauses)
            progress(self._blank[self._fmt].implementation, f"{self._fmt} {message['checking']}", self.step, total)
        elif "alive" in message and progress is not None:
            done, of = message["alive"]
            total = len(self._job.formats) * len(self._job.clauses)
            told = f"{self._fmt} {self._clause.id} {100 * done // of} %"
            progress(self._blank[self._fmt].implementation, told, self.step, total)
        elif "finding" in message:
            self._add(finding_from(message["finding"]))

    def died(self, how: str) -> None:
        """The clause at hand is violated; after too many deaths, or one in the first clause, the rest is not tried."""
        if not self._blank:
            raise CannotLoad(f"{self._job.source}: {how} while it was imported")
        if self._opened().verdict is not Verdict.CONFORMS:
            self._next_format()
            return
        clause = self._clause
        self._add(failed(clause, how))
        self._failures += 1
        if clause.id in FIRSTS:
            self._skip(f"it violates {clause.id}: {how}")
        elif self._failures >= MOST_FAILURES:
            self._give_up(f"{MOST_FAILURES} clauses ended the process, hung or were not finished")

    def stopped(self, why: str) -> None:
        """The clause at hand is not run; after too many processes, the rest is not tried."""
        if not self._blank:
            raise CannotLoad(f"{self._job.source}: {why}, before it was imported")
        if self._opened().verdict is not Verdict.CONFORMS:
            self._next_format()
            return
        self._add(skipped(self._clause, why))
        self._failures += 1
        if self._failures >= MOST_FAILURES:
            self._give_up(f"{MOST_FAILURES} clauses ended the process, hung or were not finished")

    def runs(self) -> list[Run]:
        """The runs, in the order of the formats."""
        return [
            run if run.verdict is not Verdict.CONFORMS else concluded(run, self._findings[name], self._seconds[name])
            for name, run in ((fmt.name, self._blank[fmt.name]) for fmt in self._job.formats)
        ]

    @property
    def _fmt(self) -> str:
        return self._job.formats[self.step // len(self._job.clauses)].name

    @property
    def _clause(self) -> Clause:
        return self._job.clauses[self.step % len(self._job.clauses)]

    def _opened(self) -> Run:
        """The blank run of the format at hand, after another format's where no process came to it."""
        if self._fmt not in self._blank:
            claimed = self._fmt in (known := next(iter(self._blank.values()))).claims["formats"]
            verdict = Verdict.CONFORMS if claimed else Verdict.NOT_CLAIMED
            reason = "" if claimed else f"it does not claim {self._fmt}"
            self._blank[self._fmt] = replace(known, format=self._fmt, verdict=verdict, reason=reason)
        return self._blank[self._fmt]

    def _add(self, finding: Finding) -> None:
        now = time.perf_counter()
        self._seconds[self._fmt] += now - self._since
        self._since = now
        self._findings[self._fmt].append(finding)
        self.step += 1

    def _skip(self, reason: str) -> None:
        """The remaining clauses of the format are not run; none remain where the next format is at hand."""
        while self.step % len(self._job.clauses):
            self._skip_one(reason)

    def _skip_one(self, reason: str) -> None:
        self._findings[self._fmt].append(skipped(self._clause, reason))
        self.step += 1

    def _give_up(self, reason: str) -> None:
        """The remaining clauses of every format are not run."""
        while not self.finished:
            if self._opened().verdict is Verdict.CONFORMS:
                self._skip_one(reason)
            else:
                self._next_format()

    def _next_format(self) -> None:
        self.step = (self.step // len(self._job.clauses) + 1) * len(self._job.clauses)


def _messages(job: Job, start: int, time_limit: float) -> Iterator[dict[str, Any]]:
    """The messages of one process that begins at that step. Raises Died and Stopped."""
    with tempfile.TemporaryFile() as noise, tempfile.TemporaryFile() as shared:
        shared.truncate(mmap.PAGESIZE)
        page = Page(shared.fileno())
        process = subprocess.Popen(
            job.command,
            env=job.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=noise,
            start_new_session=True,
            pass_fds=[shared.fileno()],
        )
        try:
            told = json.dumps({**job.plain(start), "time_limit": time_limit, "page": shared.fileno()})
            yield from _conversation(process, told, time_limit, page, noise)
        finally:
            _end(process)


def _conversation(
    process: subprocess.Popen[bytes], job: str, time_limit: float, page: Page, noise: IO[bytes]
) -> Iterator[dict[str, Any]]:
    assert process.stdin is not None
    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    # it may have died before it listens: the end of its output says so
    with contextlib.suppress(BrokenPipeError), process.stdin:
        process.stdin.write(job.encode())
    while True:
        line = _next(process, lines, time_limit, page)
        if not line.endswith(b"\n"):
            raise Died(_ending(process, time_limit, noise))
        message: dict[str, Any] = json.loads(line)
        if "done" in message:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
            return
        yield message


def _next(process: subprocess.Popen[bytes], lines: queue.Queue[bytes], time_limit: float, page: Page) -> bytes:
    """The next line; empty where the process has ended, also where one that it forked holds its output open.

    A call that is not answered is waited for until its own time is over, whatever the clause has left.
    """
    deadline = time.monotonic() + time_limit
    while True:
        ended = process.poll() is not None
        try:
            return lines.get(timeout=max(0.01, min(1.0, deadline - time.monotonic())))
        except queue.Empty:
            if ended:
                return b""
            waited = page.waited
            if waited >= time_limit:
                raise Died(f"hung: no answer within {time_limit:g} s") from None
            if not waited and time.monotonic() >= deadline + PATIENCE:
                raise Stopped(unfinished(time_limit, ", while the judge computed")) from None


def _read(process: subprocess.Popen[bytes], lines: queue.Queue[bytes]) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            lines.put(line)
    lines.put(b"")


def _ending(process: subprocess.Popen[bytes], time_limit: float, noise: IO[bytes]) -> str:
    """How the process ended, with the last line it wrote to standard error."""
    try:
        status = process.wait(time_limit)
    except subprocess.TimeoutExpired:
        return f"hung: it closed its output, and did not end within {time_limit:g} s"
    how = f"ended the process with status {status}"
    if status < 0:
        how = f"ended the process with {signal.Signals(-status).name}"
    noise.seek(0)
    written = noise.read().decode(errors="replace").strip().splitlines()
    return f"{how}: {written[-1][:200]}" if written else how


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill it and whatever it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.wait()
