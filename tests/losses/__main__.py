"""The campaign: `python -m tests.losses [losses] [formats] [seeds]`, each a list with commas; what survives is printed.

A mutant is judged clause by clause, by the MUSTs, until one rejects it; an honest spelling by all. Only the clauses of DRAWN
draw pairs: what another rejects is rejected at every seed, and what only they reject is judged at each of them. Exit status 1
where a mutant survives that is not the loss itself (to 20 digits, in value and derivative, on every batch), or an honest one is
accused. With --record what a loss came to is kept in figures.json and told on docs/losses-power.md.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from conformance import judge
from conformance.clauses import EVERY
from conformance.implementations.preference import KIND
from conformance.inputs.losses import common, joined, mirrored
from conformance.records.record import Level
from oracle import FORMATS, get_format
from oracle import losses as exactly
from oracle.losses import LOSSES, Loss, Wrong
from tests.conformance.test_preference import written
from tests.losses import page
from tests.losses.honest import honest
from tests.losses.operators import mutants

MUSTS = [clause for clause in EVERY if clause.kind == KIND and clause.level is Level.MUST]
DRAWN = [clause for clause in MUSTS if clause.id in {"PREF-2", "PREF-3"}]
WITHIN = {("discopop/detached", "bfloat16"): "1.09 of the bound where it is farthest off; its page says so"}
"""What is within what correct arithmetic may return, in a format."""
FIXED = [clause for clause in MUSTS if clause not in DRAWN]


def rejected(loss: Loss, wrong: Wrong, fmt: str, seeds: Sequence[int] = (0,)) -> str:
    """The first clause that rejects it at every seed; empty where none does."""
    carrier = _with(loss, wrong)
    made = written(carrier, wrong.definition, name=f"{loss.name}/{wrong.name}")
    for clause in FIXED:
        if judge(made, dtypes=[fmt], clauses=[clause]).runs[0].violated:
            return clause.id
    if all(any(judge(made, dtypes=[fmt], clauses=[one], seed=seed).runs[0].violated for one in DRAWN) for seed in seeds):
        return DRAWN[0].id
    return ""


def _with(loss: Loss, wrong: Wrong) -> Loss:
    return replace(loss, wrong=(*loss.wrong, wrong))


def is_the_loss(loss: Loss, wrong: Wrong) -> bool:
    """Whether it is the same function after all, as far as 20 digits tell on the pairs that tell losses apart."""
    other = loss.variant(wrong)
    for batch in (common(), mirrored(common()), joined([common(), mirrored(common())])):
        for parameters in (loss.telling, loss.defaults):
            given = {**batch.rows, **parameters}
            try:
                if exactly.mean(other, **given).digits(20) != exactly.mean(loss, **given).digits(20):
                    return False
                theirs, ours = exactly.gradient(other, **given), exactly.gradient(loss, **given)
            except ValueError:
                return False
            if any(str(theirs[key][i]) != str(ours[key][i]) for key in loss.logps for i in (0, 3)):
                return False
    return True


@dataclass
class Figures:
    """What a campaign against one loss came to."""

    known: int
    by_operator: int
    honest: int
    formats: int
    seeds: int
    wrong_runs: int = 0
    survive: int = 0
    equal: int = 0
    honest_runs: int = 0
    accused: int = 0


def campaign(loss: Loss, formats: Sequence[str], seeds: Sequence[int]) -> Figures:
    """Every mutant and every honest one of a loss judged; what survives or is accused is printed."""
    figures = Figures(len(loss.wrong), len(list(mutants(loss))), len(honest(loss)), len(formats), len(seeds))
    for wrong in (*loss.wrong, *mutants(loss)):
        open_formats = [fmt for fmt in formats if not rejected(loss, wrong, fmt, seeds)]
        if open_formats and is_the_loss(loss, wrong):
            figures.equal += 1
            continue
        within = [fmt for fmt in open_formats if (f"{loss.name}/{wrong.name}", fmt) in WITHIN]
        open_formats = [fmt for fmt in open_formats if fmt not in within]
        figures.wrong_runs += len(formats) - len(within)
        figures.survive += len(open_formats)
        if open_formats:
            print(f"SURVIVES {loss.name}/{wrong.name} in {', '.join(open_formats)}: {wrong.sentence}", flush=True)
    for made in honest(loss):
        for fmt in formats:
            for seed, clauses in ((seeds[0], MUSTS), *((seed, DRAWN) for seed in seeds[1:])):
                violated = judge(made, dtypes=[fmt], clauses=clauses, seed=seed).runs[0].violated
                figures.honest_runs += 1
                figures.accused += bool(violated)
                if violated:
                    print(f"ACCUSED {made.name} in {fmt}, seed {seed}: {violated[0].clause}", flush=True)
    return figures


def main() -> None:
    given = [argument for argument in sys.argv[1:] if argument != "--record"]
    asked = [() if argument == "all" else argument.split(",") for argument in (*given, *("all",) * 3)]
    formats = [get_format(name).name for name in asked[1]] or [fmt.name for fmt in FORMATS]
    seeds = [int(seed) for seed in asked[2]] or [0]
    every = []
    for name in asked[0] or sorted(LOSSES):
        began = time.perf_counter()
        figures = campaign(LOSSES[name], formats, seeds)
        every.append(figures)
        counted = f"{figures.known} known wrong and {figures.by_operator} by operator, {figures.honest} honest"
        print(f"{name}: {counted}, {time.perf_counter() - began:.1f} s", flush=True)
        if len(sys.argv) - 1 > len(given):
            page.record(name, asdict(figures))
    survive, accused = sum(one.survive for one in every), sum(one.accused for one in every)
    print(
        f"{sum(x.wrong_runs for x in every)} wrong runs, {survive} survive; {sum(x.equal for x in every)} mutants are the loss"
    )
    print(f"{sum(x.honest_runs for x in every)} honest runs, {accused} accused")
    sys.exit(bool(survive or accused))


if __name__ == "__main__":
    main()
