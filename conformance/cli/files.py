"""The files that commands write: checked before anything is judged, and written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from conformance.errors import ConformanceError
from conformance.files import write_whole
from conformance.records.record import Record, read

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
FILE = click.Path(dir_okay=False, path_type=Path)
READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)


def check_folders(**files: Path | None) -> None:
    """Raises click's BadParameter for a file whose folder is not there; the keywords are the options' names."""
    for option, path in files.items():
        if path is not None and not path.absolute().parent.is_dir():
            raise click.BadParameter(f"{path.parent} is not a folder", param_hint=f"--{option}")


def write(path: Path, text: str) -> None:
    """Write a text, or say as wrong usage why it cannot be written."""
    try:
        write_whole(path, text)
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror or error}") from error


def read_record(path: Path) -> Record:
    """The record in a file, or wrong usage that says what is wrong with it, and where."""
    return reading(read, path)


def reading(reader: Callable[[Path], T], path: Path) -> T:
    """What a reader makes of a file, or wrong usage that says what is wrong with it, and where."""
    try:
        return reader(path)
    except ConformanceError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror or error}") from error


def output(option: str, what: str) -> Callable[[F], F]:
    """An option that names a file to write."""
    return click.option(f"--{option}", f"{option}_file", type=FILE, metavar="FILE", help=what)
