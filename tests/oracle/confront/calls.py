"""Random calls of the public API, with numbers of every kind: against Arb, and against integers; each has to end.

A call that has not ended after LIMIT seconds is an escape like a wrong answer.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from flint import ctx

import oracle
from oracle import Real
from oracle.ulp import ulp_error
from tests.oracle import arb
from tests.oracle.confront.logits import Generator
from tests.oracle.confront.tally import Tally

LIMIT = 5.0
KINDS: tuple[Callable[[float], Any], ...] = (
    float, Fraction, Decimal, float.hex, np.float64, np.longdouble, lambda x: "/".join(map(str, x.as_integer_ratio())),
)  # fmt: skip
"""The same number as each kind."""


@contextmanager
def _limited() -> Iterator[None]:
    """Raises TimeoutError in the call that does not end."""

    def ring(*_: object) -> None:
        raise TimeoutError(f"no end within {LIMIT:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def confront(rng: Generator, count: int) -> list[Tally]:
    """A third of the calls against Arb, the rest against integers."""
    return [
        _each("calls against Arb", rng, count // 3, _of_a_pair),
        _each("calls against integers", rng, count - count // 3, _of_a_format),
    ]


def _each(name: str, rng: Generator, count: int, call: Callable[[Generator], str]) -> Tally:
    tally = Tally(name, points=count, comparisons=count)
    for _ in range(count):
        try:
            with _limited():
                wrong = call(rng)
        except (TimeoutError, AssertionError) as error:
            wrong = repr(error)
        if wrong:
            tally.escaped(wrong)
    return tally


# -- against Arb -------------------------------------------------------------------------------------------------------


def _of_a_pair(rng: Generator) -> str:
    """One quantity of one pair, asked in one way; what is wrong with the answer, or nothing."""
    fmt = oracle.FORMATS[rng.integers(4)]
    row = _pair(rng, fmt)
    pc, pr, rc, rr, beta, eps = (KINDS[rng.integers(len(KINDS))](x) for x in row)
    name, ask = QUANTITIES[rng.integers(len(QUANTITIES))]
    pair, shape = arb.Pair(*row), arb.SHAPES[fmt.name]
    exact = ask(pc, pr, rc, rr, beta, eps)
    bits, _ = arb.rounded(getattr(pair, name)(), pair.z, shape)
    want = shape.decode(bits)
    way = rng.integers(4)
    if way == 0:
        got, right = exact.round(fmt), want
    elif way == 1:
        got, right = exact.bits(fmt), bits
    elif way == 2:
        got, right = float(oracle.round(exact, fmt)[0]), want
    else:
        got, right = _error(pair, name, exact, fmt, want, rng)
    same = got == right and (way == 1 or np.signbit(got) == np.signbit(right))
    return "" if same else f"{name} of {row} in {fmt}, way {way}: {got!r}, not {right!r}"


QUANTITIES: tuple[tuple[str, Callable[..., Real]], ...] = (
    ("loss", lambda *row: oracle.loss(*row[:4], beta=row[4], label_smoothing=row[5])),
    ("policy_gradient", lambda *row: oracle.gradient(*row[:4], beta=row[4], label_smoothing=row[5]).policy_chosen),
    ("beta_derivative", lambda *row: oracle.gradient(*row[:4], beta=row[4], label_smoothing=row[5]).beta),
    ("second_derivative", lambda *row: oracle.second_derivative(*row[:4], beta=row[4], label_smoothing=row[5])),
)


def _pair(rng: Generator, fmt: oracle.Format) -> tuple[float, ...]:
    """Realistic pairs, all sizes, logits at and beside midpoints and powers of two, and slopes that are nearly 1 or 1/2."""
    regime = rng.integers(6)
    beta = float(rng.choice([1.0, 0.1, 0.5, -1.0, 3.0, 2.0**-40]))
    eps = float(rng.choice([0.0, 0.0, 0.1, 0.5, 1.0, 2.0**-30]))
    if regime == 0:
        return (*(-float(x) for x in rng.uniform(0, 3000, 4)), beta, eps)
    if regime == 1:
        return (
            *(float(x) * 2.0 ** int(e) for x, e in zip(rng.normal(size=4), rng.integers(-1000, 1000, 4), strict=True)),
            beta,
            eps,
        )
    sign = -1.0 if rng.integers(2) else 1.0
    if regime in {2, 3}:  # a midpoint of the format, or a number of it
        place = int(rng.integers(1, int(fmt.ordinals(fmt.largest))))
        low, high = fmt.from_ordinals([place, place + 1])
        middle = low if regime == 2 or fmt.precision == 53 else low / 2 + high / 2
        return sign * float(middle), 0.0, 0.0, 0.0, 1.0, 0.0
    if regime == 4:
        return sign * 2.0 ** int(rng.integers(-1070, 1000)), 0.0, 0.0, 0.0, float(rng.choice([1.0, -1.0, 0.5, 2.0])), eps
    return (
        sign * float(rng.uniform(1, 10)) * 10.0 ** int(rng.integers(0, 7)),
        0.0,
        0.0,
        0.0,
        float(2.0 ** rng.integers(-3, 4)),
        eps,
    )


def _error(pair: arb.Pair, name: str, exact: Real, fmt: oracle.Format, want: float, rng: Generator) -> tuple[float, float]:
    """(the error in ulps of a number beside the rounded one, and the same within the ends of an Arb ball)."""
    place = int(fmt.ordinals(want)) + int(rng.integers(-3, 4))
    got = float(fmt.from_ordinals(place))
    told = ulp_error(got, exact, fmt)
    quantity, ball = getattr(pair, name)(), None
    if abs(pair.z) < 1000 and np.isfinite([got, want]).all():
        with ctx.workprec(6000):  # a slope of beta z (1 - z**2 / 12) / 4 at a power of two z near 2**-1022
            value = quantity.ball() if quantity.exact is None else quantity.ball() * 0 + quantity.exact
            ball = arb.ends(value)
            distance = arb.ends(abs(value - arb.rational(got)))
    if ball is None:
        least = abs(place - int(fmt.ordinals(want)))  # that many numbers apart: as many quanta, or half as many, less 1/2
        assert told == np.inf or least == 0 or told >= (least - 1) / 2 or not np.isfinite([got, want]).all(), (told, least)
        return 0.0, 0.0
    tops = {min(max(e + abs(m).bit_length() - 1, fmt.emin), fmt.emax) if m else fmt.emin for m, e in ball}
    assert len(tops) == 1 and distance is not None
    low, high = (Fraction(m) * Fraction(2) ** (e - (tops.copy().pop() - fmt.precision + 1)) for m, e in distance)
    if Fraction(told) < low or Fraction(told) > max(high * (1 + Fraction(1, 2**51)), high + Fraction(1, 2**1070)):
        return told, float(high)
    return 0.0, 0.0


# -- against integers --------------------------------------------------------------------------------------------------


def _of_a_format(rng: Generator) -> str:
    """One rational into one format, in one way."""
    fmt = oracle.FORMATS[rng.integers(4)]
    shape = arb.SHAPES[fmt.name]
    value = _rational(rng, fmt)
    bits = _pattern(shape, value)
    want = shape.decode(bits)
    way = rng.integers(7)
    got: Any
    if way == 0:
        got, right = fmt.round_exact(value), want
    elif way == 1:
        got, right = float(fmt.round_array(value)), want
    elif way == 2:
        got, right = Real.rational(value).bits(fmt), bits
    elif way == 3:
        got, right = float(oracle.round([f"{value.numerator}/{value.denominator}"], fmt)[0][0]), want
    elif way == 4:
        got, right = int(fmt.encode(Fraction(want) if np.isfinite(want) else want)), bits
    elif way == 5:
        place = int(fmt.ordinals(want))
        got, right = place, (bits & (2 ** (fmt.width - 1) - 1)) * (-1 if bits >> (fmt.width - 1) else 1)
        got = got if float(fmt.from_ordinals(place)) == want else float(fmt.from_ordinals(place))
    else:
        got, right = float(fmt.decode(bits)), want
    zero = value == 0 or want == 0  # the sign of a zero is the business of `round_exact` alone
    return "" if got == right or (zero and way in {2, 4, 5}) else f"{value} in {fmt}, way {way}: {got!r}, not {right!r}"


def _rational(rng: Generator, fmt: oracle.Format) -> Fraction:
    """Numbers of the format, their midpoints, those moved by next to nothing, and rationals of all sizes."""
    if rng.integers(3) == 0:
        top, bottom = (int(rng.integers(1, 2**62)) << int(rng.integers(0, 200)) for _ in range(2))
        return Fraction(top, bottom) * (-1) ** int(rng.integers(2))
    place = int(rng.integers(0, int(fmt.ordinals(fmt.largest))))
    low, high = (Fraction(x) for x in fmt.from_ordinals([place, place + 1]))
    value = (low, (low + high) / 2)[rng.integers(2)]
    moved = (Fraction(0), Fraction(1, 3**200), -Fraction(1, 2**1200))[rng.integers(3)]
    return (value + moved) * (-1) ** int(rng.integers(2))


def _pattern(shape: arb.Shape, value: Fraction) -> int:
    """The bit pattern by integers: the floor on a fine grid, and whether something is left."""
    shift = 1300
    whole, rest = divmod(abs(value.numerator) << shift, value.denominator)
    negative = value < 0
    found = arb.pattern(shape, (whole, -shift), 1 if rest else 0)
    return found | (int(negative) << (shape.width - 1))
