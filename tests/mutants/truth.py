"""How wrong an answer is, by the oracle alone and without the judge: a generous sound bound, and the error over it.

For a pair in a format with unit roundoff u, let P be the largest sum of the absolute values of the three partial results
over the usual orders of subtraction. Any of these orders, beta applied before or after, beta rounded into the format,
and every difference below the smallest normal replaced by 0, gives a logit within

    dz = |beta| * (2 * u * P + 4 * tiny) + d_beta * |margin| + 4 * u * |z| + tiny,    d_beta = u * |beta| + eta,

of the exact one, and 0 where beta = 1 and three of the four logps are 0; to either, 2 u |z| is added for an exp by exp2.
The loss and its slope are monotone in z, so what a right implementation returns lies between their values at z - dz and
z + dz, widened by 24 u (8 u in the 16-bit formats), by the rounding of label_smoothing, and down to 0 where a result or a
term is below the smallest normal.
The bound is meant to be generous: what exceeds it is wrong by any standard, what stays within it may still be poor.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

import oracle
from conformance.errors import Misbehaviour
from conformance.implementations.protocol import METRICS, REWARDS, Answer, Claims, Curved, Implementation, Measuring, Weighing
from conformance.implementations.ways import LAYOUTS, Twice, Way
from conformance.inputs.batch import Batch
from oracle import Format, Real
from oracle.bounds.reductions import wider
from oracle.formats import Floats

from .in_ways import in_ways

SIGNS = (1, -1, -1, 1)
"""d logit / d each logp, over beta."""


@dataclass(frozen=True, slots=True)
class Range:
    """What a right implementation may return around an exact value."""

    low: float
    exact: float
    high: float

    def excess(self, got: float) -> float:
        """The error of an answer over what is allowed on its side.

        Infinite for NaN instead of a number, or reversed, and for a 0 where none is allowed: what is allowed is a factor of
        the exact value, and of 0 nothing is left.
        """
        if got == self.exact or (math.isnan(got) and math.isnan(self.exact)):
            return 0.0
        if not (math.isfinite(got) and math.isfinite(self.exact)):
            return 0.0 if got in (self.low, self.high) else math.inf
        if got == 0 and not self.low <= 0 <= self.high:
            return math.inf
        allowed = self.high - self.exact if got > self.exact else self.exact - self.low
        return abs(got - self.exact) / allowed if allowed > 0 else math.inf


@functools.lru_cache(maxsize=200_000)
def _softplus(x: Fraction) -> float:
    return float(Real.softplus(x))


@functools.lru_cache(maxsize=200_000)
def _sigmoid(x: Fraction) -> float:
    return float(Real.sigmoid(x))


def _kernel(fmt: Format) -> float:
    """The relative width of the kernel's bound, once and a half what is derived, without the exponential's."""
    return (8 if fmt.width <= 16 else 24) * fmt.unit_roundoff


def _logit(batch: Batch, index: int, fmt: Format) -> tuple[Fraction, Fraction]:
    """The exact logit of a pair with finite logps, and dz."""
    pc, pr, rc, rr = (Fraction(float(logps[index])) for logps in batch.logps)
    beta, u, tiny = Fraction(batch.beta), Fraction(fmt.unit_roundoff), Fraction(fmt.smallest_normal)
    margin = (pc - rc) - (pr - rr)
    if beta == 1 and [pc, pr, rc, rr].count(Fraction(0)) >= 3:
        return margin, 2 * u * abs(margin) * (1 + u)
    orders = (
        (pc - rc, pr - rr, margin),
        (pc - pr, rc - rr, margin),
        (pc - pr, pc - pr - rc, margin),
        (pc - rc, pc - rc - pr, margin),
    )
    partial = max(sum(map(abs, order)) for order in orders)
    d_beta = u * abs(beta) + Fraction(fmt.smallest_subnormal)
    dz = abs(beta) * (2 * u * partial + 4 * tiny) + d_beta * abs(margin) + 4 * u * abs(beta * margin) + tiny
    return beta * margin, dz + 2 * u * abs(beta * margin) * (1 + u)


def _floor(low: float, fmt: Format) -> float:
    """0 where a term may be below the smallest normal, else the term."""
    return 0.0 if low < fmt.smallest_normal else low


def _loss(batch: Batch, index: int, fmt: Format) -> Range:
    logps = [float(values[index]) for values in batch.logps]
    exact_real = oracle.loss(*logps, beta=batch.beta, label_smoothing=batch.label_smoothing)
    assert isinstance(exact_real, Real)
    exact = exact_real.round(fmt) if exact_real.special is not None else float(exact_real)
    if not all(map(math.isfinite, logps)):
        return Range(exact, exact, exact)
    z, dz = _logit(batch, index, fmt)
    k, u, eps = _kernel(fmt), fmt.unit_roundoff, batch.label_smoothing
    if dz == 0 == eps:
        return _in_ulp(exact_real, fmt)
    low = _floor(_softplus(-(z + dz)) * (1 - k), fmt)
    high = _softplus(-(z - dz)) * (1 + k)
    if eps:
        d_eps = u * eps + fmt.smallest_subnormal
        shift = (k * eps + d_eps) * float(abs(z))
        low = (1 - eps - u) * low + max(eps - d_eps, 0) * _floor(_softplus(z - dz) * (1 - k), fmt) - shift
        high = (1 - eps + u) * high + (eps + d_eps) * _softplus(z + dz) * (1 + k) + shift
        low, high = low * (1 - 4 * u), high * (1 + 4 * u)
    step = 16 * fmt.smallest_subnormal
    return _overflowing(Range(_floor(low - step, fmt) if low >= 0 else low, exact, high + step), fmt)


def _in_ulp(exact: Real, fmt: Format) -> Range:
    """K ulp around a number that is not negative; down to 0 below the smallest normal."""
    value = float(exact)
    width = (6 if fmt.width <= 16 else 16) * float(fmt.quantum(value))
    return _overflowing(Range(_floor(value - width, fmt), value, value + width), fmt)


def _overflowing(allowed: Range, fmt: Format) -> Range:
    """An infinity is allowed where the range reaches past the largest number."""
    top = fmt.largest
    return Range(
        -math.inf if allowed.low < -top else allowed.low,
        math.copysign(math.inf, allowed.exact) if abs(allowed.exact) > top else allowed.exact,
        math.inf if allowed.high > top else allowed.high,
    )


def _slope(batch: Batch, index: int, fmt: Format) -> Range:
    """beta * (eps - sigmoid(-z)), the derivative in policy_chosen and ref_rejected."""
    logps = [float(values[index]) for values in batch.logps]
    derivative = oracle.gradient(*logps, beta=batch.beta, label_smoothing=batch.label_smoothing).policy_chosen
    assert isinstance(derivative, Real)
    exact = float(derivative)
    if not all(map(math.isfinite, logps)):
        rounded = fmt.round_array(exact) if exact else exact
        quantum = abs(float(rounded)) * 4 * fmt.unit_roundoff
        return Range(exact - quantum, exact, exact + quantum)
    z, dz = _logit(batch, index, fmt)
    k, eps = _kernel(fmt), batch.label_smoothing
    if dz == 0 == eps:
        magnitude = _in_ulp(-derivative, fmt)
        return Range(-magnitude.high, -magnitude.exact, -magnitude.low)
    least = _floor(_sigmoid(-(z + dz)) * (1 - k), fmt)
    most = _sigmoid(-(z - dz)) * (1 + k)
    ends = [factor * (eps - value) for value in (least - k * eps, most + k * eps) for factor in _betas(batch, fmt)]
    low, high = min(ends), max(ends)
    low, high = (low, max(high, 0.0)) if 0 > high > -fmt.smallest_normal else (low, high)
    low, high = (min(low, 0.0), high) if 0 < low < fmt.smallest_normal else (low, high)
    step = 16 * fmt.smallest_subnormal
    return _overflowing(Range(low - step, exact, high + step), fmt)


def _betas(batch: Batch, fmt: Format) -> tuple[float, float]:
    """The factors that a product with beta may come to; with 1 it is exact."""
    if batch.beta == 1:
        return 1.0, 1.0
    away = 4 * fmt.unit_roundoff * abs(batch.beta) + fmt.smallest_subnormal
    return batch.beta - away, batch.beta + away


def _mean(ranges: list[Range], fmt: Format, wide: Format) -> Range:
    """The mean of the ranges, widened by an addition for each that is not next to 0, in the wide format, and a division."""
    n = len(ranges)
    least = 64 * fmt.smallest_subnormal
    counted = sum(max(abs(r.low), abs(r.high)) > least for r in ranges)
    low, exact, high = (math.fsum(getattr(r, end) for r in ranges) / n for end in ("low", "exact", "high"))
    slack = (counted * wide.unit_roundoff + 2 * fmt.unit_roundoff) * math.fsum(max(abs(r.low), abs(r.high)) for r in ranges) / n
    return Range(low - slack, exact, high + slack)


@functools.lru_cache(maxsize=512)
def losses(batch: Batch, fmt: Format) -> list[Range]:
    """The allowed losses of every pair."""
    return _each(batch, lambda i: _loss(batch, i, fmt))


@functools.lru_cache(maxsize=512)
def slopes(batch: Batch, fmt: Format) -> list[Range]:
    """The allowed derivatives of every pair in policy_chosen_logps."""
    return _each(batch, lambda i: _slope(batch, i, fmt))


def _each(batch: Batch, allowed: Callable[[int], Range]) -> list[Range]:
    """What is allowed for every pair; equal pairs share one range."""
    rows = np.stack(batch.logps).T.copy().view(f"V{4 * 8}").ravel().tolist()
    known: dict[bytes, Range] = {}
    return [known[row] if row in known else known.setdefault(row, allowed(i)) for i, row in enumerate(rows)]


def _scaled(r: Range, factor: float, fmt: Format) -> Range:
    """The range times 1/n: a rounding of 1/n, a product, and a flushed result."""
    slack = 4 * fmt.unit_roundoff * max(abs(r.low), abs(r.high)) * factor + fmt.smallest_normal
    return Range(r.low * factor - slack, r.exact * factor, r.high * factor + slack)


def loss_excess(answer: Answer, batch: Batch, fmt: Format, claims: Claims) -> float:
    """The largest error of a batch's losses over what is allowed."""
    allowed = losses(batch, fmt)
    if claims.reduction == "mean":
        allowed = [_mean(allowed, fmt, wider(fmt, claims.accumulation))]
        if math.isinf(allowed[0].exact) and np.isnan(answer.losses):
            return 0.0  # a running mean hides nothing
    return _largest_of(allowed, np.atleast_1d(answer.losses))


def gradient_excess(answer: Answer, batch: Batch, fmt: Format, reduction: str = "none") -> float:
    """The largest error of the derivatives; one that is missing in a policy logp is infinite."""
    if answer.gradient is None:
        return 0.0
    if answer.gradient[0] is None or answer.gradient[1] is None:
        return math.inf
    allowed = slopes(batch, fmt)
    if reduction == "mean":
        allowed = [_scaled(r, 1 / len(batch), fmt) for r in allowed]
    parts = [(sign, part) for sign, part in zip(SIGNS, answer.gradient, strict=True) if part is not None]
    return _largest(iter([_largest_of(allowed, sign * part) for sign, part in parts]))


def metric_excess(got: dict[str, float], batch: Batch, fmt: Format) -> float:
    """The largest error of the metrics; the accuracy is meant to be exact, so no margin here may be near 0."""
    exact = oracle.metrics(*batch.logps, beta=batch.beta, label_smoothing=batch.label_smoothing)
    pc, pr, rc, rr = batch.logps
    sizes = {
        "margin": np.where((pc == rc) & (pr == rr), 0, np.abs(pc - rc) + np.abs(pr - rr) + np.abs(pc - pr) + np.abs(rc - rr)),
        "chosen_logratio": np.abs(pc - rc),
        "rejected_logratio": np.abs(pr - rr),
    }
    accuracy = float(exact.accuracy)
    ranges = {"accuracy": Range(*(accuracy * (1 + k * fmt.unit_roundoff) for k in (-5, 0, 5)))}
    beta = batch.beta
    for name, size in sizes.items():
        value = float(getattr(exact, name))
        slack = fmt.unit_roundoff * float(np.mean(size)) * (np.count_nonzero(size) + 4)  # to add 0 rounds nothing
        ranges[name] = Range(value - slack, value, value + slack) if math.isfinite(value) else Range(value, value, value)
    for reward, name in zip(REWARDS[1:], METRICS[1:], strict=True):
        r, room = ranges[name], 4 * fmt.unit_roundoff * abs(beta * ranges[name].exact)
        low, high = sorted((beta * r.low, beta * r.high))
        ranges[reward] = Range(low - room, beta * r.exact, high + room)
    ranges[REWARDS[0]] = ranges["accuracy"]
    return _largest(ranges[name].excess(got[name]) for name in ranges if name in got)


def _largest_of(allowed: list[Range], got: Floats) -> float:
    """The largest excess; the same number for the same range is looked at once."""
    asked = {(id(r), number): r for r, number in zip(allowed, got.tolist(), strict=True)}
    return _largest(iter([r.excess(number) for (_, number), r in asked.items()]))


def _largest(numbers: Iterator[float]) -> float:
    return max(numbers, default=0.0)


@dataclass(frozen=True, slots=True)
class Excess:
    """The largest errors of an implementation over what is allowed, 1 being the limit."""

    loss: float = 0.0
    gradient: float = 0.0
    metrics: float = 0.0
    second: float = 0.0

    @property
    def largest(self) -> float:
        """The worst of the four."""
        return max(self.loss, self.gradient, self.metrics, self.second)


def excess(
    implementation: Implementation, batch: Batch, fmt: Format, *, every_way: bool = False, ways: Collection[Way] = ()
) -> Excess:
    """How wrong an implementation is on a batch; infinitely where it raises or returns no such numbers.

    every_way: also for strided inputs, without derivatives, with a weight for each loss, and with none asked for in
    the reference. ways: instead, in those of them that its wrapper knows.
    """
    claimed = implementation.claims
    try:
        answers = list(in_ways(implementation, batch, fmt, ways) if ways else _answers(implementation, batch, fmt, every_way))
        measured = list(_metrics(implementation, batch, fmt, bool(ways))) if claimed.metrics else []
    except Misbehaviour:
        return Excess(math.inf, math.inf, math.inf if claimed.metrics else 0.0)
    if claimed.gradient and answers[0].gradient is None:
        return Excess(math.inf, math.inf)
    return Excess(
        max(loss_excess(answer, batch, fmt, claimed) for answer in answers),
        max(gradient_excess(answer, batch, fmt, claimed.reduction) for answer in answers),
        max((metric_excess(dict(metrics), batch, fmt) for metrics in measured), default=0.0),
        second_excess(implementation, batch, fmt) if claimed.second_derivatives else 0.0,
    )


def _metrics(implementation: Implementation, batch: Batch, fmt: Format, in_views: bool) -> Iterator[Mapping[str, float]]:
    """The metrics, and those of views where they are asked for and the wrapper makes them."""
    yield implementation.metrics(batch, fmt)
    if in_views and isinstance(implementation, Measuring):
        for way in sorted(implementation.ways & set(LAYOUTS)):
            yield implementation.metrics_by_way(way, batch, fmt)


def second_excess(implementation: Implementation, batch: Batch, fmt: Format) -> float:
    """The second derivatives in the policy's logps, by every mode: 64 u (24 u in 16 bits), the logit's error, 8 quanta."""
    assert isinstance(implementation, Curved)
    weights, found = np.resize([4.0, 1.0, -2.0], len(batch)), [0.0]
    for how in sorted(implementation.twice_by):
        for place in (0, 1):
            try:
                parts = implementation.twice(how, place, batch, fmt, weights).gradient or (None,) * 4
            except Misbehaviour as error:
                if how is Twice.REVERSE or error.kind != "raised":
                    return math.inf
                continue
            for other in (0, 1):
                part = parts[other]
                got = np.full(len(batch), np.nan) if part is None else part / weights
                sizes = got * SIGNS[place] * SIGNS[other]
                found += [_curvature(batch, i, fmt).excess(float(x)) for i, x in enumerate(sizes)]
    return max(found)


def _curvature(batch: Batch, index: int, fmt: Format) -> Range:
    """beta^2 sigma(z) sigma(-z), whose logarithm is no steeper in z than 1."""
    logps = [float(values[index]) for values in batch.logps]
    found = oracle.second_derivative(*logps, beta=batch.beta)
    assert isinstance(found, Real)
    exact = float(found * Fraction(batch.beta) ** 2)
    if not all(map(math.isfinite, logps)):
        return Range(exact, exact, exact)
    room = math.exp(min(float(_logit(batch, index, fmt)[1]), 700.0)) * (1 + (24 if fmt.width <= 16 else 64) * fmt.unit_roundoff)
    most = min(exact * room, batch.beta**2 / 4 * (1 + 64 * fmt.unit_roundoff))
    step = 8 * fmt.smallest_subnormal * max(1.0, batch.beta**2)
    return Range(_floor(exact / room - step, fmt), exact, max(most, exact) + step)


def _answers(implementation: Implementation, batch: Batch, fmt: Format, every_way: bool) -> Iterator[Answer]:
    """The plain answer, and those of the other ways to ask; derivatives of weighted losses divided by the weights."""
    gradient = implementation.claims.gradient
    yield implementation.evaluate(batch, fmt, gradient=gradient)
    if every_way:
        yield implementation.evaluate(batch, fmt, gradient=gradient, strided=True)
        yield implementation.evaluate(batch, fmt, gradient=False)
    if every_way and isinstance(implementation, Weighing):
        mean = implementation.claims.reduction == "mean"
        weights = np.array([-4.0]) if mean else np.resize([4.0, 1.0, -2.0], len(batch))
        weighed = implementation.weighed(batch, fmt, weights)
        if weighed.gradient is not None:
            pc, pr, rc, rr = (None if part is None else part / weights for part in weighed.gradient)
            yield replace(weighed, gradient=(pc, pr, rc, rr))
        yield implementation.weighed(batch, fmt, np.ones(len(weights)), policy_alone=True)
