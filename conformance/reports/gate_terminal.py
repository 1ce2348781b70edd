"""The gate's report on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from conformance.gate import Decision
from conformance.reports import gate_words, words
from conformance.reports.terminal import diagnosis

MOST_SECTIONS = 12
"""Regressions that are told in short, beside their cause; what is beyond is counted."""


def render(decision: Decision, console: Console, *, full: bool = False) -> None:
    """The verdict, and it again at the end; why it fails; what fails, in short where the cause is told, else, and with
    `full`, at its worst input; what follows from a violated kernel in short, the rest a line each.
    """
    verdict = Text(gate_words.verdict(decision), style="bold green" if decision.passes else "bold red")
    console.print(verdict, soft_wrap=True)
    for told in gate_words.causes_of(decision):
        diagnosis(told, console)
    fails = gate_words.regressions(decision)
    shortly = [] if full else [section for section in fails if section.explained]
    _shortly(shortly, console)
    _fully([section for section in fails if section not in shortly], console)
    for heading, lines in gate_words.rest(decision):
        console.print(Text(heading, style="bold"))
        for line in lines if full or len(lines) <= MOST_SECTIONS else [*lines[:MOST_SECTIONS], _more(lines)]:
            console.print(Text(f"  {line}"), soft_wrap=True)
        console.print()
    console.print(Text(words.summary(decision.record)), soft_wrap=True)
    console.print(verdict, soft_wrap=True)


def _more(lines: Sequence[object]) -> str:
    return f"and {len(lines) - MOST_SECTIONS:,} more"


def _shortly(sections: list[gate_words.Section], console: Console) -> None:
    """A line for each clause, and one for each of its rules."""
    if sections:
        console.print(Text("\nwhat is worse; --full tells each at its worst input:", style="dim"), soft_wrap=True)
    for section in sections[:MOST_SECTIONS]:
        console.print(Text(f"  {section.title}", style="bold red"), soft_wrap=True)
        for line in section.lines:
            console.print(Text(f"    {line}"), soft_wrap=True)
    if len(sections) > MOST_SECTIONS:
        console.print(Text(f"  {_more(sections)}", style="dim"))
    if sections:
        console.print()


def _fully(sections: list[gate_words.Section], console: Console) -> None:
    for section in sections:
        console.print(Text(section.title, style="bold red"), soft_wrap=True)
        for line in section.lines:
            console.print(Text(f"  {line}"), soft_wrap=True)
        finding = section.changes[0].now
        if section.consequent and finding is not None:
            console.print(Text(f"  {words.briefly(finding)}", style="dim"), soft_wrap=True)
        elif section.evidence:
            console.print(Text(section.evidence, style="dim"), soft_wrap=True)
        console.print()
