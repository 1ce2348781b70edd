"""Every mutant and every honest implementation under every clause of its kind."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import click

from conformance.clauses import CLAUSES, for_kind
from conformance.inputs.profiles import get_profile
from conformance.records.record import Level, Run, Verdict
from conformance.running.here import Here
from conformance.running.runner import TIME_LIMIT, run
from oracle import get_format

from .ends import ENDS
from .honest import HONEST
from .kinds import Honest, Mutant
from .logps import MUTANTS as LOGPS
from .outside import OUTSIDE
from .pairings import PAIRINGS
from .paths import PATHS, STEPS
from .preferences import PREFERENCES
from .slopes import MUTANTS as SLOPES

Entry = TypeVar("Entry", Mutant, Honest)
MUTANTS: tuple[Mutant, ...] = (*LOGPS, *SLOPES, *PATHS, *STEPS, *OUTSIDE, *ENDS, *PREFERENCES, *PAIRINGS)


def judged(entry: Mutant | Honest, fmt: str, seed: int = 0, profile: str = "quick") -> Run:
    """Its run."""
    return run(entry.build(), get_format(fmt), get_profile(profile), seed)


def first_violation(entry: Mutant, fmt: str, profile: str = "quick") -> Run:
    """Its run up to the first MUST that it violates, the clauses that name it first; where a SHOULD will do, these alone."""
    implementation = entry.build()
    own = for_kind(implementation.claims.kind, CLAUSES)
    naming = [clause for clause in own if entry.name in clause.kills]
    others = [clause for clause in own if clause not in naming] if entry.level is Level.MUST else []
    here = Here(implementation, (get_format(fmt),), get_profile(profile), 0, (*naming, *others), "", TIME_LIMIT)
    here.judge(fail_fast=entry.level is Level.MUST)
    return here.runs("after the first violated MUST")[0]


def violated(found: Run, *levels: Level) -> list[str]:
    """The clauses that it violates, of those levels."""
    return [f.clause for f in found.findings if f.verdict is Verdict.VIOLATES and f.level in levels]


def rejected(entry: Mutant, found: Run) -> list[str]:
    """The clauses of the level that it asks for that reject it."""
    return violated(found, *([Level.MUST] if entry.level is Level.MUST else Level))


@click.command()
@click.option("--only", multiple=True, help="These alone; repeatable.")
@click.option("--dtype", "dtypes", multiple=True, help="These formats alone; repeatable.")
@click.option("--seeds", type=int, default=1, show_default=True, help="Of every honest one.")
@click.option("--profile", default="quick", show_default=True)
@click.option("--mutants/--no-mutants", default=True)
@click.option("--honest/--no-honest", default=True)
def main(only: tuple[str, ...], dtypes: tuple[str, ...], seeds: int, profile: str, mutants: bool, honest: bool) -> None:
    """Exit status 1 where a mutant survives or an honest implementation violates a MUST; every run is told on stderr."""
    wrong, right = list(_chosen(MUTANTS if mutants else (), only)), list(_chosen(HONEST if honest else (), only))
    asked = [(entry, fmt) for entry in wrong for fmt in _formats(entry, dtypes)]
    called = [(entry, fmt, seed) for entry in right for fmt in _formats(entry, dtypes) for seed in range(seeds)]
    survivors, accused, total, began = [], [], len(asked) + len(called), time.monotonic()

    def tell(number: int, name: str, fmt: str, said: str) -> None:
        click.echo(f"{number}/{total} {time.monotonic() - began:.0f} s: {name} in {fmt}: {said}", err=True)

    for number, (entry, fmt) in enumerate(asked, 1):
        found = first_violation(entry, fmt, profile)
        killers = rejected(entry, found)
        if not killers:
            survivors.append(f"{entry.name} in {fmt}: {entry.wrong}; {found.verdict} {found.reason}")
        tell(number, entry.name, fmt, f"rejected by {killers[0]}" if killers else "SURVIVES")
    for number, (honest_one, fmt, seed) in enumerate(called, len(asked) + 1):
        found = judged(honest_one, fmt, seed, profile)
        musts = violated(found, Level.MUST)
        if musts or found.verdict is not Verdict.CONFORMS:
            notes = [f"{f.clause} {f.note[:300]}" for f in found.findings if f.clause in musts]
            accused.append(f"{honest_one.name} in {fmt}, seed {seed}: {found.verdict} {found.reason} {notes}")
        said = f"ACCUSED {', '.join(musts)}" if musts else str(found.verdict)
        tell(number, honest_one.name, fmt, f"{said}, {found.seconds:.1f} s")
    for line in (*survivors, *accused):
        click.echo(line)
    if wrong:
        click.echo(f"mutants: {len(wrong)} in {len(asked)} formats in all; killed {len(asked) - len(survivors)}")
    if right:
        click.echo(f"honest: {len(right)}, {len(called)} runs; accused {len(accused)}")
    sys.exit(1 if survivors or accused else 0)


def _chosen(entries: Iterable[Entry], only: tuple[str, ...]) -> Iterator[Entry]:
    return (entry for entry in entries if not only or entry.name in only)


def _formats(entry: Mutant | Honest, dtypes: tuple[str, ...]) -> list[str]:
    return [fmt for fmt in entry.formats if not dtypes or fmt in dtypes]
