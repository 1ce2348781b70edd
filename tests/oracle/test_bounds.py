"""The acceptance intervals, both ways: nothing that is correct lies outside, and correct code reaches the ends."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import adversary
import numpy as np
import pytest
from adversary import Adversary

from conformance.inputs.logits import thresholds
from conformance.inputs.pairs import (
    cancelling,
    far_from_reference,
    mixed_magnitudes,
    near_overflow,
    near_reference,
    short_responses,
    very_long_responses,
)
from oracle import (
    FORMATS,
    Format,
    NotANumber,
    NotFinite,
    OutOfRange,
    ShapeMismatch,
    bfloat16,
    binary16,
    binary32,
    binary64,
    bounds,
)
from oracle.ball import Enclosure, exact, joined
from oracle.bounds import Acceptance, Pairs, centre
from oracle.bounds.intervals import smoothing_weight
from oracle.bounds.kernel import parts
from oracle.formats import Floats

REGIMES = (
    near_reference,
    far_from_reference,
    short_responses,
    cancelling,
    mixed_magnitudes,
    very_long_responses,
    near_overflow,
)
OPTIONS = (
    (0.1, 0.0),
    (5.0, 0.0),
    (1e-6, 0.0),
    (-0.3, 0.1),
    (0.1, 0.5),
    (1e3, 0.3),
    (1e-3, 0.1),
    (0.01, 1e-3),
    (1.0, 1.0),
    (1.0, 1e-6),
)


@pytest.fixture(params=FORMATS, ids=str)
def fmt(request: pytest.FixtureRequest) -> Format:
    found: Format = request.param
    return found


def hostile_pairs(fmt: Format, n: int, rng: np.random.Generator) -> tuple[Floats, ...]:
    """n pairs of every regime, logits at and around every threshold, and n pairs of subnormal logps."""
    columns = [np.array(draw(fmt, n, rng).logps) for draw in REGIMES]
    z = fmt.round_array(np.concatenate([thresholds(fmt), 2.0 ** np.arange(-8, 8)]))
    z = np.concatenate([z, -z])
    nothing = np.zeros(z.shape)
    columns.append(np.array([np.minimum(z, 0), np.minimum(-z, 0), nothing, nothing]))
    columns.append(fmt.round_array(-fmt.smallest_normal * rng.uniform(0, 4, (4, n))))
    return tuple(np.concatenate(columns, axis=1))


def representable(fmt: Format, pairs: Pairs) -> Pairs:
    kept = np.flatnonzero(bounds.representable(pairs, fmt))
    return Pairs(*(x[kept] for x in pairs.logps), pairs.beta, pairs.label_smoothing)


def repeated(each: Acceptance, times: int) -> Acceptance:
    exact_, low, high = (joined(*[x] * times) for x in (each.exact, each.low, each.high))
    return Acceptance(exact_, low, high, np.tile(each.zero, times), each.fmt)


Judged = tuple[str, float, bool, Floats]


def judged(fmt: Format, n: int, seed: int) -> Iterator[Judged]:
    """(quantity, label_smoothing, flush, rho) of everything that the adversary makes of hostile pairs."""
    rng = np.random.default_rng(seed)
    for beta, eps in OPTIONS:
        pairs = representable(fmt, Pairs(*hostile_pairs(fmt, n, rng), beta, eps))
        loss, gradient = (repeated(make(pairs, fmt), 3) for make in (bounds.loss, bounds.gradient))
        for arithmetic in (Adversary(fmt), Adversary(fmt, flush=True)):
            z = adversary.extreme_logits(arithmetic, pairs)
            for way in (-1.0, 1.0):
                for _, got in adversary.losses(arithmetic, z, eps, way):
                    yield "loss", eps, arithmetic.flush, loss.rho(adversary.towards(got, loss.exact))
                for _, got in adversary.derivatives(arithmetic, z, beta, eps, way):
                    yield "gradient", eps, arithmetic.flush, gradient.rho(adversary.towards(got, gradient.exact))


def _bits(each: Acceptance) -> list[bytes]:
    balls = (each.exact, each.low, each.high)
    return [field.tobytes() for ball in balls for field in (ball.head, ball.tail, ball.exponent, ball.radius)] + [
        each.zero.tobytes()
    ]


@pytest.mark.parametrize("smoothed", [False, True])
def test_options_of_each_pair_give_what_they_give_alone_to_the_bit(fmt: Format, smoothed: bool) -> None:
    logps = hostile_pairs(fmt, 3, np.random.default_rng(8))
    options = [
        (beta, eps)
        for beta, eps in (*OPTIONS, (0.0, 0.0), (-0.0, 0.2), (fmt.smallest_subnormal, 0.3))
        if (eps != 0) is smoothed
    ]
    n = len(logps[0])
    betas, smoothings = (np.repeat(column, n) for column in zip(*options, strict=True))
    together = Pairs(*(np.tile(x, len(options)) for x in logps), betas, smoothings)
    whole = {make: make(together, fmt) for make in (bounds.loss, bounds.gradient)}
    kept = bounds.representable(together, fmt)
    for place, (beta, eps) in enumerate(options):
        alone, these = Pairs(*logps, beta, eps), np.arange(place * n, (place + 1) * n)
        for make, every in whole.items():
            assert _bits(every[these]) == _bits(make(alone, fmt)), (make, beta, eps)
        assert (kept[these] == bounds.representable(alone, fmt)).all()


def test_options_of_each_pair_that_cannot_be_are_refused() -> None:
    zeros = np.zeros(2)
    with pytest.raises(ShapeMismatch):
        Pairs(zeros, zeros, zeros, zeros, np.ones(3), 0.0)
    with pytest.raises(NotFinite, match="label_smoothing"):
        Pairs(zeros, zeros, zeros, zeros, 1.0, np.array([0.1, math.nan]))
    mixed = Pairs(zeros, zeros, zeros, zeros, 1.0, np.array([0.1, 0.0]))
    for make in (bounds.loss, bounds.gradient):
        with pytest.raises(OutOfRange, match="0 for all pairs or for none of them"):
            make(mixed, binary32)
    with pytest.raises(NotANumber):
        bounds.second(Pairs(zeros, zeros, zeros, zeros, np.ones(2), 0.0), binary32)


@pytest.mark.no_cover
def test_whatever_correct_code_returns_is_accepted_and_the_worst_of_it_comes_close_to_the_end(fmt: Format) -> None:
    worst: dict[tuple[str, bool], float] = defaultdict(float)
    for quantity, eps, flush, rho in judged(fmt, 12, seed=1):
        assert (rho <= 1).all(), (quantity, eps, flush, float(rho.max()))
        key = (quantity, eps != 0)
        worst[key] = max(worst[key], float(rho.max()))
    print(fmt, {f"{quantity}{' smoothed' * smoothed}": round(rho, 4) for (quantity, smoothed), rho in worst.items()})
    assert len(worst) == 4
    assert min(worst.values()) > 0.98


@pytest.mark.no_cover
def test_no_regime_is_judged_ten_times_too_leniently(fmt: Format) -> None:
    rng = np.random.default_rng(2)
    for draw in REGIMES:
        for eps in (0.0, 0.1):
            pairs = representable(fmt, Pairs(*draw(fmt, 40, rng).logps, 0.3, eps))
            z = adversary.extreme_logits(Adversary(fmt), pairs)
            for make, ways in ((bounds.loss, adversary.losses), (bounds.gradient, None)):
                each, most = repeated(make(pairs, fmt), 3), 0.0
                for way in (-1.0, 1.0):
                    results = (
                        ways(Adversary(fmt), z, eps, way) if ways else adversary.derivatives(Adversary(fmt), z, 0.3, eps, way)
                    )
                    most = max(most, *(float(each.rho(adversary.towards(got, each.exact)).max()) for _, got in results))
                assert most > 0.4, (draw.__name__, eps, make.__name__)  # s near 1, where a smoothed one has w of s near 0


def test_the_exact_value_is_accepted_and_has_rho_zero_or_nearly(fmt: Format) -> None:
    pairs = representable(fmt, Pairs(*hostile_pairs(fmt, 10, np.random.default_rng(3)), 0.1, 0.1))
    for make in (bounds.loss, bounds.gradient):
        each = make(pairs, fmt)
        assert (each.rho(centre(each.exact)) < 0.6 / bounds.kernel_least(fmt)).all()  # binary64 rounds it once


# -- means -------------------------------------------------------------------------------------------------------------


def pushed(fmt: Format, pairs: Pairs, way: float, *, gradient: bool, flush: bool = False) -> Enclosure:
    """Each result as far one way as the adversary gets it."""
    arithmetic = Adversary(fmt, flush)
    z = adversary.extreme_logits(arithmetic, pairs)
    if gradient:
        results = adversary.derivatives(arithmetic, z, pairs.beta, pairs.label_smoothing, way)
    else:
        results = adversary.losses(arithmetic, z, pairs.label_smoothing, way)
    n = len(pairs.policy_chosen_logps)
    found = [x[i * n : (i + 1) * n] for _, x in results for i in range(3)]
    best = found[0]
    for x in found[1:]:
        further = (x - best).head * way > 0
        best = Enclosure(*(np.where(further, getattr(x, f), getattr(best, f)) for f in ("head", "tail", "exponent", "radius")))
    return best


@pytest.mark.no_cover
@pytest.mark.parametrize("n", [1, 9])
def test_means_of_pushed_losses_are_accepted(fmt: Format, n: int) -> None:
    rng, most = np.random.default_rng(n), 0.0
    for eps, flush in ((0.0, False), (0.0, True), (0.1, False)):
        pairs = representable(fmt, Pairs(*short_responses(fmt, n, rng).logps, 0.5, eps))
        each = bounds.mean(bounds.loss(pairs, fmt))
        for way in (-1.0, 1.0):
            got = adversary.means(Adversary(fmt, flush), pushed(fmt, pairs, way, gradient=False, flush=flush), way)
            most = max(most, float(each.rho(adversary.towards(got, each.exact))[0]))
    assert 0.5 < most <= 1


@pytest.mark.parametrize("n", [2, 33, 100])
@pytest.mark.parametrize("zeros", [0, 1000])
def test_sums_that_round_away_every_time_are_accepted_and_come_close(n: int, zeros: int) -> None:
    """1 and then numbers just above u: every partial sum rounds up by nearly u (Rump 2012, section 4)."""
    for narrow in (bfloat16, binary16):
        u = narrow.unit_roundoff
        values = np.concatenate([[1.0], np.full(n - 1, u * (1 + 2 * u)), np.zeros(zeros)])
        total = 0.0
        for value in values:
            total = float(narrow.round_array(total + value))
        share = narrow.round_array(1 / narrow.round_array(len(values)))
        got = narrow.round_array(np.array([total * share]))
        ends = exact(values)
        each = Acceptance(ends, ends, ends, np.zeros(len(values), bool), narrow)
        rho = bounds.mean(each).rho(got)[0]
        assert rho <= 1
        assert rho > 0.4 or len(values) <= 2 ** (narrow.precision - 4) or n < 33


@pytest.mark.parametrize("n", [2, 9, 16, 64])
def test_a_running_mean_is_accepted_as_long_as_it_moves(n: int) -> None:
    rng = np.random.default_rng(n)
    for narrow in (bfloat16, binary16):
        if n > 2 ** (narrow.precision - 4):
            continue
        values = narrow.round_array(rng.uniform(0, 9, n) ** 3)
        mean = 0.0
        for i, value in enumerate(values, 1):
            step = narrow.round_array(narrow.round_array(value - mean) / i)
            mean = float(narrow.round_array(mean + step))
        ends = exact(values)
        assert bounds.mean(Acceptance(ends, ends, ends, np.zeros(n, bool), narrow)).rho(np.array([mean]))[0] <= 1


def test_a_few_among_many_zeros_are_judged_as_a_few(fmt: Format) -> None:
    ends = exact(np.concatenate([np.zeros(999), [48.0]]))
    each = bounds.mean(Acceptance(ends, ends, ends, np.zeros(1000, bool), fmt))
    for wrong in (0.0, -0.048, 0.96, 48 / 1024, 48 / 999 * (1 + 4 * fmt.unit_roundoff) * 1.02):
        assert each.rho(np.array([wrong]))[0] > 1
    assert each.rho(np.array([0.048]))[0] < 0.1


def test_means_of_flushed_losses_are_accepted() -> None:
    z = np.linspace(8, 12, 33)
    pairs = Pairs(0 * z, binary16.round_array(-z), 0 * z, 0 * z, 1.0, 0.0)
    each = bounds.loss(pairs, binary16)
    losses = centre(each.exact)
    flushed = np.where(losses < binary16.smallest_normal, 0.0, losses)
    assert (flushed == 0).any() and (flushed != 0).any()
    assert bounds.mean(each).rho(np.array([flushed.mean()]))[0] <= 1
    assert bounds.mean(each).rho(np.array([0.9 * flushed.mean()]))[0] > 1


def test_a_mean_is_neither_a_sum_nor_over_another_number(fmt: Format) -> None:
    pairs = Pairs(*short_responses(fmt, 8, np.random.default_rng(4)).logps, 0.1, 0.0)
    each = bounds.loss(pairs, fmt)
    mean, total = bounds.mean(each), float(centre(each.exact).sum())
    assert mean.rho(np.array([total / 8]))[0] < 0.1
    for wrong in (total, total / 7, total / 9):
        assert mean.rho(np.array([wrong]))[0] > (0.7 if fmt is bfloat16 else 1)


def test_a_mean_whose_sum_may_overflow_may_be_infinite() -> None:
    z = -np.full(4, 20000.0)
    each = bounds.loss(Pairs(z, 0 * z, 0 * z, 0 * z, 1.0, 0.0), binary16)
    assert bounds.mean(each).rho(np.array([math.inf]))[0] <= 1
    assert bounds.mean(each).rho(np.array([math.nan]))[0] == math.inf
    few = bounds.loss(Pairs(z[:2], 0 * z[:2], 0 * z[:2], 0 * z[:2], 1.0, 0.0), binary16)
    assert bounds.mean(few).rho(np.array([math.inf]))[0] > 1


@pytest.mark.no_cover
@pytest.mark.parametrize("n", [1, 3, 33])
def test_shared_derivatives_are_accepted(fmt: Format, n: int) -> None:
    for beta, eps in ((0.1, 0.0), (5.0, 0.1)):
        pairs = representable(fmt, Pairs(*short_responses(fmt, n, np.random.default_rng(n)).logps, beta, eps))
        each = bounds.shared(bounds.gradient(pairs, fmt), n, beta)
        for way in (-1.0, 1.0):
            arithmetic = Adversary(fmt)
            got = pushed(fmt, pairs, way, gradient=True).divided_by(n)
            got = arithmetic.product(got + abs(got) * (fmt.unit_roundoff * way), way)
            assert (each.rho(adversary.towards(got, each.exact)) <= 1).all()


def test_a_share_is_flushed_before_a_beta_above_1_is_applied() -> None:
    z = np.array([8.0])
    pairs = Pairs(0 * z, -z / 8, 0 * z, 0 * z, 8.0, 0.0)
    each = bounds.gradient(pairs, binary16)
    assert each.rho(np.zeros(1))[0] > 1
    assert bounds.shared(each, 33).rho(np.zeros(1))[0] > 1
    assert bounds.shared(each, 33, 8.0).rho(np.zeros(1))[0] <= 1


def test_summation_counts_one_rounding_more_where_n_is_no_number_of_the_format() -> None:
    u = 2.0**-8
    assert bounds.summation(256, bfloat16) == pytest.approx((1 + 255 * u) * (1 + u) ** 2 - 1, rel=1e-9)
    assert bounds.summation(257, bfloat16) == pytest.approx((1 + 256 * u) * (1 + u) ** 3 - 1, rel=1e-9)
    assert bounds.summation(1, binary64) >= 2 * 2.0**-53


# -- zero, and what flushing may do -------------------------------------------------------------------------------------


def one(pc: float, pr: float = 0.0, rc: float = 0.0, rr: float = 0.0, *, beta: float = 1.0, eps: float = 0.0) -> Pairs:
    return Pairs(*(np.array([x]) for x in (pc, pr, rc, rr)), beta, eps)


def test_zero_is_accepted_only_where_a_subnormal_may_have_been_flushed(fmt: Format) -> None:
    edge = -math.log(fmt.smallest_normal)
    zero, u = np.zeros(1), fmt.unit_roundoff
    spread = 2 * edge * (10 * edge * u + 40 * u)
    for make in (bounds.loss, bounds.gradient):
        assert make(one(0.0, fmt.round_array(-edge - 0.5).item()), fmt).rho(zero)[0] == 0
        assert make(one(0.0, fmt.round_array(-edge + 0.5 + spread).item()), fmt).rho(zero)[0] > 1
    for z in (-edge, -1.0, 0.0, 1.0, 4.0):
        pairs = one(min(z, 0.0), min(-z, 0.0))
        assert bounds.loss(pairs, fmt).rho(zero)[0] > 1
        assert bounds.gradient(pairs, fmt).rho(zero)[0] > 1


def test_a_flushed_slope_loses_a_normal_derivative(fmt: Format) -> None:
    edge = -math.log(fmt.smallest_normal)
    pairs = one(0.0, fmt.round_array(-(edge + 1) / 8).item(), beta=8.0)
    exact_value = centre(bounds.gradient(pairs, fmt).exact)[0]
    assert exact_value > fmt.smallest_normal
    assert bounds.gradient(pairs, fmt).rho(np.zeros(1))[0] == 0


def test_a_smoothed_derivative_below_the_smallest_normal_may_be_flushed() -> None:
    pairs = one(0.0, -9.0, beta=1e-3, eps=0.05)  # z = 0.009, derivative about 4.5e-4: normal
    assert bounds.gradient(pairs, binary16).rho(np.zeros(1))[0] > 1
    pairs = one(-10000.0, -20000.0, beta=1e-3, eps=0.05)  # z = 10, derivative -5e-5: subnormal
    assert bounds.gradient(pairs, binary16).rho(np.zeros(1))[0] == 0
    assert bounds.gradient(pairs, binary32).rho(np.zeros(1))[0] > 1


def test_a_term_may_be_flushed_that_is_subnormal_only_by_its_own_errors() -> None:
    pairs = one(-22944.0, -31392.0, -25472.0, -31328.0, beta=1e-3, eps=0.1)
    arithmetic, each = Adversary(binary16, flush=True), repeated(bounds.gradient(pairs, binary16), 3)
    for _, got in adversary.derivatives(arithmetic, adversary.extreme_logits(arithmetic, pairs), 1e-3, 0.1, -1.0):
        assert (each.rho(adversary.towards(got, each.exact)) <= 1).all()


def test_a_smoothed_derivative_errs_relative_to_its_larger_term(fmt: Format) -> None:
    w = smoothing_weight(fmt) + fmt.unit_roundoff
    for z, eps, size in ((-60.0, 0.5, 1.0), (60.0, 0.5, 0.5), (60.0, 0.125, 0.125)):
        each = bounds.gradient(one(min(z, 0.0), min(-z, 0.0), eps=eps), fmt)
        slope = float(z < 0) - eps
        for sign in (-1.0, 1.0):
            assert each.rho(np.array([slope + sign * 0.9 * w * size]))[0] <= 1
            assert each.rho(np.array([slope + sign * 1.1 * w * size]))[0] > 1


def test_a_plain_loss_is_never_accepted_below_zero(fmt: Format) -> None:
    pairs = representable(fmt, Pairs(*hostile_pairs(fmt, 20, np.random.default_rng(5)), 1.0, 0.0))
    each = bounds.loss(pairs, fmt)
    quanta = parts(fmt).quanta * fmt.smallest_subnormal
    assert (centre(each.low) >= -quanta).all()
    assert (each.rho(np.full(len(each.zero), -fmt.smallest_normal)) > 1).all()


def test_a_declared_flush_is_judged_in_units_of_the_smallest_normal(fmt: Format) -> None:
    z = fmt.round_array(math.log(fmt.smallest_normal) - 3).item()
    lam = fmt.smallest_normal
    got = np.array([0.9 * parts(fmt).quanta * lam])
    assert bounds.loss(one(0.0, z), fmt).rho(got)[0] > 1
    assert bounds.loss(one(0.0, z), fmt, flush=True).rho(got)[0] <= 1
    assert bounds.loss(one(0.0, z), fmt, flush=True).rho(2.2 * got)[0] > 1


# -- options -----------------------------------------------------------------------------------------------------------


def test_the_range_of_an_option() -> None:
    assert bounds.option_range(0.5, binary16) == (0.5, 0.5)
    assert bounds.option_range(0.1, binary64) == (0.1, 0.1)
    assert bounds.option_range(0.0, binary32) == (0.0, 0.0)
    low, high = bounds.option_range(-0.1, bfloat16)
    assert low < float(bfloat16.round_array(0.1)) < high
    assert high - low == pytest.approx(0.2 * 2.0**-8)
    assert bounds.option_range(1e-6, binary16) == (0.0, 1e-6 + 2.0**-25)
    assert bounds.option_range(2.0**-24, binary16) == (0.0, 2.0**-24)
    assert bounds.option_error(1e-6, binary16) == pytest.approx(1e-6)
    assert bounds.option_error(0.25, bfloat16) == 0


def test_a_tiny_beta_may_be_flushed_but_not_doubled() -> None:
    pairs = one(-40000.0, 0.0, beta=1e-6)
    f = lambda z: math.log1p(math.exp(-z))  # noqa: E731
    loss, gradient = bounds.loss(pairs, binary16), bounds.gradient(pairs, binary16)
    assert loss.rho(np.array([f(0.0)]))[0] <= 1
    assert gradient.rho(np.zeros(1))[0] <= 1
    assert gradient.rho(np.array([1.3e-6 * 0.51]))[0] > 1
    pairs = one(-60000.0, 0.0, beta=6e-5)  # subnormal: z = -3.6 or, flushed, anything up to 0
    loss = bounds.loss(pairs, binary16)
    assert (loss.rho(np.array([f(0.0)])) <= 1).all()
    assert (loss.rho(np.array([f(-4.0)])) > 1).all()


def test_beta_0_leaves_no_derivative_and_ln_2(fmt: Format) -> None:
    huge = one(-fmt.largest / 4, beta=0.0)
    assert bounds.gradient(huge, fmt).rho(np.array([0.0]))[0] == 0
    assert bounds.gradient(huge, fmt).rho(np.array([fmt.smallest_subnormal]))[0] > 1
    ulp = fmt.unit_roundoff
    assert bounds.loss(huge, fmt).rho(np.array([math.log(2)]))[0] < 0.1
    assert bounds.loss(huge, fmt).rho(np.array([math.log(2) + 30 * ulp]))[0] > 1


def test_negative_beta_mirrors_the_logit(fmt: Format) -> None:
    a, b = one(-3.0, -5.0, -2.0, -1.0, beta=-0.3, eps=0.1), one(-5.0, -3.0, -1.0, -2.0, beta=0.3, eps=0.1)
    for make, sign in ((bounds.loss, 1.0), (bounds.gradient, -1.0)):
        x, y = make(a, fmt), make(b, fmt)
        assert centre(x.exact)[0] == sign * centre(y.exact)[0]
        ends = sorted((sign * centre(y.low)[0], sign * centre(y.high)[0]))
        assert [centre(x.low)[0], centre(x.high)[0]] == ends
    flushed, mirrored = (bounds.logit_error(one(pc, beta=beta), binary16) for pc, beta in ((-4e4, -1e-6), (-4e4, 1e-6)))
    assert (flushed[0], flushed[1]) == (mirrored[1], mirrored[0])
    assert flushed[0] > flushed[1]


def test_full_smoothing_is_the_loss_of_the_exchanged_pair(fmt: Format) -> None:
    z = fmt.round_array(np.array([-6.0, -0.5, 0.0, 2.0, 7.0]))
    low, high = np.minimum(z, 0), np.minimum(-z, 0)
    plain = bounds.loss(Pairs(high, low, 0 * z, 0 * z, 1.0, 0.0), fmt)
    full = bounds.loss(Pairs(low, high, 0 * z, 0 * z, 1.0, 1.0), fmt)
    assert centre(full.exact) == pytest.approx(centre(plain.exact), rel=1e-15)
    assert (full.rho(centre(plain.low)) <= 1).all()
    assert (full.rho(centre(plain.high)) <= 1).all()


# -- rho ---------------------------------------------------------------------------------------------------------------


@pytest.mark.no_cover
def test_rho_is_never_nan_and_never_accepts_a_nan(fmt: Format) -> None:
    numbers = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, fmt.largest, -fmt.largest, fmt.smallest_subnormal]
    logps = [math.nan, math.inf, -math.inf, 0.0, -fmt.largest, fmt.largest, -fmt.smallest_subnormal, -1.0]
    rng = np.random.default_rng(7)
    rows = rng.choice(logps, (4, 150))
    for beta in (0.0, -1.0, 0.1, 1e3, 1e300):
        for eps in (0.0, 0.1, 1.0):
            finite = np.isfinite(rows).all(axis=0)
            for columns in (rows, rows[:, finite]):
                for make in (bounds.loss, bounds.gradient):
                    try:
                        each = make(Pairs(*columns, beta, eps), fmt)
                    except OutOfRange:
                        assert columns is rows
                        continue
                    for got in numbers:
                        rho = each.rho(np.full(columns.shape[1], got))
                        assert not np.isnan(rho).any()
                        if math.isnan(got):
                            assert (rho[~np.isnan(each.exact.head)] == math.inf).all()


def test_ends_that_are_nan_accept_nothing() -> None:
    each = bounds.loss(one(-1.0), binary32)
    unknown = exact(np.array([math.nan]))
    for broken in (replace(each, low=unknown), replace(each, high=unknown)):
        assert broken.rho(centre(each.exact))[0] == math.inf


def test_what_the_oracle_does_not_know_is_not_accepted() -> None:
    each = bounds.loss(one(-1.0), binary32)
    assert replace(each, exact=each.exact.widen(absolute=0.1)).rho(centre(each.exact))[0] == math.inf


def test_infinite_results_and_infinite_exact_values() -> None:
    plain = bounds.loss(one(-1.0), binary32)
    assert (plain.rho(np.array([math.inf])) > 1).all()
    assert (plain.rho(np.array([-math.inf])) > 1).all()
    lost = bounds.loss(one(-math.inf), binary32)
    assert lost.rho(np.array([math.inf]))[0] == 0
    for wrong in (-math.inf, math.nan, 0.0, binary32.largest):
        assert lost.rho(np.array([wrong]))[0] == math.inf


def test_an_infinity_is_accepted_where_correct_code_may_overflow(fmt: Format) -> None:
    for share, accepted in ((1.0, True), (1 - 200 * fmt.unit_roundoff, False)):
        size = -fmt.round_array(fmt.largest * share).item()
        each = bounds.loss(one(size), fmt)
        assert (each.rho(np.array([math.inf]))[0] <= 1) == accepted
        assert each.rho(np.array([-math.inf]))[0] > 1
        assert each.rho(np.array([-size]))[0] < 0.1


def test_an_infinity_is_right_beyond_the_threshold() -> None:
    each = bounds.loss(one(-60000.0, beta=8.0), binary16)
    assert each.rho(np.array([math.inf]))[0] == 0
    assert each.rho(np.array([480000.0]))[0] == 0
    assert each.rho(np.array([-math.inf]))[0] > 1


# -- the inputs --------------------------------------------------------------------------------------------------------


def test_a_bound_does_not_depend_on_the_neighbours(fmt: Format) -> None:
    rng = np.random.default_rng(8)
    pairs = Pairs(*hostile_pairs(fmt, 5, rng), 0.1, 0.1)
    whole = [make(pairs, fmt) for make in (bounds.loss, bounds.gradient)]
    for i in rng.choice(len(pairs.policy_chosen_logps), 25, replace=False):
        alone = Pairs(*(x[[i]] for x in pairs.logps), 0.1, 0.1)
        for each, make in zip(whole, (bounds.loss, bounds.gradient), strict=True):
            single = make(alone, fmt)
            for end in ("exact", "low", "high"):
                assert centre(getattr(single, end))[0] == centre(getattr(each, end))[i]


def test_a_subnormal_logp_keeps_its_bound_beside_a_huge_one() -> None:
    tiny = np.array([-(2.0**-1074), -1.7e308])
    together = bounds.logit_error(Pairs(tiny, 0 * tiny, 0 * tiny, 0 * tiny, 1.0, 0.0), binary64)
    alone = bounds.logit_error(one(tiny[0]), binary64)
    assert [x[0] for x in together] == [x[0] for x in alone]
    assert alone[0][0] > 8 * binary64.smallest_normal


def test_no_pairs_at_all(fmt: Format) -> None:
    nothing = Pairs(*(np.zeros(0) for _ in range(4)), 0.1, 0.1)
    for make in (bounds.loss, bounds.gradient):
        assert make(nothing, fmt).rho(np.zeros(0)).shape == (0,)
    assert bounds.representable(nothing, fmt).shape == (0,)
    with pytest.raises(OutOfRange):
        bounds.mean(bounds.loss(nothing, fmt))


def test_what_is_representable() -> None:
    big = binary16.largest
    assert bounds.representable(one(-30000.0, -1.0), binary16)[0]
    assert not bounds.representable(one(-30000.0, beta=4.0), binary16)[0]
    assert not bounds.representable(one(0.0, beta=1e5), binary16)[0]
    assert not bounds.representable(one(-39296.0, 0.0, 0.0, -39296.0, beta=2.0**-10), binary16)[0]
    for place in range(4):
        logps = [-0.6 * big] * 4
        logps[place] = 0.6 * big  # all sums of three, but one, overflow, and two differences do
        assert not bounds.representable(one(*logps), binary16)[0]
    # only ((d - b) - c) + a and its like overflow
    assert not bounds.representable(one(-0.9 * big, -0.6 * big, -0.6 * big), binary16)[0]
    assert bounds.representable(one(-0.9 * big, -0.4 * big, -0.4 * big), binary16)[0]


def test_the_error_of_a_logit_by_hand() -> None:
    # a - c = 3, b - d = -1, a - b = 2, c - d = -2, h = 4; partials |h-a| = 14, |h+b| = 8, |h+c| = 9, |h-d| = 15
    down, up = bounds.logit_error(one(-10.0, -12.0, -13.0, -11.0, beta=0.5), binary16)
    u, D = 2.0**-11, max(2 * 4, 2 * 4, 3 + 15 + 4)
    assert down[0] == up[0] == pytest.approx(u * (1 + 4 * u) * 0.5 * (D + 4) + 4 * binary16.smallest_normal, rel=1e-9)
