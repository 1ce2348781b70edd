"""How far long work has come, on standard error: a bar on a terminal, a plain line now and then anywhere else."""

from __future__ import annotations

import contextlib
import sys
import threading
import time

from conformance.cli.consoles import Console

EVERY = 20.0
"""Seconds between two plain lines; what is done within so many prints none."""


class Bar:
    """The progress of what is done while its context is open; nothing where it is not to be shown."""

    def __init__(self, description: str = "", *, shown: bool = True) -> None:
        console = Console(stderr=True)
        self._drawn = _Drawn(description, console) if shown and console.is_terminal else None
        self._told = _Told(description) if shown and not console.is_terminal else None

    def __enter__(self) -> Bar:
        for form in (self._drawn, self._told):
            if form is not None:
                form.start()
        return self

    def __exit__(self, *_: object) -> None:
        for form in (self._drawn, self._told):
            if form is not None:
                form.stop()

    def show(self, done: int, total: int, *, description: str | None = None, count: str | None = None) -> None:
        """Show that `done` of `total` is done; `description` stays as it was where it is not given."""
        shown = f"{done:,} of {total:,}" if count is None else count
        for form in (self._drawn, self._told):
            if form is not None:
                form.show(done, total, description, shown)


class _Drawn:
    """The bar, on a terminal."""

    def __init__(self, description: str, console: Console) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[count]}", markup=False),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task(description, total=None, count="")

    def start(self) -> None:
        self._progress.start()

    def stop(self) -> None:
        self._progress.stop()

    def show(self, done: int, total: int, description: str | None, count: str) -> None:
        self._progress.update(self._task, description=description, completed=done, total=total, count=count)


class _Told:
    """A line every so many seconds, by a thread of its own: also while nothing comes to an end."""

    def __init__(self, description: str) -> None:
        self._description, self._count, self._done, self._total = description, "", 0, 0
        self._ended = threading.Event()
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def show(self, done: int, total: int, description: str | None, count: str) -> None:
        self._description = self._description if description is None else description
        self._done, self._total, self._count = done, total, count

    def _tell(self) -> None:
        while not self._ended.wait(EVERY):
            share = f" ({100 * self._done // self._total} %)" if self._total else ""
            seconds = round(time.monotonic() - self._started)
            with contextlib.suppress(OSError, ValueError, AttributeError):  # nobody listens any more
                line = f"{self._description}: {self._count}{share}, {seconds // 60}:{seconds % 60:02}"
                sys.stderr.write(f"{line}\n")
                sys.stderr.flush()
