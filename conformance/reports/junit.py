"""The JUnit report: a suite for each run and a case for each clause, for Jenkins, GitLab and their kin.

A violated MUST is a failure. JUnit knows no warning: a violated SHOULD, what is not claimed and what was not run are
skipped cases whose message says so. An implementation that was judged in no format is an error, as it is for `run`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from conformance.records.record import Finding, Level, Record, Run, Verdict
from conformance.reports import causes, words


@dataclass(frozen=True, slots=True)
class Case:
    """A test case: outcome is "failure", "error", "skipped", or empty where it passes."""

    name: str
    outcome: str = ""
    message: str = ""
    kind: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Suite:
    """The cases of one run."""

    name: str
    cases: tuple[Case, ...]
    properties: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0
    timestamp: str = ""


def render(record: Record) -> str:
    """The whole report of a record, as XML text."""
    judged = {(run.implementation, run.source) for run in record.runs if run.judged}
    suites = (
        Suite(
            name=suite_name(record, run),
            cases=tuple(_cases(run, (run.implementation, run.source) not in judged)),
            properties=properties(record, run),
            seconds=run.seconds,
            timestamp=timestamp(record),
        )
        for run in record.runs
    )
    return document([*suites, *_incomplete(record)])


def _incomplete(record: Record) -> Iterator[Suite]:
    """An error, where not all was judged that was asked for."""
    if record.incomplete:
        yield Suite("dpo-conformance", (Case("the judgement is complete", "error", record.incomplete, "incomplete"),))


def suite_name(record: Record, run: Run) -> str:
    """The implementation, its source where several share the name, and the format."""
    source = f" ({run.source})" if run.implementation in record.shared_names else ""
    return f"{run.implementation}{source} in {run.format}"


def timestamp(record: Record) -> str:
    """When it was made, without the zone, which is UTC; empty where the record does not tell it so."""
    found = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", record.created)
    return found.group() if found else ""


def properties(record: Record, run: Run) -> tuple[tuple[str, str], ...]:
    """What made the run."""
    headlines = [told.headline for told in causes.told(record) if run in told.runs]
    why = {"diagnosis": " ".join(headlines)} if headlines else {}
    facts = {**why, "suite": record.suite["version"], "profile": run.profile, "seed": str(record.seed), "source": run.source}
    return tuple(sorted({**facts, **record.environment, **run.environment}.items()))


def _cases(run: Run, unjudged: bool) -> Iterator[Case]:
    if not run.findings:
        outcome = "error" if unjudged else "skipped"
        yield Case("the run", outcome, f"{run.verdict}: {run.reason}", str(run.verdict))
    told = causes.told(Record({}, {}, 0, (run,)))
    whole = "\n".join(line for one in told for line in (*causes.lines(one), ""))
    short = "\n".join([*(one.headline for one in told), ""]) if told else ""
    first = run.violated[0] if run.violated else None
    for finding in run.findings:
        yield case(run, finding, whole if finding is first else short)


def case(run: Run, finding: Finding, why: str = "") -> Case:
    """One clause's case; why: the diagnosis of the run, with which the text of a failure begins."""
    name = case_name(finding)
    if finding.verdict is Verdict.CONFORMS:
        return Case(name)
    if finding.verdict is not Verdict.VIOLATES:
        return Case(name, "skipped", f"{finding.verdict}: {finding.note}", str(finding.verdict))
    message = f"{finding.share}: {words.briefly(finding)}"
    if finding.level is Level.SHOULD:
        return Case(name, "skipped", f"SHOULD violated at {message}", "SHOULD violated")
    return Case(
        name,
        "failure",
        f"violated at {message}",
        "MUST violated",
        "\n".join(filter(None, [why, words.violation(run, finding)])),
    )


def case_name(finding: Finding) -> str:
    """The clause's id and title."""
    return f"{finding.clause} {words.clause(finding.clause).title}".rstrip()


def document(suites: Iterable[Suite]) -> str:
    """The XML text of those suites."""
    root = ElementTree.Element("testsuites", name="dpo-conformance")
    total = {"tests": 0, "failures": 0, "errors": 0}
    for suite in suites:
        counts = {outcome: sum(case.outcome == outcome for case in suite.cases) for outcome in ("failure", "error", "skipped")}
        numbers = {"tests": len(suite.cases), "failures": counts["failure"], "errors": counts["error"]}
        total = {name: total[name] + number for name, number in numbers.items()}
        element = ElementTree.SubElement(root, "testsuite", name=words.visible(suite.name))
        element.attrib |= {name: str(number) for name, number in {**numbers, "skipped": counts["skipped"]}.items()}
        element.set("time", f"{suite.seconds:.3f}")
        if suite.timestamp:
            element.set("timestamp", suite.timestamp)
        known = ElementTree.SubElement(element, "properties")
        for name, value in suite.properties:
            ElementTree.SubElement(known, "property", name=words.visible(name), value=words.visible(value))
        for case in suite.cases:
            _add_case(element, suite.name, case)
    root.attrib |= {name: str(number) for name, number in total.items()}
    ElementTree.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _add_case(suite: ElementTree.Element, classname: str, case: Case) -> None:
    name, shown = words.visible(case.name), words.visible(classname)
    element = ElementTree.SubElement(suite, "testcase", name=name, classname=shown, time="0")
    if case.outcome:
        result = ElementTree.SubElement(element, case.outcome, message=words.visible(case.message), type=case.kind)
        result.text = "\n".join(words.visible(line) for line in case.text.split("\n")) if case.text else None
