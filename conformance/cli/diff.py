"""`dpo-conformance diff`: what differs between two records, told for a reader."""

from __future__ import annotations

from pathlib import Path

import click

from conformance.cli.consoles import Console
from conformance.cli.files import READABLE, read_record
from conformance.errors import ConformanceError
from conformance.gate import compare
from conformance.records.record import Record
from conformance.reports import diff


@click.command("diff")
@click.argument("before", type=READABLE)
@click.argument("now", type=READABLE)
@click.option(
    "--map",
    "renamed",
    multiple=True,
    metavar="OLD=NEW",
    help="An implementation's name in each record; repeatable. Needless where each record has one.",
)
def command(before: Path, now: Path, renamed: tuple[str, ...]) -> None:
    """Tell what differs between two records: two versions of a library, two implementations, two machines.

    Exit status: 0 where they could be compared, whatever differs; 2 for wrong usage, another version of the suite, another
    seed or profile, or a record that was truncated or edited.
    """
    first, second = read_record(before), read_record(now)
    names = _renamed(renamed) or _alone(first, second)
    try:
        decision = compare(first, second, renamed=names, across_machines=True)
    except ConformanceError as error:
        raise click.UsageError(f"{before} and {now}: {error}") from error
    diff.render(decision, (str(before), str(now)), Console(highlight=False))


def _renamed(pairs: tuple[str, ...]) -> dict[str, str]:
    names: dict[str, str] = {}
    for pair in pairs:
        old, equals, new = pair.partition("=")
        if not (old and equals and new) or old in names or new in names.values():
            raise click.BadParameter(f"{pair!r}: OLD=NEW, each name once", param_hint="--map")
        names[old] = new
    return names


def _alone(before: Record, now: Record) -> dict[str, str]:
    """The one implementation of each record answers to the other, whatever their names."""
    old, new = ({run.implementation for run in record.runs} for record in (before, now))
    return {old.pop(): new.pop()} if len(old) == len(new) == 1 else {}
