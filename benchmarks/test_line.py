"""The README's test line at two commits: all of it, and the tests that both have.

    python -m benchmarks.test_line                   the tests now, and at the commit before; 30 minutes on two quiet CPUs
    python -m benchmarks.test_line --only shared     one of them: all, before, shared; repeatable
    python -m benchmarks.test_line --write           also write benchmarks/test_line.json, which benchmarks.speed shows

`before`: all tests of the commit before, as its own README says. `shared`: those of today that it has too, by file, name and
parameters. `all`: what the README says now. Each in a checkout and an environment of its own,
installed first and not timed; the clock and the CPU time of all its processes, the latter also where the machine is busy.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from benchmarks.timing import BEFORE, ROOT

FIGURES = Path(__file__).with_name("test_line.json")
PARTS = "before", "shared", "all"


@contextmanager
def installed(commit: str) -> Iterator[tuple[Path, dict[str, str]]]:
    """A checkout of the commit, and what has its environment's programs found first."""
    with TemporaryDirectory() as folder:
        place, home = Path(folder) / "checkout", Path(folder) / "environment"
        subprocess.run(["git", "worktree", "add", "--detach", place, commit], cwd=ROOT, check=True, capture_output=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", home], check=True)
            found = os.environ | {"PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}", "VIRTUAL_ENV": str(home)}
            line = next(x for x in (place / "README.md").read_text().splitlines() if re.match(r"pip install .*&& pytest", x))
            subprocess.run(
                line.split("&&")[0].replace("install", "install -q", 1), shell=True, cwd=place, env=found, check=True
            )
            yield place, found
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", place], cwd=ROOT, check=True, capture_output=True)


def timed(place: Path, found: dict[str, str], *arguments: str) -> dict[str, float | str]:
    """What pytest took in that checkout, in minutes, and the last line that it wrote."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(["pytest", "-n", "2", *arguments], cwd=place, env=found, capture_output=True, text=True, check=False)
    clock, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"minutes": round(clock / 60, 2), "cpu": round(cpu / 60, 2), "end": done.stdout.strip().splitlines()[-1]}


def tests(place: Path, found: dict[str, str]) -> list[str]:
    """The ids of the tests."""
    words = ["pytest", "--collect-only"]  # -q, which lists ids, is in the options of both commits
    lines = subprocess.run(words, cwd=place, env=found, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in lines if "::" in line]


@click.command()
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="These alone; repeatable.")
@click.option("--write", is_flag=True, help="Write benchmarks/test_line.json.")
def main(only: tuple[str, ...], write: bool) -> None:
    """Time the test line, and print the figures as JSON."""
    parts = only or PARTS
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    had: set[str] = set()
    if {"before", "shared"} & set(parts):
        with installed(BEFORE) as (place, found):
            had = set(tests(place, found))
            if "before" in parts:
                figures["before"] = timed(place, found)
    with installed("HEAD") as (place, found):
        if "shared" in parts:
            chosen = [test for test in tests(place, found) if test in had]
            asked = place / "shared.txt"
            asked.write_text("\n".join(chosen))
            figures["shared"] = timed(place, found, f"@{asked}") | {"tests": f"{len(chosen):,} of its {len(had):,} tests"}
        if "all" in parts:
            figures["all"] = timed(place, found)
    figures["measured"] = datetime.now(UTC).date().isoformat()
    told = json.dumps(figures, indent=1) + "\n"
    click.echo(told, nl=False)
    if write:
        FIGURES.write_text(told, encoding="utf-8")


if __name__ == "__main__":
    main()
