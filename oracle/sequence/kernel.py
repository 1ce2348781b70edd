"""e**z over tiles of a vocabulary, and their sums, to a relative error of 2**-61, from IEEE 754 operations alone.

One row of logits at a time costs about what NumPy's own exponential costs: a table of 1,024 powers of two, a quartic, and a
tree of error-free sums, in tiles that stay in the cache. No libm. Every line that rounds is accounted for, under the same
name, in docs/enclosures.md, section "Sums over a vocabulary".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from oracle.doubledouble import Floats, Integers, Pair, two_sum
from oracle.tables import FRACTION_BITS, ONE, STEPS, exponential, logarithms_of_successors, parts

RELATIVE_ERROR = 2.0**-62  # of one e**z; 2**-62.06 is proved
SUM_ERROR = 2.0**-61  # of a sum of them
REACH = 600.0  # nats below the largest logit; what lies lower is taken as that low
LARGEST = 1200.0  # larger logits are taken relative to the largest, which is exact: Sterbenz
TILE = 8192
_STEPS_PER_UNIT = 1477.3197218702985  # 1024/ln 2, rounded


@dataclass(frozen=True, slots=True)
class Steps:
    """2**(j/1024) as head + tail of 53 bits each, ln 2/1024 as 31 + 53 bits, ln 2 as head + tail."""

    head: Floats
    tail: Floats
    step: tuple[float, float]
    ln2: tuple[float, float]


@cache
def steps() -> Steps:
    """The tables, made at the first call from integers, as `oracle.tables` makes its own."""
    ln2 = sum(logarithms_of_successors())
    root, powers = exponential(ln2 // STEPS), [ONE]
    for _ in range(STEPS - 1):
        powers.append(powers[-1] * root >> FRACTION_BITS)
    table = np.array([parts(value, 53, 53) for value in powers])
    first, second = parts(ln2 // STEPS, 31, 53)
    head, tail = parts(ln2, 53, 53)
    return Steps(table[:, 0].copy(), table[:, 1].copy(), (first, second), (head, tail))


def exponents(largest: Floats) -> Integers:
    """K for each row: e**z * 2**-K is below 4 for every z up to the row's largest, and above 1 for the largest."""
    found: Integers = (np.rint(largest * _STEPS_PER_UNIT).astype(np.int64) - 1) >> 10
    return found


def powers(z: Floats, tail: Floats | None, exponent: Integers) -> Pair:
    """e**(z + tail) * 2**-exponent as an unevaluated sum, relative error below 2**-62, where |z| <= 1800.

    z: rows by columns, and the result likewise; overwritten nowhere. tail: |tail| <= 2**-40, or None. exponent: one a row.
    """
    table = steps()
    first, second = table.step
    n = np.rint(z * _STEPS_PER_UNIT)
    r = z - n * first
    index = n.astype(np.int64)
    n *= second
    r -= n
    if tail is not None:
        r += tail
    p = r * (1 / 24)
    p += 1 / 6
    p *= r
    p += 0.5
    p *= r
    p *= r
    p += r  # exp(r) - 1, but for r**5/120
    place = index & np.int64(STEPS - 1)
    head = table.head.take(place)
    p *= head
    p += table.tail.take(place)
    index >>= 10
    index -= exponent - 1023
    index <<= 52
    scale = index.view(np.float64)
    total = head + p
    head -= total
    head += p
    total *= scale
    head *= scale
    return total, head


def summed(value: Floats, error: Floats) -> list[Floats]:
    """Parts of each row's sum of value + error, to add up exactly; what they leave out is below 2**-88 of the sum."""
    left = error.sum(axis=-1)
    while value.shape[-1] > 1:
        half = value.shape[-1] // 2
        odd = value[..., -1] if value.shape[-1] % 2 else None
        value, rounding = two_sum(value[..., :half], value[..., half : 2 * half])
        left += rounding.sum(axis=-1)
        if odd is not None:
            value[..., 0], lost = two_sum(value[..., 0], odd)
            left += lost
    return [value[..., 0], left]


def doubled(addends: list[Floats]) -> Pair:
    """The sum of a few non-negative or tiny numbers for each row, as head + tail, correct to 2**-105."""
    columns = np.array(addends).T
    heads = np.array([math.fsum(row) for row in columns.tolist()])
    tails = np.array([math.fsum([*row, -head]) for row, head in zip(columns.tolist(), heads.tolist(), strict=True)])
    return heads, tails
