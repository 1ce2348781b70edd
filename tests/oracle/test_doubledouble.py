"""Error-free transformations against fractions; the tables against mpmath and Arb; the guard on the arithmetic."""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import platform
import threading
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
from flint import arb, ctx

from oracle import NotRepresentable, Real, bounds, enclosure, first_tier, judging
from oracle import doubledouble as dd
from oracle import tables as made
from oracle.formats import binary32, binary64

RNG = np.random.default_rng(20260101)
N = 3000


def spread(count: int, low: int = -60, high: int = 60) -> np.ndarray:
    return RNG.choice([-1.0, 1.0], count) * np.ldexp(1.0 + RNG.random(count), RNG.integers(low, high, count))


def near(values: np.ndarray) -> np.ndarray:
    """Values that cancel against the given ones to a few units of the last place."""
    return -values * (1.0 + RNG.integers(-4, 5, values.size) * 2.0**-52)


def pairs(count: int) -> dd.Pair:
    head = spread(count)
    return dd.fast_two_sum(head, head * RNG.uniform(-1, 1, count) * 2.0**-54)


def fraction(pair: dd.Pair, i: int) -> Fraction:
    return Fraction(float(pair[0][i])) + Fraction(float(pair[1][i]))


@pytest.mark.parametrize("scale", [(-60, 60), (-1074, -1000), (900, 1022)])
def test_two_sum_is_exact(scale: tuple[int, int]) -> None:
    a = spread(N, *scale)
    b = np.concatenate([spread(N // 2, *scale), near(a[N // 2 :])])
    s, e = dd.two_sum(a, b)
    for i in range(N):
        assert Fraction(float(a[i])) + Fraction(float(b[i])) == fraction((s, e), i)
    assert (s == a + b).all()


def test_fast_two_sum_is_exact_where_the_first_is_larger_or_zero() -> None:
    a, b = spread(N), spread(N)
    a, b = np.where(np.abs(a) >= np.abs(b), a, b), np.where(np.abs(a) >= np.abs(b), b, a)
    a[:10] = 0.0
    s, e = dd.fast_two_sum(a, b)
    assert all(Fraction(float(a[i])) + Fraction(float(b[i])) == fraction((s, e), i) for i in range(N))


def test_two_product_is_exact() -> None:
    a, b = spread(N, -480, 480), spread(N, -480, 480)
    a[:4], b[:4] = 2.0**52 + 1, [2.0**53 - 1, 2.0**52 + 1, 0.0, -1.0]
    p, e = dd.two_product(a, b)
    assert all(Fraction(float(a[i])) * Fraction(float(b[i])) == fraction((p, e), i) for i in range(N))


def test_split_gives_two_halves_of_26_bits() -> None:
    a = spread(N)
    high, low = dd.split(a)
    assert (high + low == a).all()
    for part in (high, low):
        mantissa = np.ldexp(np.frexp(part)[0], 26)
        assert (mantissa == np.rint(mantissa)).all()


def test_clear_low_bits_keeps_the_stated_bits() -> None:
    a = spread(N)
    short = dd.clear_low_bits(a, 27)
    mantissa = np.ldexp(np.frexp(short)[0], 26)
    assert (mantissa == np.rint(mantissa)).all()
    assert (np.abs(a - short) < 2.0**-25 * np.abs(short)).all()


def test_power_of_two_over_the_whole_normal_range() -> None:
    k = np.arange(-1022, 1024)
    assert (dd.power_of_two(k) == np.ldexp(1.0, k)).all()


@pytest.mark.parametrize(
    ("operation", "exact", "bound"),
    [
        (dd.add, lambda x, y: x + y, 3.001),
        (dd.multiply, lambda x, y: x * y, 8.1),
    ],
)
def test_double_double_errors_stay_below_the_bounds(operation, exact, bound) -> None:
    a, b = pairs(N), pairs(N)
    b = (np.where(np.arange(N) % 2, near(a[0]), b[0]), np.where(np.arange(N) % 2, -a[1], b[1]))
    b = dd.fast_two_sum(*b)
    got = operation(a, b)
    for i in range(N):
        truth = exact(fraction(a, i), fraction(b, i))
        assert abs(fraction(got, i) - truth) <= Fraction(bound) * abs(truth) / 2**106


def test_division_by_a_float_stays_below_its_bound() -> None:
    a, b = pairs(N), np.rint(np.abs(spread(N, 1, 50)))
    got = dd.divide_by_float(a, b)
    for i in range(N):
        truth = fraction(a, i) / Fraction(float(b[i]))
        assert abs(fraction(got, i) - truth) <= 3 * abs(truth) / 2**106


def test_tables_agree_with_mpmath_and_with_arb() -> None:
    table, mp = made.tables.__wrapped__(), mpmath.mp.clone()  # made anew, not kept from another test
    mp.prec = ctx.prec = 256
    steps = made.STEPS
    bound = Fraction(1, 2**79)
    for j in range(steps):
        x, y = float(table.power_head[j]), float(table.power_tail[j])
        assert abs(mp.mpf(x) + mp.mpf(y) - mp.mpf(2) ** (mp.mpf(j) / steps)) <= mp.mpf(1) / bound.denominator
        assert abs(arb(x) + y - arb(2) ** (arb(j) / steps)) <= arb((1, -79))
        assert abs(y) <= 2.0**-26
    for i, reciprocal in enumerate(table.reciprocal.tolist()):
        x, y = float(table.log_head[i]), float(table.log_tail[i])
        assert abs(mp.mpf(x) + mp.mpf(y) + mp.log(reciprocal)) <= abs(x) * mp.mpf(2) ** -106
        assert abs(arb(x) + y + arb(reciprocal).log()) <= abs(x) * arb((1, -106))
        assert abs(reciprocal - 1 / (1 + i / steps)) <= 2.0**-13 + 2.0**-50
    parts = table.log_step
    assert abs(sum(mp.mpf(part) for part in parts) - mp.log(2) / steps) <= mp.mpf(2) ** -121
    assert abs(sum((arb(part) for part in parts), arb(0)) - arb.const_log2() / steps) <= arb((1, -121))


def test_table_heads_are_short_enough_for_exact_products() -> None:
    table = made.tables()
    assert (table.power_head * 2.0**25 % 1 == 0).all()
    assert (table.reciprocal * 4096 % 1 == 0).all()
    for part in table.log_step[:2]:
        assert np.ldexp(np.frexp(part)[0], 28) % 1 == 0


@pytest.mark.parametrize(
    ("name", "broken", "symptom"),
    [
        ("rint", np.floor, "rint"),
        ("frexp", lambda x: (x, np.zeros(x.shape)), "frexp"),
        ("ldexp", lambda x, power: np.exp2(power) * x, "ldexp"),
        ("float32", np.float64, "binary32"),
        ("float16", np.float32, "binary16"),
        ("exp", lambda x: np.exp2(x * 1.4426950408), "exp, log, log1p or expm1"),
        ("log", lambda x: np.log2(x) * 0.69314718, "log, log1p or expm1"),
        ("log1p", lambda x: np.log(1 + x), "log, log1p or expm1"),
        ("expm1", lambda x: np.exp(x) - 1, "log, log1p or expm1"),
        ("full", lambda count, value: np.array([value] * count, dtype=np.longdouble), "x87"),
        ("full", lambda count, value: np.array([value if abs(value) >= 2.0**-1022 else 0.0] * count), "read as zero"),
    ],
)
def test_unfaithful_arithmetic_is_refused(monkeypatch, name, broken, symptom) -> None:
    monkeypatch.setattr(dd.np, name, broken)
    dd._assert_operations.cache_clear()
    with pytest.raises(dd.UnfaithfulArithmetic, match=symptom) as caught:
        dd.assert_ieee()
    assert symptom in caught.value.symptom
    monkeypatch.undo()
    dd._assert_operations.cache_clear()
    dd.assert_ieee()


FLUSHES = r": this thread flushes subnormal numbers to zero \(some library has set that mode\)$"


class FlushedResult(float):
    """A number of a thread that flushes subnormal results alone; an operand read as zero is 0.0 itself."""

    def __mul__(self, other: float) -> float:
        product = float(self) * other
        return product if abs(product) >= 2.0**-1022 else 0.0


@pytest.mark.parametrize(("name", "value"), [("_LEAST", 0.0), ("_TINY", FlushedResult(2.0**-1022))])
def test_flushing_of_operands_alone_and_of_results_alone_are_refused(name: str, value: float, monkeypatch) -> None:
    monkeypatch.setattr(dd, name, value)
    with pytest.raises(dd.UnfaithfulArithmetic, match=FLUSHES):
        dd.assert_ieee()


def test_a_thread_that_flushes_subnormals_later_is_refused_until_it_stops() -> None:
    """An implementation may set that mode after the first evaluation; certified answers would be wrong by 1e10 ulp."""
    z = np.array([720.0])
    before = enclosure.round(enclosure.softplus_minus(z), binary64)
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor has no such mode")
    try:
        with pytest.raises(dd.UnfaithfulArithmetic, match=FLUSHES):
            enclosure.softplus_minus(z)
    finally:
        torch.set_flush_denormal(False)
    assert enclosure.round(enclosure.softplus_minus(z), binary64) == before


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the constants of fesetround are those of x86")
@pytest.mark.parametrize("direction", [0x400, 0x800, 0xC00], ids=["down", "up", "towards zero"])
def test_another_direction_of_rounding_is_refused(direction: int) -> None:
    dd.assert_ieee()
    libm = ctypes.CDLL(ctypes.util.find_library("m"))
    assert libm.fesetround(direction) == 0
    try:
        with pytest.raises(
            dd.UnfaithfulArithmetic, match=r": this thread does not round to nearest \(some library has set that mode\)$"
        ):
            dd.assert_ieee()
    finally:
        libm.fesetround(0)


@pytest.mark.parametrize(
    ("steps", "exponent"), [(0, 5), (1, -1074), (3, -1074), (2**52, -1074), (2**53 - 1, 971), (2**60, 3), (5, -3)]
)
def test_a_number_is_assembled_from_its_bits(steps: int, exponent: int) -> None:
    assert Fraction(dd.assembled(steps, exponent)) == steps * Fraction(2) ** exponent


def test_each_thread_that_computes_a_certificate_is_looked_at() -> None:
    """A mode of one thread is refused there, by whatever decides something, and by nothing in another thread."""
    z, one = np.array([720.0]), np.array([1.0])
    accepted = bounds.loss(bounds.Pairs(one, one, one, one, 1.0, 0.0), binary32)
    decisions = {
        "round_array": lambda: binary32.round_array([0.1]),
        "encode": lambda: binary32.encode(0.1),
        "rho": lambda: accepted.rho(one),
        "round": lambda: enclosure.round(enclosure.exact(z), binary64),
        "first tier": lambda: first_tier.softplus_minus(z),
        "judging": lambda: judging.losses(z, z, binary32),
        "bounds": lambda: bounds.gradient(bounds.Pairs(one, one, one, one, 1.0, 0.1), binary32),
    }
    refused: dict[str, bool] = {}
    right: list[float] = []

    def flushed() -> None:
        refused["mode"] = bool(torch.set_flush_denormal(True))
        for name, decide in decisions.items():
            with contextlib.suppress(NotRepresentable):
                try:
                    decide()
                    refused[name] = False
                except dd.UnfaithfulArithmetic:
                    refused[name] = True
        right.append(Real.softplus(-Fraction(720)).round(binary64))  # integers alone: no mode matters

    thread = threading.Thread(target=flushed)
    thread.start()
    thread.join()
    if not refused.pop("mode"):
        pytest.skip("this processor has no such mode")
    assert refused == dict.fromkeys(decisions, True)
    assert right[0] == Real.softplus(-Fraction(720)).round(binary64) > 0
    assert accepted.rho(one) >= 0
