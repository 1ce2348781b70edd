"""Error-free transformations and double-double arithmetic over float64 arrays, with +, −, ×, ÷ alone.

A double-double is a pair (head, tail) with head = RN(head + tail): about 106 significant bits. u = 2**-53 throughout.
Every theorem quoted here needs IEEE 754 binary64, round to nearest even, no contraction and gradual underflow:
`assert_ieee` detects where that does not hold. The proofs of use are in docs/enclosures.md.

Sources: Dekker, Numer. Math. 18 (1971); Knuth, TAOCP 2, 4.2.2; Joldes, Muller, Popescu, ACM TOMS 44(2), 15 (2017).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Pair = tuple[Floats, Floats]

_VELTKAMP = 2.0**27 + 1.0
_LEAST, _TINY, _HALF_ULP = 2.0**-1074, 2.0**-1022, 2.0**-53  # names, so that no compiler folds what they are used in


class UnfaithfulArithmetic(RuntimeError):
    """The machine's float64 arithmetic is not IEEE 754 round to nearest even, so no bound proved here holds on it.

    Attribute: `symptom`, what was seen.
    """

    def __init__(self, symptom: str) -> None:
        super().__init__(f"float64 arithmetic is not IEEE 754 binary64 to nearest even: {symptom}")
        self.symptom = symptom


def assert_ieee() -> None:
    """Raises UnfaithfulArithmetic where float64 +, −, ×, ÷ or rint differ from IEEE 754.

    The operations are looked at once per process; the thread's mode (flush to zero, direction of rounding), which any
    library may change at any time, at every call. Python's floats obey the same mode as NumPy's loops.
    """
    _assert_operations()
    if _LEAST + _LEAST == 0.0 or _TINY * 0.5 == 0.0:
        raise UnfaithfulArithmetic("this thread flushes subnormal numbers to zero (some library has set that mode)")
    if 1.0 + _HALF_ULP != 1.0 or 1.0 + 1.5 * _HALF_ULP == 1.0 or -1.0 - _HALF_ULP != -1.0:
        raise UnfaithfulArithmetic("this thread does not round to nearest (some library has set that mode)")


@cache
def _assert_operations() -> None:
    """The identities that tell a machine's operations apart; arrays of 67 exercise the vector loop and its remainder."""

    def row(value: float) -> Floats:
        return np.full(67, value)

    eps, tiny = 2.0**-52, 2.0**-1022
    with np.errstate(under="ignore"):
        identities = {
            "subnormal results are flushed to zero": row(tiny) * row(0.5) == 2.0**-1023,
            "subnormal operands are read as zero": row(2.0**-1074) * row(2.0**60) == 2.0**-1014,
            "subnormal sums are flushed to zero": row(1.5 * tiny) - row(tiny) == 2.0**-1023,
            "additions are rounded twice (x87)": row(1.0) + row(2.0**-53 + 2.0**-105) == 1.0 + eps,
            "products carry excess precision (x87)": row(1.0 + eps) * row(1.0 - 2.0**-53) == 1.0,
            "products are fused with sums": row(1.0 + 2.0**-30) * row(1.0 + 2.0**-30) - row(1.0 + 2.0**-29) == 0.0,
            "rounding is not to nearest even": (row(1.0) + row(2.0**-53) == 1.0)
            & (row(1.0 + eps) + row(2.0**-53) == 1.0 + 2 * eps)
            & (row(-1.0) - row(2.0**-53) == -1.0),
            "quotients are not correctly rounded": (row(1.0) / row(3.0) == float.fromhex("0x1.5555555555555p-2"))
            & (row(1.0) / row(49.0) == float.fromhex("0x1.4e5e0a72f0539p-6")),
            "rint is not to nearest even": (np.rint(row(0.5)) == 0.0) & (np.rint(row(1.5)) == 2.0),
        }
    for symptom, held in identities.items():
        if not held.all():
            raise UnfaithfulArithmetic(symptom)


def two_sum(a: Floats, b: Floats) -> Pair:
    """s + e = a + b exactly, s = RN(a + b), for all finite a, b whose sum does not overflow. Knuth's TwoSum."""
    s = a + b
    shadow = s - a
    return s, (a - (s - shadow)) + (b - shadow)


def fast_two_sum(a: Floats, b: Floats) -> Pair:
    """s + e = a + b exactly, s = RN(a + b), where |a| >= |b| or a = 0. Dekker's Fast2Sum."""
    s = a + b
    return s, b - (s - a)


def split(a: Floats) -> Pair:
    """a = high + low exactly, each of at most 26 significant bits, for |a| < 2**995. Veltkamp's splitting."""
    c = _VELTKAMP * a
    high = c - (c - a)
    return high, a - high


def two_product(a: Floats, b: Floats) -> Pair:
    """p + e = ab exactly, p = RN(ab), where |a|, |b| < 2**995 and ab = 0 or 2**-968 <= |ab| < 2**1021. Dekker."""
    p = a * b
    a_high, a_low = split(a)
    b_high, b_low = split(b)
    return p, a_low * b_low - (((p - a_high * b_high) - a_low * b_high) - a_high * b_low)


def clear_low_bits(a: Floats, bits: int) -> Floats:
    """a with its last `bits` bits of significand cleared: |a - result| < 2**(bits - 52) |result|, the sign kept."""
    masked: Floats = (a.view(np.int64) & np.int64(-(1 << bits))).view(np.float64)
    return masked


def power_of_two(exponent: Integers) -> Floats:
    """2.0**exponent exactly, for -1022 <= exponent <= 1023."""
    power: Floats = ((exponent + np.int64(1023)) << np.int64(52)).view(np.float64)
    return power


def add(a: Pair, b: Pair) -> Pair:
    """a + b with relative error at most 3u²/(1 - 4u), cancellation included. Joldes et al., algorithm 6."""
    s, s_error = two_sum(a[0], b[0])
    t, t_error = two_sum(a[1], b[1])
    s, low = fast_two_sum(s, s_error + t)
    return fast_two_sum(s, t_error + low)


def multiply(a: Pair, b: Pair) -> Pair:
    """Product ab, relative error below 8.1u² away from underflow: docs/enclosures.md. Joldes et al., algorithm 10."""
    p, error = two_product(a[0], b[0])
    return fast_two_sum(p, error + (a[0] * b[1] + a[1] * b[0]))


def divide_by_float(a: Pair, b: Floats) -> Pair:
    """a/b with relative error at most 3u² away from underflow. Joldes et al., algorithm 15."""
    quotient = a[0] / b
    p, error = two_product(quotient, b)
    return fast_two_sum(quotient, (((a[0] - p) - error) + a[1]) / b)
