"""Every order of the margin, with every flush, stays within delta_z: the lattice argument of docs/bounds.md, tried."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from oracle import Format
from oracle.bounds import Pairs, logit_error
from oracle.formats import Floats

TOY = Format("toy", 5, -3, 60, 16)
"""Few bits and a large smallest normal number, so that flushing meets cancellation everywhere."""
SEQUENTIAL = ["abcd", "abdc", "acbd", "acdb", "dbac", "dbca", "dcab", "dcba"]
SIGN = {"a": 1.0, "b": -1.0, "c": -1.0, "d": 1.0}


def flushed(values: Floats) -> Floats:
    """Rounded into the format, and 0 where that is subnormal."""
    rounded = TOY.round_array(values)
    return np.where(np.abs(rounded) < TOY.smallest_normal, 0.0, rounded)


def margins(logps: dict[str, Floats], step: Callable[[Floats], Floats]) -> list[Floats]:
    a, b, c, d = (step(logps[name]) for name in "abcd")
    found = [step(step(a - c) - step(b - d)), step(step(a - b) - step(c - d))]
    for order in SEQUENTIAL:
        total = step(SIGN[order[0]] * logps[order[0]])
        for name in order[1:]:
            total = step(total + SIGN[name] * step(logps[name]))
        found.append(total)
    return found


@pytest.fixture(scope="module")
def hostile() -> list[Floats]:
    """Any numbers of the format, half of them in places where partial sums are small and margins smaller."""
    rng = np.random.default_rng(5)
    n = 60_000

    def number(least: int, most: int, count: int = n) -> Floats:
        steps = rng.integers(0, 32, count) * 2.0 ** rng.integers(least, most, count)
        return TOY.round_array(rng.choice([-1.0, 1.0], count) * steps)

    logps = [number(-7, 5) for _ in "abcd"]
    a, b = number(-2, 3), number(-2, 3)
    close, rest = number(-6, -2), number(-7, -3)
    c = TOY.round_array(TOY.round_array(a - b) - close)
    d = TOY.round_array(rest - TOY.round_array(TOY.round_array(a - b) - c))
    order = [(a, b, c, d), (a, c, b, d), (d, b, -c, -a), (d, c, -b, -a)]  # the first difference a - b, a - c, d - b or d - c
    quarters = [[x[i::4] for x in four] for i, four in enumerate(order)]
    return [np.concatenate([plain, *cancelling]) for plain, *cancelling in zip(logps, *quarters, strict=True)]


@pytest.mark.parametrize("beta", [1.0, 64.0])
@pytest.mark.parametrize("step", [flushed, TOY.round_array], ids=["flushed", "gradual"])
def test_every_order_stays_within_delta_z(hostile, beta, step) -> None:
    logps = dict(zip("abcd", hostile, strict=True))
    exact = beta * (logps["a"] - logps["b"] - logps["c"] + logps["d"])
    down, up = logit_error(Pairs(*hostile, beta, 0.0), TOY)
    ways = [step(beta * margin) for margin in margins(logps, step)]
    a, b, c, d = (step(logps[name]) for name in "abcd")
    for first, second in ((step(a - c), step(b - d)), (step(a - b), step(c - d))):
        ways.append(step(step(beta * first) - step(beta * second)))
    for z in ways:
        assert ((z >= exact - down) & (z <= exact + up)).all()


def test_flushing_does_meet_computed_numbers_whose_exact_ones_are_large(hostile) -> None:
    """The case that needs the argument: a computed margin is flushed, and nothing exact is below 8 lambda."""
    logps = dict(zip("abcd", hostile, strict=True))
    a, b, c, d = (logps[name] for name in "abcd")
    exact = a - b - c + d
    numbers = np.abs([a, b, c, d, a - c, b - d, a - b, c - d, exact - a, exact + b, exact + c, exact - d, exact])
    clear = ~((numbers > 0) & (numbers < 8 * TOY.smallest_normal)).any(axis=0)
    gradual = margins(logps, TOY.round_array)
    met = [((np.abs(m) < TOY.smallest_normal) & (m != 0) & clear).any() for m in gradual]
    assert not any(met[:2]) and any(met[2:])
