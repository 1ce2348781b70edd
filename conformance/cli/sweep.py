"""`dpo-conformance sweep`: judge an implementation at every logit of a format."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import click

from conformance.cli.consoles import Console
from conformance.cli.files import STDOUT, check_outputs, output, write
from conformance.cli.progress import Bar
from conformance.cli.statuses import Ended, cannot_write, stopped
from conformance.errors import ConformanceError
from conformance.reports import plots, sweep_plot
from conformance.reports import sweep as text
from conformance.sweep import Report, sweep
from conformance.sweep.plan import SHARD_SIZE
from conformance.sweep.running import TIME_LIMIT

_FILE = click.Path(dir_okay=False, readable=False, path_type=Path)


@click.command("sweep")
@click.argument("implementation")
@click.option("--dtype", required=True, metavar="D", help="The format: binary16, bfloat16, binary32, binary64.")
@click.option("--from", "low", metavar="Z", help="The least logit, a number of the format. Default: the least there is.")
@click.option("--to", "high", metavar="Z", help="The largest logit, included. Default: the largest there is.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes. Default: one a CPU, fewer for a short range.")
@click.option("--scheduler", metavar="ADDRESS", help="Judge on a Dask cluster instead (needs the extra distributed).")
@click.option("--in-process", is_flag=True, help="Judge in this process: to debug the implementation.")
@click.option("--resume", type=_FILE, metavar="FILE", help="Keep finished shards there, and carry on from what is there.")
@click.option("--shard-size", type=click.IntRange(min=1), default=SHARD_SIZE, show_default=True, help="Logits of one shard.")
@click.option(
    "--time-limit",
    type=click.FloatRange(min=1),
    default=TIME_LIMIT,
    show_default=True,
    help="Seconds that a call may take, on a cluster a shard.",
)
@output("json", "Write the report there.")
@output("markdown", "Write the report there as Markdown.")
@click.option("--plot", "figure", type=_FILE, help="Draw the error over z there (needs matplotlib).")
def command(
    implementation: str,
    dtype: str,
    low: str | None,
    high: str | None,
    workers: int | None,
    scheduler: str | None,
    in_process: bool,
    resume: Path | None,
    shard_size: int,
    time_limit: float,
    json_file: Path | None,
    markdown_file: Path | None,
    figure: Path | None,
) -> None:
    """Judge IMPLEMENTATION at every finite logit of a format, or every one from Z to Z: the loss, and its derivatives in
    the policy's log-probabilities. The infinities and NaN are judged by `run`, chapter SPECIAL.

    An IMPLEMENTATION is a name from `dpo-conformance list`, or package.module:attribute, or path/to/file.py:attribute.
    The report is the same for any number of workers and size of shards, and whether it was resumed or not. Ctrl-C, or
    any other end, loses the shards that are under way; with --resume the same command carries on.

    Exit status: 0 where every logit conforms to the MUST of KERNEL-1 and KERNEL-2, 1 where one violates it or the
    implementation raises, dies or hangs, 2 for wrong usage, an implementation that cannot be loaded or swept, or a
    cluster that fails, 130 after Ctrl-C, 143 after SIGTERM.
    """
    if scheduler is not None and in_process:
        raise click.UsageError("--scheduler and --in-process exclude each other")
    _check_files(resume, json_file, markdown_file, figure)
    bar = Bar(implementation)
    pace = _Pace(bar)
    try:
        with _lent(scheduler) as (executor, width), bar:
            report = sweep(
                implementation,
                dtype,
                low=low,
                high=high,
                workers=workers or width,
                executor=executor,
                isolate=not in_process,
                shard_size=shard_size,
                time_limit=time_limit,
                resume=resume,
                progress=pace.advance,
            )
        _write(report, json_file, markdown_file, figure)
    except KeyboardInterrupt as error:
        raise Ended(stopped(error), pace.interrupted(resume)) from error
    except ConformanceError as error:
        raise click.UsageError(str(error)) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise cannot_write(error.filename or "standard output", error) from error
    text.render(report, Console(highlight=False, soft_wrap=False, stderr=STDOUT in (json_file, markdown_file)))
    sys.exit(0 if report.conforms else 1)


def _check_files(resume: Path | None, json_file: Path | None, markdown_file: Path | None, figure: Path | None) -> None:
    """Refuse now what could not be written after hours."""
    if figure is not None:
        try:
            plots.check(figure)
        except ConformanceError as error:
            raise click.BadParameter(str(error), param_hint="--plot") from error
    check_outputs(resume=resume)
    check_outputs(() if resume is None else (resume,), json=json_file, markdown=markdown_file, plot=figure)


def _write(report: Report, json_file: Path | None, markdown_file: Path | None, figure: Path | None) -> None:
    if json_file is not None:
        write(json_file, report.to_json())
    if markdown_file is not None:
        picture = "" if figure is None else Path(os.path.relpath(figure, markdown_file.parent)).as_posix()
        write(markdown_file, text.markdown(report, picture))
    if figure is not None:
        sweep_plot.plot(report, figure)


def _lent(scheduler: str | None) -> AbstractContextManager[tuple[Executor | None, int | None]]:
    if scheduler is None:
        return nullcontext((None, None))
    from conformance.sweep.cluster import connected  # noqa: PLC0415 - Dask is imported where it is asked for

    return connected(scheduler)


class _Pace:
    """How many logits are judged, how fast, and how long the rest will take; and what an interrupt leaves."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._started = 0.0
        self._done = self._total = 0

    def advance(self, done: int, total: int, before: int) -> None:
        """Show that `done` of `total` logits are judged, `before` of them by an earlier sweep."""
        now = time.monotonic()
        self._started = self._started or now
        self._done, self._total = done, total
        fresh, seconds = done - before, now - self._started
        pace = f"{done:,} of {total:,} logits"
        if fresh and seconds:
            left = (total - done) * seconds / fresh
            pace += f", {fresh / seconds:,.0f} a second, {_clock(left)} left"
        self._bar.show(done, total, count=pace)

    def interrupted(self, resume: Path | None) -> str:
        """What an interrupt leaves, and how to go on."""
        told = f"Interrupted: {self._done:,} of {self._total:,} logits are judged"
        if resume is None:
            return f"{told}, and nothing is kept; --resume FILE would keep it."
        return f"{told} and kept in {resume}; the same command carries on."


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
