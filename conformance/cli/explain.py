"""`dpo-conformance explain`: one clause in full."""

from __future__ import annotations

import click
from rich.markdown import Markdown
from rich.text import Text

from conformance.clauses import find
from conformance.cli.consoles import Console
from conformance.errors import ConformanceError


@click.command("explain")
@click.argument("clause")
def command(clause: str) -> None:
    """Print a CLAUSE's statement, level, derivation, remedy, links, and the mutants that it kills."""
    try:
        found = find(clause)
    except ConformanceError as error:
        raise click.UsageError(str(error)) from error
    console = Console(highlight=False)
    console.print(Text.assemble((found.id, "bold"), f"  {found.level}  {found.title}"))
    for heading, text in (
        ("Statement", found.statement),
        ("Derivation", found.derivation),
        ("What usually mends a violation", found.remedy),
    ):
        if text:
            console.print(Text(f"\n{heading}", style="bold"))
            console.print(Markdown(text))
    if found.needs:
        console.print(Text("\nApplies to implementations that claim", style="bold"))
        console.print("  " + ", ".join(sorted(found.needs)))
    for heading, items in (("Guards against", found.guards), ("Mutants that it kills", found.kills)):
        if items:
            console.print(Text(f"\n{heading}", style="bold"))
            for item in items:
                console.print(Text(f"  {item}"), soft_wrap=True)
