"""DEF: the definition, on examples that anyone can work by hand."""

from __future__ import annotations

from conformance.clauses import ends
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.inputs.pairs import golden, tutorial
from conformance.record import Level

chapter = Chapter("DEF")


@chapter.clause(
    1,
    Level.MUST,
    "the tutorial's example",
    statement="The losses of the tutorial's four pairs, logps (-45, -48, -46, -47), (-50, -52, -51, -51), "
    "(-48, -46, -49, -47) and (-52, -55, -53, -54), shall be the exact values within their acceptance intervals, for "
    "beta = 0.1 and for label smoothing 0 and 0.1.",
    derivation="Log-ratios are small integers, exact in every format; the margins are 2, 2, 0 and 2. The interval "
    "allows for rounding beta and the product, and for a kernel at its MUST bound. Mean loss 0.6219, smoothed 0.6369.",
)
def tutorial_example(trial: Trial) -> Outcome:
    """Losses of the worked example."""
    tally = Tally(trial)
    for smoothing in trial.offered("label_smoothing", (0.0, 0.1)):
        ends.judge_losses(tally, trial, tutorial().at(label_smoothing=smoothing))
    return tally.outcome()


@chapter.clause(
    2,
    Level.MUST,
    "the golden example",
    statement="The losses of the pairs (-10, -12, -11, -11), (-20, -25, -19, -19) and (-5, -9, -5, -5) shall be the "
    "exact values within their acceptance intervals, for beta = 0.1 and for label smoothing 0 and 0.1.",
    derivation="The margins are 2, 5 and 4, whose sum is not zero, so that smoothed and plain losses differ in the "
    "mean too: 0.52841036865388370661 and 0.56507703532055037735, for the binary64 numbers next to 0.1.",
    guards=("https://github.com/huggingface/trl/pull/3906",),
)
def golden_example(trial: Trial) -> Outcome:
    """Losses of the golden example."""
    tally = Tally(trial)
    for smoothing in trial.offered("label_smoothing", (0.0, 0.1)):
        ends.judge_losses(tally, trial, golden().at(label_smoothing=smoothing))
    return tally.outcome()
