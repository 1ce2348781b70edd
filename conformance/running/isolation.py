"""Judging a named implementation in a process of its own, so that whatever it does is a finding and the run goes on."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from typing import IO, Any

from conformance.implementations.complaints import LONGEST, ended
from conformance.running.job import Job
from conformance.running.state import Died, Progress, State, Stopped
from conformance.running.watch import Page, unfinished

PATIENCE = 10.0
"""Seconds beyond the limit that the judge has to put down what it computes."""
GRACE = 1.0
"""Seconds that a process has to end by itself once it has answered, so that what is registered for its exit runs."""


def judged(state: State, time_limit: float, progress: Progress | None, *, fail_fast: bool = False) -> None:
    """Judge to the end, or with fail_fast until a MUST is violated; `state` has the runs, also where this is interrupted.

    Raises CannotLoad and UnknownImplementation, as `load` does.
    """
    while not state.finished:
        try:
            for message in _messages(state.job, state.step, time_limit):
                state.take(message, progress)
                if fail_fast and state.violated:
                    return
            if not state.finished:
                raise Died("stopped answering before the last clause")
        except Died as death:
            state.died(str(death))
        except Stopped as reason:
            state.stopped(str(reason))
        if fail_fast and state.violated:
            return
    for asked in state.unexplained:
        with contextlib.suppress(Died, Stopped):
            for message in _messages(state.job, 0, time_limit, asked):
                state.take(message, progress)


def _messages(job: Job, start: int, time_limit: float, explain: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """The messages of one process that begins at that step, or that is asked why alone. Raises Died and Stopped."""
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
            told = json.dumps({**job.plain(start), "time_limit": time_limit, "page": shared.fileno(), "explain": explain})
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
    """How the process ended, with the message of the crash among what it wrote to standard error."""
    try:
        status = process.wait(time_limit)
    except subprocess.TimeoutExpired:
        return f"hung: it closed its output, and did not end within {time_limit:g} s"
    noise.seek(max(0, noise.seek(0, os.SEEK_END) - LONGEST))
    return ended(status, noise.read().decode(errors="replace"))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill it and whatever it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.wait()
