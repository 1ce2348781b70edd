"""Logits to confront at: random ones, and those where a table, a binade, a rounding or an underflow is at its edge."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from oracle.formats import FORMATS, binary16, binary32, binary64
from oracle.kernel import DEEPEST
from oracle.tables import RECIPROCAL_ONE, STEPS

Floats = NDArray[np.float64]
Generator = np.random.Generator

STEP = float(np.log(2.0)) / STEPS


def signs(rng: Generator, n: int) -> Floats:
    return rng.choice([-1.0, 1.0], n)


def nudged(rng: Generator, z: Floats, ulps: int = 8) -> Floats:
    """Each number moved by up to so many units of its last place."""
    return z * (1.0 + rng.integers(-ulps, ulps + 1, z.size) * 2.0**-52)


def logit_of_loss(y: Floats) -> Floats:
    """The z with softplus(-z) = y, nearly."""
    return -y - np.log(-np.expm1(-y))


def logit_of_slope(y: Floats) -> Floats:
    """The z with sigma(-z) = y, nearly."""
    return np.log1p(-y) - np.log(y)


def realistic(rng: Generator, n: int) -> Floats:
    return rng.normal(size=n) * rng.choice([1.0, 5.0, 30.0], n)


def uniform_over_values(rng: Generator, n: int) -> Floats:
    return rng.uniform(-1.0, 1.0, n) * rng.choice([1.0, 50.0, 120.0, 800.0, 9000.0], n, p=[0.3, 0.4, 0.2, 0.08, 0.02])


def uniform_over_exponents(rng: Generator, n: int) -> Floats:
    low = rng.choice([-1074.0, -60.0, -20.0], n, p=[0.1, 0.3, 0.6])
    return signs(rng, n) * np.exp2(rng.uniform(low, 13.1))


def edges_of_the_exponential(rng: Generator, n: int) -> Floats:
    """Multiples and half multiples of ln 2/1024: where n jumps, and where the reduced argument is about 0."""
    n_max = rng.choice([4096, 120 * STEPS, 1100 * STEPS], n, p=[0.3, 0.5, 0.2])
    steps = np.floor(rng.random(n) * n_max) + rng.choice([0.0, 0.5], n)
    return nudged(rng, signs(rng, n) * steps * STEP)


def edges_of_the_reciprocals(rng: Generator, n: int) -> Floats:
    """exp(-t) at a half multiple of 1/1024, where the reciprocal changes, and where R(1 + y) is about 1."""
    half = (rng.integers(1, STEPS + 1, n) - 0.5) / STEPS
    one = RECIPROCAL_ONE / rng.integers(RECIPROCAL_ONE // 2, RECIPROCAL_ONE, n) - 1.0
    t = -np.log(np.where(rng.random(n) < 0.5, half, one))
    return nudged(rng, signs(rng, n) * t)


def edges_of_depth(rng: Generator, n: int) -> Floats:
    """About t = 120 ln 2, from where only the exponent moves."""
    return signs(rng, n) * (DEEPEST * float(np.log(2.0)) + rng.normal(size=n) * 2.0 ** rng.integers(-45, 1, n))


def edges_of_binades(rng: Generator, n: int) -> Floats:
    """The loss or the slope at a power of two, or at 1 less one."""
    power = np.exp2(-rng.integers(1, 1074, n) * rng.choice([1.0, 0.05], n).round(2)).clip(2.0**-1074)
    power = np.exp2(np.rint(np.log2(power)).clip(-1074, -1))
    losses = logit_of_loss(np.where(rng.random(n) < 0.2, np.exp2(rng.integers(0, 13, n)), power))
    return nudged(rng, np.where(rng.random(n) < 0.5, losses, signs(rng, n) * logit_of_slope(power)))


def midpoints(rng: Generator, n: int) -> Floats:
    """A loss or a slope that is a number of a format or a midpoint of two, in every format."""
    quarter = -(-n // len(FORMATS))
    drawn = []
    for fmt in FORMATS:
        least = np.where(rng.random(quarter) < 0.3, 1, fmt.ordinals(2.0**-10))
        loss = fmt.from_ordinals(rng.integers(least, fmt.ordinals(700.0)))
        slope = fmt.from_ordinals(rng.integers(least, fmt.ordinals(1.0) - 1))
        half = rng.choice([0.0, 0.5], quarter)
        loss, slope = (y + (fmt.neighbours(y)[1] - y) * half for y in (loss, slope))
        drawn.append(np.where(rng.random(quarter) < 0.5, logit_of_loss(loss), logit_of_slope(slope)))
    return nudged(rng, np.concatenate(drawn)[:n])


def subnormal_tails(rng: Generator, n: int) -> Floats:
    """Where loss and slope pass through the subnormals of a format and below."""
    fmt_low = {fmt.name: -np.log(fmt.smallest_normal) for fmt in FORMATS}
    fmt_high = {fmt.name: -np.log(fmt.smallest_subnormal) for fmt in FORMATS}
    names = rng.choice([binary16.name, binary32.name, binary64.name], n, p=[0.4, 0.4, 0.2])
    low, high = (np.array([found[name] for name in names]) for found in (fmt_low, fmt_high))
    return signs(rng, n) * rng.uniform(low - 1.0, high + 2.0)


FAMILIES: tuple[tuple[float, Callable[[Generator, int], Floats]], ...] = (
    (0.20, realistic),
    (0.16, uniform_over_values),
    (0.12, uniform_over_exponents),
    (0.12, edges_of_the_exponential),
    (0.12, edges_of_the_reciprocals),
    (0.02, edges_of_depth),
    (0.06, edges_of_binades),
    (0.16, midpoints),
    (0.04, subnormal_tails),
)
"""Shares of the points, and who draws them."""


def logits(rng: Generator, n: int) -> Floats:
    """n logits, in the families' shares; all finite and below 2**14 in size."""
    counts = [round(share * n) for share, _ in FAMILIES]
    counts[0] += n - sum(counts)
    with np.errstate(under="ignore"):
        return np.concatenate([family(rng, count) for count, (_, family) in zip(counts, FAMILIES, strict=True)])
