"""The vectors of each loss: two batches that tell it apart, with exact answers, their roundings, and what is accepted."""

from __future__ import annotations

import json
from fractions import Fraction
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from conformance.files import write_whole
from conformance.inputs.losses import LossBatch, common, mirrored
from conformance.vectorgen.difference import fields
from conformance.vectorgen.document import text
from conformance.vectorgen.problems import BadVectors, Problem
from oracle import FORMATS, Format, binary32
from oracle.bounds import Acceptance, accepted_numbers, centre
from oracle.bounds.expression import Running, running
from oracle.expressions.nodes import Node, mean
from oracle.losses import LENGTHS, LOSSES, Loss
from oracle.losses._evaluate import evaluated, slope

FOLDER = Path(__file__).parents[1] / "vectors" / "losses"
VERSION = 1
"""Of the files' shape: conformance/schema/losses.schema.json."""
DIGITS = 25


def document(loss: Loss) -> dict[str, Any]:
    """The loss's file as JSON's own types: what it is, what its flags mean, and its tests."""
    tests = [_test(loss, about, batch) for about, batch in _batches(loss)]
    return {
        "$schema": "../../schema/losses.schema.json",
        "version": VERSION,
        "loss": loss.name,
        "title": loss.title,
        "definition": str(loss.definition),
        "notes": {f"{loss.name}/{wrong.name}": wrong.sentence for wrong in loss.wrong},
        "numberOfTests": len(tests),
        "tests": tests,
    }


@cache
def schema() -> dict[str, Any]:
    """The files' JSON Schema, `conformance/schema/losses.schema.json`."""
    path = resources.files("conformance").joinpath("schema/losses.schema.json")
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def invalid(file: str, data: Any) -> list[Problem]:
    """What the schema says against a file's content, and flags without a note."""
    import jsonschema  # noqa: PLC0415 - slow to import

    errors = [jsonschema.exceptions.best_match([e]) for e in jsonschema.Draft202012Validator(schema()).iter_errors(data)]
    problems = [Problem(file, "", ".".join(map(str, e.absolute_path)), e.message[:300]) for e in errors]
    if not problems:
        named = {flag for test in data["tests"] for flag in test["flags"]}
        problems = [
            Problem(file, "", "notes", f"{flag} is flagged and has no note") for flag in sorted(named - set(data["notes"]))
        ]
    return problems


def _batches(loss: Loss) -> list[tuple[str, LossBatch]]:
    return [
        ("six pairs, at parameters that show", common().at(**loss.telling)),
        ("policy and reference exchanged, at the defaults", mirrored(common()).at(**loss.defaults)),
    ]


def _test(loss: Loss, about: str, rows: LossBatch) -> dict[str, Any]:
    batch = rows.of(loss)
    nodes = _asked(loss)
    exact = {name: evaluated([node], loss, {**batch.rows, **batch.parameters})[0] for name, node in nodes.items()}
    return {
        "comment": about,
        "flags": _flags(loss, rows),
        "parameters": {name: {"decimal": repr(x), "hex": float(x).hex()} for name, x in batch.parameters.items()},
        "inputs": {name: [_input(name, x) for x in row.tolist()] for name, row in batch.rows.items()},
        "exact": {name: _digits(name, values) for name, values in exact.items()},
        "formats": {fmt.name: _in_format(loss, batch, fmt) for fmt in FORMATS},
    }


def _asked(loss: Loss) -> dict[str, Node]:
    """The mean, the losses where they belong to pairs, and the derivatives of the sum over the batch."""
    each = {} if loss.has_batch_state else {"losses": loss.definition}
    return {"mean": mean(loss.definition), **each, **{f"d/d {name}": slope(loss, name) for name in loss.logps}}


def _digits(name: str, values: Any) -> list[str]:
    return [x.digits(DIGITS) for x in _shown(name, np.ravel(np.asarray(values, dtype=object)))]


def _shown(name: str, values: Any) -> Any:
    return values[:1] if name == "mean" else values


def _input(name: str, x: float) -> int | str:
    return int(x) if name in LENGTHS else float(x).hex()


def _analysis(batch: LossBatch, fmt: Format) -> Running:
    return running(batch.rows, {name: Fraction(x) for name, x in batch.parameters.items()}, fmt)


def _in_format(loss: Loss, batch: LossBatch, fmt: Format) -> dict[str, Any]:
    analysis = _analysis(batch, fmt)
    return {name: _answers(name, analysis.acceptance(node), fmt) for name, node in _asked(loss).items()}


def _answers(name: str, acceptance: Acceptance, fmt: Format) -> list[dict[str, str]]:
    """The lowest and the highest number of the format that are accepted, hexadecimal."""
    lowest, highest = accepted_numbers(acceptance)
    rows = zip(_shown(name, lowest).tolist(), _shown(name, highest).tolist(), strict=True)
    return [{"lowest": float(low).hex(), "highest": float(high).hex()} for low, high in rows]


def _flags(loss: Loss, batch: LossBatch) -> list[str]:
    """The wrong variants whose exact numbers are not accepted in binary32: what the test catches."""
    analysis = _analysis(batch, binary32)
    caught = []
    for wrong in loss.wrong:
        variant = loss.variant(wrong)
        if any(
            (analysis.acceptance(right).rho(centre(analysis.arrays.ball(_same(variant, name)))) > 1).any()
            for name, right in _asked(loss).items()
        ):
            caught.append(variant.name)
    return caught


def _same(variant: Loss, name: str) -> Node:
    """The quantity of that name of another loss."""
    if name in {"mean", "losses"}:
        return mean(variant.definition) if name == "mean" else variant.definition
    return slope(variant, name.removeprefix("d/d "))


def write(folder: Path = FOLDER) -> list[Path]:
    """Every loss's file, and no other file in the folder; the paths written. Raises BadVectors, and then nothing is written,
    where what was made is not of the schema; and OSError.
    """
    files = {f"{loss.name}.json": document(loss) for loss in LOSSES.values()}
    problems = [problem for name, made in files.items() for problem in invalid(name, made)]
    if problems:
        raise BadVectors(problems)
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.json"):
        if path.stem not in LOSSES:
            path.unlink()
    for name, made in files.items():
        write_whole(folder / name, text(made))
    return [folder / name for name in files]


def check(folder: Path = FOLDER) -> list[Problem]:
    """Everything in which the folder differs from what would be written: field by field, and against the schema."""
    problems = []
    for loss in LOSSES.values():
        path = folder / f"{loss.name}.json"
        made = text(document(loss))
        if not path.is_file():
            problems.append(Problem(path.name, "", "", "is missing"))
        elif (there := path.read_text(encoding="utf-8")) != made:
            problems += _different(path.name, there, made)
    unknown = sorted({path.name for path in folder.glob("*.json")} - {f"{name}.json" for name in LOSSES})
    return problems + [Problem(name, "", "", "no loss has this name") for name in unknown]


def _different(file: str, there: str, made: str) -> list[Problem]:
    try:
        data = json.loads(there)
    except ValueError as error:
        return [Problem(file, "", "", f"is no JSON: {error}")]
    found = invalid(file, data) + [Problem(file, "", field, what) for field, what in fields(data, json.loads(made))]
    return found or [Problem(file, "", "", "other spaces or spelling")]
