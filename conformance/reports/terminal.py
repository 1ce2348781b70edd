"""The terminal report: the matrix, and each violation with what is wrong, where, and how to see it again."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import SIMPLE
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from conformance.record import Finding, Level, Record, Run, Verdict
from conformance.reports import words

STYLES = {
    Verdict.CONFORMS: "green",
    Verdict.VIOLATES: "bold red",
    Verdict.NOT_CLAIMED: "dim",
    Verdict.NOT_RUN: "yellow",
}


def render(record: Record, console: Console) -> None:
    """The whole report of a record, on that console."""
    console.print(matrix(record.runs))
    for run in record.runs:
        for finding in run.findings:
            if finding.verdict is Verdict.VIOLATES:
                violation(run, finding, console)
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


def violation(run: Run, finding: Finding, console: Console) -> None:
    """A violated MUST in full, a violated SHOULD in one line."""
    remedy = words.remedy(run, finding)
    style = "bold red" if finding.level is Level.MUST else "yellow"
    head = Text(words.headline(run, finding))
    head.stylize(style, 0, len(f"{finding.clause} {finding.level}"))
    console.print()
    console.print(head, soft_wrap=True)
    if finding.level is Level.SHOULD:
        console.print(Text(f"  {words.briefly(finding)}"), soft_wrap=True)
        return
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
