"""`dpo-conformance report`: a saved record, in any form."""

from __future__ import annotations

import io
from pathlib import Path

import click
from rich.console import Console

from conformance.cli.files import READABLE, check_folders, output, read_record, write
from conformance.record import Record
from conformance.reports import terminal
from conformance.reports.forms import FORMS


@click.command("report")
@click.argument("record_file", metavar="RECORD", type=READABLE)
@click.option("--form", type=click.Choice(["terminal", *FORMS]), default="terminal", show_default=True)
@output("output", "Write it there and not to standard output.")
def command(record_file: Path, form: str, output_file: Path | None) -> None:
    """Render a saved RECORD, as `run` renders it.

    Exit status: 0 where it was rendered, whatever it says; 2 for wrong usage, or a record that was truncated or edited.
    """
    check_folders(output=output_file)
    record = read_record(record_file)
    text = _terminal(record, output_file is None) if form == "terminal" else FORMS[form](record)
    if output_file is None:
        click.echo(text, nl=False)
    else:
        write(output_file, text)


def _terminal(record: Record, shown: bool) -> str:
    """The terminal's text: with its width and colours where it goes to one, else plain."""
    out = io.StringIO()
    here = Console()
    colour = shown and here.is_terminal
    console = Console(file=out, highlight=False, force_terminal=colour, width=here.width if shown else 100)
    terminal.render(record, console)
    return out.getvalue()
