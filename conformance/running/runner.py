"""Runs a profile: every clause of the suite on each implementation in each format, gathered into a record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from conformance.clauses import CLAUSES, Clause
from conformance.errors import BadRequest
from conformance.implementations import Implementation
from conformance.implementations.loading import at_hand
from conformance.inputs.profiles import Profile, get_profile
from conformance.records.environment import environment, suite
from conformance.records.record import Record, Run
from conformance.running import isolation
from conformance.running.here import Here
from conformance.running.job import Interpreter, Job
from conformance.running.state import Progress, State
from oracle import FORMATS, Format, UnknownFormat, get_format

TIME_LIMIT = 300.0
"""Seconds that one call of the implementation may take, and one clause, or one shard of a clause that sweeps a format;
torch.compile's first call needs tens of them."""
Checkpoint = Callable[[Callable[[], Record]], None]
"""Called before each clause with what makes the record as it stands, marked incomplete."""


class Interrupted(KeyboardInterrupt):
    """A judgement was interrupted; `record` holds what was judged until then, and says that it is incomplete."""

    def __init__(self, record: Record) -> None:
        super().__init__(record.incomplete)
        self.record = record


def judge(
    *implementations: Implementation | str,
    dtypes: Iterable[str | Format] | None = None,
    profile: str = "quick",
    seed: int = 0,
    clauses: Iterable[Clause] = CLAUSES,
    isolate: bool = True,
    time_limit: float = TIME_LIMIT,
    interpreters: Mapping[str, Interpreter] | None = None,
    fail_fast: bool = False,
    stamp: str = "",
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> Record:
    """The record of judging each implementation (an object, or a name that `load` takes) in each format.

    Without dtypes, in every format. A named implementation runs in a process of its own, where a clause in which a call
    takes longer than time_limit seconds, or that ends the process, is violated; isolate=False, or an object, runs it in
    this one, where such a call is interrupted if it comes back to Python. A clause whose calls are all answered and that is
    not finished within time_limit seconds is not run.
    interpreters: by name, the Python that judges it where it needs another environment (`environments.prepare`).
    fail_fast: end at the first violated MUST; the record is then incomplete. stamp: what the record is to be known by.

    Raises BadRequest for a profile, format or seed that does not exist, what `load` raises, and Interrupted for a
    KeyboardInterrupt. What an implementation does wrong when it is called is a finding, never an exception.
    """
    chosen, formats, clauses = get_profile(profile), _formats(dtypes), tuple(clauses)
    if not 0 <= seed < 2**63:
        raise BadRequest(f"seed = {seed}: an integer from 0 to 2**63 - 1")
    if not implementations:
        raise BadRequest("no implementation to judge")
    if not clauses:
        raise BadRequest("no clause to judge by")
    session = _Session(implementations, len(formats) * len(clauses), seed, stamp, progress, checkpoint)
    try:
        for item in implementations:
            session.begun += 1
            if isinstance(item, str) and isolate:
                state = State(Job(item, formats, chosen, seed, clauses, (interpreters or {}).get(item)))
                session.trials.append(state)
                isolation.judged(state, time_limit, session.report, fail_fast=fail_fast)
            else:
                source = item if isinstance(item, str) else ""
                with at_hand(item, time_limit=time_limit) as implementation:
                    here = Here(implementation, formats, chosen, seed, clauses, source, time_limit)
                    session.trials.append(here)
                    here.judge(session.report, fail_fast=fail_fast)
            if fail_fast and session.trials[-1].violated:
                return session.record(f"ended at the first violated MUST, {session.place}")
    except KeyboardInterrupt as error:
        raise Interrupted(session.record(f"interrupted {session.place}")) from error
    return session.record()


@dataclass
class _Session:
    """What is asked for, how far it has come, and the record of that at any time."""

    implementations: Sequence[Implementation | str]
    share: int
    seed: int
    stamp: str
    progress: Progress | None
    checkpoint: Checkpoint | None
    trials: list[State | Here] = field(default_factory=list)
    begun: int = 0
    place: str = "at the start"

    def report(self, name: str, clause: str, number: int, _: int) -> None:
        """Before each clause: where it is, told on to who asked for it."""
        self.place = f"at {name} {clause}"
        if self.progress is not None:
            self.progress(name, clause, (self.begun - 1) * self.share + number, len(self.implementations) * self.share)
        if self.checkpoint is not None:
            self.checkpoint(lambda: self.record(f"still being judged, {self.place}"))

    def record(self, incomplete: str = "") -> Record:
        """What was judged so far; all of it, unless a reason is given."""
        left = [item if isinstance(item, str) else item.name for item in self.implementations[self.begun :]]
        if incomplete and left:
            incomplete += f"; not begun: {', '.join(left)}"
        runs = tuple(run for trial in self.trials for run in trial.runs(incomplete))
        created = datetime.now(UTC).isoformat(timespec="seconds")
        return Record(suite(), environment(), self.seed, runs, created, stamp=self.stamp, incomplete=incomplete)


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
    here = Here(implementation, (fmt,), profile, seed, clauses, source, time_limit)
    here.judge(progress)
    return here.runs()[0]


def _formats(dtypes: Iterable[str | Format] | None) -> tuple[Format, ...]:
    try:
        formats = FORMATS if dtypes is None else tuple(dict.fromkeys(get_format(name) for name in dtypes))
    except UnknownFormat as error:
        raise BadRequest(str(error)) from None
    if not formats:
        raise BadRequest("no format to judge in")
    return formats
