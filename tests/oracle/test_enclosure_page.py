"""The kernel's balls and those of pairs: the radii are those of docs/enclosures.md, and larger only by the slack."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from page import f as softplus_minus
from page import mp, real
from page import s as sigma_minus
from radii import ENTRY, KERNEL, LEAST, PRODUCT, SUM, U, assert_normal, assert_radius, head, middle, radius, unit

from oracle import enclosure
from oracle.ball import Enclosure, exact, joined, where

RNG = np.random.default_rng(8)


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


def double_doubles() -> Enclosure:
    """Logits with a tail, of both signs, as products have."""
    z = exact(logits()) * (1 / 3)
    assert (z.tail != 0).mean() > 0.9
    return z


def test_the_tail_of_a_logit_counts_on_either_side_of_0() -> None:
    z = double_doubles()
    for some in (z[z.head > 0], z[z.head < 0]):
        f, s = enclosure.kernel(some)
        for i in range(some.size):
            c = real(middle(some, i))
            for ball, function in ((f, softplus_minus), (s, sigma_minus)):
                proved = fraction(function(abs(c))) / 2**72 + fraction(function(c)) / 2**100
                assert abs(middle(ball, i) - fraction(function(c))) <= proved


def test_a_ball_does_not_depend_on_its_neighbours() -> None:
    z = double_doubles()
    odd = exact([np.inf, -np.inf, np.nan, 1e30, -1e30])
    for beside in (odd, exact([3.0]).widen(absolute=5.0)):
        alone, together = enclosure.kernel(z), enclosure.kernel(joined(z, beside))
        for x, y in zip(alone, together, strict=True):
            for field in ("head", "tail", "exponent", "radius"):
                assert (getattr(x, field) == getattr(y, field)[: z.size]).all()


def test_an_exact_0_of_any_exponent_is_a_logit() -> None:
    zero = np.zeros(3)
    z = Enclosure(zero, zero, np.array([-2000, 20, 2000]), zero)
    f, s = enclosure.kernel(z)
    expected = enclosure.kernel(0.0)
    for x, y in ((f, expected[0]), (s, expected[1])):
        assert (x.head == y.head).all() and (x.tail == y.tail).all() and (x.radius == y.radius).all()


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


def test_margins_of_the_largest_numbers() -> None:
    """Each argument at its largest, alone and against another; a sum of more than 1000 bits that head and tail hold."""
    largest = 1.7e308
    for place, sign in enumerate((1, -1, -1, 1)):
        for value in (largest, -largest, np.inf, -np.inf):
            logps = [0.0] * 4
            logps[place] = value
            x = enclosure.margin(*([v] for v in logps))
            if np.isinf(value):
                assert x.head[0] == sign * value
            else:
                assert middle(x, 0) == sign * Fraction(value) and x.radius[0] == 0
    for logps in (
        (largest, -largest, -largest, largest),
        (2.0**1023, -(2.0**30), 0.0, 0.0),
    ):
        x = enclosure.margin(*([v] for v in logps))
        a, b, c, d = map(Fraction, logps)
        assert middle(x, 0) == a - b - c + d and x.radius[0] == 0
    lost = enclosure.margin([2.0**1023], [-(2.0**20)], 0.0, 0.0)
    assert 0 < Fraction(2) ** 1023 + 2**20 - middle(lost, 0) <= radius(lost, 0) <= 8 * LEAST * unit(lost, 0)


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


@pytest.mark.no_cover
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
