"""`np.seterr(all="raise")`, which any library or implementation may have called, changes no result and raises nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from oracle import FORMATS, Format, bounds, enclosure, first_tier, judging
from oracle.ball import Enclosure
from oracle.bounds import Pairs, centre
from oracle.formats import Floats

SIGNALLING = np.array([0x7FF0000000000001], np.uint64).view(np.float64)
TAILS = [5e-324, 1e-310, 1e-300, 0.5, 1.0, 700.0, 740.0, 1e5, 1e154, 1e300, 1.7e308]
NUMBERS = np.array([0.0, *TAILS, *(-x for x in TAILS), np.inf, -np.inf, np.nan])
A, B = (x.ravel() for x in np.meshgrid(NUMBERS, NUMBERS))


@pytest.fixture(autouse=True)
def _all_raise() -> Iterator[None]:
    with np.errstate(all="raise"):
        yield


def assert_same(got: Enclosure, want: Enclosure) -> None:
    for field in ("head", "tail", "exponent", "radius"):
        np.testing.assert_array_equal(getattr(got, field), getattr(want, field))


def test_balls() -> None:
    x, y = enclosure.exact(A), enclosure.exact(B)
    wide = x.widen(relative=1e-300, absolute=5e-324).widen(relative=0.5)
    narrow, exact_large = enclosure.exact(B).widen(relative=1e-300), enclosure.exact(1e160)
    for operation in (
        lambda: x + y,
        lambda: x - wide,
        lambda: x * y,
        lambda: wide.divided_by(2**53),
        lambda: narrow.divided_by(2**53),
        lambda: narrow + exact_large,
        lambda: enclosure.margin(A, B, 0.3, B[::-1]),
        lambda: enclosure.logit(A, B, 0.0, 1e-310, 5e-324),
        lambda: enclosure.loss(A, B, 0.0, B, 0.1, 0.1),
        lambda: enclosure.gradient(A, B, 0.0, B, 1e-300, 0.1),
        lambda: enclosure.softplus_minus(x),
        lambda: enclosure.sigmoid_minus(wide),
    ):
        result = operation()
        with np.errstate(all="ignore"):
            assert_same(result, operation())
    assert np.isnan(enclosure.exact(SIGNALLING).head).all()
    enclosure.compare(wide, B)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_decisions(fmt: Format) -> None:
    x = enclosure.exact(A)
    enclosure.round(x, fmt)
    enclosure.ulp_errors(x, B, fmt)
    for judge in (judging.losses, judging.derivatives):
        judged = judge(A, B, fmt)
        with np.errstate(all="ignore"):
            again = judge(A, B, fmt)
        for field in ("errors", "wrong", "subnormal"):
            np.testing.assert_array_equal(getattr(judged, field), getattr(again, field))
        assert judge(np.ones(1), SIGNALLING, fmt).errors == np.inf


def test_the_float64_tier() -> None:
    z = NUMBERS[np.isfinite(NUMBERS)]
    for tier in (first_tier.softplus_minus, first_tier.sigmoid_minus):
        np.testing.assert_array_equal(tier(z), [tier(x)[0] for x in z[:, None]])


def logps(fmt: Format) -> Floats:
    with np.errstate(all="ignore"):
        held = fmt.round_array(A)
    return np.unique(np.where(np.isfinite(held), held, 0.0))


@pytest.mark.no_cover
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
@pytest.mark.parametrize(("beta", "eps"), [(0.1, 0.1), (1e300, 0.0), (1e-300, 0.5), (5e-324, 1e-310)])
def test_bounds(fmt: Format, beta: float, eps: float) -> None:
    pc = logps(fmt)
    pairs = Pairs(pc, 0 * pc, -pc[::-1], 0 * pc, beta, eps)
    bounds.representable(pairs, fmt)
    for make in (bounds.loss, bounds.gradient):
        for flush in (False, True):
            each = make(pairs, fmt, flush=flush)
            for acceptance in (each, bounds.shared(each, 3, beta), bounds.mean(each)):
                some = pc[: len(acceptance.zero)]
                for got in (some, 0 * some, 0 * some + np.inf, 0 * some + np.nan, centre(acceptance.exact)):
                    assert not np.isnan(acceptance.rho(got)).any()
