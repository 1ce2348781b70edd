"""The loss of a line against its range, its mean margin, its accuracy. The proofs are in docs/audit.md."""

from __future__ import annotations

import math

import numpy as np

from conformance.auditing import names
from conformance.auditing.arithmetic import accuracy_span, loss_span, margin_span, mean_error, unreferenced_span
from conformance.auditing.lines import Lines
from conformance.auditing.means import least_mean, most_mean
from conformance.auditing.outcome import Outcome, outcome
from conformance.auditing.settings import Settings
from conformance.auditing.shapes import Shape
from conformance.auditing.spans import Mask, Span
from oracle import Format


def least(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    """The loss is at least the least value of the configured one."""
    loss = lines.span(names.LOSS).wider(mean_error(lines.span(names.LOSS), fmt))
    least = shape.range[0] if shape is not None else -math.inf
    asked = loss.known & ~lines.bad & math.isfinite(least)
    return outcome(asked, loss.high, np.full(len(lines), least), ">=")


def most(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    """The loss is at most the largest value of the configured one."""
    loss = lines.span(names.LOSS).wider(mean_error(lines.span(names.LOSS), fmt))
    most = shape.range[1] if shape is not None else math.inf
    asked = loss.known & ~lines.bad & math.isfinite(most) & ~with_more(lines, settings)
    return outcome(asked, loss.low, np.full(len(lines), most), "<=")


def with_more(lines: Lines, settings: Settings) -> Mask:
    """Where a term that is never negative is added to the loss: as told, or as the line logs one. It is no upper bound then."""
    if settings.added_term is not None:
        return np.full(len(lines), settings.added_term)
    return lines.span(names.ADDED).known


def comparable(lines: Lines, settings: Settings) -> Mask:
    """Where loss and rewards are means of the same pairs with the same weights, but for `Lines.room`.

    An evaluation may weigh its last, smaller batch in one of the two and not in the other; so may a line of several steps
    with the last step of an epoch, of fewer micro-batches, among them. Of several ranks, some trainers log the loss of all
    and the rewards of the first, which says nothing of the others' unless none has moved.
    """
    same = lines.train & ((settings.ranks in {None, 1}) | (lines.unmoved & (not settings.reference_free)))
    return same if settings.accumulation == 1 else same & ~lines.uneven


def _logits(lines: Lines, settings: Settings, fmt: Format) -> tuple[Span, Span]:
    """The mean logit and the share of positive ones, of the pairs that the loss is of."""
    if settings.reference_free:
        free = unreferenced_span(lines, settings, fmt)
        elsewhere = 0.0 if settings.ranks == 1 else np.inf
        return free.wider(elsewhere), Span(np.zeros(len(lines)), np.ones(len(lines)))
    m, a = margin_span(lines, settings, fmt), accuracy_span(lines, settings)
    wider = a.wider(lines.room(names.ACCURACY, settings))
    return m.wider(lines.room(names.MARGIN, settings)), Span(np.maximum(wider.low, 0.0), np.minimum(wider.high, 1.0))


def mean(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    """The loss is at least what Jensen's inequality on either side of 0 leaves of this margin and accuracy."""
    loss, (m, a) = loss_span(lines, shape, settings, fmt), _logits(lines, settings, fmt)
    with_m = m.known | (lines.span(names.ACCURACY).known & (not settings.reference_free))
    asked = loss.known & ~lines.bad & with_m & comparable(lines, settings)
    if shape is None or not shape.curves:
        return outcome(asked & False, loss.high, loss.high, ">=")
    m = Span(np.where(m.known, m.low, -np.inf), np.where(m.known, m.high, np.inf))
    right = np.minimum.reduce([least_mean(curve, m, a) for curve in shape.curves])
    asked &= np.isfinite(right)
    return outcome(asked, loss.high, right, ">=")


def one_sided(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    """Where every margin is positive, or none is, the loss is at most that at 0 and the asymptotic slope times the mean."""
    loss, (m, a) = loss_span(lines, shape, settings, fmt), _logits(lines, settings, fmt)
    logged = accuracy_span(lines, settings)
    one_sided = (logged.low >= 1) | (logged.high <= 0)
    asked = loss.known & ~lines.bad & one_sided & lines.span(names.ACCURACY).known & comparable(lines, settings)
    asked &= ~with_more(lines, settings) & (not settings.reference_free)
    if shape is None or not shape.curves:
        return outcome(asked & False, loss.low, loss.low, "<=")
    right = np.maximum.reduce([most_mean(curve, m, a) for curve in shape.curves])
    asked &= np.isfinite(right) | (lines.room(names.ACCURACY, settings) > 0)
    return outcome(asked, loss.low, right, "<=")


def finite(lines: Lines, settings: Settings, shape: Shape | None, fmt: Format) -> Outcome:
    """The loss of finite margins is finite."""
    margin = lines.span(names.MARGIN)
    asked = margin.known & np.isfinite(margin.low) & (lines.bad | lines.span(names.LOSS).known) & comparable(lines, settings)
    asked &= settings.ranks == 1  # the pair that is not finite may be of another process
    asked &= shape is not None and bool(shape.curves)
    bad = lines.bad
    return Outcome(asked, asked & bad, np.where(bad, np.nan, 0.0), np.zeros(len(lines)))
