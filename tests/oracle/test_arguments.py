"""oracle.arguments: what is read, exactly; and every named error says which argument, what it was, what is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
from oracle import BadArgument, NotANumber, NotFinite, OracleError, OutOfRange, ShapeMismatch
from oracle.arguments import broadcast, read, read_beta, read_label_smoothing

DEFINITIONS: list[Callable[..., Any]] = [
    oracle.chosen_logratio,
    oracle.rejected_logratio,
    oracle.margin,
    oracle.logit,
    oracle.loss,
    oracle.gradient,
    oracle.second_derivative,
    oracle.metrics,
]
each_definition = pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda d: d.__name__)
LOGPS = ("policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps", "ref_rejected_logps")
GOOD: dict[str, Any] = dict.fromkeys(LOGPS, -1.0)


# -- what is read ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (3, Fraction(3)),
        (10**5000, Fraction(10**5000)),
        (0.1, Fraction(3602879701896397, 2**55)),
        (-0.0, Fraction(0)),
        (5e-324, Fraction(1, 2**1074)),
        (Fraction(1, 10), Fraction(1, 10)),
        (Decimal("0.1"), Fraction(1, 10)),
        (Decimal("1e-400"), Fraction(1, 10**400)),
        (np.int8(-3), Fraction(-3)),
        (np.uint64(2**64 - 1), Fraction(2**64 - 1)),
        (np.float16(0.1), Fraction(1638, 2**14)),
        (np.float32(0.1), Fraction(13421773, 2**27)),
        (ml_dtypes.bfloat16(0.1), Fraction(205, 2**11)),
        (ml_dtypes.float8_e4m3fn(0.5), Fraction(1, 2)),
        (np.longdouble(1) / 3, Fraction(*(np.longdouble(1) / 3).as_integer_ratio())),
        ("0.1", Fraction(1, 10)),
        (" -1.5e2 ", Fraction(-150)),
        ("+.5", Fraction(1, 2)),
        ("3.", Fraction(3)),
        ("1e-9999", Fraction(1, 10**9999)),
        ("1/3", Fraction(1, 3)),
        ("-2/4", Fraction(-1, 2)),
        ("0x1.8p-3", Fraction(3, 16)),
        ("-0X1.999999999999AP-4", Fraction(-0.1)),
        ("0x.8", Fraction(1, 2)),
        ("0xff", Fraction(255)),
        ("-0x.8p1", Fraction(-1)),
        ("+0x0.0cP+4", Fraction(3, 4)),
        ("9" * 5000, Fraction(10**5000 - 1)),
        (np.str_("0.25"), Fraction(1, 4)),
    ],
    ids=lambda v: repr(v)[:30] if not isinstance(v, int | Fraction) else "",
)
def test_finite_numbers_are_read_exactly(value: object, want: Fraction) -> None:
    got = read("x", value)
    assert isinstance(got, Fraction)
    assert got == want


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_and_its_hexadecimal_text_are_the_same_number(x: float) -> None:
    assert read("x", x) == read("x", x.hex()) == read("x", x.hex().upper()) == Fraction(x)


@settings(deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_and_its_text_are_the_same_number(x: Decimal) -> None:
    assert read("x", x) == Fraction(x)
    if abs(x.adjusted()) < 9000:
        assert read("x", str(x)) == Fraction(x)


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (math.nan, math.nan),
        (math.inf, math.inf),
        (np.float16(-math.inf), -math.inf),
        (ml_dtypes.bfloat16(math.nan), math.nan),
        (np.longdouble(math.inf), math.inf),
        (Decimal("-Infinity"), -math.inf),
        (Decimal("NaN"), math.nan),
        (Decimal("sNaN"), math.nan),
        ("nan", math.nan),
        ("Inf", math.inf),
        ("+inf", math.inf),
        (" -inf", -math.inf),
    ],
    ids=repr,
)
def test_special_values_are_read(value: object, want: float) -> None:
    got = read("x", value)
    assert isinstance(got, float)
    assert got == want or (math.isnan(got) and math.isnan(want))


# -- what is no real number --------------------------------------------------------------------------------------------

NOT_NUMBERS: list[object] = [
    True,
    np.bool_(False),
    1j,
    np.complex64(1),
    ml_dtypes.complex32(1),
    None,
    b"1",
    np.bytes_(b"1"),
    np.timedelta64(5, "s"),
    np.datetime64("2023-05-29"),
    object,
    "",
    "abc",
    "1_000",
    "1e",
    "1e99999",
    "0x",
    "0xg",
    "1/0",
    "1/",
    "--1",
    "0.1 0.2",
    "\u0661",  # a digit, but not an ASCII one
]


@pytest.mark.parametrize("bad", NOT_NUMBERS, ids=repr)
@pytest.mark.parametrize("argument", [*LOGPS, "beta", "label_smoothing"])
def test_what_is_no_number_is_named(argument: str, bad: object) -> None:
    with pytest.raises(NotANumber) as caught:
        oracle.loss(**(GOOD | {argument: bad}))
    error = caught.value
    assert str(error).startswith(f"{argument} = {bad!r}: a real number")
    assert "Fraction" in error.allowed
    assert "hexadecimal" in error.allowed
    assert error.allowed.endswith("float (exponents of up to four digits)" if isinstance(bad, str) else "float")
    assert error.argument == argument
    assert error.value is bad or error.value == bad
    assert isinstance(error, BadArgument)
    assert isinstance(error, OracleError)
    assert isinstance(error, ValueError)


def test_text_with_a_large_exponent_is_told_the_limit() -> None:
    with pytest.raises(NotANumber, match="exponents of up to four digits"):
        oracle.loss("1e10000", 0, 0, 0)


@each_definition
def test_every_definition_checks_its_arguments(definition: Callable[..., Any]) -> None:
    with pytest.raises(NotANumber, match=r"^ref_chosen_logps = 'x'"):
        definition(**(GOOD | {"ref_chosen_logps": ["1", "x"]}))
    with pytest.raises(NotFinite, match=r"^beta = nan: a finite number$"):
        definition(**GOOD, beta=math.nan)
    with pytest.raises(OutOfRange, match=r"^label_smoothing = 2: a number in \[0, 1\]$"):
        definition(**GOOD, label_smoothing=2)
    with pytest.raises(ShapeMismatch):
        definition(**(GOOD | {"policy_chosen_logps": [1, 2]}), beta=[1, 2, 3])


# -- beta and label_smoothing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, "inf", "nan", Decimal("Infinity"), np.float32(math.nan)])
@pytest.mark.parametrize(("argument", "allowed"), [("beta", "a finite number"), ("label_smoothing", "a number in [0, 1]")])
def test_parameters_must_be_finite(argument: str, allowed: str, bad: object) -> None:
    with pytest.raises(NotFinite, match="^" + re.escape(f"{argument} = {bad!r}: {allowed}") + "$"):
        oracle.loss(**GOOD, **{argument: bad})


@pytest.mark.parametrize("bad", [-1e-300, math.nextafter(1, 2), 2, -1, "1.0000000000000000001", Fraction(-1, 10**50)])
def test_label_smoothing_is_in_the_unit_interval(bad: object) -> None:
    with pytest.raises(OutOfRange, match=re.escape(f"label_smoothing = {bad!r}: a number in [0, 1]")):
        oracle.loss(**GOOD, label_smoothing=bad)


@pytest.mark.parametrize("good", [0, 1, -0.0, "0", 5e-324, math.nextafter(1, 0)])
def test_the_ends_of_the_unit_interval_are_allowed(good: object) -> None:
    assert read_label_smoothing(good) == read("label_smoothing", good)


@pytest.mark.parametrize("good", [0, -3, 1e308, "1e9999", Fraction(-1, 7)])
def test_any_finite_beta_is_allowed(good: object) -> None:
    assert read_beta(good) == read("beta", good)


def test_a_bad_element_of_an_array_is_shown() -> None:
    with pytest.raises(OutOfRange, match=r"label_smoothing = (np\.float64\()?1\.5\)?: a number in"):
        oracle.loss(np.zeros(3), 0, 0, 0, label_smoothing=np.array([0.0, 1.5, 2.5]))


def test_a_value_too_long_to_print_is_cut() -> None:
    with pytest.raises(NotANumber) as caught:
        oracle.loss("x" * 1000, 0, 0, 0)
    assert str(caught.value).startswith("policy_chosen_logps = '" + "x" * 116 + "...: a real number")
    for letters, shown in ((118, "x" * 118 + "': "), (119, "x" * 116 + "...: ")):
        with pytest.raises(NotANumber, match=f"^beta = '{shown}"):
            oracle.loss(0, 0, 0, 0, beta="x" * letters)
    with pytest.raises(OutOfRange, match="label_smoothing = <int too long to print>"):
        oracle.loss(0, 0, 0, 0, label_smoothing=10**5000)


# -- shapes ------------------------------------------------------------------------------------------------------------


def test_shapes_that_do_not_broadcast_are_all_named() -> None:
    with pytest.raises(ShapeMismatch) as caught:
        oracle.loss([1, 2], [1, 2, 3], 0, [[1], [2]], beta=[0.1], label_smoothing=0)
    assert str(caught.value) == (
        "the arguments do not broadcast to one shape: policy_chosen_logps (2,), policy_rejected_logps (3,), "
        "ref_chosen_logps (), ref_rejected_logps (2, 1), beta (1,), label_smoothing ()"
    )
    assert isinstance(caught.value, OracleError)


@pytest.mark.parametrize(
    ("ragged", "said"),
    [
        ([[1, 2], [3]], r"\[1, 2\]: a real number"),
        ([np.zeros((2, 3)), np.zeros((2, 4))], r"\[array\((.|\n)*: an array whose rows have equal lengths, of a real number: "),
    ],
    ids=["lists", "arrays"],
)
def test_ragged_rows_are_refused(ragged: object, said: str) -> None:
    with pytest.raises(NotANumber, match="^ref_chosen_logps = " + said):
        oracle.loss(0, 0, ragged, 0)


@pytest.mark.parametrize("kind", ["datetime64[ns]", "timedelta64[ns]", "complex128", "bool", "S1", "U1"])
def test_an_array_of_what_is_no_number_is_refused(kind: str) -> None:
    """As an array of objects the nanoseconds would be integers."""
    with pytest.raises(NotANumber, match=r"^beta = "):
        oracle.loss(0, 0, 0, 0, beta=np.array([0]).astype(kind) if kind != "U1" else np.array(["x"]))


def test_broadcast_gives_fractions_in_one_shape() -> None:
    a, b, c = broadcast(x=[[0.5], ["0.1"]], y=np.zeros(3, dtype=np.float16), z=Fraction(1, 3))
    assert a.shape == b.shape == c.shape == (2, 3)
    assert a[1, 2] == Fraction(1, 10)
    assert all(isinstance(item, Fraction) for item in (*a.flat, *b.flat, *c.flat))
    assert broadcast(x=1)[0].shape == ()
