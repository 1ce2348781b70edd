"""Which other run every line of a log could be of: the configured loss with one thing wrong, tried on all kept lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from conformance.auditing import names
from conformance.auditing.checks import CHECKS
from conformance.auditing.lines import Lines, taken
from conformance.auditing.means import least_mean
from conformance.auditing.report import Cause
from conformance.auditing.settings import Settings
from conformance.auditing.shapes import BOUNDED, Shape
from conformance.auditing.spans import Span
from conformance.errors import BadRequest
from oracle import Format

EXPLAINING = ("least", "most", "mean", "one-sided")
"""The checks that look at the loss; the others are not explained by another loss."""
MOST = 3
"""Causes that are told."""
NEAR = 0.08
"""nats. So far from 0 a margin still says what the loss is at 0, to as much of it."""
SAME = 1e-3
"""So near to each other, relative to their size, are losses that a clamp holds."""
FEWEST = 3
GROWING, STEPS = 1.1, 44
"""How much larger beta may be in the loss than in the rewards: tried by this ratio, up to 60 times."""
FACTORS = (2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 128, 256, 512)
Change = Callable[[Lines, Settings], tuple[Lines, Settings]]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One thing that may be wrong: in words, and what the lines and settings are without it."""

    text: str
    undone: Change
    near_start: bool = False


def explained(lines: Lines, settings: Settings, fmt: Format) -> tuple[Cause, ...]:
    """The hypotheses under which no kept line is impossible by what looks at the loss, simplest first.

    lines: those that are impossible, and others beside them. Almost any loss is possible after division by a large number;
    so a factor, or another loss, counts only where lines of a margin near 0 show it: there the loss is near its value at 0.
    """
    lines = taken(lines, np.flatnonzero(~lines.bad))  # a loss of NaN is its own cause
    if not len(lines) or _fits(lines, settings, fmt, near_start=False):
        return ()
    found: dict[str, float] = {}
    for hypothesis in _hypotheses(settings):
        try:
            changed, configured = hypothesis.undone(lines, settings)
            with np.errstate(all="ignore"):
                fits = _fits(changed, configured, fmt, near_start=hypothesis.near_start)
        except BadRequest:
            continue
        if fits:
            found.setdefault(hypothesis.text, _distance(changed, configured))
    if not found:
        others = (*_ceiling(lines, settings), *_factor(lines, settings, fmt), *_larger(lines, settings, fmt))
        return tuple(Cause(text, len(lines)) for text in others[:1])
    nearest = min(found.values(), default=0.0)
    likely = sorted((text for text, distance in found.items() if distance <= 4 * nearest + 1e-9), key=found.__getitem__)
    return tuple(Cause(text, len(lines)) for text in likely[:MOST])


def _ceiling(lines: Lines, settings: Settings) -> Iterator[str]:
    """Where the largest loss comes again and again while the margin goes on, and no right loss stays there: a clamp."""
    shape, loss, m = settings.shape(), lines.span(names.LOSS), lines.span(names.MARGIN)
    top = np.nanmax(loss.high, initial=-math.inf, where=np.isfinite(loss.high))
    if shape is None or not shape.curves or not math.isfinite(top):
        return
    every = Span(np.zeros(len(lines)), np.ones(len(lines)))
    with np.errstate(invalid="ignore"):
        there = loss.high >= top - SAME * abs(top)
        beyond = np.minimum.reduce([least_mean(curve, m, every) for curve in shape.curves]) > top
    margins = m.low[there & beyond]
    if len(margins) >= FEWEST and beyond[there].all() and np.ptp(margins) > SAME * np.abs(margins).max():
        middle = float(loss.low[there][0] + loss.high[there][0]) / 2
        yield f"the logit, or the loss, is clamped: no loss is above {middle:.4g}, however far the margin goes"


def _factor(lines: Lines, settings: Settings, fmt: Format) -> Iterator[str]:
    """A constant factor that no count explains: that of the least loss at a margin near 0."""
    shape, loss, m = settings.shape(), lines.span(names.LOSS), lines.span(names.MARGIN)
    if shape is None or len(shape.curves) != 1:
        return
    start = float(shape.curves[0].values(np.zeros(1))[0])
    with np.errstate(invalid="ignore"):
        near = (np.abs(m.low) < NEAR) & (np.abs(m.high) < NEAR) & loss.known
    if near.any() and start > 0 and (least := float((loss.low[near] + loss.high[near]).min() / 2)) > 0:
        factor = least / start
        if abs(factor - 1) > NEAR and _fits(_scaled(lines, (names.LOSS,), 1 / factor), settings, fmt, near_start=True):
            yield f"the loss is about {factor:.2g} times the configured one: a mean over another count, a weight"


def _larger(lines: Lines, settings: Settings, fmt: Format) -> Iterator[str]:
    """A larger beta in the loss than in the rewards, and how much larger at least."""

    def fits(factor: float) -> bool:
        return _fits(_scaled(lines, (names.MARGIN, names.CHOSEN, names.REJECTED), factor), settings, fmt, near_start=False)

    if _starts(lines, settings.shape()):
        least = next((factor for k in range(1, STEPS) if fits(factor := GROWING**k)), None)
        if least is not None:
            yield f"beta is larger in the loss than in the rewards, at least {least / GROWING:.2g} times"


def _distance(lines: Lines, settings: Settings) -> float:
    """How far the losses lie above the least that they could be, on the mean: little, where a line's margins are alike."""
    shape, loss, m = settings.shape(), lines.span(names.LOSS), lines.span(names.MARGIN)
    if shape is None or not m.known.any():
        return 0.0
    every = Span(np.zeros(len(lines)), np.ones(len(lines)))
    least = np.minimum.reduce([least_mean(curve, m, every) for curve in shape.curves])
    with np.errstate(invalid="ignore"):
        return float(np.nanmean(np.maximum(loss.high - least, 0.0)))


def _fits(lines: Lines, settings: Settings, fmt: Format, *, near_start: bool) -> bool:
    shape = settings.shape()
    if shape is None or not shape.curves or (near_start and not _starts(lines, shape)):
        return False
    outcomes = {check.id: check.run(lines, settings, shape, fmt) for check in CHECKS if check.id in EXPLAINING}
    if not outcomes["mean"].asked.any() and not outcomes["least"].asked.any():
        return False
    return not any(outcome.impossible.any() for outcome in outcomes.values())


def _starts(lines: Lines, shape: Shape | None) -> bool:
    """Whether there are lines of a margin near 0, none below the loss of a logit of 0, and the least of them about it."""
    m, loss = lines.span(names.MARGIN), lines.span(names.LOSS)
    if shape is None:
        return False
    with np.errstate(invalid="ignore"):
        near = (np.abs(m.low) < NEAR) & (np.abs(m.high) < NEAR) & loss.known
        if not near.any():
            return False
        starts = [float(curve.values(np.zeros(1))[0]) for curve in shape.curves]
        return bool((loss.high[near] >= min(starts) * (1 - NEAR)).all() and loss.low[near].min() <= max(starts) * (1 + NEAR))


def _hypotheses(settings: Settings) -> Iterator[Hypothesis]:
    eps = settings.label_smoothing
    if eps:
        yield Hypothesis(
            "label_smoothing is ignored", lambda lines, s: (lines, replace(s, loss="sigmoid", label_smoothing=Fraction(0)))
        )
        if settings.loss == "robust":
            yield Hypothesis("the conservative loss (cDPO) is computed, not the robust one", _as_loss("cdpo"))
        else:
            yield Hypothesis("the robust loss is computed, not the conservative one (cDPO)", _as_loss("robust"))
    yield Hypothesis("the loss is in bits: divided by ln 2", _loss_times(math.log(2)), near_start=True)
    yield Hypothesis("the sign of the loss is flipped", _loss_times(-1.0), near_start=True)
    for k, why in _factors(settings):
        yield Hypothesis(f"the loss is multiplied by {k}{why}", _loss_times(1 / k), near_start=True)
    for k, why in _factors(settings):
        yield Hypothesis(f"the loss is divided by {k}{why}", _loss_times(float(k)), near_start=True)
    if not settings.added_term:
        yield Hypothesis(
            "a term that is never negative is added (an NLL: rpo_alpha, cpo_alpha, pref_ftx)",
            lambda lines, s: (lines, replace(s, added_term=True)),
        )
    if not settings.reference_free:
        yield Hypothesis("no reference is in the loss (reference_free), and one is in the rewards", _unreferenced)
    if settings.beta not in {None, Fraction(1)} and settings.beta is not None:
        yield Hypothesis("the rewards are logged without beta", _margin_times(float(settings.beta)))
    yield Hypothesis("chosen and rejected are exchanged in the rewards, or in the loss", _margin_times(-1.0))
    yield Hypothesis("the margin is logged with the wrong sign", lambda lines, s: (_scaled(lines, (names.MARGIN,), -1.0), s))
    for loss in BOUNDED:
        if loss not in {settings.loss, "cdpo", "robust" if eps else ""} and not (loss == "sigmoid" and settings.loss == "cdpo"):
            yield Hypothesis(f"the loss is {loss}, not {settings.loss}", _as_loss(loss), near_start=True)


def _factors(settings: Settings) -> Iterator[tuple[int, str]]:
    """Factors by which a loss is off: those that were told, with their names, and then the usual ones."""
    told: dict[int, str] = {}
    for count, name in ((settings.accumulation, "the accumulation steps"), (settings.ranks, "the ranks")):
        if count and count > 1:
            told.setdefault(count, f", {name}")
    yield from told.items()
    yield from ((k, "") for k in FACTORS if k not in told)


def _as_loss(loss: str) -> Change:
    def change(lines: Lines, settings: Settings) -> tuple[Lines, Settings]:
        return lines, replace(
            settings, loss=loss, parameters={k: v for k, v in settings.parameters.items() if k in BOUNDED[loss].needs}
        )

    return change


def _loss_times(factor: float) -> Change:
    return lambda lines, settings: (_scaled(lines, (names.LOSS,), factor), settings)


def _margin_times(factor: float) -> Change:
    moved = (names.MARGIN, names.CHOSEN, names.REJECTED)

    def change(lines: Lines, settings: Settings) -> tuple[Lines, Settings]:
        changed = _scaled(lines, moved, factor)
        if factor < 0 and names.ACCURACY in changed.spans:
            share = changed.spans[names.ACCURACY]
            flipped: Mapping[str, Span] = {**changed.spans, names.ACCURACY: Span(1 - share.high, 1 - share.low)}
            changed = replace(changed, spans=flipped)
        return changed, settings

    return change


def _unreferenced(lines: Lines, settings: Settings) -> tuple[Lines, Settings]:
    """The lines with the margin that the log-probabilities of the policy alone have. Raises BadRequest without them."""
    if settings.beta is None or not lines.span(names.LOGPS_CHOSEN).known.all():
        raise BadRequest("not logged")
    chosen, rejected = lines.span(names.LOGPS_CHOSEN), lines.span(names.LOGPS_REJECTED)
    span = _times(Span(chosen.low - rejected.high, chosen.high - rejected.low), float(settings.beta))
    left = {name: one for name, one in lines.spans.items() if name not in {names.CHOSEN, names.REJECTED, names.ACCURACY}}
    return replace(lines, spans={**left, names.MARGIN: span}, unmoved=np.zeros(len(lines), bool)), settings


def _times(span: Span, factor: float) -> Span:
    with np.errstate(invalid="ignore"):
        ends = span.low * factor, span.high * factor
    return Span(*(ends if factor > 0 else ends[::-1]))


def _scaled(lines: Lines, which: tuple[str, ...], factor: float) -> Lines:
    return replace(lines, spans={name: _times(span, factor) if name in which else span for name, span in lines.spans.items()})
