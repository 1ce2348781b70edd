"""A block that names the file it stands for shows its name above it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def captioned(text: str) -> str:
    """The page with "```python mine.py" written as a code block whose caption is mine.py."""
    return re.sub(r"^```([a-z]+) ([\w./-]+)$", r"```{code-block} \1\n:caption: \2\n", text, flags=re.MULTILINE)


def _read(_app: Sphinx, _page: str, source: list[str]) -> None:
    source[0] = captioned(source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Hears of every page before it is parsed."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
