"""Contenders timed side by side, and processes of their own."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

from oracle import compiled

ROOT = Path(__file__).parents[1]
BEFORE = "3bf6c98"
"""The commit before the loops were compiled: what the goals are relative to."""
Call = Callable[[], object]
Row = tuple[str, ...]


class Timed:
    """Contenders timed side by side: nanoseconds an element, as medians over rounds.

    By the CPU time of this process, which other processes disturb least; by the clock where the work is done elsewhere.
    """

    def __init__(self, rounds: int, clock: Callable[[], float] = time.process_time, *, warm: bool = True) -> None:
        self._rounds = rounds
        self._clock = clock
        self._warm = warm
        self._calls: dict[str, tuple[Call, int]] = {}

    def add(self, name: str, call: Call, elements: int) -> None:
        self._calls[name] = (call, elements)

    def medians(self) -> dict[str, float]:
        seen: dict[str, list[float]] = {name: [] for name in self._calls}
        for call, _ in self._calls.values() if self._warm else ():
            call()  # tables, compilations, page faults
        for _ in range(self._rounds):
            order = list(self._calls)
            random.shuffle(order)
            for name in order:
                call, elements = self._calls[name]
                start = self._clock()
                call()
                seen[name].append((self._clock() - start) / elements * 1e9)
        return {name: statistics.median(times) for name, times in seen.items()}


def chosen(use: bool, call: Call) -> Call:
    """The call with compiled loops, or with NumPy alone."""

    def made() -> object:
        with compiled.choice(use):
            return call()

    return made


@contextmanager
def older() -> Iterator[dict[str, str]]:
    """The environment in which Python imports the packages as they were at BEFORE."""
    with TemporaryDirectory() as folder:
        place = Path(folder) / "before"
        subprocess.run(["git", "worktree", "add", "--detach", place, BEFORE], cwd=ROOT, check=True, capture_output=True)
        try:
            yield {"PYTHONPATH": str(place)}
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", place], cwd=ROOT, check=True, capture_output=True)


def run(command: str, extra: Mapping[str, str] | None = None) -> None:
    words = command.split()
    if words[0] == "dpo-conformance":
        words = [sys.executable, "-c", "import sys; from conformance.cli import main; sys.argv[0] = 'x'; main()", *words[1:]]
    quiet = subprocess.DEVNULL
    subprocess.run(words, stdout=quiet, stderr=quiet, check=False, env=os.environ | dict(extra or {}), cwd="/")


def run_python(script: str, *arguments: str, extra: Mapping[str, str] | None = None) -> list[float]:
    """The numbers that a script prints, in a process of its own."""
    words = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ | dict(extra or {}))
    return [float(word) for word in done.stdout.split()]


def installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
