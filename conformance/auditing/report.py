"""What an audit found: a verdict a line, the inequality of each impossible one, and what explains them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from conformance.records.document import read_json
from conformance.records.environment import suite
from conformance.records.record import plain, validate

SCHEMA_VERSION = 1
SHOWN = 1000
"""Findings that are kept one by one; the counts are of all."""


@dataclass(frozen=True, slots=True)
class Impossible:
    """One line, or one pair, that cannot be: which inequality, its two sides, and by how much they miss."""

    check: str
    line: int
    phase: str
    step: float | None
    left: float
    right: float

    @property
    def by(self) -> float:
        """How far the two sides are apart, with every rounding on the log's side."""
        return abs(self.left - self.right)


@dataclass(frozen=True, slots=True)
class Checked:
    """One check over a whole file: how many lines it could be asked of, and how many are impossible by it."""

    id: str
    statement: str
    inequality: str
    asked: int
    impossible: int
    premise: str = ""
    undecided: int = 0
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something seen that proves nothing by itself."""

    kind: str
    text: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """What the run would have to be for every line to be possible."""

    text: str
    lines: int


@dataclass(frozen=True, slots=True)
class Point:
    """One line in the plot."""

    line: int
    step: float | None
    margin: float
    loss: float
    impossible: bool


@dataclass(frozen=True, slots=True)
class FileReport:
    """The audit of one file."""

    file: str
    form: str
    settings: Mapping[str, str]
    lines: int
    consistent: int
    impossible: int
    undecided: int
    cut: int
    cuts: tuple[tuple[int, str], ...]
    checks: tuple[Checked, ...]
    findings: tuple[Impossible, ...]
    causes: tuple[Cause, ...]
    notices: tuple[Notice, ...]
    points: tuple[Point, ...] = ()
    columns: tuple[str, ...] = ()
    format: str = ""
    unit: str = "line"

    @property
    def too_little(self) -> bool:
        """True where no check could be asked of any line."""
        return self.lines == 0 or all(check.asked == 0 for check in self.checks)


@dataclass(frozen=True, slots=True)
class Report:
    """The audit of several files together."""

    files: tuple[FileReport, ...]

    @property
    def impossible(self) -> int:
        """How many lines or pairs are impossible, over all files."""
        return sum(file.impossible for file in self.files)

    @property
    def status(self) -> int:
        """1 where something is impossible; 2 where a file held too little to check; else 0."""
        if self.impossible:
            return 1
        return 2 if any(file.too_little for file in self.files) else 0

    def to_json(self) -> str:
        """The report as JSON text, validated against its schema; an infinite number is the string "inf"."""
        data = {"schema": SCHEMA_VERSION, "suite": suite(), **plain(self)}
        for file, said in zip(data["files"], self.files, strict=True):
            for finding, found in zip(file["findings"], said.findings, strict=True):
                finding["by"] = found.by if math.isfinite(found.by) else str(found.by)
        validate(data, "the audit to be written", schema())
        return json.dumps(data, indent=1) + "\n"


def read(path: Path) -> Report:
    """The report in a file that `to_json` wrote. Raises BadRecord, naming the place, and OSError."""
    data = read_json(path, "report of an audit", "files", "dpo-conformance audit --json")
    validate(data, str(path), schema())
    return Report(tuple(_file_from(one) for one in data["files"]))


def _file_from(data: Mapping[str, Any]) -> FileReport:
    findings = [{name: value for name, value in one.items() if name != "by"} for one in data["findings"]]
    return FileReport(
        **{
            **data,
            "cuts": tuple((number, reason) for number, reason in data["cuts"]),
            "checks": tuple(Checked(**one) for one in data["checks"]),
            "findings": tuple(
                Impossible(**{**one, "left": float(one["left"]), "right": float(one["right"])}) for one in findings
            ),
            "causes": tuple(Cause(**one) for one in data["causes"]),
            "notices": tuple(Notice(**one) for one in data["notices"]),
            "points": tuple(Point(**one) for one in data["points"]),
            "columns": tuple(data["columns"]),
        }
    )


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of a report."""
    text = resources.files("conformance").joinpath("schema/audit.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
