"""What has been learned of an implementation so far, across the processes that it took."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.clauses import Clause, find
from conformance.errors import CannotLoad, UnknownImplementation
from conformance.records.diagnosis import Cause, Diagnosis, Kind, diagnosis_from
from conformance.records.record import Finding, Level, Run, Verdict, finding_from, plain, run_from
from conformance.running.job import Job
from conformance.running.trying import FIRSTS, concluded, failed, skipped, told_on_stderr
from conformance.running.watch import MOST_FAILURES

Progress = Callable[[str, str, int, int], None]
"""Called before each clause with the implementation, the format and clause, its number and how many there are."""


class Died(Exception):
    """The process ended or hung before it had answered; the text says which, in words for a finding."""


class Stopped(Exception):
    """The judge itself was not done in time and its process was ended; the text says so, in words for a finding."""


class State:
    """The findings of a job, clause by clause; a step is a format and a clause."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._blank: dict[str, Run] = {}
        self._findings: dict[str, list[Finding]] = {fmt.name: [] for fmt in job.formats}
        self._seconds = dict.fromkeys(self._findings, 0.0)
        self._diagnoses: dict[str, Diagnosis] = {}
        self._diagnosing = ""
        self._failures = 0
        self._since = time.perf_counter()
        self.step = 0

    @property
    def finished(self) -> bool:
        """True after the last clause of the last format."""
        return self.step >= len(self.job.formats) * len(self.job.clauses)

    def take(self, message: Mapping[str, Any], progress: Progress | None) -> None:
        """One message of the process: how it loads, which clause it is at, what it found."""
        if "error" in message:
            if self._blank:
                raise Died(f"could not be loaded again: {message['text']}")
            kind = {"UnknownImplementation": UnknownImplementation}.get(message["error"], CannotLoad)
            raise kind(message["text"])
        if "clauses" in message:
            self.job = replace(self.job, clauses=tuple(find(identity) for identity in message["clauses"]))
        elif "run" in message:
            run = run_from(message["run"])
            self._blank[run.format] = run
            if run.verdict is not Verdict.CONFORMS:
                self._next_format()
        elif "checking" in message and progress is not None:
            total = len(self.job.formats) * len(self.job.clauses)
            progress(self._blank[self._fmt].implementation, f"{self._fmt} {message['checking']}", self.step, total)
        elif "alive" in message and progress is not None:
            done, of = message["alive"]
            total = len(self.job.formats) * len(self.job.clauses)
            told = f"{self._fmt} {self._clause.id} {100 * done // of} %"
            progress(self._blank[self._fmt].implementation, told, self.step, total)
        elif "finding" in message:
            self._add(finding_from(message["finding"]))
        elif "diagnosing" in message:
            self._diagnosing = message["diagnosing"]
        elif "defect" in message:  # of the suite itself: what a process prints is not shown
            told_on_stderr(message["defect"])
        elif "diagnosis" in message:
            if message["diagnosis"] is not None:
                self._diagnoses[self._diagnosing] = diagnosis_from(message["diagnosis"])
            self._diagnosing = ""

    def died(self, how: str) -> None:
        """The clause at hand is violated; after too many deaths, or one in the first clause, the rest is not tried."""
        if not self._blank:
            raise CannotLoad(f"{self.job.source}: {how} while it was imported")
        if self._undiagnosed():
            return
        if self._opened().verdict is not Verdict.CONFORMS:
            self._next_format()
            return
        clause = self._clause
        self._add(failed(clause, how))
        self._failures += 1
        if clause.id in FIRSTS:
            self._skip(f"it violates {clause.id}: {how}")
        elif self._failures >= MOST_FAILURES:
            self._give_up(f"{MOST_FAILURES} clauses ended the process, hung or were not finished")

    def stopped(self, why: str) -> None:
        """The clause at hand is not run; after too many processes, the rest is not tried."""
        if not self._blank:
            raise CannotLoad(f"{self.job.source}: {why}, before it was imported")
        if self._undiagnosed():
            return
        if self._opened().verdict is not Verdict.CONFORMS:
            self._next_format()
            return
        self._add(skipped(self._clause, why))
        self._failures += 1
        if self._failures >= MOST_FAILURES:
            self._give_up(f"{MOST_FAILURES} clauses ended the process, hung or were not finished")

    def _undiagnosed(self) -> bool:
        """True where the process ended after the clauses of a format, while it was asked why: no clause is to blame."""
        was, self._diagnosing = self._diagnosing, ""
        return bool(was)

    @property
    def unexplained(self) -> list[dict[str, Any]]:
        """The formats that violate and whose process ended before it was asked why, each with what was found; none where it
        gave no answer to what is asked first.
        """
        return [
            {"format": name, "findings": [plain(finding) for finding in found]}
            for name, found in self._findings.items()
            if self._failures and name not in self._diagnoses and _explicable(found)
        ]

    @property
    def violated(self) -> bool:
        """True where a MUST is violated already."""
        return any(f.verdict is Verdict.VIOLATES and f.level is Level.MUST for found in self._findings.values() for f in found)

    def runs(self, reason: str = "") -> list[Run]:
        """The runs as they stand, in the order of the formats: what was not tried is not run, for that reason. None where
        nothing is known of the implementation yet.
        """
        return [self._run(fmt.name, reason) for fmt in self.job.formats] if self._blank else []

    def _run(self, name: str, reason: str) -> Run:
        blank, found = self._blank_of(name), self._findings[name]
        if blank.verdict is not Verdict.CONFORMS:
            return blank
        rest = [skipped(clause, reason) for clause in self.job.clauses[len(found) :]]
        return replace(
            concluded(blank, [*found, *rest], self._seconds[name]), diagnosis=self._diagnoses.get(name) or _by_death(found)
        )

    @property
    def _fmt(self) -> str:
        return self.job.formats[self.step // len(self.job.clauses)].name

    @property
    def _clause(self) -> Clause:
        return self.job.clauses[self.step % len(self.job.clauses)]

    def _opened(self) -> Run:
        """The blank run of the format at hand."""
        self._blank[self._fmt] = self._blank_of(self._fmt)
        return self._blank[self._fmt]

    def _blank_of(self, name: str) -> Run:
        """The blank run of a format, after another format's where no process came to it."""
        if name in self._blank:
            return self._blank[name]
        claimed = name in (known := next(iter(self._blank.values()))).claims["formats"]
        reason = "" if claimed else f"it does not claim {name}"
        return replace(known, format=name, verdict=Verdict.CONFORMS if claimed else Verdict.NOT_CLAIMED, reason=reason)

    def _add(self, finding: Finding) -> None:
        now = time.perf_counter()
        self._seconds[self._fmt] += now - self._since
        self._since = now
        self._findings[self._fmt].append(finding)
        self.step += 1

    def _skip(self, reason: str) -> None:
        """The remaining clauses of the format are not run; none remain where the next format is at hand."""
        while self.step % len(self.job.clauses):
            self._skip_one(reason)

    def _skip_one(self, reason: str) -> None:
        self._findings[self._fmt].append(skipped(self._clause, reason))
        self.step += 1

    def _give_up(self, reason: str) -> None:
        """The remaining clauses of every format are not run."""
        while not self.finished:
            if self._opened().verdict is Verdict.CONFORMS:
                self._skip_one(reason)
            else:
                self._next_format()

    def _next_format(self) -> None:
        self.step = (self.step // len(self.job.clauses) + 1) * len(self.job.clauses)


def _explicable(found: Sequence[Finding]) -> bool:
    """Whether a MUST is violated, and none of those that are asked first."""
    violated = [f for f in found if f.verdict is Verdict.VIOLATES and f.level is Level.MUST]
    return bool(violated) and not any(finding.clause in FIRSTS for finding in violated)


_ENDS = ("hung", "ended the process", "stopped answering")
_CURE = (
    "Ask that call by hand, or by dpo-conformance run --smoke: a hang, a crash and an exit are the code's own; a large batch "
    "may need more memory than there is."
)


def _by_death(found: Sequence[Finding]) -> Diagnosis | None:
    """How the process ended, where that is all that is known of why it violates."""
    violated = [f for f in found if f.verdict is Verdict.VIOLATES and f.level is Level.MUST]
    died = [f for f in violated if f.worst is None and f.note.startswith(_ENDS)]
    if not died or len(died) < len(violated):
        return None
    key, _, said = died[0].note.partition(": ")
    says = ", ".join(part for part in (said, f"at {len(died)} of the clauses that were asked") if part)
    return Diagnosis((Cause(key, Kind.CONDUCT, "", says, "", _CURE, len(violated), len(died)),))
