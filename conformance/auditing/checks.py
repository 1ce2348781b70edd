"""The checks of log lines, in one table: each an inequality that every right line obeys, over arrays of lines.

A line's quantities are intervals: the rounding of the printed figures, and of the arithmetic in the format, is inside. A
check calls a line impossible only where no numbers within them obey it. The proofs are in docs/audit.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from conformance.auditing import loss_checks, metric_checks, names
from conformance.auditing.lines import Lines
from conformance.auditing.outcome import Outcome
from conformance.auditing.settings import Settings
from conformance.auditing.shapes import Shape
from oracle import Format


@dataclass(frozen=True, slots=True)
class Check:
    """One inequality. relation: how left and right are to stand; columns: what a line must have; premise: what is taken for
    granted of the trainer.
    """

    id: str
    statement: str
    left: str
    relation: str
    right: str
    run: Callable[[Lines, Settings, Shape | None, Format], Outcome] = field(repr=False)
    columns: tuple[str, ...]
    premise: str = ""


SAME = "loss and rewards are means of the same pairs, weighed alike, and no pair's loss has a weight of its own (WPO)"
ALONE = f"the loss is the configured one, with no other term added (--added-term says otherwise); {SAME}"
CHECKS: Sequence[Check] = (
    Check(
        "least",
        "A loss is at least the least value of the configured loss.",
        "loss",
        ">=",
        "its least value",
        loss_checks.least,
        (names.LOSS,),
    ),
    Check(
        "most",
        "A loss is at most the largest value of the configured loss.",
        "loss",
        "<=",
        "its largest value",
        loss_checks.most,
        (names.LOSS,),
    ),
    Check(
        "mean",
        "A mean of a convex function is at least the function of the mean, on either side of 0.",
        "loss",
        ">=",
        "the least loss at this mean margin and accuracy",
        loss_checks.mean,
        (names.LOSS, names.MARGIN),
        SAME,
    ),
    Check(
        "one-sided",
        "Where every margin is positive, or none is, the loss is at most that at 0 and the asymptotic slope times the mean.",
        "loss",
        "<=",
        "the largest loss at this mean margin and accuracy",
        loss_checks.one_sided,
        (names.LOSS, names.ACCURACY),
        ALONE,
    ),
    Check(
        "finite",
        "A loss of finite margins is finite.",
        "loss",
        "is",
        "finite",
        loss_checks.finite,
        (names.LOSS, names.MARGIN),
        SAME,
    ),
    Check(
        "difference",
        "The mean margin is the mean chosen reward less the mean rejected reward.",
        "distance of margin from chosen - rejected",
        "<=",
        "0",
        metric_checks.difference,
        (names.MARGIN, names.CHOSEN, names.REJECTED),
    ),
    Check(
        "share",
        "An accuracy lies in [0, 1].",
        "accuracy's distance from [0, 1]",
        "<=",
        "0",
        metric_checks.share,
        (names.ACCURACY,),
    ),
    Check(
        "sided",
        "Where every pair is right the mean margin is positive, where none is it is not.",
        "margin beyond 0",
        "<=",
        "0",
        metric_checks.sided,
        (names.MARGIN, names.ACCURACY),
    ),
    Check(
        "counted",
        "An accuracy over n pairs is a multiple of 1/n.",
        "pairs beyond a whole number",
        "<=",
        "0",
        metric_checks.counted,
        (names.ACCURACY,),
        "the micro-batches of a line are of one size",
    ),
    Check(
        "probability",
        "A log-probability is not positive.",
        "log-probability",
        "<=",
        "0",
        metric_checks.probability,
        (names.LOGPS_CHOSEN,),
    ),
    Check(
        "odds",
        "The mean of log sigma is at most log sigma of the mean.",
        "-log_odds_ratio",
        ">=",
        "f(log_odds_chosen)",
        metric_checks.odds,
        (names.ODDS, names.ODDS_RATIO),
    ),
)
