"""Balls in fractions, and what docs/enclosures.md says of a radius: no smaller, and larger only by the slack."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from oracle.ball import Enclosure

U = Fraction(1, 2**53)
SUM, PRODUCT, QUOTIENT, KERNEL, ENTRY = (Fraction(1, 2**n) for n in (104, 102, 104, 71, 100))
LEAST = Fraction(1, 2**1000)


def unit(x: Enclosure, i: int) -> Fraction:
    return Fraction(2) ** int(x.exponent[i])


def head(x: Enclosure, i: int) -> Fraction:
    return abs(Fraction(float(x.head[i]))) * unit(x, i)


def middle(x: Enclosure, i: int) -> Fraction:
    return (Fraction(float(x.head[i])) + Fraction(float(x.tail[i]))) * unit(x, i)


def radius(x: Enclosure, i: int) -> Fraction:
    return Fraction(float(x.radius[i])) * unit(x, i)


def assert_radius(x: Enclosure, i: int, stated: Fraction, charged: int = 1, room: Fraction = Fraction(0)) -> None:
    """SLACK = 1 + 32u is there, so that 15 roundings leave 16u and add up to 64u; LEAST_RADIUS is added a few times.

    charged: how often, where one operation follows another. room: what else the text leaves open.
    """
    least = 8 * LEAST * unit(x, i) if stated else 0
    assert stated * (1 + 15 * U) <= radius(x, i) <= stated * (1 + 64 * U) ** charged + least + room, i


def assert_normal(x: Enclosure) -> None:
    size = np.maximum(np.abs(x.head), x.radius)
    assert (((size >= 0.5) & (size < 1)) | (size == 0)).all()
    assert ((x.radius == 0) | (x.radius >= 2.0**-1000)).all()
    assert (np.abs(x.tail) <= np.abs(x.head) * 2.0**-53).all()
