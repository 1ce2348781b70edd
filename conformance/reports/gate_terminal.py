"""The gate's report on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from conformance.gate import Decision
from conformance.reports import gate_words, words


def render(decision: Decision, console: Console) -> None:
    """The verdict; what fails in full, what follows from a violated kernel in short, the rest a line each; and it again."""
    verdict = Text(gate_words.verdict(decision), style="bold green" if decision.passes else "bold red")
    console.print(verdict, soft_wrap=True)
    for section in gate_words.regressions(decision):
        console.print(Text(section.title, style="bold red"), soft_wrap=True)
        for line in section.lines:
            console.print(Text(f"  {line}"), soft_wrap=True)
        finding = section.changes[0].now
        if section.consequent and finding is not None:
            console.print(Text(f"  {words.briefly(finding)}", style="dim"), soft_wrap=True)
        elif section.evidence:
            console.print(Text(section.evidence, style="dim"), soft_wrap=True)
        console.print()
    for heading, lines in gate_words.rest(decision):
        console.print(Text(heading, style="bold"))
        for line in lines:
            console.print(Text(f"  {line}"), soft_wrap=True)
        console.print()
    console.print(Text(words.summary(decision.record)), soft_wrap=True)
    console.print(verdict, soft_wrap=True)
