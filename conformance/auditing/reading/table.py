"""Tables: CSV as trackers export it, Parquet, and TensorBoard's event files, each read by a library that keeps it."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from conformance.auditing.names import word
from conformance.auditing.reading.entry import Cut, Entry, NotALog, split
from conformance.auditing.reading.gathering import NAME, VALUE, Gathered, place, step_of

ROWS = 8192
_COMMA = re.compile(r"^(\s*[-+]?\d+),(\d+)")
Row = tuple[int, list[str]]
"""A line number and its fields."""


def separated(path: Path, read: Callable[[int], None]) -> Iterator[Entry | Cut]:
    """The rows of a CSV or TSV file or a Markdown table; where each row is one metric's value, those of a step together."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        first = file.readline()
        delimiter = max(",;\t|", key=first.count)
        file.seek(0)
        rows = csv.reader(file, delimiter=delimiter)
        names = [_bare(name) for name in next(rows)]
        key, value = place(names, NAME), place(names, VALUE)
        counted = _counted(rows, len(names), delimiter == ";", lambda: os.lseek(file.fileno(), 0, os.SEEK_CUR), read)
        yield from _wide(counted, names) if key is None or value is None else _long(counted, names, key, value)


def _bare(name: str) -> str:
    """A column's name without the run's before it; empty for the least and the largest of a bin."""
    return "" if name.endswith(("__MIN", "__MAX")) else name.rpartition(" - ")[2].strip()


def _counted(
    rows: Any, width: int, semicolons: bool, place: Callable[[], int], read: Callable[[int], None]
) -> Iterator[Row | Cut]:
    """The rows with their line numbers, and those of another width as cut; between semicolons a comma is a decimal point."""
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Cut(rows.line_num, str(error))
            continue
        if rows.line_num % 4096 == 0:
            read(place())
        if len(row) == width:
            yield rows.line_num, [_COMMA.sub(r"\1.\2", field) for field in row] if semicolons else row
        elif row:
            yield Cut(rows.line_num, f"{len(row)} fields where the header has {width}")


def _wide(rows: Iterable[Row | Cut], names: list[str]) -> Iterator[Entry | Cut]:
    """A column a quantity."""
    for row in rows:
        if isinstance(row, Cut):
            yield row
        else:
            yield from split(row[0], zip(names, row[1], strict=True))


def _long(rows: Iterable[Row | Cut], names: list[str], key: int, value: int) -> Iterator[Entry | Cut]:
    """A row a value: those of a step together, numbered by the first."""
    at, gathered = step_of(names), Gathered()
    for row in rows:
        if isinstance(row, Cut):
            yield row
        else:
            number, fields = row
            yield from gathered.add(number, "" if at is None else fields[at], fields[key], fields[value])
    yield from gathered.rest()


def parquet(path: Path, read: Callable[[int], None]) -> Iterator[Entry | Cut]:
    """The rows of a Parquet file, of the columns that are looked at alone."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra, for this form alone
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise NotALog(f"{path}: Parquet is read by pyarrow: pip install 'dpo-conformance[audit]'") from error
    try:
        with pq.ParquetFile(path) as file:
            wanted = [name for name in file.schema_arrow.names if word(name) is not None]
            number = 0
            for batch in file.iter_batches(ROWS, columns=wanted):
                columns = {name: column.to_pylist() for name, column in zip(wanted, batch.columns, strict=True)}
                for row in range(batch.num_rows):
                    number += 1
                    yield from split(number, ((name, column[row]) for name, column in columns.items()))
                read(int(path.stat().st_size * number / max(file.metadata.num_rows, 1)))
    except (pa.ArrowException, OSError) as error:
        raise NotALog(f"{path}: not read as Parquet: {str(error)[:200]}") from error


def tensorboard(path: Path, read: Callable[[int], None]) -> Iterator[Entry | Cut]:
    """The scalars of an event file, those of a step together; the number is the step's place in the file."""
    try:
        from tensorboard.backend.event_processing import event_file_loader  # noqa: PLC0415 - an extra
        from tensorboard.util import tensor_util  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise NotALog(f"{path}: event files are read by tensorboard: pip install 'dpo-conformance[audit]'") from error
    number, step, row, count = 0, None, dict[str, str](), 0
    for count, event in enumerate(event_file_loader.LegacyEventFileLoader(str(path)).Load(), 1):
        if count % 4096 == 0:
            read(0)
        for value in event.summary.value:
            if event.step != step and row:
                number += 1
                yield from split(number, [("step", step), *row.items()])
                row = {}
            step = event.step
            made = np.ravel(tensor_util.make_ndarray(value.tensor) if value.HasField("tensor") else value.simple_value)
            if made.size == 1 and made.dtype.kind == "f":
                row[value.tag] = repr(float(made[0]))
    if row:
        number += 1
        yield from split(number, [("step", step), *row.items()])
    if count != _framed(path):
        yield Cut(number + 1, "a record that is damaged or cut off; nothing after it was read")


def _framed(path: Path) -> int:
    """How many records an event file holds by their lengths, and one more where the last does not end."""
    count, place, size = 0, 0, path.stat().st_size
    with path.open("rb") as file:
        while place < size:
            file.seek(place)
            head = file.read(12)
            place += 16 + int.from_bytes(head[:8], "little")
            count += 1
    return count + (place != size)
