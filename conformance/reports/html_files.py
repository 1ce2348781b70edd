"""What every web page is made of: the templates, the style and the script of this package, and who may pass for markup."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import Any

from conformance.reports import words

FOLDER = "reports/page"
"""Where the templates, the style and the script lie, within the package."""


def environment() -> Any:
    """Every value is escaped, and what does not print is spelt out first: nothing of a record is markup."""
    import jinja2  # noqa: PLC0415 - for this form alone

    return jinja2.Environment(
        loader=jinja2.PackageLoader("conformance", FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )


def _finalized(value: Any) -> Any:
    """A text in which only line feeds are left of what does not print; markup of our own as it is."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return "\n".join(map(words.visible, value.split("\n")))


def file_text(name: str) -> str:
    """A template, style or script of the page."""
    return resources.files("conformance").joinpath(FOLDER, name).read_text(encoding="utf-8")


def trusted(text: str) -> Any:
    """A file of this package, as markup: never anything of a record."""
    from markupsafe import Markup  # noqa: PLC0415

    return Markup(text)


def digest(text: str) -> str:
    """By which the page's own policy lets a script or a style pass, and no other."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
