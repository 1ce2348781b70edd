"""`dpo-conformance run`: judge implementations and print the matrix."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from conformance.clauses import CLAUSES, select
from conformance.cli.consoles import Console
from conformance.cli.files import STDOUT, check_outputs, output, write
from conformance.cli.progress import Bar
from conformance.cli.smoke import show_first_answers
from conformance.cli.statuses import Ended, stopped
from conformance.errors import ConformanceError
from conformance.files import is_replaceable
from conformance.inputs.profiles import PROFILES
from conformance.records.record import Record
from conformance.reports import terminal, words
from conformance.reports.forms import FORMS
from conformance.running.job import Interpreter
from conformance.running.runner import TIME_LIMIT, Interrupted, judge

INSTALLERS = ("uv", "pip")
WRITTEN = ("json", "markdown", "junit", "html")


@click.command("run")
@click.argument("implementations", nargs=-1, required=True, metavar="IMPLEMENTATION...")
@click.option("--dtype", "dtypes", multiple=True, metavar="D", help="A format to judge in; repeatable. Default: all four.")
@click.option("--loss", "claimed", multiple=True, metavar="NAME", help="Judge as this loss, of those claimed; repeatable.")
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
@click.option(
    "--clause", "-c", "chosen", multiple=True, metavar="ID", help="A clause or a chapter, such as KERNEL; repeatable."
)
@click.option("--fail-fast", is_flag=True, help="End at the first violated MUST; the record is then incomplete.")
@click.option("--stamp", default="", metavar="TEXT", help="What `gate --stamp` is to know the record by: a job's number.")
@click.option("--clauses", is_flag=True, help="Print the largest ρ of every clause too, of those that conform as well.")
@click.option("--full", is_flag=True, help="Print each violation at its worst input.")
@click.option("--quiet", "-q", is_flag=True, help="Print the verdict alone, and no progress.")
@click.option("--smoke", is_flag=True, help="Judge nothing: ask each for one pair in each format, and show what it says.")
@click.option("--annotations", is_flag=True, help="Print GitHub annotations too.")
def command(
    implementations: tuple[str, ...],
    dtypes: tuple[str, ...],
    claimed: tuple[str, ...],
    profile: str,
    seed: int,
    time_limit: float,
    isolated: bool,
    installer: str,
    in_process: bool,
    chosen: tuple[str, ...],
    fail_fast: bool,
    stamp: str,
    clauses: bool,
    full: bool,
    quiet: bool,
    smoke: bool,
    annotations: bool,
    **outputs: Path | None,
) -> None:
    """Judge IMPLEMENTATION... clause by clause against the oracle, and print the matrix.

    An IMPLEMENTATION is a name from `dpo-conformance list`, or package.module:attribute, or path/to/file.py:attribute,
    or 'process:COMMAND LINE' for a program in any language (docs/process.md).

    Without --isolated it is judged with what is installed here. With it, what the implementation's file states in its
    inline script metadata (PEP 723) is installed into an environment of its own, once, and it is judged there; uv's and
    pip's own environment variables hold, such as UV_TORCH_BACKEND=cpu or PIP_CONSTRAINT.

    Exit status: 0 where every MUST conforms, 1 where one is violated, 2 for wrong usage, an implementation that cannot
    be loaded, or one that was judged in no format at all: what was not run is never a pass. After Ctrl-C it is 130, after
    SIGTERM 143: what was judged until then is reported and written, and marked incomplete, which the gate refuses.
    """
    implementations = as_losses(implementations, claimed)
    files = {form: outputs[f"{form}_file"] for form in WRITTEN}
    check_outputs((Path(name.rpartition(":")[0]) for name in implementations if ".py:" in name), **files)
    elsewhere = STDOUT in files.values()
    _refuse_together({"--isolated": isolated, "--in-process": in_process})
    if elsewhere and annotations:
        raise click.UsageError("--annotations go to standard output, which a report has taken")
    try:
        if smoke:
            sys.exit(show_first_answers(implementations, dtypes, time_limit))
        record, status = _judged(
            implementations,
            shown=not quiet,
            kept=files["json"],
            dtypes=dtypes or None,
            profile=profile,
            seed=seed,
            clauses=select(chosen) if chosen else CLAUSES,
            isolate=not in_process,
            time_limit=time_limit,
            interpreters=prepared(implementations, installer) if isolated else {},
            fail_fast=fail_fast,
            stamp=stamp,
        )
    except ConformanceError as error:
        raise click.UsageError(str(error)) from error
    failed = _written(record, files)
    _show(record, Console(highlight=False, soft_wrap=False, stderr=elsewhere), quiet, clauses, full)
    if annotations:
        click.echo(FORMS["annotations"](record), nl=False)
    if failed is not None:
        raise failed
    if status:
        raise _ended(status, record, files)
    sys.exit(_status(record))


def _refuse_together(given: Mapping[str, bool]) -> None:
    """Raises UsageError where every one of those options is given."""
    if all(given.values()):
        raise click.UsageError(f"{' and '.join(given)} exclude each other")


def _judged(implementations: Sequence[str], *, shown: bool, kept: Path | None, **asked: Any) -> tuple[Record, int]:
    """The record, written to `kept` now and then, and the exit status of what stopped it, 0 for nothing."""
    try:
        with Bar(shown=shown) as bar:
            return judge(*implementations, progress=clause_shown(bar), checkpoint=Keeping(kept).keep, **asked), 0
    except Interrupted as error:
        return error.record, stopped(error)


def _ended(status: int, record: Record, files: Mapping[str, Path | None]) -> Ended:
    """What is said of a run that was stopped, and where what was judged until then is."""
    kept = ", ".join(str(path) for path in files.values() if path not in {None, STDOUT})
    where = record.incomplete[:1].upper() + record.incomplete[1:]
    return Ended(status, f"{where}. {f'Kept, as incomplete: {kept}.' if kept else 'Nothing is kept.'}")


def as_losses(implementations: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """Each implementation as each of the losses: NAME@LOSS. Raises UsageError for a loss that does not exist."""
    if not names:
        return implementations
    from oracle.losses import UnknownLoss, get_loss  # noqa: PLC0415 - only where a loss is named

    try:
        chosen = [get_loss(name).name for name in names]
    except UnknownLoss as error:
        raise click.UsageError(str(error)) from error
    return tuple(f"{implementation}@{name}" for implementation in implementations for name in chosen)


def _written(record: Record, files: Mapping[str, Path | None]) -> Ended | None:
    """Write every form that is asked for; the first failure, after which the others are still written."""
    failed = None
    for form, path in files.items():
        try:
            if path is not None:
                write(path, FORMS[form](record))
        except Ended as error:
            failed = failed or error
    return failed


def _show(record: Record, console: Console, quiet: bool, clauses: bool, full: bool) -> None:
    if quiet or not record.runs:
        for line in (*words.violated(record), words.summary(record)):
            console.print(Text(line), soft_wrap=True)
    else:
        terminal.render(record, console, every_clause=clauses, full=full)


class Keeping:
    """Writes the record as it stands now and then, so that a run that is killed leaves what was judged until then."""

    EVERY = 5.0
    """Seconds between two writings at the least."""
    SHARE = 20
    """So many times what a writing took goes by before the next."""

    def __init__(self, path: Path | None) -> None:
        self._path = path if path is not None and path != STDOUT and is_replaceable(path) else None
        self._due = time.monotonic() + self.EVERY

    def keep(self, so_far: Callable[[], Record]) -> None:
        """Write it, if it is time."""
        started = time.monotonic()
        if self._path is not None and started >= self._due:
            write(self._path, so_far().to_json())
            now = time.monotonic()
            self._due = now + max(self.EVERY, self.SHARE * (now - started))


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
        click.echo(f"Not judged in any format: {', '.join(map(words.visible, record.unjudged))}.", err=True)
    return 2 if record.unjudged else 0
