"""Accepted violations: a file that says which, why, and until when."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from conformance.errors import ConformanceError
from conformance.files import read_text
from conformance.gate.changes import Change, Effect, Rule
from conformance.gate.pairing import Pair
from conformance.records.record import Finding, Verdict
from oracle import UnknownFormat, get_format

KEYS = ("implementation", "format", "clause", "reason", "expires")
COVERED = (Rule.MUST_VIOLATED, Rule.VIOLATIONS_GREW, Rule.GRADE_DROPPED, Rule.ERROR_GREW, Rule.SHOULD_VIOLATED)
"""What accepting a violation covers: a clause that is violated may also have more violations, a grade, a worst error."""


class BadAcceptance(ConformanceError):
    """The file of accepted violations is not TOML, or an entry lacks a key, has an unknown one, or stands twice."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One violation that is accepted, and why; through the day that it expires on, where it has one."""

    implementation: str
    format: str
    clause: str
    reason: str
    expires: date | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What it accepts."""
        return self.implementation, self.format, self.clause


def read_acceptances(path: Path) -> tuple[Acceptance, ...]:
    """The acceptances in a TOML file of `[[accept]]` tables; format and clause may be lists, for all combinations.

    Raises BadAcceptance, naming the entry, and OSError.
    """
    try:
        data = tomllib.loads(read_text(path))
    except ValueError as error:
        raise BadAcceptance(f"{path}: not TOML: {error}") from None
    entries = data.pop("accept", [])
    if data or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadAcceptance(f"{path}: [[accept]] tables, and nothing else")
    found: dict[tuple[str, str, str], Acceptance] = {}
    for number, entry in enumerate(entries, 1):
        where = f"{path}: [[accept]] number {number}"
        for acceptance in _entry(entry, where):
            if acceptance.key in found:
                raise BadAcceptance(f"{where}: {' '.join(acceptance.key)} stands twice")
            found[acceptance.key] = acceptance
    return tuple(found.values())


def _entry(entry: Mapping[str, Any], where: str) -> Iterator[Acceptance]:
    unknown = sorted(set(entry) - set(KEYS))
    if unknown:
        raise BadAcceptance(f"{where}: unknown key {unknown[0]!r}: one of {', '.join(KEYS)}")
    for key in KEYS[:4]:
        given = entry.get(key)
        values = given if isinstance(given, list) and key in {"format", "clause"} and given else [given]
        for value in values:
            if value is None:
                raise BadAcceptance(f"{where}: {key} is missing: a text")
            if not isinstance(value, str) or not value.strip():
                raise BadAcceptance(f"{where}: {key} = {value!r}: a text that is not empty")
    expires = entry.get("expires")
    try:
        expires = date.fromisoformat(expires) if isinstance(expires, str) else expires
    except ValueError:
        expires = entry["expires"]
    if expires is not None and type(expires) is not date:
        raise BadAcceptance(f"{where}: expires = {expires!r}: a date, as 2030-12-31")
    for name in _several(entry["format"]):
        try:
            fmt = get_format(name).name
        except UnknownFormat as error:
            raise BadAcceptance(f"{where}: {error}") from None
        for clause in _several(entry["clause"]):
            yield Acceptance(entry["implementation"], fmt, clause.upper(), entry["reason"], expires)


def _several(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def apply(acceptances: tuple[Acceptance, ...], changes: list[Change], pairs: list[Pair], today: date) -> Iterator[Change]:
    """The changes with what is accepted marked so, and a failure for each acceptance that is not in order."""
    seen = {
        (pair.implementation, pair.format, finding.clause): finding
        for pair in pairs
        if pair.now is not None
        for finding in pair.now.findings
    }
    valid = {a.key: a for a in acceptances if a.expires is None or today <= a.expires}
    for change in changes:
        acceptance = valid.get((change.implementation, change.format, change.clause))
        violated = change.now is not None and change.now.verdict is Verdict.VIOLATES
        covered = change.rule in COVERED and change.effect in {Effect.FAILS, Effect.WARNS} and violated
        if acceptance is None or not covered:
            yield change
        else:
            yield replace(change, effect=Effect.ACCEPTED, text=f"{change.text}; accepted: {acceptance.reason}")
    for acceptance in acceptances:
        yield from _disorder(acceptance, seen.get(acceptance.key), today)


def _disorder(acceptance: Acceptance, finding: Finding | None, today: date) -> Iterator[Change]:
    """What is wrong with an acceptance: at most one thing."""
    if finding is None or finding.verdict in {Verdict.NOT_RUN, Verdict.NOT_CLAIMED}:
        state = "is not in the record" if finding is None else f"is {finding.verdict}"
        rule, text = Rule.ACCEPTANCE_UNMATCHED, f"it {state}"
    elif finding.verdict is Verdict.CONFORMS:
        rule, text = Rule.ACCEPTANCE_STALE, "it conforms: remove the acceptance"
    elif acceptance.expires is not None and today > acceptance.expires:
        rule, text = Rule.ACCEPTANCE_EXPIRED, f"it expired on {acceptance.expires}"
    else:
        return
    text = f"{text}; it was accepted: {acceptance.reason}"
    yield Change(rule, Effect.FAILS, acceptance.implementation, acceptance.format, text, acceptance.clause, now=finding)
