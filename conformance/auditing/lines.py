"""The checks of log lines: each an inequality that every right line obeys, over arrays of lines.

A line's quantities are intervals: the rounding of the printed figures, and of the arithmetic in the format, is inside. A
check calls a line impossible only where no numbers within them obey it. The proofs are in docs/audit.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from conformance.auditing import names
from conformance.auditing.settings import Settings
from conformance.auditing.shapes import Curve, Shape, tilted
from conformance.auditing.spans import Mask, Span
from oracle import Format, binary32
from oracle.formats import Floats

MOST_PAIRS = 2_000
"""A line averages fewer pairs than this, unless pairs_per_line says otherwise: a printed 1.000 is then every one of them."""
MOST_LOGP = 1e5
"""nats. No log-probability of a response is larger than this, where a log does not show how large they are."""
SUMMED = 64.0
"""Units of binary32 that a mean of a line's numbers may be off by, in blocked or pairwise sums."""
COUNTED = 1e-4
"""Pairs by which an accuracy times n may miss a whole number, by its own rounding."""
KERNEL = 4.0
"""Units of the format by which a pair's loss, once its logit is given, and its rounded mean may be off."""
OUTWARD = 2.0**-40
"""Covers the float64 arithmetic of a check itself, relative to 1 and to the quantity."""


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """n lines: their numbers in the file, their steps, which are of training, and a span for every quantity.

    bad: where the loss was printed as NaN or an infinity. unmoved: where every reward was printed as 0. rooms: by how much
    the mean of a quantity over all processes may differ from the figure, which may be that of one of them.
    """

    numbers: NDArray[np.int64]
    steps: Floats
    train: Mask
    spans: Mapping[str, Span]
    bad: Mask
    unmoved: Mask
    rooms: Mapping[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.numbers)

    def span(self, name: str) -> Span:
        """The quantity's span; unknown everywhere where no line has it."""
        nothing = np.full(len(self), math.nan)
        return self.spans.get(name, Span(nothing, nothing))

    def room(self, name: str, settings: Settings) -> Floats:
        """What a figure that may be of one process is short of that of all: 0 where one trains, and where none has moved."""
        nothing = np.zeros(len(self))
        return nothing if settings.ranks == 1 else np.where(self.unmoved, 0.0, self.rooms.get(name, nothing))


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a check found of n lines: where it could be asked, where the line is impossible, and both sides."""

    asked: Mask
    impossible: Mask
    left: Floats
    right: Floats


@dataclass(frozen=True, slots=True)
class Check:
    """One inequality. relation: how left and right are to stand; needs: what a line must have; why: the proof's heading."""

    id: str
    statement: str
    left: str
    relation: str
    right: str
    run: Callable[[Lines, Settings, Shape | None, Format], Outcome] = field(repr=False)
    premise: str = ""


def _outcome(asked: Mask, low: Floats, high: Floats, relation: str) -> Outcome:
    """left relation right, where left's most favourable value is `low` (for <=) or `high` (for >=) of the two given."""
    with np.errstate(invalid="ignore"):
        room = OUTWARD * (1 + np.abs(high))
        broken = low < high - room if relation == ">=" else low > high + room
    return Outcome(asked, asked & broken, low, high)


# -- what arithmetic in the format may add -----------------------------------------------------------------------------


def slack(lines: Lines, settings: Settings, fmt: Format) -> Floats:
    """How far a line's mean logit may be from that of the exact logits: 4 u beta S, with S the mean of the four sizes.

    Log-probabilities are not positive, so the size of their mean is the mean of their sizes, and S follows from those
    that are logged and from the rewards. Where they are not logged, S is taken as 4 * MOST_LOGP, and, where the format is
    not told either, the logit as one of binary32: in bfloat16 nothing could be said at all.
    """
    beta = 1.0 if settings.beta is None else abs(float(settings.beta))
    if names.LOGPS_CHOSEN not in lines.spans and settings.dtype is None:
        return np.full(len(lines), 4 * binary32.unit_roundoff * beta * 4 * MOST_LOGP)
    chosen, rejected = lines.span(names.LOGPS_CHOSEN), lines.span(names.LOGPS_REJECTED)
    rewards = [lines.span(name) for name in (names.CHOSEN, names.REJECTED)]
    with np.errstate(invalid="ignore"):
        policy = np.abs(chosen.low) + np.abs(rejected.low)
        moved = sum(np.nan_to_num(np.maximum(np.abs(r.low), np.abs(r.high)), posinf=0.0) for r in rewards)
        scaled = beta * 2 * policy + moved
    size = np.where(np.isnan(scaled) | (chosen.low > 0), beta * 4 * MOST_LOGP, scaled)
    return np.asarray(4 * fmt.unit_roundoff * size)


def _mean_error(span: Span, fmt: Format) -> Floats:
    """What the last operations of a pair, summing and rounding may add to a mean: KERNEL units in the format."""
    with np.errstate(invalid="ignore"):
        size = np.maximum(np.abs(span.low), np.abs(span.high))
    return np.asarray((SUMMED * 2.0**-24 + KERNEL * fmt.unit_roundoff) * size)


def _loss(lines: Lines, shape: Shape | None, settings: Settings, fmt: Format) -> Span:
    """The mean loss, with room for pairs whose logit is so small that the loss and the accuracy see different signs."""
    span = lines.span(names.LOSS)
    steepest = max((_steepest(curve) for curve in shape.curves), default=0.0) if shape is not None else 0.0
    return span.wider(_mean_error(span, fmt) + steepest * slack(lines, settings, fmt))


def _steepest(curve: Curve) -> float:
    """A bound of the slope where a logit's sign may be in doubt: everywhere, or for a parabola on [-1/2, 1/2]."""
    if all(map(math.isfinite, curve.slopes)):
        return max(map(abs, curve.slopes))
    left, near, far, right = (float(value) for value in curve.values(np.array([-1.0, -0.5, 0.5, 1.0])))
    return 2 * max(abs(left - near), abs(right - far))


def _margin(lines: Lines, settings: Settings, fmt: Format) -> Span:
    span = lines.span(names.MARGIN)
    difference = (
        lines.span(names.CHOSEN).low - lines.span(names.REJECTED).high,
        (lines.span(names.CHOSEN).high - lines.span(names.REJECTED).low),
    )
    low = np.where(span.known, span.low, difference[0])
    high = np.where(span.known, span.high, difference[1])
    return Span(low, high).wider(_mean_error(Span(low, high), fmt) + slack(lines, settings, fmt))


def _accuracy(lines: Lines, settings: Settings) -> Span:
    """The share of positive logits: [0, 1] where it is not logged, a multiple of 1/n where n is told."""
    span = lines.span(names.ACCURACY)
    low = np.where(span.known, np.clip(span.low, 0.0, 1.0), 0.0)
    high = np.where(span.known, np.clip(span.high, 0.0, 1.0), 1.0)
    n = settings.pairs_per_line
    if n is not None:  # a multiple of 1 / n, where there is one
        least, most = np.ceil(low * n - COUNTED) / n, np.floor(high * n + COUNTED) / n
        return Span(np.where(least <= most, least, low), np.where(least <= most, most, high))
    low = np.where(span.known & ((1 - low) * MOST_PAIRS < 1), 1.0, low)
    high = np.where(span.known & (high * MOST_PAIRS < 1), 0.0, high)
    return Span(np.minimum(low, high), high)


# -- the loss against its range, its mean margin, its accuracy ---------------------------------------------------------


def _least(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    loss = lines.span(names.LOSS).wider(_mean_error(lines.span(names.LOSS), fmt))
    least = shape.range[0] if shape is not None else -math.inf
    asked = loss.known & ~lines.bad & math.isfinite(least)
    return _outcome(asked, loss.high, np.full(len(lines), least), ">=")


def _most(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    loss = lines.span(names.LOSS).wider(_mean_error(lines.span(names.LOSS), fmt))
    most = shape.range[1] if shape is not None else math.inf
    asked = loss.known & ~lines.bad & math.isfinite(most)
    return _outcome(asked, loss.low, np.full(len(lines), most), "<=")


def comparable(lines: Lines, settings: Settings) -> Mask:
    """Where loss and rewards are means of the same pairs with the same weights, but for `Lines.room`.

    An evaluation may weigh its last, smaller batch in one of the two and not in the other; of several ranks, some
    trainers log the loss of all and the rewards of the first, which says nothing of the others' unless none has moved.
    """
    return lines.train & ((settings.ranks in {None, 1}) | lines.unmoved)


def _logits(lines: Lines, settings: Settings, fmt: Format) -> tuple[Span, Span]:
    """The mean logit and the share of positive ones, of the pairs that the loss is of."""
    m, a = _margin(lines, settings, fmt), _accuracy(lines, settings)
    wider = a.wider(lines.room(names.ACCURACY, settings))
    return m.wider(lines.room(names.MARGIN, settings)), Span(np.maximum(wider.low, 0.0), np.minimum(wider.high, 1.0))


def _jensen(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    loss, (m, a) = _loss(lines, shape, settings, fmt), _logits(lines, settings, fmt)
    with_m = m.known | lines.span(names.ACCURACY).known
    asked = loss.known & ~lines.bad & with_m & comparable(lines, settings)
    if shape is None or not shape.curves:
        return _outcome(asked & False, loss.high, loss.high, ">=")
    m = Span(np.where(m.known, m.low, -np.inf), np.where(m.known, m.high, np.inf))
    right = np.minimum.reduce([least_mean(curve, m, a) for curve in shape.curves])
    asked &= np.isfinite(right)
    return _outcome(asked, loss.high, right, ">=")


def least_mean(curve: Curve, m: Span, a: Span) -> Floats:
    """The least mean loss with a mean logit within m and a share of positive logits within a."""
    start = float(curve.values(np.zeros(1))[0])
    up, down = a.high, 1 - a.low  # the larger share on m's own side gives the smaller mean
    with np.errstate(all="ignore"):
        at = np.clip(up * max(curve.lowest, 0.0) if curve.lowest < math.inf else np.where(up > 0, np.inf, 0.0), 0, None)
        at = np.minimum(np.maximum(at, np.maximum(m.low, 0.0)), m.high)
        right = np.where(up > 0, up * curve.values(at / np.where(up > 0, up, 1.0)) + (1 - up) * start, start)
        right = np.where((m.high < 0) | ((up <= 0) & (m.low > 0)), np.inf, right)
        at = np.clip(down * min(curve.lowest, 0.0) if curve.lowest > -math.inf else np.where(down > 0, -np.inf, 0.0), None, 0)
        at = np.maximum(np.minimum(at, np.minimum(m.high, 0.0)), m.low)
        left = np.where(down > 0, down * curve.values(at / np.where(down > 0, down, 1.0)) + (1 - down) * start, start)
        left = np.where((m.low > 0) | ((down <= 0) & (m.high < 0)), np.inf, left)
    return np.minimum(right, left)


def _capped(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    loss, (m, a) = _loss(lines, shape, settings, fmt), _logits(lines, settings, fmt)
    logged = _accuracy(lines, settings)
    one_sided = (logged.low >= 1) | (logged.high <= 0)
    asked = loss.known & ~lines.bad & one_sided & lines.span(names.ACCURACY).known & comparable(lines, settings)
    if shape is None or not shape.curves:
        return _outcome(asked & False, loss.low, loss.low, "<=")
    right = np.maximum.reduce([most_mean(curve, m, a) for curve in shape.curves])
    asked &= np.isfinite(right) | (lines.room(names.ACCURACY, settings) > 0)
    return _outcome(asked, loss.low, right, "<=")


def most_mean(curve: Curve, m: Span, a: Span) -> Floats:
    """The largest mean loss where every logit is positive, or none is; m may be unknown."""
    start = float(curve.values(np.zeros(1))[0])
    low, high = (np.where(np.isnan(end), far, end) for end, far in ((m.low, -np.inf), (m.high, np.inf)))
    low, high = np.where(a.low >= 1, np.maximum(low, 0.0), low), np.where(a.high <= 0, np.minimum(high, 0.0), high)

    def most(slope: float) -> Floats:
        if slope == 0:
            return np.full(low.shape, start)
        with np.errstate(invalid="ignore"):
            return np.asarray(start + (slope * high if slope > 0 else slope * low))

    return np.where(a.low >= 1, most(curve.slopes[1]), np.where(a.high <= 0, most(curve.slopes[0]), np.inf))


# -- the other quantities ----------------------------------------------------------------------------------------------


def _finite(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    margin = lines.span(names.MARGIN)
    asked = margin.known & np.isfinite(margin.low) & (lines.bad | lines.span(names.LOSS).known) & comparable(lines, settings)
    asked &= shape is not None and bool(shape.curves)
    bad = lines.bad
    return Outcome(asked, asked & bad, np.where(bad, np.nan, 0.0), np.zeros(len(lines)))


def _difference(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    margin, chosen, rejected = (lines.span(name) for name in (names.MARGIN, names.CHOSEN, names.REJECTED))
    room = slack(lines, settings, fmt) + sum(_mean_error(span, fmt) for span in (margin, chosen, rejected))
    with np.errstate(invalid="ignore"):
        low, high = chosen.low - rejected.high - room, chosen.high - rejected.low + room
        apart = np.maximum(margin.low - high, low - margin.high)
    asked = margin.known & chosen.known & rejected.known & np.isfinite(apart)
    return _outcome(asked, apart, np.zeros(len(lines)), "<=")


def _share(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    span = lines.span(names.ACCURACY)
    with np.errstate(invalid="ignore"):
        beyond = np.maximum(-span.high, span.low - 1.0)
    return _outcome(span.known, beyond, np.zeros(len(lines)), "<=")


def _sided(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    m, a = _margin(lines, settings, fmt), _accuracy(lines, settings)
    logged = m.known & lines.span(names.ACCURACY).known
    with np.errstate(invalid="ignore"):
        wrong = np.where(a.low >= 1, -m.high, np.where(a.high <= 0, m.low, -np.inf))
    asked = logged & np.isfinite(wrong) & lines.train
    return _outcome(asked, wrong, np.zeros(len(lines)), "<=")


def _counted(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    span, n = lines.span(names.ACCURACY), settings.pairs_per_line
    if n is None:
        return _outcome(span.known & False, span.low, span.low, "<=")
    with np.errstate(invalid="ignore"):
        low, high = span.low * n - COUNTED, span.high * n + COUNTED
        nearest = np.rint(span.low * n / 2 + span.high * n / 2)
        beyond = np.where(np.floor(high) >= np.ceil(low), 0.0, np.maximum(low - nearest, nearest - high))
    return _outcome(span.known & lines.train, np.nan_to_num(beyond), np.zeros(len(lines)), "<=")


def _probability(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    with np.errstate(invalid="ignore"):
        low = np.fmax(lines.span(names.LOGPS_CHOSEN).low, lines.span(names.LOGPS_REJECTED).low)
    return _outcome(~np.isnan(low), low, np.zeros(len(lines)), "<=")


def _odds(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    ratio, odds = lines.span(names.ODDS_RATIO), lines.span(names.ODDS)
    ratio, odds = ratio.wider(_mean_error(ratio, fmt)), odds.wider(_mean_error(odds, fmt))
    everything = Span(np.zeros(len(lines)), np.ones(len(lines)))
    asked = ratio.known & odds.known & lines.train
    return _outcome(asked, -ratio.low, least_mean(tilted(Fraction(0)), odds, everything), ">=")


ENDLESS = "the loss is the configured one alone, with no other term added; loss and rewards are means of the same pairs"
CHECKS: Sequence[Check] = (
    Check("least", "A loss is at least the least value of the configured loss.", "loss", ">=", "its least value", _least),
    Check("most", "A loss is at most the largest value of the configured loss.", "loss", "<=", "its largest value", _most),
    Check(
        "mean",
        "A mean of a convex function is at least the function of the mean, on either side of 0.",
        "loss",
        ">=",
        "the least loss at this mean margin and accuracy",
        _jensen,
        ENDLESS,
    ),
    Check(
        "one-sided",
        "Where every margin is positive, or none is, the loss is at most that at 0 and the asymptotic slope times the mean.",
        "loss",
        "<=",
        "the largest loss at this mean margin and accuracy",
        _capped,
        ENDLESS,
    ),
    Check("finite", "A loss of finite margins is finite.", "loss", "is", "finite", _finite, ENDLESS),
    Check(
        "difference",
        "The mean margin is the mean chosen reward less the mean rejected reward.",
        "distance of margin from chosen - rejected",
        "<=",
        "0",
        _difference,
    ),
    Check("share", "An accuracy lies in [0, 1].", "accuracy's distance from [0, 1]", "<=", "0", _share),
    Check(
        "sided",
        "Where every pair is right the mean margin is positive, where none is it is not.",
        "margin beyond 0",
        "<=",
        "0",
        _sided,
    ),
    Check(
        "counted",
        "An accuracy over n pairs is a multiple of 1/n.",
        "pairs beyond a whole number",
        "<=",
        "0",
        _counted,
        "the micro-batches of a line are of one size",
    ),
    Check("probability", "A log-probability is not positive.", "log-probability", "<=", "0", _probability),
    Check(
        "odds", "The mean of log sigma is at most log sigma of the mean.", "-log_odds_ratio", ">=", "f(log_odds_chosen)", _odds
    ),
)
