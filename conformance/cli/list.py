"""`dpo-conformance list`: what can be judged, and by what."""

from __future__ import annotations

import click
from rich.table import Table
from rich.text import Text

from conformance.clauses import EVERY
from conformance.cli.consoles import Console
from conformance.implementations import SHIPPED
from conformance.implementations.plugged import plugged
from oracle import FORMATS


@click.command("list")
def command() -> None:
    """List the implementations that ship, the formats, and the clauses."""
    console = Console(highlight=False)
    implementations = Table("implementation", "what it is", title="implementations", title_justify="left")
    for name, (_, what) in SHIPPED.items():
        implementations.add_row(name, what)
    for name, (place, distribution) in plugged().items():
        implementations.add_row(Text(name), Text(f"{place}, of {distribution}"))
    formats = Table("format", "p", "emin", "emax", "width", title="formats", title_justify="left")
    for fmt in FORMATS:
        formats.add_row(fmt.name, str(fmt.precision), str(fmt.emin), str(fmt.emax), str(fmt.width))
    clauses = Table("clause", "level", "title", title="clauses", title_justify="left")
    for clause in EVERY:
        clauses.add_row(clause.id, str(clause.level), clause.title)
    for table in (implementations, formats, clauses):
        console.print(table)
