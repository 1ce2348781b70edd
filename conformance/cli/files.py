"""The files that commands write: checked before anything is judged, and written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from conformance.cli.statuses import cannot_write
from conformance.errors import ConformanceError
from conformance.files import is_replaceable, mode_of, write_whole
from conformance.records.record import Record, read

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
FILE = click.Path(dir_okay=False, readable=False, allow_dash=True, path_type=Path)
READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)
STDOUT = Path("-")
"""As the name of a file to write: standard output."""


def check_outputs(inputs: Iterable[Path] = (), **files: Path | None) -> None:
    """Raises click's BadParameter for a file that cannot be written, is written twice, or is an input of the command; the
    keywords are the options' names.
    """
    taken = {_identity(path): "is read by this command" for path in inputs}
    for option, path in files.items():
        if path is None:
            continue
        reason = _unwritable(path)
        if reason is None and (path == STDOUT or is_replaceable(path)):  # a device takes any number
            reason = taken.get(_identity(path))
            taken[_identity(path)] = f"is what --{option} writes, too"
        if reason is not None:
            raise click.BadParameter(f"{path} {reason}", param_hint=f"--{option.replace('_', '-')}")


def _identity(path: Path) -> str:
    return "-" if path == STDOUT else os.path.realpath(path)


def _unwritable(path: Path) -> str | None:
    """Why that file cannot be written, as far as can be told without touching it; None where it can."""
    if path == STDOUT:
        return None
    mode = mode_of(path)
    if mode is None:
        folder = Path(os.path.realpath(path)).parent
        if not folder.is_dir():
            return f"cannot be written: {folder} is not a folder"
        return None if os.access(folder, os.W_OK | os.X_OK) else f"cannot be written: {_denied(folder)}"
    if stat.S_ISBLK(mode):
        return "is a block device: nothing of ours belongs there"
    return None if os.access(path, os.W_OK) else f"cannot be written: {_denied(path)}"


def _denied(path: Path) -> str:
    return f"{path}: {os.strerror(errno.EACCES)}"


def write(path: Path, content: str | bytes) -> None:
    """Write a text (in UTF-8) or bytes to a file, or to standard output for -. Raises Ended where it cannot be written."""
    if path == STDOUT:
        click.echo(content.encode("utf-8") if isinstance(content, str) else content, nl=False)
        return
    try:
        write_whole(path, content)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise cannot_write(path, error) from error


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
    """An option that names a file to write, or - for standard output."""
    return click.option(f"--{option}", f"{option}_file", type=FILE, metavar="FILE", help=what)
