"""The float64 tier: its proof checked for every table entry in interval arithmetic, and its results against Arb.

`arb` gives balls that hold the true value; every comparison below is of balls, certain or false.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from flint import arb, ctx

from oracle import first_tier
from oracle.doubledouble import Floats

HALF_STEP = arb(2) ** -9
U = arb(2) ** -53
ENTRIES = range(int(first_tier.GRID * first_tier.REACH) + 1)


@pytest.fixture(autouse=True)
def _precision() -> Iterable[None]:
    before, ctx.prec = ctx.prec, 300
    yield
    ctx.prec = before


def softplus(t: arb) -> arb:
    return (-t).exp().log1p()


def sigma(t: arb) -> arb:
    return 1 / (1 + t.exp())


def exact(table: Floats, k: int) -> arb:
    return arb(float(table[k]))


def test_every_entry_is_its_function_to_half_an_ulp_and_2_to_the_minus_17() -> None:
    f, s = first_tier.tables()
    least = U * (1 + arb(2) ** -16)
    for k in ENTRIES:
        t = arb(k) / first_tier.GRID
        for table, function in ((f, softplus), (s, sigma)):
            truth = function(t)
            assert abs(exact(table, k) / truth - 1) < least, k


def test_the_error_of_a_step_stays_below_the_stated_one_in_every_cell() -> None:
    """The four terms of the proof, over the whole cell of each entry, as balls around it."""
    ctx.prec = 80
    worst = arb(0)
    for k in ENTRIES:
        t = arb(k) / first_tier.GRID + arb(0, 1) * HALF_STEP  # the cell
        s, f = sigma(t), softplus(t)
        v, w = s * (1 - s), 1 - 2 * s
        fifth, sixth = v * w * (1 - 12 * v), v * (1 - 30 * v + 120 * v**2)
        for derivative, value, slope in ((fifth, f, s), (sixth, s, v)):
            truncation = abs(derivative) * HALF_STEP**5 / 120 / value
            table = U * (1 + arb(2) ** -16) * (1 + 2 * HALF_STEP)
            step = HALF_STEP * U * slope / value * arb("3.1")
            worst = max(worst, (truncation + table + step + U).upper(), key=float)
    mirrored = worst + U  # t + f(t), or 1 - s(t), rounded once more
    assert mirrored < arb(2) ** arb("-50.5")
    assert mirrored > arb(2) ** arb("-51.5")  # a proof that gives room to spare elsewhere would not see a wrong grid


def logits() -> Floats:
    """Ordinary, tiny and large; cell edges and their neighbours; both signs."""
    rng = np.random.default_rng(11)
    edges = (rng.integers(0, 32768, 2000) + 0.5) / first_tier.GRID
    parts = [
        rng.uniform(0, 128, 4000),
        np.exp2(rng.uniform(-40, 7, 4000)),
        edges,
        np.nextafter(edges, 0),
        np.nextafter(edges, 200),
        [0.0, 128.0, np.nextafter(128, 0), first_tier.HALF_STEP],
    ]
    t = np.concatenate(parts)
    return np.concatenate([t, -t])


@pytest.mark.parametrize(
    ("tier", "function"), [(first_tier.softplus_minus, softplus), (first_tier.sigmoid_minus, sigma)], ids=["f", "s"]
)
def test_the_stated_error_holds(tier, function) -> None:
    ctx.prec = 120
    z = logits()
    bound = arb(first_tier.RELATIVE_ERROR)
    worst = 0.0
    for x, got in zip(z.tolist(), tier(z).tolist(), strict=True):
        error = abs(arb(got) / function(arb(x)) - 1)
        assert error < bound, x
        worst = max(worst, float(error))
    assert worst > 2.0**-52  # it is near the bound somewhere, so that a smaller bound would be seen


def test_beyond_the_reach_the_error_is_less_than_2_to_the_minus_184() -> None:
    z = np.array([128.5, 500.0, 3e38])
    for side in (z, -z):
        f, s = first_tier.softplus_minus(side), first_tier.sigmoid_minus(side)
        for i in range(3):
            x = arb(float(side[i]))
            if abs(side[i]) < 1e6:
                assert abs(arb(float(f[i])) - softplus(x)) < arb(first_tier.LEAST)
                assert abs(arb(float(s[i])) - sigma(x)) < arb(first_tier.LEAST)
            else:
                assert f[i] == max(-side[i], first_tier.tables()[0][-1])
                assert s[i] == (1.0 if side[i] < 0 else first_tier.tables()[1][-1])


@pytest.mark.no_cover
def test_a_number_does_not_depend_on_its_neighbours() -> None:
    """Shortcuts for blocks that are all small, or all beyond the reach, give the bits of the general path."""
    z = np.concatenate([logits(), [1e-5, -1e-5, 200.0, -200.0, 1e30, -1e30]])
    whole = np.tile(np.concatenate([z, [3.0, -3.0]]), 2)  # all in one block, and again across blocks
    for tier in (first_tier.softplus_minus, first_tier.sigmoid_minus):
        alone = np.array([tier(z[i : i + 1])[0] for i in range(z.size)])
        together = tier(whole)
        assert (together[: z.size] == alone).all()
        assert (together[z.size + 2 : 2 * z.size + 2] == alone).all()


def test_shapes_are_kept() -> None:
    z = np.linspace(-3, 3, 12).reshape(3, 4)
    assert first_tier.softplus_minus(z).shape == (3, 4)
    assert first_tier.sigmoid_minus(np.empty(0)).shape == (0,)
