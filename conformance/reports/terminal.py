"""The terminal report: the matrix, why it violates, the smallest input that shows it, and the evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from rich.box import SIMPLE
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from conformance.records.record import Finding, Level, Record, Run, Verdict
from conformance.reports import causes, words

STYLES = {
    Verdict.CONFORMS: "green",
    Verdict.VIOLATES: "bold red",
    Verdict.NOT_CLAIMED: "dim",
    Verdict.NOT_RUN: "yellow",
}

STYLE_OF = {Level.MUST: "bold red", Level.SHOULD: "yellow"}
KERNEL = ("loss", "d loss")
"""What the kernel's errors are of."""
MOST_LINES = 18
"""Lines of evidence, beside the diagnosis; what is beyond is counted."""


def render(record: Record, console: Console, *, every_clause: bool = False, full: bool = False) -> None:
    """The report of a record, on that console: the matrix, why it violates, the evidence in short, and last what the reader
    of a log's end needs to know.

    With `every_clause` also the largest rho of each clause, of what conforms too. With `full` each violated MUST in full.
    """
    console.print(matrix(record.runs, console.width))
    if every_clause:
        for name, source in dict.fromkeys((run.implementation, run.source) for run in record.runs):
            console.print(Text(f"{words.visible(name)}: the largest ρ of each clause", style="italic"), soft_wrap=True)
            console.print(clauses([run for run in record.runs if (run.implementation, run.source) == (name, source)]))
    for told in causes.told(record):
        diagnosis(told, console)
    violated = [(run, found) for run in record.runs for found in run.findings if found.verdict is Verdict.VIOLATES]
    if full:
        for level, tell in ((Level.MUST, violation), (Level.SHOULD, shortly)):
            for run, finding in violated:
                if finding.level is level:
                    tell(run, finding, console)
    elif violated:
        for run in _undiagnosed(record):
            violation(run, min(run.violated, key=partial(words.consequent, run)), console)
        evidence(record, console)
    console.print()
    for line in words.violated(record):
        console.print(Text(line, style="bold red"))
    console.print(Text(words.summary(record)))


def diagnosis(told: causes.Told, console: Console) -> None:
    """One cause, with its cure and the smallest input that shows it."""
    console.print()
    head, *rest = causes.lines(told, min(console.width, 100))
    console.print(Text(head, style="bold red"), soft_wrap=True)
    for line in rest:
        console.print(Text(line), soft_wrap=True)


def _undiagnosed(record: Record) -> list[Run]:
    """For each implementation that violates a MUST and of which no cause is known, its first run that does."""
    known = {(run.implementation, run.source) for run in record.runs if run.diagnosis is not None}
    first: dict[tuple[str, str], Run] = {}
    for run in record.runs:
        if run.violated and (run.implementation, run.source) not in known:
            first.setdefault((run.implementation, run.source), run)
    return list(first.values())


def evidence(record: Record, console: Console) -> None:
    """Each violated clause in a line, its formats together; the MUSTs first."""
    rows = _evidence(record)
    console.print()
    console.print(Text("the evidence, by clause; --full tells each at its worst input:", style="dim"), soft_wrap=True)
    for level, clause, title, share in rows[:MOST_LINES]:
        told = Text(title)  # it is what gives way: how many is nowhere else
        told.truncate(max(console.width - cell_len(clause + share), 8), overflow="ellipsis")
        console.print(Text.assemble((clause, STYLE_OF[level]), told, share), no_wrap=True, overflow="ellipsis", crop=True)
    if len(rows) > MOST_LINES:
        console.print(Text(f"  and {len(rows) - MOST_LINES:,} clauses more", style="dim"))


def _evidence(record: Record) -> list[tuple[Level, str, str, str]]:
    """(level, its clause, its title, of whom and how many) of each violated clause of each implementation."""
    found: dict[tuple[str, str, str], list[tuple[Run, Finding]]] = {}
    for run in record.runs:
        for finding in run.findings:
            if finding.verdict is Verdict.VIOLATES:
                found.setdefault((run.implementation, run.source, finding.clause), []).append((run, finding))
    several = len({key[:2] for key in found}) > 1
    judged = {run.format for run in record.runs if run.judged}
    lines: list[tuple[Level, str, str, str]] = []
    for (name, source, clause), pairs in found.items():
        who = f" ({source or name})" if several else ""
        formats = [run.format for run, _ in pairs]
        within = "" if len(formats) == len(judged) else f" in {', '.join(formats)}"
        share = f"{sum(f.violations for _, f in pairs):,} of {sum(f.points for _, f in pairs):,}"
        level = pairs[0][1].level
        told = words.visible(f"{who}, {share}{within}")
        lines.append((level, f"  {words.visible(clause)} {level}: ", words.visible(words.clause(clause).title), told))
    return sorted(lines, key=lambda line: line[0] is not Level.MUST)


NARROW = 76
"""Columns below which the first column is headed in a word."""
WIDE = 100
"""Columns from which the worst input is told to six digits and not to three."""
LEAST = 14
"""Columns of a worst input; where there are fewer, the errors of the kernel give way to it."""
LABEL = 24
"""Columns of the longest name that is not folded."""


def matrix(runs: Iterable[Run], width: int = 100) -> Table:
    """One row for each implementation in each format: verdict, worst errors where there is room, and the worst input."""
    gap = 2 if width >= WIDE else 1
    table = Table(title="implementation × format", title_justify="left", box=SIMPLE, pad_edge=False, padding=(0, 1, 0, gap - 1))
    runs = list(runs)
    rows = [(run.format, str(run.verdict), *map(partial(words.kernel_ulp, run), KERNEL), words.worst_rho(run)) for run in runs]
    headings = ("format", "verdict", "value\nulp", "gradient\nulp", "ρ")
    widths = [
        max(cell_len(text) for cell in column for text in cell.split("\n")) for column in zip(headings, *rows, strict=True)
    ]
    named_in = "implementation" if width >= NARROW else "name"
    labels = _labels(runs)
    label = min(LABEL, max(map(cell_len, (named_in, *labels))))
    spent = label + sum(widths) + (gap + 1) * (len(widths) + 2) + 1
    kernel = any(map(any, (row[2:4] for row in rows))) and width - spent >= LEAST
    # of a width of its own, as rich would narrow it, and cut the last column short, where there is little room
    table.add_column(named_in, overflow="fold", width=label)
    shown = (0, 1, 2, 3, 4) if kernel else (0, 1, 4)
    for place in shown:
        table.add_column(headings[place], justify="left" if place < 2 else "right", no_wrap=True)
    table.add_column("worst input\nz, or (pc, pr, rc, rr) β ε", overflow="fold")
    for run, named, row in zip(runs, labels, rows, strict=True):
        if named and table.row_count:
            table.add_section()
        cells = [Text(row[place], style=STYLES[run.verdict] if place == 1 else "") for place in shown]
        table.add_row(Text(named), *cells, Text(words.worst_input(run, 6 if width >= WIDE else 3)))
    return table


def _labels(runs: Sequence[Run]) -> list[str]:
    """The name of each run's implementation, with its source where two have one name; empty beneath the same."""
    sources: dict[str, set[str]] = {}
    for run in runs:
        sources.setdefault(run.implementation, set()).add(run.source)
    named = [
        f"{run.implementation} ({run.source})" if len(sources[run.implementation]) > 1 else run.implementation for run in runs
    ]
    return ["" if place and name == named[place - 1] else words.visible(name) for place, name in enumerate(named)]


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
    measured = finding.worst is not None and finding.verdict.judged
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
        for line in words.details(finding.worst, run):
            console.print(Text(f"  {line}"), soft_wrap=True)
        console.print(Text("  to see it again:", style="dim"))
        for line in words.snippet(run, finding.worst, finding.clause):
            console.print(Text(f"    {line}"), soft_wrap=True)
    if remedy:
        console.print(Text("  what usually mends it:", style="dim"))
        console.print(Padding(Text(remedy), (0, 0, 0, 4)))
    console.print(Text(f"  more: dpo-conformance explain {finding.clause}", style="dim"))


def _head(run: Run, finding: Finding, console: Console) -> None:
    head = Text(words.headline(run, finding))
    head.stylize("bold red" if finding.level is Level.MUST else "yellow", 0, len(f"{finding.clause} {finding.level}"))
    console.print(head, soft_wrap=True)
