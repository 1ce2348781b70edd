"""oracle.formats against NumPy's and ml_dtypes' own casts, and against rounding by Fractions written apart."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle import FORMATS, Dyadic, Format, NotRepresentable, UnknownFormat, bfloat16, binary16, binary32, binary64
from oracle import get_format as get
from oracle.dyadic import truncate

DTYPES: dict[str, Any] = {
    "binary16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
    "binary32": np.float32,
    "binary64": np.float64,
}
SMALL = (binary16, bfloat16)
each_format = pytest.mark.parametrize("fmt", FORMATS, ids=str)
each_small = pytest.mark.parametrize("fmt", SMALL, ids=str)


def reference(fmt: Format, x: Fraction) -> float:
    """Round to nearest even by comparing with the two candidates on the format's grid; overflow at the threshold."""
    size = abs(x)
    if size >= Fraction(2) ** fmt.emax * (2 - Fraction(1, 2**fmt.precision)):
        return math.inf if x > 0 else -math.inf
    exponent = fmt.emin
    while Fraction(2) ** (exponent + 1) <= size:
        exponent += 1
    step = Fraction(2) ** (exponent - fmt.precision + 1)
    below = size // step
    above_is_nearer = (below + 1) * step - size < size - below * step
    tie = (below + 1) * step - size == size - below * step
    steps = below + (1 if above_is_nearer or (tie and below % 2) else 0)
    return math.copysign(float(steps * step), x)


def same(a: float, b: float) -> bool:
    return a == b and math.copysign(1, a) == math.copysign(1, b)


# -- fields ------------------------------------------------------------------------------------------------------------


@each_format
def test_fields_are_those_of_the_dtype(fmt: Format) -> None:
    info = ml_dtypes.finfo(DTYPES[fmt.name])
    assert fmt.precision == info.nmant + 1
    assert (fmt.emin, fmt.emax) == (info.minexp, info.maxexp - 1)
    assert fmt.width == info.bits
    assert fmt.largest == float(info.max)
    assert fmt.smallest_normal == float(info.smallest_normal)
    assert fmt.smallest_subnormal == float(info.smallest_subnormal)
    assert fmt.unit_roundoff == float(info.eps) / 2
    assert fmt.bits_dtype.itemsize * 8 == fmt.width


@each_format
def test_overflow_threshold_is_half_an_ulp_above_the_largest(fmt: Format) -> None:
    assert fmt.overflow_threshold == Fraction(fmt.largest) + Fraction(2) ** (fmt.emax - fmt.precision)


@pytest.mark.parametrize(
    ("name", "fmt"),
    [(name, binary16) for name in ("float16", "fp16", "half")]
    + [("bf16", bfloat16)]
    + [(name, binary32) for name in ("float32", "fp32", "single")]
    + [(name, binary64) for name in ("float64", "fp64", "double")],
)
def test_aliases(name: str, fmt: Format) -> None:
    assert get(name) is fmt


@each_format
def test_names_and_formats_name_themselves(fmt: Format) -> None:
    assert get(fmt.name) is get(fmt) is fmt
    assert str(fmt) == fmt.name


NARROW_ALIASES, WIDE_ALIASES = ["float16", "fp16", "half", "bf16"], ["float32", "fp32", "single", "float64", "fp64", "double"]
KNOWN = ["binary16", "bfloat16", "binary32", "binary64", *NARROW_ALIASES, *WIDE_ALIASES]


def test_unknown_format_says_what_is_known() -> None:
    with pytest.raises(UnknownFormat, match="^format = 'float8': one of " + ", ".join(KNOWN) + "$"):
        get("float8")


# -- bit patterns ------------------------------------------------------------------------------------------------------


@each_small
def test_decode_all_patterns_as_the_dtype_does(fmt: Format) -> None:
    bits = np.arange(2**16, dtype=np.uint16)
    with np.errstate(invalid="ignore"):
        want = bits.view(DTYPES[fmt.name]).astype(np.float64)
    got = fmt.decode(bits)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(want) & ~np.isnan(want) | np.signbit(got) & np.isnan(want))
    np.testing.assert_array_equal(got, fmt.all_values())


@each_small
def test_encode_undoes_decode_for_all_patterns(fmt: Format) -> None:
    bits = np.arange(2**16, dtype=np.uint16)
    values = fmt.decode(bits)
    numbers = ~np.isnan(values)
    np.testing.assert_array_equal(fmt.encode(values[numbers]), bits[numbers])
    assert np.unique(fmt.encode(values[~numbers])).size == 1
    assert np.isnan(fmt.decode(fmt.encode(math.nan)))


@pytest.mark.parametrize("fmt", [binary32, binary64], ids=str)
def test_wide_patterns_round_trip(fmt: Format) -> None:
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2**fmt.width, 20_000, dtype=np.uint64).astype(fmt.bits_dtype)
    values = fmt.decode(bits)
    numbers = ~np.isnan(values)
    np.testing.assert_array_equal(fmt.encode(values[numbers]), bits[numbers])


@each_format
def test_the_canonical_nan_is_quiet_and_positive(fmt: Format) -> None:
    quiet = ((1 << (fmt.width - fmt.precision)) - 1) << (fmt.precision - 1) | 1 << (fmt.precision - 2)
    assert int(fmt.encode(math.nan)) == int(fmt.encode(-math.nan)) == quiet


@each_format
def test_decode_keeps_shapes(fmt: Format) -> None:
    assert fmt.decode(0).shape == ()
    assert fmt.decode(np.zeros((2, 0, 3), dtype=np.uint16)).shape == (2, 0, 3)
    assert fmt.decode(np.zeros((4, 6), dtype=np.uint16)[::2, ::3]).shape == (2, 2)


@each_format
@pytest.mark.parametrize("bad", ["too wide", "negative", "a float"])
def test_decode_refuses_what_is_no_pattern(fmt: Format, bad: str) -> None:
    value = {"too wide": 1 << fmt.width, "negative": -1, "a float": 1.0}[bad]
    with pytest.raises(NotRepresentable, match=fmt.name):
        fmt.decode([0, value])


def test_decode_takes_a_list_of_64_bit_integers_exactly() -> None:
    assert binary64.decode([1, 2**63 + 1]).tolist() == [5e-324, -5e-324]


@pytest.mark.parametrize("fmt", [binary16, bfloat16, binary32], ids=str)
def test_encode_refuses_what_the_format_does_not_hold(fmt: Format) -> None:
    with pytest.raises(NotRepresentable, match=rf"0\.1 is not a number of {fmt.name}"):
        fmt.encode([0.5, 0.1, 0.2])
    with pytest.raises(NotRepresentable):
        fmt.encode(float(fmt.overflow_threshold))


@pytest.mark.parametrize("fmt", [binary32, binary64], ids=str)
def test_all_values_of_a_wide_format_are_refused(fmt: Format) -> None:
    with pytest.raises(MemoryError, match=fmt.name):
        fmt.all_values()


# -- rounding ----------------------------------------------------------------------------------------------------------


def halfway_cases(fmt: Format) -> list[float]:
    """Midpoints, and the float64 numbers on both sides of them: normal, subnormal, at binade edges, at overflow."""
    places = [0, 1, 2, 3, 7, 8, 2 ** (fmt.precision - 1) - 1, 2 ** (fmt.precision - 1), 2**fmt.precision - 1]
    places += [int(fmt.ordinals(math.inf)) - k for k in (1, 2, 3)] + [int(fmt.ordinals(1.0)) + k for k in (-1, 0, 1)]
    middles = [(Fraction(a) + Fraction(b)) / 2 for a, b in zip(*_pairs(fmt, places), strict=True)]
    values = [float(m) for m in middles]
    return [s * w for v in values for w in (v, math.nextafter(v, 0), math.nextafter(v, math.inf)) for s in (1, -1)]


def _pairs(fmt: Format, places: list[int]) -> tuple[list[float], list[float]]:
    above = fmt.from_ordinals(np.array(places) + 1)
    held = np.where(np.isinf(above), 2.0 * 2.0 ** min(fmt.emax, 1022), above)
    return fmt.from_ordinals(places).tolist(), held.tolist()


@pytest.mark.parametrize("fmt", [binary16, bfloat16, binary32], ids=str)
def test_round_at_midpoints_and_beside_them(fmt: Format) -> None:
    cases = halfway_cases(fmt)
    array = fmt.round_array(cases)
    for x, rounded in zip(cases, array.tolist(), strict=True):
        want = reference(fmt, Fraction(x))
        assert same(rounded, want), x
        assert same(fmt.round_exact(Fraction(x)), want), x


@each_small
def test_round_array_is_the_identity_on_all_values(fmt: Format) -> None:
    values = fmt.all_values()
    np.testing.assert_array_equal(fmt.round_array(values), values)
    np.testing.assert_array_equal(np.signbit(fmt.round_array(values)), np.signbit(values))


@pytest.mark.parametrize("fmt", [binary16, binary32], ids=str)
def test_round_array_agrees_with_numpys_cast(fmt: Format) -> None:
    rng = np.random.default_rng(2)
    values = rng.integers(0, 2**64, 200_000, dtype=np.uint64).view(np.float64)
    near = fmt.decode(rng.integers(0, 2**fmt.width, 200_000, dtype=np.uint64).astype(fmt.bits_dtype))
    near = near[np.isfinite(near)]
    values = np.concatenate([values, near * (1 + rng.integers(-2, 3, near.size) * 2.0 ** -(fmt.precision + 2))])
    values = values[~np.isnan(values)]
    with np.errstate(over="ignore", under="ignore"):
        want = values.astype(DTYPES[fmt.name]).astype(np.float64)
    np.testing.assert_array_equal(fmt.round_array(values), want)


def test_round_array_agrees_with_ml_dtypes_from_float32() -> None:
    """From float32 one cast rounds once; from float64 ml_dtypes rounds twice, as the next test shows."""
    rng = np.random.default_rng(3)
    values = rng.integers(0, 2**32, 300_000, dtype=np.uint64).astype(np.uint32).view(np.float32)
    values = values[~np.isnan(values)]
    want = values.astype(ml_dtypes.bfloat16).astype(np.float64)
    np.testing.assert_array_equal(bfloat16.round_array(values), want)


def test_the_double_rounding_trap() -> None:
    x = 1 + 2.0**-8 + 2.0**-40
    assert float(ml_dtypes.bfloat16(np.float32(x))) == 1.0  # twice: the tail is lost in float32, then a tie
    assert bfloat16.round_array(x) == bfloat16.round_exact(Fraction(x)) == 1 + 2.0**-7
    exact = 1 + Fraction(1, 2**11) + Fraction(1, 2**70)
    assert binary16.round_exact(exact) == 1 + 2.0**-10
    assert float(np.float16(float(exact))) == 1.0


def test_round_array_of_binary64_is_a_copy() -> None:
    values = np.array([0.1, -0.0, math.inf])
    assert np.array_equal(binary64.round_array(values), values)
    assert not np.shares_memory(binary64.round_array(values), values)


@each_format
def test_special_values_pass_through(fmt: Format) -> None:
    got = fmt.round_array([math.nan, math.inf, -math.inf, -0.0])
    assert np.isnan(got[0])
    assert got[1:].tolist() == [math.inf, -math.inf, 0.0]
    assert math.copysign(1, got[3]) == -1


@each_format
def test_the_exact_0_and_the_place_of_0_have_no_sign(fmt: Format) -> None:
    assert same(fmt.round_exact(0), 0.0)
    assert same(float(fmt.from_ordinals(0)), 0.0)


@each_format
def test_any_kind_of_number_is_taken_as_what_it_is(fmt: Format) -> None:
    assert fmt.encode([Fraction(1, 2), 1]).tolist() == fmt.encode([0.5, 1.0]).tolist()
    assert fmt.round_array([Fraction(1, 2), 1]).tolist() == [0.5, 1.0]
    assert fmt.from_ordinals(np.array([0, 1], dtype=np.uint8)).tolist() == [0.0, fmt.smallest_subnormal]


@each_format
def test_what_numpy_is_told_to_do_about_errors_makes_no_difference(fmt: Format) -> None:
    signalling = np.array([0x7FF0000000000001], dtype=np.uint64).view(np.float64)
    with np.errstate(all="raise"):
        small, large = [5e-324, 1e-310, 1e-300, 1e-45, 1e-8], [1e300, binary64.largest, math.inf]
        assert fmt.round_array(small).tolist() == [fmt.round_exact(Fraction(x)) for x in small]
        assert fmt.round_array(large).tolist() == ([math.inf] * 3 if fmt is not binary64 else large)
        assert fmt.encode(signalling) == fmt.encode(math.nan)
        assert np.isnan(fmt.round_array(signalling)).all()
        assert np.isnan(fmt.decode(fmt.encode(math.inf) + 1))
        if fmt is not binary64:
            with pytest.raises(NotRepresentable):
                fmt.encode([1e300])


@each_format
def test_overflow_begins_at_the_threshold(fmt: Format) -> None:
    threshold = fmt.overflow_threshold
    below = threshold - Fraction(1, 2**1100)
    for sign in (1, -1):
        assert fmt.round_exact(sign * threshold) == sign * math.inf
        assert fmt.round_exact(sign * below) == sign * fmt.largest
    assert fmt.round_exact(threshold, lean=-1) == fmt.largest
    assert fmt.round_exact(-threshold, lean=1) == -fmt.largest
    assert fmt.round_exact(Dyadic(1, 10**30)) == math.inf


@each_format
def test_underflow_is_gradual(fmt: Format) -> None:
    least = Fraction(fmt.smallest_subnormal)
    assert fmt.round_exact(least / 2) == 0.0
    assert fmt.round_exact(least / 2, lean=1) == fmt.smallest_subnormal
    assert fmt.round_exact(least / 2 + least / 2**80) == fmt.smallest_subnormal
    assert fmt.round_exact(least * 3 / 2) == 2 * fmt.smallest_subnormal
    assert fmt.round_exact(least * 3 / 2, lean=-1) == fmt.smallest_subnormal
    assert fmt.round_exact(least * 5 / 2) == 2 * fmt.smallest_subnormal
    tiny = fmt.round_exact(Dyadic(-1, -(10**30)))
    assert same(tiny, -0.0)
    assert same(fmt.round_exact(0, lean=-1), -0.0)
    assert same(fmt.round_exact(0, lean=1), 0.0)


@each_format
def test_lean_decides_midpoints_and_nothing_else(fmt: Format) -> None:
    ulp = Fraction(2) ** (1 - fmt.precision)
    for sign in (1, -1):
        for base, even in ((Fraction(1), 1), (1 + ulp, 1 + 2 * ulp)):
            middle = sign * (base + ulp / 2)
            outward, inward = float(sign * (base + ulp)), float(sign * base)
            assert fmt.round_exact(middle) == float(sign * even)
            assert fmt.round_exact(middle, lean=sign) == outward
            assert fmt.round_exact(middle, lean=-sign) == inward
            assert fmt.round_exact(sign * base, lean=-sign) == fmt.round_exact(sign * base, lean=sign) == inward


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(FORMATS), st.integers(-(2**80), 2**80), st.integers(1, 2**70), st.integers(-160, 160))
def test_round_exact_agrees_with_fractions(fmt: Format, numerator: int, denominator: int, power: int) -> None:
    x = Fraction(numerator, denominator) * Fraction(2) ** power
    got = fmt.round_exact(x)
    assert same(got, reference(fmt, x)) or got == reference(fmt, x) == 0
    assert got == 0 or math.copysign(1, got) == (1 if x > 0 else -1)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(FORMATS), st.integers(-(2**60), 2**60), st.integers(-1200, 1000))
def test_round_exact_of_a_dyadic_is_that_of_its_fraction(fmt: Format, mantissa: int, exponent: int) -> None:
    value = Dyadic(mantissa, exponent)
    assert same(fmt.round_exact(value), fmt.round_exact(value.fraction()))
    assert fmt is not binary64 or abs(value.fraction()) > 2**1023 or fmt.round_exact(value) == float(value.fraction())


# -- quantum -----------------------------------------------------------------------------------------------------------


@each_format
@pytest.mark.parametrize("k", [-3, 0, 5])
def test_quantum_around_a_power_of_two(fmt: Format, k: int) -> None:
    edge, ulp = Fraction(2) ** k, Fraction(2) ** (k - fmt.precision + 1)
    tiny = Fraction(1, 2**200)
    assert fmt.quantum(edge) == fmt.quantum(edge + tiny) == fmt.quantum(2 * edge - tiny) == ulp
    assert fmt.quantum(edge - tiny) == ulp / 2
    assert fmt.quantum(-edge) == ulp
    assert fmt.quantum(float(edge)) == ulp


@each_format
def test_quantum_is_held_at_both_ends_of_the_range(fmt: Format) -> None:
    least = Fraction(fmt.smallest_subnormal)
    for small in (
        Fraction(0),
        least,
        least / 1000,
        Fraction(fmt.smallest_normal),
        Fraction(fmt.smallest_normal) * 3 / 2,
    ):
        assert fmt.quantum(small) == least
    assert fmt.quantum(Fraction(fmt.smallest_normal) * 2) == 2 * least
    top = Fraction(2) ** (fmt.emax - fmt.precision + 1)
    assert fmt.quantum(Fraction(fmt.largest)) == fmt.quantum(Fraction(2) ** (fmt.emax + 40)) == top


# -- order -------------------------------------------------------------------------------------------------------------


@each_small
def test_ordinals_count_the_numbers_in_order(fmt: Format) -> None:
    values = fmt.all_values()
    values = np.unique(values[~np.isnan(values)])  # -0 and 0 are one
    places = fmt.ordinals(values)
    np.testing.assert_array_equal(np.diff(places), 1)
    np.testing.assert_array_equal(fmt.from_ordinals(places), values)
    assert fmt.ordinals([-0.0, 0.0]).tolist() == [0, 0]


@each_format
def test_neighbours_at_zero_at_binade_edges_and_at_infinity(fmt: Format) -> None:
    u = 2.0 ** (1 - fmt.precision)
    expected = {
        0.0: (-fmt.smallest_subnormal, fmt.smallest_subnormal),
        1.0: (1 - u / 2, 1 + u),
        -1.0: (-1 - u, -1 + u / 2),
        fmt.smallest_normal: (
            fmt.smallest_normal - fmt.smallest_subnormal,
            fmt.smallest_normal + fmt.smallest_subnormal,
        ),
        fmt.largest: (fmt.largest - 2.0 ** (fmt.emax - fmt.precision + 1), math.inf),
        math.inf: (fmt.largest, math.inf),
        -math.inf: (-math.inf, -fmt.largest),
    }
    below, above = fmt.neighbours(list(expected))
    assert list(zip(below.tolist(), above.tolist(), strict=True)) == list(expected.values())


def test_neighbours_of_binary64_are_nextafter() -> None:
    values = np.random.default_rng(4).normal(size=1000) * 1e-3
    below, above = binary64.neighbours(values)
    np.testing.assert_array_equal(below, np.nextafter(values, -np.inf))
    np.testing.assert_array_equal(above, np.nextafter(values, np.inf))


# -- dyadics -----------------------------------------------------------------------------------------------------------

dyadics = st.builds(Dyadic, st.integers(-(2**70), 2**70), st.integers(-200, 200))


@settings(deadline=None)
@given(dyadics, dyadics)
def test_compare_is_the_order_of_the_fractions(a: Dyadic, b: Dyadic) -> None:
    x, y = a.fraction(), b.fraction()
    assert a.compare(b) == (x > y) - (x < y)
    assert a.compare(Dyadic(a.mantissa * 8, a.exponent - 3)) == 0
    assert (-a).fraction() == -x
    assert a.scaled(7).fraction() == 128 * x


def test_compare_of_numbers_of_one_binade_and_different_exponents() -> None:
    """5, 5.125 and 5.25, as 5 * 2**0, 41 * 2**-3 and 21 * 2**-2."""
    rising = [Dyadic(5, 0), Dyadic(41, -3), Dyadic(21, -2), Dyadic(11, -1)]
    for i, a in enumerate(rising):
        for j, b in enumerate(rising):
            assert a.compare(b) == (-b).compare(-a) == (i > j) - (i < j)


@pytest.mark.parametrize("x", [Fraction(2**200 + 1), Fraction(2**200 + 1, 8), Fraction(-(2**200) - 1, 2**300), Fraction(0)])
def test_truncate_leaves_a_dyadic_as_it_is(x: Fraction) -> None:
    kept, inexact = truncate(x, 2)
    assert kept.fraction() == x
    assert not inexact


def test_compare_needs_no_huge_integers() -> None:
    assert Dyadic(3, 10**40).compare(Dyadic(5, -(10**40))) == 1
    assert Dyadic(-3, 10**40).compare(Dyadic(-5, -(10**40))) == -1


@settings(deadline=None)
@given(st.fractions(), st.integers(1, 200))
def test_truncate_keeps_enough_bits_and_says_what_it_dropped(x: Fraction, bits: int) -> None:
    kept, inexact = truncate(x, bits)
    error = abs(x) - abs(kept.fraction())
    assert error >= 0
    assert inexact == (error > 0)
    assert not inexact or (kept.mantissa.bit_length() >= bits and error * 2 ** (bits - 1) < abs(x))
