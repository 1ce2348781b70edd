"""The tables of the certified kernel: 2**(j/1024), ln 2 / 1024 in three parts, short reciprocals and their logarithms.

All are computed here from integers in fixed point with 192 fractional bits, by series with a counted error; a test
regenerates each entry with mpmath and with Arb and compares. One unit of the last place is 2**-192.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from oracle.doubledouble import Floats

FRACTION_BITS = 192
STEPS = 1024  # of the table of powers, and of the table of reciprocals
RECIPROCAL_ONE = 4096  # reciprocals are integers over this
ONE = 1 << FRACTION_BITS


@dataclass(frozen=True, slots=True)
class Tables:
    """power = 2**(j/1024) and log = -ln(reciprocal[i]), each as head + tail; log_step = ln2/1024 as three parts.

    power_head has 26 bits, log_step[0] and log_step[1] have 28: the kernel's products with them are exact.
    reciprocal[i] = k/4096 is nearest to 1/(1 + i/1024), i = 0 .. 1024.
    """

    power_head: Floats
    power_tail: Floats
    reciprocal: Floats
    log_head: Floats
    log_tail: Floats
    log_step: tuple[float, float, float]


def logarithms_of_successors() -> list[int]:
    """ln((n + 1)/n) = 2 artanh(1/(2n + 1)) for n = 2048 .. 4095, in fixed point, each within 20 units.

    Each of at most 9 divisions truncates by less than one unit, the doubling by two, and the series stops below one.
    """
    logs = []
    for n in range(RECIPROCAL_ONE // 2, RECIPROCAL_ONE):
        odd = 2 * n + 1
        power = ONE // odd
        total, k = 0, 1
        while power:
            total += power // k
            power //= odd * odd
            k += 2
        logs.append(2 * total)
    return logs


def exponential(x: int) -> int:
    """e**x for 0 <= x < 2**-10, in fixed point, within 20 units: the Taylor series with truncating division."""
    total, term, k = 0, ONE, 0
    while term:
        total += term
        k += 1
        term = (term * x >> FRACTION_BITS) // k
    return total


def nearest_float(fixed: int, bits: int = 53) -> float:
    """The fixed-point number rounded to nearest even to that many bits, as a float."""
    drop = max(0, fixed.bit_length() - bits)
    half = (1 << drop) >> 1
    rest = fixed & ((1 << drop) - 1)
    steps = fixed >> drop
    steps += rest > half or (rest == half and drop > 0 and steps & 1)
    return float(steps) * 2.0 ** (drop - FRACTION_BITS)


def parts(fixed: int, *bits: int) -> list[float]:
    """The fixed-point number as a sum of floats of at most so many bits, each nearest to what the ones before left."""
    found = []
    for width in bits:
        part = nearest_float(abs(fixed), width) * (1 if fixed >= 0 else -1)
        numerator, denominator = part.as_integer_ratio()
        fixed -= (numerator << FRACTION_BITS) // denominator
        found.append(part)
    return found


@cache
def tables() -> Tables:
    """The tables, made at the first call in about 10 milliseconds."""
    successors = logarithms_of_successors()
    ln2 = sum(successors)
    root = exponential(ln2 // STEPS)
    powers = [ONE]
    for _ in range(STEPS - 1):
        powers.append(powers[-1] * root >> FRACTION_BITS)
    logs = [0]  # ln(4096/k) for k = 4096 down to 2048
    for log in reversed(successors):
        logs.append(logs[-1] + log)
    shorts = [(2 * RECIPROCAL_ONE * STEPS + STEPS + i) // (2 * (STEPS + i)) for i in range(STEPS + 1)]
    power = np.array([parts(value, 26, 53) for value in powers])
    log_parts = np.array([parts(logs[RECIPROCAL_ONE - k], 53, 53) for k in shorts])
    first, second, third = parts(ln2 // STEPS, 28, 28, 53)
    return Tables(
        power_head=power[:, 0].copy(),
        power_tail=power[:, 1].copy(),
        reciprocal=np.array(shorts) / RECIPROCAL_ONE,
        log_head=log_parts[:, 0].copy(),
        log_tail=log_parts[:, 1].copy(),
        log_step=(first, second, third),
    )
