"""Logs of one line each: JSON lines, a Python dict a line as the console shows it, and `name: value` pairs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from conformance.auditing.names import word
from conformance.auditing.reading.entry import Cut, Entry, split

LONGEST = 1 << 20
"""Bytes. A longer line is no line of a log."""
DEEPEST = 4
"""Mappings within mappings that are looked into."""
DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
"""Numbers stay as they are printed: how many digits they have says how they were rounded."""

_DICT = re.compile(r"\{['\"][^{}]*\}")
_ITEM = re.compile(r"['\"]([^'\"]{1,200})['\"]\s*:\s*(?:[\w.]{1,40}\()?['\"]?([-+.\w]{1,400})")
_PAIR = re.compile(r"([A-Za-z_][\w/.]{0,200})\s*[:=]\s*([-+]?(?:\d[\d.]{0,400}(?:[eE][-+]?\d{1,4})?|nan|inf)\b)", re.IGNORECASE)
_COLUMNS = re.compile(r"[,;\t]")


def form(head: str) -> str:
    """array, document or lines (JSON), dicts (Python), table, or text."""
    start = head.lstrip()
    first = start.split("\n", 1)[0].strip()
    if start.startswith("["):
        return "array"
    if start.startswith("{") and not start.startswith("{'"):
        if not first.endswith("}") or '"log_history"' in first:
            return "document"
        value = _decoded(first)
        return "document" if isinstance(value, Mapping) and _columns(value) else "lines"
    names = _COLUMNS.split(first)
    headed = len(names) > 1 and any(word(_bare(name)) is not None for name in names)
    return "table" if headed and not (_DICT.search(first) or _PAIR.search(first)) else "text"


def _bare(name: str) -> str:
    return name.strip('" ').rpartition(" - ")[2]


def _columns(value: Mapping[str, Any]) -> bool:
    """Whether an object holds columns, each a list or an object by row."""
    return any(isinstance(item, list | Mapping) and word(name) is not None for name, item in value.items())


def entries(path: Path, read: Callable[[int], None], *, strict: bool) -> Iterator[Entry | Cut]:
    """An entry a line that has figures. strict: every line is to be JSON, and one that is not is cut."""
    with path.open("rb") as file:
        for number, line in _lines(file, read):
            if isinstance(line, Cut):
                yield line
            elif strict or line.lstrip().startswith('{"'):
                yield from _json_line(number, line.strip())
            else:
                yield from _console_line(number, line)


def _lines(file: IO[bytes], read: Callable[[int], None]) -> Iterator[tuple[int, str | Cut]]:
    number, done = 0, 0
    while raw := file.readline(LONGEST):
        number += 1
        done += len(raw)
        if number % 4096 == 0:
            read(done)
        if len(raw) == LONGEST and not raw.endswith(b"\n"):
            while (more := file.readline(LONGEST)) and not more.endswith(b"\n"):
                done += len(more)
            yield number, Cut(number, f"longer than {LONGEST:,} bytes")
        elif raw.strip():
            yield number, raw.decode("utf-8", errors="replace")
    read(done)


def _json_line(number: int, line: str) -> Iterable[Entry | Cut]:
    value = _decoded(line)
    if isinstance(value, str):
        return [Cut(number, value)]
    if not isinstance(value, Mapping):
        return [Cut(number, "JSON, but no object of names and values")]
    return split(number, flat(value))


def _decoded(line: str) -> Any:
    """The value of a JSON text, or why it has none."""
    try:
        value, end = DECODER.raw_decode(line)
    except RecursionError:
        return "JSON that is nested too deeply"
    except ValueError as error:
        return f"not JSON: {error}"
    return value if not line[end:].strip() and not isinstance(value, str) else "not JSON: text follows the value"


def _console_line(number: int, line: str) -> Iterable[Entry | Cut]:
    """Every dict in the line (a progress bar may stand before it), or its pairs."""
    found: list[Entry | Cut] = []
    for match in _DICT.finditer(line):
        found += split(number, _ITEM.findall(match[0]))
    if found:
        return found
    if ("{'" in line or '{"' in line) and any(word(name) for name, _ in _ITEM.findall(line)):
        return [Cut(number, "a dict that is cut off")]
    return split(number, _PAIR.findall(line))


def flat(value: Mapping[str, Any], depth: int = 0) -> Iterable[tuple[str, object]]:
    """Names and values; those of a mapping within by their own name, or with its name before it."""
    if not any(isinstance(item, dict) for item in value.values()):
        return value.items()
    found: list[tuple[str, object]] = []
    for name, item in value.items():
        if not isinstance(item, dict):
            found.append((name, item))
        elif depth < DEEPEST:
            inner = flat(item, depth + 1)
            found += (((part if word(f"{name}/{part}") is None else f"{name}/{part}"), thing) for part, thing in inner)
    return found
