"""A sweep from end to end: plan, ledger, workers, and the report, which is the same whoever judged what in which order."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import ExitStack, closing
from pathlib import Path

from conformance.errors import BadRequest, CannotLoad, ConformanceError, UnknownImplementation
from conformance.implementations import Implementation, load
from conformance.sweep.crew import Crew, Here, Lent, Outcome, Processes
from conformance.sweep.found import Found
from conformance.sweep.identity import Subject, differences, identity
from conformance.sweep.ledger import Ledger
from conformance.sweep.plan import SHARD_SIZE, Plan, Shard, plan
from conformance.sweep.report import Report, report
from conformance.sweep.shard import Failure
from conformance.sweep.worker import Refusal
from oracle import Format, UnknownFormat, get_format

TIME_LIMIT = 300.0
"""Seconds that one call may take, over a lent executor one shard; the first includes the import and a compilation."""
WORTH_A_PROCESS = 1 << 20
"""Logits that pay for the import of a framework in one more process, unless a number of workers is asked for."""
Progress = Callable[[int, int, int], None]
"""Called with how many logits are judged, how many there are, and how many of them were in the ledger already."""


class CannotSweep(ConformanceError):
    """The implementation cannot be swept in that format: says why."""


class MixedWorkers(ConformanceError):
    """Two workers judge different things: another file, another version, another device; says what differs."""


def sweep(
    implementation: Implementation | str,
    dtype: str | Format,
    *,
    low: object = None,
    high: object = None,
    workers: int | None = None,
    executor: Executor | None = None,
    isolate: bool = True,
    shard_size: int = SHARD_SIZE,
    time_limit: float = TIME_LIMIT,
    resume: Path | None = None,
    progress: Progress | None = None,
) -> Report:
    """The report of judging every finite logit of a format from low to high: the loss and its two derivatives in the policy.

    low, high: numbers of the format, or text of decimals or hexadecimal floats; the whole format without them.
    A named implementation is judged in `workers` processes (as many as there are CPUs, fewer for a short range), or over
    a lent executor, with that many shards under way; isolate=False, or an object, judges in this process. resume: a
    ledger, begun where there is none, to which every finished shard is added and from which a sweep is carried on.

    What an implementation does wrong is in the report; a call that it ends in another way than by an answer, or does not
    answer within time_limit seconds (over a lent executor, a shard that is not finished), ends the sweep, and the report
    says at which logits. Raises BadRequest, CannotSweep, what `load`
    raises, the errors of the ledger, MixedWorkers, and WorkerFailed where a lent executor fails.
    """
    started = time.perf_counter()
    planned = plan(_format(dtype), low, high, shard_size)
    if workers is not None and workers < 1:
        raise BadRequest(f"{workers} workers: 1 or more")
    with ExitStack() as held:
        crew = held.enter_context(closing(_crew(implementation, planned, workers, executor, isolate, time_limit)))
        who = _introduced(crew)
        shards = planned.shards()
        ledger = None if resume is None else held.enter_context(Ledger(resume, identity(who, planned), shards))
        found, failures = _judged(crew, who, planned, shards, ledger, progress)
    return report(who, planned, found, failures, time.perf_counter() - started)


def _format(dtype: str | Format) -> Format:
    try:
        return get_format(dtype)
    except UnknownFormat as error:
        raise BadRequest(str(error)) from None


def _crew(
    implementation: Implementation | str,
    planned: Plan,
    workers: int | None,
    executor: Executor | None,
    isolate: bool,
    time_limit: float,
) -> Crew:
    if not isinstance(implementation, str):
        if executor is not None or workers is not None:
            raise BadRequest("an object is judged in this process: name the implementation for it to be loaded by others")
        return Here(implementation, "", planned)
    if executor is not None:
        return Lent(executor, implementation, planned, workers or 2 * (os.cpu_count() or 1), time_limit)
    if not isolate:
        return Here(load(implementation), implementation, planned)
    worth = workers or min(os.cpu_count() or 1, -(-planned.numbers // WORTH_A_PROCESS))
    return Processes(implementation, planned, min(worth, len(planned.shards())), time_limit)


def _introduced(crew: Crew) -> Subject:
    told = crew.introduce()
    if isinstance(told, Refusal):
        raise _error(told)
    return told


def _error(told: Refusal) -> ConformanceError:
    kinds = {"UnknownImplementation": UnknownImplementation, "CannotSweep": CannotSweep}
    return kinds.get(told.error, CannotLoad)(told.text)


def _judged(
    crew: Crew, who: Subject, planned: Plan, shards: list[Shard], ledger: Ledger | None, progress: Progress | None
) -> tuple[list[Found], list[Failure]]:
    """All that is found, and what ended it; after a failure no shard is begun, and those under way are waited for."""
    total: list[Found] = []
    failures: list[Failure] = []
    finished = {} if ledger is None else ledger.finished
    for found in finished.values():
        _merge(total, found)
    done = before = sum(map(len, finished))
    left = iter([shard for shard in shards if shard not in finished])
    while True:
        while not failures and crew.ready() and (shard := next(left, None)) is not None:
            crew.submit(shard)
        if progress is not None:
            progress(done, planned.numbers, before)
        if not crew.busy():
            return total, failures
        for shard, judge, told in crew.wait():
            outcome = _outcome(who, judge, told)
            if isinstance(outcome, Failure):
                failures.append(outcome)
                continue
            if ledger is not None:
                ledger.add(shard, outcome)
            _merge(total, outcome)
            done += len(shard)


def _outcome(who: Subject, judge: Subject | None, told: Outcome | Refusal) -> Outcome:
    """What came of a shard, if the one that was introduced was judged there."""
    if isinstance(told, Refusal):
        raise _error(told)
    if judge is not None and judge != who:
        changed = "; ".join(differences(who.plain(), judge.plain()))
        raise MixedWorkers(f"the workers do not judge the same: {changed}")
    return told


def _merge(total: list[Found], found: tuple[Found, ...]) -> None:
    if not total:
        total.extend(Found() for _ in found)
    for mine, its in zip(total, found, strict=True):
        mine.merge(its)
