"""oracle.real: traps, decimal digits, enclosures, canonical form, special values."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mpmath import mp

import oracle
from oracle import BadArgument, Dyadic, Format, Interval, MixedKinds, Real, bfloat16, binary16, binary32, binary64
from oracle.atoms import Kind, enclose, exponent_bounds
from oracle.decimal import _without_exponent as without_exponent
from oracle.real import _top as top
from oracle.real import total

Half = Fraction(1, 2)
rationals = st.fractions(min_value=-60, max_value=60, max_denominator=10**6)
nonzero = rationals.filter(bool)
BUILDERS: dict[str, Callable[[Fraction], Real]] = {
    "softplus": Real.softplus,
    "sigmoid": Real.sigmoid,
    "slope": Real.sigmoid_slope,
}
each_builder = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)


def reference(name: str, x: Fraction, digits: int = 60) -> mp.mpf:
    """The textbook formula in mpmath with digits to spare."""
    with mp.workdps(digits + 2 * int(abs(x)) + 20):
        e = mp.exp(mp.mpf(x.numerator) / x.denominator)
        return {"softplus": lambda: mp.log(1 + e), "sigmoid": lambda: e / (1 + e), "slope": lambda: e / (1 + e) ** 2}[name]()


def at_once(thunk: Callable[[], object]) -> object:
    """The result, which must come within two seconds; a loop that does not end is interrupted where the system can."""

    def too_long(*_: object) -> None:
        raise TimeoutError("not at once")

    start = time.perf_counter()
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, too_long)
        signal.setitimer(signal.ITIMER_REAL, 2)
    try:
        result = thunk()
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
    assert time.perf_counter() - start < 2
    return result


# -- the traps ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("t", "fmt", "want"),
    [
        (257, "bfloat16", 258),
        (259, "bfloat16", 260),
        (4098, "binary16", 4100),
        (16777217, "binary32", 16777218),
        (2**53 + 1, "binary64", 2**53 + 2),
        (2**127 + 2**119, "bfloat16", 2**127 + 2**120),
    ],
)
def test_softplus_just_above_a_midpoint(t: int, fmt: str, want: float) -> None:
    assert at_once(lambda: Real.softplus(Fraction(t)).round(fmt)) == want
    assert at_once(lambda: (-Real.softplus(Fraction(t))).round(fmt)) == -want
    assert at_once(lambda: oracle.loss(-t, 0, 0, 0, beta=1).round(fmt)) == want


def test_one_minus_a_negligible_tail_is_below_a_midpoint() -> None:
    middle = 1 + Fraction(1, 2**8)  # between 1 and 1 + 2**-7 in bfloat16
    assert at_once(lambda: (Real.sigmoid(Fraction(400)) + middle - 1).round("bfloat16")) == 1.0
    assert at_once(lambda: (middle + Real.sigmoid(Fraction(-400))).round("bfloat16")) == 1 + 2.0**-7


@pytest.mark.parametrize("part", [Fraction(1, 3), Fraction(1), Fraction(7, 2)])
def test_a_part_of_a_negligible_tail_decides_a_midpoint(part: Fraction) -> None:
    tail, middle = Real.softplus(Fraction(-(10**12))) * part, 1 + Fraction(1, 2**8)
    rounded = [at_once(lambda x=x: x.round("bfloat16")) for x in (middle + tail, middle - tail, tail - middle, -middle - tail)]
    assert rounded == [1 + 2.0**-7, 1.0, -1.0, -1 - 2.0**-7]


@pytest.mark.parametrize(
    "value", [Fraction(1), Fraction(3, 7), Fraction(-1, 10**300), Fraction(10**300, 7), Fraction(2**53 + 1, 2**60)]
)
def test_the_top_of_a_rational_is_its_binade_or_the_next(value: Fraction) -> None:
    assert Fraction(2) ** (top(value) - 1) < abs(value) < Fraction(2) ** (top(value) + 1)


def test_overflow_is_decided_by_the_tail() -> None:
    for fmt in (binary16, bfloat16, binary32, binary64):
        t = fmt.overflow_threshold
        assert at_once(lambda t=t, fmt=fmt: Real.softplus(t).round(fmt)) == math.inf
        assert at_once(lambda t=t, fmt=fmt: (Real.softplus(t) - 1).round(fmt)) == fmt.largest


@pytest.mark.parametrize("smoothing", [0, "0.1", 0.1, 0.5, 1])
@pytest.mark.parametrize("z", [1e300, -1e300])
def test_huge_logits_at_once(z: float, smoothing: float | str) -> None:
    loss = oracle.loss(z, 0, 0, 0, beta=1, label_smoothing=smoothing)
    eps = Fraction(smoothing)
    want = eps * Fraction(z) if z > 0 else (1 - eps) * Fraction(-z)
    assert isinstance(loss, Real)
    assert at_once(lambda: loss.round("binary64")) == float(want)
    assert at_once(lambda: loss.round("binary32")) == (math.inf if want else 0.0)
    assert at_once(lambda: loss.sign) == 1
    slope = oracle.gradient(z, 0, 0, 0, beta=1, label_smoothing=smoothing).policy_chosen
    assert at_once(lambda: slope.round("binary64")) == float(eps if z > 0 else eps - 1)


def test_log1p_of_a_tiny_exponential_is_not_zero() -> None:
    assert Real.softplus(Fraction(-200)).digits(20) == mp.nstr(reference("softplus", Fraction(-200)), 20)
    assert Real.softplus(Fraction(-200)).round("binary64") == math.exp(-200)


# -- values ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUILDERS)
@settings(max_examples=60, deadline=None)
@given(x=rationals)
@example(x=Fraction(0))
@example(x=Fraction(1, 10**40))
def test_values_against_the_textbook_formula(name: str, x: Fraction) -> None:
    real = BUILDERS[name](x)
    with mp.workdps(60):
        got, want = mp.mpf(real.digits(45)), reference(name, x)
        assert abs(got - want) <= abs(want) * mp.mpf(10) ** -44


def test_values_at_zero() -> None:
    assert Real.softplus(Fraction(0)).digits(40) == mp.nstr(reference("softplus", Fraction(0)), 40)
    assert Real.softplus(Fraction(0)).exact is None
    assert Real.sigmoid(Fraction(0)).exact == Half
    assert Real.sigmoid_slope(Fraction(0)).exact == Fraction(1, 4)


@settings(deadline=None)
@given(rationals)
def test_sigmoid_of_both_signs_is_exactly_one(x: Fraction) -> None:
    assert (Real.sigmoid(x) + Real.sigmoid(-x)) == Real.rational(1)


@settings(deadline=None)
@given(rationals)
def test_softplus_of_both_signs_differs_by_exactly_x(x: Fraction) -> None:
    assert (Real.softplus(x) - Real.softplus(-x)) == Real.rational(x)
    assert (Real.softplus(x) - Real.softplus(-x)).exact == x


@settings(deadline=None)
@given(rationals)
def test_the_slope_is_even(x: Fraction) -> None:
    assert Real.sigmoid_slope(x) == Real.sigmoid_slope(-x)


@pytest.mark.no_cover
@settings(deadline=None)
@given(st.lists(st.tuples(nonzero, rationals), max_size=6), st.randoms())
def test_sums_do_not_depend_on_the_order(parts: list[tuple[Fraction, Fraction]], random: object) -> None:
    numbers = [Real.softplus(x) * c for c, x in parts]
    shuffled = numbers[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert total(numbers) == total(shuffled)
    assert (total(numbers) - total(shuffled)).exact == 0


@each_builder
def test_arithmetic_with_rationals(build: Callable[[Fraction], Real]) -> None:
    x = build(Fraction(1, 3))
    assert x + x == 2 * x == x * 2
    assert x / 2 + x / 2 == x
    assert 1 - x == -(x - 1)
    assert Half + x == x + Half
    assert x + build(Half) == build(Half) + x
    assert (x * 0).exact == 0
    assert x * 0.5 == x / 2  # a float factor is the rational that it holds
    assert x / 3 != x * 0.3333333333333333


def test_losses_and_derivatives_do_not_mix() -> None:
    loss, slope, curve = Real.softplus(Half), Real.sigmoid(Half), Real.sigmoid_slope(Half)
    for derivative in (slope, curve):
        with pytest.raises(MixedKinds, match=r"^a loss and a derivative cannot be added: sum losses apart from gradients$"):
            loss + derivative
    assert (slope + curve).digits(10)
    assert (loss + Real.sigmoid(Fraction(0))).digits(10)  # the rational 1/2 mixes with everything


@each_builder
def test_exact_only_where_rational(build: Callable[[Fraction], Real]) -> None:
    assert build(Half).exact is None
    assert Real.rational(Fraction(3, 7)).exact == Fraction(3, 7)
    assert Real.nonfinite(math.inf).exact is None


def test_cancellation_is_resolved() -> None:
    """softplus(-100) - (softplus(-100) rounded to binary64): what is left is 2**-53 of it, and still relative."""
    x = Real.softplus(Fraction(-100))
    rest = x - Fraction(x.round("binary64"))
    with mp.workdps(120):
        want = reference("softplus", Fraction(-100)) - mp.mpf(x.round("binary64"))
        assert rest.digits(20) == mp.nstr(want, 20)
        assert rest.sign == mp.sign(want)
    assert (-rest).sign == -rest.sign
    interval = rest.enclose(200)
    width = interval.high.fraction() - interval.low.fraction()
    assert 0 < width * 2**200 <= min(abs(interval.low.fraction()), abs(interval.high.fraction()))


# -- enclosures --------------------------------------------------------------------------------------------------------


@pytest.mark.no_cover
@pytest.mark.parametrize("name", BUILDERS)
@settings(max_examples=60, deadline=None)
@given(x=nonzero, scale=nonzero, shift=rationals, precision=st.integers(1, 400))
@example(x=Fraction(154, 3), scale=Fraction(15), shift=Fraction(1), precision=1)
@example(x=Fraction(-100), scale=Fraction(1), shift=Fraction(0), precision=150)  # log(1 + y) is not yet y
def test_enclosures_are_narrow_and_hold_the_truth_strictly(
    name: str, x: Fraction, scale: Fraction, shift: Fraction, precision: int
) -> None:
    interval = (BUILDERS[name](x) * scale + shift).enclose(precision)
    low, high = interval.low.fraction(), interval.high.fraction()
    assert (high - low) * 2**precision <= min(abs(low), abs(high))
    with mp.workdps(400):
        truth = reference(name, x, 400) * scale.numerator / scale.denominator + mp.mpf(shift.numerator) / shift.denominator
        slack = mp.mpf(10) ** -300
        assert mp.mpf(low.numerator) / low.denominator + slack < truth < mp.mpf(high.numerator) / high.denominator - slack


@pytest.mark.parametrize("precision", [1, 10, 40])
@pytest.mark.parametrize("base", [Real.rational(1), Real.sigmoid(Fraction(-3)), Real.sigmoid(Fraction(-3)) + Fraction(1, 7)])
def test_an_addend_of_about_one_unit_of_the_grid_is_not_left_out(base: Real, precision: int) -> None:
    """Of 1 + 2**-50, say, in 48 bits: what is not evaluated is below one unit."""
    for t in range(1, 120):
        tail, first = Real.sigmoid(Fraction(-t, 2)), base.enclose(300)
        with mp.workdps(100):
            y = 1 / (1 + mp.exp(mp.mpf(t) / 2))
            size = Fraction(int(mp.floor(mp.ldexp(y, 400))), 2**400)
        for sign in (1, -1):
            if base == tail and sign == -1:
                continue
            interval = (base + sign * tail).enclose(precision)
            truth = first.low.fraction() + sign * size
            assert interval.low.fraction() < truth < interval.high.fraction()
            assert interval.high.fraction() - interval.low.fraction() <= abs(truth) / 2**precision


@pytest.mark.parametrize("factor", [1, -1, Fraction(-5, 3)])
def test_a_narrower_interval_lies_within_a_wider_one(factor: Fraction) -> None:
    """An end on the wrong side of the number would show where the number is within 2**-8 of a unit of the grid."""
    for k in range(1, 1500):
        x = Real.sigmoid(Fraction(-k, 97)) * factor
        wide, narrow = x.enclose(2), x.enclose(60)
        assert wide.low.compare(narrow.low) <= 0 <= wide.high.compare(narrow.high)


@pytest.mark.parametrize("value", [Fraction(0), Fraction(3, 8), Fraction(-(2**100) - 1), Fraction(1, 2**200)])
def test_a_dyadic_is_enclosed_by_itself(value: Fraction) -> None:
    interval = Real.rational(value).enclose(4)
    assert interval.low.fraction() == interval.high.fraction() == value


def test_a_rational_that_is_not_dyadic_is_enclosed_strictly() -> None:
    interval = Real.rational(Fraction(1, 3)).enclose(50)
    assert interval.low.fraction() < Fraction(1, 3) < interval.high.fraction()
    assert interval.high.fraction() - interval.low.fraction() <= Fraction(1, 3 * 2**50)


def test_enclose_of_a_huge_argument_needs_no_huge_integers() -> None:
    interval = at_once(lambda: Real.softplus(-(Fraction(10) ** 300)).enclose(64))
    assert isinstance(interval, Interval)
    assert interval.low.compare(interval.high) == -1
    assert interval.low.sign == 1
    assert abs(interval.low.top + 1.4426950408889634 * 1e300) < 1e285


def test_tails_of_nearly_the_same_huge_argument_need_no_huge_integers() -> None:
    """Neither is so small beside the other that it is left out unseen, and the lesser is 2**(6 * 10**11) times as small."""
    t = Fraction(10**15)
    x = Real.softplus(-t) + Real.softplus(-t * Fraction(10004, 10000))
    interval = at_once(lambda: x.enclose(8))
    assert isinstance(interval, Interval)
    assert interval.low.sign == 1
    assert interval.low.top == Real.softplus(-t).enclose(8).low.top


@pytest.mark.parametrize("precision", [0, -5])
def test_enclose_refuses_less_than_one_bit(precision: int) -> None:
    with pytest.raises(BadArgument, match=f"precision = {precision}: a number of bits"):
        Real.softplus(Half).enclose(precision)


@pytest.mark.parametrize("kind", Kind)
@settings(max_examples=80, deadline=None)
@given(t=st.fractions(min_value=0, max_value=900, max_denominator=10**9))
@example(t=Fraction(0))
@example(t=Fraction(1, 10**30))
@example(t=Fraction(10**12))
def test_exponent_bounds_hold(kind: Kind, t: Fraction) -> None:
    low, high = enclose(kind, t, 64)
    floor, ceiling = exponent_bounds(t)
    assert Dyadic(1, floor).compare(low) < 0
    assert high.compare(Dyadic(1, ceiling)) < 0 or (high.top == ceiling and ceiling <= 0)
    assert low.compare(high) < 0


@pytest.mark.parametrize("t", [Fraction(0), Half, Fraction(1), Fraction(1000), Fraction(10**12 + 1, 7), Fraction(10**400)])
def test_exponent_bounds_are_integers_and_a_thousandth_apart(t: Fraction) -> None:
    floor, ceiling = exponent_bounds(t)
    assert isinstance(floor, int) and isinstance(ceiling, int)
    assert 0 < ceiling - floor < t / 1000 + 5
    with mp.workdps(450):
        power = -mp.mpf(t.numerator) / t.denominator / mp.log(2)
        assert floor <= power - 2 and power <= ceiling


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("precision", [1, 64, 150])
@pytest.mark.parametrize("t", [Fraction(0), Fraction(1, 10**30), Fraction(2, 3), Fraction(1000, 7), Fraction(10**9, 3)])
def test_the_slack_around_an_atom_is_a_quarter_and_far_more_than_mpmath_errs_by(
    kind: Kind, precision: int, t: Fraction
) -> None:
    """Which of its digits mpmath gets wrong does not matter: they are 36 bits below the slack, and are looked at here."""
    low, high = enclose(kind, t, precision)
    near, _ = enclose(kind, t, precision + 200)
    scale = near.exponent
    a, b, truth = (x.scaled(-scale).fraction() for x in (low, high, near))
    assert abs((a + b) / 2 - truth) * 2 ** (precision + 36) < truth
    assert Fraction(1, 2) <= (b - a) / truth * 2**precision < Fraction(1, 2) + Fraction(1, 31)


# -- digits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "n", "want"),
    [
        ("0.125", 2, "0.12"),
        ("0.375", 2, "0.38"),
        ("-0.125", 2, "-0.12"),
        ("2.5", 1, "2"),
        ("3.5", 1, "4"),
        ("9.995", 3, "10.0"),
        ("9.985", 3, "9.98"),
        ("0.9996", 3, "1.00"),
        ("99999", 2, "1" + "0" * 5),
        ("1/3", 5, "0.33333"),
        ("2/3", 5, "0.66667"),
        ("0", 7, "0"),
        ("1e-5", 3, "0.0000100"),
        ("1.25e-6", 3, "1.25e-6"),
        ("1e21", 3, "1.00e+21"),
        ("1e300", 1, "1e+300"),
        ("123456", 8, "123456.00"),
    ],
)
def test_digits_of_rationals(value: str, n: int, want: str) -> None:
    assert Real.rational(Fraction(value)).digits(n) == want


@settings(max_examples=200, deadline=None)
@given(st.fractions(max_denominator=10**9).filter(bool), st.integers(1, 40), st.integers(-300, 300))
def test_digits_of_rationals_against_decimal(x: Fraction, n: int, power: int) -> None:
    x *= Fraction(10) ** power
    want = Context(prec=n, rounding=ROUND_HALF_EVEN, Emin=-10000, Emax=10000).divide(
        Decimal(x.numerator), Decimal(x.denominator)
    )
    assert Decimal(Real.rational(x).digits(n)) == want


def test_a_carry_reaches_the_next_power_of_ten() -> None:
    """softplus(t) a little below 10: 9.9999..., which three digits carry to 10.0."""
    t = Fraction(10) - Fraction(1, 10**4)
    assert Real.softplus(t).digits(3) == "10.0"
    assert Real.softplus(t).digits(8) == mp.nstr(reference("softplus", t), 8)


def test_digits_beside_a_decimal_midpoint() -> None:
    """softplus(t) is above t: with t = 1000.5 four digits round up, and 1 - tail rounds down."""
    assert at_once(lambda: Real.softplus(Fraction(2001, 2)).digits(4)) == "1001"
    assert at_once(lambda: (Real.sigmoid(Fraction(2000)) + Fraction(1999, 2)).digits(4)) == "1000"
    tail = Real.softplus(Fraction(-(10**12)))  # too small for any number of bits
    assert at_once(lambda: (tail + Fraction(2001, 2)).digits(4)) == "1001"
    assert at_once(lambda: (Fraction(2001, 2) - tail).digits(4)) == "1000"
    assert at_once(lambda: (tail - Fraction(2001, 2)).digits(4)) == "-1000"


def test_digits_of_huge_exponents() -> None:
    """e**-(10**6) = 10**(-10**6 / ln 10), from mpmath; and an exponent of 301 digits, at once."""
    with mp.workdps(60):
        power = -(mp.mpf(10) ** 6) / mp.log(10)
        exponent = int(mp.floor(power))
        want = mp.nstr(mp.power(10, power - exponent), 20, strip_zeros=False)
    assert Real.softplus(Fraction(-(10**6))).digits(20) == f"{want}e{exponent}"
    text = at_once(lambda: Real.sigmoid(-(Fraction(10) ** 300)).digits(5))
    with mp.workdps(340):
        power = -(mp.mpf(10) ** 300) / mp.log(10)
        exponent = int(mp.floor(power))
        want = mp.nstr(mp.power(10, power - exponent), 5, strip_zeros=False)
    assert text == f"{want}e{exponent}"


def test_more_digits_than_python_turns_into_text_at_once() -> None:
    text = Real.softplus(Fraction(0)).digits(6000)
    with mp.workdps(6050):
        parts = [int(text[2 + 1000 * k : 1002 + 1000 * k]) for k in range(6)]
        value = sum((mp.mpf(part) / mp.mpf(10) ** (1000 * (k + 1)) for k, part in enumerate(parts)), mp.mpf(0))
        assert abs(value - mp.log(2)) <= mp.mpf(10) ** -6000 / 2
    assert len(text) == 6002


def test_a_number_of_thousands_of_digits_keeps_its_zeros() -> None:
    assert Real.rational(10**5999 + 7).digits(6000) == "1" + "0" * 5998 + "7"
    assert Real.rational(-(10**12345) - 10**6000).digits(12346) == "-1" + "0" * 6344 + "1" + "0" * 6000


@pytest.mark.parametrize("exponent", [20_001, -20_001, 60_000, -60_000])
@pytest.mark.parametrize("bits", [40, 200])
def test_the_power_of_ten_that_stands_for_a_huge_exponent_is_enclosed(exponent: int, bits: int) -> None:
    """With 2**-(bits + 4) on both sides: far more than mpmath errs by, far less than the interval is wide."""
    low, high = Dyadic(10**6 + 1, exponent), Dyadic(4 * 10**6 + 9, exponent - 2)
    k, a, b = without_exponent(low, high, bits)
    ten = Fraction(10) ** k
    for slack in (low.fraction() - a * ten) / low.fraction(), (b * ten - high.fraction()) / high.fraction():
        assert 0.99 < slack * 2 ** (bits + 4) < 1.01
    assert 1 <= abs(b) < 10**9


@pytest.mark.parametrize("n", [0, -1])
def test_digits_refuses_none(n: int) -> None:
    with pytest.raises(BadArgument, match=f"n = {n}: a number of significant digits"):
        Real.rational(1).digits(n)


@settings(max_examples=60, deadline=None)
@given(nonzero, st.integers(1, 60))
def test_more_digits_refine_fewer(x: Fraction, n: int) -> None:
    real = Real.softplus(x)
    few, many = Fraction(real.digits(n)), Fraction(real.digits(n + 30))
    assert abs(few - many) <= Fraction(1, 2) * Fraction(10) ** (1 - n) * abs(few)


# -- rounding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", ["binary16", "bfloat16", "binary32", "binary64", "float32", binary64])
def test_round_and_bits_agree(fmt: str) -> None:
    format_ = oracle.get_format(fmt)
    for real in (Real.softplus(Half), -Real.sigmoid(Half), Real.rational(Fraction(1, 3)), Real.nonfinite(-math.inf)):
        assert float(format_.decode(real.bits(fmt))) == real.round(fmt)
    assert math.isnan(float(format_.decode(Real.nonfinite(math.nan).bits(fmt))))


@each_builder
@settings(max_examples=60, deadline=None)
@given(x=rationals, fmt=st.sampled_from(["binary16", "bfloat16", "binary32", "binary64"]))
def test_round_is_the_rounding_of_many_digits(build: Callable[[Fraction], Real], x: Fraction, fmt: str) -> None:
    real = build(x)
    near = real.enclose(2000).low.fraction()
    lean = 0 if real.exact is not None else 1
    assert real.round(fmt) == oracle.get_format(fmt).round_exact(near, lean=lean)


def crumb(bits: int) -> Real:
    """A positive number that is known to be one only from so many bits of a softplus on: below 2**-bits, irrational."""
    x = Real.softplus(Half)
    return (x - x.enclose(bits).low.fraction()) * Fraction(1, 4)


@pytest.mark.parametrize("fmt", [binary16, bfloat16, binary32, binary64], ids=str)
@pytest.mark.parametrize("bits", [10, 20, 60, 200])
def test_a_sum_that_is_open_at_first_is_rounded_to_its_own_side_of_a_midpoint(fmt: Format, bits: int) -> None:
    tiny, middle = crumb(fmt.precision + bits), 1 + Fraction(1, 2**fmt.precision)
    above = 1 + 2.0 ** (1 - fmt.precision)
    assert ((middle + tiny).round(fmt), (middle - tiny).round(fmt)) == (above, 1.0)
    assert ((-middle - tiny).round(fmt), (tiny - middle).round(fmt)) == (-above, -1.0)


@pytest.mark.parametrize("bits", [10, 40, 200])
def test_what_rounds_to_0_has_the_sign_of_the_number(bits: int) -> None:
    tiny = crumb(bits) / 2**1200
    assert [math.copysign(1, x.round("binary64")) for x in (tiny, -tiny)] == [1, -1]
    assert [x.sign for x in (tiny, -tiny)] == [1, -1]


def test_a_tiny_negative_number_rounds_to_minus_zero() -> None:
    assert math.copysign(1, (-Real.sigmoid(Fraction(-2000))).round("binary64")) == -1
    assert math.copysign(1, Real.sigmoid(Fraction(-2000)).round("binary64")) == 1
    assert (-Real.sigmoid(Fraction(-2000))).bits("binary16") == 0x8000


def test_float_str_and_repr() -> None:
    log2 = Real.softplus(Fraction(0))
    assert float(log2) == math.log(2)
    assert str(log2) == "0.69314718055994530942"
    assert repr(log2) == "Real(0.69314718055994530942)"


def test_unknown_format() -> None:
    with pytest.raises(oracle.UnknownFormat, match="float8"):
        Real.rational(1).round("float8")


# -- special values ----------------------------------------------------------------------------------------------------

NAN, INF = Real.nonfinite(math.nan), Real.nonfinite(math.inf)


def test_infinities_add_and_scale_as_in_ieee_754() -> None:
    one = Real.softplus(Half)
    assert (INF + one) == INF
    assert (one - INF) == -INF
    assert math.isnan((INF - INF).round("binary64"))
    assert (INF * -2) == -INF
    assert (INF * 2) == (INF * Half) == (-INF * -2) == INF
    assert (INF / Fraction(-(10**400))) == -INF  # beyond any float
    assert math.isnan((INF * 0).round("binary64"))
    assert math.isnan((NAN + one).round("binary32"))
    assert total([INF, one, INF]) == INF


def test_special_values_round_print_and_have_a_sign() -> None:
    assert INF.round("binary16") == math.inf
    assert INF.bits("binary16") == 0x7C00
    assert (-INF).digits(5) == "-inf"
    assert NAN.digits(5) == str(NAN) == "nan"
    assert (INF.sign, (-INF).sign) == (1, -1)
    with pytest.raises(BadArgument, match="NaN has no sign"):
        _ = NAN.sign
    for special in (NAN, INF):
        said = f"^x = {special.special}: a finite number; NaN and infinities have no interval$"
        with pytest.raises(BadArgument, match=said):
            special.enclose(10)


def test_sign_of_exact_numbers() -> None:
    assert [Real.rational(k).sign for k in (-3, 0, 7)] == [-1, 0, 1]
    assert binary16.name == "binary16"
    assert binary32.name == "binary32"
