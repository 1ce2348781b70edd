"""What the documentation shows: every page, and every fenced block of each, in order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GENERATED = {"clauses", "schemas", "generated", "_build"}
"""Folders of docs/ that a build of the site writes."""


@dataclass(frozen=True)
class Fence:
    """One fenced block. info is what stands after the backticks: a language, and the name of a file, if it has one."""

    page: str
    line: int
    info: str
    content: str

    @property
    def language(self) -> str:
        return self.info.partition(" ")[0]

    @property
    def file(self) -> str:
        return "" if self.info.startswith("{") else self.info.partition(" ")[2]

    @property
    def place(self) -> str:
        return f"{self.page}, line {self.line}"


@cache
def pages() -> dict[str, str]:
    """The text of every page by its path: those of the repository, and those that a build of the site generates."""
    import clause_pages  # noqa: PLC0415 - from docs/_ext
    import schema_pages  # noqa: PLC0415

    written = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    written += [path for path in sorted(DOCS.rglob("*.md")) if path.relative_to(DOCS).parts[0] not in GENERATED]
    texts = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in written}
    texts |= {f"docs/clauses/{name}.md": text for name, text in clause_pages.pages(DOCS / "matrix").items()}
    texts |= {f"docs/schemas/{name}.md": schema_pages.page(name) for name in schema_pages.SCHEMAS}
    return texts | {"docs/schemas/index.md": schema_pages.index()}


@cache
def tokens(page: str) -> tuple[Token, ...]:
    return tuple(MarkdownIt().parse(pages()[page]))


@cache
def fences(page: str) -> tuple[Fence, ...]:
    """The fenced blocks of a page, in order."""
    found = [token for token in tokens(page) if token.type == "fence"]
    return tuple(Fence(page, (token.map or [0])[0] + 1, token.info.strip(), token.content) for token in found)


def spans(page: str) -> list[str]:
    """What a page shows as code within its sentences."""
    return [child.content for token in tokens(page) for child in token.children or () if child.type == "code_inline"]


def indented(page: str) -> list[str]:
    """The indented blocks of a page: formulas, by the custom of these pages."""
    return [token.content for token in tokens(page) if token.type == "code_block"]
