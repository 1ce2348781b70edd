"""The kernel's loss and slope at logits of one float64, and of two, against Arb at 128 bits."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from flint import arb, ctx

from oracle import enclosure
from oracle.enclosure import Enclosure
from tests.oracle.confront.logits import Floats, Generator, logits
from tests.oracle.confront.tally import Tally

BITS = 128
DEEP = -900  # balls of smaller exponent are compared on a scale of their own


def fields(ball: Enclosure, scale: bool) -> Iterable[tuple[float, float, float]]:
    """(head, tail, radius) of each ball; scale: in real units, for exponents above DEEP."""
    parts = (ball.head, ball.tail, ball.radius)
    if scale:
        parts = tuple(np.ldexp(part, ball.exponent.astype(np.int32)) for part in parts)
    return zip(*(part.tolist() for part in parts), strict=True)


def widened(z: Floats, low: Floats) -> Enclosure:
    """The logit head + tail as a ball; it is within the ball's radius, 2**-104 of it or 0."""
    return enclosure.exact(z) + low if low.any() else enclosure.exact(z)


def confront(rng: Generator, count: int) -> list[Tally]:
    """Loss and slope at `count` logits, a tenth of which have a tail below the float64."""
    z = logits(rng, count)
    low = np.zeros_like(z)
    tenth = count // 10
    ordinary = np.abs(z) > 2.0**-900
    low[:tenth] = (z * rng.uniform(-1, 1, z.size) * np.exp2(-54.0 - rng.integers(0, 40, z.size)) * ordinary)[:tenth]
    order = rng.permutation(count)
    z, low = z[order], low[order]
    f, s = enclosure.kernel(widened(z, low))
    tallies = [Tally("loss f(z)"), Tally("slope s(z)")]
    deep = np.minimum(f.exponent, s.exponent) < DEEP
    for chosen, scaled in ((~deep & (low == 0), True), (~deep & (low != 0), True), (deep, False)):
        if chosen.any():
            _compare(z[chosen], low[chosen], f[chosen], s[chosen], scaled, tallies)
    return tallies


def _compare(z: Floats, low: Floats, f: Enclosure, s: Enclosure, scaled: bool, tallies: list[Tally]) -> None:
    ctx.prec = BITS
    loss, slope = tallies
    f_errors, s_errors = [], []
    more = low.tolist() if low.any() else None
    units = None if scaled else list(zip(f.exponent.tolist(), s.exponent.tolist(), strict=True))
    for i, (v, (fh, ft, fr), (sh, st, sr)) in enumerate(zip(z.tolist(), fields(f, scaled), fields(s, scaled), strict=True)):
        y = (-arb(v)).exp() if more is None else (-(arb(v) + more[i])).exp()
        true_f, true_s = y.log1p(), y / (1 + y)
        if units is not None:
            true_f, true_s = true_f * arb((1, -units[i][0])), true_s * arb((1, -units[i][1]))
        d, e = abs(true_f - fh - ft), abs(true_s - sh - st)
        if not d <= fr:
            loss.escaped(f"z = {v!r} + {low[i]!r}")
        if not e <= sr:
            slope.escaped(f"z = {v!r} + {low[i]!r}")
        f_errors.append(float(d))
        s_errors.append(float(e))
    for tally, errors, ball in ((loss, f_errors, f), (slope, s_errors, s)):
        radius = np.array([r for _, _, r in fields(ball, scaled)])
        tally.points += z.size
        tally.comparisons += z.size
        tally.worst = max(tally.worst, float((np.array(errors) / radius).max()))
