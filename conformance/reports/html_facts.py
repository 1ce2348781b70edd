"""What the page tells of each run and of each of its clauses, in plain text, and the names that links land on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from conformance.records.record import Finding, Level, Record, Run, Verdict, Worst
from conformance.reports import words
from oracle.formats import FORMATS

SIGNS = {Verdict.CONFORMS: "✓", Verdict.VIOLATES: "✗", Verdict.NOT_CLAIMED: "–", Verdict.NOT_RUN: "!"}
FORMAT_ORDER = [fmt.name for fmt in FORMATS]
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


class Line(NamedTuple):
    """A number with its name, in decimal and in hexadecimal."""

    name: str
    decimal: str
    hexadecimal: str


@dataclass(frozen=True, slots=True)
class ClauseShown:
    """One finding: what the clause says, what was seen, and the code to see it again."""

    anchor: str
    finding: Finding
    told: words.Told
    remedy: str
    brief: str
    inputs: tuple[Line, ...]
    outputs: tuple[Line, ...]
    snippet: str

    @property
    def facts(self) -> Iterator[tuple[str, str]]:
        """How many numbers were judged, how many violate, what else was counted, and the grade."""
        finding = self.finding
        if finding.points:
            yield "numbers judged", f"{finding.points:,}"
            yield "of them violate", f"{finding.violations:,}"
        yield from ((name, f"{count:,}") for name, count in sorted(finding.counts.items()))
        if finding.grade is not None:
            yield "grade", finding.grade
        if finding.worst is not None:
            yield "error", f"{words.figure(finding.worst.ulp)} ulp"
            yield "ρ, the error over what the bound allows", words.figure(finding.worst.rho)


@dataclass(frozen=True, slots=True)
class RunShown:
    """One run: the record that it is of (named where there are several), and its clauses."""

    anchor: str
    label: str
    record: Record
    run: Run
    clauses: tuple[ClauseShown, ...]

    @property
    def name(self) -> str:
        """Who was judged in what, and in which record where there are several."""
        return f"{self.run.implementation} in {self.run.format}" + (f", record {self.label}" if self.label else "")

    @property
    def counts(self) -> str:
        """How many clauses came to which verdict."""
        counted = Counter((finding.verdict, finding.level) for finding in self.run.findings)
        of = {verdict: sum(counted[verdict, level] for level in Level) for verdict in Verdict}
        told = [(of[Verdict.CONFORMS], "conform")]
        told += [(counted[Verdict.VIOLATES, level], f"{level} violated") for level in Level]
        told += [(of[verdict], str(verdict)) for verdict in (Verdict.NOT_CLAIMED, Verdict.NOT_RUN)]
        return ", ".join(f"{count} {name}" for count, name in told if count)

    @property
    def grades(self) -> tuple[str, str]:
        """The grades of the kernel's value and of its derivative; empty where not judged."""
        found = (words.kernel(self.run, quantity) for quantity in ("loss", "d loss"))
        value, gradient = ("" if finding is None else finding.grade or "" for finding in found)
        return value, gradient

    @property
    def facts(self) -> Iterator[tuple[str, str]]:
        """What was judged, what it claims, and what judged it."""
        yield "source", self.run.source or "an object of a Python session"
        yield (
            "judged with",
            ", ".join(f"{name} {value}" for name, value in sorted(self.run.environment.items())) or "nothing told",
        )
        claims = sorted(item for item in self.run.claims.items() if item[0] != "notes")  # these stand with what they explain
        yield "claims", "; ".join(f"{name} {_claimed(value)}" for name, value in claims) or "nothing told"
        yield "profile, seed", f"{self.run.profile}, {self.record.seed}"
        yield "time", f"{self.run.seconds:,.1f} s"


def shown(records: Sequence[tuple[str, Record]]) -> list[RunShown]:
    """Every run of every record, those of one implementation side by side, each with an anchor of its own.

    An anchor depends on the label, the name, the format and the clause alone (and on the source where implementations of
    several sources share a name), so that a link holds when the same is judged again.
    """
    taken: Counter[str] = Counter()
    runs = [_run(label, record, run, taken) for label, record in records for run in record.runs]
    if len(records) < 2:
        return runs
    names = list(dict.fromkeys(one.run.implementation for one in runs))
    return sorted(runs, key=lambda one: (names.index(one.run.implementation), FORMAT_ORDER.index(one.run.format)))


def _run(label: str, record: Record, run: Run, taken: Counter[str]) -> RunShown:
    name = _plain(run.implementation)
    if run.implementation in record.shared_names:
        name += "~~" + hashlib.sha256(run.source.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    anchor = f"{_plain(label)}/{name}.{run.format}" if label else f"{name}.{run.format}"
    anchor = _unique(anchor, taken)
    return RunShown(anchor, label, record, run, tuple(_clauses(run, anchor, taken)))


def _clauses(run: Run, anchor: str, taken: Counter[str]) -> Iterator[ClauseShown]:
    for finding in run.findings:
        yield ClauseShown(
            anchor=_unique(f"{anchor}.{finding.clause}", taken),
            finding=finding,
            told=words.clause(finding.clause),
            remedy=words.remedy(run, finding),
            brief=words.briefly(finding) if finding.verdict is Verdict.VIOLATES else words.visible(finding.note),
            inputs=() if finding.worst is None else tuple(_inputs(finding.worst)),
            outputs=() if finding.worst is None else tuple(_outputs(finding.worst)),
            snippet=""
            if finding.worst is None
            else "\n".join(map(words.visible, words.snippet(run, finding.worst, finding.clause))),
        )


def _inputs(worst: Worst) -> Iterator[Line]:
    """The four logps, beta and label_smoothing; of a batch the first pairs."""
    for name in (name for name in (*words.LOGPS, *worst.inputs) if name in worst.inputs):
        values = worst.inputs[name]
        numbered = ((f"{name}[{i}]" if len(values) > 1 else name, value) for i, value in enumerate(values))
        for (title, value), _ in zip(numbered, range(words.SHOWN_PAIRS), strict=False):
            yield Line(title, words.decimal(value), value)
        if len(values) > words.SHOWN_PAIRS:
            yield Line(f"{name}: {len(values)} in all, the record has them", "", "")
    for name, value in worst.options.items():
        yield Line(name, words.decimal(value), value)


def _outputs(worst: Worst) -> Iterator[Line]:
    yield Line("got", words.decimal(worst.got), worst.got)
    yield Line("exact, to 20 digits", worst.exact, "")
    yield Line("exact, correctly rounded", words.decimal(worst.rounded), worst.rounded)


def _claimed(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "as the format has it" if value is None else str(value)


def _plain(text: str) -> str:
    """The text in letters that a fragment holds as they are; different for different texts."""
    escaped = (char if char in PLAIN else f"~{ord(char):x}~" for char in text)
    return "".join(escaped)


def _unique(anchor: str, taken: Counter[str]) -> str:
    """The anchor; numbered where a record holds the same run twice."""
    taken[anchor] += 1
    return anchor if taken[anchor] == 1 else f"{anchor}~~{taken[anchor]}"


def table(runs: Iterable[RunShown]) -> list[tuple[str, list[ClauseShown | None]]]:
    """Each clause with what each run says of it, in the order of the runs; None where a run says nothing."""
    columns = [{one.finding.clause: one for one in run.clauses} for run in runs]
    identities = dict.fromkeys(identity for column in columns for identity in column)
    return [(identity, [column.get(identity) for column in columns]) for identity in identities]
