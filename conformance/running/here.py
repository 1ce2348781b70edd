"""An implementation on trial in this process, in several formats."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from conformance.clauses import Clause, for_kind
from conformance.clauses.trial import Trial
from conformance.implementations import Implementation
from conformance.inputs.profiles import Profile
from conformance.records.diagnosis import Diagnosis
from conformance.records.record import Finding, Level, Run, Verdict
from conformance.running.state import Progress
from conformance.running.trying import check, concluded, explained, opened, skipped, unanswered
from conformance.running.watch import MOST_FAILURES, Watch, alarm, watched
from oracle import Format


class Here:
    """What has been found so far; judge goes on to the end."""

    def __init__(
        self,
        implementation: Implementation,
        formats: Sequence[Format],
        profile: Profile,
        seed: int,
        clauses: Sequence[Clause],
        source: str,
        time_limit: float,
    ) -> None:
        self._clauses = for_kind(implementation.claims.kind, clauses)
        self._blank = [opened(implementation, fmt, profile, source) for fmt in formats]
        self._watches = [Watch(time_limit, alarm) for _ in formats]
        self._trials = [
            Trial(watched(implementation, watch), fmt, profile, seed, lambda *_, watch=watch: watch.restart())
            for fmt, watch in zip(formats, self._watches, strict=True)
        ]
        self._findings: list[list[Finding]] = [[] for _ in formats]
        self._seconds = [0.0 for _ in formats]
        self._diagnoses: list[Diagnosis | None] = [None for _ in formats]

    @property
    def violated(self) -> bool:
        """True where a MUST is violated already."""
        return any(f.verdict is Verdict.VIOLATES and f.level is Level.MUST for found in self._findings for f in found)

    def judge(self, progress: Progress | None = None, *, fail_fast: bool = False) -> None:
        """Try every clause in every format that it claims, or with fail_fast until a MUST is violated."""
        for place, blank in enumerate(self._blank):
            if blank.verdict is Verdict.CONFORMS and not (fail_fast and self.violated):
                self._judge(place, progress, fail_fast)

    def _judge(self, place: int, progress: Progress | None, fail_fast: bool) -> None:
        """In one format; nothing is tried after a violation of the first clause, or after too many calls that hung."""
        trial, watch = self._trials[place], self._watches[place]
        started, refused, before = time.perf_counter(), "", place * len(self._clauses)
        for number, clause in enumerate(self._clauses):
            if progress is not None:
                name, total = trial.implementation.name, len(self._trials) * len(self._clauses)
                progress(name, f"{trial.fmt.name} {clause.id}", before + number, total)
            watch.restart()
            finding = skipped(clause, refused) if refused else check(clause, trial)
            if unanswered(finding):
                refused = f"it violates {clause.id}: {finding.note}"
            elif watch.hung >= MOST_FAILURES:
                refused = f"{MOST_FAILURES} calls hung"
            self._findings[place].append(finding)
            self._seconds[place] = time.perf_counter() - started
            if fail_fast and self.violated:
                return
        watch.restart()
        self._diagnoses[place] = explained(trial, self._findings[place])

    def runs(self, reason: str = "") -> list[Run]:
        """The runs as they stand; what was not tried is not run, for that reason."""
        return [
            replace(self._concluded(blank, found, seconds, reason), diagnosis=why)
            if blank.verdict is Verdict.CONFORMS
            else blank
            for blank, found, seconds, why in zip(self._blank, self._findings, self._seconds, self._diagnoses, strict=True)
        ]

    def _concluded(self, blank: Run, found: Sequence[Finding], seconds: float, reason: str) -> Run:
        return concluded(blank, [*found, *(skipped(clause, reason) for clause in self._clauses[len(found) :])], seconds)
