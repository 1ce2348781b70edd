"""`dpo-conformance run`: judge implementations and print the matrix."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from conformance.errors import ConformanceError
from conformance.profiles import PROFILES
from conformance.record import Record, Verdict
from conformance.reports import terminal
from conformance.runner import TIME_LIMIT, judge


@click.command("run")
@click.argument("implementations", nargs=-1, required=True, metavar="IMPLEMENTATION...")
@click.option("--dtype", "dtypes", multiple=True, metavar="D", help="A format to judge in; repeatable. Default: all four.")
@click.option("--profile", type=click.Choice(list(PROFILES)), default="quick", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="What random inputs follow from.")
@click.option(
    "--time-limit", type=click.FloatRange(min=1), default=TIME_LIMIT, show_default=True, help="Seconds a clause may take."
)
@click.option("--in-process", is_flag=True, help="Judge in this process: to debug the implementation.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the record there.")
def command(
    implementations: tuple[str, ...],
    dtypes: tuple[str, ...],
    profile: str,
    seed: int,
    time_limit: float,
    in_process: bool,
    json_file: Path | None,
) -> None:
    """Judge IMPLEMENTATION... clause by clause against the oracle, and print the matrix.

    An IMPLEMENTATION is a name from `dpo-conformance list`, or package.module:attribute, or path/to/file.py:attribute,
    or 'process:COMMAND LINE' for a program in any language (docs/process.md).

    Exit status: 0 where every MUST conforms, 1 where one is violated, 2 for wrong usage, an implementation that cannot
    be loaded, or one that was judged in no format at all: what was not run is never a pass.
    """
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise click.BadParameter(f"{json_file.parent} is not a folder", param_hint="--json")
    try:
        with _Bar() as bar:
            record = judge(
                *implementations,
                dtypes=dtypes or None,
                profile=profile,
                seed=seed,
                isolate=not in_process,
                time_limit=time_limit,
                progress=bar.advance,
            )
        if json_file is not None:
            record.write(json_file)
    except ConformanceError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.UsageError(f"{json_file}: {error.strerror or error}") from error
    terminal.render(record, Console(highlight=False, soft_wrap=False))
    sys.exit(_status(record))


def _status(record: Record) -> int:
    """1 where a MUST is violated; 2 where an implementation was judged in no format; else 0."""
    if not record.conforms:
        return 1
    judged = {(run.implementation, run.source) for run in record.runs if run.verdict is Verdict.CONFORMS}
    unjudged = sorted({(run.implementation, run.source) for run in record.runs} - judged)
    if unjudged:
        click.echo(f"Not judged in any format: {', '.join(name for name, _ in unjudged)}.", err=True)
    return 2 if unjudged else 0


class _Bar:
    """A progress bar on a terminal, nothing in a pipe."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        console = Console(stderr=True)
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, implementation: str, clause: str, number: int, total: int) -> None:
        """Show which clause is being checked."""
        self._progress.update(self._task, description=f"{implementation} {clause}", completed=number, total=total)
