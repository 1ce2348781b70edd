"""Every finite pattern of the two 16-bit formats: the enclosure and its rounding against the slow, exact `Real`."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from oracle import Real, enclosure
from oracle.enclosure import Enclosure
from oracle.formats import FORMATS, Format, bfloat16, binary16, get_format
from tests.oracle.confront.tally import Tally

NAMES = (binary16.name, bfloat16.name)
BITS = 90
PARTS = 64


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
        unit = Fraction(2) ** int(balls.exponent[i])
        centre = (Fraction(float(balls.head[i])) + Fraction(float(balls.tail[i]))) * unit
        interval, radius = real.enclose(BITS), Fraction(float(balls.radius[i])) * unit
        error = max(abs(interval.low.fraction() - centre), abs(interval.high.fraction() - centre))
        if error > radius:
            tally.escaped(f"z = {z[i]!r}: the enclosure")
        elif radius:
            tally.worst = max(tally.worst, float(error / radius))
    for fmt in FORMATS:
        _rounded(tally, fmt, balls, reals, z)
    return tally


def _rounded(tally: Tally, fmt: Format, balls: Enclosure, reals: list[Real], z: np.ndarray) -> None:
    values, decided = enclosure.round(balls, fmt)
    for i, real in enumerate(reals):
        tally.comparisons += 1
        if not decided[i]:
            tally.undecided += 1
        elif real.round(fmt) != values[i]:
            tally.escaped(f"z = {z[i]!r}: rounded into {fmt.name}")
