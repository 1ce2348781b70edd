"""The radii are those of docs/enclosures.md, in fractions: none is smaller, and none is larger by more than the slack."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from page import f as softplus_minus
from page import mp, real
from page import s as sigma_minus

from oracle import enclosure
from oracle.ball import Enclosure, exact, normalised, rescaled, where

RNG = np.random.default_rng(8)
U = Fraction(1, 2**53)
SUM, PRODUCT, QUOTIENT, KERNEL, ENTRY = (Fraction(1, 2**n) for n in (104, 102, 104, 71, 100))
LEAST = Fraction(1, 2**1000)
N = 300


def unit(x: Enclosure, i: int) -> Fraction:
    return Fraction(2) ** int(x.exponent[i])


def head(x: Enclosure, i: int) -> Fraction:
    return abs(Fraction(float(x.head[i]))) * unit(x, i)


def middle(x: Enclosure, i: int) -> Fraction:
    return (Fraction(float(x.head[i])) + Fraction(float(x.tail[i]))) * unit(x, i)


def radius(x: Enclosure, i: int) -> Fraction:
    return Fraction(float(x.radius[i])) * unit(x, i)


def assert_radius(x: Enclosure, i: int, stated: Fraction, charged: int = 1, room: Fraction = Fraction(0)) -> None:
    """SLACK = 1 + 32u is there, so that 15 roundings leave 16u and add up to 64u; LEAST_RADIUS is added a few times.

    charged: how often, where one operation follows another. room: what else the text leaves open.
    """
    least = 8 * LEAST * unit(x, i) if stated else 0
    assert stated * (1 + 15 * U) <= radius(x, i) <= stated * (1 + 64 * U) ** charged + least + room, i


def assert_normal(x: Enclosure) -> None:
    size = np.maximum(np.abs(x.head), x.radius)
    assert (((size >= 0.5) & (size <= 1)) | (size == 0)).all()
    assert ((x.radius == 0) | (x.radius >= 2.0**-1000)).all()
    assert (np.abs(x.tail) <= np.abs(x.head) * 2.0**-53).all()


def balls(exponents: tuple[int, int] = (-40, 40), widths: tuple[int, int] = (-120, 2), n: int = N) -> Enclosure:
    """Exact numbers, double-doubles, narrow balls, balls wider than their centre, and 0; in about equal parts."""
    centre = RNG.choice([-1.0, 1.0], n) * RNG.uniform(0.5, 1.0, n)
    tail = np.where(np.arange(n) % 3, centre * RNG.uniform(-1, 1, n) * 2.0**-54, 0.0)
    width = np.where(np.arange(n) % 5, 2.0 ** RNG.uniform(*widths, n), 0.0)
    centre, tail = (np.where(np.arange(n) % 11, part, 0.0) for part in (centre, tail))
    return normalised(centre, tail, RNG.integers(*exponents, n), width, special=np.zeros(n))


EXPONENTS = pytest.mark.parametrize("exponents", [(-3, 3), (-300, 300), (-4000, 4000)])


# -- one operation -----------------------------------------------------------------------------------------------------


@EXPONENTS
def test_the_radius_of_a_sum(exponents: tuple[int, int]) -> None:
    x, y = balls(exponents), balls(exponents)
    for other, result in ((y, x + y), (-y, x - y)):
        assert_normal(result)
        for i in range(N):
            apart = abs(int(x.exponent[i]) - int(other.exponent[i]))
            if apart < 600 or not (x.head[i] or x.radius[i]) or not (y.head[i] or y.radius[i]):
                stated = radius(x, i) + radius(other, i) + SUM * head(result, i)
                rounding = abs(middle(x, i) + middle(other, i) - middle(result, i))
                assert_radius(result, i, stated if radius(x, i) or radius(other, i) or head(result, i) else Fraction(0))
                assert rounding <= SUM * head(result, i) + 2 * LEAST * unit(result, i)


@pytest.mark.parametrize("apart", [598, 599, 600, 601, 5000])
@pytest.mark.parametrize("wide", [False, True])
def test_an_addend_600_orders_below_the_other_goes_into_the_radius(apart: int, wide: bool) -> None:
    large, small = exact([0.75, -0.5, 0.75]), exact([0.5, 0.625, -0.5])
    if wide:
        small = small.widen(relative=0.5)
    small = Enclosure(small.head, small.tail, small.exponent - apart, small.radius)
    for result in (large + small, small + large):
        for i in range(3):
            gone = middle(result, i) == middle(large, i)
            assert gone == (int(large.exponent[i]) - int(small.exponent[i]) >= 600)
            lost = Fraction(1, 2**598) * unit(large, i) if gone else radius(small, i)
            assert_radius(result, i, lost + SUM * head(result, i))


def test_an_exact_0_of_any_exponent_leaves_a_sum_as_it_is() -> None:
    x, zero = balls(), np.zeros(N)
    for exponent in (-5000, -1, 0, 1, 5000):
        nothing = Enclosure(zero, zero, np.full(N, exponent, dtype=np.int64), zero)
        for result in (x + nothing, nothing + x):
            assert (result.head == x.head).all() and (result.tail == x.tail).all()
            occupied = (x.head != 0) | (x.radius != 0)
            assert (result.exponent == x.exponent)[occupied].all()
    both = exact(zero) + Enclosure(zero, zero, np.full(N, 77, dtype=np.int64), zero)
    assert not both.head.any() and not both.radius.any()


@EXPONENTS
def test_the_radius_of_a_product(exponents: tuple[int, int]) -> None:
    x, y = balls(exponents), balls(exponents)
    result = x * y
    assert_normal(result)
    for i in range(N):
        spread = head(x, i) * radius(y, i) + head(y, i) * radius(x, i) + radius(x, i) * radius(y, i)
        assert_radius(result, i, spread + PRODUCT * head(x, i) * head(y, i))
        assert abs(middle(x, i) * middle(y, i) - middle(result, i)) <= Fraction(82, 10) * U**2 * head(x, i) * head(y, i)


@pytest.mark.parametrize("n", [1, 3, 10**6 + 3, 2**53])
def test_the_radius_of_a_quotient(n: int) -> None:
    x = balls()
    result = x.divided_by(n)
    assert_normal(result)
    for i in range(N):
        assert_radius(result, i, radius(x, i) / n + QUOTIENT * head(result, i))
        assert abs(middle(x, i) / n - middle(result, i)) <= 3 * U**2 * head(result, i) * (1 + 2 * U)


@pytest.mark.parametrize("relative", [1e-300, 2.0**-60, 0.25, 7.0])
def test_the_radius_of_a_widened_ball(relative: float) -> None:
    x = balls()
    by_itself = x.widen(relative=relative)
    assert_normal(by_itself)
    both = x.widen(relative=relative, absolute=np.full(N, 1e-3))
    alone = x.widen(absolute=1e-3)
    for i in range(N):
        grown = radius(x, i) + Fraction(relative) * (head(x, i) + radius(x, i))
        assert_radius(by_itself, i, grown)
        assert middle(by_itself, i) == middle(x, i) == middle(both, i)
        assert_radius(both, i, grown + Fraction(1e-3) + SUM * head(x, i), charged=2)
        assert_radius(alone, i, radius(x, i) + Fraction(1e-3) + SUM * head(x, i))


def test_widening_by_nothing_changes_nothing() -> None:
    x = balls()
    for same in (x.widen(), x.widen(relative=0.0, absolute=0.0), x.widen(absolute=np.zeros(N))):
        assert same is x
    some = x.widen(absolute=np.where(np.arange(N) == 7, 1.0, 0.0))
    assert radius(some, 7) >= radius(x, 7) + 1


def test_a_mirrored_ball_keeps_its_radius_and_an_absolute_value_its_size() -> None:
    x = balls()
    for i in range(N):
        assert middle(-x, i) == -middle(x, i) and radius(-x, i) == radius(x, i)
        assert middle(abs(x), i) == abs(middle(x, i)) and radius(abs(x), i) == radius(x, i)


# -- scales ------------------------------------------------------------------------------------------------------------


def raw(n: int, sizes: tuple[int, int], tails: int, widths: tuple[int, int] | None) -> tuple[np.ndarray, ...]:
    """(head, tail, exponent, radius) of any size, the tail that many binary orders below the head."""
    centre = RNG.choice([-1.0, 1.0], n) * np.ldexp(RNG.uniform(0.5, 1.0, n), RNG.integers(*sizes, n))
    tail = centre * RNG.uniform(0.5, 1.0, n) * 2.0**-tails
    width = np.zeros(n) if widths is None else np.ldexp(RNG.uniform(0.5, 1.0, n), RNG.integers(*widths, n))
    return centre, tail, RNG.integers(-50, 50, n), width


@pytest.mark.parametrize("sizes", [(-1073, -1060), (-1030, -990), (-200, 200), (990, 1024)])
@pytest.mark.parametrize("widths", [None, (-1070, -900), (-300, 300), (990, 1024)])
def test_a_ball_keeps_its_numbers_on_every_scale(sizes: tuple[int, int], widths: tuple[int, int] | None) -> None:
    parts = raw(N, sizes, 55, widths)
    before, after = Enclosure(*parts), normalised(*parts, special=np.zeros(N))
    assert_normal(after)
    for i in range(N):
        moved = abs(middle(after, i) - middle(before, i))
        assert moved <= Fraction(1, 2**1073) * unit(after, i)
        slack = radius(after, i) * 17 * U if after.radius[i] > 2.0**-947 else 0  # there LEAST_RADIUS is rounded away
        assert radius(before, i) + moved <= radius(after, i) + slack
        assert radius(after, i) <= radius(before, i) + 3 * LEAST * unit(after, i)
        assert (radius(after, i) == 0) == (radius(before, i) == 0 and moved == 0)


def test_an_exact_ball_that_loses_a_part_is_exact_no_longer() -> None:
    centre, tail = np.array([1.0, 1.0, 2.0**1000, 2.0**1000]), np.array([0.0, 2.0**-1074, 2.0**-1074, 2.0**900])
    kept = normalised(centre, tail, np.zeros(4, dtype=np.int64), np.zeros(4), special=np.zeros(4))
    assert (kept.radius == 0).tolist() == [True, False, False, True]
    assert (kept.radius[1:3] >= 2.0**-1000).all()


def test_what_is_not_finite_has_no_radius() -> None:
    zero, one = np.zeros(3), np.ones(3)
    special = np.array([np.nan, np.inf, -np.inf])
    result = normalised(one, one * 2.0**-60, np.full(3, 9), one, special=special)
    np.testing.assert_array_equal(result.head, special)
    for part in (result.tail, result.exponent, result.radius):
        assert part.dtype in (np.float64, np.int64) and (part == zero).all()
    assert result.exponent.dtype == np.int64


def test_a_rescaled_ball_is_the_same_ball() -> None:
    parts = raw(N, (-200, 200), 60, (-250, 200))
    before, after = Enclosure(*parts), rescaled(*parts)
    size = np.maximum(np.abs(after.head), after.radius)
    assert ((size >= 0.5) & (size < 1)).all()
    for i in range(N):
        assert middle(after, i) == middle(before, i)
        assert radius(after, i) == radius(before, i)


def test_exact_numbers_are_themselves() -> None:
    values = np.array([0.0, -0.0, 1.0, -0.3, 5e-324, 2.0**-1022, 1.7e308, np.inf, -np.inf, np.nan])
    x = exact(values)
    assert_normal(x[:7])
    assert [middle(x, i) for i in range(7)] == [Fraction(v) for v in values[:7].tolist()]
    np.testing.assert_array_equal(x.head[7:], values[7:])
    assert not x.tail.any() and not x.radius.any() and not x.exponent[7:].any()
    assert x.exponent.dtype == np.int64


# -- the kernel's balls ------------------------------------------------------------------------------------------------


def fraction(x: object) -> Fraction:
    """Of an mpf: its exact value."""
    sign, mantissa, exponent, _ = x._mpf_  # type: ignore[attr-defined]
    return (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** exponent


def stated_kernel(c: Fraction, d: Fraction) -> tuple[Fraction, Fraction]:
    """The radii of f and s of a ball that is evaluated: c + delta, |delta| <= d <= 1."""
    z = real(c)
    least_f, least_s, of_z, slope = (fraction(g(x)) for x in (abs(z), z) for g in (softplus_minus, sigma_minus))
    grown = d * (1 + 2 * d)
    by_f = KERNEL * least_f + ENTRY * of_z + grown * min(of_z, 1)
    return by_f, KERNEL * least_s + ENTRY * slope + grown * fraction(mp.exp(-abs(z)))


def logits() -> np.ndarray:
    """Of every size; cells' edges; both tails as far as they are evaluated, but for s close to 1."""
    t = np.concatenate(
        [
            RNG.uniform(0, 4, 60),
            RNG.uniform(0, 80, 60),
            2.0 ** RNG.uniform(-300, 6, 40),
            (RNG.integers(0, 1500, 20) + 0.5) * np.log(2) / 1024,
        ]
    )
    return np.concatenate([t, -t, RNG.uniform(80, 2.0**14, 40), [2.0**14 - 0.75]])


@pytest.mark.parametrize("width", [0.0, 1e-30, 2.0**-72, 1e-3, 0.5, 1.0])
def test_the_radii_of_the_loss_and_of_the_slope(width: float) -> None:
    z = exact(logits())
    z = z.widen(absolute=width) if width < 1.0 else wide_by(z, 1.0)
    f, s = enclosure.kernel(z)
    for i in range(z.size):
        d = radius(z, i)
        assert d <= 1
        of_f, of_s = stated_kernel(middle(z, i), d)
        assert_radius(f, i, of_f)
        assert_radius(s, i, of_s)


def wide_by(z: Enclosure, width: float) -> Enclosure:
    """Centres rounded to multiples of 2**-20, with that radius on the scale of each."""
    centre = np.rint(np.ldexp(z.head, np.clip(z.exponent, -60, 20)) * 2.0**20) * 2.0**-20
    powers = np.frexp(np.maximum(np.abs(centre), width))[1].astype(np.int64)
    scale = np.ldexp(1.0, -powers)
    return Enclosure(centre * scale, 0 * centre, powers, np.full(z.size, width) * scale)


def test_a_slope_close_to_1_is_charged_for_an_exponential_taken_as_2_to_the_minus_120() -> None:
    z = exact(-RNG.uniform(84, 8000, 40))
    f, s = enclosure.kernel(z)
    g, r = enclosure.kernel(z.widen(absolute=0.5))
    for i in range(40):
        depth = Fraction(1, 2**120)
        for of_f, of_s, d in ((f, s, Fraction(0)), (g, r, radius(z.widen(absolute=0.5), i))):
            by_f, by_s = stated_kernel(middle(z, i), d)
            room = (KERNEL + 2 * d * (1 + 2 * d)) * depth * (1 + 64 * U)
            assert_radius(of_f, i, by_f, room=room)
            assert_radius(of_s, i, by_s, room=room)


@pytest.mark.parametrize("width", [1.0 + 2.0**-20, 1.5, 40.0, 3e4, 1e30])
def test_a_ball_wider_than_1_is_coarse(width: float) -> None:
    """s is in [0, 1], and f in [0, |c| + d + 2**exponent / 2]."""
    z = wide_by(exact(np.concatenate([logits()[::7], [0.0, 2.0**15, -(2.0**15)]])), width)
    z = where(z.radius > 0.24, z, wide_by(exact(np.zeros(z.size)), width))
    f, s = enclosure.kernel(z)
    for i in range(z.size):
        assert middle(s, i) == Fraction(1, 2)
        assert Fraction(1, 2) <= radius(s, i) <= Fraction(1, 2) + 2 * LEAST
        most = head(z, i) + radius(z, i) + unit(z, i) / 2
        assert 0 <= radius(f, i) - middle(f, i) <= most * 64 * U
        assert most <= middle(f, i) + radius(f, i) <= most * (1 + 128 * U)


def test_where_a_ball_is_surely_beyond_2_to_the_13() -> None:
    """|head| - |tail| - radius >= 0.26 with an exponent of 15: both limits are proved; closer to 0 the ball is coarse."""
    heads, widths = (
        np.array([0.5, 0.5, 0.5, -0.5, -0.5, 0.75, -0.75]),
        np.array([0.0, 0.2399, 0.2401, 0.2399, 0.2401, 0.45, 0.0]),
    )
    z = Enclosure(heads, 0 * heads, np.full(7, 15, dtype=np.int64), widths)
    f, s = enclosure.kernel(z)
    far = [True, True, False, True, False, True, True]
    tail = Fraction(2) ** -11800
    for i in range(7):
        ends = [(middle(x, i) - radius(x, i), middle(x, i) + radius(x, i)) for x in (f, s)]
        if not far[i]:
            assert radius(s, i) >= Fraction(1, 2) == middle(s, i)
        elif heads[i] > 0:
            assert ends == [(0, tail), (0, tail)]
        else:
            assert middle(f, i) == -middle(z, i) and middle(s, i) == 1
            assert_radius(f, i, radius(z, i) + Fraction(1, 2**598) * unit(z, i) + SUM * head(z, i))
            assert_radius(s, i, 2 * (Fraction(1, 2**598) + SUM / 2))


def test_the_largest_logit_that_is_evaluated_has_an_exponent_of_14() -> None:
    f, s = enclosure.kernel(np.array([16383.9, 16384.0, -16383.9, -16384.0]))
    assert (f.head > 0).all() and f.exponent[0] > -24000
    assert (f.radius[:2] / f.head[:2]).tolist() == pytest.approx([2.0**-71, 1.0])
    assert (s.radius[:2] / s.head[:2]).tolist() == pytest.approx([2.0**-71, 1.0])
    assert s.radius[2] == pytest.approx(2.0**-100, rel=1e-6) and s.radius[3] < 2.0**-102


# -- pairs -------------------------------------------------------------------------------------------------------------


def quadruples() -> list[np.ndarray]:
    """Realistic logps; all sizes, which the integers sum; sums near overflow beside subnormal numbers."""
    real_logps = RNG.normal(size=(4, 150)) * 300
    wild = np.ldexp(RNG.choice([-1.0, 1.0], (4, 150)) * RNG.uniform(0.5, 1, (4, 150)), RNG.integers(-1073, 1024, (4, 150)))
    huge = 2.0**1023 * RNG.uniform(1, 1.9, 50) * RNG.choice([-1.0, 1.0], 50)
    tiny = RNG.normal(size=50) * 1e-310
    edge = 2.0**1020 * np.array([1.0, 0.5, 0.9375, 1.0])[:, None] * np.array([[1.0], [1e-90], [1e-190], [1e-290]])
    return list(np.concatenate([real_logps, wild, [huge, 0 * huge, tiny, -huge], edge, edge[::-1], -edge], axis=1))


def test_the_radius_of_a_margin_is_what_head_and_tail_leave() -> None:
    logps = quadruples()
    balls = enclosure.margin(*logps)
    assert_normal(balls)
    for i, (a, b, c, d) in enumerate(zip(*(column.tolist() for column in logps), strict=True)):
        left = abs(Fraction(a) - Fraction(b) - Fraction(c) + Fraction(d) - middle(balls, i))
        assert left <= radius(balls, i) <= left * (1 + 64 * U) + 4 * LEAST * unit(balls, i)
        assert (radius(balls, i) == 0) == (left == 0)


@pytest.mark.parametrize("beta", [0.1, -3.0, 1e300, 5e-324])
def test_the_radius_of_a_logit_is_that_of_a_product(beta: float) -> None:
    logps = quadruples()
    margins, logits_ = enclosure.margin(*logps), enclosure.logit(*logps, beta)
    for i in range(margins.size):
        size = abs(Fraction(beta))
        assert_radius(logits_, i, size * radius(margins, i) + PRODUCT * size * head(margins, i))


def weights(z: Enclosure, eps: float) -> list[tuple[Fraction, Fraction]]:
    """(c, the radius of c): the weight of |z| in the loss, eps for z >= 0 and else 1 - eps."""
    c = abs(1 - Fraction(eps))
    return [(c, SUM * c) if np.signbit(x) else (abs(Fraction(eps)), Fraction(0)) for x in z.head]


@pytest.mark.parametrize("eps", [0.0, 0.1, 0.5, 1.0, 1e-300])
@pytest.mark.parametrize("beta", [0.1, 1e-3, -0.3])
def test_the_radii_of_a_pairs_loss_and_gradient(eps: float, beta: float) -> None:
    logps = [np.concatenate([RNG.normal(size=60) * size for size in (1.0, 30.0, 300.0)]) for _ in range(4)]
    z = enclosure.logit(*logps, beta)
    loss, gradient = enclosure.loss(*logps, beta, eps), enclosure.gradient(*logps, beta, eps)
    for i, (c, of_c) in enumerate(weights(z, eps)):
        t, d = abs(middle(z, i)), radius(z, i)
        of_f, of_s = stated_kernel(t, d)
        of_product = c * d + t * of_c + of_c * d + PRODUCT * c * t
        assert_radius(loss, i, of_f + of_product + SUM * head(loss, i), charged=3)
        size = head(gradient, i) / abs(Fraction(beta))
        of_difference = of_s + of_c + SUM * size
        assert_radius(gradient, i, abs(Fraction(beta)) * (of_difference + PRODUCT * size), charged=3)
