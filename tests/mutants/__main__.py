"""The suite proves itself: every mutant under every clause, every honest implementation over many seeds.

    python -m tests.mutants                                   does a MUST reject each mutant, and no honest one
    python -m tests.mutants --every-clause                    which clauses reject which
    python -m tests.mutants --no-mutants --seeds 50           the honest ones over many seeds
    python -m tests.mutants ... --first-seed 25 --write       goes on where such a campaign of 25 seeds has ended
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
from functools import cache
from itertools import groupby, product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.progress import track

from tests.mutants.causes import STATED, section
from tests.mutants.power import Figures, Result, Trial, judged, kills, page, report
from tests.mutants.registry import HONEST, MUTANTS, honest

HERE = Path(__file__).parent
FIGURES, KILLS = HERE / "figures.json", HERE / "kills.json"


@click.command()
@click.option("--profile", type=click.Choice(["quick", "standard"]), default="quick", show_default=True)
@click.option("--seeds", type=click.IntRange(min=0), default=1, show_default=True, help="Of the honest ones.")
@click.option("--first-seed", type=click.IntRange(min=0), default=0, show_default=True, help="The first of these seeds.")
@click.option("--only", multiple=True, metavar="NAME", help="These mutants or honest ones alone; repeatable.")
@click.option("--clause", "clauses", multiple=True, metavar="ID", help="Judge by these clauses alone; repeatable.")
@click.option("--mutants/--no-mutants", default=True, help="Judge the mutants.")
@click.option("--every-clause", is_flag=True, help="Go on after the first MUST that rejects a mutant.")
@click.option("--workers", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default=True)
@click.option("--write", is_flag=True, help="Write figures.json, with --every-clause kills.json, and docs/power.md.")
def main(
    profile: str,
    seeds: int,
    first_seed: int,
    only: Sequence[str],
    clauses: Sequence[str],
    mutants: bool,
    every_clause: bool,
    workers: int,
    write: bool,
) -> None:
    """Judge every mutant in every format it claims, and every honest implementation over SEEDS seeds."""
    chosen = [trial for trial in _trials(profile, mutants, every_clause) if not only or trial.name in only]
    trials = [replace(trial, clauses=tuple(clauses)) for trial in chosen]
    groups = list(_groups(trials, range(first_seed, first_seed + seeds)))
    console = Console(highlight=False)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        done = pool.map(judged, groups)
        shown = Console(stderr=True)
        watched = track(done, total=len(groups), console=shown, disable=not shown.is_terminal, transient=True)
        results: list[Result] = [result for group in watched for result in group]
    figures = report(results, console)
    if write and only and every_clause:
        rows = json.loads(KILLS.read_text(encoding="utf-8")) | kills(results)
        KILLS.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    elif write and not only:
        fixed = f"--profile {profile}" + " --every-clause" * every_clause + " --no-mutants" * (not mutants)
        fixed += "".join(f" --clause {identity}" for identity in clauses)
        whole = _begun(f"{fixed} --seeds {first_seed}", figures) if first_seed else figures
        _write(
            f"{fixed} --seeds {first_seed + seeds}", whole, kills(results) if every_clause and mutants and not clauses else None
        )
    sys.exit(0 if figures.clean else 1)


def _begun(options: str, figures: Figures) -> Figures:
    """With the figures of the seeds before, which the longer campaign replaces. Raises UsageError where there are none."""
    campaigns = json.loads(FIGURES.read_text(encoding="utf-8"))
    before = Figures(**campaigns.pop(options, None) or _missing(options))
    if (before.clauses, before.honest) != (figures.clauses, figures.honest):
        raise click.UsageError(f"{options}: of {before.clauses} clauses and {before.honest} honest ones: begin anew")
    FIGURES.write_text(json.dumps(campaigns, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return before.and_then(figures)


def _missing(options: str) -> NoReturn:
    raise click.UsageError(f"no campaign {options} in figures.json to go on with")


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


def _trials(profile: str, mutants: bool, every_clause: bool) -> Iterator[Trial]:
    """One of each implementation in each format, one format after the other."""
    for name in ("binary16", "bfloat16", "binary32", "binary64"):
        for wrong in MUTANTS if mutants else ():
            if any(fmt.name == name for fmt in wrong.build().claims.formats):
                yield Trial(wrong.name, True, name, profile, 0, every_clause)
        for entry in HONEST:
            if name in entry.formats and not entry.slow:
                yield Trial(entry.name, False, name, profile, 0)


def _groups(trials: Sequence[Trial], seeds: range) -> Iterator[list[Trial]]:
    """What one process does at a time: some of one format, seed after seed, so that it finds the intervals of inputs kept."""
    for (_, is_mutant), alike in groupby(trials, key=lambda trial: (trial.format, trial.is_mutant)):
        those, few = list(alike), 8 if is_mutant else 17
        for start in range(0, len(those), few):
            asked = product((0,) if is_mutant else seeds, those[start : start + few])
            group = [replace(trial, seed=seed) for seed, trial in asked if _due(trial, seed, seeds)]
            if group:
                yield group


def _due(trial: Trial, seed: int, seeds: range) -> bool:
    """All formats at the first seed, and one of them at each other, in turn; of means, which are called once a pair, at each
    twelfth seed.
    """
    if trial.is_mutant or seed == seeds[0]:
        return True
    formats, every = honest(trial.name).formats, 12 if _a_mean(trial.name) else 1
    return seed % every == 0 and formats[seed // every % len(formats)] == trial.format


@cache
def _a_mean(name: str) -> bool:
    return honest(name).build().claims.reduction == "mean"


if __name__ == "__main__":
    main()
