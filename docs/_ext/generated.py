"""What pages include that is neither theirs nor a page: the beta plot, and the project's BibTeX entry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from citing import bibtex, citation

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def generate(folder: Path) -> None:
    """beta.png, once, as its values are exact and never change; dpo-conformance.bib, each time."""
    from conformance.reports.plots import plot_beta  # noqa: PLC0415 - matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "beta.png").is_file():
        plot_beta(folder / "beta.png")
    (folder / "dpo-conformance.bib").write_text(bibtex("dpo-conformance", citation()["title"]) + "\n", encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Generates before Sphinx reads its sources."""
    app.connect("builder-inited", lambda _: generate(Path(app.srcdir) / "generated"))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
