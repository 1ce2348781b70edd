"""Every mutant and every honest implementation under every clause of its kind."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TypeVar

import click

from conformance.inputs.profiles import get_profile
from conformance.records.record import Level, Run, Verdict
from conformance.running.runner import run
from oracle import get_format

from .ends import ENDS
from .honest import HONEST
from .kinds import Honest, Mutant
from .logps import MUTANTS as LOGPS
from .outside import OUTSIDE
from .paths import PATHS, STEPS
from .preferences import PREFERENCES
from .slopes import MUTANTS as SLOPES

Entry = TypeVar("Entry", Mutant, Honest)
MUTANTS: tuple[Mutant, ...] = (*LOGPS, *SLOPES, *PATHS, *STEPS, *OUTSIDE, *ENDS, *PREFERENCES)


def judged(entry: Mutant | Honest, fmt: str, seed: int = 0, profile: str = "quick") -> Run:
    """Its run."""
    return run(entry.build(), get_format(fmt), get_profile(profile), seed)


def violated(found: Run, *levels: Level) -> list[str]:
    """The clauses that it violates, of those levels."""
    return [f.clause for f in found.findings if f.verdict is Verdict.VIOLATES and f.level in levels]


def rejected(entry: Mutant, found: Run) -> bool:
    """Whether a clause of the level that it asks for rejects it."""
    return bool(violated(found, *([Level.MUST] if entry.level is Level.MUST else Level)))


@click.command()
@click.option("--only", multiple=True, help="These alone; repeatable.")
@click.option("--dtype", "dtypes", multiple=True, help="These formats alone; repeatable.")
@click.option("--seeds", type=int, default=1, show_default=True, help="Of every honest one.")
@click.option("--profile", default="quick", show_default=True)
@click.option("--mutants/--no-mutants", default=True)
def main(only: tuple[str, ...], dtypes: tuple[str, ...], seeds: int, profile: str, mutants: bool) -> None:
    """Exit status 1 where a mutant survives or an honest implementation violates a MUST."""
    survivors, accused, pairs, runs = [], [], 0, 0
    for entry in _chosen(MUTANTS if mutants else (), only):
        for fmt in _formats(entry, dtypes):
            pairs += 1
            found = judged(entry, fmt, 0, profile)
            if not rejected(entry, found):
                survivors.append(f"{entry.name} in {fmt}: {entry.wrong}; {found.verdict} {found.reason}")
    for honest in _chosen(HONEST, only):
        for fmt in _formats(honest, dtypes):
            for seed in range(seeds):
                runs += 1
                found = judged(honest, fmt, seed, profile)
                wrong = [f"{f.clause} {f.note[:300]}" for f in found.findings if f.clause in violated(found, Level.MUST)]
                if wrong or found.verdict is not Verdict.CONFORMS:
                    accused.append(f"{honest.name} in {fmt}, seed {seed}: {found.verdict} {found.reason} {wrong}")
    for line in (*survivors, *accused):
        click.echo(line)
    click.echo(f"mutants: {len(MUTANTS)} in {pairs} formats in all; killed {pairs - len(survivors)}")
    click.echo(f"honest: {len(HONEST)}, {runs} runs; accused {len(accused)}")
    sys.exit(1 if survivors or accused else 0)


def _chosen(entries: Iterable[Entry], only: tuple[str, ...]) -> list[Entry]:
    return [entry for entry in entries if not only or entry.name in only]


def _formats(entry: Mutant | Honest, dtypes: tuple[str, ...]) -> list[str]:
    return [fmt for fmt in entry.formats if not dtypes or fmt in dtypes]
