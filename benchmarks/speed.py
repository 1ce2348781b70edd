"""Every speed that the project states, beside what a user would take instead, in one run.

    python -m benchmarks.speed                  print the tables
    python -m benchmarks.speed --write          also write docs/speed.md
    python -m benchmarks.speed --rounds 3       fewer rounds: faster, noisier

Each round times every contender of a table once, in a new random order, so that a slow moment of the machine hits all
alike; a table gives medians over the rounds. One thread, whose CPU time is taken, unless a row says otherwise. A library
that is not installed has no row. Nothing here is a test: no time is asserted.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version

import click
from rich.console import Console
from rich.table import Table

from benchmarks import losses_speed, numbers, token_logps, wholes
from benchmarks.test_line import FIGURES, PARTS
from benchmarks.timing import BEFORE, ROOT, Row, installed
from conformance.clauses import CLAUSES
from conformance.records.environment import environment
from oracle import FORMATS

PAGE = ROOT / "docs" / "speed.md"
TABLES: Mapping[str, Callable[[int], tuple[str, list[Row]]]] = {
    "Judging, an element": numbers.judged,
    "Enclosures of pairs": numbers.pairs,
    "Named losses": losses_speed.named,
    "Token log-probabilities": token_logps.tokens,
    "From token logits to the loss": token_logps.path,
    "Memory of token log-probabilities": token_logps.memory,
    "Beside the commit before": wholes.prices,
    "Sweeping": wholes.wholes,
    "Workers": wholes.workers,
    "Commands": wholes.commands,
    "Growth": wholes.growth,
}
LIBRARIES = ("numpy", "torch", "numba", "mpmath", "python-flint", "gmpy2", "numpy-quaddtype", "xprec", "distributed")


@dataclass(frozen=True, slots=True)
class Goal:
    """A cell of a table, or the ratio of two, that should be at most so much; why not, where it is not."""

    what: str
    most: float
    table: str
    row: str
    column: int
    over: str = ""
    unmet: str = ""

    def value(self, tables: Mapping[str, list[Row]]) -> float:
        """The figure that was measured."""
        found = self._cell(tables, self.row)
        return found / self._cell(tables, self.over) if self.over else found

    def _cell(self, tables: Mapping[str, list[Row]], beginning: str) -> float:
        (row,) = [cells for cells in tables[self.table] if cells[0].startswith(beginning)][:1]
        return float(row[self.column].replace(",", ""))


ELEMENT, PAIRS, COMMANDS = "Judging, an element", "Enclosures of pairs", "Commands"
COMPILED = "this project, compiled: "
BESIDE = "Beside the commit before"
TOKENS, PATH = "Token log-probabilities", "From token logits to the loss"
GOALS = (
    Goal("a binary32 loss judged, over plain float64", 3, ELEMENT, f"{COMPILED}a binary32 loss", 3),
    Goal("a binary32 derivative judged, over plain float64 of the loss", 3, ELEMENT, f"{COMPILED}a binary32 derivative", 3),
    *(
        Goal(
            f"{what} judged in blocks, compiled, over the commit before",
            1 / 3,
            BESIDE,
            what,
            4,
            unmet="a loss takes a logarithm after its exponential, where a derivative takes a division: its table is looked up "
            "once more, and a finer one would leave the cache",
        )
        for what in ("a binary32 loss", "a binary32 derivative")
    ),
    Goal("ns of a 2⁻⁷¹ enclosure of loss and derivative", 25, ELEMENT, f"{COMPILED}2⁻⁷¹", 1),
    Goal("ns of a pair's loss and derivatives", 100, PAIRS, "compiled: loss and derivatives", 1),
    *(
        Goal(
            f"{name}, of two kernels, over sigmoid by the same evaluation",
            2,
            "Named losses",
            name,
            2,
            unmet="a logistic function has a slope of its own, where a softplus's derivatives share one function",
        )
        for name in ("bce_pair", "bco_pair", "apo_down")
    ),
    Goal("ns of a binary64 loss judged", 80, ELEMENT, f"{COMPILED}a binary64 loss", 1),
    *(
        Goal(
            f"a sweep over torch alone, one thread, {place}",
            1.5,
            "Sweeping",
            f"swept, compiled, binary32, {place}",
            2,
            unmet="torch alone answers in a few nanoseconds, and the two judgements take about as long. The rest is Python "
            "between calls of 2¹⁵ logits: tensors made, and looked at once more for what was written to them, and counts. "
            "Longer calls would leave the cache; to know what was written without looking would save a part",
        )
        for _, place in wholes.SPANS
    ),
    *(
        Goal(
            f"a sweep over torch alone in one call, one thread, {place}",
            1.5,
            "Sweeping",
            f"swept, compiled, binary32, {place}",
            3,
        )
        for _, place in wholes.SPANS
    ),
    Goal(
        "a token log-probability at V = 151,936, over NumPy's float64 logsumexp, each row for itself",
        4,
        TOKENS,
        "NumPy, each row for itself",
        2,
    ),
    Goal("the same, over mpmath", 1e-3, TOKENS, "mpmath", 2),
    Goal("the same, over Arb", 1 / 50, TOKENS, "Arb", 2),
    Goal("a pair of 1,024 tokens, logits to loss and derivatives, over torch in float64", 3, PATH, "certified", 2),
    Goal("memory at T = 4,096, over that at T = 16", 1.1, "Memory of token log-probabilities", "T = 4,096", 2),
    Goal(
        "`run numpy torch`, over the commit before",
        0.5,
        COMMANDS,
        "`dpo-conformance run numpy torch",
        3,
        unmet="there are more clauses and a diagnosis; and two processes, one after the other, each import, draw and work out "
        "the intervals for themselves: to judge both at once would halve it",
    ),
    Goal("s of the import of `torch_implementation`, torch imported before", 0.3, COMMANDS, "import of", 1),
    Goal("s of `--help`", 0.3, COMMANDS, "`dpo-conformance --help", 1),
)


def test_line() -> tuple[list[str], list[str]]:
    """The rows of the README's test line, which `benchmarks.test_line` has measured, where all parts are there; and why not."""
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    if not set(PARTS) <= set(figures):
        return [], []
    before, shared, whole = (figures[part] for part in PARTS)
    told = f"measured {figures['measured']} by `python -m benchmarks.test_line`"
    rows, reasons = [], []
    for of, how in (("minutes", "by the clock"), ("cpu", "of CPU time")):
        what, ratio = f"the README's test line, {shared['tests']}, {how}, over the commit before", shared[of] / before[of]
        rows.append(f"| {what}; {told} | 0.5 | {ratio:.3g} | {'yes' if ratio <= 0.5 else 'no'} |")
        if ratio > 0.5:
            reasons.append(f"{what}: {SAME}")
    minutes = whole["minutes"]
    rows.append(f"| minutes of all of it; {told} | 15 | {minutes:.3g} | {'yes' if minutes <= 15 else 'no'} |")
    return rows, reasons


SAME = (
    f"a test of one name does more now: an honest implementation or a mutant is judged by {len(CLAUSES)} clauses, where it was "
    "by 66, and the pages' commands run them all. About half of the time goes to whole runs of the honest ones and to "
    "comparisons with Arb: to take fewer would halve it, and show less"
)


def goals(found: Mapping[str, list[Row]]) -> str:
    """The goals beside what was measured, and why one was not reached."""
    lines = ["## Goals", "", "| what | at most | measured | reached |", "|---|---:|---:|---|"]
    reasons = []
    for goal in GOALS:
        value = goal.value(found)
        reached = value <= goal.most
        lines.append(f"| {goal.what} | {goal.most:.3g} | {value:,.3g} | {'yes' if reached else 'no'} |")
        if not reached:
            reasons.append(f"{goal.what}: {goal.unmet or 'the machine was busy, or is another'}")
    rows, why = test_line()
    lines += rows
    reasons += why
    told = [f"Not reached. {'; '.join(dict.fromkeys(reasons))}."] if reasons else []
    about = (
        "Plain float64 has no table, no error bound and no verdict, and NumPy evaluates its two functions with vector "
        f"instructions of the CPU. Compiled: with the extra `fast` ([the same bits](enclosures.md)). Before: commit {BEFORE}. "
        "The sweep of every float32 by torch: [its page](sweep-torch-binary32.md)."
    )
    return "\n".join([*lines, "", *told, *([""] if told else []), about])


@click.command()
@click.option("--rounds", type=click.IntRange(min=1), default=7, show_default=True)
@click.option("--only", type=click.Choice(list(TABLES)), multiple=True, help="These tables alone; repeatable.")
@click.option("--write", is_flag=True, help="Write docs/speed.md.")
def main(rounds: int, only: tuple[str, ...], write: bool) -> None:
    """Print the tables, and write them into the documentation."""
    random.seed(0)
    console = Console()
    sections = []
    found = {}
    for title in only or TABLES:
        header, rows = TABLES[title](rounds)
        found[title] = rows
        columns = [cell.strip() for cell in header.strip("| ").split("|")]
        table = Table(*columns, title=title, title_justify="left")
        for row in rows:
            table.add_row(*row)
        console.print(table)
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        doc = " ".join((TABLES[title].__doc__ or "").split())
        sections.append("\n".join([f"## {title}", "", doc, "", header, "|---" + "|---:" * (len(columns) - 1) + "|", *lines]))
    if write and not only:
        PAGE.write_text("\n\n".join([_head(rounds), goals(found), *sections]) + "\n", encoding="utf-8")


def _head(rounds: int) -> str:
    facts = environment()
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES if installed(name))
    told = json.dumps(facts["cpu"])
    return (
        "# Speed\n\nGenerated by `python -m benchmarks.speed --write`; do not edit. Medians of "
        f"{rounds} rounds, side by side in one run; CPU time, but for whole "
        f"commands and workers. CPU {told}, {facts['cpus']} CPUs, {facts['system']}; Python "
        f"{facts['python']}, {versions}. Formats: {', '.join(fmt.name for fmt in FORMATS)}."
    )


if __name__ == "__main__":
    main()
