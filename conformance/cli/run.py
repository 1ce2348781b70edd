"""`dpo-conformance run`: judge implementations and print the matrix."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from rich.console import Console

from conformance.cli.files import check_folders, output, write
from conformance.cli.progress import Bar
from conformance.errors import ConformanceError
from conformance.records.record import Record
from conformance.reports import terminal
from conformance.reports.forms import FORMS
from conformance.reports.words import visible
from conformance.running.isolation import Interpreter
from conformance.running.profiles import PROFILES
from conformance.running.runner import TIME_LIMIT, judge

INSTALLERS = ("uv", "pip")


@click.command("run")
@click.argument("implementations", nargs=-1, required=True, metavar="IMPLEMENTATION...")
@click.option("--dtype", "dtypes", multiple=True, metavar="D", help="A format to judge in; repeatable. Default: all four.")
@click.option("--profile", type=click.Choice(list(PROFILES)), default="quick", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="What random inputs follow from.")
@click.option(
    "--time-limit",
    type=click.FloatRange(min=1),
    default=TIME_LIMIT,
    show_default=True,
    help="Seconds for a call, and for a clause.",
)
@click.option("--isolated", is_flag=True, help="Judge each in an environment of its own, made from what it says it needs.")
@click.option(
    "--installer", type=click.Choice(INSTALLERS), default="uv", show_default=True, help="What makes those environments."
)
@click.option("--in-process", is_flag=True, help="Judge in this process: to debug the implementation.")
@output("json", "Write the record there: what `gate`, `diff` and `report` read.")
@output("markdown", "Write the report there, for a job's summary.")
@output("junit", "Write the report there, as JUnit XML.")
@output("html", "Write the report there, as one self-contained web page.")
@click.option("--clauses", is_flag=True, help="Print the largest ρ of every clause too, of those that conform as well.")
@click.option("--annotations", is_flag=True, help="Print GitHub annotations too.")
def command(
    implementations: tuple[str, ...],
    dtypes: tuple[str, ...],
    profile: str,
    seed: int,
    time_limit: float,
    isolated: bool,
    installer: str,
    in_process: bool,
    json_file: Path | None,
    markdown_file: Path | None,
    junit_file: Path | None,
    html_file: Path | None,
    clauses: bool,
    annotations: bool,
) -> None:
    """Judge IMPLEMENTATION... clause by clause against the oracle, and print the matrix.

    An IMPLEMENTATION is a name from `dpo-conformance list`, or package.module:attribute, or path/to/file.py:attribute,
    or 'process:COMMAND LINE' for a program in any language (docs/process.md).

    Without --isolated it is judged with what is installed here. With it, what the implementation's file states in its
    inline script metadata (PEP 723) is installed into an environment of its own, once, and it is judged there; uv's and
    pip's own environment variables hold, such as UV_TORCH_BACKEND=cpu or PIP_CONSTRAINT.

    Exit status: 0 where every MUST conforms, 1 where one is violated, 2 for wrong usage, an implementation that cannot
    be loaded, or one that was judged in no format at all: what was not run is never a pass.
    """
    files = {"json": json_file, "markdown": markdown_file, "junit": junit_file, "html": html_file}
    check_folders(**files)
    if isolated and in_process:
        raise click.UsageError("--isolated and --in-process exclude each other")
    try:
        interpreters = prepared(implementations, installer) if isolated else {}
        with Bar() as bar:
            record = judge(
                *implementations,
                dtypes=dtypes or None,
                profile=profile,
                seed=seed,
                isolate=not in_process,
                time_limit=time_limit,
                interpreters=interpreters,
                progress=clause_shown(bar),
            )
    except ConformanceError as error:
        raise click.UsageError(str(error)) from error
    for form, path in files.items():
        if path is not None:
            write(path, FORMS[form](record))
    terminal.render(record, Console(highlight=False, soft_wrap=False), every_clause=clauses)
    if annotations:
        click.echo(FORMS["annotations"](record), nl=False)
    sys.exit(_status(record))


def prepared(implementations: Iterable[str], installer: str) -> dict[str, Interpreter]:
    """The Python of each implementation's own environment; what takes long is told on standard error."""
    from conformance.running.environments import prepare  # noqa: PLC0415 - needed for isolated runs alone

    def told(line: str) -> None:
        click.echo(line, err=True)

    return {name: prepare(name, installer=installer, told=told) for name in implementations}


def clause_shown(bar: Bar) -> Callable[[str, str, int, int], None]:
    """What shows on `bar` which clause of which implementation is being checked."""

    def advance(implementation: str, clause: str, number: int, total: int) -> None:
        bar.show(number, total, description=f"{implementation} {clause}")

    return advance


def _status(record: Record) -> int:
    """1 where a MUST is violated; 2 where an implementation was judged in no format; else 0."""
    if not record.conforms:
        return 1
    if record.unjudged:
        click.echo(f"Not judged in any format: {', '.join(map(visible, record.unjudged))}.", err=True)
    return 2 if record.unjudged else 0
