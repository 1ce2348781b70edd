"""Error-free transformations and double-double arithmetic over float64 arrays, with +, −, ×, ÷ alone.

A double-double is a pair (head, tail) with head = RN(head + tail): about 106 significant bits. u = 2**-53 throughout.
Every theorem quoted here needs IEEE 754 binary64, round to nearest even, no contraction and gradual underflow:
`assert_ieee` detects where that does not hold. The proofs of use are in docs/enclosures.md.

Sources: Dekker, Numer. Math. 18 (1971); Knuth, TAOCP 2, 4.2.2; Joldes, Muller, Popescu, ACM TOMS 44(2), 15 (2017).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]
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
    """Raises UnfaithfulArithmetic where float64 +, −, ×, ÷, rint or a conversion differ from IEEE 754.

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
    with np.errstate(over="ignore", under="ignore"):
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
            **_conversions(row),
            **_logarithms(row),
        }
    for symptom, held in identities.items():
        if not held.all():
            raise UnfaithfulArithmetic(symptom)


def _conversions(row: Callable[[float], Floats]) -> dict[str, Mask]:
    """What takes numbers apart and carries them over: exact wherever its result can be, and to nearest even else."""
    (half, power), (least, lowest) = np.frexp(row(1.0)), np.frexp(row(3 * 2.0**-1074))
    single, narrow, subnormal, powers = np.float32, np.float16, 2.0**-149, np.arange(-1022, 1024, 31)
    return {
        "frexp is not exact": (half == 0.5) & (power == 1) & (least == 0.75) & (lowest == -1072),
        "ldexp is not exact": (np.ldexp(row(0.75), 1024) == 1.5 * 2.0**1023)
        & (np.ldexp(row(0.75), -1072) == 3 * 2.0**-1074)
        & (np.ldexp(row(0.625), -1072) == 2 * 2.0**-1074)
        & np.isinf(np.ldexp(row(0.5), 1025)),
        "powers of two are not exact": np.array([2.0 ** int(k) for k in powers]) == power_of_two(powers),
        "casts to binary32 are not to nearest even": (row(1.0 + 2.0**-24).astype(single) == 1.0)
        & (row(1.0 + 3 * 2.0**-24).astype(single) == 1.0 + 2.0**-22)
        & (row(1.5 * subnormal).astype(single).astype(np.float64) == 2 * subnormal)
        & (row(0.5 * subnormal).astype(single) == 0.0),
        "casts to binary16 are not to nearest even": (row(1.0 + 2.0**-11).astype(narrow) == 1.0)
        & (row(1.0 + 3 * 2.0**-11).astype(narrow) == 1.0 + 2.0**-9)
        & (row(1.5 * 2.0**-24).astype(narrow).astype(np.float64) == 2.0**-23),
        "integers are not converted exactly": (row(2.0**53 - 1).astype(np.int64) == 2**53 - 1)
        & ((np.arange(67) - 2**53).astype(np.float64) + 2.0**53 == np.arange(67.0)),
    }


def _logarithms(row: Callable[[float], Floats]) -> dict[str, Mask]:
    """exp, log, log1p, expm1 make no ball; bounds take them so far: docs/bounds.md, "Float64 in a bound"."""
    known = (
        (np.exp, -20.0, "0x1.1b48655f37267p-29"),
        (np.exp, 0.5, "0x1.a61298e1e069cp+0"),
        (np.exp, 300.0, "0x1.c05c0a7166b4ap+432"),
        (np.log, 1e-9, "-0x1.4b927f32bffb8p+4"),
        (np.log, 3.0, "0x1.193ea7aad030bp+0"),
        (np.log, 1e9, "0x1.4b927f32bffb8p+4"),
        (np.log1p, 2.0**-53, "0x1.0000000000000p-53"),
        (np.log1p, 2.0**-8, "0x1.ff00aa2b10bc0p-9"),
        (np.expm1, 2.0**-30, "0x1.0000000200000p-30"),
        (np.expm1, 1.0, "0x1.b7e151628aed3p+0"),
        (np.expm1, 40.0, "0x1.a220d397972ebp+57"),
    )
    allowed: dict[np.ufunc, float] = {np.log: 2.0**-49}
    near = [np.abs(f(row(x)) / float.fromhex(y) - 1) <= allowed.get(f, 2.0**-41) for f, x, y in known]
    return {"exp, log, log1p or expm1 is off by more than a relative 2**-41, or 2**-49 for log": np.logical_and.reduce(near)}


def assembled(steps: int, exponent: int) -> float:
    """steps * 2**exponent, put together from bits: no arithmetic, so that no mode of the thread matters.

    steps >= 0, and the product is a binary64 number.
    """
    if steps == 0:
        return 0.0
    length = steps.bit_length()
    top = exponent + length - 1
    if top < -1022:
        bits = steps << exponent + 1074
    else:
        significand = steps << 53 - length if length <= 53 else steps >> length - 53
        bits = (top + 1023 << 52) | (significand & (1 << 52) - 1)
    number: float = struct.unpack("<d", bits.to_bytes(8, "little"))[0]
    return number


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
