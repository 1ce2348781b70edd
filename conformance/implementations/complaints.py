"""What a program wrote on standard error: kept whole within bounds, and the message in it found among frames and notes."""

from __future__ import annotations

import contextlib
import hashlib
import re
import signal
from collections.abc import Sequence

from conformance.files import cache, write_whole

LONGEST = 1 << 16
"""Bytes that are kept: where there are more, the first half of so many and the last."""
SHOWN = 400
"""Characters of a message in a finding."""
LINES = 4
"""Lines of it."""
_FRAMES = re.compile(
    r"""^(\s+(?!\s|what\(\):).*     # frames and code are indented in every language; C++ indents its message, too
    |\s*|.*\^\s*|.*:\d+             # a caret beneath code, a place
    |\S+:\d+:\d+:\ 0x.*|\#\d+\s.*|/\S+|"[^"]*"
    |.*\b(trace|traceback|backtrace)\b.*:(\ \*+)?|Traceback.*|goroutine\ .*|note:.*|Node\.js\ v.*|CallStack.*|Calls:.*
    |Raised\ (at|by)\ .*|(Re-raised|Called)\ .*|Full\ report\ at:|error:\ called\ from|context\.\.\.:|in\ expression\ .*
    |(?P<rule>[-=*])(?P=rule){2,}.*|Execution\ halted|Error\ termination\..*|Bun\ v.*
    |exit\ status\ \d+|(Aborted|Segmentation\ fault)(\ \(core\ dumped\))?)$""",
    re.VERBOSE | re.IGNORECASE,
)
"""Lines that are no message."""
_HEAD = re.compile(
    r"panicked\ at|^(thread\ \d+\ )?panic:|^fatal|^Exception\ in\ thread|^Unhandled|^Uncaught|^terminate\ called|\bAssertion\b"
    r"|^Execution\ error|Check\ failed:|Program\ received\ signal|runtime\ error:|Fatal\ error:|ERROR:\ \S*Sanitizer"
    r"|^[^\s\"]*(Error|Exception)\b|^\S*error:|^[A-Z]+\ error:",
    re.VERBOSE | re.IGNORECASE,
)
"""How the message of a crash begins."""
_END = re.compile(r"^(.*\b(trace|backtrace)\b.*:|Stacktrace:|goroutine |note:|Node\.js v|Full report at:)", re.IGNORECASE)
"""What comes after the message."""


class Complaints:
    """The bytes of standard error, as they come."""

    def __init__(self) -> None:
        self._first, self._last, self._length = bytearray(), bytearray(), 0

    def add(self, chunk: bytes) -> None:
        """What was read."""
        self._length += len(chunk)
        room = LONGEST // 2 - len(self._first)
        self._first += chunk[:room]
        self._last += chunk[room:] if room < len(chunk) else b""
        del self._last[: -(LONGEST // 2)]

    @property
    def text(self) -> str:
        """All of it, with what was left out in the middle told."""
        left = self._length - len(self._first) - len(self._last)
        gap = f"\n[{left:,} bytes left out]\n".encode() if left else b""
        return (bytes(self._first) + gap + bytes(self._last)).decode(errors="replace")

    def told(self, command: Sequence[str]) -> str:
        """The message, and in which file all of it is where there is more; empty where nothing was written."""
        text = self.text
        message = message_of(text)
        if not message:
            return ""
        lines = len(text.strip().splitlines())
        kept = _kept(text, command) if lines > 1 else ""
        return f"; on standard error: {message}" + (f" (all {lines} lines: {kept})" if kept else "")


def ended(status: int | None, written: str) -> str:
    """How a process ended, by its status or a signal, with the message of the crash among what it wrote."""
    how = f"ended the process with status {status}"
    if status is not None and status < 0:
        how = f"ended the process with {signal.Signals(-status).name}"
    message = message_of(written)
    return f"{how}: {message}" if message else how


def message_of(text: str) -> str:
    """The message of a crash, without frames, places and notes, on one line.

    Where none begins like one, the last lines before frames and notes: no language has to call its errors so.
    """
    lines = [line.rstrip() for line in text.strip().splitlines() if line.strip()]
    heads = [place for place, line in enumerate(lines) if _HEAD.search(line) and not line[:1].isspace()]
    # the first of those that follow each other: a cause is told after what it caused
    head = next((place for place in heads if not _apart(lines, place, heads[-1])), None)
    if head is None:
        return " ".join(line.strip() for line in _last(lines)[-LINES:])[-SHOWN:]
    end = next((place for place in range(head + 1, len(lines)) if _END.match(lines[place])), len(lines))
    message = [lines[head], *(line for line in lines[head + 1 : end] if not _FRAMES.match(line))]
    return " ".join(line.strip() for line in message[:LINES])[:SHOWN]


def _last(lines: Sequence[str]) -> list[str]:
    """The last lines that follow each other and are neither frames nor notes; the last of all where there are none."""
    last: list[str] = []
    for line in reversed(lines):
        if not _FRAMES.match(line):
            last.insert(0, line)
        elif last:
            break
    return last or list(lines[-1:])


def _apart(lines: Sequence[str], head: int, last: int) -> bool:
    """True where something stands between two heads that is neither a frame nor a cause: they are of two crashes."""
    between = (line for line in lines[head + 1 : last] if not _FRAMES.match(line) and not _HEAD.search(line))
    return any(not line.startswith("Caused by") for line in between)


def _kept(text: str, command: Sequence[str]) -> str:
    """The path of the file that holds the text, one for each command line; empty where it cannot be written."""
    with contextlib.suppress(OSError, RuntimeError):
        name = hashlib.sha256("\0".join(command).encode(errors="replace")).hexdigest()[:12]
        path = cache() / "stderr" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
        return str(path)
    return ""
