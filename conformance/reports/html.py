"""The web page: one file that needs no network, from one record or from several side by side."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any

from conformance.records.record import Level, Record, Verdict
from conformance.reports import words
from conformance.reports.causes import told

FOLDER = "reports/page"
"""Where the templates, the style and the script lie, within the package."""
LISTED = 4
"""So many records are told of one by one at the top of the page; more are folded up."""


def render(record: Record) -> str:
    """The page of one record."""
    return page([("", record)])


def page(records: Sequence[tuple[str, Record]], sweeps: Sequence[Any] = (), audits: Sequence[Any] = ()) -> str:
    """The page of several records, each with a label that tells it from the others, and of reports of sweeps and of audits.

    The labels are shown and are part of the links, where there is more than one record. Sweeps are of
    conformance.sweep.report.Report; those of one format are drawn over z in one figure. Audits are of
    conformance.auditing.Report, each file a part of one section.
    """
    from conformance.reports import (  # noqa: PLC0415 - NumPy and the oracle, for this form alone
        audit_html,
        audit_words,
        html_facts,
        html_figures,
    )

    runs = html_facts.shown(records)
    style, script = audit_html.style() if audits else file_text("page.css"), file_text("page.js")
    rendered: str = (
        environment()
        .get_template("page.html")
        .render(
            records=records,
            many=len(records) > 1,
            folded=len(records) > LISTED,
            labelled=len(records) > 1 and any(one.label != one.run.implementation for one in runs),
            runs=runs,
            formats=[name for name in html_facts.FORMAT_ORDER if any(one.run.format == name for one in runs)],
            levels=list(Level),
            verdicts=list(Verdict),
            signs=html_facts.SIGNS,
            table=html_facts.table(runs),
            figures=list(html_figures.figures(sweeps)),
            strip=html_figures.strip,
            geometry=html_figures,
            words=words,
            audits=audit_html.sections(audits),
            audit_words=audit_words,
            causes=[one for _, record in records for one in told(record)],
            style=trusted(style),
            script=trusted(script),
            script_digest=digest(script),
            style_digest=digest(style),
        )
    )
    return rendered


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
