"""The test items of the pytest plugin: a collector for each implementation in each format, an item for each clause."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from _pytest._code.code import ExceptionChainRepr, ReprFileLocation, ReprTracebackNative

from conformance.clauses import CLAUSES, Clause, for_kind
from conformance.clauses.trial import Trial
from conformance.errors import BadRequest
from conformance.gate import Acceptance, BadAcceptance, read_acceptances
from conformance.implementations import load
from conformance.inputs.profiles import get_profile
from conformance.records.record import Finding, Level, Record, Run, Verdict
from conformance.reports import causes, words
from conformance.running.trying import check, explained, opened, unanswered
from oracle import Format, UnknownFormat, get_format

Accepted = Mapping[tuple[str, str, str], Acceptance]


class Violated(Exception):
    """A clause is violated, or its acceptance is out of order; the text is the report, and brief says it in a line."""

    def __init__(self, text: str, brief: str = "") -> None:
        super().__init__(text)
        self.brief = brief or text.splitlines()[0]


class Clauses(pytest.Collector):
    """One implementation in one format: what its items share, so that what they evaluate together is evaluated once."""

    def __init__(self, *, label: str, trial: Trial, run: Run, accepted: Accepted, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.label = label
        self.run = run
        self._trial = trial
        self._accepted = accepted
        self._first: Finding | None = None
        self._why: str | None = None

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """Those of the implementation's kind."""
        return for_kind(self._trial.implementation.claims.kind, CLAUSES)

    def collect(self) -> Iterator[pytest.Item]:
        """An item for each clause, in the order of the documentation."""
        for clause in self.clauses:
            accepted = self._accepted.get((self.label, self.run.format, clause.id))
            item = Item.from_parent(self, name=clause.id, clause=clause, accepted=accepted)
            for marker in (pytest.mark.dpo, getattr(pytest.mark, clause.level.lower())):
                item.add_marker(marker)
            item.add_marker(pytest.mark.chapter(name=clause.chapter))
            yield item

    def finding(self, clause: Clause) -> Finding:
        """What the clause finds; the first clause is tried before any other, as the runner does."""
        if not self.run.judged:
            return Finding(clause.id, clause.level, self.run.verdict, note=self.run.reason)
        if self._first is None:
            self._first = check(self.clauses[0], self._trial)
        if clause.id == self._first.clause:
            return self._first
        if unanswered(self._first):
            return Finding(
                clause.id, clause.level, Verdict.NOT_RUN, note=f"it violates {self._first.clause}: {self._first.note}"
            )
        return check(clause, self._trial)

    def why(self, finding: Finding) -> str:
        """The cause, from the first violation that is told on; of those after it, its sentence alone. Empty if unknown."""
        if self._why is not None:
            return self._why
        run = replace(self.run, verdict=Verdict.VIOLATES, findings=(finding,), diagnosis=explained(self._trial, [finding]))
        told = causes.told(Record({}, {}, self._trial.seed, (run,)))
        self._why = "\n".join(one.headline for one in told)
        return "\n".join(line for one in told for line in causes.lines(one))


class Item(pytest.Item):
    """One clause of one run."""

    def __init__(self, *, clause: Clause, accepted: Acceptance | None, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._clause = clause
        self._accepted = accepted

    def runtest(self) -> None:
        """Judge by the clause; the project's warning filters are not the implementation's."""
        assert isinstance(self.parent, Clauses)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            finding = self.parent.finding(self._clause)
        if self._accepted is not None:
            self._accept(self._accepted, finding)
        if finding.verdict in {Verdict.NOT_CLAIMED, Verdict.NOT_RUN}:
            pytest.skip(f"{finding.verdict}: {words.visible(finding.note)}")
        if finding.verdict is Verdict.VIOLATES and finding.level is Level.SHOULD:
            pytest.xfail(f"SHOULD violated at {finding.share}: {words.briefly(finding)}")
        if finding.verdict is Verdict.VIOLATES:
            brief = f"violated at {finding.share}: {words.briefly(finding)}"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                why = self.parent.why(finding)
            evidence = words.violation(self.parent.run, finding)
            raise Violated(f"{why}\n\n{evidence}" if why else evidence, brief)

    def _accept(self, accepted: Acceptance, finding: Finding) -> None:
        """An expected failure; an acceptance that is out of order is a failure of its own."""
        told = f"{finding.clause} of {accepted.implementation} in {accepted.format} is accepted: {accepted.reason}"
        if finding.verdict is not Verdict.VIOLATES:
            raise Violated(f"{told}\n  but {finding.verdict} now: remove the acceptance")
        if accepted.expires is not None and datetime.now(UTC).date() > accepted.expires:
            raise Violated(f"{told}\n  but only until {accepted.expires}\n{words.headline(self._run, finding)}")
        pytest.xfail(accepted.reason)

    @property
    def _run(self) -> Run:
        assert isinstance(self.parent, Clauses)
        return self.parent.run

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The report of the violation; for anything else what pytest makes of it."""
        if isinstance(excinfo.value, Violated):
            where, _, _ = self.reportinfo()
            shown = ReprTracebackNative(f"{excinfo.value}\n".splitlines(keepends=True))
            return ExceptionChainRepr([(shown, ReprFileLocation(str(where), 0, excinfo.value.brief), None)])
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The implementation's file, where it was loaded from one."""
        path, colon, _ = self._run.source.rpartition(":")
        where = Path(path) if colon and path.endswith(".py") else self.path
        return where, None, f"{self._clause.id} {self._clause.title}: {self._run.implementation} in {self._run.format}"


def collected(session: pytest.Session) -> list[Clauses]:
    """A collector for each implementation in each format that was asked for, or that it claims.

    Raises what `load` raises, BadRequest for a profile, a format or an implementation that cannot be judged at all, and
    BadAcceptance.
    """
    option = session.config.getoption
    profile, asked = get_profile(option("--dpo-profile")), _formats(option("--dpo-dtype"))
    sources = list(dict.fromkeys(option("--dpo-implementation")))
    loaded = [(source, load(source)) for source in sources]
    names = Counter(implementation.name for _, implementation in loaded)
    accepted = _accepted(option("--dpo-accept"))
    found: list[Clauses] = []
    for source, implementation in loaded:
        label = implementation.name if names[implementation.name] == 1 else f"{implementation.name} ({source})"
        runs = [(fmt, opened(implementation, fmt, profile, source)) for fmt in asked or implementation.claims.formats]
        if not any(run.judged for _, run in runs):
            raise BadRequest(f"{label} can be judged in no format: {runs[0][1].reason}")
        for fmt, run in runs:
            trial = Trial(implementation, fmt, profile, option("--dpo-seed"))
            found.append(_collector(session, label, trial, run, accepted))
    _check_accepted(accepted, found)
    return found


def _collector(session: pytest.Session, label: str, trial: Trial, run: Run, accepted: Accepted) -> Clauses:
    name = f"dpo[{words.visible(label)}-{run.format}]"
    made: Clauses = Clauses.from_parent(
        session, name=name, nodeid=name, path=session.path, label=label, trial=trial, run=run, accepted=accepted
    )
    return made


def _formats(names: list[str]) -> tuple[Format, ...]:
    try:
        return tuple(dict.fromkeys(get_format(name) for name in names))
    except UnknownFormat as error:
        raise BadRequest(f"--dpo-dtype: {error}") from None


def _accepted(path: str | None) -> Accepted:
    return {} if path is None else {acceptance.key: acceptance for acceptance in read_acceptances(Path(path))}


def _check_accepted(accepted: Accepted, found: list[Clauses]) -> None:
    """Raises BadAcceptance for one that names no item."""
    items = {(clauses.label, clauses.run.format, clause.id) for clauses in found for clause in clauses.clauses}
    for key, acceptance in accepted.items():
        if key not in items:
            raise BadAcceptance(f"{' '.join(key)} is accepted ({acceptance.reason}) and is not judged here")
