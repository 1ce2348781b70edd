"""A running program and its three streams: a line to it, a line from it, within a time; ended with all it has started."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Sequence

from conformance.errors import CannotLoad, Misbehaviour
from conformance.implementations.complaints import Complaints
from conformance.implementations.process.messages import BYE, shown

GRACE = 2.0
"""Seconds that a program may take to end after it was told so, before it is killed."""
_REASONS = {
    errno.EACCES: "it is not executable",
    errno.ENOEXEC: "neither a program for this machine nor a script whose first line names its interpreter",
}
_CHUNK = 1 << 18
Heard = Callable[[str, bytes], None]
"""Told of each line to the program ("asked") and from it ("answered")."""
_KEEPER = "import os, sys; sys.stdin.buffer.read(); os.killpg(int(sys.argv[1]), 9)"
"""Ends the program's process group where this process ends, however it does: then its standard input does."""


class Program:
    """A program that has been started, in a session of its own. Not for several threads.

    Raises CannotLoad where it cannot be started.
    """

    def __init__(self, command: Sequence[str], heard: Heard = lambda *_: None) -> None:
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise CannotLoad(f"{command[0]}: no such program, or the interpreter in its first line is not here") from None
        except (OSError, ValueError) as error:
            reason = _REASONS.get(getattr(error, "errno", 0), str(error))
            raise CannotLoad(f"{command[0]}: cannot be started: {reason}") from None
        keeper = [sys.executable, "-I", "-S", "-c", _KEEPER, str(self._process.pid)]
        quiet = subprocess.DEVNULL
        self._keeper = subprocess.Popen(
            keeper, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, bufsize=0, start_new_session=True
        )
        self._command, self._heard = command, heard
        self._streams = _Streams(self._process)
        self._finalizer = weakref.finalize(self, _end, self._process, self._keeper, self._streams, os.getpid())

    def exchange(self, line: bytes, limit: float, longest: int) -> bytes:
        """The line that the program writes for that line, within `limit` seconds and of at most `longest` bytes.

        Raises Misbehaviour: ended, hung, or unasked where it writes more than that. The program is of no use after any.
        """
        streams, deadline = self._streams, time.monotonic() + limit
        streams.question = memoryview(line)
        self._heard("asked", line)
        while streams.question or not streams.complete:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Misbehaviour("hung", self._told(f"no answer within {limit:g} s"))
            ended = self._process.poll() is not None
            more = streams.pump(0.0 if ended else min(left, 0.5))
            if len(streams.answer) > longest:
                raise Misbehaviour("unasked", f"it wrote more than {longest:,} bytes: {shown(streams.answer)}")
            if streams.closed or (ended and not more):
                if streams.complete:
                    break
                raise Misbehaviour("ended", self._told(self._ending(limit)))
        answer = streams.take()
        self._heard("answered", answer)
        return answer

    def check_silent(self) -> None:
        """Raises Misbehaviour, unasked, where it has written something since its last line was read."""
        self._streams.pump(0.0)
        if self._streams.answer:
            raise Misbehaviour("unasked", f"it wrote what nobody asked for: {shown(self._streams.answer)}")

    def close(self) -> None:
        """Tell it to end, give it GRACE seconds, and kill whatever of it is left."""
        self._finalizer()

    def kill(self) -> None:
        """Kill it and whatever it has started, at once."""
        _kill(self._process)
        self._finalizer()

    @property
    def complaints(self) -> str:
        """All that it has written to standard error so far, within bounds."""
        self._streams.drain()
        return self._streams.complaints.text

    def _ending(self, limit: float) -> str:
        """How it ended; it may have closed its output and go on."""
        rest = f" after {shown(self._streams.answer)}" if self._streams.answer else ""
        try:
            status = self._process.wait(min(limit, GRACE))
        except subprocess.TimeoutExpired:
            return f"it closed its standard output and goes on{rest}"
        self._streams.drain()
        return f"the program ended with {signal.Signals(-status).name if status < 0 else f'status {status}'}{rest}"

    def _told(self, what: str) -> str:
        """What happened, with the message that it wrote to standard error."""
        return what + self._streams.complaints.told(self._command)


class _Streams:
    """What is still to be written, what was read, and the end of what was complained of."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        self.question = memoryview(b"")
        self.answer = bytearray()
        self.complaints = Complaints()
        self.complete = False
        self.closed = False
        for stream in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(stream.fileno(), False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stdout, selectors.EVENT_READ, self._read)
        self._selector.register(self._stderr, selectors.EVENT_READ, self._complain)

    def pump(self, wait: float) -> bool:
        """Write and read once what can be, waiting that many seconds for it; True where there was output to read."""
        if self.question and self._stdin not in self._selector.get_map():
            self._selector.register(self._stdin, selectors.EVENT_WRITE, self._write)
        ready = self._selector.select(wait)
        for key, _ in ready:
            key.data()
        return any(key.fileobj is self._stdout for key, _ in ready)

    def drain(self) -> None:
        """Read what is left of both, of a program that has ended."""
        while self._selector.get_map() and self.pump(0.0):
            pass
        while self._stderr in self._selector.get_map() and self._complain():
            pass

    def take(self) -> bytes:
        """The first line that was read; what was read after it is left."""
        line, _, rest = self.answer.partition(b"\n")
        self.answer = rest
        self.complete = b"\n" in rest
        return bytes(line)

    def say(self, line: bytes) -> None:
        """Write it if there is room, and end the program's input."""
        with contextlib.suppress(OSError):
            os.write(self._stdin.fileno(), line)
        self._stdin.close()

    def close(self) -> None:
        """Close both that are read."""
        self._selector.close()
        self._stdout.close()
        self._stderr.close()

    def _write(self) -> None:
        try:
            self.question = self.question[os.write(self._stdin.fileno(), self.question) :]
        except BrokenPipeError:  # it has ended, or reads no more: its output says which
            self.question = memoryview(b"")
        if not self.question:
            self._selector.unregister(self._stdin)

    def _read(self) -> None:
        chunk = os.read(self._stdout.fileno(), _CHUNK)
        self.answer += chunk
        self.complete = self.complete or b"\n" in chunk
        if not chunk:
            self.closed = True
            self._selector.unregister(self._stdout)

    def _complain(self) -> bool:
        """Read what was complained of; False where there is nothing."""
        try:
            chunk = os.read(self._stderr.fileno(), _CHUNK)
        except BlockingIOError:
            return False
        self.complaints.add(chunk)
        if not chunk:
            self._selector.unregister(self._stderr)
        return bool(chunk)


def _end(process: subprocess.Popen[bytes], keeper: subprocess.Popen[bytes], streams: _Streams, owner: int) -> None:
    """End the program, what it has started, and its keeper; leave no zombie. A fork of this process ends nothing."""
    if os.getpid() != owner:
        return
    streams.say(BYE)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    _kill(process)
    keeper.kill()
    keeper.wait()
    if keeper.stdin is not None:
        keeper.stdin.close()
    streams.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.wait()
