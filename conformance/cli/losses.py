"""`dpo-conformance losses`: every loss on one set of pairs."""

from __future__ import annotations

import click
from rich.table import Table
from rich.text import Text

from conformance.cli.consoles import Console


@click.command("losses")
@click.option("--variants", is_flag=True, help="The known wrong variants too, each by its sentence.")
def command(variants: bool) -> None:
    """Print the exact mean of every loss over six pairs that tell losses apart, at its defaults, to 12 digits; where label
    smoothing is 0 by default, with it too.

    The pairs are those of docs/any-loss.md. What a library returns on them is in that column, or it computes something else:
    `dpo-conformance identify` says what, and docs/losses-by-library.md what released libraries do.
    """
    from conformance.reports.losses import table  # noqa: PLC0415 - only where it is asked for

    found = Table("loss", "parameters", "exact mean", title="six pairs, exact", title_justify="left")
    for name, told, value in table():
        if variants or not name.startswith(" "):
            found.add_row(name, Text(told), value)
    Console(highlight=False).print(found)
