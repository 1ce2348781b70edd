"""Every finite pattern of the two 16-bit formats: the enclosure and its rounding against the slow, exact `Real`."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import inf

import numpy as np

from oracle import Real, enclosure
from oracle.enclosure import Enclosure
from oracle.formats import FORMATS, Format, bfloat16, binary16, get_format
from tests.oracle.confront.tally import Tally

NAMES = (binary16.name, bfloat16.name)
BITS, MORE_BITS = 130, 700  # more for the balls of radius 2**-598 where |z| >= 2**13
PARTS = 64
TOO_SMALL = -20_000  # the power of two below which a number is not written out as a Fraction


def jobs() -> Iterator[tuple[str, int]]:
    """(format, part): the patterns in pieces."""
    return ((name, part) for name in NAMES for part in range(PARTS))


def confront(name: str, part: int) -> list[Tally]:
    """Loss and slope at one part of a format's patterns: in the ball, and rounded alike into every format."""
    z = get_format(name).all_values()
    z = z[np.isfinite(z)][part::PARTS]
    f, s = enclosure.kernel(z)
    exact = [Fraction(v) for v in z.tolist()]
    return [
        _against(f"loss, every {name}", f, [Real.softplus(-v) for v in exact], z),
        _against(f"slope, every {name}", s, [Real.sigmoid(-v) for v in exact], z),
    ]


def _against(name: str, balls: Enclosure, reals: list[Real], z: np.ndarray) -> Tally:
    tally = Tally(name, points=len(reals))
    for i, real in enumerate(reals):
        tally.comparisons += 1
        nearness = _nearness(balls[i], real)
        if nearness > 1:
            tally.escaped(f"z = {z[i]!r}: the enclosure")
        tally.worst = max(tally.worst, nearness)
    for fmt in FORMATS:
        _rounded(tally, fmt, balls, reals, z)
    return tally


def _nearness(ball: Enclosure, real: Real) -> float:
    """An upper bound of |error| / radius; inf where the radius is 0 and the centre is not the number.

    0 for the ball that holds all of (0, 2**-11800].
    """
    narrow = ball.radius < 2.0**-110 * abs(ball.head)
    interval, exponent = real.enclose(MORE_BITS if narrow else BITS), int(ball.exponent)
    if interval.high.top < 2 * TOO_SMALL:  # positive, below half of the coarse ball's end: the ball has to hold 0
        return 0.0 if 0 < ball.head <= ball.radius and exponent > TOO_SMALL else inf
    unit = Fraction(2) ** exponent
    centre = (Fraction(float(ball.head)) + Fraction(float(ball.tail))) * unit
    error = max(abs(end.fraction() - centre) for end in (interval.low, interval.high))
    radius = Fraction(float(ball.radius)) * unit
    return float(error / radius) if radius else (inf if error else 0.0)


def _rounded(tally: Tally, fmt: Format, balls: Enclosure, reals: list[Real], z: np.ndarray) -> None:
    values, decided = enclosure.round(balls, fmt)
    for i, real in enumerate(reals):
        tally.comparisons += 1
        if not decided[i]:
            tally.undecided += 1
        elif real.round(fmt) != values[i]:
            tally.escaped(f"z = {z[i]!r}: rounded into {fmt.name}")
