"""The file of a chapter: its vectors and their answers as JSON, the same bytes on every machine."""

from __future__ import annotations

import json
import math
from typing import Any

from conformance.inputs.batch import NAMES
from conformance.vectorgen.answers import LOSS, Answer, Answers, answers, exact, mean_answers
from conformance.vectorgen.chapters import NOTES
from conformance.vectorgen.identity import hexadecimal, identity
from conformance.vectorgen.model import Chapter, Vector
from oracle import FORMATS, Format, binary64
from oracle.formats import Floats

VERSION = 1
"""Of the files' shape: conformance/schema/vectors.schema.json."""
DIGITS = 40
_WIDTH = 120


def document(chapter: Chapter) -> dict[str, Any]:
    """The chapter as JSON's own types."""
    used = {flag for vector in chapter.vectors for flag in vector.flags}
    return {
        "$schema": "../schema/vectors.schema.json",
        "version": VERSION,
        "chapter": chapter.name,
        "kind": chapter.kind,
        "about": chapter.about,
        "numberOfTests": len(chapter.vectors),
        "notes": {flag: note.plain() for flag, note in NOTES.items() if flag in used},
        "tests": _tests(chapter),
    }


def text(value: dict[str, Any]) -> str:
    """JSON, each value on one line where it fits."""
    return _text(value, 0) + "\n"


def _tests(chapter: Chapter) -> list[dict[str, Any]]:
    mean = chapter.kind == "mean"
    by_format: list[dict[str, Any]] = [{} for _ in chapter.vectors]
    for fmt in FORMATS:
        places = [i for i, vector in enumerate(chapter.vectors) if fmt in vector.formats]
        vectors = [chapter.vectors[i] for i in places]
        found = [mean_answers(v, fmt) for v in vectors] if mean else answers(vectors, fmt, chapter.bound)
        for i, vector, made in zip(places, vectors, found, strict=True):
            by_format[i][fmt.name] = _in_format(vector, made, fmt, mean=mean)
    return [_test(chapter, vector, formats, mean=mean) for vector, formats in zip(chapter.vectors, by_format, strict=True)]


def _test(chapter: Chapter, vector: Vector, formats: dict[str, Any], *, mean: bool) -> dict[str, Any]:
    batch = vector.batch
    inputs = {name: _inputs(values, mean=mean) for name, values in zip(NAMES, batch.logps, strict=True)}
    values = {
        name: _one_or_all([value.digits(DIGITS) for value in values], name, mean=mean)
        for name, values in exact(vector, mean=mean).items()
    }
    return {
        "id": identity(chapter, vector),
        "comment": vector.comment,
        "flags": sorted(vector.flags),
        "beta": _option(batch.beta),
        "label_smoothing": _option(batch.label_smoothing),
        "inputs": inputs,
        "exact": values,
        "formats": formats,
    }


def _option(value: float) -> dict[str, str]:
    """A binary64 in three spellings of the same number."""
    return {"decimal": repr(value), "hex": hexadecimal(value), "bits": bits(value, binary64)}


def _inputs(values: Floats, *, mean: bool) -> object:
    return [hexadecimal(float(x)) for x in values] if mean else hexadecimal(float(values[0]))


def _in_format(vector: Vector, made: Answers, fmt: Format, *, mean: bool) -> dict[str, Any]:
    """The inputs' bit patterns and the answers."""
    inputs = {
        name: _one_or_all([bits(float(x), fmt) for x in values], name, mean=mean)
        for name, values in zip(NAMES, vector.batch.logps, strict=True)
    }
    plain = {name: [_plain(answer, fmt) for answer in found] for name, found in made.items()}
    return {"inputs": inputs} | {name: _one_or_all(found, name, mean=mean) for name, found in plain.items()}


def _one_or_all(found: list[Any], name: str, *, mean: bool) -> Any:
    """A pair's one value; of a batch all of them, but the loss, of which there is one mean."""
    return found if mean and name != LOSS else found[0]


def _plain(answer: Answer, fmt: Format) -> dict[str, Any]:
    if math.isnan(answer.rounded):
        return {"nan": True}
    ends = {name: bits(getattr(answer, name), fmt) for name in ("rounded", "lowest", "highest")}
    return {**ends, "zero": answer.zero}


def bits(value: float, fmt: Format) -> str:
    """The bit pattern in hexadecimal, all digits written."""
    return f"0x{int(fmt.encode(value)):0{fmt.width // 4}x}"


def _text(value: Any, indent: int) -> str:
    line = json.dumps(value, ensure_ascii=False)
    if len(line) <= _WIDTH or not isinstance(value, dict | list):
        return line
    inner = " " * (indent + 1)
    if isinstance(value, list):
        rows = [inner + _text(item, indent + 1) for item in value]
        return "[\n" + ",\n".join(rows) + "\n" + " " * indent + "]"
    rows = [f"{inner}{json.dumps(key)}: {_text(item, indent + 1)}" for key, item in value.items()]
    return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
