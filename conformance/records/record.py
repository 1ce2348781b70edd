"""The record of a judgement: what was run, on what, and what was found. Pure data, to and from JSON."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from conformance.files import write_whole
from conformance.records.diagnosis import Diagnosis, diagnosis_from
from conformance.records.digests import digests, edited
from conformance.records.document import BadRecord, read_json
from conformance.records.folded import Folded, folded

SCHEMA_VERSION = 2


class Level(StrEnum):
    """RFC 2119: a violated MUST fails the run, a violated SHOULD is reported."""

    MUST = "MUST"
    SHOULD = "SHOULD"


class Verdict(StrEnum):
    """What a clause, or a whole run, comes to."""

    CONFORMS = "conforms"
    VIOLATES = "violates"
    NOT_CLAIMED = "not claimed"
    NOT_RUN = "not run"

    @property
    def judged(self) -> bool:
        """True where it says of the implementation whether it is right: neither not claimed nor not run."""
        return self in {Verdict.CONFORMS, Verdict.VIOLATES}


@dataclass(frozen=True, slots=True)
class Worst:
    """The worst input that a check saw, with what was returned there and what is exact.

    inputs: the four logps by name, one pair's or a whole batch's where a mean is judged (in a file `folded`); beta,
    label_smoothing, got: all hexadecimal floats. exact: decimal, 20 digits; rounded: the correctly rounded value,
    hexadecimal. ulp: the error in ulps, rounded up. rho: the error over what the bound allows, above 1 where it violates.
    parameters: of a loss that is named, all its parameters, hexadecimal; inputs are then those that it takes.
    """

    quantity: str
    inputs: Mapping[str, tuple[str, ...]]
    beta: str
    label_smoothing: str
    got: str
    exact: str
    rounded: str
    ulp: float
    rho: float
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def options(self) -> Mapping[str, str]:
        """The options by name: a named loss's own parameters, else beta and label_smoothing."""
        return self.parameters or {"beta": self.beta, "label_smoothing": self.label_smoothing}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one clause's check saw of one implementation in one format."""

    clause: str
    level: Level
    verdict: Verdict
    points: int = 0
    violations: int = 0
    worst: Worst | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    grade: str | None = None
    note: str = ""

    @property
    def share(self) -> str:
        """How many of how many numbers violate, in words."""
        return f"{self.violations:,} of {self.points:,} numbers"


@dataclass(frozen=True, slots=True)
class Run:
    """One implementation in one format under one profile; diagnosis: why it violates, where that was looked into."""

    implementation: str
    source: str
    format: str
    profile: str
    verdict: Verdict
    reason: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0
    diagnosis: Diagnosis | None = None

    @property
    def judged(self) -> bool:
        """True where a clause was judged: neither not claimed nor not run."""
        return self.verdict.judged

    @property
    def violated(self) -> tuple[Finding, ...]:
        """The findings that violate a MUST."""
        return tuple(f for f in self.findings if f.verdict is Verdict.VIOLATES and f.level is Level.MUST)

    @property
    def worst(self) -> Worst | None:
        """The worst point of the run: of the largest rho under a MUST, the first among equals."""
        seen = [f.worst for f in self.findings if f.worst is not None and f.level is Level.MUST]
        return max(seen, key=lambda worst: worst.rho, default=None)


@dataclass(frozen=True, slots=True)
class Record:
    """Runs made together: by which suite, where, from which seed. `created` and `seconds` are its only time fields.

    stamp: what names the judgement, as its caller gave it. incomplete: why not all was judged that was asked for, where
    it was not; such a record is no answer, and nothing is compared with it.
    """

    suite: Mapping[str, str]
    environment: Mapping[str, str]
    seed: int
    runs: tuple[Run, ...]
    created: str = ""
    schema: int = SCHEMA_VERSION
    stamp: str = ""
    incomplete: str = ""

    @property
    def conforms(self) -> bool:
        """True where no run violates a MUST; what was not run does not count."""
        return all(run.verdict is not Verdict.VIOLATES for run in self.runs)

    @property
    def unjudged(self) -> tuple[str, ...]:
        """The implementations that were judged in no format at all: that is never a pass."""
        judged = {(run.implementation, run.source) for run in self.runs if run.judged}
        return tuple(sorted({name for name, source in {(r.implementation, r.source) for r in self.runs} - judged}))

    @property
    def shared_names(self) -> frozenset[str]:
        """The names under which implementations of several sources were judged: alone they name nothing."""
        named = Counter(name for name, _ in {(run.implementation, run.source) for run in self.runs})
        return frozenset(name for name, count in named.items() if count > 1)

    def plain(self) -> dict[str, Any]:
        """The record as JSON's own types, without its digests; a stamp and what makes it incomplete where there is one."""
        data: dict[str, Any] = plain(self)
        return {key: value for key, value in data.items() if value != "" or key not in {"stamp", "incomplete"}}

    def to_json(self) -> str:
        """The record as JSON text with its digests, validated; an infinite number is the string "inf"."""
        data = self.plain()
        data["digests"] = digests(data)  # of every pair, however they are written
        for finding in (finding for run in data["runs"] for finding in run["findings"] if finding["worst"]):
            finding["worst"] |= folded(finding["worst"]["inputs"]).plain()
        validate(data, "the record to be written", schema())
        return json.dumps(data, indent=1, sort_keys=True) + "\n"

    def write(self, path: Path) -> None:
        """Write it as JSON, whole or not at all. Raises OSError."""
        write_whole(path, self.to_json())


def read(path: Path) -> Record:
    """The record in a file. Raises BadRecord, naming the place, and OSError."""
    data = read_json(path, "record", "runs", "dpo-conformance run --json")
    _check_version(data, path)
    validate(data, str(path), schema())
    runs = tuple(run_from(run) for run in data["runs"])
    record = Record(**{key: value for key, value in data.items() if key not in {"runs", "digests"}}, runs=runs)
    # of what was read, not of the file's own spelling: a formatter may write 1.0 as 1
    place = edited({**record.plain(), "digests": data["digests"]})
    if place is not None:
        raise BadRecord(f"{path}: at {place}: edited since it was written; judge again")
    return record


def _check_version(data: object, path: Path) -> None:
    """Raises BadRecord for a schema that this suite does not read, before it complains of what the schema changed."""
    version = data.get("schema") if isinstance(data, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version == SCHEMA_VERSION:
        return
    if version > SCHEMA_VERSION:
        raise BadRecord(f"{path}: schema {version} is newer than this suite's {SCHEMA_VERSION}; update dpo-conformance")
    if version > 0:
        raise BadRecord(f"{path}: schema {version} is older than this suite's {SCHEMA_VERSION}; judge again")


@cache
def schema() -> dict[str, Any]:
    """The record's JSON Schema, as shipped in conformance/schema/."""
    text = resources.files("conformance").joinpath("schema/record.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def validate(data: object, where: str, schema: Mapping[str, Any]) -> None:
    """Raises BadRecord, naming the place, unless the data are valid under the JSON Schema."""
    import jsonschema  # noqa: PLC0415 - slow to import, and needed only where a record is read or written

    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(data))
    if error is not None:
        place = "/".join(str(part) for part in error.absolute_path) or "the top"
        raise BadRecord(f"{where}: at {place}: {error.message[:300]}")


_LEFT_OUT = frozenset({"parameters", "diagnosis"})
"""Fields that are written only where they hold something: records from before they were read the same."""


def plain(value: Any) -> Any:
    """Dataclasses, enums and mappings as JSON's own types; an infinity or NaN as its name."""
    if hasattr(value, "__dataclass_fields__"):
        fields = {name: getattr(value, name) for name in value.__dataclass_fields__}
        return {name: plain(item) for name, item in fields.items() if item or name not in _LEFT_OUT}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return str(value) if isinstance(value, StrEnum) else value


def run_from(data: Mapping[str, Any]) -> Run:
    """The run that JSON's own types describe."""
    findings = tuple(finding_from(finding) for finding in data["findings"])
    diagnosis = data.get("diagnosis")
    told = None if diagnosis is None else diagnosis_from(diagnosis)
    return Run(**{**data, "verdict": Verdict(data["verdict"]), "findings": findings, "diagnosis": told})


def finding_from(data: Mapping[str, Any]) -> Finding:
    """The finding that JSON's own types describe."""
    worst = data["worst"]
    if worst is not None:
        rest = {name: item for name, item in worst.items() if name not in {"pairs", "times"}}
        inputs = Folded(worst["inputs"], worst.get("pairs", 0), tuple(worst.get("times", ()))).whole
        worst = Worst(**{**rest, "inputs": inputs, "ulp": float(worst["ulp"]), "rho": float(worst["rho"])})
    return Finding(**{**data, "level": Level(data["level"]), "verdict": Verdict(data["verdict"]), "worst": worst})
