"""The web page: one file that needs no network, from one record or from several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.records.record import Level, Record, Verdict
from conformance.reports import words
from conformance.reports.causes import told
from conformance.reports.html_files import digest, environment, file_text, trusted

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
