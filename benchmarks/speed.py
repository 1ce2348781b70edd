"""Every speed that the project states, beside what a user would take instead, in one run.

    python -m benchmarks.speed                  print the tables
    python -m benchmarks.speed --write          also write docs/speed.md
    python -m benchmarks.speed --rounds 3       fewer rounds: faster, noisier

Each round times every contender of a table once, in a new random order, so that a slow moment of the machine hits all
alike; a table gives medians over the rounds. One thread, unless a row says otherwise. A library that is not installed
has no row. Nothing here is a test: no time is asserted.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click
import mpmath
import numpy as np
from rich.console import Console
from rich.table import Table

from conformance.records.environment import environment
from conformance.sweep import sweep
from oracle import FORMATS, bfloat16, binary16, binary32, binary64, enclosure, judging

PAGE = Path(__file__).parents[1] / "docs" / "speed.md"
SWEEP = PAGE.with_name("sweep-torch-binary32.json")
COUNT = 1 << 20
FEW = 4000
"""Elements for the contenders that take microseconds each."""
BITS = 120
Call = Callable[[], object]
Row = tuple[str, ...]


class Timed:
    """Contenders timed side by side: nanoseconds an element, as medians over rounds."""

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        self._calls: dict[str, tuple[Call, int]] = {}

    def add(self, name: str, call: Call, elements: int) -> None:
        self._calls[name] = (call, elements)

    def medians(self) -> dict[str, float]:
        seen: dict[str, list[float]] = {name: [] for name in self._calls}
        for call, _ in self._calls.values():
            call()  # tables, compilations, page faults
        for _ in range(self._rounds):
            order = list(self._calls)
            random.shuffle(order)
            for name in order:
                call, elements = self._calls[name]
                start = time.perf_counter()
                call()
                seen[name].append((time.perf_counter() - start) / elements * 1e9)
        return {name: statistics.median(times) for name, times in seen.items()}


def judged(rounds: int) -> tuple[str, list[Row]]:
    """A returned loss judged, beside the loss computed in other ways."""
    rng = np.random.default_rng(1)
    z = rng.normal(size=COUNT) * 10
    timed = Timed(rounds)
    timed.add("plain float64 log1p(exp(-z)), no certificate", lambda: np.log1p(np.exp(-z)), COUNT)
    names = {}
    for fmt in (bfloat16, binary16, binary32):
        logits = fmt.round_array(z)
        got = fmt.round_array(np.log1p(np.exp(-logits)))
        names[fmt.name] = f"this project: a {fmt.name} loss judged"
        timed.add(names[fmt.name], lambda a=logits, b=got, f=fmt: judging.losses(a, b, f), COUNT)
    answers = np.log1p(np.exp(-z))
    timed.add("this project: a binary64 loss judged", lambda: judging.losses(z, answers, binary64), COUNT)
    exact = enclosure.exact(z)
    timed.add("this project: 2⁻⁷¹ enclosures of loss and derivative", lambda: enclosure.kernel(exact), COUNT)
    few = z[:FEW].tolist()
    _scalar(timed, few)
    _arrays(timed, z[:FEW])
    found = timed.medians()
    mine, plain = found[names["binary32"]], found["plain float64 log1p(exp(-z)), no certificate"]
    rows = [(name, f"{ns:,.1f}", f"{ns / mine:,.2f}", f"{ns / plain:,.2f}") for name, ns in found.items()]
    return "| what | ns an element | over a binary32 loss judged | over plain float64 |", rows


def _scalar(timed: Timed, z: list[float]) -> None:
    """Libraries of single numbers, at 120 bits."""

    def by_mpmath() -> object:
        with mpmath.workprec(BITS):
            return [mpmath.log1p(mpmath.exp(-x)) for x in z]

    timed.add(f"mpmath, {BITS} bits", by_mpmath, len(z))
    if _installed("python-flint"):
        import flint  # noqa: PLC0415

        def by_arb() -> object:
            flint.ctx.prec = BITS
            return [(-flint.arb(x)).exp().log1p() for x in z]

        timed.add(f"Arb (python-flint), {BITS} bits", by_arb, len(z))
    if _installed("gmpy2"):
        import gmpy2  # noqa: PLC0415

        def by_mpfr() -> object:
            with gmpy2.context(precision=BITS):
                return [gmpy2.log1p(gmpy2.exp(-gmpy2.mpfr(x))) for x in z]

        timed.add(f"MPFR (gmpy2), {BITS} bits", by_mpfr, len(z))


def _arrays(timed: Timed, z: np.ndarray) -> None:
    """Libraries of wide arrays."""
    if _installed("numpy-quaddtype"):
        import numpy_quaddtype  # noqa: PLC0415

        quad = z.astype(numpy_quaddtype.QuadPrecDType())
        timed.add("numpy-quaddtype log1p(exp(-z)), 113 bits, no certificate", lambda: np.log1p(np.exp(-quad)), len(z))
    if _installed("xprec"):
        import xprec  # noqa: PLC0415

        pair = z.astype(xprec.ddouble)
        timed.add("xprec log(1 + exp(-z)), 106 bits, no certificate", lambda: np.log(1 + np.exp(-pair)), len(z))


def pairs(rounds: int) -> tuple[str, list[Row]]:
    """Enclosures of the loss and the gradient of pairs."""
    rng = np.random.default_rng(2)
    n = COUNT // 4
    logps = [-np.abs(rng.normal(size=n)) * 200 for _ in range(4)]
    timed = Timed(rounds)
    both = "loss and the four derivatives of a pair, beta 0.1, label_smoothing 0.1"
    timed.add("loss of a pair", lambda: enclosure.loss(*logps, 0.1, 0.1), n)
    timed.add("derivatives of a pair: one number, four signs", lambda: enclosure.gradient(*logps, 0.1, 0.1), n)
    timed.add(both, lambda: (enclosure.loss(*logps, 0.1, 0.1), enclosure.gradient(*logps, 0.1, 0.1)), n)
    return "| certified enclosure | ns a pair |", [(name, f"{ns:,.0f}") for name, ns in timed.medians().items()]


def wholes(rounds: int) -> tuple[str, list[Row]]:
    """Whole formats of torch swept in this process: every logit, the value and both derivatives."""

    def both() -> None:
        for fmt in (binary16, bfloat16):
            sweep("torch", fmt, isolate=False)

    timed = Timed(rounds)
    timed.add("every logit of binary16 and of bfloat16", both, 1)
    n = 1 << 22
    first = int(binary32.ordinals(binary32.round_array(0.01)))
    low, high = (float(x) for x in binary32.from_ordinals([first, first + n - 1]))
    timed.add(f"{n:,} logits of binary32 from 0.01 on", lambda: sweep("torch", binary32, low=low, high=high, isolate=False), 1)
    return "| torch swept, one process that is already running | seconds |", [
        (name, f"{ns / 1e9:.2f}") for name, ns in timed.medians().items()
    ]


def commands(rounds: int) -> tuple[str, list[Row]]:
    """Whole commands, process start included, with as many threads as the machine has. What a process of its own costs an
    implementation is the difference to --in-process.
    """
    timed = Timed(max(1, rounds // 2))
    for words in ("--help", "run torch", "run torch --in-process", "run torch --profile standard"):
        timed.add(f"dpo-conformance {words}", lambda w=words: _run(f"dpo-conformance {w}"), 1)
    if _installed("ulpwise"):
        survey = "ulpwise survey --backends torch --dtypes f64,f32,f16,bf16 --functions logsigmoid"
        folder = tempfile.mkdtemp()
        timed.add(survey, lambda: _run(f"{survey} --out {folder}"), 1)
    return "| command | seconds |", [(f"`{name}`", f"{ns / 1e9:.2f}") for name, ns in timed.medians().items()]


GROWTH = """
import resource, sys, time
import numpy as np
from oracle import binary32, judging
n, block = int(sys.argv[1]), 1 << 16
judging.losses(np.zeros(1), np.zeros(1), binary32)
start = time.perf_counter()
for first in range(0, n, block):
    z = binary32.from_ordinals(np.arange(first, min(first + block, n)) + 1_000_000_000)
    judging.losses(z, binary32.round_array(z), binary32)
seconds = time.perf_counter() - start
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def growth(rounds: int) -> tuple[str, list[Row]]:
    """The price of a point as their number grows, in processes of their own."""
    rows = []
    for power in range(3, 9):
        seen = [_run_python(GROWTH, str(10**power)) for _ in range(1 if power > 7 else rounds)]
        seconds, memory = (statistics.median(column) for column in zip(*seen, strict=True))
        rows.append((f"10^{power}", f"{seconds / 10**power * 1e9:,.1f}", f"{memory:,.0f}"))
    return "| binary32 logits made and judged | ns a point | peak MiB of the process |", rows


def _run(command: str) -> None:
    subprocess.run(command.split(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def _run_python(script: str, *arguments: str) -> list[float]:
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


TABLES: Mapping[str, Callable[[int], tuple[str, list[Row]]]] = {
    "Judging, an element": judged,
    "Enclosures of pairs": pairs,
    "Whole formats": wholes,
    "Commands": commands,
    "Growth": growth,
}


GOALS = (
    (
        "a binary32 loss judged, over plain float64",
        "Judging, an element",
        "this project: a binary32 loss judged",
        3,
        3.0,
        "at most",
    ),
    ("mpmath at 120 bits, over a binary32 loss judged", "Judging, an element", "mpmath", 2, 1000.0, "at least"),
    ("Arb, likewise", "Judging, an element", "Arb", 2, 50.0, "at least"),
    ("MPFR, likewise", "Judging, an element", "MPFR", 2, 250.0, "at least"),
    ("ns of a 2⁻⁶⁴ enclosure", "Judging, an element", "this project: 2⁻⁷¹", 1, 100.0, "at most"),
    ("s of both 16-bit formats", "Whole formats", "every logit", 1, 1.0, "at most"),
    ("ns of a pair's loss and derivatives", "Enclosures of pairs", "loss and the four", 1, 500.0, "at most"),
    ("s of `run torch`", "Commands", "`dpo-conformance run torch`", 1, 15.0, "at most"),
    ("s of `run torch --profile standard`", "Commands", "`dpo-conformance run torch --p", 1, 60.0, "at most"),
    ("s of `--help`", "Commands", "`dpo-conformance --help", 1, 0.3, "at most"),
)
"""What, the table, how its row begins, the column, the goal, and its sense."""


def goals(found: Mapping[str, list[Row]]) -> str:
    """The goals beside what was measured."""
    lines = ["## Goals", "", "| what | goal | measured | reached |", "|---|---:|---:|---|"]
    for what, table, row, column, goal, sense in GOALS:
        (cell,) = [cells[column] for cells in found[table] if cells[0].startswith(row)][:1]
        value = float(cell.replace(",", ""))
        reached = value <= goal if sense == "at most" else value >= goal
        lines.append(f"| {what} | {sense} {goal:g} | {cell} | {'yes' if reached else 'no'} |")
    seconds = json.loads(SWEEP.read_text(encoding="utf-8"))["seconds"]
    reached = "yes" if seconds <= 180 else "no"
    lines.append(f"| s of every binary32 logit, torch's value and gradient | at most 180 | {seconds:.1f} | {reached} |")
    told = (
        "The last row is from [the sweep of torch](sweep-torch-binary32.md), on the same machine. Plain float64 has no table, "
        "no error bound and no verdict, and NumPy evaluates its two functions with vector instructions of the CPU; the "
        "judgement is some forty passes of NumPy over arrays that stay in the cache."
    )
    return "\n".join([*lines, "", told])


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
        doc = (TABLES[title].__doc__ or "").strip()
        sections.append("\n".join([f"## {title}", "", doc, "", header, "|---" + "|---:" * (len(columns) - 1) + "|", *lines]))
    if write and not only:
        PAGE.write_text("\n\n".join([_head(rounds), goals(found), *sections]) + "\n", encoding="utf-8")


def _head(rounds: int) -> str:
    facts = environment()
    libraries = ("numpy", "torch", "mpmath", "python-flint", "gmpy2", "numpy-quaddtype", "xprec", "ulpwise")
    versions = ", ".join(f"{name} {version(name)}" for name in libraries if _installed(name))
    told = json.dumps(facts["cpu"])
    return (
        "# Speed\n\nGenerated by `python -m benchmarks.speed --write`; do not edit. Medians of "
        f"{rounds} rounds, side by side in one run. CPU {told}, {facts['cpus']} CPUs, {facts['system']}; Python "
        f"{facts['python']}, {versions}. Formats: {', '.join(fmt.name for fmt in FORMATS)}."
    )


if __name__ == "__main__":
    main()
