"""How the project and its clauses are cited: a BibTeX entry of each, from CITATION.cff."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def citation() -> dict[str, Any]:
    """CITATION.cff."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    return read


def bibtex(key: str, title: str, note: str = "", page: str = "") -> str:
    """A @software entry of that key and title, of the version in CITATION.cff.

    page: the page of the site that it is about. It has an address where CITATION.cff has one, in `url`: that of the site.
    """
    about = citation()
    authors = " and ".join("{" + author["name"] + "}" for author in about["authors"])
    fields = {"author": authors, "title": "{" + escaped(title) + "}", "version": about["version"]}
    fields["year"] = str(about["date-released"])[:4]
    if note:
        fields["note"] = escaped(note)
    if "url" in about:
        fields["url"] = f"{about['url'].rstrip('/')}/{page}"
    lines = [f"  {name:<8}= {{{value}}}" for name, value in fields.items()]
    return f"@software{{{key},\n" + ",\n".join(lines) + "\n}"


def escaped(text: str) -> str:
    """The text with what TeX takes for markup escaped."""
    return re.sub(r"([#$%&_{}])", r"\\\1", text)
