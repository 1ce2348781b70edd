"""The inputs: exactly representable, nowhere positive, everywhere dense enough, and never blind."""

import math

import numpy as np
import pytest

from conformance.clauses import CLAUSES, find, option
from conformance.clauses.trial import Trial
from conformance.implementations import numpy_implementation
from conformance.inputs import generated, logits, pairs
from conformance.inputs.batch import NAMES, Batch
from conformance.inputs.profiles import PROFILES
from conformance.inputs.shrinking import smallest
from oracle import FORMATS, bfloat16, binary16, binary32, binary64

formats = pytest.mark.parametrize("fmt", FORMATS, ids=str)
QUICK = PROFILES["quick"]
DRAWS = [
    pairs.near_reference,
    pairs.far_from_reference,
    pairs.short_responses,
    pairs.cancelling,
    pairs.mixed_magnitudes,
    pairs.one_sided,
    pairs.very_long_responses,
    pairs.near_overflow,
    pairs.overflowing_margin,
]


@pytest.fixture
def rng():
    return np.random.default_rng(12)


def is_of(fmt, values):
    return np.array_equal(fmt.round_array(values), values)


# -- batches -----------------------------------------------------------------------------------------------------------


def test_a_batch_broadcasts_to_one_length_and_keeps_the_order_of_the_names():
    batch = Batch.of([-1, -2, -3], -4, ref_rejected_logps=[-5], beta=0.3, label_smoothing=0.2)
    assert len(batch) == 3
    assert [list(x) for x in batch.logps] == [[-1, -2, -3], [-4] * 3, [0] * 3, [-5] * 3]
    assert [list(getattr(batch, name)) for name in NAMES] == [list(x) for x in batch.logps]
    assert all(x.dtype == np.float64 and x.flags.c_contiguous and x.flags.writeable for x in batch.logps)
    assert (batch.beta, batch.label_smoothing) == (0.3, 0.2)


def test_a_batch_of_no_pairs_and_of_lengths_that_do_not_fit():
    assert len(Batch.of([], [], [], [])) == 0
    with pytest.raises(ValueError, match="shape"):
        Batch.of([-1, -2], [-1, -2, -3])


@pytest.mark.parametrize("z", [0.0, -0.0, 1.5, -2.5, 5e-324, -math.inf, math.inf, 1e308])
def test_a_logit_is_fed_exactly_through_logps_that_are_not_positive(z):
    batch = Batch.at_logits(z, label_smoothing=0.1)
    pc, pr, rc, rr = (float(x[0]) for x in batch.logps)
    assert batch.beta == 1
    assert batch.label_smoothing == 0.1
    assert (pc - rc) - (pr - rr) == (pc - pr) - (rc - rr) == z
    assert max(pc, pr, rc, rr) <= 0


def test_a_logit_that_is_nan_is_a_nan_logp():
    assert math.isnan(Batch.at_logits(math.nan).policy_chosen_logps[0])


@pytest.mark.parametrize("index", [slice(1, 3), [2, 0], 1, np.array([], dtype=int), np.array([0, 0])])
def test_pairs_are_taken_whole_and_keep_the_options(index):
    taken = pairs.tutorial().at(beta=0.7, label_smoothing=0.2).take(index)
    assert (taken.beta, taken.label_smoothing) == (0.7, 0.2)
    for some, every in zip(taken.logps, pairs.tutorial().logps, strict=True):
        assert list(some) == list(np.atleast_1d(every[index]))


def test_an_option_is_replaced_alone_also_by_zero():
    batch = pairs.golden().at(beta=0.5, label_smoothing=0.3)
    assert (batch.at(beta=0.0).beta, batch.at(beta=0.0).label_smoothing) == (0.0, 0.3)
    assert (batch.at(label_smoothing=0.0).beta, batch.at(label_smoothing=0.0).label_smoothing) == (0.5, 0.0)


# -- logits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", [binary16, bfloat16], ids=str)
def test_every_pattern_is_every_pattern(fmt):
    bits = fmt.encode(logits.every(fmt))
    numbers = ~np.isnan(logits.every(fmt))
    assert len(bits) == 65536
    assert len(np.unique(bits[numbers])) == numbers.sum() == 65536 - 2 * (2 ** (fmt.precision - 1) - 1)


@pytest.fixture(scope="module", params=FORMATS, ids=str)
def stratified(request):
    fmt = request.param
    return fmt, logits.stratified(fmt, QUICK, np.random.default_rng(0))


def test_stratified_logits_are_finite_numbers_of_the_format(stratified):
    fmt, values = stratified
    assert np.isfinite(values).all()
    assert is_of(fmt, values)


@pytest.mark.parametrize("sign", [1, -1])
def test_stratified_logits_fall_in_every_binade_of_both_signs(stratified, sign):
    fmt, values = stratified
    exponents = np.frexp(values[sign * values > 0])[1] - 1
    found, counts = np.unique(exponents, return_counts=True)
    least = fmt.emin - fmt.precision + 1
    normal = found >= fmt.emin
    assert list(found[normal]) == list(range(fmt.emin, fmt.emax + 1))
    assert (counts[normal] >= min(QUICK.logits_per_binade, 2 ** (fmt.precision - 1)) // 2).all()
    assert found[0] == least, "the smallest subnormal"
    bend = dict(zip(found, counts, strict=True))
    assert all(bend[k] > 4 * bend[-10] for k in (-8, 0, 10)) or fmt.width == 16


@pytest.mark.parametrize("sign", [1, -1])
def test_stratified_logits_hold_edges_and_powers_of_two_with_their_neighbours(stratified, sign):
    fmt, values = stratified
    held = set(sign * values)
    assert {0.0, fmt.smallest_subnormal, fmt.smallest_normal, fmt.largest} <= held
    assert (np.signbit(values) & (values == 0)).any()
    for k in (-10, 0, 5):
        below, above = (float(x) for x in fmt.neighbours(2.0**k))
        assert {below, 2.0**k, above} <= held


@pytest.mark.parametrize("sign", [1, -1])
def test_stratified_logits_hold_the_neighbours_of_every_threshold(stratified, sign):
    fmt, values = stratified
    held = set(sign * values)
    for threshold in logits.thresholds(fmt):
        place = fmt.ordinals(fmt.round_array(threshold))
        around = fmt.from_ordinals(np.arange(place - QUICK.around, place + QUICK.around + 1))
        assert set(around.tolist()) <= held


@formats
def test_thresholds_are_where_the_format_changes_behaviour(fmt):
    found = logits.thresholds(fmt)
    assert all(0 < x < fmt.largest for x in found)
    first = math.log1p(-(2.0**-fmt.precision))  # 1 - sigma vanishes where e^-z is half an ulp below 1
    assert any(abs(x + math.log(-first)) < 1 for x in found)
    assert any(abs(x + math.log(fmt.smallest_normal)) < 1e-9 for x in found)
    assert any(abs(x + math.log(fmt.smallest_subnormal)) < 1e-9 for x in found)
    assert fmt.width == 16 or any(abs(x - math.log(fmt.largest)) < 1e-6 for x in found)


# -- pairs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draw", DRAWS, ids=lambda draw: draw.__name__)
@formats
def test_drawn_pairs_are_log_probabilities_of_the_format(draw, fmt):
    batch = draw(fmt, 500, np.random.default_rng(0))
    assert len(batch) == 500
    for values in batch.logps:
        assert (values <= 0).all()
        assert np.isfinite(values).all()
        assert is_of(fmt, values)


@pytest.mark.parametrize("draw", DRAWS, ids=lambda draw: draw.__name__)
def test_drawn_pairs_follow_from_the_generator_alone(draw):
    first, again, other = (draw(binary32, 9, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first.logps, again.logps, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first.logps, other.logps, strict=True))


def test_the_worked_examples_are_exact_in_every_format():
    for fmt in FORMATS:
        assert all(is_of(fmt, x) for batch in (pairs.tutorial(), pairs.golden(), option.telling()) for x in batch.logps)


def margins(batch):
    a, b, c, d = batch.logps
    return (a - c) - (b - d)


def test_the_regimes_are_what_they_are_called():
    rng = np.random.default_rng(0)
    near, far, tight = (draw(binary64, 500, rng) for draw in (pairs.near_reference, pairs.far_from_reference, pairs.cancelling))
    assert np.median(np.abs(margins(near))) < 3 < np.median(np.abs(margins(far)))
    assert (np.abs(margins(tight)) <= 24 * np.spacing(np.abs(tight.policy_chosen_logps)) * 2).all()
    wide = pairs.overflowing_margin(binary16, 500, rng)
    a, b, c, d = wide.logps
    assert (np.abs(margins(wide)) > binary16.largest).all()
    assert (np.maximum(np.abs(a - c), np.abs(b - d)) <= binary16.largest).all()
    close = pairs.near_overflow(binary16, 500, rng)
    assert (np.abs(margins(close)) < binary16.overflow_threshold).mean() > 0.9
    assert np.abs(close.policy_chosen_logps).max() > binary16.largest / 8


# -- generated ---------------------------------------------------------------------------------------------------------


@formats
@pytest.mark.parametrize("kind", generated.KINDS, ids=lambda kind: kind.__name__)
def test_generated_pairs_are_log_probabilities_of_the_format(fmt, kind, rng):
    for _ in range(200):
        pair = kind(fmt, rng)
        assert pair.shape == (4,)
        assert ((pair <= 0) & (pair >= -20_000.0)).all()
        assert is_of(fmt, pair)


@formats
def test_generated_batches_have_the_options_that_are_asked_for_and_every_size_and_kind(fmt, rng):
    drawn = list(generated.batches(fmt, rng, 400, betas=(0.5, 2.0), smoothings=(0.1,)))
    assert {len(batch) for batch in drawn} == set(range(1, 9))
    assert {batch.beta for batch in drawn} == {0.5, 2.0} and {batch.label_smoothing for batch in drawn} == {0.1}
    margins = np.concatenate([np.abs((b.logps[0] - b.logps[2]) - (b.logps[1] - b.logps[3])) for b in drawn])
    assert (margins == 0).any() and (margins > 1000).any() and ((margins > 0) & (margins < 1e-3)).any()


# -- shrinking ---------------------------------------------------------------------------------------------------------


def test_a_counterexample_is_shrunk_to_the_pair_and_the_number_that_matter(rng):
    for _ in range(20):
        columns = -binary32.round_array(rng.uniform(0, 5000, (4, 6)))
        columns[0][3] = -float(binary32.round_array(rng.uniform(300, 5000)))
        given = Batch.of(*columns, beta=0.3, label_smoothing=0.1)
        found = smallest(given, lambda batch: bool((batch.policy_chosen_logps < -256).any()))
        assert [x.tolist() for x in found.logps] == [[-512.0], [0.0], [0.0], [0.0]]
        assert (found.beta, found.label_smoothing) == (1.0, 0.0)
        assert smallest(found, lambda batch: bool((batch.policy_chosen_logps < -256).any())) is found


def test_shrinking_ends_where_everything_fails():
    found = smallest(Batch.of([-1.5] * 8, -2.25, -1e300, -5e-324, label_smoothing=0.5), lambda _: True)
    assert len(found) == 1 and not any(x.any() for x in found.logps)
    untouched = Batch.of(-1.0, -2.0)
    assert smallest(untouched, lambda _: False) is untouched


# -- blind spots -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clause", [find(f"OPTION-{n}") for n in (1, 2, 3, 4)], ids=lambda clause: clause.id)
@formats
def test_no_batch_of_an_option_clause_hides_smoothing_in_its_mean(softplus, clause, fmt):
    seen = []

    @numpy_implementation
    def records(pc, pr, rc, rr, beta, eps):
        seen.append((float(np.mean((pc - rc) - (pr - rr), dtype=float)), beta, eps))
        return softplus(pc, pr, rc, rr, beta, eps)

    clause.check(Trial(records, fmt, QUICK, 0))
    assert seen
    assert all(abs(mean) > 0.3 for mean, _, _ in seen)


def test_option_clauses_ask_for_betas_that_tell_the_usual_mistakes_apart():
    asked = set()
    recorder = numpy_implementation(lambda pc, pr, rc, rr, beta, eps: asked.add((beta, eps)) or pc - pc)
    for clause in CLAUSES:
        if clause.chapter == "OPTION":
            clause.check(Trial(recorder, binary64, QUICK, 0))
    betas, smoothings = ({pair[i] for pair in asked} for i in (0, 1))
    assert any(beta < 0.1 for beta in betas)
    assert any(beta > 1 for beta in betas)
    assert len(betas) >= 5
    assert {0.0, 0.5} < smoothings
