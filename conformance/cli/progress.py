"""How far long work has come, on a terminal's standard error; nothing in a pipe."""

from __future__ import annotations

from rich.console import Console


class Bar:
    """A progress bar, drawn while its context is open, where standard error is a terminal."""

    def __init__(self, description: str = "") -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[count]}", markup=False),
            TimeElapsedColumn(),
        )
        console = Console(stderr=True)
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task(description, total=None, count="")

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, done: int, total: int, *, description: str | None = None, count: str | None = None) -> None:
        """Show that `done` of `total` is done; `description` stays as it was where it is not given."""
        shown = f"{done:,} of {total:,}" if count is None else count
        self._progress.update(self._task, description=description, completed=done, total=total, count=shown)
