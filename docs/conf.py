"""The site: `sphinx-build -W --keep-going docs docs/_build/html`. clauses, losses, schemas and generated are generated."""

import sys
from pathlib import Path

from pygments.lexers.javascript import JavascriptLexer
from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

from citing import citation  # noqa: E402 - from _ext

project = "dpo-conformance"
author = "The dpo-conformance authors"
copyright = f"{str(citation()['date-released'])[:4]}, {author}"  # noqa: A001 - Sphinx names it
version = release = citation()["version"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_click",
    "sphinx_copybutton",
    "clause_pages",
    "loss_pages",
    "schema_pages",
    "docstrings",
    "file_names",
    "kernel_page",
    "generated",
]
exclude_patterns = ["_build", "matrix/**"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
highlight_language = "none"  # a fence says its language; an indented block is a formula
copybutton_exclude = ".linenos, .gp, .go"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_type_aliases = {
    name: name
    for name in ("ArrayLike", "Values", "Reals", "Scalar", "Extended", "Floats", "Bits", "Integers", "Mask", "Losses", "Check")
}
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True, "footer_icons": []}


def setup(app: Sphinx) -> None:
    """JSON on these pages is shortened by "...", which the lexer of JSON refuses and that of JavaScript takes."""
    app.add_lexer("json", JavascriptLexer)
