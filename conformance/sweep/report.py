"""The report of a sweep: pure data, to and from JSON. `created` and `seconds` are its only time fields."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from conformance.files import write_whole
from conformance.records.document import read_json
from conformance.records.grades import grade
from conformance.records.record import Verdict, plain, validate
from conformance.sweep.found import EDGES, Found, Point
from conformance.sweep.identity import Subject
from conformance.sweep.plan import BINS, Plan, logit
from conformance.sweep.quantities import QUANTITIES, Quantity
from conformance.sweep.shard import Failure
from oracle import Format
from oracle.bounds import KERNEL_SHOULD, kernel_must
from oracle.ulp import ulp_error

SCHEMA_VERSION = 1
BEND = (-10, 10)
"""|z| in [2**-10, 2**10) is where the kernel bends, and the worst error is told on a finer grid."""


@dataclass(frozen=True, slots=True)
class Bad:
    """One of the worst inputs: z, got and the correctly rounded value hexadecimal, exact to 20 digits, ulp rounded up."""

    z: str
    got: str
    exact: str
    rounded: str
    ulp: float


@dataclass(frozen=True, slots=True)
class Bin:
    """How many errors lie in (above, upto] ulps; the first bin holds 0, too, and the last only infinite ones."""

    above: float
    upto: float
    count: int


@dataclass(frozen=True, slots=True)
class Peak:
    """The worst error in ulps, rounded up, of a bin of consecutive logits; `nearest` is the one nearest to 0, hexadecimal."""

    nearest: str
    ulp: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found of one quantity.

    verdict: against the MUST of the kernel; should: against its SHOULD. wrong: not correctly rounded. flushed: 0 where
    the exact value is subnormal, accepted by both, and left out of the histogram. escalated: numbers that the float64
    tier left to double-double, and those that it left to the oracle. worst: the ten worst, the worst first.
    """

    quantity: str
    verdict: Verdict
    should: Verdict
    grade: str
    judged: int
    over_must: int
    over_should: int
    wrong: int
    flushed: int
    not_finite: int
    escalated: tuple[int, int]
    histogram: tuple[Bin, ...]
    worst: tuple[Bad, ...]
    peaks: tuple[Peak, ...]

    @property
    def ulp(self) -> float:
        """The worst error."""
        return self.worst[0].ulp if self.worst else 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """What a sweep of one implementation in one format came to.

    low, high: the range, hexadecimal, both included; numbers: the logits in it. failures: what ended the sweep before
    all of them were judged.
    """

    suite: Mapping[str, str]
    implementation: str
    source: str
    code: str
    claims: Mapping[str, Any]
    environment: Mapping[str, str]
    format: str
    low: str
    high: str
    numbers: int
    judged: int
    must: float
    should: float
    verdict: Verdict
    judgements: tuple[Judgement, ...]
    failures: tuple[Failure, ...]
    created: str = ""
    seconds: float = 0.0
    schema: int = SCHEMA_VERSION

    @property
    def conforms(self) -> bool:
        """True where every logit was judged and none violates a MUST."""
        return self.verdict is Verdict.CONFORMS

    def to_json(self) -> str:
        """As JSON text, validated against its schema; an infinite number is the string "inf". Raises BadRecord."""
        data = plain(self)
        validate(data, "the report to be written", schema())
        return json.dumps(data, indent=1, sort_keys=True) + "\n"

    def write(self, path: Path) -> None:
        """Write it as JSON, whole or not at all. Raises OSError."""
        write_whole(path, self.to_json())


def report(who: Subject, planned: Plan, found: list[Found], failures: list[Failure], seconds: float) -> Report:
    """The report, with the worst inputs worked out exactly."""
    fmt = planned.fmt
    flush = who.claims["subnormals"] == "flush"
    judgements = tuple(_judgement(quantity, one, planned, flush) for quantity, one in zip(QUANTITIES, found, strict=False))
    right = not failures and all(judgement.verdict is Verdict.CONFORMS for judgement in judgements)
    return Report(
        suite={"name": "dpo-conformance", "version": who.suite},
        implementation=who.implementation,
        source=who.source,
        code=who.code,
        claims=who.claims,
        environment=who.environment,
        format=fmt.name,
        low=planned.low.hex(),
        high=planned.high.hex(),
        numbers=planned.numbers,
        judged=found[0].judged if found else 0,
        must=kernel_must(fmt),
        should=KERNEL_SHOULD,
        verdict=Verdict.CONFORMS if right else Verdict.VIOLATES,
        judgements=judgements,
        failures=tuple(sorted(failures, key=lambda failure: (failure.first, failure.kind))),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(seconds, 3),
    )


def _judgement(quantity: Quantity, found: Found, planned: Plan, flush: bool) -> Judgement:
    fmt = planned.fmt
    worst = sorted((_bad(quantity, point, fmt, flush) for point in found.worst), key=lambda pair: pair[0])
    largest = found.worst[0].error if found.worst else 0.0
    return Judgement(
        quantity=quantity.name,
        verdict=Verdict.VIOLATES if found.over_must else Verdict.CONFORMS,
        should=Verdict.VIOLATES if found.over_should else Verdict.CONFORMS,
        grade=grade(largest, found.wrong - found.flushed, not found.over_must),
        judged=found.judged,
        over_must=found.over_must,
        over_should=found.over_should,
        wrong=found.wrong,
        flushed=found.flushed,
        not_finite=found.not_finite,
        escalated=found.escalated,
        histogram=tuple(map(Bin, (0.0, *EDGES), (*EDGES, math.inf), found.histogram)),
        worst=tuple(bad for _, bad in worst),
        peaks=tuple(_peaks(found, planned)),
    )


def _bad(quantity: Quantity, point: Point, fmt: Format, flush: bool) -> tuple[tuple[float, int, bool], Bad]:
    """The point worked out exactly, after its rank."""
    z = logit(fmt, point.negative, point.magnitude)
    exact = quantity.exact(z)
    ulp = ulp_error(point.got, exact, fmt) / quantity.unit(fmt, point.negative, point.magnitude, flush)
    bad = Bad(z.hex(), point.got.hex(), exact.digits(20), exact.round(fmt).hex(), ulp)
    return (-ulp, point.magnitude, point.negative), bad


def _peaks(found: Found, planned: Plan) -> Iterator[Peak]:
    """From the least z to the largest; a whole binade is one peak where the kernel does not bend, unless the range is short."""
    fmt, bits, firsts = planned.fmt, planned.bin_bits, {side.negative: side.first for side in planned.sides()}
    low, high = (int(fmt.ordinals(2.0**k)) for k in BEND)
    peaks: dict[tuple[bool, int], float] = {}
    for key, error in found.peaks.items():
        magnitude = (~key if key < 0 else key) << bits
        if len(found.peaks) > 2 * BINS + 2 and not low <= magnitude < high:
            magnitude = magnitude >> (fmt.precision - 1) << (fmt.precision - 1)
        place = key < 0, max(magnitude, firsts[key < 0])
        peaks[place] = max(error, peaks.get(place, 0.0))
    places = sorted(peaks, key=lambda place: (not place[0], -place[1] if place[0] else place[1]))
    sizes = fmt.from_ordinals(np.array([magnitude for _, magnitude in places], np.int64)).tolist()
    for place, size in zip(places, sizes, strict=True):
        yield Peak((-size if place[0] else size).hex(), peaks[place])


def read(path: Path) -> Report:
    """The report in a file. Raises BadRecord, naming the place, and OSError."""
    data = read_json(path, "report of a sweep", "judgements", "dpo-conformance sweep --json")
    validate(data, str(path), schema())
    judgements = tuple(_judgement_from(one) for one in data["judgements"])
    failures = tuple(Failure(**one) for one in data["failures"])
    return Report(**{**data, "verdict": Verdict(data["verdict"]), "judgements": judgements, "failures": failures})


def _judgement_from(data: Mapping[str, Any]) -> Judgement:
    up, further = data["escalated"]
    return Judgement(
        **{
            **data,
            "verdict": Verdict(data["verdict"]),
            "should": Verdict(data["should"]),
            "escalated": (up, further),
            "histogram": tuple(Bin(b["above"], float(b["upto"]), b["count"]) for b in data["histogram"]),
            "worst": tuple(Bad(**{**bad, "ulp": float(bad["ulp"])}) for bad in data["worst"]),
            "peaks": tuple(Peak(peak["nearest"], float(peak["ulp"])) for peak in data["peaks"]),
        }
    )


@cache
def schema() -> dict[str, Any]:
    """The report's JSON Schema, as shipped in conformance/schema/."""
    text = resources.files("conformance").joinpath("schema/sweep.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
