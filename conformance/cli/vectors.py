"""`dpo-conformance vectors`: the test vectors as files; check them, write them, list them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from conformance.cli.consoles import Console
from conformance.cli.progress import Bar
from conformance.vectorgen import folder as folders
from conformance.vectorgen.chapters import NOTES
from conformance.vectorgen.problems import BadVectors

_FOLDER = click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the files are. Default: the folder that comes with this package.",
)
_SHOWN = 20
"""Problems printed at the most, unless all are asked for."""


@click.group("vectors")
def command() -> None:
    """Test vectors for code in any language: JSON files of inputs, exact values and accepted bits.

    docs/vectors.md says what is in them and how to use them.
    """


@command.command("check")
@_FOLDER
@click.option("--all", "everything", is_flag=True, help=f"Print every problem, not the first {_SHOWN}.")
def check(folder: Path | None, everything: bool) -> None:
    """Generate the vectors anew by the oracle and compare the files byte for byte.

    Also validates them by their schema, lints their words, and makes sure that no id vanished or was used again. Exit
    status: 0 where nothing differs, 1 where something does; each line names the file, the test and the field.
    """
    place = folder or folders.shipped()
    try:
        with Bar() as bar:
            problems = folders.check(place, progress=_chapter_shown(bar))
    except BadVectors as error:
        problems = list(error.problems)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.UsageError(f"{error.filename}: {error.strerror}") from error
    shown = problems if everything else problems[:_SHOWN]
    for problem in shown:
        click.echo(str(problem))
    if len(shown) < len(problems):
        click.echo(f"... and {len(problems) - len(shown)} more; --all prints them.")
    if problems:
        sys.exit(1)
    files = _files(place)
    click.echo(f"{sum(file['numberOfTests'] for file in files)} vectors in {len(files)} files: all as generated.")


@command.command("write")
@_FOLDER
def write(folder: Path | None) -> None:
    """Generate the vectors by the oracle and write the files that change.

    Nothing is written unless all of it is valid. Exit status: 0 where it was written, 1 where it is not valid.
    """
    place = folder or folders.shipped()
    try:
        with Bar() as bar:
            changed = folders.write(place, progress=_chapter_shown(bar))
    except BadVectors as error:
        click.echo(f"{error}\nNothing was written.", err=True)
        sys.exit(1)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.UsageError(f"{error.filename}: {error.strerror}") from error
    for name in changed:
        click.echo(f"{place / name}: {'written' if (place / name).exists() else 'removed'}")
    if not changed:
        click.echo("Nothing changed.")


@command.command("list")
@click.argument("flag", required=False)
@_FOLDER
def show(flag: str | None, folder: Path | None) -> None:
    """List the files and the flags; or one FLAG, with its note and its tests."""
    place = folder or folders.shipped()
    console = Console(highlight=False)
    files = _files(place)
    if flag is None:
        _overview(console, place, files)
        return
    named = next((name for name in NOTES if name.lower() == flag.lower()), None)
    if named is None:
        raise click.UsageError(f"no flag {flag!r}: `dpo-conformance vectors list` lists them")
    _one(console, named, files)


@command.command("losses")
@click.option("--check", "checked", is_flag=True, help="Write nothing: fail where a file is not what would be written.")
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
def losses(folder: Path | None, checked: bool) -> None:
    """Write the vectors of every loss to FOLDER: two batches each, exact, with what is accepted in each format, and with the
    known wrong variants that they catch as flags. By default to the folder that ships. Nothing is written unless all of it is
    of the schema. Exit status: 0 where it was written or nothing differs, 1 where something does.
    """
    from conformance.vectorgen import losses as made  # noqa: PLC0415 - only where they are asked for

    place = folder or made.FOLDER
    if checked:
        problems = made.check(place)
        for problem in problems[:_SHOWN]:
            click.echo(str(problem))
        if problems:
            sys.exit(1)
        click.echo(f"{place}: as they would be written")
        return
    try:
        click.echo(f"{len(made.write(place))} files in {place}")
    except OSError as error:
        raise click.UsageError(f"{place}: {error.strerror}") from error


def _overview(console: Console, place: Path, files: list[dict[str, Any]]) -> None:
    console.print(Text(f"{place}\n"), soft_wrap=True)
    table = Table("file", "tests", "kB", "about", title="files", title_justify="left")
    for file in files:
        size = (place / f"{file['chapter']}.json").stat().st_size
        table.add_row(f"{file['chapter']}.json", str(file["numberOfTests"]), f"{size / 1000:.0f}", file["about"])
    console.print(table)
    flags = Table("flag", "tests", "kind of bug", "what the code does", title="flags", title_justify="left")
    for name, note in NOTES.items():
        flags.add_row(name, str(len(_carrying(name, files))), note.bug, note.description)
    console.print(flags)


def _one(console: Console, name: str, files: list[dict[str, Any]]) -> None:
    note = NOTES[name]
    console.print(Text.assemble((name, "bold"), f"  {note.bug}"))
    for heading, text in (("What the code does", note.description), ("What that does to a run", note.effect)):
        console.print(Text(f"\n{heading}", style="bold"))
        console.print(Text(text))
    if note.links:
        console.print(Text("\nWhere it was met", style="bold"))
        for link in note.links:
            console.print(Text(f"  {link}"), soft_wrap=True)
    console.print(Text("\nTests", style="bold"))
    for test in _carrying(name, files):
        console.print(Text(f"  {test['id']:<24}{test['comment']}"), soft_wrap=True)


def _carrying(flag: str, files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [test for file in files for test in file["tests"] if flag in test["flags"]]


def _files(place: Path) -> list[dict[str, Any]]:
    """The files of a folder, by name. Raises UsageError, naming the one that cannot be read."""
    files = []
    for path in sorted(place.glob("*.json")):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise click.UsageError(f"{path}: {error}") from error
        problems = folders.invalid(path.name, data)
        if problems:
            raise click.UsageError(str(problems[0]))
        files.append(data)
    return files


def _chapter_shown(bar: Bar) -> Callable[[str, int, int], None]:
    def advance(chapter: str, number: int, total: int) -> None:
        bar.show(number - 1, total, description=chapter)

    return advance
