"""What a campaign of mutants and honest implementations shows: who is killed by what, and who is wrongly accused."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rich.console import Console

from conformance.clauses import CLAUSES, Clause, find
from conformance.clauses.trial import Trial as Held
from conformance.inputs.profiles import get_profile
from conformance.records.record import Finding, Level, Verdict
from conformance.running.trying import check, concluded, opened, unanswered
from oracle import get_format

from .registry import FAMILIES, HONEST, MUTANTS, honest, mutant

COST = {"CALL": 0, "OPTION": 1, "SPECIAL": 2, "DEF": 3, "METRIC": 4, "REDUCE": 5, "LOSS": 6, "GRAD": 7}
"""Chapters by what a check costs, cheapest first; the others come after these."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One mutant or honest implementation in one format, under one profile and seed.

    every_clause: go on after the first MUST that rejects a mutant. clauses: these alone; empty for all.
    """

    name: str
    is_mutant: bool
    format: str
    profile: str
    seed: int
    every_clause: bool = True
    clauses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Figures:
    """What a campaign comes to. wrong_in: (mutant, format) pairs; accused: honest runs and equivalent mutants."""

    clauses: int
    mutants: int
    wrong_in: int
    killed: int
    honest: int
    runs: int
    seeds: int
    accused: int
    largest_rho: float

    @property
    def clean(self) -> bool:
        """Every mutant is dead, and nobody is wronged."""
        return self.killed == self.wrong_in and not self.accused

    def and_then(self, later: Figures) -> Figures:
        """These and those of further seeds of the same honest implementations."""
        added = {name: getattr(self, name) + getattr(later, name) for name in ("runs", "seeds", "accused")}
        return replace(self, **added, largest_rho=max(self.largest_rho, later.largest_rho))


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


@dataclass(frozen=True, slots=True, eq=False)
class Watched(Held):
    """A trial on the stand that notes whether its seed was read; of whose check never reads it, every seed finds the same."""

    read: set[str] = field(default_factory=set)

    def __getattribute__(self, name: str) -> Any:
        if name == "seed":
            object.__getattribute__(self, "read").add(name)
        return object.__getattribute__(self, name)


def judged(trials: Sequence[Trial]) -> list[Result]:
    """The trials held one after the other, in this process, with one thread.

    Past its first seed an implementation is asked in a format by what can accuse it anew: the MUSTs that read the seed.
    """
    _one_thread()
    drawn: dict[tuple[str, str], frozenset[str]] = {}
    return [_judged(trial, drawn) for trial in trials]


def _judged(trial: Trial, drawn: dict[tuple[str, str], frozenset[str]]) -> Result:
    """One of them; drawn: by implementation and format, the clauses that read the seed, once that has been seen."""
    built = (mutant(trial.name) if trial.is_mutant else honest(trial.name)).build()
    fmt, profile, key = get_format(trial.format), get_profile(trial.profile), (trial.name, trial.format)
    if not trial.every_clause:
        return Result(trial, _first_rejection(Held(built, fmt, profile, trial.seed), _asked(trial)), (), math.inf)
    findings: list[Finding] = []
    read: set[str] = set()
    for clause in (c for c in _asked(trial) if key not in drawn or c.id in drawn[key]):  # no diagnosis: it costs more than all
        held = Watched(built, fmt, profile, trial.seed)
        findings.append(check(clause, held))
        if held.read:
            read.add(clause.id)
        if unanswered(findings[-1]):
            break
    drawn.setdefault(key, frozenset(identity for identity in read if find(identity).level is Level.MUST))
    found = concluded(opened(built, fmt, profile, ""), findings, 0.0)
    violated = [f for f in found.findings if f.verdict is Verdict.VIOLATES]
    return Result(
        trial,
        tuple(f.clause for f in violated if f.level is Level.MUST),
        tuple(f.clause for f in violated if f.level is Level.SHOULD),
        found.worst.rho if found.worst else 0.0,
    )


def _asked(trial: Trial) -> Sequence[Clause]:
    return [clause for clause in CLAUSES if not trial.clauses or clause.id in trial.clauses]


def _first_rejection(held: Held, clauses: Sequence[Clause]) -> tuple[str, ...]:
    """The first MUST that rejects the implementation, the cheapest tried first; empty if none does."""
    musts = (clause for clause in clauses if clause.level is Level.MUST)
    for clause in sorted(musts, key=lambda clause: COST.get(clause.chapter, 8)):
        if check(clause, held).verdict is Verdict.VIOLATES:
            return (clause.id,)
    return ()


def _one_thread() -> None:
    import torch  # noqa: PLC0415 - only the processes that judge need it

    torch.set_num_threads(1)


def report(results: Iterable[Result], console: Console) -> Figures:
    """Print who survives and who is accused, and the figures."""
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
    figures = Figures(
        clauses=max(len(_asked(r.trial)) for r in results) if results else 0,
        mutants=len({r.trial.name for r in doomed}),
        wrong_in=len(doomed),
        killed=len(doomed) - len(survivors),
        honest=len({r.trial.name for r in fair}),
        runs=len(fair),
        seeds=len({r.trial.seed for r in fair}),
        accused=len(accused),
        largest_rho=max((r.worst_rho for r in fair), default=0.0),
    )
    console.print(f"mutants: {figures.mutants} in {figures.wrong_in} formats in all; killed {figures.killed}")
    console.print(f"honest: {figures.honest}, {figures.runs} runs over {figures.seeds} seeds; accused {figures.accused}")
    if fair:
        console.print(f"largest rho of an honest implementation under a MUST: {figures.largest_rho:.3g}")
    if doomed and all(r.trial.every_clause for r in doomed):
        found = {clause for r in doomed for clause in (*r.musts, *r.shoulds)}
        console.print(f"clauses that kill no mutant: {', '.join(c.id for c in CLAUSES if c.id not in found) or 'none'}")
    return figures


def kills(results: Iterable[Result]) -> dict[str, dict[str, list[str]]]:
    """For each mutant and format, the clauses that were seen to reject it: what the tests hold against the suite."""
    seen: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
    for result in results:
        if result.must_die:
            seen[result.trial.name][result.trial.format] = [*result.musts, *result.shoulds]
    return seen


def page(
    kills: Mapping[str, Mapping[str, Sequence[str]]], campaigns: Mapping[str, Mapping[str, float]], causes: Sequence[str] = ()
) -> str:
    """The page of the documentation: the figures of the campaigns, what each clause kills, what rejects each mutant, and the
    lines of the causes that are told.
    """
    rejecting = {
        name: [c.id for c in CLAUSES if any(c.id in clauses for clauses in formats.values())] for name, formats in kills.items()
    }
    killed = Counter(identity for clauses in rejecting.values() for identity in clauses)
    lines = [
        "# What each clause kills",
        "",
        "Generated by `python -m tests.mutants --write`; do not edit. A mutant is a deliberately wrong implementation; it is "
        "wrong in the formats in which it is not listed as equivalent below, and dies where a MUST rejects it. An honest "
        "implementation is correct, and looks different. Over many seeds it is judged at the first in every format, and at "
        "each other one in one of its formats, in turn (a mean at each twelfth): there by the MUSTs that read the seed, "
        "which is watched, as what never reads it finds the same at each. A campaign of fewer clauses or mutants was held "
        "before the others were there, or names its clauses.",
        "",
        "| `python -m tests.mutants` | clauses | mutants | wrong in formats, in all | killed by a MUST | honest | runs | seeds "
        "| accused | largest ρ of an honest one under a MUST |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for options, f in sorted(campaigns.items()):
        counts = (f["clauses"], f["mutants"], f["wrong_in"], f["killed"], f["honest"], f["runs"], f["seeds"], f["accused"])
        lines.append(f"| `{options}` | {' | '.join(map(str, counts))} | {f['largest_rho']:.3g} |")
    lines += [
        "",
        "## Clauses",
        "",
        "A name in capitals is a hostile implementation, which does something wrong that is no number.",
        "",
        "| clause | level | title | mutants rejected | names these, and rejects each |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {c.id} | {c.level} | {c.title} | {killed[c.id]} | {', '.join(c.kills)} |" for c in CLAUSES]
    lines += ["", "## Mutants", "", "| family | mutant | what is wrong | rejected by |", "|---|---|---|---|"]
    for family, members in FAMILIES.items():
        for member in members:
            lines.append(f"| {family} | {member.name} | {_cell(member.wrong)} | {', '.join(rejecting.get(member.name, []))} |")
    lines += causes
    lines += ["", "## Equivalent in a format", "", "| mutant | format | why it is not wrong there |", "|---|---|---|"]
    for member in MUTANTS:
        for name, reason in member.equivalent.items():
            lines.append(f"| {member.name} | {name} | {_cell(reason)} |")
    lines += ["", "## Honest implementations", "", "| implementation | how it looks different | formats |", "|---|---|---|"]
    for entry in HONEST:
        lines.append(f"| {entry.name} | {_cell(entry.why)} | {', '.join(entry.formats)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """A bar would end the cell."""
    return text.replace("|", "\\|")
