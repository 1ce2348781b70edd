"""Calls that once certified something false: a number that was rounded on its way in, and then once more."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import oracle
from oracle import (
    FORMATS,
    NotANumber,
    NotBinary64,
    NotFinite,
    NotRepresentable,
    Real,
    bfloat16,
    binary32,
    enclosure,
    first_tier,
)
from oracle.ulp import ulp_error


def test_a_loss_beside_a_midpoint_is_rounded_once():
    value, decided = oracle.round(oracle.loss(-257, 0, 0, 0, beta=1), "bfloat16")
    assert (value, decided) == (258.0, True)


@pytest.mark.no_cover
@pytest.mark.parametrize("fmt", FORMATS[:3], ids=str)
def test_every_midpoint_beyond_64_goes_to_the_neighbour_above(fmt):
    start = int(fmt.ordinals(64.0))
    places = start + np.unique(np.linspace(0, int(fmt.ordinals(fmt.largest)) - start - 1, 1999, dtype=np.int64))
    low, high = fmt.from_ordinals(places), fmt.from_ordinals(places + 1)
    middles = [(Fraction(a) + Fraction(b)) / 2 for a, b in zip(low, high, strict=True)]
    losses = oracle.loss(0, np.array(middles, dtype=object), 0, 0, beta=1)
    values, decided = oracle.round(losses, fmt)
    assert decided.all() and (values == high).all()
    assert (oracle.round(losses * -1, fmt)[0] == -high).all()
    assert (fmt.round_array(np.array(middles, dtype=object)) == [fmt.round_exact(middle) for middle in middles]).all()


@pytest.mark.parametrize("kind", [Fraction, Decimal, str, int])
def test_a_number_of_no_float_is_rounded_once(kind):
    above = 2**70 + 2**62 + 1  # beyond the midpoint of two bfloat16 by less than binary64 sees
    for got in (
        oracle.round(kind(above), "bfloat16")[0],
        bfloat16.round_array(kind(above)),
        bfloat16.round_array([kind(above)]),
    ):
        assert np.all(got == 2.0**70 + 2.0**63)
    assert bfloat16.round_array(kind(above - 2)) == 2.0**70


def test_what_binary64_does_not_hold_is_refused_where_binary64_is_taken():
    odd, third = 2**53 + 1, np.longdouble(1) / 3
    for bad in (odd, [odd], np.array([odd]), third, np.array([third]), "0.1", Decimal("0.1"), Fraction(1, 10)):
        for call in (
            lambda bad: enclosure.margin(bad, 0, 0, 0),
            lambda bad: enclosure.loss(1, 0, 0, 0, beta=bad),
            enclosure.kernel,
            enclosure.exact,
            first_tier.softplus_minus,
        ):
            with pytest.raises(NotBinary64):
                call(bad)
        with pytest.raises(NotRepresentable):
            binary32.encode(bad)
    same = [enclosure.loss(1, 0, 0, 0, beta=half) for half in ("0.5", Decimal("0.5"), Fraction(1, 2), np.float32(0.5), 0.5)]
    assert len({(float(x.head), float(x.tail), int(x.exponent), float(x.radius)) for x in same}) == 1


def test_a_hidden_value_is_not_used():
    hidden = np.ma.MaskedArray([-1.0, -2.0], mask=[False, True])
    for value in (hidden, [hidden, hidden], np.ma.masked):
        for call in (lambda v: oracle.loss(v, 0, 0, 0), lambda v: enclosure.loss(v, 0, 0, 0), bfloat16.encode, oracle.mean):
            with pytest.raises(NotANumber):
                call(value)
    shown = np.ma.MaskedArray([-1.0, -2.0], mask=False)
    assert oracle.loss(shown, 0, 0, 0)[1] == oracle.loss(-2.0, 0, 0, 0)


def test_float32_arrays_are_computed_in_float64():
    z = np.linspace(-60, 60, 4001).astype(np.float32)
    got = first_tier.softplus_minus(z)
    assert got.dtype == np.float64 and (got == first_tier.softplus_minus(z.astype(np.float64))).all()


@pytest.mark.parametrize("n", [3, 4001, 100_000])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_float64_tier_refuses_what_is_not_finite_however_many_there_are(n, bad):
    z = np.linspace(-60, 60, n)
    z[n // 2] = bad
    for tier in (first_tier.softplus_minus, first_tier.sigmoid_minus):
        with pytest.raises(NotFinite, match="finite logits"):
            tier(z)


def test_an_error_in_ulps_is_of_the_number_that_was_got():
    exact = Real.rational(2**60)
    assert ulp_error(2**60 + 1, exact, binary32) == 2.0**-37
    assert ulp_error(Fraction(2**60) + Fraction(1, 3), exact, binary32) > 0
