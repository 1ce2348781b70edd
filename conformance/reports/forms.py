"""The forms of a report that are files, by the name that the command line gives them."""

from __future__ import annotations

from collections.abc import Callable

from conformance.records.record import Record
from conformance.reports import github, html, junit, markdown

FORMS: dict[str, Callable[[Record], str]] = {
    "json": Record.to_json,
    "markdown": markdown.render,
    "junit": junit.render,
    "annotations": github.render,
    "html": html.render,
}
