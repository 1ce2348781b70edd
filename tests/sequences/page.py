"""`python -m tests.sequences.page NAME...`: judge the wrapped libraries that are installed here, and write docs/sequences.md.

Without names, all of them. What cannot be imported is left as it stands on the page's list of names, with the reason.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from conformance.errors import CannotLoad
from conformance.implementations import load
from conformance.records.record import Level, Run, Verdict
from conformance.running.runner import judge

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sequences.md"
PACKAGE = "conformance.implementations.sequence"
NAMES = (
    "of_torch:LOG_SOFTMAX",
    "of_torch:LOGSUMEXP",
    "of_torch:CROSS_ENTROPY",
    "of_torch:COMPILED",
    "of_jax:LOG_SOFTMAX",
    "of_jax:LOGSUMEXP",
    "of_optax:LOGPS",
    "of_scipy:LOG_SOFTMAX",
    "of_scipy:LOGSUMEXP",
    "of_torchtune:SUM",
    "of_torchtune:AVERAGE",
    "of_trl:SELECTIVE",
    "of_trl:FUSED",
    "of_trl_trainer:DPO",
    "of_trl_trainer:IPO",
    "of_trl_trainer:NORM",
    "of_liger:DPO",
    "of_openrlhf:LOGPS",
    "of_verl:NAIVE",
    "of_verl:SECOND",
    "of_unsloth:TARGET",
    "of_unsloth:ROWS",
    "of_llamafactory:LOGPS",
    "of_swift:LOGPS",
    "of_tunix:LOGPS",
    "of_easydel:SUM",
    "of_easydel:AVERAGE",
)
FORMATS = ("binary16", "bfloat16", "binary32", "binary64")
HEAD = """# What released libraries do with token logits

Written by `python -m tests.sequences.page`; do not edit. Each function is a library's own, wrapped in a file of
`conformance/implementations/sequence/`, and judged on a CPU in every format under the profile quick, seed 0. A cell names the
MUSTs that are violated; an empty format is not claimed. *C* is the constant of the vocabulary's sum that the stress inputs
show at V = 4,096 in binary32 when every other term has taken its whole bound ([the bounds](bounds.md#from-logits)): 0 is
within all of that, 4,095 is a running sum. `dpo-conformance explain MASKED-3` tells what a clause asks.

| function | library | binary16 | bfloat16 | binary32 | binary64 | SHOULD violated | C |
|---|---|---|---|---|---|---|---|
"""


def main(names: list[str]) -> None:
    rows, seen, absent = kept()
    for name in names or NAMES:
        source = f"{PACKAGE}.{name}"
        try:
            load(source)
        except CannotLoad as error:
            absent.append(f"- `{name}`: {str(error).partition(': ')[2]}")
            continue
        runs = judge(source).runs
        rows[runs[0].implementation], seen[runs[0].implementation] = row(runs), told(runs)
        print(rows[runs[0].implementation], flush=True)
    lines = [line for found in seen.values() for line in found]
    text = HEAD + "\n".join(rows.values()) + "\n\n## What was seen\n\n" + "\n".join(lines) + "\n\n" + alone(names or NAMES)
    if absent:
        text += "\n## Not judged here\n\n" + "\n".join(absent) + "\n"
    PAGE.write_text(text, encoding="utf-8")


def alone(names: Iterable[str]) -> str:
    """What each snippet, of a library alone, prints: those of the files of these names are run, the others kept."""
    files = {name.partition(":")[0] for name in names}
    parts = ["## By the libraries alone\n"]
    for code in sorted((PAGE.parent / "sequences" / "snippets").glob("show-*.py")):
        printed = code.with_suffix(".txt")
        if code.stem.removeprefix("show-") in files:
            done = subprocess.run([sys.executable, code], capture_output=True, text=True, check=False, timeout=300)
            if done.returncode == 0:
                printed.write_text(done.stdout, encoding="utf-8")
        if printed.is_file():
            place = f"sequences/snippets/{code.name}"
            parts.append(f"[`{place}`]({place}) prints:\n\n```text\n{printed.read_text(encoding='utf-8').rstrip()}\n```\n")
    return "\n".join(parts)


def kept() -> tuple[dict[str, str], dict[str, list[str]], list[str]]:
    """What stands on the page, by implementation: those that are judged now take its place."""
    rows: dict[str, str] = {}
    seen: dict[str, list[str]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines() if PAGE.is_file() else ():
        cells = line.split(" | ")
        if line.startswith("| ") and len(cells) == 8 and cells[0] != "| function":
            rows[cells[0].removeprefix("| ")] = line
        elif line.startswith("- **"):
            seen.setdefault(line.removeprefix("- **").partition("**")[0], []).append(line)
    return rows, seen, []


def row(runs: tuple[Run, ...]) -> str:
    """The implementation's line of the table."""
    by_format = {run.format: run for run in runs}
    cells = [cell(by_format[fmt]) for fmt in FORMATS]
    shoulds = dict.fromkeys(
        f.clause for run in runs for f in run.findings if f.verdict is Verdict.VIOLATES and f.level is Level.SHOULD
    )
    constant = ""
    for finding in by_format["binary32"].findings:
        found = re.search(r"measured C at V = 4,096: (\S+)", finding.note)
        constant = found.group(1) if found else constant
    named = runs[0].implementation, runs[0].environment["library"]
    return f"| {' | '.join((*named, *cells, ', '.join(shoulds), constant))} |"


def cell(run: Run) -> str:
    if not run.judged:
        return "" if run.verdict is Verdict.NOT_CLAIMED else str(run.verdict)
    return ", ".join(finding.clause for finding in run.violated) or "conforms"


def told(runs: tuple[Run, ...]) -> list[str]:
    """Each violated MUST once, in its own words, of the first format in which it is."""
    found = {finding.clause: (run.format, finding.note) for run in reversed(runs) for finding in run.violated}
    return [f"- **{runs[0].implementation}**, {clause} in {fmt}: {note}." for clause, (fmt, note) in found.items()]


if __name__ == "__main__":
    main(sys.argv[1:])
