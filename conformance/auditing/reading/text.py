"""Logs of one line each: JSON lines, a Python dict a line as the console shows it, and `name: value` pairs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from conformance.auditing.names import word
from conformance.auditing.reading.entry import Cut, Entry, split
from conformance.auditing.reading.gathering import NAME, VALUE, Gathered, place, record

LONGEST = 1 << 20
"""Bytes. A longer line is no line of a log."""
BOM = b"\xef\xbb\xbf"
BLOCK = 1 << 18
"""Bytes that are read at a time."""
DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
"""Numbers stay as they are printed: how many digits they have says how they were rounded."""

HISTORY = re.compile(r'"(?:log_history|history|logs|data|rows|metrics)"\s*:\s*\[')
"""Where the entries of a document begin, by the names that trainers and trackers give them."""
_DICT = re.compile(r"\{['\"][^{}]*\}")
_ITEM = re.compile(r"['\"]([^'\"]{1,200})['\"]\s*:\s*(?:[\w.]{1,40}\()?['\"]?([-+.\w]{1,400})")
_PAIR = re.compile(
    r"(?<![\w/.])([A-Za-z_][\w/.]{0,200})\s*[:=]\s*([-+]?(?:\d[\d.]{0,400}(?:[eE][-+]?\d{1,4})?|nan|inf)\b)", re.IGNORECASE
)
_SPACED = re.compile(
    r"(?<![\w/.])([A-Za-z_][\w/.]{0,200}(?: [A-Za-z_]\w{0,50})?) +([-+]?\d[\d.]{0,400}(?:[eE][-+]?\d{1,4})?|nan|inf)\b",
    re.IGNORECASE,
)
_COLOURS = re.compile(r"\x1b\[[0-9;?]{0,40}[A-Za-z]")
_STEP = re.compile(r"\b(?:step|iter|iteration)s?[ :=#]+(\d{1,18})\b", re.IGNORECASE)
_ARRAY = re.compile(r"\[\s*(?:[{\]]|$)")
_COLUMNS = re.compile(r"[,;\t|]")


def form(head: str) -> str:
    """array, document or lines (JSON), dicts (Python), table, or text."""
    start = head.lstrip()
    first = start.split("\n", 1)[0].strip()
    if _ARRAY.match(start):
        return "array"
    if start.startswith("{") and not start.startswith("{'"):
        if not first.endswith("}") or HISTORY.search(first):
            return "document"
        value = _decoded(first)
        return "document" if isinstance(value, Mapping) and _columns(value) else "lines"
    names = _COLUMNS.split(first)
    headed = len(names) > 1 and (any(word(_bare(name)) is not None for name in names) or _is_long(names))
    return "table" if headed and not (_DICT.search(first) or _PAIR.search(first)) else "text"


def _is_long(names: list[str]) -> bool:
    bare = [_bare(name) for name in names]
    return place(bare, NAME) is not None and place(bare, VALUE) is not None


def _bare(name: str) -> str:
    return name.strip('" \r').rpartition(" - ")[2]


def _columns(value: Mapping[str, Any]) -> bool:
    """Whether an object holds columns, each a list or an object by row."""
    return any(isinstance(item, list | Mapping) and word(name) is not None for name, item in value.items())


def entries(path: Path, read: Callable[[int], None], *, strict: bool) -> Iterator[Entry | Cut]:
    """An entry a line that has figures. strict: every line is to be JSON, and one that is not is cut."""
    gathered = Gathered()
    with path.open("rb") as file:
        for number, line in _lines(file, read):
            if isinstance(line, Cut):
                yield line
            elif strict or line.lstrip().startswith('{"'):
                yield from _json_line(number, line.strip(), gathered)
            else:
                yield from _console_line(number, line)
    yield from gathered.rest()


def _lines(file: IO[bytes], read: Callable[[int], None]) -> Iterator[tuple[int, str | Cut]]:
    """The lines with their numbers; where a progress bar has gone back to the start of a line, all that stood there."""
    number, done, blocks, rest = 1, 0, 0, b""
    while block := file.read(BLOCK):
        done, blocks = done + len(block), blocks + 1
        *whole, rest = (rest + block).splitlines(keepends=True) or [b""]
        if rest.endswith(b"\n"):
            whole, rest = [*whole, rest], b""
        for raw in whole:
            yield from _line(number, raw)
            number += raw.endswith(b"\n")
        if len(rest) >= LONGEST:
            yield number, Cut(number, f"longer than {LONGEST:,} bytes")
            done += _skipped(file)
            number, rest = number + 1, b""
        read(done)
    yield from _line(number, rest)


def _line(number: int, raw: bytes) -> Iterator[tuple[int, str]]:
    raw = raw.removeprefix(BOM) if number == 1 else raw
    if raw.strip():
        yield number, raw.decode("utf-8", errors="replace")


def _skipped(file: IO[bytes]) -> int:
    """Go to the end of the line that is too long; how many bytes that was."""
    skipped = 0
    while more := file.readline(LONGEST):
        skipped += len(more)
        if more.endswith(b"\n"):
            break
    return skipped


def _json_line(number: int, line: str, gathered: Gathered) -> Iterable[Entry | Cut]:
    value = _decoded(line)
    if isinstance(value, str):
        return [Cut(number, value)]
    if not isinstance(value, Mapping):
        return [Cut(number, "JSON, but no object of names and values")]
    return record(number, value, gathered)


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
    line = _COLOURS.sub("", line) if "\x1b" in line else line
    dicts = _DICT.findall(line)
    if dicts:
        return [entry for one in dicts for entry in split(number, _ITEM.findall(one))]
    if ("{'" in line or '{"' in line) and any(word(name) for name, _ in _ITEM.findall(line)):
        return [Cut(number, "a dict that is cut off")]
    pairs = _PAIR.findall(line)
    if not any(word(name) is not None for name, _ in pairs):
        pairs += _spaced(line)
    step = _STEP.search(line)
    return split(number, pairs if step is None else [*pairs, ("step", step[1])])


def _spaced(line: str) -> list[tuple[str, str]]:
    """Names and values with nothing but a space between them: `Iter 10: Train loss 0.693, margin 0.02`."""
    found = _SPACED.findall(line)
    return [(name if word(name) is not None else name.rpartition(" ")[2], value) for name, value in found]
