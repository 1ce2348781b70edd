"""Two records told side by side, on a terminal: what differs, clause by clause, and what does not."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance.gate import Decision, Pair
from conformance.gate.rules import size
from conformance.records.record import Finding, Record, Run
from conformance.reports import gate_words, words
from conformance.reports.terminal import diagnosis

WIDE = 100
"""Columns of a console from which on the facts of a run stand side by side."""
FACTS = ("verdict", "value, ulp", "gradient, ulp", "ρ")


def render(decision: Decision, names: tuple[str, str], console: Console) -> None:
    """What made the two, a table of their runs, a table of the clauses that differ, and what a gate would say."""
    for label, name, record in zip(("before", "now"), names, (decision.baseline, decision.record), strict=True):
        console.print(Text(f"{label + ':':<8}{words.visible(name)}: {_made(record)}"), soft_wrap=True)
    for told in gate_words.causes_of(decision):
        diagnosis(told, console)
    console.print(_runs(decision) if console.width >= WIDE else _runs_below_each_other(decision))
    for pair in decision.pairs:
        _clauses(pair, console)
    for heading, lines in gate_words.rest(decision):
        if heading == gate_words.ELSEWHERE:
            console.print(Text(heading, style="bold"))
            for line in lines:
                console.print(Text(f"  {line}"), soft_wrap=True)
    console.print(Text(f"With the first as its baseline: {gate_words.verdict(decision)}"), soft_wrap=True)


def _made(record: Record) -> str:
    """What judged, and what was judged."""
    facts = [f"{run.implementation} {version}" for run in record.runs for version in _libraries(run)]
    return words.visible(f"{', '.join(dict.fromkeys(facts)) or 'no library told'}; {words.summary(record)}")


def _libraries(run: Run) -> Iterator[str]:
    yield ", ".join(f"{name} {value}" for name, value in run.environment.items())


def _runs(decision: Decision) -> Table:
    """A row for each implementation in each format, with both verdicts and worst errors."""
    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column("implementation", overflow="fold", max_width=24)
    table.add_column("format", no_wrap=True)
    for name in FACTS:
        table.add_column(f"{name}\nbefore → now")
    for pair in decision.pairs:
        before, now = _facts(pair.before), _facts(pair.now)
        both = (was if was == is_now else f"{was} → {is_now}" for was, is_now in zip(before, now, strict=True))
        table.add_row(Text(words.visible(pair.implementation)), pair.format, *both)
    return table


def _runs_below_each_other(decision: Decision) -> Table:
    """The same, a row for each fact."""
    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column("run", overflow="fold")
    for name in ("what", "before", "now"):
        table.add_column(name, no_wrap=True)
    for pair in decision.pairs:
        facts = zip(FACTS, _facts(pair.before), _facts(pair.now), strict=True)
        for place, (name, was, is_now) in enumerate((name, was, is_now) for name, was, is_now in facts if was or is_now):
            who = f"{words.visible(pair.implementation)} in {pair.format}"
            table.add_row(Text("" if place else who), name, was, is_now)
        table.add_section()
    return table


def _facts(run: Run | None) -> tuple[str, str, str, str]:
    if run is None:
        return "none", "", "", ""
    return str(run.verdict), words.kernel_ulp(run, "loss"), words.kernel_ulp(run, "d loss"), words.worst_rho(run)


def _clauses(pair: Pair, console: Console) -> None:
    """The clauses of a pair that differ, and how many do not."""
    if pair.before is None or pair.now is None:
        return
    old = {finding.clause: finding for finding in pair.before.findings}
    new = {finding.clause: finding for finding in pair.now.findings}
    table = Table(box=SIMPLE, pad_edge=False, title_justify="left")
    table.add_column("clause", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("before", overflow="fold")
    table.add_column("now", overflow="fold")
    clauses, same = list(dict.fromkeys([*old, *new])), 0
    for clause in clauses:
        rows = list(_differences(old.get(clause), new.get(clause)))
        same += not rows
        for place, row in enumerate(rows):
            table.add_row("" if place else clause, *map(Text, row))
    who = f"{words.visible(pair.implementation)} in {pair.format}"
    console.print(Text(f"{who}: {len(clauses) - same} of {gate_words.counted(len(clauses), 'clause')} differ", style="bold"))
    if same < len(clauses):
        console.print(table)


def _differences(before: Finding | None, now: Finding | None) -> Iterator[tuple[str, str, str]]:
    """What differs between two findings: a name, and both values."""
    old, new = _values(before), _values(now)
    judged = [finding for finding in (before, now) if finding is not None and finding.verdict.judged]
    for name in dict.fromkeys([*old, *new]) if len(judged) == 2 else ("verdict", "note"):
        if old.get(name) != new.get(name):
            yield name, words.visible(old.get(name, "")), words.visible(new.get(name, ""))


def _values(finding: Finding | None) -> dict[str, str]:
    if finding is None:
        return {"verdict": "not in the record"}
    values = {"verdict": str(finding.verdict), "note": finding.note}
    values |= {"violated at": finding.share, "grade": finding.grade or ""}
    values |= {name: f"{count:,}" for name, count in finding.counts.items()}
    if finding.worst is not None:
        worst = finding.worst
        values |= {"worst error": size(worst), "worst input": words.inputs(worst)}
        values["got there"] = words.decimal(worst.got)
    return values
