"""The enclosures against Arb and exact fractions: no true value escapes its ball, no ball is wider than stated."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx
from numpy.typing import NDArray

from oracle import enclosure, first_tier, kernel
from oracle.enclosure import Enclosure
from oracle.formats import bfloat16, binary16
from oracle.tables import tables

pytestmark = pytest.mark.no_cover  # what it runs is counted where others run it

Floats = NDArray[np.float64]
BITS = 320
RNG = np.random.default_rng(4)


def escapes(balls: Enclosure, truths: Iterable[arb]) -> int:
    """How many true values Arb does not prove to be inside their ball."""
    fields = (balls.head.tolist(), balls.tail.tolist(), balls.exponent.tolist(), balls.radius.tolist())
    count = 0
    for head, tail, exponent, radius, truth in zip(*fields, truths, strict=True):
        scaled, centre = truth * arb((1, -exponent)), arb(head) + tail
        inside = (scaled - (centre - radius) >= 0) and ((centre + radius) - scaled >= 0)
        count += not inside
    return count


def softplus(x: arb) -> arb:
    return x.exp().log1p() if x < 0 else x + (-x).exp().log1p()


def sigma(x: arb) -> arb:
    return 1 / (1 + (-x).exp()) if x > 0 else x.exp() / (1 + x.exp())


def relative_radius(balls: Enclosure) -> float:
    return float((balls.radius / np.abs(balls.head)).max())


def logits(count: int) -> Floats:
    """Random and adversarial: realistic, tiny, around 0, at the tables' breakpoints, deep tails, not evaluated."""
    k = count // 10

    def sign() -> Floats:
        return RNG.choice([-1.0, 1.0], k)

    def nudged(x: Floats) -> Floats:
        return sign() * x * (1.0 + RNG.integers(-8, 9, k) * 2.0**-52)

    step = np.log(2) / 1024
    half_steps = (RNG.integers(0, 60000, k) + RNG.choice([0.0, 0.5], k)) * step
    reciprocal_edges = -np.log((RNG.integers(1, 1025, k) - 0.5) / 1024)
    return np.concatenate(
        [
            RNG.normal(size=k) * 3,
            RNG.normal(size=k) * 30,
            sign() * RNG.random(k) * 50,
            sign() * 2.0 ** -(RNG.random(k) * 1074),
            nudged(half_steps),
            nudged(reciprocal_edges),
            sign() * (700 + 400 * RNG.random(k)),
            sign() * 2.0 ** (RNG.random(k) * 17),
            sign() * 2.0 ** (RNG.random(k) * 1000 + 17),
            sign() * RNG.random(k) * 2.0 ** RNG.integers(-60, 15, k),
        ]
    )


@pytest.fixture(autouse=True)
def _precision() -> Iterable[None]:
    before, ctx.prec = ctx.prec, BITS
    yield
    ctx.prec = before


def evaluable(z: Floats) -> tuple[list[arb], list[arb]]:
    """The truths; below -2**17 the exact -z and 1, above 2**17 exact zeros, which are 2**-180000 away."""
    far = [abs(v) > 2.0**17 for v in z.tolist()]
    f = [arb(max(-v, 0.0)) if skip else softplus(-arb(v)) for v, skip in zip(z.tolist(), far, strict=True)]
    s = [arb(float(v < 0)) if skip else sigma(-arb(v)) for v, skip in zip(z.tolist(), far, strict=True)]
    return f, s


def test_no_loss_and_no_slope_escapes() -> None:
    z = logits(100_000)
    f, s = enclosure.kernel(z)
    true_f, true_s = evaluable(z)
    assert escapes(f, true_f) == 0
    assert escapes(s, true_s) == 0
    inside = np.abs(z) < 2.0**13
    assert relative_radius(f[inside]) <= 2.0**-70
    assert relative_radius(s[inside]) <= 2.0**-70


@pytest.mark.parametrize("fmt", [binary16, bfloat16], ids=str)
def test_no_16_bit_logit_escapes(fmt) -> None:
    values = fmt.all_values()
    z = values[np.isfinite(values)]
    f, s = enclosure.kernel(z)
    true_f, true_s = evaluable(z)
    assert escapes(f, true_f) == escapes(s, true_s) == 0


def test_the_kernel_errs_by_no_more_than_is_proved() -> None:
    """Half of what is charged, and less: 2**-72.2 for f, 2**-72.7 for s, 2**-73.5 for the exponential, u for y alone."""
    t = np.abs(logits(20_000))
    t = t[(t < kernel.LARGEST_T) & (t > 2.0**-900)]
    low = t * RNG.uniform(-1, 1, t.size) * 2.0**-54
    values, ((y, y_low), k) = kernel.evaluate((t, low)), kernel.exponential((t, low))
    assert (k >= 0).all() and (y <= 2).all()
    for i in range(t.size):
        z, scale = arb(t[i]) + low[i], arb((1, int(values.exponent[i])))
        exponential = (-z).exp()
        for got, true, bits in (
            ((arb(y[i]) + y_low[i]) * arb((1, -int(k[i]))), exponential, "73.5"),
            ((arb(values.f[0][i]) + values.f[1][i]) * scale, exponential.log1p(), "72.2"),
            ((arb(values.s[0][i]) + values.s[1][i]) * scale, exponential / (1 + exponential), "72.7"),
            (arb(values.y[i]) * scale, exponential, "52.9"),
        ):
            assert abs(got / true - 1) <= arb(2) ** -arb(bits), t[i]


@pytest.mark.usefixtures("by_numpy")
@pytest.mark.parametrize("constant", ["RELATIVE_ERROR"])
def test_the_confrontation_sees_a_radius_that_is_too_small(monkeypatch, constant) -> None:
    z = logits(2000)
    true_f, true_s = evaluable(z)
    monkeypatch.setattr(enclosure, constant, 2.0**-78)
    f, s = enclosure.kernel(z)
    assert escapes(f, true_f) > 0
    assert escapes(s, true_s) > 0


@pytest.mark.usefixtures("by_numpy")
def test_the_confrontation_sees_a_wrong_table_entry(monkeypatch) -> None:
    z, table = logits(2000), tables()
    wrong = table.log_tail.copy()
    wrong[700:800] *= 1 + 2.0**-10
    monkeypatch.setattr(kernel, "tables", lambda: replace(table, log_tail=wrong))
    assert escapes(enclosure.kernel(z)[0], evaluable(z)[0]) > 0


@pytest.mark.parametrize("relative", [0.0, 2.0**-98, 2.0**-60, 2.0**-20, 0.3, 3.0])
def test_the_radius_of_z_is_carried(relative: float) -> None:
    z = np.concatenate([logits(2000)[:1800], [1e5, -1e5, 1e200, -1e200, 0.0]])
    ball = enclosure.exact(z).widen(relative=relative)
    f, s = enclosure.kernel(ball)
    for end in (-1, 0, 1):
        with np.errstate(over="ignore"):
            ends = [arb(v) * (1 + end * arb(relative)) for v in z.tolist()]
        true_f = [softplus(-e) if abs(e) < 2**18 else (-e if e < 0 else arb(0)) for e in ends]
        true_s = [sigma(-e) if -150 < e < 2**18 else arb(float(e < 0)) for e in ends]  # 1 to 2**-216
        assert escapes(f, true_f) == 0
        assert escapes(s, true_s) == 0


def test_infinities_and_nan() -> None:
    f, s = enclosure.kernel(np.array([np.inf, -np.inf, np.nan]))
    assert f.head[0] == 0 and f.head[1] == np.inf and np.isnan(f.head[2])
    assert s.head[0] == 0 and s.head[1] * 2.0 ** s.exponent[1] == 1 and np.isnan(s.head[2])
    assert not f.radius.any() and not s.radius.any()


def quadruples(count: int) -> list[Floats]:
    """Realistic logps; logps that cancel to the last bits; numbers of all sizes, subnormal and near overflow too."""
    k = count // 4
    real = [-np.abs(RNG.normal(size=k)) * 300 for _ in range(4)]
    a, b = RNG.normal(size=k) * 300, RNG.normal(size=k) * 2.0 ** RNG.integers(-300, 300, k)
    tight = [a, a * (1 + RNG.integers(-2, 3, k) * 2.0**-52), b, b * (1 + RNG.integers(-2, 3, k) * 2.0**-52)]
    wild = [RNG.choice([-1.0, 1.0], k) * np.ldexp(RNG.random(k), RNG.integers(-1074, 1024, k)) for _ in range(4)]
    huge = RNG.choice([-1.0, 1.0], k) * np.ldexp(1 + RNG.random(k), 1023)
    signs = [RNG.integers(-1, 2, k).astype(np.float64) for _ in range(2)]
    large = [huge, huge * signs[0], RNG.normal(size=k) * 1e-310, huge * signs[1]]
    return [np.concatenate(parts) for parts in zip(real, tight, wild, large, strict=True)]


def as_fraction(values: Floats, i: int) -> Fraction:
    return Fraction(float(values[i]))


def misses(balls: Enclosure, truths: list[Fraction], bound: Fraction) -> int:
    """How many exact values are outside their ball, or have a ball wider than bound * |value|."""
    count = 0
    for i, truth in enumerate(truths):
        unit = Fraction(2) ** int(balls.exponent[i])
        centre = (as_fraction(balls.head, i) + as_fraction(balls.tail, i)) * unit
        radius = as_fraction(balls.radius, i) * unit
        count += not (abs(truth - centre) <= radius <= bound * abs(truth))
    return count


def margins(logps: list[Floats]) -> list[Fraction]:
    pc, pr, rc, rr = ([Fraction(v) for v in column.tolist()] for column in logps)
    return [a - b - c + d for a, b, c, d in zip(pc, pr, rc, rr, strict=True)]


def test_margin_encloses_the_exact_sum() -> None:
    logps = quadruples(8000)
    balls = enclosure.margin(*logps)
    assert misses(balls, margins(logps), Fraction(1, 2**101)) == 0
    assert ((np.abs(balls.head) >= 0.5) | (balls.head == 0)).all()


def test_the_sum_in_integers_encloses_the_exact_sum_too(monkeypatch) -> None:
    logps = quadruples(2000)
    fast = enclosure.margin(*logps)
    monkeypatch.setattr(enclosure, "SUM_ERROR", -1.0)
    slow = enclosure.margin(*logps)
    assert misses(slow, margins(logps), Fraction(1, 2**101)) == 0
    assert (slow.head != fast.head).sum() <= 5  # a sum half-way between two heads but for 2**-106 of it may have either


@pytest.mark.parametrize("beta", [0.1, 1.0, 5e-324, 1.7e308, -0.3, 0.0])
def test_logit_encloses_the_exact_product(beta: float) -> None:
    logps = quadruples(2000)
    truths = [m * Fraction(beta) for m in margins(logps)]
    assert misses(enclosure.logit(*logps, beta), truths, Fraction(1, 2**100)) == 0


def test_margin_and_logit_at_infinity() -> None:
    inf, nan = np.inf, np.nan
    m = enclosure.margin([inf, inf, -inf, nan, 1e308], [0.0, inf, 0.0, 0.0, inf], [0.0, 0, 0, 0, -1e308], 0.0)
    np.testing.assert_array_equal(m.head, [inf, nan, -inf, nan, -inf])
    z = enclosure.logit([inf, inf, 1.0, 0.0], 0.0, 0.0, 0.0, [0.0, -2.0, inf, inf])
    np.testing.assert_array_equal(z.head, [nan, -inf, inf, nan])


def exact_logits(logps: list[Floats], beta: float) -> list[arb]:
    return [arb(m.numerator) / m.denominator * arb(beta) for m in margins(logps)]


SMOOTHING = [0.0, 1e-3, 0.1, 0.3, 0.5, 1.0]


def pair_logps() -> list[Floats]:
    """Realistic and cancelling logps, and a few whose logits reach the tails of both functions."""
    logps = [np.concatenate([column[:1000], RNG.normal(size=500) * 3000]) for column in quadruples(2000)]
    return [np.where(np.abs(column) < 1e6, column, 1.5) for column in logps]


@pytest.mark.parametrize("eps", SMOOTHING)
def test_no_smoothed_loss_escapes(eps: float) -> None:
    logps = pair_logps()
    truths = [(1 - arb(eps)) * softplus(-z) + arb(eps) * softplus(z) for z in exact_logits(logps, 0.1)]
    balls = enclosure.loss(*logps, 0.1, eps)
    assert escapes(balls, truths) == 0
    assert relative_radius(balls) <= 2.0**-69


@pytest.mark.parametrize("eps", SMOOTHING)
def test_no_gradient_escapes(eps: float) -> None:
    logps = pair_logps()
    differences = [sigma(-z) - eps if z > 0 else (1 - arb(eps)) - sigma(z) for z in exact_logits(logps, 0.1)]
    balls = enclosure.gradient(*logps, 0.1, eps)
    assert escapes(balls, [-arb(0.1) * difference for difference in differences]) == 0
    if eps in (0.0, 1.0):
        assert relative_radius(balls) <= 2.0**-69


def test_gradient_where_the_slope_meets_label_smoothing() -> None:
    z = np.log(9.0) * (1 + np.arange(-50, 51) * 2.0**-52)
    balls = enclosure.gradient(z, 0.0, 0.0, 0.0, 1.0, 0.1)
    assert escapes(balls, [arb(0.1) - sigma(-arb(v)) for v in z.tolist()]) == 0
    assert (balls.radius * 2.0**balls.exponent <= 2.0**-69).all()


def test_limits_of_the_smoothed_loss() -> None:
    eps = np.array([0.0, 0.1, 1.0])
    up = enclosure.loss(np.inf, 0.0, 0.0, 0.0, 0.1, eps)
    down = enclosure.loss(-np.inf, 0.0, 0.0, 0.0, 0.1, eps)
    np.testing.assert_array_equal(up.head, [0.0, np.inf, np.inf])
    np.testing.assert_array_equal(down.head, [np.inf, np.inf, 0.0])
    assert np.isnan(enclosure.loss(np.nan, 0.0, 0.0, 0.0).head)


def assert_same(x: Enclosure, y: Enclosure) -> None:
    for field in ("head", "tail", "exponent", "radius"):
        assert (getattr(x, field) == getattr(y, field)).all() and getattr(x, field).dtype == getattr(y, field).dtype


def test_the_two_functions_by_name_and_the_defaults() -> None:
    z = RNG.normal(size=50)
    f, s = enclosure.kernel(z)
    assert_same(enclosure.softplus_minus(z), f)
    assert_same(enclosure.sigmoid_minus(z), s)
    logps = [RNG.normal(size=50) for _ in range(4)]
    assert_same(enclosure.logit(*logps), enclosure.logit(*logps, 0.1))
    assert_same(enclosure.loss(*logps), enclosure.loss(*logps, 0.1, 0.0))
    assert_same(enclosure.gradient(*logps), enclosure.gradient(*logps, 0.1, 0.0))


def test_integers_and_float32_are_the_numbers_that_they_are() -> None:
    whole = [[-3, -70], [-5, 2**53 - 1], [-2, 7], [1, 0]]
    single = [np.array(row, np.float32) for row in ([0.1, 1e30], [0.7, -3.3], [1e-30, 0.5], [-0.3, 2.0])]
    for rows in (whole, single):
        floats = [np.asarray(row, np.float64) for row in rows]
        assert_same(enclosure.margin(*rows), enclosure.margin(*floats))
        assert_same(enclosure.loss(*rows, 1, 0), enclosure.loss(*floats, 1.0, 0.0))


def test_blocks_and_broadcasting_change_nothing() -> None:
    logps = [RNG.normal(size=(3, 20_000)) for _ in range(2)]
    beta, eps = np.array([[0.1], [0.2], [0.3]]), 0.1
    whole = enclosure.loss(logps[0], logps[1], 0.5, 0.25, beta, eps)
    assert whole.shape == (3, 20_000)
    for row in range(3):
        alone = enclosure.loss(logps[0][row, 12345], logps[1][row, 12345], 0.5, 0.25, beta[row, 0], eps)
        assert alone.shape == ()
        assert (whole.head[row, 12345], whole.tail[row, 12345]) == (alone.head, alone.tail)
    assert enclosure.loss(np.empty(0), 0.0, 0.0, 0.0).shape == (0,)


def sixty_four_bits(n: int, step: int) -> NDArray[np.uint64]:
    """n words that are the same everywhere, spread evenly."""
    return np.arange(1, n + 1, dtype=np.uint64) * np.uint64(step)


def test_the_results_are_the_same_bits_everywhere() -> None:
    """As `oracle.enclosure` and `oracle.first_tier` claim; only a change that means to change bits gives a new digest."""
    n = 40_000  # more than one block
    words, sizes = sixty_four_bits(n, 0x9E3779B97F4A7C15), sixty_four_bits(n, 0xD1342543DE82EF95) >> np.uint64(58)
    sign = 1.0 - 2.0 * (np.arange(n) % 2)
    z = sign * np.ldexp(1.0 + (words >> np.uint64(12)) * 2.0**-52, sizes.astype(np.int64) - 48)
    quarters = z.reshape(4, -1)
    results = [*enclosure.kernel(z), enclosure.loss(*quarters, 0.1, 0.1), enclosure.gradient(*quarters, 0.1, 0.1)]
    results += enclosure.kernel(enclosure.exact(z).widen(relative=2.0**-20))
    fields = [field for x in results for field in (x.head, x.tail, x.exponent, x.radius)]
    fields += [first_tier.softplus_minus(z), first_tier.sigmoid_minus(z)]
    digest = hashlib.sha256(b"".join(field.astype(field.dtype.newbyteorder("<")).tobytes() for field in fields))
    assert digest.hexdigest() == "5a7872487f98adb9efff0f734dfa174de5225b22b0f0c4e58d7b42e1438982c6"
