"""What every form of the gate's report says, in plain text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from conformance.gate import Change, Decision, Effect, Rule
from conformance.records.record import Verdict
from conformance.reports import causes, words

LOST = (Rule.CLAUSE_VANISHED, Rule.CLAIM_DROPPED, Rule.NOT_RUN)
"""The rules that many clauses fall under at once and for one reason: they are told together."""
ELSEWHERE = "Made elsewhere"
"""The heading of what differs in where the two records were made."""


@dataclass(frozen=True, slots=True)
class Section:
    """Changes that are told together: all of one clause, or one that many clauses share."""

    changes: tuple[Change, ...]

    @property
    def title(self) -> str:
        """What changed: the clause with its level and title, or the clauses, and in what."""
        first = self.changes[0]
        who = words.visible(first.implementation) + (f" in {first.format}" if first.format else "")
        if not first.clause:
            return who
        if len(self.clauses) > 1:
            return f"{len(self.clauses)} clauses: {who}"
        level = f" {found.level}" if (found := first.now or first.before) is not None else ""
        title = words.clause(first.clause).title
        return f"{first.clause}{level}{f' {title}' if title else ''}: {who}"

    @property
    def clauses(self) -> tuple[str, ...]:
        """The clauses that are told of."""
        return tuple(dict.fromkeys(change.clause for change in self.changes if change.clause))

    @property
    def lines(self) -> list[str]:
        """The rules, each with what was and what is."""
        kept = dict.fromkeys((change.rule, change.text) for change in self.changes)
        lines = [f"{rule}: {words.visible(text)}" for rule, text in kept]
        return lines if len(self.clauses) < 2 else [*lines, ", ".join(self.clauses)]

    @property
    def told(self) -> list[str]:
        """What was and what is, without the rules: for what fails no gate."""
        lines = [words.visible(text) for text in dict.fromkeys(change.text for change in self.changes)]
        return lines if len(self.clauses) < 2 else [*lines, ", ".join(self.clauses)]

    @property
    def consequent(self) -> bool:
        """True where the kernel is violated in the same run, of which this is most likely a consequence."""
        change = self.changes[0]
        return change.run is not None and change.now is not None and words.consequent(change.run, change.now)

    @property
    def explained(self) -> bool:
        """True where why it violates is told of its run."""
        change = self.changes[0]
        violates = change.now is not None and change.now.verdict is Verdict.VIOLATES
        return violates and change.run is not None and change.run.diagnosis is not None

    @property
    def evidence(self) -> str:
        """The violation in full; where the clause still conforms, its worst input."""
        change = self.changes[0]
        finding, run = change.now, change.run
        if finding is None or run is None or len(self.clauses) > 1:
            return ""
        if finding.verdict is Verdict.VIOLATES:
            return words.violation(run, finding).partition("\n")[2]
        if finding.worst is None or finding.verdict is not Verdict.CONFORMS:
            return ""
        again = ["to see it again:", *(f"  {line}" for line in words.snippet(run, finding.worst, finding.clause))]
        more = f"more: dpo-conformance explain {finding.clause}"
        return "\n".join(f"  {line}" for line in (*words.details(finding.worst, run), *again, more))


def causes_of(decision: Decision) -> list[causes.Told]:
    """Why what fails violates, of the runs in which a MUST that conformed does no more."""
    fails = [change.run for change in decision.of(Effect.FAILS) if change.run is not None and change.rule is Rule.MUST_VIOLATED]
    return causes.told(replace(decision.record, runs=tuple(run for run in decision.record.runs if run in fails)))


def sections(changes: Iterable[Change]) -> list[Section]:
    """The changes gathered by clause, implementation and format, and what was lost for one reason by that reason."""
    gathered: dict[tuple[str, ...], list[Change]] = {}
    for change in changes:
        told = change.text if change.clause and change.rule in LOST else change.clause
        gathered.setdefault((change.implementation, change.format, told), []).append(change)
    return [Section(tuple(group)) for group in gathered.values()]


def regressions(decision: Decision) -> list[Section]:
    """What fails the gate: first what stands for itself, then what most likely follows from it."""
    return sorted(sections(decision.of(Effect.FAILS)), key=lambda section: section.consequent)


def verdict(decision: Decision) -> str:
    """Whether the gate passes, in a sentence."""
    fails = decision.of(Effect.FAILS)
    if decision.passes and decision.baseline is decision.record:
        return "The gate passes: there was no baseline to compare with."
    if decision.passes:
        return "The gate passes: nothing is worse than in the baseline."
    runs = {(change.implementation, change.format) for change in fails}
    return f"The gate fails: {counted(len(sections(fails)), 'regression')} in {counted(len(runs), 'run')}."


def counted(n: int, what: str) -> str:
    """A number of things."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def rest(decision: Decision) -> list[tuple[str, list[str]]]:
    """What does not fail the gate, a heading and a line for each change; and what differs in where the two were made."""
    headings = {
        Effect.ACCEPTED: "Accepted",
        Effect.WARNS: "Worse, and not gated",
        Effect.IMPROVES: "Better than in the baseline",
    }
    told = []
    for effect, heading in headings.items():
        found = sections(decision.of(effect))
        lines = [f"{section.title}: {'; '.join(section.told)}" for section in found]
        if lines:
            told.append((heading, lines))
    if decision.context:
        told.append((ELSEWHERE, [words.visible(line) for line in decision.context]))
    return told
