"""An audit as Markdown, for an issue or a job's summary."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.auditing.report import FileReport, Report
from conformance.reports import audit_words as words
from conformance.reports.markdown import cell, fitted, table

EXAMPLES = 5
LIMIT = 60_000


def render(report: Report) -> str:
    """The whole report."""
    return fitted(["## Audit of a run\n", *("\n".join(_lines(file)) + "\n" for file in report.files)], LIMIT)


def _lines(file: FileReport) -> Iterator[str]:
    yield f"### {cell(file.file)}\n"
    yield f"{'❌' if file.impossible else '⚠️' if file.too_little else '✅'} {cell(words.verdict(file))}\n"
    yield f"Configured: {cell(words.configured(file))}.\n"
    for sentence in words.causes(file):
        yield f"**{cell(sentence)}**\n"
    checks = [(c.id, cell(c.statement), f"{c.asked:,}", f"{c.impossible:,}", cell(c.needs)) for c in file.checks]
    yield from table(("check", "what every right run obeys", "asked", "impossible", "missing"), checks)
    yield ""
    for check in words.broken(file):
        yield f"`{check.id}`, {check.impossible:,} times:\n"
        yield from (f"- {cell(example)}" for example in words.examples(file, check, EXAMPLES))
        yield ""
    yield from (f"- {cell(line)}" for line in (*words.notices(file), *words.cuts(file, EXAMPLES)))
