"""The campaign: `python -m tests.losses [losses] [formats] [seeds]`, each a list with commas; what survives is printed.

A mutant is judged clause by clause, by the MUSTs, until one rejects it; an honest spelling by all. Exit status 1 where a mutant
survives that is not the loss itself (to 20 digits, in value and derivative, on every batch), or an honest one is accused.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

from conformance import judge
from conformance.clauses import EVERY
from conformance.implementations.preference import KIND
from conformance.inputs.losses import common, joined, mirrored
from conformance.records.record import Level
from oracle import FORMATS, get_format
from oracle import losses as exactly
from oracle.expressions.nodes import Op, walk
from oracle.losses import LOSSES, Loss, Wrong
from tests.conformance.test_preference import written
from tests.losses.operators import mutants

MUSTS = [clause for clause in EVERY if clause.kind == KIND and clause.level is Level.MUST]
HONEST = 3


def rejected(loss: Loss, wrong: Wrong, fmt: str, seed: int = 0) -> str:
    """The first clause that rejects it; empty where none does."""
    carrier = _with(loss, wrong)
    made = written(carrier, wrong.definition, name=f"{loss.name}/{wrong.name}")
    for clause in MUSTS:
        if judge(made, dtypes=[fmt], clauses=[clause], seed=seed).runs[0].violated:
            return clause.id
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


def spellings(loss: Loss) -> int:
    return max([HONEST, *(len(x.args) for x in walk(loss.definition) if x.op is Op.SPELLED)])


def main() -> None:
    asked = [argument.split(",") for argument in sys.argv[1:]]
    names = asked[0] if asked and asked[0] != ["all"] else sorted(LOSSES)
    formats = [get_format(name).name for name in asked[1]] if len(asked) > 1 else [fmt.name for fmt in FORMATS]
    seeds = [int(seed) for seed in asked[2]] if len(asked) > 2 else [0]
    wrong_runs = survivors = honest_runs = accused = equal = 0
    for name in names:
        loss, began = LOSSES[name], time.perf_counter()
        for wrong in (*loss.wrong, *mutants(loss)):
            open_formats = [fmt for fmt in formats if not rejected(loss, wrong, fmt)]
            if open_formats and is_the_loss(loss, wrong):
                equal += 1
                continue
            wrong_runs, survivors = wrong_runs + len(formats), survivors + len(open_formats)
            if open_formats:
                print(f"SURVIVES {name}/{wrong.name} in {', '.join(open_formats)}: {wrong.sentence}", flush=True)
        for spelling in range(spellings(loss)):
            for fmt in formats:
                for seed in seeds:
                    made = written(loss, loss.definition, spelling=spelling)
                    violated = judge(made, dtypes=[fmt], clauses=MUSTS, seed=seed).runs[0].violated
                    honest_runs, accused = honest_runs + 1, accused + bool(violated)
                    if violated:
                        told = f"{name} spelling {spelling} in {fmt}, seed {seed}: {violated[0].clause}"
                        print(f"ACCUSED {told}", flush=True)
        print(f"{name}: {time.perf_counter() - began:.1f} s", flush=True)
    print(f"{wrong_runs} wrong runs, {survivors} survive; {equal} mutants are the loss")
    print(f"{honest_runs} honest runs, {accused} accused")
    sys.exit(bool(survivors or accused))


if __name__ == "__main__":
    main()
