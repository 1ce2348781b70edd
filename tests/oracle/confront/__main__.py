"""Confront the certified enclosures with Arb, and every 16-bit pattern with `Real`; exit 1 where a true value escapes.

The tier "calls" makes single calls of the public API, with numbers of every kind, against Arb and integers; one that does
not end is an escape. The tier "compiled" confronts the compiled loops with NumPy's, where every bit that differs escapes.

python -m tests.oracle.confront --points 1e8 --workers 1
python -m tests.oracle.confront --points 1e7 --tier float64
python -m tests.oracle.confront --points 1e6 --tier calls
python -m tests.oracle.confront --points 1e8 --tier compiled
python -m tests.oracle.confront --patterns
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import nullcontext
from itertools import islice

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tests.oracle.confront import patterns, shares
from tests.oracle.confront.tally import Tally

AHEAD = 4  # pieces a worker that wait, so that memory stays flat


def answers(executor: Executor | None, function, jobs: Iterator[tuple], workers: int) -> Iterator[list[Tally]]:
    """function(*job) for every job, in order, over the executor or here."""
    if executor is None:
        yield from (function(*job) for job in jobs)
        return
    waiting = [executor.submit(function, *job) for job in islice(jobs, workers * AHEAD)]
    while waiting:
        yield waiting.pop(0).result()
        waiting += [executor.submit(function, *job) for job in islice(jobs, 1)]


def table(totals: dict[str, Tally], seconds: float) -> str:
    """The figures, one quantity a line."""
    lines = [f"{'quantity':26}{'points':>13}{'comparisons':>14}{'undecided':>11}{'escapes':>9}{'worst':>9}"]
    for tally in totals.values():
        worst = f"{tally.worst:9.4f}" if tally.worst else "        -"
        lines.append(f"{tally.name:26}{tally.points:13,}{tally.comparisons:14,}{tally.undecided:11,}{tally.escapes:9,}{worst}")
    escapes = sum(tally.escapes for tally in totals.values())
    comparisons = sum(tally.comparisons for tally in totals.values())
    lines.append(f"{comparisons:,} comparisons, {escapes:,} escapes, {seconds:.0f} s; worst: the largest |error| / radius")
    lines += [f"  {tally.name}: {text}" for tally in totals.values() for text in tally.examples]
    return "\n".join(lines)


@click.command(help=str(__doc__).replace("\n\n", "\n\n\b\n"))
@click.option("--points", default="1e6", show_default=True, help="How many random and adversarial points; 0 for none.")
@click.option("--patterns", "every_pattern", is_flag=True, help="Every 16-bit pattern against Real, in place of points.")
@click.option("--tier", default="double-double", show_default=True, type=click.Choice(list(shares.CONFRONTATIONS)))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Processes; the figures are the same.")
@click.option("--seed", default=0, show_default=True, help="Of the points.")
def main(points: str, every_pattern: bool, tier: str, workers: int, seed: int) -> None:
    try:
        count = int(float(points))
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{points!r} is not a number of points", param_hint="--points") from None
    whole, rest = divmod(max(count, 0), shares.PIECE)
    sizes = [shares.PIECE] * whole + ([rest] if rest else [])
    if every_pattern:
        function, jobs = patterns.confront, list(patterns.jobs())
    else:
        function, jobs = shares.piece, [(tier, seed, index, size) for index, size in enumerate(sizes)]
    start, totals = time.perf_counter(), dict[str, Tally]()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    pool = ProcessPoolExecutor(workers) if workers > 1 else nullcontext()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress, pool as executor:
        task = progress.add_task("confronting", total=len(jobs))
        for tallies in answers(executor, function, iter(jobs), workers):
            shares.gather(totals, tallies)
            escapes = sum(tally.escapes for tally in totals.values())
            progress.update(task, advance=1, description=f"confronting: {escapes} escapes")
    print(table(totals, time.perf_counter() - start))
    sys.exit(any(tally.escapes for tally in totals.values()))


if __name__ == "__main__":
    main()
