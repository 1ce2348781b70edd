"""What a ball decides, against Arb at 320 bits: rounding into every format, the sign of a difference, ulp errors.

Half of the points are logits of two float64 whose loss or slope is a midpoint of a format to 100 bits and more: a ball
that decides there has decided at random.
"""

from __future__ import annotations

import math

import numpy as np
from flint import arb, ctx

from oracle import enclosure
from oracle.enclosure import Enclosure
from oracle.formats import FORMATS, Format
from tests.oracle.arb import SHAPES, Dyad, ends, pattern
from tests.oracle.confront.kernel import widened
from tests.oracle.confront.logits import Floats, Generator, logits
from tests.oracle.confront.tally import Tally

BITS = 320
Bounds = tuple[Dyad, Dyad]


def confront(rng: Generator, count: int) -> list[Tally]:
    """Every decision on the loss and on the slope at `count` logits, in the four formats."""
    ctx.prec = BITS
    half = count // 2
    z, low = _at_midpoints(rng, half)
    z = np.concatenate([z, rng.permutation(logits(rng, count - half))])
    low = np.concatenate([low, np.zeros(count - half)])
    tallies = [Tally("rounding"), Tally("comparison"), Tally("ulp error, low and high")]
    exact = [arb(v) + w for v, w in zip(z.tolist(), low.tolist(), strict=True)]
    exponentials = [(-v).exp() for v in exact]
    balls = enclosure.kernel(widened(z, low))
    for ball, truths in zip(balls, ([y.log1p() for y in exponentials], [y / (1 + y) for y in exponentials]), strict=True):
        for fmt in FORMATS:
            _decide(rng, fmt, ball, truths, tallies)
        for tally in tallies:
            tally.points += count
    return tallies


def _at_midpoints(rng: Generator, count: int) -> tuple[Floats, Floats]:
    """Logits head + tail whose loss (or slope) is a midpoint of a format to about 100 bits."""
    z, low = np.empty(count), np.empty(count)
    for i in range(count):
        fmt = FORMATS[i % len(FORMATS)]
        of_slope = bool(rng.random() < 0.5)
        least = 1 if rng.random() < 0.3 else int(fmt.ordinals(2.0**-10))
        place = int(rng.integers(least, int(fmt.ordinals(1.0 if of_slope else 60.0)) - 1))
        below, above = (float(fmt.from_ordinals(np.int64(place + k))) for k in (0, 1))
        y = (arb(below) + above) / 2
        root = ((1 - y) / y).log() if of_slope else -(y.expm1().log())
        z[i] = float(root)
        low[i] = float(root - z[i])
    return z, low


def _decide(rng: Generator, fmt: Format, ball: Enclosure, truths: list[arb], tallies: list[Tally]) -> None:
    rounding, comparison, ulps = tallies
    shape = SHAPES[fmt.name]
    values, decided = enclosure.round(ball, fmt)
    places = fmt.ordinals(values) + rng.choice([0, 0, 1, -1, 5, -40, 1000], values.size)
    got = fmt.from_ordinals(places)
    sign, sure = enclosure.compare(ball, got)
    low, high = enclosure.ulp_errors(ball, got, fmt)
    for i, truth in enumerate(truths):
        bounds = ends(truth)
        assert bounds is not None
        first, last = (pattern(shape, end) for end in bounds)
        rounding.comparisons += 1
        if not decided[i]:
            rounding.undecided += 1
        elif not first == last == int(fmt.encode(values[i])):
            rounding.escaped(f"{fmt.name}: {truth.str(40)} rounded to {values[i]!r}")
        difference = arb(float(got[i])) - truth if math.isfinite(got[i]) else None
        if difference is None:
            continue
        comparison.comparisons += 1
        if not sure[i]:
            comparison.undecided += 1
        elif not (difference > 0 if sign[i] > 0 else difference < 0 if sign[i] < 0 else difference.is_zero()):
            comparison.escaped(f"{fmt.name}: {got[i]!r} - {truth.str(40)} has sign {sign[i]}")
        ulps.comparisons += 1
        error = abs(difference) * arb((1, -quantum(bounds, fmt)))
        if not ((low[i] == 0 or low[i] <= error) and error <= high[i]):
            ulps.escaped(f"{fmt.name}: {got[i]!r} for {truth.str(40)}: [{low[i]!r}, {high[i]!r}], truly {error.str(20)}")


def quantum(bounds: Bounds, fmt: Format) -> int:
    """log2 of the quantum at the true value. At an exact power of two, which Arb's ball straddles, that of the power."""
    tops = [exponent + mantissa.bit_length() - 1 for mantissa, exponent in bounds]
    return min(max(*tops, fmt.emin), fmt.emax) - fmt.precision + 1
