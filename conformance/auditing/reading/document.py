"""JSON documents: a trainer's state with its log_history, an array of entries, or columns; read an entry at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import IO, Any

from conformance.auditing.names import word
from conformance.auditing.reading.entry import Cut, Entry, NotALog, split
from conformance.auditing.reading.gathering import Gathered, flat, record
from conformance.auditing.reading.text import DECODER, HISTORY, LONGEST

_BLANK = re.compile(r"[\s,]*")
LARGEST_COLUMNS = 1 << 28
"""Bytes of a document of columns, which has to be read whole."""


def entries(path: Path, read: Callable[[int], None]) -> Iterator[Entry | Cut]:
    """The entries of a document. Raises NotALog where it has none, and where it is cut off before the first."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        buffer = file.read(LONGEST)
        start = _array(buffer)
        if start is not None:
            yield from _items(file, buffer[start:], read)
            return
    yield from _columns(path)


def _array(text: str) -> int | None:
    """Where the entries begin: at the array itself, or at the one under a name that trackers use."""
    stripped = len(text) - len(text.lstrip())
    if text[stripped : stripped + 1] == "[":
        return stripped + 1
    found = HISTORY.search(text)
    return None if found is None else found.end()


def _items(file: IO[str], buffer: str, read: Callable[[int], None]) -> Iterator[Entry | Cut]:
    """One value after the other, from a buffer that is refilled as it is used up."""
    number, place, done, gathered = 0, 0, len(buffer), Gathered()
    while True:
        blank = _BLANK.match(buffer, place)
        place = blank.end() if blank else place
        if len(buffer) - place < LONGEST // 2:
            more = file.read(LONGEST)
            done += len(more)
            read(done)
            buffer, place = buffer[place:] + more, 0
            if not buffer:
                yield from gathered.rest()
                yield Cut(number + 1, "the document ends before its array does")
                return
        if buffer[place] == "]":
            yield from gathered.rest()
            return
        number += 1
        try:
            value, place = DECODER.raw_decode(buffer, place)
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else f"not JSON, or cut off: {error}"
            yield from gathered.rest()
            yield Cut(number, f"{reason}; nothing after it was read")
            return
        if isinstance(value, Mapping):
            yield from record(number, value, gathered)


def _columns(path: Path) -> Iterator[Entry | Cut]:
    """One object of lists, or of objects by row, or of figures."""
    if path.stat().st_size > LARGEST_COLUMNS:
        raise NotALog(f"{path}: JSON of more than {LARGEST_COLUMNS:,} bytes that is no array of entries")
    try:
        value: Any = DECODER.decode(path.read_text(encoding="utf-8-sig", errors="replace"))
    except RecursionError:
        raise NotALog(f"{path}: JSON that is nested too deeply") from None
    except ValueError as error:
        raise NotALog(f"{path}: neither entries nor columns: {error}") from None
    if not isinstance(value, Mapping):
        raise NotALog(f"{path}: JSON without names and values")
    columns = {name: _column(item) for name, item in value.items() if word(name) is not None}
    listed = {name: items for name, items in columns.items() if items is not None}
    if not listed:
        yield from split(1, flat(value))
        return
    for number, row in enumerate(zip_longest(*listed.values()), 1):
        yield from split(number, zip(listed, row, strict=True))


def _column(item: object) -> list[object] | None:
    if isinstance(item, list):
        return item
    return list(item.values()) if isinstance(item, Mapping) else None
