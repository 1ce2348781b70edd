"""A page for each clause, at clauses/ID.html, and their index: from the clauses themselves, at build time."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citing import ROOT, bibtex, citation
from edges import HEAD, edges
from written import table, write_pages

from conformance.clauses import EVERY, Clause
from conformance.clauses.registry import CHAPTERS
from conformance.records.record import Verdict

if TYPE_CHECKING:
    from sphinx.application import Sphinx

NEEDS = {
    "beta": "takes β",
    "label_smoothing": "takes label smoothing",
    "gradient": "returns derivatives",
    "metrics": "returns metrics",
    "none": "returns a loss for each pair",
    "mean": "returns the mean of a batch",
}
Kills = Mapping[str, Mapping[str, Sequence[str]]]
"""Mutant, format, and the clauses that reject it there."""
Verdicts = Mapping[str, Mapping[str, str]]
"""Implementation, format, and the verdict of one clause."""


def chapters() -> dict[str, str]:
    """What each chapter is about, in the order of the documentation: the first line of its file, after its name."""
    told = {chapter.name: inspect.getdoc(inspect.getmodule(chapter.clauses[0].check)) or "" for chapter in CHAPTERS}
    return {name: text.partition("\n")[0].removeprefix(f"{name}: ").removesuffix(".") for name, text in told.items()}


def kills() -> Kills:
    """What the campaign of the mutants found, as it is kept beside them."""
    found: Kills = json.loads((ROOT / "tests" / "mutants" / "kills.json").read_text(encoding="utf-8"))
    return found


def verdicts(folder: Path) -> dict[str, dict[str, dict[str, str]]]:
    """clause: implementation: format: verdict, from every record in a folder; the matrix's own tests say that each is valid."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for path in sorted(folder.glob("*.json")):
        for run in json.loads(path.read_text(encoding="utf-8"))["runs"]:
            for finding in run["findings"]:
                by_format = found.setdefault(finding["clause"], {}).setdefault(run["implementation"], {})
                by_format[run["format"]] = finding["verdict"]
    return found


def page(clause: Clause, killed: Kills, judged: Verdicts) -> str:
    """The clause's page, in MyST Markdown."""
    parts = [
        _head(clause),
        ["## Derivation", "", linked(clause.derivation)],
        _edges(clause),
        _verdicts(judged),
        _titled("## What usually mends a violation", [clause.remedy]),
        _titled("## Bugs that it guards against", [f"- {issue(link)}" for link in clause.guards]),
        _kills(clause, killed),
        _cite(clause),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _head(clause: Clause) -> list[str]:
    needs = [NEEDS[need] for need in NEEDS if need in clause.needs]
    applies = "Applies to what " + " and ".join(needs) + "." if needs else "Applies to every implementation."
    return [
        f"# {clause.id}: {clause.title}",
        "",
        f"**{clause.level}** · {clause.chapter}: {chapters()[clause.chapter]} · dpo-conformance {citation()['version']}",
        "",
        ":::{admonition} Statement",
        f":class: {'important' if clause.level == 'MUST' else 'note'}",
        "",
        clause.statement,
        ":::",
        "",
        applies,
    ]


def linked(text: str) -> str:
    """A page of this site that a derivation names by its file, as a link to it."""
    return re.sub(r"docs/([a-z-]+)\.md", r"[\1](../\1.md)", text)


def issue(link: str) -> str:
    """A link to an issue or a pull request, by the repository's name and the number."""
    place = link.removeprefix("https://github.com/").split("/")
    return f"[{place[0]}/{place[1]} {'pull request' if place[2] == 'pull' else 'issue'} {place[3]}]({link})"


def _titled(title: str, lines: list[str]) -> list[str]:
    return [title, "", *lines] if any(lines) else []


def _edges(clause: Clause) -> list[str]:
    cases = edges(clause.id)
    if not cases:
        return []
    head = "## Exact values at its edge cases"
    told = "By the oracle; the last four columns are the exact value, correctly rounded into the format."
    if any(case.given.startswith("(") for case in cases):
        told += " An input in brackets is (policy chosen, policy rejected, reference chosen, reference rejected)."
    lines = [head, "", told]
    for quantity in dict.fromkeys(case.quantity for case in cases):
        lines += ["", f"**{quantity}**", "", *table(HEAD, [case.row() for case in cases if case.quantity == quantity])]
    return lines


def _verdicts(judged: Verdicts) -> list[str]:
    if not judged:
        return []
    formats = ("binary16", "bfloat16", "binary32", "binary64")
    rows = [(name, *(by_format.get(fmt, "") for fmt in formats)) for name, by_format in sorted(judged.items())]
    bold = [tuple("**violates**" if cell == Verdict.VIOLATES else cell for cell in row) for row in rows]
    told = "From the records of [the matrix](../matrix.md), which has the versions; an empty cell was not judged."
    return ["## Who obeys it", "", told, "", *table(("implementation", *formats), bold)]


def _kills(clause: Clause, killed: Kills) -> list[str]:
    """The mutants that it names, each rejected in a test of the suite; then all that the campaign saw it reject."""
    named = [f"`{name}`" for name in clause.kills]
    seen = sorted(name for name, by_format in killed.items() if any(clause.id in ids for ids in by_format.values()))
    lines = []
    if named:
        lines.append(f"It names, and a test sees it reject: {', '.join(named)}.")
    if seen:
        one = f"{len(seen)} mutants are" if len(seen) > 1 else "1 mutant is"
        what = ", ".join(f"`{name}`" for name in seen)
        lines += ["", f"In [the campaign](../power.md), {one} rejected by it in some format: {what}."]
    return _titled("## Mutants that it kills", lines)


def _cite(clause: Clause) -> list[str]:
    version = citation()["version"]
    entry = bibtex(
        f"dpo-conformance-{clause.id.lower()}",
        f"{clause.id}: {clause.title}",
        f"Clause {clause.id} of dpo-conformance {version}, level {clause.level}",
        f"clauses/{clause.id}.html",
    )
    told = f"As “{clause.id} of dpo-conformance {version}”. The id is never used again for another requirement."
    return ["## How to cite it", "", told, "", "```bibtex", entry, "```"]


def index() -> str:
    """The table of all clauses, chapter by chapter."""
    lines = [
        "# The clauses",
        "",
        f"{len(EVERY)} requirements of dpo-conformance {citation()['version']}. A violated MUST fails an implementation, a "
        "violated SHOULD is reported (RFC 2119). An id is never used again; what changes in a statement, a level or a bound "
        "is told in [the changelog](../changelog.md). `dpo-conformance explain KERNEL-1` prints a clause in a terminal.",
    ]
    for chapter, about in chapters().items():
        rows = [(f"[{c.id}]({c.id}.md)", str(c.level), c.title, c.statement) for c in EVERY if c.chapter == chapter]
        lines += ["", f"## {chapter}: {about}", "", *table(("clause", "level", "title", "statement"), rows)]
    lines += ["", "```{toctree}", ":hidden:", "", *(clause.id for clause in EVERY), "```"]
    return "\n".join(lines) + "\n"


def pages(matrix: Path) -> dict[str, str]:
    """All of them, by name: each clause's, and the index."""
    killed, judged = kills(), verdicts(matrix)
    return {"index": index()} | {clause.id: page(clause, killed, judged.get(clause.id, {})) for clause in EVERY}


def setup(app: Sphinx) -> dict[str, Any]:
    """Writes the pages before Sphinx looks for its sources."""
    docs = Path(app.srcdir)
    app.connect("builder-inited", lambda _: write_pages(docs / "clauses", pages(docs / "matrix")))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
