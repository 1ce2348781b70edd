"""What judging a program over its standard streams costs: pairs a second, with gradients, by size of the batch.

    python -m benchmarks.process_pipe

Beside the two example programs (the one in C++ is compiled first) stand NumPy in this process, and the two parts that the
suite adds to every answer: the request written and the answer read, and within that its validation against the schema.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from conformance.implementations import Implementation, load
from conformance.implementations.process import messages
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import near_reference
from oracle import Format, binary32, binary64

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
SIZES = (1, 64, 4096)


def best(call: Callable[[], object], seconds: float = 1.0) -> float:
    """The shortest of the times that the call took within that many seconds."""
    call()
    shortest, deadline = float("inf"), time.perf_counter() + seconds
    while (started := time.perf_counter()) < deadline:
        call()
        shortest = min(shortest, time.perf_counter() - started)
    return shortest


def batch(fmt: Format, size: int) -> Batch:
    """That many realistic pairs."""
    pairs = near_reference(fmt, size, np.random.default_rng(0))
    return pairs.take(np.resize(np.arange(len(pairs)), size))


def handled(implementation: Implementation, pairs: Batch, fmt: Format) -> tuple[Callable[[], object], Callable[[], object]]:
    """The suite's own share in a request, and the validation in it, on the implementation's true answer."""
    answer = implementation.evaluate(pairs, fmt, gradient=True)
    parts = [messages.to_hex(part, fmt) for part in answer.gradient or () if part is not None]
    data = {"type": "answer", "id": 1, "losses": messages.to_hex(answer.losses, fmt), "gradient": parts}
    line = json.dumps(data).encode()

    def share() -> None:
        messages.evaluate(1, pairs, fmt, gradient=True)
        messages.read_answer(line, 1, pairs, fmt, implementation.claims, gradient=True)

    return share, lambda: messages._check("its answer", data, "program_answer")


def main() -> None:
    """Print the table."""
    console = Console()
    rows: list[tuple[str, Format, Implementation]] = [("NumPy, in this process", binary64, load("numpy"))]
    with tempfile.TemporaryDirectory() as folder:
        if compiler := shutil.which("g++"):
            program = Path(folder) / "dpo_loss"
            subprocess.run([compiler, "-O2", "-std=c++17", "-o", program, EXAMPLES / "dpo_loss.cpp"], check=True)
            rows += [(f"C++, {fmt}", fmt, load(f"process:{program}")) for fmt in (binary32, binary64)]
        if shutil.which("node"):
            rows.append(("Node.js, binary64", binary64, load(f"process:node {EXAMPLES / 'dpo_loss.mjs'}")))
        table = Table("implementation", *(f"{size:,} a batch" for size in SIZES), title="pairs a second, and µs a batch")
        for name, fmt, implementation in rows:
            calls = [partial(implementation.evaluate, batch(fmt, size), fmt, gradient=True) for size in SIZES]
            table.add_row(name, *(figures(best(call), size) for call, size in zip(calls, SIZES, strict=True)))
        shares = [handled(rows[0][2], batch(binary64, size), binary64) for size in SIZES]
        for place, name in enumerate(("the suite's share", "of it, validation")):
            table.add_row(name, *(figures(best(s[place]), size) for s, size in zip(shares, SIZES, strict=True)))
        console.print(table)


def figures(seconds: float, size: int) -> str:
    """Pairs a second, and microseconds a batch."""
    return f"{size / seconds:,.0f}\n{seconds * 1e6:,.0f} µs"


if __name__ == "__main__":
    main()
