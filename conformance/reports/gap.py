"""The gap as tables for a terminal or a pipe: each row is one logit, who predicts it and where it was measured."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance.gap.measurement import FormatGap, Gap, Threshold

HEX_FROM = 110
"""Columns of a console from which on the hexadecimal logits are shown, too."""


def render(data: Gap, console: Console) -> None:
    """One table a format; readable at 80 columns, with hexadecimal logits from 110 on, plain where it is piped."""
    for gap in data.formats:
        console.print(_table(gap, wide=console.width >= HEX_FROM))
        console.print()
    console.print(
        Text(
            "First logits, nearest to 0. Predicted: -log(sigmoid(z)) with the sigmoid correctly rounded (sigmoid), "
            "1 / (1 + exp(-z)) in the format (quotient), or that in binary32 (quotient32). "
            "Derivations and limits of the search: docs/gap.md."
        )
    )


def _table(gap: FormatGap, *, wide: bool) -> Table:
    fmt = gap.format
    title = f"{fmt.name}: p = {fmt.precision}, emin = {fmt.emin}, emax = {fmt.emax}"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1), pad_edge=False)
    table.add_column("", max_width=21)
    table.add_column("logit z", justify="right", no_wrap=True)
    if wide:
        table.add_column("hexadecimal", no_wrap=True)
    table.add_column("predicted by")
    table.add_column("measured in")
    for threshold in gap.thresholds:
        for index, (logit, models, implementations) in enumerate(_rows(threshold)):
            cells = [threshold.question.title if index == 0 else "", decimal(logit)]
            cells += ["" if logit is None else logit.hex()] if wide else []
            table.add_row(*cells, ", ".join(models), ", ".join(implementations))
        for note, names in _notes(threshold).items():
            table.add_row("", "-", *([""] if wide else []), "", f"{', '.join(names)}: {note}")
        table.add_section()
    return table


def _rows(threshold: Threshold) -> list[tuple[float | None, list[str], list[str]]]:
    """(logit, models, implementations), nearest to 0 first, "never" last."""
    measured = [m for m in threshold.measured if m.logit is not None or m.note == "never"]
    logits = {p.logit for p in threshold.predicted} | {m.logit for m in measured}
    return [
        (
            logit,
            [p.model for p in threshold.predicted if p.logit == logit],
            [m.implementation for m in measured if m.logit == logit],
        )
        for logit in sorted(logits, key=lambda z: float("inf") if z is None else abs(z))
    ]


def _notes(threshold: Threshold) -> dict[str, list[str]]:
    """Why nothing was measured, with the implementations it holds for."""
    notes: dict[str, list[str]] = {}
    for m in threshold.measured:
        if m.logit is None and m.note != "never":
            notes.setdefault(m.note, []).append(m.implementation)
    return notes


def decimal(logit: float | None) -> str:
    """The shortest decimal that a binary64 reads back exactly; "never" for None."""
    return "never" if logit is None else repr(logit)
