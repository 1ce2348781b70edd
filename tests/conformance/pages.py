"""The pages of docs/ as the tests run them: their fences, and what a page's Python prints."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

DOCS = Path(__file__).parents[2] / "docs"


def fences(page: str) -> list[Token]:
    """The fenced blocks of a page, in order: each with `info` and `content`."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [token for token in MarkdownIt().parse(text) if token.type == "fence"]


def printed(page: str) -> list[tuple[int, str, str]]:
    """(line, said, got) of each Python block: what the text block beneath it says, and what it prints.

    The blocks of a page are one program. Where no text block follows, nothing is said.
    """
    blocks, found, names = fences(page), [], dict[str, Any]()
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block.info != "python":
            continue
        line = (block.map or [0])[0] + 1
        out = io.StringIO()
        with redirect_stdout(out):
            exec(compile("\n" * line + block.content, page, "exec"), names)
        said = following.content if following is not None and following.info == "text" else ""
        found.append((line, said, out.getvalue()))
    return found
