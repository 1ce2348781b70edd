"""`dpo-conformance explain`: one clause in full."""

from __future__ import annotations

import re

import click
from rich.markdown import Markdown
from rich.padding import Padding
from rich.text import Text

from conformance.clauses import EVERY, Clause, select
from conformance.cli.consoles import Console
from conformance.errors import ConformanceError
from oracle.losses import LOSSES


@click.command("explain")
@click.argument("clause")
def command(clause: str) -> None:
    """Print a CLAUSE's statement, level, derivation, remedy, links, and the mutants that it kills; of a chapter, such as
    KERNEL, the clauses with their statements; of a loss, such as ipo_average, all that is known of it; of any other words,
    such as "label_smoothing ignored", the clauses that have all of them, those that mutants violate included.
    """
    console = Console(highlight=False)
    if clause in LOSSES:
        from conformance.reports.losses import page  # noqa: PLC0415 - only for a loss

        console.print(Markdown(page(LOSSES[clause])))
        return
    try:
        found = select([clause])
    except ConformanceError as error:
        speaking = [] if re.fullmatch(r"[A-Za-z]+-\d+", clause) else _speaking_of(clause)
        if not speaking:
            told = (
                f"{error}; and no clause has every word of it: fewer words find more" if " " in clause.strip() else str(error)
            )
            raise click.UsageError(told) from error
        for each in speaking:
            _head(each, console)
        return
    if "-" in clause:
        _explain(found[0], console)
        return
    for each in found:
        _head(each, console)
        console.print(Padding(Markdown(each.statement), (0, 0, 1, 2)))
    console.print(Text(f"more: dpo-conformance explain {found[0].id}"))


def _speaking_of(text: str) -> list[Clause]:
    """The clauses that have every word of the text, in any case and ending: "ignored" finds "ignores"."""
    words = [word for word in re.findall(r"[a-z_]+", text.lower()) if len(word) > 2]
    stems = [re.sub(r"(ed|es|ing|s)$", "", word) if len(word) > 4 else word for word in words]
    said = {
        each: " ".join((each.title, each.statement, each.derivation, each.remedy, *each.kills, *each.guards)) for each in EVERY
    }
    return [each for each, told in said.items() if stems and all(stem in told.lower() for stem in stems)]


def _head(clause: Clause, console: Console) -> None:
    console.print(Text.assemble((clause.id, "bold"), f"  {clause.level}  {clause.title}"), soft_wrap=True)


def _explain(found: Clause, console: Console) -> None:
    _head(found, console)
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
