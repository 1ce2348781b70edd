"""The compiled loops against NumPy's, bit by bit: both tiers, judgements in the four formats, enclosures of pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracle import compiled, enclosure, first_tier, judging
from oracle.ball import Enclosure
from oracle.formats import FORMATS, Format
from tests.oracle.confront.logits import Floats, Generator, logits, uniform_over_values
from tests.oracle.confront.tally import Tally

EXTREME = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.7e308, -1.7e308, 5e-324, -1e-310, 2.0**-1000, 1e300, -1.0])


def same(a: Any, b: Any) -> np.ndarray:
    """Where two answers hold the same bits, a NaN being any NaN."""
    if isinstance(a, Enclosure):
        fields = [same(getattr(a, name), getattr(b, name)) for name in ("head", "tail", "exponent", "radius")]
        return np.logical_and.reduce(fields)
    if isinstance(a, judging.Judged):
        held = [same(getattr(a, name), getattr(b, name)) for name in ("errors", "wrong", "subnormal")]
        return np.logical_and.reduce(held) & (a.escalated == b.escalated)
    if isinstance(a, tuple):
        return np.logical_and.reduce([same(x, y) for x, y in zip(a, b, strict=True)])
    if a.dtype != np.float64:
        return np.asarray(a == b)
    return (a.view(np.int64) == b.view(np.int64)) | (np.isnan(a) & np.isnan(b))


def compare(name: str, function: Callable[..., Any], *operands: Any) -> Tally:
    """One function by NumPy and by compiled loops."""
    with np.errstate(all="ignore"):
        with compiled.choice(False):
            plain = function(*operands)
        with compiled.choice(True):
            fast = function(*operands)
    held = same(plain, fast)
    tally = Tally(name, points=held.size, comparisons=held.size)
    for i in np.flatnonzero(~held)[:5]:
        tally.escaped(f"{[np.ravel(x)[i] if np.size(x) > 1 else x for x in operands if not isinstance(x, Format)]}")
    tally.escapes = int(np.count_nonzero(~held))
    return tally


def answers(rng: Generator, exact: Floats, fmt: Format, odd: float) -> Floats:
    """Returned numbers: rounded rightly, or a few units off; a share far off, of the other sign, not held, not finite."""
    nearest = np.clip(fmt.round_array(exact), -fmt.largest, fmt.largest)
    steps = np.where(rng.random(exact.size) < 0.5, 0, rng.integers(-3, 4, exact.size))
    got = fmt.from_ordinals(fmt.ordinals(nearest) + steps)
    others = (-got, got * 1.0000001, exact, got * 3, *(np.full(exact.size, x) for x in (0.0, np.nan, np.inf, -np.inf)))
    return np.choose(np.where(rng.random(exact.size) < odd, rng.integers(1, 9, exact.size), 0), [got, *others])


def judged(rng: Generator, z: Floats, fmt: Format, odd: float) -> list[Tally]:
    """Losses and derivatives at those logits, in one format."""
    z = fmt.round_array(z)
    with np.errstate(all="ignore"):
        tail = np.exp(-np.abs(z))
        losses, slopes = np.maximum(-z, 0.0) + np.log1p(tail), np.where(z > 0, tail, 1.0) / (1 + tail)
        got = [answers(rng, np.nan_to_num(exact, posinf=fmt.largest), fmt, odd) for exact in (losses, slopes)]
    return [
        compare(f"{fmt} losses judged", judging.losses, z, got[0], fmt),
        compare(f"{fmt} derivatives judged", judging.derivatives, z, got[1], fmt),
    ]


def tiers(rng: Generator, count: int) -> list[Tally]:
    """Both tiers at `count` logits; judgements in a format drawn anew, at ordinary ones, which seldom need `Real`."""
    z = rng.permutation(logits(rng, count))
    fmt = FORMATS[int(rng.choice(4, p=[0.1, 0.1, 0.5, 0.3]))]
    return [
        compare("float64 loss", first_tier.softplus_minus, z),
        compare("float64 slope", first_tier.sigmoid_minus, z),
        compare("loss f(z), slope s(z)", enclosure.kernel, enclosure.exact(z)),
        *judged(rng, uniform_over_values(rng, count), fmt, odd=0.0),
    ]


def boundaries(rng: Generator, count: int) -> list[Tally]:
    """Judgements in every format at the edges of tables, binades, roundings and tiers, of whatever may be returned."""
    z = rng.permutation(logits(rng, count))
    return [tally for fmt in FORMATS for tally in judged(rng, z, fmt, odd=0.1)]


def pairs(rng: Generator, count: int) -> list[Tally]:
    """Enclosures of the loss and the derivative of `count` pairs: ordinary, cancelling, of any size, not finite."""
    sizes = np.exp2(np.clip(rng.choice([3.0, 10.0, 300.0], (1, count)) * rng.normal(size=(4, count)), -1074, 1000))
    logps = -np.abs(rng.normal(size=(4, count))) * sizes
    close = rng.random(count) < 0.3
    logps[2:, close] = logps[:2, close] * (1 + rng.integers(-3, 4, (2, count))[:, close] * 2.0**-52)
    extreme = rng.random((4, count)) < 0.02
    logps[extreme] = rng.choice(EXTREME, int(extreme.sum()))
    beta = rng.choice([0.1, 1.0, -0.3, 5.0, 0.0, 1e-300, 1e300, 5e-324], count)
    eps = rng.choice([0.0, 0.1, 0.5, 1.0, 1e-9, 5e-324], count)
    return [
        compare("loss of a pair", enclosure.loss, *logps, beta, eps),
        compare("derivative of a pair", enclosure.gradient, *logps, beta, eps),
    ]
