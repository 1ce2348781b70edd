"""What a line's quantities may be besides what is printed: with what arithmetic in the format may have added to them."""

from __future__ import annotations

import math

import numpy as np

from conformance.auditing import names
from conformance.auditing.lines import Lines
from conformance.auditing.settings import Settings
from conformance.auditing.shapes import Curve, Shape
from conformance.auditing.spans import Span
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


def mean_error(span: Span, fmt: Format) -> Floats:
    """What the last operations of a pair, summing and rounding may add to a mean: KERNEL units in the format."""
    with np.errstate(invalid="ignore"):
        size = np.maximum(np.abs(span.low), np.abs(span.high))
    return np.asarray((SUMMED * 2.0**-24 + KERNEL * fmt.unit_roundoff) * size)


def loss_span(lines: Lines, shape: Shape | None, settings: Settings, fmt: Format) -> Span:
    """The mean loss, with room for pairs whose logit is so small that the loss and the accuracy see different signs."""
    span = lines.span(names.LOSS)
    steepest = max((_steepest(curve) for curve in shape.curves), default=0.0) if shape is not None else 0.0
    return span.wider(mean_error(span, fmt) + steepest * slack(lines, settings, fmt))


def _steepest(curve: Curve) -> float:
    """A bound of the slope where a logit's sign may be in doubt: everywhere, or for a parabola on [-1/2, 1/2]."""
    if all(map(math.isfinite, curve.slopes)):
        return max(map(abs, curve.slopes))
    left, near, far, right = (float(value) for value in curve.values(np.array([-1.0, -0.5, 0.5, 1.0])))
    return 2 * max(abs(left - near), abs(right - far))


def margin_span(lines: Lines, settings: Settings, fmt: Format) -> Span:
    """The mean margin of the rewards: as logged, or their difference."""
    span = lines.span(names.MARGIN)
    difference = (
        lines.span(names.CHOSEN).low - lines.span(names.REJECTED).high,
        (lines.span(names.CHOSEN).high - lines.span(names.REJECTED).low),
    )
    low = np.where(span.known, span.low, difference[0])
    high = np.where(span.known, span.high, difference[1])
    return Span(low, high).wider(mean_error(Span(low, high), fmt) + slack(lines, settings, fmt))


def unreferenced_span(lines: Lines, settings: Settings, fmt: Format) -> Span:
    """The mean logit of a loss without references, beta times the difference of the log-probabilities."""
    chosen, rejected = lines.span(names.LOGPS_CHOSEN), lines.span(names.LOGPS_REJECTED)
    beta = math.nan if settings.beta is None else float(settings.beta)
    ends = beta * (chosen.low - rejected.high), beta * (chosen.high - rejected.low)
    span = Span(*(ends if not beta < 0 else ends[::-1]))
    return span.wider(mean_error(span, fmt) + slack(lines, settings, fmt))


def accuracy_span(lines: Lines, settings: Settings) -> Span:
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
