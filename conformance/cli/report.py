"""`dpo-conformance report`: a saved record, in any form; several of them as one web page."""

from __future__ import annotations

import io
from pathlib import Path

import click

from conformance.cli.consoles import Console
from conformance.cli.files import READABLE, STDOUT, check_outputs, output, read_record, reading, write
from conformance.records.record import Record
from conformance.reports import html, terminal
from conformance.reports.forms import FORMS


@click.command("report")
@click.argument("record_files", metavar="RECORD...", nargs=-1, required=True, type=READABLE)
@click.option("--form", type=click.Choice(["terminal", *FORMS]), default="terminal", show_default=True)
@click.option(
    "--sweep",
    "sweep_files",
    multiple=True,
    metavar="FILE",
    type=READABLE,
    help="With --form html: a report that `sweep --json` wrote, drawn over z; repeatable.",
)
@click.option(
    "--audit",
    "audit_files",
    multiple=True,
    metavar="FILE",
    type=READABLE,
    help="With --form html: a report that `audit --json` wrote, a section of the page; repeatable.",
)
@click.option("--clauses", is_flag=True, help="With --form terminal: the largest ρ of every clause too.")
@click.option("--full", is_flag=True, help="With --form terminal: each violation at its worst input.")
@output("output", "Write it there and not to standard output.")
def command(
    record_files: tuple[Path, ...],
    form: str,
    sweep_files: tuple[Path, ...],
    audit_files: tuple[Path, ...],
    clauses: bool,
    full: bool,
    output_file: Path | None,
) -> None:
    """Render a saved RECORD, as `run` renders it; with --form html several, side by side.

    Exit status: 0 where it was rendered, whatever it says; 2 for wrong usage, or a record that was truncated or edited.
    """
    check_outputs((*record_files, *sweep_files, *audit_files), output=output_file)
    if form != "html" and (len(record_files) > 1 or sweep_files or audit_files):
        raise click.UsageError(f"--form {form} takes one RECORD, no --sweep and no --audit; --form html takes several of each")
    if form != "terminal" and (clauses or full):
        option = "--clauses" if clauses else "--full"
        raise click.UsageError(f"{option} is for --form terminal; --form {form} has what it has")
    records = [read_record(path) for path in record_files]
    if form == "html":
        text = _page(record_files, records, sweep_files, audit_files)
    else:
        text = _terminal(records[0], output_file is None, clauses, full) if form == "terminal" else FORMS[form](records[0])
    write(output_file or STDOUT, text)


def _page(paths: tuple[Path, ...], records: list[Record], sweep_files: tuple[Path, ...], audit_files: tuple[Path, ...]) -> str:
    from conformance.auditing import report as audited  # noqa: PLC0415 - NumPy and the oracle, where an audit is shown
    from conformance.sweep import report as swept  # noqa: PLC0415 - the same, where a sweep is drawn

    sweeps, audits = [reading(swept.read, path) for path in sweep_files], [reading(audited.read, path) for path in audit_files]
    labels = _labels(paths) if len(records) > 1 else [""]
    return html.page(list(zip(labels, records, strict=True)), sweeps, audits)


def _labels(paths: tuple[Path, ...]) -> list[str]:
    """A name for each record: its file's stem, or the whole path where stems are shared."""
    stems, whole = [path.stem for path in paths], [str(path) for path in paths]
    if len(set(whole)) < len(whole):
        raise click.UsageError(f"{next(path for path in whole if whole.count(path) > 1)} is given twice")
    return stems if len(set(stems)) == len(stems) else whole


def _terminal(record: Record, shown: bool, clauses: bool, full: bool) -> str:
    """The terminal's text: with its width and colours where it goes to one, else plain."""
    out = io.StringIO()
    here = Console()
    colour = shown and here.is_terminal
    console = Console(file=out, highlight=False, force_terminal=colour, width=here.width if shown else 100)
    terminal.render(record, console, every_clause=clauses, full=full)
    return out.getvalue()
