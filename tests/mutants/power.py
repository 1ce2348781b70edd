"""What a campaign of mutants and honest implementations shows: who is killed by what, and who is wrongly accused."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from conformance.clauses import CLAUSES
from conformance.clauses.trial import Trial as Held
from conformance.profiles import get_profile
from conformance.record import Level, Verdict
from conformance.runner import run
from conformance.trying import check
from oracle import get_format

from .registry import FAMILIES, HONEST, MUTANTS, honest, mutant

COST = {"CALL": 0, "OPTION": 1, "SPECIAL": 2, "DEF": 3, "METRIC": 4, "REDUCE": 5, "LOSS": 6, "GRAD": 7}
"""Chapters by what a check costs, cheapest first; the others come after these."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One mutant or honest implementation in one format, under one profile and seed.

    every_clause: go on after the first MUST that rejects a mutant.
    """

    name: str
    is_mutant: bool
    format: str
    profile: str
    seed: int
    every_clause: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """The clauses that the implementation violated, by level, and the largest rho under a MUST."""

    trial: Trial
    musts: tuple[str, ...]
    shoulds: tuple[str, ...]
    worst_rho: float

    @property
    def must_die(self) -> bool:
        """True for a mutant that is wrong in this format."""
        return self.trial.is_mutant and self.trial.format not in mutant(self.trial.name).equivalent


def judged(trial: Trial) -> Result:
    """The trial held, in this process, with one thread."""
    _one_thread()
    built = (mutant(trial.name) if trial.is_mutant else honest(trial.name)).build()
    fmt, profile = get_format(trial.format), get_profile(trial.profile)
    if not trial.every_clause:
        return Result(trial, _first_rejection(Held(built, fmt, profile, trial.seed)), (), math.inf)
    found = run(built, fmt, profile, trial.seed)
    violated = [f for f in found.findings if f.verdict is Verdict.VIOLATES]
    return Result(
        trial,
        tuple(f.clause for f in violated if f.level is Level.MUST),
        tuple(f.clause for f in violated if f.level is Level.SHOULD),
        found.worst.rho if found.worst else 0.0,
    )


def _first_rejection(held: Held) -> tuple[str, ...]:
    """The first MUST that rejects the implementation, the cheapest tried first; empty if none does."""
    musts = (clause for clause in CLAUSES if clause.level is Level.MUST)
    for clause in sorted(musts, key=lambda clause: COST.get(clause.chapter, 8)):
        if check(clause, held).verdict is Verdict.VIOLATES:
            return (clause.id,)
    return ()


def _one_thread() -> None:
    import torch  # noqa: PLC0415 - only the processes that judge need it

    torch.set_num_threads(1)


def report(results: Iterable[Result], console: Console) -> bool:
    """Print the figures; True where a mutant survives or an honest implementation is accused."""
    results = list(results)
    doomed = [r for r in results if r.must_die]
    equivalent = [r for r in results if r.trial.is_mutant and not r.must_die]
    fair = [r for r in results if not r.trial.is_mutant]
    survivors = [r for r in doomed if not r.musts]
    accused = [r for r in (*fair, *equivalent) if r.musts]
    for result in survivors:
        console.print(f"survives: {result.trial.name} in {result.trial.format} (SHOULD: {', '.join(result.shoulds) or 'none'})")
    for result in accused:
        kind = "equivalent mutant" if result.trial.is_mutant else "honest"
        where = f"{result.trial.name} in {result.trial.format}, seed {result.trial.seed}"
        console.print(f"accused: {kind} {where}: {', '.join(result.musts)}")
    names = {r.trial.name for r in doomed}
    seeds = len({r.trial.seed for r in fair})
    console.print(f"mutants: {len(names)} in {len(doomed)} formats in all; killed {len(doomed) - len(survivors)}")
    wronged = sum(r in accused for r in fair)
    console.print(f"honest: {len({r.trial.name for r in fair})}, {len(fair)} runs over {seeds} seeds; accused {wronged}")
    if fair:
        console.print(f"largest rho of an honest implementation under a MUST: {max(r.worst_rho for r in fair):.3g}")
    if doomed and all(r.trial.every_clause for r in doomed):
        idle = [clause.id for clause in CLAUSES if not _killed_by(results, clause.id)]
        console.print(f"clauses that kill no mutant: {', '.join(idle) or 'none'}")
    return bool(survivors or accused)


def _killed_by(results: Iterable[Result], clause: str) -> list[str]:
    """The mutants that a clause rejects, in the order of the registry."""
    found = {r.trial.name for r in results if r.must_die and clause in (*r.musts, *r.shoulds)}
    return [m.name for m in MUTANTS if m.name in found]


def write_kills(results: Iterable[Result], path: Path) -> None:
    """For each mutant and format, the MUSTs that were seen to reject it: what the tests hold against the suite."""
    kills: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
    for result in results:
        if result.must_die:
            kills[result.trial.name][result.trial.format] = list(result.musts)
    path.write_text(json.dumps(kills, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def write_table(results: Sequence[Result], path: Path) -> None:
    """The clauses with the mutants that they name, and the mutants with what rejects them, as a page of the documentation."""
    doomed = [r for r in results if r.must_die]
    trial = doomed[0].trial
    options = f"--profile {trial.profile}" + (" --every-clause" if trial.every_clause else "")
    lines = [
        "# What each clause kills",
        "",
        f"Generated by `python -m tests.mutants {options} --write`; do not edit.",
        "",
        f"{len({r.trial.name for r in doomed})} mutants, wrong in {len(doomed)} formats in all, seed 0, profile "
        f"{trial.profile}: {sum(bool(r.musts) for r in doomed)} rejected by a MUST. A name in capitals is a hostile "
        "implementation, which does something wrong that is no number.",
        "",
        "| clause | level | title | names these mutants, and rejects each |",
        "|---|---|---|---|",
    ]
    lines += [f"| {c.id} | {c.level} | {c.title} | {', '.join(c.kills)} |" for c in CLAUSES]
    rejected = "rejected by" if trial.every_clause else "first rejected by, the cheapest clause tried first"
    lines += ["", "## Mutants", "", f"| family | mutant | what is wrong | {rejected} |", "|---|---|---|---|"]
    for family, members in FAMILIES.items():
        for member in members:
            clauses = {c for r in doomed if r.trial.name == member.name for c in r.musts}
            ids = [clause.id for clause in CLAUSES if clause.id in clauses]
            lines.append(f"| {family} | {member.name} | {member.wrong} | {', '.join(ids)} |")
    lines += ["", "## Equivalent in a format", "", "| mutant | format | why it is not wrong there |", "|---|---|---|"]
    for member in MUTANTS:
        for name, reason in member.equivalent.items():
            lines.append(f"| {member.name} | {name} | {reason} |")
    lines += ["", "## Honest implementations", "", "| implementation | how it looks different | formats |", "|---|---|---|"]
    for entry in HONEST:
        lines.append(f"| {entry.name} | {entry.why} | {', '.join(entry.formats)} |")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
