"""The vectors of each loss: two batches that tell it apart, with exact answers, their roundings, and what is accepted."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from conformance.files import write_whole
from conformance.inputs.losses import LossBatch, common, mirrored
from conformance.vectorgen.document import text
from oracle import FORMATS, Format
from oracle.bounds import Acceptance, accepted_numbers, centre
from oracle.bounds.expression import Running, running
from oracle.expressions.nodes import Node, mean
from oracle.losses import LENGTHS, LOSSES, Loss
from oracle.losses._evaluate import evaluated, slope

FOLDER = Path(__file__).parents[1] / "vectors" / "losses"
DIGITS = 25


def document(loss: Loss) -> dict[str, Any]:
    """The loss's file as JSON's own types: what it is, what its flags mean, and its tests."""
    return {
        "loss": loss.name,
        "title": loss.title,
        "definition": str(loss.definition),
        "notes": {f"{loss.name}/{wrong.name}": wrong.sentence for wrong in loss.wrong},
        "tests": [_test(loss, about, batch) for about, batch in _batches(loss)],
    }


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
    analysis = _analysis(batch, FORMATS[2])
    caught = []
    for wrong in loss.wrong:
        variant = loss.variant(wrong)
        for right, other in zip(_asked(loss).values(), _asked(variant).values(), strict=False):
            if (analysis.acceptance(right).rho(centre(analysis.arrays.ball(other))) > 1).any():
                caught.append(variant.name)
                break
    return caught


def write(folder: Path = FOLDER) -> list[Path]:
    """Every loss's file, and no other file in the folder; the paths written. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.json"):
        if path.stem not in LOSSES:
            path.unlink()
    paths = []
    for loss in LOSSES.values():
        paths.append(folder / f"{loss.name}.json")
        write_whole(paths[-1], text(document(loss)))
    return paths


def stale(folder: Path = FOLDER) -> list[str]:
    """The losses whose file is missing or is not what would be written now."""
    found = []
    for loss in LOSSES.values():
        path = folder / f"{loss.name}.json"
        if not path.is_file() or json.loads(path.read_text(encoding="utf-8")) != json.loads(text(document(loss))):
            found.append(loss.name)
    return found
