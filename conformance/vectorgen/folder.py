"""The folder of the files: made anew, compared with what is there, written whole or not at all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from conformance.vectorgen.chapters import CHAPTERS
from conformance.vectorgen.difference import differences
from conformance.vectorgen.document import document, text
from conformance.vectorgen.identity import IDS, retired, unpublished
from conformance.vectorgen.model import Chapter
from conformance.vectorgen.problems import BadVectors, Problem
from conformance.vectorgen.prose import lint

Progress = Callable[[str, int, int], None]
"""Called with a chapter's name, its number from 1, and how many there are."""


def shipped() -> Path:
    """The folder that comes with this package, `conformance/vectors`."""
    return Path(str(resources.files("conformance").joinpath("vectors")))


@cache
def schema() -> dict[str, Any]:
    """The files' JSON Schema, `conformance/schema/vectors.schema.json`."""
    loaded: dict[str, Any] = json.loads(
        resources.files("conformance").joinpath("schema/vectors.schema.json").read_text(encoding="utf-8")
    )
    return loaded


def generate(chapters: Sequence[Chapter] = CHAPTERS, progress: Progress = lambda *_: None) -> dict[str, str]:
    """The text of every file, by name. Raises BadVectors where the words, the shape or the ids are wrong."""
    problems = lint(chapters)
    files: dict[str, str] = {}
    ids: Counter[str] = Counter()
    for number, chapter in enumerate(chapters, 1):
        progress(chapter.name, number, len(chapters))
        made = document(chapter)
        files[f"{chapter.name}.json"] = text(made)
        problems += invalid(f"{chapter.name}.json", made)
        ids.update(test["id"] for test in made["tests"])
    problems += [Problem("", name, "", "two tests have these inputs, or this id") for name, n in ids.items() if n > 1]
    if problems:
        raise BadVectors(problems)
    return files


def invalid(file: str, data: Any) -> list[Problem]:
    """What the schema says against a file's content."""
    import jsonschema  # noqa: PLC0415 - slow to import

    problems = []
    for error in jsonschema.Draft202012Validator(schema()).iter_errors(data):
        best = jsonschema.exceptions.best_match([error])
        test, field = _place(data, list(best.absolute_path))
        problems.append(Problem(file, test, field, best.message[:300]))
    return problems


def _place(data: Any, path: list[str | int]) -> tuple[str, str]:
    """The id of the test that a path leads into, or its place in the file, and the field in it."""
    if path[:1] != ["tests"] or len(path) < 2:
        return "", ".".join(map(str, path))
    test = data["tests"][path[1]]
    name = test.get("id") if isinstance(test, dict) else None
    return str(name or f"tests.{path[1]}"), ".".join(map(str, path[2:]))


def check(folder: Path, chapters: Sequence[Chapter] = CHAPTERS, progress: Progress = lambda *_: None) -> list[Problem]:
    """Everything in which a folder differs from what is generated now, byte for byte; empty where nothing does.

    Raises BadVectors where nothing right can be generated, and OSError.
    """
    files = generate(chapters, progress)
    problems = [problem for name, made in files.items() for problem in _compared(folder / name, made)]
    unknown = sorted({path.name for path in folder.glob("*.json")} - set(files))
    problems += [Problem(name, "", "", "no chapter has this name") for name in unknown]
    if not (folder / IDS).is_file():
        return [*problems, Problem(IDS, "", "", "is missing")]
    return problems + unpublished(_ids(files), published(folder), retired(chapters))


def write(folder: Path, chapters: Sequence[Chapter] = CHAPTERS, progress: Progress = lambda *_: None) -> list[str]:
    """Write every file that changes, and the ids that are new; the names of the files that changed.

    All are written beside their places first, so that none is replaced unless all are there. Raises BadVectors, and
    then nothing is written, where the vectors are not right or an id vanished; and OSError.
    """
    files = generate(chapters, progress)
    ids = _ids(files)
    ever = {*published(folder), *ids} if (folder / IDS).is_file() else ids | retired(chapters)
    problems = unpublished(ids, ever, retired(chapters))
    if problems:
        raise BadVectors(problems)
    files[IDS] = "".join(f"{name}\n" for name in sorted(ever))
    changed = [name for name, made in files.items() if _read(folder / name) != made.encode()]
    stale = {path.name for path in folder.glob("*.json") if path.name not in files and _ours(path)}
    parts = {name: folder / f"{name}.part" for name in changed}
    try:
        for name, part in parts.items():
            part.write_bytes(files[name].encode())
        for name, part in parts.items():
            part.replace(folder / name)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    for name in stale:
        (folder / name).unlink()
    return sorted({*changed, *stale})


def published(folder: Path) -> list[str]:
    """Every id that a folder's list of ids has. Raises OSError."""
    return (folder / IDS).read_text(encoding="utf-8").split()


def _ids(files: dict[str, str]) -> set[str]:
    return {test["id"] for made in files.values() for test in json.loads(made)["tests"]}


def _ours(path: Path) -> bool:
    """True for a file of vectors; what else lies in the folder is somebody's."""
    try:
        data = json.loads(path.read_bytes())
    except ValueError:
        return False
    return isinstance(data, dict) and str(data.get("$schema", "")).endswith("vectors.schema.json")


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _compared(path: Path, made: str) -> Iterator[Problem]:
    """The differences of one file: field by field where both are valid JSON, else the first line that differs."""
    there = _read(path)
    if there is None:
        yield Problem(path.name, "", "", "is missing")
    elif there != made.encode():
        try:
            data = json.loads(there)
        except ValueError as error:
            yield Problem(path.name, "", "", f"is no JSON: {error}")
            return
        yield from invalid(path.name, data)
        found = list(differences(path.name, data, json.loads(made)))
        yield from found or [Problem(path.name, "", "", f"line {_first_line(there, made.encode())}: other spaces or spelling")]


def _first_line(there: bytes, made: bytes) -> int:
    """The number of the first line that differs."""
    pairs = zip(there.split(b"\n"), made.split(b"\n"), strict=False)
    return next((n for n, (x, y) in enumerate(pairs, 1) if x != y), min(there.count(b"\n"), made.count(b"\n")) + 1)
