"""PROPERTY: the whole of it once more on generated inputs, shrunk to the smallest counterexample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis.errors import Flaky

from conformance.clauses.ends import judge_gradients, judge_losses, judged_pairs
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import BETAS, SMOOTHINGS
from conformance.inputs.strategies import batches, not_here
from conformance.records.record import Level
from oracle import Format

chapter = Chapter("PROPERTY")
_GENERATED = (
    "Hypothesis draws batches of one to eight pairs: any numbers of the format, quarters of a nat, near-equal "
    "log-probabilities, and margins a few ulps from a threshold, with beta and eps from the suite's lists. What it finds "
    "it shrinks, so that the worst input of the finding is a smallest one. The record's seed reproduces it."
)


class _Counterexample(Exception):
    """A batch with a violation, and its outcome."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class _Source:
    """Where generated batches come from: equal sources generate equal batches."""

    fmt: Format
    betas: tuple[float, ...]
    smoothings: tuple[float, ...]
    seed: int
    examples: int

    def each(self, test: Callable[[Batch], None]) -> None:
        """Call the test with each batch; if it raises, with ever smaller ones, and raise what the smallest raises."""

        @settings(
            max_examples=self.examples,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.quiet,
            report_multiple_bugs=False,
            print_blob=False,
        )
        @hypothesis_seed(self.seed)
        @given(batches(self.fmt, betas=self.betas, smoothings=self.smoothings))
        def generated(batch: Batch) -> None:
            test(batch)

        with not_here():
            generated()


@lru_cache(maxsize=64)
def _generated(source: _Source) -> tuple[Batch, ...]:
    """The batches that nothing shrinks, kept for the next implementation that is judged on them."""
    found: list[Batch] = []
    source.each(found.append)
    return tuple(found)


def _search(trial: Trial, clause: str, judge: Callable[[Tally, Trial, Batch], None]) -> Outcome:
    """The smallest counterexample, or what was judged without finding one."""
    betas, smoothings = trial.offered("beta", BETAS), trial.offered("label_smoothing", SMOOTHINGS)
    seed = int(trial.rng(clause).integers(2**32))
    source = _Source(trial.fmt, betas, smoothings, seed, trial.profile.examples)
    overall = Tally(trial)
    for batch in _generated(source):
        judge(overall, trial, judged_pairs(trial, batch))
        if overall.violations:
            break
    else:
        return overall.outcome()

    def fails_again(batch: Batch) -> None:
        tally = Tally(trial)
        judge(tally, trial, judged_pairs(trial, batch))
        if tally.violations:
            raise _Counterexample(tally.outcome())

    try:
        source.each(fails_again)
    except _Counterexample as found:
        return found.outcome
    except Flaky:
        pass
    return overall.outcome(note="it did not give the same answer twice")


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
    return _search(trial, "PROPERTY-1", judge_losses)


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
    return _search(trial, "PROPERTY-2", judge_gradients)
