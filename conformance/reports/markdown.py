"""The Markdown report, for a job's summary: the matrix, and each violation folded under its first line."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

from conformance.records.record import Level, Record, Run, Verdict
from conformance.reports import words

LIMIT = 900_000
"""Bytes after which details are left out: GitHub shows no summary beyond 1 MiB."""
MARKUP = re.compile(r"[\\`*_\[\]<>|&~#@!$]|:(?=\S)|(?<=www)\.", re.IGNORECASE)
"""What GitHub's Markdown could take for markup inside a cell: of it also formulas, mentions, emoji and bare addresses."""
SIGNS = {Verdict.CONFORMS: "✅", Verdict.VIOLATES: "❌", Verdict.NOT_CLAIMED: "➖", Verdict.NOT_RUN: "⚠️"}
MATRIX = ("implementation", "format", "verdict", "value, ulp", "gradient, ulp", "ρ", "worst input")


def render(record: Record) -> str:
    """The whole report of a record."""
    head = "\n".join(["## dpo-conformance", "", *table(MATRIX, map(row, record.runs)), "", words.summary(record), ""])
    return fitted([head, *_violations(record)])


def row(run: Run) -> list[str]:
    """One run's row of the matrix."""
    ulps = words.kernel_ulp(run, "loss"), words.kernel_ulp(run, "d loss")
    verdict = f"{SIGNS[run.verdict]} {run.verdict}"
    return [cell(run.implementation), run.format, verdict, *ulps, words.worst_rho(run), cell(words.worst_input(run))]


def _violations(record: Record) -> Iterator[str]:
    for run in record.runs:
        for finding in run.findings:
            if finding.verdict is Verdict.VIOLATES:
                must = finding.level is Level.MUST
                body = words.violation(run, finding) if must else words.briefly(finding)
                yield folded(words.headline(run, finding), body)


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """The lines of a table whose cells are Markdown already."""
    head = list(header)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def folded(title: str, body: str) -> str:
    """A text under a line that opens it, both shown literally."""
    head, text = html.escape(title, quote=False), html.escape(body, quote=False)
    return f"<details><summary>{head}</summary>\n\n<pre>{text}</pre>\n\n</details>\n"


def cell(text: str) -> str:
    """A text that Markdown shows literally, in a table too: whatever could be markup becomes a character reference."""
    return MARKUP.sub(lambda found: f"&#{ord(found.group())};", words.visible(text))


def fitted(parts: Iterable[str], limit: int = LIMIT) -> str:
    """The parts, as many as fit, and a line that says how many did not."""
    kept: list[str] = []
    size = left_out = 0
    for part in parts:
        size += len(part.encode()) + 1
        if size > limit:
            left_out += 1
        else:
            kept.append(part)
    if left_out:
        kept.append(f"{left_out:,} more are left out here; the record has them all.\n")
    return "\n".join(kept)
