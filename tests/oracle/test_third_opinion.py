"""The oracle against nothing but Python integers: series with explicit remainders, every step rounded outward.

A number x is held as integers (low, high) with low <= x * 2**W <= high. exp is the alternating Taylor series at
t / 2**k followed by k squarings; log1p is 2 atanh(y / (2 + y)). No float, no Fraction and no library takes part until
the comparison itself.
"""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

import oracle
from oracle import FORMATS, Real

pytestmark = pytest.mark.no_cover  # what it runs is counted where others run it

Bounds = tuple[int, int]
PRECISION = 320
"""Bits, relative to each function's value, that the integer bounds are good for, at least."""


def ceiling(a: int, b: int) -> int:
    """Ceil(a / b)."""
    return -(-a // b)


def exp_minus(p: int, q: int, W: int) -> Bounds:
    """exp(-p/q) for p/q >= 0: the series at r = p/(q 2**k) < 2**-8, squared k times."""
    k = max(0, (p // q).bit_length() + 8)
    r_low = (p << W) // (q << k)
    r_high = r_low + 1
    a = b = 1 << W  # the term r**j / j! lies in [a, b]
    low, high, j = a, b, 0
    while b > 1:
        j += 1
        a = (a * r_low >> W) // j
        b = ceiling(ceiling(b * r_high, 1 << W), j)
        low, high = (low - b, high - a) if j % 2 else (low + a, high + b)
    low, high = low - b, high + b  # the terms decrease, so what is left out is at most the last one
    for _ in range(k):
        low, high = low * low >> W, ceiling(high * high, 1 << W)
    return low, min(high, 1 << W)


def log1p_one(y: int, W: int) -> Bounds:
    """log(1 + y / 2**W) for 0 <= y <= 2**W: 2 (w + w**3/3 + w**5/5 + ...), w = y / (2 + y) <= 1/3."""
    one = 1 << W
    w_low, w_high = (y << W) // (2 * one + y), ceiling(y << W, 2 * one + y)
    a, b, low, high, j = w_low, w_high, 0, 0, 1
    while b > 1:
        low, high = low + a // j, high + ceiling(b, j)
        a = (a * w_low >> W) * w_low >> W
        b = ceiling(ceiling(b * w_high, one) * w_high, one)
        j += 2
    return 2 * low, 2 * (high + 2 * b)  # the rest is below b / (1 - w**2) <= 9/8 b


def tails(p: int, q: int, W: int) -> dict[str, Bounds]:
    """log(1 + y), y / (1 + y) and y / (1 + y)**2 at y = exp(-p/q): all three increase with y in [0, 1]."""
    one = 1 << W
    y_low, y_high = exp_minus(p, q, W)
    return {
        "loss": (log1p_one(y_low, W)[0], log1p_one(y_high, W)[1]),
        "sigmoid": ((y_low << W) // (one + y_low), ceiling(y_high << W, one + y_high)),
        "second": ((y_low << 2 * W) // (one + y_low) ** 2, ceiling(y_high << 2 * W, (one + y_high) ** 2)),
    }


def quantities(p: int, q: int) -> tuple[dict[str, Bounds], int]:
    """Bounds of loss(z), sigma(z) and sigma(z) sigma(-z) at z = p/q, and W."""
    t = abs(p)
    W = PRECISION + 64 + 3 * (t // q) // 2
    bounds = tails(t, q, W)
    if p < 0:
        floor = (t << W) // q
        low, high = bounds["loss"]
        bounds["loss"] = (low + floor, high + (floor if (t << W) % q == 0 else floor + 1))
    if p >= 0:
        low, high = bounds["sigmoid"]
        bounds["sigmoid"] = ((1 << W) - high, (1 << W) - low)
    return bounds, W


def rounded(x: int, W: int, fmt: oracle.Format) -> tuple[int, int]:
    """x / 2**W > 0 as n * 2**e, to nearest even; the numbers of this file are far from overflow."""
    e = max(x.bit_length() - 1 - W, fmt.emin) - fmt.precision + 1
    drop = e + W
    if drop <= 0:
        return x << -drop, e
    n, rest = divmod(x, 1 << drop)
    return n + (2 * rest + (n & 1) > 1 << drop), e


def reals(p: int, q: int) -> dict[str, Real]:
    z = Fraction(p, q)
    loss = oracle.loss(z, 0, 0, 0, beta=1)
    second = oracle.second_derivative(z, 0, 0, 0, beta=1)
    slope = oracle.gradient(z, 0, 0, 0, beta=1).policy_chosen  # sigma(z) - 1
    assert isinstance(loss, Real)
    assert isinstance(second, Real)
    assert isinstance(slope, Real)
    return {"loss": loss, "sigmoid": slope + 1, "second": second}


def points() -> list[tuple[int, int]]:
    """z = p/q: dyadic and not, from 2**-40 to 900, with midpoints of formats, and where results are subnormal."""
    rng = random.Random(1972)
    chosen = [(0, 1), (1, 1), (257, 1), (-257, 1), (-259, 1), (-513, 2), (1, 2**40), (-1, 3 * 2**40), (-4097, 1024)]
    chosen += [(rng.choice((-1, 1)) * rng.randrange(1, 2**24), 2 ** rng.randrange(16, 40)) for _ in range(120)]
    chosen += [(rng.randrange(-60_000, 60_000), rng.randrange(1000, 3000)) for _ in range(120)]
    chosen += [(rng.randrange(8_000, 18_000), 1000) for _ in range(40)]  # binary16's subnormals
    chosen += [(rng.randrange(87_000, 104_000), 1000) for _ in range(40)]  # binary32's and bfloat16's
    chosen += [(rng.randrange(708_000, 746_000), 1000) for _ in range(20)]  # binary64's
    chosen += [(rng.choice((-1, 1)) * rng.randrange(100, 900) * 7 + 3, 7) for _ in range(20)]
    return chosen


POINTS = points()


def test_a_few_hundred_points() -> None:
    assert len(POINTS) >= 300
    assert len(set(POINTS)) > 0.95 * len(POINTS)


@pytest.mark.parametrize("part", range(8))
def test_the_oracle_and_integer_series_agree(part: int) -> None:
    """Both sides are certified, so the intervals must meet; and both must round alike in every format."""
    for p, q in POINTS[part::8]:
        bounds, W = quantities(p, q)
        for name, real in reals(p, q).items():
            low, high = bounds[name]
            assert 0 < low < high, (name, p, q)
            assert (high - low) << PRECISION < low, "the integer bounds are wider than promised"
            if real.exact is None:
                interval = real.enclose(PRECISION - 20)
                assert interval.low.fraction() < Fraction(high, 1 << W), (name, p, q)
                assert Fraction(low, 1 << W) < interval.high.fraction(), (name, p, q)
            for fmt in FORMATS:
                n, e = rounded(low, W, fmt)
                if (n, e) != rounded(high, W, fmt):
                    assert (name, p, q) in {("sigmoid", 0, 1), ("second", 0, 1)}, "only exact values may straddle"
                    continue
                assert Fraction(real.round(fmt)) == n * Fraction(2) ** e, (name, p, q, fmt.name)


def test_the_integer_series_know_log_2_and_1_over_e() -> None:
    """The first digits of OEIS A002162 and A068985, so that the reference itself is anchored."""
    W = 400
    scale = 10**50
    assert [bound * scale >> W for bound in log1p_one(1 << W, W)] == [
        int("69314718055994530941723212145817656807550013436025")
    ] * 2
    assert [bound * scale >> W for bound in exp_minus(1, 1, W)] == [
        int("36787944117144232159552377016146086744581113103176")
    ] * 2
