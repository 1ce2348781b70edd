"""An audit on the terminal: verdict, cause, evidence, what was not asked, in that order; a screen for a file."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from conformance.auditing.report import FileReport, Report
from conformance.reports import audit_words as words
from conformance.reports.words import visible

EXAMPLES = 3


def render(report: Report, console: Console) -> None:
    """Print the whole report."""
    for place, file in enumerate(report.files):
        if place:
            console.print()
        for indent, text in _lines(file):
            for line in Text.from_markup(text).wrap(console, max(console.width - indent, 20), overflow="fold") or [Text()]:
                line.rstrip()
                console.print(Text(" " * indent) + line)


def _lines(file: FileReport) -> Iterator[tuple[int, str]]:
    mark = "[bold red]impossible[/]" if file.impossible else "[green]nothing impossible[/]"
    mark = "[yellow]too little to check[/]" if file.too_little and not file.impossible else mark
    if not file.impossible and not file.too_little and (flags := words.untold(file)):
        mark += f" as far as was told; {', '.join(flags)} would decide more"
    yield 0, f"[bold]{escape(visible(file.file))}[/] ({file.form}): {mark}"
    yield 2, escape(words.verdict(file))
    yield 2, escape("Configured: " + words.configured(file))
    for sentence in words.causes(file):
        yield 2, f"[bold]{escape(sentence)}[/]"
    for check in words.broken(file):
        yield 0, ""
        share = f"{check.impossible:,} of {check.asked:,}"
        yield 2, f"[bold]{check.id}[/]: {escape(check.statement)} Impossible at {share}."
        for example in words.examples(file, check, EXAMPLES):
            yield 4, escape(example)
        if check.premise:
            yield 4, escape(f"Taken for granted: {check.premise}.")
    told = [("Seen", words.notices(file)), ("Not read", words.cuts(file, EXAMPLES))]
    told.append(("Not asked, or not decided by it", [f"{check.id}: {check.needs}" for check in words.unasked(file)]))
    for title, lines in told:
        if lines:
            yield 0, ""
            yield 2, f"[bold]{title}[/]"
            yield from ((4, escape(line)) for line in lines)
    if file.impossible:
        yield 0, ""
        yield 2, f"Proofs: {words.PAGE}."
