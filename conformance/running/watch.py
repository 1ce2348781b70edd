"""Clocks that tell an implementation that does not answer from a judge that computes.

One call that is not answered within the limit is hung: the implementation's. A clause that is not finished within the
limit, though each call was answered, is not run: the judge's doing, or that of whoever set the limit.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any, cast

from conformance.errors import Misbehaviour, Unfinished
from conformance.implementations import Implementation

MOST_FAILURES = 3
"""So often an implementation may hang, or end its process, before the clauses that are left are not run."""
Surrounding = Callable[[float], AbstractContextManager[None]]
"""What a call of at most so many seconds is made in."""


class Watch:
    """The clock of one clause, and of each call of the implementation within it."""

    def __init__(self, limit: float, surrounding: Surrounding) -> None:
        self.hung = 0
        self._limit = limit
        self._surrounding = surrounding
        self.restart()

    def restart(self) -> None:
        """A clause begins, or one of minutes tells how far it is."""
        self._began = time.monotonic()
        self._calls, self._inside = 0, 0.0

    def call(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """The function's result. Raises Unfinished where the clause's time is over, and Misbehaviour, hung."""
        began = time.monotonic()
        if began - self._began >= self._limit:
            raise Unfinished(unfinished(self._limit, f"; its {self._calls} calls took {self._inside:.3g} s"))
        interrupted = False
        try:
            with self._surrounding(self._limit):
                return function(*arguments, **keywords)
        except _TimeUp:
            interrupted = True
        finally:
            took = time.monotonic() - began
            self._calls, self._inside = self._calls + 1, self._inside + took
            if interrupted or (took >= self._limit and not _debugged()):
                self.hung += 1
                raise Misbehaviour("hung", f"no answer within {self._limit:g} s")


def unfinished(limit: float, more: str = "") -> str:
    """Why a clause was not run to its end, in words for a finding."""
    return f"not finished within {limit:g} s{more}: a longer --time-limit may help"


def watched(implementation: Implementation, watch: Watch) -> Implementation:
    """The implementation, each of whose methods is called under the watch."""
    members: dict[str, Any] = {}
    own = getattr(implementation, "__dict__", {})
    for name in dir(implementation):
        if not name.startswith("_"):
            called = callable(own.get(name)) or callable(getattr(type(implementation), name, None))
            members[name] = _method(implementation, name, watch) if called else _attribute(implementation, name)
    return cast("Implementation", type("Watched", (), members)())


def _method(implementation: Implementation, name: str, watch: Watch) -> Callable[..., Any]:
    function = getattr(implementation, name)

    @functools.wraps(function)
    def method(_: object, *arguments: Any, **keywords: Any) -> Any:
        return watch.call(function, *arguments, **keywords)

    return method


def _attribute(implementation: Implementation, name: str) -> property:
    return property(lambda _: getattr(implementation, name))


class Page:
    """Since when a worker has been waiting for the implementation, in memory that it shares with who watches it."""

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, mmap.PAGESIZE)
        self._since = ctypes.c_double.from_buffer(self._memory)

    @property
    def waited(self) -> float:
        """Seconds that the worker has waited; 0 where the judge computes. All processes read the monotonic clock alike."""
        since = self._since.value
        return time.monotonic() - since if since else 0.0

    @contextmanager
    def waiting(self, limit: float = 0.0) -> Iterator[None]:
        """The implementation is being waited for."""
        self._since.value = time.monotonic()
        try:
            yield
        finally:
            self._since.value = 0.0


class _TimeUp(BaseException):  # what an implementation catches by `except Exception` is not this
    """The alarm, in the midst of a call."""


@contextmanager
def alarm(limit: float) -> Iterator[None]:
    """In this process: the call is interrupted after the limit, if its thread is the main one and comes back to Python.

    Whoever uses the timer already, or debugs, keeps it; then a call that is too long is known when it returns.
    """
    usable = threading.current_thread() is threading.main_thread() and not _debugged()
    if not usable or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL or any(signal.getitimer(signal.ITIMER_REAL)):
        yield
        return
    armed = True

    def ring(_: int, frame: FrameType | None) -> None:
        if armed:
            raise _TimeUp

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit, 1.0)  # and again, for who catches everything
    try:
        try:
            yield
        finally:
            armed = False
    finally:  # whatever the alarm interrupts, it is put off
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _debugged() -> bool:
    """Whether a debugger holds this thread: time stands still for who looks."""
    tracer, bdb = getattr(sys.gettrace(), "__self__", None), sys.modules.get("bdb")
    return "pydevd" in sys.modules or (bdb is not None and isinstance(tracer, bdb.Bdb))
