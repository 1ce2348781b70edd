"""Runs a profile: every clause of the suite on each implementation in each format, gathered into a record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime

from conformance.clauses import CLAUSES, Clause, for_kind
from conformance.clauses.trial import Trial
from conformance.errors import BadRequest
from conformance.implementations import Implementation
from conformance.implementations.loading import loaded
from conformance.records.environment import environment, suite
from conformance.records.record import Finding, Record, Run, Verdict
from conformance.running import isolation
from conformance.running.profiles import Profile, get_profile
from conformance.running.trying import check, concluded, opened, skipped, unanswered
from conformance.running.watch import MOST_FAILURES, Watch, alarm, watched
from oracle import FORMATS, Format, UnknownFormat, get_format

TIME_LIMIT = 300.0
"""Seconds that one call of the implementation may take, and one clause, or one shard of a clause that sweeps a format;
torch.compile's first call needs tens of them."""
Progress = Callable[[str, str, int, int], None]
"""Called before each clause with the implementation, the format and clause, its number and how many there are."""


def judge(
    *implementations: Implementation | str,
    dtypes: Iterable[str | Format] | None = None,
    profile: str = "quick",
    seed: int = 0,
    clauses: Iterable[Clause] = CLAUSES,
    isolate: bool = True,
    time_limit: float = TIME_LIMIT,
    interpreters: Mapping[str, isolation.Interpreter] | None = None,
    progress: Progress | None = None,
) -> Record:
    """The record of judging each implementation (an object, or a name that `load` takes) in each format.

    Without dtypes, in every format. A named implementation runs in a process of its own, where a clause in which a call
    takes longer than time_limit seconds, or that ends the process, is violated; isolate=False, or an object, runs it in
    this one, where such a call is interrupted if it comes back to Python. A clause whose calls are all answered and that is
    not finished within time_limit seconds is not run.
    interpreters: by name, the Python that judges it where it needs another environment (`environments.prepare`).

    Raises BadRequest for a profile, format or seed that does not exist, and what `load` raises. What an implementation
    does wrong when it is called is a finding, never an exception.
    """
    chosen, formats, clauses = get_profile(profile), _formats(dtypes), tuple(clauses)
    if not 0 <= seed < 2**63:
        raise BadRequest(f"seed = {seed}: an integer from 0 to 2**63 - 1")
    if not implementations:
        raise BadRequest("no implementation to judge")
    if not clauses:
        raise BadRequest("no clause to judge by")
    share = len(formats) * len(clauses)
    runs: list[Run] = []
    for place, item in enumerate(implementations):
        report = _shifted(progress, place * share, len(implementations) * share)
        if isinstance(item, str) and isolate:
            job = isolation.Job(item, formats, chosen, seed, clauses, (interpreters or {}).get(item))
            runs.extend(isolation.judged(job, time_limit, report))
        else:
            source = item if isinstance(item, str) else ""
            here = loaded(item, time_limit=time_limit) if isinstance(item, str) else nullcontext(item)
            with here as implementation:
                for number, fmt in enumerate(formats):
                    within = _shifted(report, number * len(clauses), share)
                    asked = (implementation, fmt, chosen, seed, clauses)
                    runs.append(run(*asked, source=source, progress=within, time_limit=time_limit))
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Record(suite(), environment(), seed, tuple(runs), created)


def run(
    implementation: Implementation,
    fmt: Format,
    profile: Profile,
    seed: int,
    clauses: Sequence[Clause] = CLAUSES,
    *,
    source: str = "",
    progress: Progress | None = None,
    time_limit: float = TIME_LIMIT,
) -> Run:
    """One implementation in one format, in this process: a finding for every clause."""
    started = time.perf_counter()
    blank = opened(implementation, fmt, profile, source)
    if blank.verdict is not Verdict.CONFORMS:
        return blank
    clauses = for_kind(implementation.claims.kind, clauses)
    watch = Watch(time_limit, alarm)
    trial = Trial(watched(implementation, watch), fmt, profile, seed, lambda *_: watch.restart())
    findings = _tried(trial, watch, clauses, progress)
    return concluded(blank, list(findings), time.perf_counter() - started)


def _tried(trial: Trial, watch: Watch, clauses: Sequence[Clause], progress: Progress | None) -> Iterator[Finding]:
    """Each clause's finding, in order; none is tried after a violation of the first, or after too many calls that hung."""
    refused = ""
    for number, clause in enumerate(clauses):
        if progress is not None:
            progress(trial.implementation.name, f"{trial.fmt.name} {clause.id}", number, len(clauses))
        watch.restart()
        finding = skipped(clause, refused) if refused else check(clause, trial)
        if unanswered(finding):
            refused = f"it violates {clause.id}: {finding.note}"
        elif watch.hung >= MOST_FAILURES:
            refused = f"{MOST_FAILURES} calls hung"
        yield finding


def _formats(dtypes: Iterable[str | Format] | None) -> tuple[Format, ...]:
    try:
        formats = FORMATS if dtypes is None else tuple(dict.fromkeys(get_format(name) for name in dtypes))
    except UnknownFormat as error:
        raise BadRequest(str(error)) from None
    if not formats:
        raise BadRequest("no format to judge in")
    return formats


def _shifted(progress: Progress | None, done: int, steps: int) -> Progress | None:
    if progress is None:
        return None
    return lambda name, clause, number, _: progress(name, clause, done + number, steps)
