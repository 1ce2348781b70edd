"""Folders that hold one run: MLflow's, with a file a metric, and TensorBoard's, with event files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from conformance.auditing.names import word
from conformance.auditing.reading import table
from conformance.auditing.reading.entry import Cut, Entry, NotALog, split
from conformance.auditing.reading.text import LONGEST

LARGEST = 1 << 28
"""Bytes of one metric's file."""


def form(path: Path) -> str:
    """mlflow or tensorboard. Raises NotALog for a folder of neither."""
    if (path / "metrics").is_dir():
        return "mlflow"
    if _events(path):
        return "tensorboard"
    raise NotALog(f"{path}: a folder with neither metrics/ (a run of MLflow) nor TensorBoard's event files; name the log in it")


def _events(path: Path) -> list[Path]:
    return sorted(one for one in path.glob("**/*tfevents*") if one.is_file())


def entries(path: Path, read: Callable[[int], None]) -> Iterator[Entry | Cut]:
    """The lines of the run, numbered one after the other."""
    if form(path) == "mlflow":
        yield from _mlflow(path / "metrics", read)
        return
    last = 0
    for one in _events(path):
        before = last
        for entry in table.tensorboard(one, read):
            last = before + entry.number
            yield entry._replace(number=last)


def _mlflow(metrics: Path, read: Callable[[int], None]) -> Iterator[Entry | Cut]:
    """Each file a metric, each line `time value step`: those of a step together, in the order of the steps."""
    rows: dict[int, list[tuple[str, object]]] = {}
    done = 0
    for one in sorted(file for file in metrics.glob("**/*") if file.is_file()):
        name = one.relative_to(metrics).as_posix()
        if word(name) is None:
            continue
        if one.stat().st_size > LARGEST:
            raise NotALog(f"{one}: {one.stat().st_size:,} bytes for one metric")
        for number, line in enumerate(one.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            parts = line[:LONGEST].split()
            if len(parts) != 3 or not parts[2].lstrip("-").isdecimal() or len(parts[2]) > 18:
                yield Cut(number, f"{name}: not `time value step`")
                continue
            rows.setdefault(int(parts[2]), []).append((name, parts[1]))
        read(done := done + one.stat().st_size)
    for number, step in enumerate(sorted(rows), 1):
        yield from split(number, [("step", str(step)), *rows[step]])
