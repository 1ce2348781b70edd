"""How the command ends: a status for each end, and never 1 but for a violated MUST or a gate that fails."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import click

DEFECT = 70
"""A defect of the suite itself; EX_SOFTWARE of sysexits.h."""
CANNOT_WRITE = 74
"""What was to be written could not be: a full disk, a folder that went away; EX_IOERR of sysexits.h."""
INTERRUPTED = 128 + signal.SIGINT
CLOSED_PIPE = 128 + 13
"""Whoever read standard output went away; 13 is SIGPIPE, by which other programs end there."""
_TAKEN = ("SIGTERM", "SIGHUP")
_OUTPUT = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.ENXIO, errno.EBADF}


class Ended(click.ClickException):
    """The command could not go on; says why in a line, and has its own exit status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def show(self, file: Any = None) -> None:
        """On standard error, where there is one."""
        with contextlib.suppress(OSError, ValueError):
            if self.message:
                click.echo(self.message, file=file, err=True)


class Signalled(KeyboardInterrupt):
    """The process was asked to end by a signal."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


def cannot_write(path: object, error: OSError) -> Ended:
    """Of a file that could not be written."""
    return Ended(CANNOT_WRITE, f"Error: {path}: {error.strerror or error}")


def stopped(error: BaseException | None) -> int:
    """The exit status of an interrupt: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP, as shells have it."""
    while error is not None:
        if isinstance(error, Signalled):
            return 128 + error.signum
        error = error.__cause__
    return INTERRUPTED


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Whatever ends the block and is no answer of click's becomes Ended."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort, SystemExit):
        raise
    except KeyboardInterrupt as error:
        raise Ended(stopped(error), "Interrupted.") from error
    except BrokenPipeError as error:
        raise Ended(CLOSED_PIPE, "") from error
    except UnicodeEncodeError as error:
        raise Ended(CANNOT_WRITE, f"Error: {error}; PYTHONIOENCODING=utf-8 writes everything") from error
    except OSError as error:
        if error.errno in _OUTPUT:
            raise cannot_write(error.filename or "standard output", error) from error
        raise _defect(error) from error
    except Exception as error:
        raise _defect(error) from error


def _defect(error: Exception) -> Ended:
    """One line of where it was; the traceback goes to a file, as the crash may not come again."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    kept = ""
    with contextlib.suppress(OSError):
        handle, name = tempfile.mkstemp(prefix="dpo-conformance-", suffix=".traceback")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as out:
            out.write("".join(traceback.format_exception(error)))
        kept = f"; the traceback is in {name}"
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    place = f"{Path(frame.filename).name}, line {frame.lineno}"
    return Ended(DEFECT, f"A defect of dpo-conformance, and no verdict: {what} ({place}){kept}")


def concluded(call: Callable[[], Any]) -> int:
    """The exit status of a command, with what it has printed flushed: a pipe or a disk may refuse it only then."""
    _lead_nowhere()
    with _signals():
        _replace_what_cannot_be_encoded()
        try:
            with guarded():
                status = _answer(call)
                for stream in (sys.stdout, sys.stderr):
                    if stream is not None:
                        stream.flush()
        except Ended as end:
            end.show()
            _discard()
            return end.status
    return status


def _answer(call: Callable[[], Any]) -> int:
    try:
        result = call()
    except SystemExit as end:
        result = end.code
    except Ended:
        raise
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    return result if isinstance(result, int) else 0


def _lead_nowhere() -> None:
    """Of standard input, output and error, what is closed leads nowhere: the next file that is opened would be it, and hold
    what this process, or one that it starts, prints.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it is the lowest number that is free


def _replace_what_cannot_be_encoded() -> None:
    r"""A character that the terminal's encoding lacks is printed as its code, \u03c1, and ends nothing."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _discard() -> None:
    """What is still held back for standard output goes nowhere: Python would try again at its end, and complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the command as Ctrl-C does, so that what is judged is kept; one that is ignored stays so."""

    def stop(signum: int, _frame: FrameType | None) -> None:
        raise Signalled(signum)

    changed = {}
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name) for name in _TAKEN if hasattr(signal, name)):
            if signal.getsignal(number) is signal.SIG_DFL:
                changed[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, before in changed.items():
            signal.signal(number, before)
