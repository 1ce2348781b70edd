"""The terminal report: the matrix, and each violation with what is wrong, where, and how to see it again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from conformance.records.record import Finding, Level, Record, Run, Verdict
from conformance.reports import words

STYLES = {
    Verdict.CONFORMS: "green",
    Verdict.VIOLATES: "bold red",
    Verdict.NOT_CLAIMED: "dim",
    Verdict.NOT_RUN: "yellow",
}

FOLLOWING = "{:,} more most likely follow from the violated kernel; the Markdown report has them in full:"


def render(record: Record, console: Console, *, every_clause: bool = False) -> None:
    """The whole report of a record, on that console: what stands for itself in full, first; what most likely follows from
    a violated kernel, and what violates a SHOULD, in short; last, what the reader of a log's end needs to know.

    With `every_clause` also the largest rho of each clause, of what conforms too.
    """
    console.print(matrix(record.runs))
    if every_clause:
        for name, source in dict.fromkeys((run.implementation, run.source) for run in record.runs):
            console.print(Text(f"{words.visible(name)}: the largest ρ of each clause", style="italic"), soft_wrap=True)
            console.print(clauses([run for run in record.runs if (run.implementation, run.source) == (name, source)]))
    violated = [(run, found) for run in record.runs for found in run.findings if found.verdict is Verdict.VIOLATES]
    musts = [(run, found) for run, found in violated if found.level is Level.MUST]
    following = [(run, found) for run, found in musts if words.consequent(run, found)]
    for run, finding in musts:
        if not words.consequent(run, finding):
            violation(run, finding, console)
    if following:
        console.print()
        console.print(Text(FOLLOWING.format(len(following)), style="bold"), soft_wrap=True)
    for run, finding in (*following, *((run, found) for run, found in violated if found.level is Level.SHOULD)):
        shortly(run, finding, console)
    console.print()
    for line in words.violated(record):
        console.print(Text(line, style="bold red"), soft_wrap=True)
    console.print(Text(words.summary(record)))


def matrix(runs: Iterable[Run]) -> Table:
    """One row for each implementation in each format: verdict, worst errors, and the worst input."""
    table = Table(title="implementation × format", title_justify="left", box=SIMPLE, pad_edge=False)
    table.add_column("implementation", overflow="fold", max_width=24)
    table.add_column("format", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("value\nulp", justify="right", no_wrap=True)
    table.add_column("gradient\nulp", justify="right", no_wrap=True)
    table.add_column("ρ", justify="right", no_wrap=True)
    table.add_column("worst input\nz, or (pc, pr, rc, rr) β ε", overflow="fold")
    previous: tuple[str, str] | None = None
    for run in runs:
        this = run.implementation, run.source
        if previous not in {None, this}:
            table.add_section()
        label = words.visible(run.implementation) if this != previous else ""
        previous = this
        verdict = Text(str(run.verdict), style=STYLES[run.verdict])
        ulps = words.kernel_ulp(run, "loss"), words.kernel_ulp(run, "d loss")
        table.add_row(Text(label), run.format, verdict, *ulps, words.worst_rho(run), Text(words.worst_input(run)))
    return table


def clauses(runs: Sequence[Run]) -> Table:
    """One implementation: a row for each clause, a column for each format, and the largest rho in each cell."""
    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column("clause", no_wrap=True)
    table.add_column("level", no_wrap=True)
    for run in runs:
        table.add_column(run.format, justify="right")
    found = [{finding.clause: finding for finding in run.findings} for run in runs]
    every: dict[str, Level] = {finding.clause: finding.level for run in runs for finding in run.findings}
    for identity, level in every.items():
        cells = [_cell(findings.get(identity)) for findings in found]
        table.add_row(identity, str(level), *cells)
    return table


def _cell(finding: Finding | None) -> Text:
    """The largest rho where one was measured, else the verdict; in the verdict's style."""
    if finding is None:
        return Text("")
    measured = finding.worst is not None and finding.verdict in {Verdict.CONFORMS, Verdict.VIOLATES}
    told = words.figure(finding.worst.rho) if measured and finding.worst is not None else str(finding.verdict)
    return Text(told, style=STYLES[finding.verdict])


def shortly(run: Run, finding: Finding, console: Console) -> None:
    """A violation in two lines: which clause, and its worst input."""
    console.print()
    _head(run, finding, console)
    console.print(Text(f"  {words.briefly(finding)}"), soft_wrap=True)


def violation(run: Run, finding: Finding, console: Console) -> None:
    """A violated MUST in full."""
    remedy = words.remedy(run, finding)
    console.print()
    _head(run, finding, console)
    console.print(Padding(Text(words.clause(finding.clause).statement, style="dim"), (0, 0, 0, 2)))
    if finding.note:
        console.print(Text(f"  {words.visible(finding.note)}"), soft_wrap=True)
    if finding.worst is not None:
        for line in words.details(finding.worst):
            console.print(Text(f"  {line}"), soft_wrap=True)
        console.print(Text("  to see it again:", style="dim"))
        for line in words.snippet(run, finding.worst):
            console.print(Text(f"    {line}"), soft_wrap=True)
    if remedy:
        console.print(Text("  what usually mends it:", style="dim"))
        console.print(Padding(Text(remedy), (0, 0, 0, 4)))
    console.print(Text(f"  more: dpo-conformance explain {finding.clause}", style="dim"))


def _head(run: Run, finding: Finding, console: Console) -> None:
    head = Text(words.headline(run, finding))
    head.stylize("bold red" if finding.level is Level.MUST else "yellow", 0, len(f"{finding.clause} {finding.level}"))
    console.print(head, soft_wrap=True)
