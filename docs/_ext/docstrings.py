"""Docstrings here are plain text with `names` in it; reStructuredText would take *, | and indentation for markup."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def to_rst(lines: list[str]) -> list[str]:
    """The lines as reStructuredText that shows them as they are: names in code, indented blocks literal."""
    paragraphs = re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))
    return "\n\n".join(_literal(text) if text.startswith("  ") else _prose(text) for text in paragraphs).split("\n")


def _literal(paragraph: str) -> str:
    return "::\n\n" + paragraph


def _prose(paragraph: str) -> str:
    """One paragraph on a line; a list, on its own lines, as a list."""
    items = re.split(r"\n(?=- )", paragraph)
    parts = [" ".join(line.strip() for line in item.split("\n")) for item in items]
    return "\n\n".join("- " + _inline(part[2:]) if part.startswith("- ") else _inline(part) for part in parts)


def _inline(text: str) -> str:
    """Code between single or double backticks; everything else is escaped where it could be markup."""
    pieces = re.split(r"(``[^`]+``|`[^`]+`)", text)
    return "".join(
        f"``{p.strip('`')}``" if p.startswith("`") and len(p) > 1 else re.sub(r"([*|_\\])", r"\\\1", p) for p in pieces
    )


def _process(_app: Sphinx, _what: str, _name: str, _obj: object, _options: object, lines: list[str]) -> None:
    lines[:] = to_rst(lines)


def setup(app: Sphinx) -> dict[str, Any]:
    """Hears of every docstring that autodoc reads."""
    app.connect("autodoc-process-docstring", _process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
