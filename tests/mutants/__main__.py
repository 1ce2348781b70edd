"""The suite proves itself: every mutant under every clause, every honest implementation over many seeds.

    python -m tests.mutants                                   does a MUST reject each mutant, and no honest one
    python -m tests.mutants --every-clause                    which clauses reject which
    python -m tests.mutants --no-mutants --seeds 50           the honest ones over many seeds
    python -m tests.mutants ... --write                       also figures.json here, kills.json, and docs/power.md
    python -m tests.mutants --only NAME --every-clause --write  the rows of these mutants in kills.json alone

Exit status 1 where a mutant survives or an honest implementation violates a MUST.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import track

from tests.mutants.causes import STATED, section
from tests.mutants.power import Figures, Result, Trial, judged, kills, page, report
from tests.mutants.registry import HONEST, MUTANTS, Honest

HERE = Path(__file__).parent
FIGURES, KILLS = HERE / "figures.json", HERE / "kills.json"


@click.command()
@click.option("--profile", type=click.Choice(["quick", "standard"]), default="quick", show_default=True)
@click.option(
    "--seeds",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Of every other honest one.",
)
@click.option("--only", multiple=True, metavar="NAME", help="These mutants or honest ones alone; repeatable.")
@click.option("--clause", "clauses", multiple=True, metavar="ID", help="Judge by these clauses alone; repeatable.")
@click.option("--mutants/--no-mutants", default=True, help="Judge the mutants.")
@click.option("--every-clause", is_flag=True, help="Go on after the first MUST that rejects a mutant.")
@click.option("--workers", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default=True)
@click.option("--write", is_flag=True, help="Write figures.json, with --every-clause kills.json, and docs/power.md.")
def main(
    profile: str,
    seeds: int,
    only: Sequence[str],
    clauses: Sequence[str],
    mutants: bool,
    every_clause: bool,
    workers: int,
    write: bool,
) -> None:
    """Judge every mutant in every format it claims, and every honest implementation over SEEDS seeds."""
    every = _trials(profile, seeds, mutants, every_clause)
    trials = [replace(trial, clauses=tuple(clauses)) for trial in every if not only or trial.name in only]
    console = Console(highlight=False)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        done = pool.map(judged, trials, chunksize=8)
        shown = Console(stderr=True)
        watched = track(done, total=len(trials), console=shown, disable=not shown.is_terminal, transient=True)
        results: list[Result] = list(watched)
    figures = report(results, console)
    if write and only and every_clause:
        rows = json.loads(KILLS.read_text(encoding="utf-8")) | kills(results)
        KILLS.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    elif write and not only:
        options = (
            f"--profile {profile}" + " --every-clause" * every_clause + " --no-mutants" * (not mutants) + f" --seeds {seeds}"
        )
        options += "".join(f" --clause {identity}" for identity in clauses)
        _write(options, figures, kills(results) if every_clause and mutants and not clauses else None)
    sys.exit(0 if figures.clean else 1)


def _write(options: str, figures: Figures, killed: Mapping[str, Any] | None) -> None:
    """The campaign's figures beside those of the others, what kills whom, and the page that shows both."""
    campaigns = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.is_file() else {}
    campaigns[options] = asdict(figures)
    FIGURES.write_text(json.dumps(campaigns, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    if killed is not None:
        KILLS.write_text(json.dumps(killed, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    stated = json.loads(STATED.read_text(encoding="utf-8")) if STATED.is_file() else {}
    text = page(json.loads(KILLS.read_text(encoding="utf-8")), campaigns, section(stated))
    (HERE.parents[1] / "docs" / "power.md").write_text(text, encoding="utf-8")


def _trials(profile: str, seeds: int, mutants: bool, every_clause: bool) -> Iterator[Trial]:
    """One format after the other, so that a process finds the intervals of its inputs still kept."""
    for name in ("binary16", "bfloat16", "binary32", "binary64"):
        if mutants:
            for mutant in MUTANTS:
                if any(fmt.name == name for fmt in mutant.build().claims.formats):
                    yield Trial(mutant.name, True, name, profile, 0, every_clause)
        for seed in range(seeds):
            for honest in HONEST:
                if name in honest.formats and not honest.slow and seed < _share(honest, seeds):
                    yield Trial(honest.name, False, name, profile, seed)


def _share(honest: Honest, seeds: int) -> int:
    """All the seeds for every other one; a twelfth for the rest, and for means, which are called once a pair."""
    thorough = HONEST.index(honest) % 2 == 0 and honest.build().claims.reduction == "none"
    return seeds if thorough else -(-seeds // 12)


if __name__ == "__main__":
    main()
