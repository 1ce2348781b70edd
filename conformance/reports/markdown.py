"""The Markdown report, for a job's summary: the matrix, and each violation folded under its first line."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

from conformance.records.record import Level, Record, Run, Verdict
from conformance.reports import causes, words

LIMIT = 58_000
"""Characters after which details are left out: a comment takes 65,536, and nobody reads as many."""
MARKUP = re.compile(r"[\\`*_\[\]<>|&~#@!$]|:(?=\S)|(?<=www)\.", re.IGNORECASE)
"""What GitHub's Markdown could take for markup inside a cell: of it also formulas, mentions, emoji and bare addresses."""
SIGNS = {Verdict.CONFORMS: "✅", Verdict.VIOLATES: "❌", Verdict.NOT_CLAIMED: "➖", Verdict.NOT_RUN: "⚠️"}
MATRIX = ("implementation", "format", "verdict", "value, ulp", "gradient, ulp", "ρ", "worst input")


def render(record: Record) -> str:
    """The whole report of a record."""
    shared = record.shared_names
    rows = [row(run, named=run.implementation in shared) for run in record.runs]
    why = [part for told in causes.told(record) for part in diagnosis(told)]
    head = "\n".join(["## dpo-conformance", "", *why, *table(MATRIX, rows), "", cell(words.summary(record)), ""])
    return fitted([head, *_violations(record)])


def diagnosis(told: causes.Told) -> list[str]:
    """One cause: what is returned, the cure, and the smallest input that shows it."""
    parts = [f"**{cell(told.headline)}**", ""]
    parts += [line for text in (told.others, *told.also) if text for line in (cell(text), "")]
    if told.cure:
        parts += [f"What mends it: {cell(told.cure)}", ""]
    example, code = told.example
    if example:
        lines = [told.title, *(f"  {line}" for line in example)]
        lines += ["to see it again:", *(f"  {line}" for line in code)] if code else []
        parts += ["<pre>" + html.escape("\n".join(lines), quote=False) + "</pre>", ""]
    return parts


def row(run: Run, *, named: bool = False) -> list[str]:
    """One run's row of the matrix; named: with its source, where several share its name."""
    ulps = words.kernel_ulp(run, "loss"), words.kernel_ulp(run, "d loss")
    verdict = f"{SIGNS[run.verdict]} {run.verdict}"
    name = f"{run.implementation} ({run.source})" if named and run.source else run.implementation
    return [cell(name), run.format, verdict, *ulps, words.worst_rho(run), cell(words.worst_input(run))]


def _violations(record: Record) -> Iterator[str]:
    """The first MUST of each run in full, and the others in short: the MUSTs before the SHOULDs."""
    violated = [(run, found) for run in record.runs for found in run.findings if found.verdict is Verdict.VIOLATES]
    full = {id(run.violated[0]) for run in record.runs if run.violated}
    for run, finding in sorted(violated, key=lambda each: (id(each[1]) not in full, each[1].level is not Level.MUST)):
        body = words.violation(run, finding) if id(finding) in full else words.briefly(finding)
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
        size += len(part) + 1
        if size > limit:
            left_out += 1
        else:
            kept.append(part)
    if left_out:
        kept.append(f"{left_out:,} more are left out here; the record has them all.\n")
    return "\n".join(kept)
