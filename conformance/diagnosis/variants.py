"""A variant: a wrong (or the right) way to the losses and derivatives, and the numbers that code of that way returns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from conformance.diagnosis.forms import SMOOTHED, At, Form
from conformance.inputs.batch import Batch
from oracle import Format, bounds, enclosure
from oracle.bounds import Mask, centre
from oracle.formats import Floats

Logps = tuple[Floats, Floats, Floats, Floats]
Coefficients = tuple[float, float, float, float]
Options = tuple[float, float]
RIGHT_MARGIN: Coefficients = (1.0, -1.0, -1.0, 1.0)


def _as_asked(beta: float, eps: float) -> Options:
    return beta, eps


def _once(n: int, beta: float, eps: float) -> float:
    return 1.0


def _unmoved(beta: float, eps: float) -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class Term:
    """What is added to each loss: value(logps, beta), and its derivatives in the four logps, constants times `of(beta)`."""

    value: Callable[[Logps, float], Floats]
    slopes: Coefficients
    of: Callable[[float], float] = lambda beta: 1.0


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to the numbers; whatever is left out is as it should be.

    key: its name in records. says: what is returned, as the end of a sentence. cure: what mends it, a sentence.
    margin: the margin's coefficients of the four logps, or a function of (beta, eps) that gives those of the logit at
    beta 1. options: the (beta, eps) that are used where (beta, eps) are asked for. before: what is done to the four
    arrays of a call first; derivatives are then not predicted unless `slopes` says that they are the same. form: the
    loss of a logit. scale: a factor of (n, beta, eps). after: what is done to the losses of a call; it must not
    decrease in any of them. share: of the derivatives, by n. factors: of the four derivatives. inside: the format that is
    computed in. shift: what is added to the logit, by (beta, eps). term: what is added to each loss. jacobian: of the
    margin, where it is not the margin's own. rounds: the narrower format that plays a part. across: what becomes of a pair
    depends on the others of its call. most: pairs of a call up to which it is worked out.
    """

    key: str
    says: str
    cure: str
    margin: Coefficients | Callable[[float, float], Coefficients] = RIGHT_MARGIN
    options: Callable[[float, float], Options] = _as_asked
    before: Callable[[Logps], Logps] | None = None
    slopes: bool = False
    form: Form = SMOOTHED
    scale: Callable[[int, float, float], float] = _once
    after: Callable[[Floats], Floats] | None = None
    share: Callable[[int], float] | None = None
    factors: Coefficients = (1.0, 1.0, 1.0, 1.0)
    inside: Format | None = None
    shift: Callable[[float, float], float] = _unmoved
    term: Term | None = None
    jacobian: Coefficients | None = None
    rounds: Format | None = None
    across: bool = False
    most: float = math.inf


RIGHT = Variant("right", "", "")
"""No fault at all: what right code returns, as `predicted` has it."""


@dataclass(frozen=True, eq=False)
class Range:
    """What code of a variant may return: [low, high] for each number; NaN where that is nothing finite, or,
    unless `strict`, anything.
    """

    low: Floats
    high: Floats
    fmt: Format
    strict: bool = True

    def resized(self, n: int) -> Range:
        """Of n numbers that repeat these."""
        return Range(np.resize(self.low, n), np.resize(self.high, n), self.fmt, self.strict)

    @property
    def middle(self) -> Floats:
        """The middle of each."""
        return self.low / 2 + self.high / 2

    def holds(self, got: Floats) -> Mask:
        """Where a number is one that may be returned."""
        with np.errstate(invalid="ignore"):
            inside = (got >= self.low) & (got <= self.high)
            beyond = np.isinf(got) & np.where(got > 0, self.high >= self.fmt.largest, self.low <= -self.fmt.largest)
        nothing = np.isnan(self.low) | np.isnan(self.high)
        return np.asarray(np.where(nothing, ~np.isfinite(got) if self.strict else True, inside | beyond))


@dataclass(frozen=True, eq=False)
class Predicted:
    """The losses of a call, or its mean, and its four derivatives; None where they are not predicted."""

    losses: Range
    derivatives: tuple[Range, Range, Range, Range] | None

    def resized(self, n: int) -> Predicted:
        """Of n pairs that repeat these."""
        pc, pr, rc, rr = (part.resized(n) for part in self.derivatives or (self.losses,) * 4)
        return Predicted(self.losses.resized(n), (pc, pr, rc, rr) if self.derivatives else None)


def predicted(variant: Variant, batch: Batch, fmt: Format, *, mean: bool = False, n: int | None = None) -> Predicted:
    """What code of that variant returns for a batch: the image of the logit's interval, widened by a kernel at its MUST.

    The interval of the logit is the oracle's (`bounds.logit_error`), at what the variant makes of the inputs; the terms'
    rounding errors are those of docs/bounds.md. mean: of code that returns the mean of a batch. n: how many pairs the
    call had, of which the batch is only a part.
    """
    judged = fmt
    fmt = fmt if variant.inside is None else variant.inside
    logps, n = batch.logps, len(batch) if n is None else n
    if variant.inside is not None:
        logps = _each(fmt.round_array, logps)
    if variant.before is not None:
        logps = variant.before(logps)
    beta, eps = variant.options(batch.beta, batch.label_smoothing)
    weights = variant.margin
    if callable(weights):
        weights, beta = weights(batch.beta, batch.label_smoothing), 1.0
    pc, pr, rc, rr = (w * sign * x for w, sign, x in zip(weights, RIGHT_MARGIN, logps, strict=True))
    points = _around((pc, pr, rc, rr), beta, eps, fmt, variant.shift(batch.beta, batch.label_smoothing))
    scale = variant.scale(n, batch.beta, batch.label_smoothing)
    values = _ranged([(variant.form.value(at), _size(variant.form, at)) for at in points], scale, fmt)
    if variant.term is not None:
        added = variant.term.value(logps, batch.beta)
        room = 16 * fmt.unit_roundoff * (np.abs(added) + np.abs(values.high))
        values = Range(values.low + added - room, values.high + added + room, fmt)
    reduce = variant.after or (_mean if mean else None)
    if reduce is not None:
        values = Range(reduce(values.low), reduce(values.high), fmt)
        if mean:
            room = bounds.summation(n, fmt) * np.maximum(np.abs(values.low), np.abs(values.high)) + fmt.smallest_normal
            values = Range(values.low - room, values.high + room, fmt)
    values = Range(values.low, values.high, judged)
    unknown = variant.before is not None and not variant.slopes and variant.jacobian is None
    if variant.form.slope is None or unknown:
        return Predicted(values, None)
    return Predicted(values, _derivatives(variant, points, weights, beta, batch.beta, scale, n, fmt, judged, mean))


def _derivatives(
    variant: Variant,
    points: list[At],
    weights: Coefficients,
    beta: float,
    asked: float,
    scale: float,
    n: int,
    fmt: Format,
    judged: Format,
    mean: bool,
) -> tuple[Range, Range, Range, Range]:
    assert variant.form.slope is not None
    weights = weights if variant.jacobian is None else variant.jacobian
    share = variant.share(n) if variant.share is not None else (1 / n if mean else 1.0)
    slope = variant.form.slope
    sized = [(slope(at), np.abs(slope(at)) + abs(at.eps)) for at in points]
    term = variant.term
    added = (0.0,) * 4 if term is None else tuple(share * term.of(asked) * constant for constant in term.slopes)
    pc, pr, rc, rr = (
        _moved(replace(_ranged(sized, scale * share * beta * w * k, fmt, judged), strict=False), constant)
        for w, k, constant in zip(weights, variant.factors, added, strict=True)
    )
    return pc, pr, rc, rr


def _moved(found: Range, constant: float) -> Range:
    """The same with a constant added, and the rounding of that."""
    if not constant:
        return found
    room = 4 * found.fmt.unit_roundoff * (abs(constant) + np.maximum(np.abs(found.low), np.abs(found.high)))
    return replace(found, low=found.low + constant - room, high=found.high + constant + room)


def _mean(values: Floats) -> Floats:
    return np.atleast_1d(np.mean(values))


def _each(change: Callable[[Floats], Floats], logps: Logps) -> Logps:
    pc, pr, rc, rr = (change(x) for x in logps)
    return pc, pr, rc, rr


def _around(signed: Logps, beta: float, eps: float, fmt: Format, shift: float) -> list[At]:
    """The logits, and the ends of the intervals in which correct arithmetic computes them."""
    with np.errstate(all="ignore"):
        margin = centre(enclosure.margin(*signed))
        down, up = bounds.logit_error(bounds.Pairs(*signed, beta, eps), fmt)
        z = beta * margin
        if shift:
            room = 2 * fmt.unit_roundoff * (np.abs(z) + 2 * abs(shift))
            z, down, up = z + shift, down + room, up + room
    return [At(at, margin, beta, eps) for at in (z, z - down, z + up)]


def _size(form: Form, at: At) -> Floats:
    return np.abs(form.value(at)) if form.size is None else form.size(at)


def _ranged(pairs: list[tuple[Floats, Floats]], scale: float, fmt: Format, judged: Format | None = None) -> Range:
    """The hull of scale * value over the points, each widened by its rounding errors, by flushing and by underflow."""
    with np.errstate(all="ignore"):
        kernel = (2 * bounds.kernel_must(fmt) + 4) * fmt.unit_roundoff
        option = 4 * fmt.unit_roundoff
        values = np.array([scale * value for value, _ in pairs])
        room = np.array([abs(scale) * size * (kernel + option) for _, size in pairs])
        floor = bounds.kernel_must(fmt) * fmt.smallest_subnormal + fmt.smallest_normal * min(1.0, abs(scale) or 1.0)
        return Range((values - room).min(axis=0) - floor, (values + room).max(axis=0) + floor, judged or fmt)
