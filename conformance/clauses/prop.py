"""PROPERTY: the whole of it once more on generated inputs, shrunk to the smallest counterexample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from conformance.clauses.ends import judge_gradients, judge_losses, judged_ahead, judged_pairs
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour, Unfinished
from conformance.inputs.batch import Batch
from conformance.inputs.generated import batches
from conformance.inputs.pairs import BETAS, SMOOTHINGS
from conformance.inputs.shrinking import smallest
from conformance.records.record import Level
from oracle import Format

chapter = Chapter("PROPERTY")
_GENERATED = (
    "Batches of one to eight pairs are generated: any numbers of the format, quarters of a nat, near-equal "
    "log-probabilities, and margins a few ulps from a threshold, with beta and eps from the suite's lists. What is found "
    "is shrunk, so that the worst input of the finding is a smallest one. They follow from the record's seed alone: no "
    "installed package and no line of the judged file has a part in them."
)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where generated batches come from: equal sources generate equal batches."""

    fmt: Format
    betas: tuple[float, ...]
    smoothings: tuple[float, ...]
    seed: int
    examples: int


@lru_cache(maxsize=64)
def _generated(source: _Source) -> tuple[Batch, ...]:
    """The batches, kept for the next implementation that is judged on them."""
    rng = np.random.default_rng(source.seed)
    return tuple(batches(source.fmt, rng, source.examples, betas=source.betas, smoothings=source.smoothings))


def _search(trial: Trial, judge: Callable[[Tally, Trial, Batch], None]) -> Outcome:
    """The smallest counterexample, or what was judged without finding one."""
    betas, smoothings = trial.offered("beta", BETAS), trial.offered("label_smoothing", SMOOTHINGS)
    seed = int(trial.rng("PROPERTY").integers(2**32))
    overall = Tally(trial)
    generated = _generated(_Source(trial.fmt, betas, smoothings, seed, trial.profile.examples))
    for place, judged in enumerate(judged_ahead(trial, generated, judge)):
        judge(overall, trial, judged)
        if overall.violations:
            batch = generated[place]
            break
    else:
        return overall.outcome()
    outcomes: list[Outcome] = []

    def fails(smaller: Batch) -> bool:
        if smaller.beta not in betas or smaller.label_smoothing not in smoothings:
            return False
        tally = Tally(trial)
        try:
            judge(tally, trial, judged_pairs(trial, smaller))
        except Misbehaviour:  # another fault than the one that is looked for
            return False
        if tally.violations:
            outcomes.append(tally.outcome())
        return tally.violations > 0

    try:
        if not fails(batch):
            return overall.outcome(note="it did not give the same answer twice")
        smallest(batch, fails)
    except Unfinished:  # what was found is found, if it is not the smallest
        if not outcomes:
            return overall.outcome()
    return outcomes[-1]


@chapter.clause(
    1,
    Level.MUST,
    "value on generated pairs",
    kills=("log-for-log1p",),
    statement="The loss shall lie in its acceptance interval on every generated batch.",
    derivation=_GENERATED,
    remedy="Form the logit as beta * ((pc - rc) - (pr - rr)), differences first, then a stable log-sigmoid of it.",
)
def value(trial: Trial) -> Outcome:
    """Losses of generated batches."""
    return _search(trial, judge_losses)


@chapter.clause(
    2,
    Level.MUST,
    "derivatives on generated pairs",
    kills=("gradient-one-minus-sigmoid",),
    statement="The derivatives shall lie in their acceptance intervals on every generated batch.",
    derivation=_GENERATED,
    needs=("gradient",),
    remedy="Let a stable log-sigmoid be differentiated, with no clamp and no detached policy on the way.",
)
def derivatives(trial: Trial) -> Outcome:
    """Derivatives of generated batches."""
    return _search(trial, judge_gradients)
