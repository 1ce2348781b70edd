"""`dpo-conformance list`: what can be judged, and by what."""

from __future__ import annotations

import click
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from conformance.clauses import EVERY
from conformance.cli.consoles import Console
from conformance.implementations import SHIPPED
from conformance.implementations.plugged import plugged
from oracle import FORMATS


@click.command("list")
@click.option("--losses", is_flag=True, help="List the losses instead: what each takes, and what libraries call it.")
def command(losses: bool) -> None:
    """List the implementations that ship, the formats, and the clauses."""
    console = Console(highlight=False)
    if losses:
        console.print(of_losses())
        return
    implementations = _table("implementations", "implementation", "what it is")
    for name, (_, what) in SHIPPED.items():
        implementations.add_row(name, what)
    for name, (place, distribution) in plugged().items():
        implementations.add_row(Text(name), Text(f"{place}, of {distribution}"))
    formats = _table("formats", "format", "p", "emin", "emax", "width")
    for fmt in FORMATS:
        formats.add_row(fmt.name, *map(str, (fmt.precision, fmt.emin, fmt.emax, fmt.width)))
    clauses = _table("clauses", "clause", "level", "title")
    for clause in EVERY:
        clauses.add_row(clause.id, str(clause.level), clause.title)
    for table in (implementations, formats, clauses):
        console.print(table)


def _table(title: str, *columns: str) -> Table:
    """Nothing of a cell is left out, however narrow the terminal."""
    table = Table(title=title, title_justify="left", box=SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def of_losses() -> Table:
    """Every loss: what it is, its parameters with their defaults, and its names elsewhere."""
    from oracle.losses import LOSSES  # noqa: PLC0415 - only where they are listed

    table = _table("losses", "loss", "what it is", "parameters", "called")
    for loss in LOSSES.values():
        options = ", ".join(f"{name} {x:g}" for name, x in loss.defaults.items())
        called = "; ".join(f"{library}: {name}" for library, name in loss.aliases.items())
        table.add_row(loss.name, Text(loss.title), options, Text(called))
    return table
