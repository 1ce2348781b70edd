"""The suite proves itself: every mutant under every clause, every honest implementation over many seeds.

    python -m tests.mutants                                   does a MUST reject each mutant, and no honest one
    python -m tests.mutants --every-clause --profile standard which clauses reject which
    python -m tests.mutants --write                           also tests/mutants/kills.json and docs/power.md

Exit status 1 where a mutant survives or an honest implementation violates a MUST.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from tests.mutants.power import Result, Trial, judged, report, write_kills, write_table
from tests.mutants.registry import HONEST, MUTANTS

HERE = Path(__file__).parent


@click.command()
@click.option("--profile", type=click.Choice(["quick", "standard"]), default="quick", show_default=True)
@click.option("--seeds", type=click.IntRange(min=0), default=1, show_default=True, help="Seeds for the honest ones.")
@click.option("--only", multiple=True, metavar="NAME", help="These mutants or honest ones alone; repeatable.")
@click.option("--mutants/--no-mutants", default=True, help="Judge the mutants.")
@click.option("--every-clause", is_flag=True, help="Go on after the first MUST that rejects a mutant.")
@click.option("--workers", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default=True)
@click.option("--write", is_flag=True, help="Write kills.json and docs/power.md.")
def main(profile: str, seeds: int, only: Sequence[str], mutants: bool, every_clause: bool, workers: int, write: bool) -> None:
    """Judge every mutant in every format it claims, and every honest implementation over SEEDS seeds."""
    trials = [trial for trial in _trials(profile, seeds, mutants, every_clause) if not only or trial.name in only]
    console = Console(highlight=False)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        done = pool.map(judged, trials, chunksize=8)
        shown = Console(stderr=True)
        watched = track(done, total=len(trials), console=shown, disable=not shown.is_terminal, transient=True)
        results: list[Result] = list(watched)
    wrong = report(results, console)
    if write:
        write_kills(results, HERE / "kills.json")
        write_table(results, HERE.parents[1] / "docs" / "power.md")
    sys.exit(1 if wrong else 0)


def _trials(profile: str, seeds: int, mutants: bool, every_clause: bool) -> Iterator[Trial]:
    """One format after the other, so that a process finds the intervals of its inputs still kept."""
    for name in ("binary16", "bfloat16", "binary32", "binary64"):
        if mutants:
            for mutant in MUTANTS:
                if any(fmt.name == name for fmt in mutant.build().claims.formats):
                    yield Trial(mutant.name, True, name, profile, 0, every_clause)
        for seed in range(seeds):
            for honest in HONEST:
                if name in honest.formats and not honest.slow:
                    yield Trial(honest.name, False, name, profile, seed)


if __name__ == "__main__":
    main()
