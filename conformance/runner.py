"""Runs a profile: every clause of the suite on one implementation in one format, or a record of many."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from conformance.clauses import CLAUSES, Clause, Outcome
from conformance.clauses.trial import Trial
from conformance.environment import environment, suite
from conformance.errors import BadRequest, Misbehaviour
from conformance.implementations import Implementation, load
from conformance.profiles import Profile, get_profile
from conformance.record import Finding, Level, Record, Run, Verdict
from oracle import FORMATS, Format, UnknownFormat, get_format

Progress = Callable[[str, str, int, int], None]
"""Called before each clause with the implementation's name, the clause's id, its number and how many there are."""


def judge(
    *implementations: Implementation | str,
    dtypes: Iterable[str | Format] | None = None,
    profile: str = "quick",
    seed: int = 0,
    clauses: Iterable[Clause] = CLAUSES,
    progress: Progress | None = None,
) -> Record:
    """The record of judging each implementation (an object, or a name that `load` takes) in each format.

    Without dtypes, in every format. Raises BadRequest for a profile, format or seed that does not exist, and what
    `load` raises. What an implementation does wrong is a finding, never an exception.
    """
    chosen = get_profile(profile)
    if not 0 <= seed < 2**63:
        raise BadRequest(f"seed = {seed}: an integer from 0 to 2**63 - 1")
    formats = _formats(dtypes)
    clauses = tuple(clauses)
    if not implementations:
        raise BadRequest("no implementation to judge")
    loaded = [(item, load(item)) if isinstance(item, str) else ("", item) for item in implementations]
    steps = len(loaded) * len(formats) * len(clauses)
    runs: list[Run] = []
    for source, implementation in loaded:
        for fmt in formats:
            done = len(runs) * len(clauses)
            report = None if progress is None else _shifted(progress, done, steps)
            runs.append(run(implementation, fmt, chosen, seed, clauses, source=source, progress=report))
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Record(suite(), environment(), seed, tuple(runs), created)


def _formats(dtypes: Iterable[str | Format] | None) -> tuple[Format, ...]:
    try:
        formats = FORMATS if dtypes is None else tuple(dict.fromkeys(get_format(name) for name in dtypes))
    except UnknownFormat as error:
        raise BadRequest(str(error)) from None
    if not formats:
        raise BadRequest("no format to judge in")
    return formats


def _shifted(progress: Progress, done: int, steps: int) -> Progress:
    return lambda name, clause, number, _: progress(name, clause, done + number, steps)


def run(
    implementation: Implementation,
    fmt: Format,
    profile: Profile,
    seed: int,
    clauses: Sequence[Clause] = CLAUSES,
    *,
    source: str = "",
    progress: Progress | None = None,
) -> Run:
    """One implementation in one format: a finding for every clause. Nothing an implementation does stops it."""
    started = time.perf_counter()
    blank = Run(
        implementation=implementation.name,
        source=source,
        format=fmt.name,
        profile=profile.name,
        verdict=Verdict.NOT_CLAIMED,
        claims=implementation.claims.plain(),
        environment=dict(implementation.environment),
    )
    if fmt not in implementation.claims.formats:
        return replace(blank, reason=f"it does not claim {fmt.name}")
    unavailable = implementation.unavailable()
    if unavailable is not None:
        return replace(blank, verdict=Verdict.NOT_RUN, reason=unavailable)
    trial = Trial(implementation, fmt, profile, seed)
    findings: list[Finding] = []
    for number, clause in enumerate(clauses):
        if progress is not None:
            progress(implementation.name, f"{fmt.name} {clause.id}", number, len(clauses))
        findings.append(check(clause, trial))
    wrong = any(f.verdict is Verdict.VIOLATES and f.level is Level.MUST for f in findings)
    judged = any(f.verdict in {Verdict.CONFORMS, Verdict.VIOLATES} for f in findings)
    verdict = Verdict.VIOLATES if wrong else Verdict.CONFORMS if judged else Verdict.NOT_CLAIMED
    reason = "" if judged else "no clause applies to what it claims"
    seconds = round(time.perf_counter() - started, 3)
    return replace(blank, verdict=verdict, reason=reason, findings=tuple(findings), seconds=seconds)


def check(clause: Clause, trial: Trial) -> Finding:
    """What the clause's check finds: a verdict in every case, whatever the implementation does."""
    missing = _missing(clause, trial)
    if missing:
        return Finding(clause.id, clause.level, Verdict.NOT_CLAIMED, note=f"it does not claim {missing}")
    try:
        outcome: Outcome = clause.check(trial)
    except Misbehaviour as error:
        note = f"{error.kind}: {error}"
        return Finding(clause.id, clause.level, Verdict.VIOLATES, violations=1, points=1, note=note)
    verdict = Verdict.VIOLATES if outcome.violations else Verdict.CONFORMS
    if outcome.not_claimed:
        verdict = Verdict.NOT_CLAIMED
    return Finding(
        clause.id,
        clause.level,
        verdict,
        points=outcome.points,
        violations=outcome.violations,
        worst=outcome.worst,
        counts=outcome.counts,
        grade=outcome.grade,
        note=outcome.note,
    )


def _missing(clause: Clause, trial: Trial) -> str:
    """What the clause needs and the implementation does not claim; empty if nothing."""
    claims = trial.implementation.claims
    claimed = {*claims.options, claims.reduction}
    claimed |= {name for name, has in (("gradient", claims.gradient), ("metrics", claims.metrics)) if has}
    names = {"none": "per-pair losses", "mean": "a mean", "gradient": "gradients"}
    return ", ".join(names.get(need, need) for need in sorted(clause.needs - claimed))
