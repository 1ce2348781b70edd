"""GitHub annotations: workflow commands, a line each, that mark a job and a file.

Annotations, and not SARIF: a finding is about numbers and not about a place in a text. SARIF demands a line, and a
right to upload that pull requests from forks do not have; an annotation needs neither.
"""

from __future__ import annotations

from collections.abc import Iterator

from conformance.gate import Decision, Effect
from conformance.records.record import Level, Record, Run, Verdict
from conformance.reports import causes, gate_words, words

MOST = 9
"""Annotations at the most: GitHub shows ten errors and ten warnings of a step."""


def render(record: Record) -> str:
    """An error for each cause, each violated MUST and each implementation that was not judged, and a warning for each
    violated SHOULD; the first nine of them, the most important first.
    """
    return "".join(f"{line}\n" for line in _few(list(_lines(record))))


def _few(lines: list[str]) -> list[str]:
    if len(lines) <= MOST:
        return lines
    left = len(lines) - MOST + 1
    return [*lines[: MOST - 1], command("notice", "And more", f"{left:,} more are left out here; the record has them all.")]


def render_decision(decision: Decision) -> str:
    """An error for each regression, a warning for what is worse and not gated."""
    return "".join(f"{line}\n" for line in _decision_lines(decision))


def _decision_lines(decision: Decision) -> Iterator[str]:
    warns = gate_words.sections(decision.of(Effect.WARNS))
    for kind, sections in (("error", gate_words.regressions(decision)), ("warning", warns)):
        for section in sections:
            change, told = section.changes[0], list(section.lines)
            if change.run is not None and change.now is not None and len(section.clauses) == 1:
                told += [words.briefly(change.now), words.remedy(change.run, change.now)]
            yield command(kind, section.title, "\n".join(filter(None, told)), change.run)


def _lines(record: Record) -> Iterator[str]:
    for told in causes.told(record):
        more = [told.others, *told.also, told.cure and f"What mends it: {told.cure}", *told.example[0]]
        yield command("error", told.headline, "\n".join(filter(None, more)), told.run)
    if record.incomplete:
        yield command("error", "The judgement is incomplete", words.visible(record.incomplete))
    for name in record.unjudged:
        yield command("error", "Not judged in any format", words.visible(name))
    for level, kind in ((Level.MUST, "error"), (Level.SHOULD, "warning")):
        for run in record.runs:
            for finding in run.findings:
                if finding.verdict is Verdict.VIOLATES and finding.level is level:
                    said = [words.briefly(finding), words.remedy(run, finding)]
                    yield command(kind, words.headline(run, finding), "\n".join(filter(None, said)), run)


def command(kind: str, title: str, message: str, run: Run | None = None) -> str:
    """One workflow command; it points to the file that the implementation was loaded from, where it was one."""
    path, colon, _ = run.source.rpartition(":") if run is not None else ("", "", "")
    named = f"file={_property(path)}," if colon and path.endswith(".py") else ""
    return f"::{kind} {named}title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    """GitHub's escapes of a message."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """GitHub's escapes of a property."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
