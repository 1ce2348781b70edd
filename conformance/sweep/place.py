"""Where a worker is: the block that it asks the implementation about, in memory that it shares with who waits for it."""

from __future__ import annotations

import ctypes
import mmap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conformance.sweep.plan import Shard


class _Told(ctypes.Structure):
    _fields_ = (
        ("changed", ctypes.c_double),
        ("first", ctypes.c_int64),
        ("stop", ctypes.c_int64),
        ("negative", ctypes.c_bool),
    )


class Place:
    """The memory behind a file, which is made where there is none."""

    def __init__(self, path: Path) -> None:
        with path.open("a+b") as file:
            file.truncate(mmap.PAGESIZE)
            self._told = _Told.from_buffer(mmap.mmap(file.fileno(), mmap.PAGESIZE))

    @property
    def changed(self) -> float:
        """When a call was last begun or answered, by the monotonic clock, which all processes read alike; 0 for never."""
        changed: float = self._told.changed
        return changed

    @property
    def block(self) -> Shard | None:
        """The block of the call that is not answered yet; None where the implementation is not waited for."""
        told = self._told
        return Shard(told.first, told.stop, told.negative) if told.stop else None

    def clear(self) -> None:
        """Nothing is asked: a process begins."""
        self._told.stop = 0

    @contextmanager
    def asking(self, block: Shard) -> Iterator[None]:
        """The implementation is asked about that block."""
        told = self._told
        told.first, told.negative, told.changed = block.first, block.negative, time.monotonic()
        told.stop = block.stop
        try:
            yield
        finally:
            told.stop, told.changed = 0, time.monotonic()
