"""The gate's report in Markdown, for a job's summary."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.gate import Decision
from conformance.reports import gate_words, words
from conformance.reports.gate_words import Section
from conformance.reports.markdown import MATRIX, cell, diagnosis, fitted, folded, row, table

REGRESSIONS = ("what", "rule, baseline and record", "worst input", "what usually mends it")


def render(decision: Decision) -> str:
    """The verdict, why it fails, a line for each regression, the regressions in full, the rest, and the record's matrix."""
    return fitted(_parts(decision))


def _parts(decision: Decision) -> Iterator[str]:
    yield f"## dpo-conformance gate: {'✅ passes' if decision.passes else '❌ fails'}\n\n{gate_words.verdict(decision)}\n"
    for told in gate_words.causes_of(decision):
        yield "\n".join(diagnosis(told))
    fails = gate_words.regressions(decision)
    if fails:
        yield "\n".join([*table(REGRESSIONS, map(_regression, fails)), ""])
    for section in fails:
        yield folded(section.title, "\n".join([section.title, *(f"  {line}" for line in section.lines), section.evidence]))
    for heading, lines in gate_words.rest(decision):
        yield folded(f"{heading}: {len(lines):,}", "\n".join(lines))
    yield "\n".join([*table(MATRIX, map(row, decision.record.runs)), "", words.summary(decision.record), ""])


def _regression(section: Section) -> list[str]:
    """The clause, the rules, the input and the remedy, in one line."""
    change = section.changes[0]
    alone = change.now is not None and change.run is not None and len(section.clauses) == 1
    worst = words.briefly(change.now) if alone and change.now is not None else ""
    mends = words.remedy(change.run, change.now) if alone and change.run is not None and change.now is not None else ""
    return [cell(section.title), "<br>".join(map(cell, section.lines)), cell(worst), cell(mends)]
