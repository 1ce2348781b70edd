"""The gate's report as JUnit XML: a failure where the gate fails, and not where the baseline has the violation too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from conformance.gate import Change, Decision, Effect, Pair
from conformance.records.record import Finding, Run, Verdict
from conformance.reports import junit
from conformance.reports.gate_words import Section, sections
from conformance.reports.junit import Case, Suite


def render(decision: Decision) -> str:
    """A suite for each implementation and format of either record, and one for acceptances that are out of order."""
    return junit.document(_suites(decision))


def _suites(decision: Decision) -> Iterator[Suite]:
    fails = decision.of(Effect.FAILS)
    told = {(pair.implementation, pair.format) for pair in decision.pairs}
    for pair in decision.pairs:
        run = pair.now or pair.before
        if run is not None:
            mine = [change for change in fails if (change.implementation, change.format) == (pair.implementation, pair.format)]
            yield Suite(
                name=f"{pair.implementation} in {pair.format}",
                cases=tuple(_cases(pair, run, mine)),
                properties=junit.properties(decision.record, run),
                seconds=run.seconds,
                timestamp=junit.timestamp(decision.record),
            )
    elsewhere = [change for change in fails if (change.implementation, change.format) not in told]
    if elsewhere:
        yield Suite("acceptances", tuple(_failure(section, section.title) for section in sections(elsewhere)))


def _cases(pair: Pair, run: Run, fails: Sequence[Change]) -> Iterator[Case]:
    """A case for the run as a whole, and one for each clause of either record."""
    whole = sections(change for change in fails if not change.clause)
    yield _failure(whole[0], "the run") if whole else Case("the run")
    old = {} if pair.before is None else {finding.clause: finding for finding in pair.before.findings}
    new = {} if pair.now is None else {finding.clause: finding for finding in pair.now.findings}
    clauses = dict.fromkeys([*new, *old, *(change.clause for change in fails if change.clause)])
    for clause in clauses:
        mine = [change for change in fails if change.clause == clause]
        finding = new.get(clause) or old.get(clause)
        name = junit.case_name(finding) if finding is not None else clause
        yield _failure(Section(tuple(mine)), name) if mine else _case(run, finding)


def _case(run: Run, finding: Finding | None) -> Case:
    """A clause that the gate passes: a violation that it passes is skipped, for the reason that it was there before."""
    assert finding is not None
    case = junit.case(run, finding)
    if finding.verdict is Verdict.VIOLATES and case.outcome == "failure":
        return replace(case, outcome="skipped", kind="accepted", message=f"accepted: {case.message}", text="")
    return case


def _failure(section: Section, name: str) -> Case:
    message = "; ".join(section.lines)
    text = "\n".join([section.title, *(f"  {line}" for line in section.lines), section.evidence])
    return Case(name, "failure", message, str(section.changes[0].rule), text)
