"""The metrics of a line against each other: rewards, margin, accuracy, log-probabilities, odds."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from conformance.auditing import names
from conformance.auditing.arithmetic import COUNTED, accuracy_span, margin_span, mean_error, slack
from conformance.auditing.lines import Lines
from conformance.auditing.means import least_mean
from conformance.auditing.outcome import Outcome, outcome
from conformance.auditing.settings import Settings
from conformance.auditing.shapes import Shape, tilted
from conformance.auditing.spans import Span
from oracle import Format


def difference(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    """The margin is the chosen reward less the rejected one."""
    margin, chosen, rejected = (lines.span(name) for name in (names.MARGIN, names.CHOSEN, names.REJECTED))
    room = slack(lines, settings, fmt) + sum(mean_error(span, fmt) for span in (margin, chosen, rejected))
    with np.errstate(invalid="ignore"):
        low, high = chosen.low - rejected.high - room, chosen.high - rejected.low + room
        apart = np.maximum(margin.low - high, low - margin.high)
    asked = margin.known & chosen.known & rejected.known & np.isfinite(apart)
    return outcome(asked, apart, np.zeros(len(lines)), "<=")


def share(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    """The accuracy lies in [0, 1]."""
    span = lines.span(names.ACCURACY)
    with np.errstate(invalid="ignore"):
        beyond = np.maximum(-span.high, span.low - 1.0)
    return outcome(span.known, beyond, np.zeros(len(lines)), "<=")


def sided(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    """The margin is positive where every pair is right, and not where none is."""
    m, a = margin_span(lines, settings, fmt), accuracy_span(lines, settings)
    logged = m.known & lines.span(names.ACCURACY).known
    with np.errstate(invalid="ignore"):
        wrong = np.where(a.low >= 1, -m.high, np.where(a.high <= 0, m.low, -np.inf))
    asked = logged & np.isfinite(wrong) & lines.train
    return outcome(asked, wrong, np.zeros(len(lines)), "<=")


def counted(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    """The accuracy is a multiple of 1/n."""
    span, n = lines.span(names.ACCURACY), settings.pairs_per_line
    if n is None:
        return outcome(span.known & False, span.low, span.low, "<=")
    with np.errstate(invalid="ignore"):
        low, high = span.low * n - COUNTED, span.high * n + COUNTED
        nearest = np.rint(span.low * n / 2 + span.high * n / 2)
        beyond = np.where(np.floor(high) >= np.ceil(low), 0.0, np.maximum(low - nearest, nearest - high))
    return outcome(span.known & lines.train, np.nan_to_num(beyond), np.zeros(len(lines)), "<=")


def probability(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    """No log-probability is positive."""
    with np.errstate(invalid="ignore"):
        low = np.fmax(lines.span(names.LOGPS_CHOSEN).low, lines.span(names.LOGPS_REJECTED).low)
    return outcome(~np.isnan(low), low, np.zeros(len(lines)), "<=")


def odds(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    """The mean of log sigma is at most log sigma of the mean."""
    ratio, log_odds = lines.span(names.ODDS_RATIO), lines.span(names.ODDS)
    ratio, log_odds = ratio.wider(mean_error(ratio, fmt)), log_odds.wider(mean_error(log_odds, fmt))
    everything = Span(np.zeros(len(lines)), np.ones(len(lines)))
    asked = ratio.known & log_odds.known & lines.train
    return outcome(asked, -ratio.low, least_mean(tilted(Fraction(0)), log_odds, everything), ">=")
