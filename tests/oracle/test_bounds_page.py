"""The bounds are those of docs/bounds.md, to 2**-38 of their width: no constant is smaller, and none is larger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from page import Number, Page, mp, real

from conformance.inputs.pairs import cancelling, far_from_reference, mixed_magnitudes, near_reference, short_responses
from oracle import FORMATS, Format, bfloat16, binary16, binary32, binary64, bounds, get_format
from oracle.ball import Enclosure
from oracle.ball import exact as point
from oracle.bounds import Acceptance, Pairs
from oracle.bounds.intervals import smoothing_weight

REGIMES = (near_reference, far_from_reference, short_responses, cancelling, mixed_magnitudes)
OPTIONS = (
    (0.1, 0.0),
    (8.0, 0.0),
    (1e-6, 0.0),
    (0.0, 0.0),
    (-0.3, 0.1),
    (0.1, 0.5),
    (0.5, 1e-3),
    (1e3, 0.3),
    (1e-3, 0.1),
    (2.0, 1e-6),
    (1.0, 1.0),
)
WIDER = {fmt: mp.mpf(2) ** (-29 if fmt is binary32 else -38) for fmt in FORMATS}
"""What the bounds may add to the page, relative to what they allow: 1 + 2**-40 for their own float64 arithmetic, once or
twice; in binary32 also the last bit of a beta or label_smoothing that it does not hold, 2**-53 beside u = 2**-24."""


def middle(x: Enclosure, i: int) -> Number:
    return (real(float(x.head[i])) + real(float(x.tail[i]))) * mp.mpf(2) ** int(x.exponent[i])


def rows(fmt: Format, seed: int, beta: float) -> list[tuple[float, ...]]:
    """Pairs of five regimes; logits around 0, in both tails, and around the last normal results; subnormal logps."""
    rng = np.random.default_rng(seed)
    columns = [np.array(draw(fmt, 2, rng).logps) for draw in REGIMES]
    edge = -np.log(fmt.smallest_normal)
    z = np.array([0.0, 0.01, 0.7, 4.0, 30.0, edge / 2, *(edge + np.linspace(-9, 9, 11))]) / (abs(beta) or 1.0)
    z = fmt.round_array(z[z < fmt.largest / 4])
    z = np.concatenate([z, -z])
    columns.append(np.array([np.minimum(z, 0), np.minimum(-z, 0), 0 * z, 0 * z]))
    columns.append(fmt.round_array(-fmt.smallest_normal * rng.uniform(0, 9, (4, 3))))
    columns.append(-fmt.smallest_normal * np.array([7.5, 8.0, 8.5]) * np.array([[1.0], [0.0], [0.0], [0.0]]))
    return [tuple(float(x) for x in row) for row in np.concatenate(columns, axis=1).T]


def judged(fmt: Format) -> Iterator[tuple[Pairs, list[Page]]]:
    """The rows under each pair of options, with the page's reading of each."""
    for seed, (beta, eps) in enumerate(OPTIONS):
        logps = rows(fmt, seed, beta)
        yield Pairs(*np.array(logps).T, beta, eps), [Page(fmt, row, beta, eps) for row in logps]


def noise(size: Number) -> Number:
    """What the centre of a ball may be off by; far below the least subnormal, a proof of smallness takes its place."""
    return size * mp.mpf(2) ** -66 + mp.mpf(2) ** -1200


def assert_end(got: Number, page: Number, size: Number, wider: Number, outward: int) -> None:
    """An end is the page's, or at most wider further out; size is what the radius of its ball is relative to."""
    assert -noise(size) <= (got - page) * outward <= wider + noise(size)


@pytest.fixture(params=FORMATS, ids=str)
def fmt(request: pytest.FixtureRequest) -> Format:
    found: Format = request.param
    return found


@pytest.mark.no_cover
@pytest.mark.parametrize("ratios_first", [False, True], ids=["every order", "ratios first"])
def test_the_logits_error_is_the_pages(fmt: Format, ratios_first: bool) -> None:
    for pairs, pages in judged(fmt):
        down, up = bounds.logit_error(pairs, fmt, ratios_first=ratios_first)
        for i, page in enumerate(pages):
            of_page = replace(page, ratios_first=ratios_first).logit_error()
            for got, want in zip((down[i], up[i]), of_page, strict=True):
                assert want <= real(got) <= want * (1 + WIDER[fmt]), page


def test_the_error_of_huge_logits_is_the_pages() -> None:
    for row in ((-1.2e308, -2e307, -1e308, -5e307), (-1.5 * 2.0**1000, -(2.0**990), 0.0, -(2.0**998))):
        down, up = bounds.logit_error(Pairs(*np.array([row]).T, 1e-3, 0.0), binary64)
        for got, want in zip((down[0], up[0]), Page(binary64, row, 1e-3, 0.0).logit_error(), strict=True):
            assert want <= real(got) <= want * (1 + WIDER[binary64])


def test_the_loss_of_log_ratios_first_is_the_pages(fmt: Format) -> None:
    logps = rows(fmt, 21, 0.5)
    each = bounds.loss(Pairs(*np.array(logps).T, 0.5, 0.0), fmt, ratios_first=True)
    for i, row in enumerate(logps):
        page = Page(fmt, row, 0.5, 0.0, ratios_first=True)
        low, exact, high = page.loss()
        spread = WIDER[fmt] * (1 + max(page.logit_error()))
        assert_end(middle(each.low, i), low, exact + abs(low), (exact - low) * spread, -1)
        assert_end(middle(each.high, i), high, exact + abs(high), (high - exact) * spread, 1)


@pytest.mark.no_cover
@pytest.mark.parametrize("flush", [False, True], ids=["gradual", "flush"])
@pytest.mark.parametrize("quantity", ["loss", "gradient", "second"])
def test_the_interval_is_the_pages(fmt: Format, quantity: str, flush: bool) -> None:
    for pairs, pages in judged(fmt):
        each = getattr(bounds, quantity)(pairs, fmt, flush=flush)
        for i, page in enumerate(pages):
            page = Page(page.fmt, page.logps, page.beta, page.eps, flush)  # noqa: PLW2901
            low, exact, high = getattr(page, quantity)()
            terms = (1 + page.eps) * abs(page.beta) if quantity == "gradient" else abs(page.z) * (page.eps > 0.5)
            size = abs(exact) + terms  # where the result is a difference, its ball is relative to its terms
            assert abs(middle(each.exact, i) - exact) <= noise(size), page
            spread = WIDER[fmt] * (1 + max(page.logit_error()))  # an exponential magnifies it by delta_z
            assert_end(middle(each.low, i), low, size + abs(low), (exact - low) * spread, -1)
            assert_end(middle(each.high, i), high, size + abs(high), (high - exact) * spread, 1)
            zero = page.near_zero(low, high)
            if quantity == "gradient":
                zero = zero or page.near_zero(*page.slope())
            if quantity == "second":
                zero = zero or page.near_zero(*page.curvature())
            assert each.zero[i] == zero, page


@pytest.mark.no_cover
def test_the_smoothed_minimum_is_one(fmt: Format) -> None:
    """The least of G - E over the whole interval, searched for, is at one of the places where the page looks."""
    for beta, eps in ((0.5, 0.1), (4.0, 0.5), (1.0, 1e-3), (-0.3, 0.3)):
        for row in rows(fmt, 99, beta)[:18]:
            page = Page(fmt, row, beta, eps)
            low, high = page.interval()
            places = [low + (high - low) * k / 64 for k in range(65)] + [mp.mpf(0)] * (low < 0 < high)
            least = min(page.G(z) - page.E(z) for z in (low, high, *page.turns()))
            assert all(page.G(z) - page.E(z) >= least - abs(least) * mp.mpf(2) ** -150 for z in places)


def test_what_is_representable_is_what_the_page_says(fmt: Format) -> None:
    rng = np.random.default_rng(11)
    near = 1 - fmt.unit_roundoff * np.array([3, 6, 11, 16])
    sizes = fmt.round_array(fmt.largest * np.concatenate([near, near / 2, [0.3, 0.9]]))
    found = set()
    for beta in (0.0, 2.0**-4, 0.5, 1.0, 2.0, fmt.largest * near[1], fmt.largest * near[2]):
        logps = -rng.choice(sizes, (4, 60)) * rng.choice([0.0, 0.0, 1.0], (4, 60))
        logps[:, 0] = np.array([-1, -1, -1, 0]) * sizes[-2]  # h - a is twice as large as any difference
        got = bounds.representable(Pairs(*logps, beta, 0.0), fmt)
        want = [Page(fmt, tuple(map(float, row)), beta, 0.0).representable() for row in logps.T]
        assert got.tolist() == want
        found |= set(want)
    assert found == {True, False}


def test_option_ranges_are_the_pages(fmt: Format) -> None:
    tiny = fmt.smallest_normal
    for x in (0.1, 0.3, 0.5, 1.0, 3.7, tiny, tiny * 0.75, tiny * 0.3, tiny * (1 - 1e-3), fmt.smallest_subnormal, 1e-300):
        page = Page(fmt, (0.0,) * 4, 0.0, 0.0)
        for value in (x, -x):
            (low, high), (least, most) = bounds.option_range(value, fmt), page.range(value)
            assert least * (1 - mp.mpf(2) ** -51) <= real(low) <= least
            assert most <= real(high) <= most * (1 + mp.mpf(2) ** -51)
            error = page.option_error(value)
            assert error <= real(bounds.option_error(value, fmt)) <= error * (1 + WIDER[fmt]) + abs(real(x)) * mp.mpf(2) ** -51


def test_the_weight_of_a_smoothed_loss_is_the_pages(fmt: Format) -> None:
    page = Page(fmt, (0.0,) * 4, 0.0, 0.0)
    assert page.w <= real(smoothing_weight(fmt)) <= page.w * (1 + WIDER[fmt])


def test_the_kernels_bounds_are_the_pages() -> None:
    assert [bounds.kernel_must(fmt) for fmt in (binary16, bfloat16, binary32, binary64)] == [4, 4, 12, 12]
    assert [bounds.kernel_least(fmt) for fmt in (binary16, bfloat16, binary32, binary64)] == [1, 1, 3, 3]
    assert bounds.KERNEL_SHOULD == 4


# -- means -------------------------------------------------------------------------------------------------------------


def power(fmt: Format, roundings: int) -> Number:
    return (1 + mp.mpf(2) ** -fmt.precision) ** roundings - 1


def last(fmt: Format, n: int) -> int:
    return 2 + (float(fmt.round_exact(n)) != n)


def running(fmt: Format, n: int) -> Number:
    return power(fmt, n + 2 * mp.log(n) + 4) if n <= 2 ** (fmt.precision - 4) else mp.mpf(0)


def slack_of_mean(fmt: Format, sizes: list[Number], wide: Format) -> Number:
    """The least over k of what k largest sizes and the others cost; a running mean besides."""
    n, u = len(sizes), mp.mpf(2) ** -wide.precision
    shares, end, found = sorted((x / n for x in sizes), reverse=True), 1 + power(fmt, last(fmt, n) + (wide != fmt)), []
    for k in range(1, n + 1):
        steps, B, T = (k - 1) * u, sum(shares[:k]), sum(shares[k:])
        found.append(((1 + steps) * end - 1) * B + (1 + (1 + steps) * 2 * (1 + n * u)) * end * T)
    return max(min(found), running_in(fmt, n, wide) * sum(shares))


def running_in(fmt: Format, n: int, wide: Format) -> Number:
    return running(fmt, n) if wide == fmt else running(wide, n) + mp.mpf(2) ** -fmt.precision


def wide_of(fmt: Format, declared: str) -> Format:
    """The format of the additions; one that is narrower than the results' own is not declared."""
    found = get_format(declared or fmt.name)
    return found if found.precision > fmt.precision else fmt


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("n", "declared"), [*((n, "") for n in (1, 2, 3, 33, 257)), (3, "binary32"), (33, "binary64"), (257, "binary32")]
)
def test_a_mean_is_as_wide_as_the_page_says(fmt: Format, n: int, declared: str) -> None:
    wide = wide_of(fmt, declared)
    pairs = Pairs(*np.array(short_responses(fmt, n, np.random.default_rng(n)).logps), 0.5, 0.1)
    for each in (bounds.loss(pairs, fmt), bounds.gradient(pairs, fmt)):
        mean = bounds.mean(each, get_format(declared) if declared else None)
        lows, highs, exacts = ([middle(x, i) for i in range(n)] for x in (*each.hull(), each.exact))
        slack = slack_of_mean(fmt, [max(abs(x), abs(y)) for x, y in zip(lows, highs, strict=True)], wide)
        slack += mp.mpf(2) ** (fmt.emin - fmt.precision + 1)
        exact = sum(exacts) / n
        assert abs(middle(mean.exact, 0) - exact) <= noise(sum(map(abs, exacts)))
        size = sum(max(abs(x), abs(y)) for x, y in zip(lows, highs, strict=True))
        assert_end(middle(mean.low, 0), sum(lows) / n - slack, size, slack * WIDER[fmt], -1)
        assert_end(middle(mean.high, 0), sum(highs) / n + slack, size, slack * WIDER[fmt], 1)
        assert mean.low.shape == mean.high.shape == mean.exact.shape == mean.zero.shape == (1,)


def plain(fmt: Format, low: float, exact: float, high: float, zero: bool = False) -> Acceptance:
    """One interval, given by its ends."""
    return Acceptance(*(point(np.array([x])) for x in (exact, low, high)), np.array([zero]), fmt)


def test_the_hull_holds_zero_where_it_is_accepted() -> None:
    for low, high, zero, hull in (
        (1.0, 3.0, True, (0.0, 3.0)),
        (1.0, 3.0, False, (1.0, 3.0)),
        (-3.0, -1.0, True, (-3.0, 0.0)),
        (-3.0, -1.0, False, (-3.0, -1.0)),
        (-1.0, 3.0, True, (-1.0, 3.0)),
    ):
        assert tuple(middle(x, 0) for x in plain(binary32, low, (low + high) / 2, high, zero).hull()) == hull


def test_a_mean_may_be_0_where_it_may_be_subnormal(fmt: Format) -> None:
    lam = fmt.smallest_normal
    for low, high, zero in ((0.5, 0.9, True), (0.5, 4, True), (1.5, 4, False), (-0.9, -0.5, True), (-4, -1.5, False)):
        assert bounds.mean(plain(fmt, low * lam, high * lam, high * lam)).zero[0] == zero


def test_a_mean_reaches_the_overflow_threshold_where_a_sum_may(fmt: Format) -> None:
    n, infinity = 3, np.array([np.inf])
    room = float(running(fmt, n)) if fmt is not binary64 else 1e-9  # a third of 1.8e308 is itself rounded
    for share, reaches in ((1 + room, True), (1 - 0.9 * room, fmt is not binary64), (1 - 1.2 * room, False)):
        part = fmt.largest / n * share
        for sign in (1.0, -1.0):
            ends = point(np.full(n, sign * part))
            mean = bounds.mean(Acceptance(ends, ends, ends, np.zeros(n, bool), fmt))
            near, far = (mean.low, mean.high) if sign > 0 else (-mean.high, -mean.low)
            assert 0.9 * part < middle(near, 0) < part
            assert (middle(far, 0) == real(fmt.overflow_threshold)) == reaches
            assert reaches or middle(far, 0) < part * 1.1
            assert (mean.rho(sign * infinity)[0] == pytest.approx(1.0, rel=1e-9)) == reaches
            assert mean.rho(-sign * infinity)[0] > 1
            assert mean.rho(np.array([sign * part / 2]))[0] > 1


def test_a_mean_beyond_the_overflow_threshold_keeps_its_end() -> None:
    mean = bounds.mean(plain(binary16, 60000.0, 70000.0, 80000.0))
    assert middle(mean.exact, 0) == 70000
    assert 50000 < middle(mean.low, 0) < 60000
    assert middle(mean.high, 0) > 80000


@pytest.mark.parametrize(
    ("n", "declared"), [*((n, "") for n in (1, 2, 3, 257)), (2, "binary32"), (257, "binary64"), (257, "binary32")]
)
def test_a_share_is_as_wide_as_the_page_says(fmt: Format, n: int, declared: str) -> None:
    wide, given = wide_of(fmt, declared), get_format(declared) if declared else None
    pairs = Pairs(*np.array(rows(fmt, 5, 2.0)).T, 2.0, 0.0)
    each = bounds.gradient(pairs, fmt)
    lam, eta = mp.mpf(2) ** fmt.emin, mp.mpf(2) ** (fmt.emin - fmt.precision + 1)
    for beta in (0.5, 2.0, -8.0):
        shared = bounds.shared(each, n, beta, given)
        assert shared.fmt is fmt
        growth = max(power(fmt, last(fmt, n) + (wide != fmt)), running_in(fmt, n, wide))
        for i in range(len(each.zero)):
            low, exact, high = (middle(x, i) / n for x in (each.low, each.exact, each.high))
            low, high = low - abs(low) * growth - eta, high + abs(high) * growth + eta
            assert abs(middle(shared.exact, i) - exact) <= noise(abs(exact))
            assert_end(middle(shared.low, i), low, abs(low) + eta, (abs(low) * growth + eta) * WIDER[fmt], -1)
            assert_end(middle(shared.high, i), high, abs(high) + eta, (abs(high) * growth + eta) * WIDER[fmt], 1)
            least = lam * max(1, abs(beta))
            assert shared.zero[i] == bool(each.zero[i] or (low < least and high > -least))
    assert (bounds.shared(each, n).zero == bounds.shared(each, n, 1.0).zero).all()


# -- rho ---------------------------------------------------------------------------------------------------------------


@pytest.mark.no_cover
def test_rho_is_the_error_over_the_distance_to_the_end_on_that_side(fmt: Format) -> None:
    for pairs, _ in judged(fmt):
        for each in (bounds.loss(pairs, fmt), bounds.gradient(pairs, fmt)):
            ends = [tuple(middle(x, i) for x in (each.low, each.exact, each.high)) for i in range(len(each.zero))]
            for share in (-1.001, -0.999, 0.25, 0.999, 3.0):
                got = np.array([float(e + share * (high - e if share > 0 else e - low)) for low, e, high in ends])
                rho = each.rho(got)
                for i, (low, exact, high) in enumerate(ends):
                    if got[i] == 0 or abs(real(float(got[i]))) >= real(fmt.largest):
                        continue
                    error = real(float(got[i])) - exact
                    width = high - exact if error > 0 else exact - low
                    if width == 0 or abs(error) < abs(exact) * mp.mpf(2) ** -53 + mp.mpf(2) ** -1020:
                        continue
                    ratio = abs(error) / width
                    assert abs(rho[i] - ratio) <= 1e-9 * ratio, (share, i)
                    assert (rho[i] > 1) == (ratio > 1) or abs(ratio - 1) < 1e-12, (share, i)


def test_a_result_in_doubt_at_an_end_is_accepted_and_one_beyond_the_doubt_is_not() -> None:
    each = plain(binary32, 1.0, 2.0, 3.0)
    each = replace(each, low=each.low.widen(absolute=0.125), high=each.high.widen(absolute=0.125))
    assert each.rho(np.array([0.9])).item() == each.rho(np.array([3.1])).item() == 1.0
    assert each.rho(np.array([1.1])).item() == pytest.approx(0.9)
    for got in (0.87, 3.13):
        assert each.rho(np.array([got])).item() == pytest.approx(1.13)


def test_what_the_oracle_knows_to_a_thousandth_of_the_interval_is_judged_and_to_less_is_not() -> None:
    each = plain(binary32, 1.0, 2.0, 3.0)
    for radius, known in ((2 / 1024 * 0.9999, True), (2 / 1024 * 1.0001, False)):
        assert np.isfinite(replace(each, exact=each.exact.widen(absolute=radius)).rho(np.array([2.5]))).item() == known
