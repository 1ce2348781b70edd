"""The diagnosis of each implementation, its formats merged, in plain text: what every form of a report begins with."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.records.diagnosis import Cause, Kind
from conformance.records.record import Finding, Record, Run
from conformance.reports import words
from conformance.reports.shown import input_lines, snippet
from oracle import get_format

ALIKE = 2
"""Other causes that fit as well and are told."""


@dataclass(frozen=True)
class Told:
    """One cause of one implementation, in the formats in which it is the cause.

    alike: others that fit there as well; besides: what else is wrong. run: of which the smallest input is shown.
    """

    name: str
    cause: Cause
    runs: tuple[Run, ...]
    points: int
    alike: tuple[Cause, ...]
    besides: tuple[Cause, ...]
    run: Run

    @property
    def headline(self) -> str:
        """What it returns, in a sentence."""
        return words.visible(f"{self.name}: {_sentence(self.cause, self.points, self.formats)}")

    @property
    def formats(self) -> str:
        """In which formats, in words."""
        names = [run.format for run in self.runs]
        return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

    @property
    def others(self) -> str:
        """What fits as well, in a sentence; empty where nothing does."""
        told = "; or ".join(cause.says for cause in self.alike[:ALIKE])
        return words.visible(f"The same numbers, as far as was asked: {told}.") if told else ""

    @property
    def also(self) -> list[str]:
        """What is wrong besides, a line each."""
        return [words.visible(f"Besides: {_sentence(cause, cause.points, '')}") for cause in self.besides]

    @property
    def cure(self) -> str:
        """What mends it."""
        return words.visible(self.cause.cure)

    @property
    def example(self) -> tuple[list[str], list[str]]:
        """(the smallest input with what was got and what is exact, Python that shows it).

        Where none is known the number that a clause saw, and no Python; empty where there is no such number.
        """
        if self.run.diagnosis is None or self.run.diagnosis.shown is None:
            return _of_finding(self.run, self.seen)
        return input_lines(self.run.diagnosis.shown), snippet(self.run, self.run.diagnosis.shown)

    @property
    def seen(self) -> Finding | None:
        """The violation that shows it, where no smallest input does."""
        if self.cause.kind is Kind.CONDUCT:
            return None
        named = sorted(self.run.violated, key=lambda finding: finding.clause != self.cause.key)
        return next((finding for finding in named if finding.worst is not None or finding.note), None)

    @property
    def title(self) -> str:
        """What the example is."""
        shown = self.run.diagnosis.shown if self.run.diagnosis is not None else None
        if shown is None:
            return f"what was seen by {self.seen.clause}, in {self.run.format}:" if self.seen is not None else ""
        what = "sequences" if "logits" in shown.call.inputs else "pairs"
        size = "" if shown.call.pairs == 1 else f", {shown.call.pairs:,} {what}"
        alike = all(len(set(values)) == 1 for values in shown.call.inputs.values())
        matters = f"; alone the pair is right, {'the length' if alike else 'what stands beside it'} matters"
        length = matters if not shown.alone and shown.quantity == "loss" else ""
        return f"the smallest input found that shows it, in {self.run.format}{size}{length}:"


def told(record: Record) -> list[Told]:
    """The causes of each implementation that violates, the one of most formats first."""
    found = []
    for name, source in dict.fromkeys((run.implementation, run.source) for run in record.runs):
        runs = [run for run in record.runs if (run.implementation, run.source) == (name, source) and run.diagnosis is not None]
        shown = f"{name} ({source})" if name in record.shared_names and source else name
        found += list(_merged(shown, runs))
    return found


def lines(one: Told, width: int = 100) -> list[str]:
    """The whole of it, each line at most so wide, but for code."""
    parts = [*_folded(one.headline, width, 0)]
    for text in (one.others, *one.also):
        parts += _folded(text, width, 2)
    if one.cure:
        parts += ["  what mends it:", *_folded(one.cure, width, 4)]
    example, code = one.example
    if example:
        shown = [f"    {line}" for line in example] if code else [part for line in example for part in _folded(line, width, 4)]
        parts += [*_folded(one.title, width, 2), *shown]
    if code:
        parts += ["  to see it again:", *(f"    {line}" for line in code)]
    return parts


def _of_finding(run: Run, seen: Finding | None) -> tuple[list[str], list[str]]:
    """The worst number of a violation and Python that shows it, or the number that its note tells."""
    if seen is None:
        return [], []
    if seen.worst is None:
        return [words.visible(seen.note.partition("; ")[0])], []
    return words.details(seen.worst, run), words.snippet(run, seen.worst, seen.clause)


def _merged(name: str, runs: Sequence[Run]) -> Iterator[Told]:
    """The cause of most formats, and then those of the rest.

    One that has a name goes before one that has none; of as many formats, that of the finest, which tells the most apart.
    """
    left = list(runs)
    while left:
        ranks: dict[str, list[int]] = {}
        finest: dict[str, int] = {}
        for run in left:
            for rank, cause in enumerate(_causes(run)):
                ranks.setdefault(cause.key, []).append(rank)
                finest[cause.key] = max(finest.get(cause.key, 0), get_format(run.format).precision)
        unnamed = {cause.key for run in left for cause in _causes(run) if cause.kind is Kind.CLAUSE}
        key = min(ranks, key=lambda each: (each in unnamed, -len(ranks[each]), -finest[each], sum(ranks[each])))
        these = [run for run in left if any(cause.key == key for cause in _causes(run))]
        left = [run for run in left if run not in these]
        causes = [cause for run in these for cause in _causes(run) if cause.key == key]
        first = next(run for run in reversed(these) if any(cause.key == key for cause in _causes(run)))
        keys = set.intersection(*({cause.key for cause in _causes(run)} for run in these)) - {key}
        alike = {cause.says: cause for cause in _causes(first) if cause.key in keys and cause.where == causes[0].where}
        besides = first.diagnosis.besides if first.diagnosis is not None else ()
        alike.pop(causes[-1].says, None)
        yield Told(name, causes[-1], tuple(these), sum(each.points for each in causes), tuple(alike.values()), besides, first)


def _causes(run: Run) -> tuple[Cause, ...]:
    return run.diagnosis.causes if run.diagnosis is not None else ()


_WHAT = {
    "loss": "its losses are",
    "derivatives": "its derivatives are",
    "second derivatives": "its second derivatives are",
    "log-probabilities": "its log-probabilities are",
}


def _sentence(cause: Cause, points: int, formats: str) -> str:
    """A cause in a sentence."""
    within = f" in {formats}" if formats else ""
    if cause.kind is Kind.CONDUCT:
        return f"{cause.key}{within}: {cause.says}."
    if cause.kind is Kind.CLAUSE and not cause.part:
        return f'it violates {cause.key}, "{cause.says}",{within}; no formula that is known gives its numbers.'
    if cause.key.startswith("no gradient"):
        return f"it returns {cause.says}{within}."
    what = _WHAT.get(cause.part, "what it returns is")
    if cause.kind is Kind.METRIC:
        what = f"its {cause.part} {'are' if ' and ' in cause.part else 'is'}"
    if cause.where:
        right = (
            "" if cause.kind is Kind.CLAUSE else "; elsewhere they are right" if cause.part != "loss and derivatives" else ""
        )
        return f"{what}, {cause.where}, {cause.says}{within}{right}."
    return f"{what}, at all {points:,} numbers asked{within}, {cause.says}."


def _folded(text: str, width: int, indent: int) -> list[str]:
    space = " " * indent
    return (
        textwrap.wrap(
            text, width, initial_indent=space, subsequent_indent="  " if not indent else space, break_long_words=False
        )
        if text
        else []
    )
