"""The tally: the same outcome whatever the order, the chunking or the number of points; grades; flushed results."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from conformance.clauses.accepted import accepted_losses
from conformance.clauses.quantities import LOSS, MEAN_LOSS
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.implementations import numpy_implementation
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import golden
from oracle import FORMATS, Real, bfloat16
from oracle.bounds import kernel_losses
from oracle.judging import losses as judged_losses

formats = pytest.mark.parametrize("fmt", FORMATS, ids=str)
ULP = 2.0**-8
"""Of bfloat16 in [0.5, 1), where ln 2 = 177.4457 ulp."""


def trial(small, fmt=bfloat16, subnormals=None):
    return Trial(numpy_implementation(lambda pc, *_: pc, subnormals=subnormals), fmt, small, 0)


ALLOWED = 2.6495
"""ulp of ln 2 that the kernel's bound allows in bfloat16: v (3 ln 2 + 1/2) over 2**-8."""


def kernel(trial, z, got, must=True):
    tally = Tally(trial)
    logits, returned = np.atleast_1d(z).astype(float), np.atleast_1d(got).astype(float)
    judged = judged_losses(logits, returned, trial.fmt)
    tally.kernel(LOSS, logits, Batch.at_logits(z), returned, judged, kernel_losses if must else None)
    return tally.outcome(graded=True)


def exactly(z, fmt):
    return np.array([Real.softplus(Fraction(-x)).round(fmt) for x in z])


# -- kernel ------------------------------------------------------------------------------------------------------------


@formats
def test_correct_rounding_is_zero_violations_and_the_best_grade(small, fmt):
    z = fmt.round_array(np.linspace(-30, 30, 41))
    outcome = kernel(trial(small, fmt), z, exactly(z, fmt))
    assert (outcome.points, outcome.violations, outcome.grade) == (41, 0, "correctly rounded")
    assert outcome.counts == {
        "wrongly rounded": 0,
        "flushed to zero": 0,
        "not finite": 0,
        "beyond the float64 tier": 41 if fmt.width > 32 else 0,
        "beyond double-double": 0,
    }
    assert outcome.worst.ulp <= 0.5
    assert outcome.worst.rho < 0.34


@pytest.mark.parametrize(
    ("place", "grade", "ulp"),
    [
        (177, "correctly rounded", 0.4457),
        (178, "faithful", 0.5543),
        (176, "within 2 ulp", 1.4457),
        (179, "within 2 ulp", 1.5543),
        (180, "within 4 ulp", 2.5543),
        (181, "worse", 3.5543),
        (186, "worse", 8.5543),
        (174, "worse", 3.4457),
    ],
)
def test_an_error_in_ulps_has_its_grade(small, place, grade, ulp):
    outcome = kernel(trial(small), 0.0, place * ULP)
    assert outcome.grade == grade
    assert outcome.violations == (grade == "worse")
    assert outcome.counts["wrongly rounded"] == (grade != "correctly rounded")
    assert outcome.worst.ulp == pytest.approx(ulp, abs=1e-4)
    assert outcome.worst.rho == pytest.approx(ulp / ALLOWED, abs=1e-3)
    assert outcome.worst.rounded == (177 * ULP).hex()
    assert outcome.worst.exact == "0.69314718055994530942"


def test_an_error_beyond_4_ulp_that_the_must_allows_is_within_must(small):
    outcome = kernel(trial(small), 30.0, math.exp(-30) * 1.1)
    assert (outcome.violations, outcome.grade) == (0, "within MUST")
    assert outcome.worst.ulp > 4


@pytest.mark.parametrize(("place", "violations"), [(181, 0), (182, 1)])
def test_a_should_allows_4_ulp(small, place, violations):
    outcome = kernel(trial(small), 0.0, place * ULP, must=False)
    assert outcome.worst.rho == pytest.approx((place - 177.4457) / 4, abs=1e-4)
    assert outcome.violations == violations


def test_the_worst_of_what_is_allowed_is_the_worst_in_ulps_and_else_the_largest_rho(small):
    z = np.array([0.0, 30.0])
    right = kernel(trial(small), z, [179 * ULP, math.exp(-30) * 1.1])
    assert (right.violations, right.worst.inputs["policy_rejected_logps"]) == (0, ((-30.0).hex(),))
    wrong = kernel(trial(small), z, [182 * ULP, math.exp(-30) * 1.1])
    assert (wrong.violations, float.fromhex(wrong.worst.inputs["policy_rejected_logps"][0])) == (1, 0.0)


@pytest.mark.parametrize("got", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_infinitely_wrong_and_counted(small, got):
    outcome = kernel(trial(small), 0.0, got)
    assert outcome.violations == 1
    assert outcome.counts["not finite"] == 1
    assert outcome.worst.rho > 1e9
    assert outcome.grade == "worse"


def test_nan_for_nan_is_right_and_a_number_is_not(small):
    right, wrong = (kernel(trial(small), math.nan, got) for got in (math.nan, 0.0))
    assert (right.violations, right.counts["wrongly rounded"]) == (0, 0)
    assert (wrong.violations, wrong.worst.rho, wrong.worst.exact) == (1, math.inf, "nan")


# e^-88 = 6.05e-39 is a subnormal number of bfloat16, e^-87 is normal, and e^-200 rounds to 0.
@pytest.mark.parametrize("subnormals", [None, "gradual", "flush"])
@pytest.mark.parametrize(("z", "violations", "flushed"), [(88.0, 0, 1), (87.0, 1, 0), (200.0, 0, 0)])
def test_a_zero_is_accepted_below_the_smallest_normal_and_nowhere_else(small, subnormals, z, violations, flushed):
    outcome = kernel(trial(small, subnormals=subnormals), z, 0.0)
    assert (outcome.violations, outcome.counts["flushed to zero"]) == (violations, flushed)
    assert outcome.counts["wrongly rounded"] == (z != 200)


@pytest.mark.parametrize(("subnormals", "violations"), [(None, 1), ("gradual", 1), ("flush", 0)])
def test_a_wrong_subnormal_is_measured_in_subnormals_unless_flushing_is_declared(small, subnormals, violations):
    outcome = kernel(trial(small, subnormals=subnormals), 96.0, bfloat16.smallest_normal)
    assert outcome.violations == violations
    assert ("declares it with subnormals='flush'" in outcome.note) is bool(violations)


def test_a_flushed_result_has_no_part_in_the_grade(small):
    z = [0.0, 88.0]
    assert kernel(trial(small), z, [177 * ULP, 0.0]).grade == "correctly rounded"
    assert kernel(trial(small), z, [178 * ULP, 0.0]).grade == "faithful"


# -- the other kinds ---------------------------------------------------------------------------------------------------


def test_an_interval_is_judged_by_its_rho(small):
    judging = trial(small)
    acceptance = accepted_losses(judging, golden())
    right = exactly([0.2, 0.5, 0.4], bfloat16)
    for got, violations in ((right, 0), (np.append(right[:2], right[2] + 0.25), 1), (right * math.nan, 3)):
        tally = Tally(judging)
        tally.interval(LOSS, golden(), got, acceptance)
        outcome = tally.outcome()
        assert (outcome.points, outcome.violations) == (3, violations)
        assert outcome.worst.rho == acceptance.rho(got).max()
        assert outcome.grade is None


def test_right_or_wrong_has_no_between(small):
    tally = Tally(trial(small))
    tally.boolean(LOSS, golden(), np.array([1.0, 2.0, 3.0]), np.array([True, False, True]))
    outcome = tally.outcome(note="why")
    assert (outcome.points, outcome.violations, outcome.note) == (3, 1, "why")
    assert (outcome.worst.rho, outcome.worst.got) == (math.inf, (2.0).hex())
    assert outcome.worst.inputs["policy_chosen_logps"] == ((-20.0).hex(),)


@pytest.mark.parametrize(("rho", "violations"), [(0.0, 0), (1.0, 0), (1.0000001, 1), (math.inf, 1), (math.nan, 1)])
def test_a_ratio_of_one_still_conforms(small, rho, violations):
    whole, ratio = Tally(trial(small)), Tally(trial(small))
    whole.whole(MEAN_LOSS, golden(), 0.53, rho)
    ratio.ratio(LOSS, golden().take([0]), np.array([0.6]), np.array([rho]))
    for tally in (whole, ratio):
        outcome = tally.outcome()
        assert (outcome.points, outcome.violations, tally.violations) == (1, violations, violations)
        assert outcome.worst.rho == (math.inf if math.isnan(rho) else rho)
    assert len(whole.outcome().worst.inputs["policy_chosen_logps"]) == 3
    assert whole.outcome().worst.exact == "0.52841036865388370661"


def test_nothing_judged_is_nothing_found(small):
    tally = Tally(trial(small))
    tally.boolean(LOSS, golden().take(slice(0)), np.array([]), np.array([], dtype=bool))
    outcome = tally.outcome()
    assert (outcome.points, outcome.violations, outcome.worst) == (0, 0, None)


def test_counts_add_up(small):
    tally = Tally(trial(small))
    tally.count("detached", 2)
    tally.count("detached", 3)
    assert tally.outcome().counts == {"detached": 5}


# -- order and chunking ------------------------------------------------------------------------------------------------

logits = st.sampled_from([0.0, -0.0, 0.5, 1.0, -1.0, 64.0, -64.0, 87.0, 88.0, 200.0, math.nan]) | st.integers(0, 0x7F7F).map(
    lambda place: float(bfloat16.from_ordinals(place))
)
results = st.sampled_from([0.0, -0.0, 1.0, math.inf, -math.inf, math.nan]) | st.integers(-40, 40).map(lambda n: (177 + n) * ULP)
ratios = st.sampled_from([0.0, 0.5, 1.0, 2.0, math.inf])
points = st.lists(st.tuples(logits, results, ratios), min_size=1, max_size=12)


def tallied(judging, kind, chosen):
    """A tally of those points, in that order, in one call."""
    return added(Tally(judging), judging, kind, chosen)


def added(tally, judging, kind, chosen):
    """The tally, with those points added in one call."""
    z, got, rho = (np.array(column) for column in zip(*chosen, strict=True))
    batch = Batch.at_logits(z)
    if kind in {"boolean", "ratio", "whole"}:
        batch = Batch.of(np.copysign(0.0, got), -np.abs(z), np.copysign(0.0, rho - 0.7), -1.0)
    match kind:
        case "kernel":
            tally.kernel(LOSS, z, batch, got, judged_losses(z, got, bfloat16), kernel_losses)
        case "interval":
            tally.interval(LOSS, batch, got, accepted_losses(judging, batch))
        case "boolean":
            tally.boolean(LOSS, batch, got, rho <= 1)
        case "ratio":
            tally.ratio(LOSS, batch, got, rho)
        case "whole":
            for i in range(len(batch)):
                tally.whole(LOSS, batch.take([i]), float(got[i]), float(rho[i]))
    return tally


@pytest.mark.no_cover
@pytest.mark.parametrize("subnormals", [None, "flush"])
@pytest.mark.parametrize("kind", ["kernel", "interval", "boolean", "ratio", "whole"])
@given(data=st.data(), chosen=points)
@settings(max_examples=40, deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate])
def test_the_outcome_does_not_depend_on_order_or_chunking(small, kind, subnormals, data, chosen):
    judging = trial(small, subnormals=subnormals)
    graded = kind == "kernel"
    if kind == "interval":
        chosen = [(0.0 if math.isnan(z) else z, got, rho) for z, got, rho in chosen]
    once = repr(tallied(judging, kind, chosen).outcome(graded=graded))
    mixed = data.draw(st.permutations(chosen))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(mixed)), max_size=4)) | {0, len(mixed)})
    parts = [mixed[a:b] for a, b in itertools.pairwise(cuts)]
    joined = Tally(judging)
    for part in parts:
        added(joined, judging, kind, part)
    assert repr(joined.outcome(graded=graded)) == once
    assert repr(tallied(judging, kind, mixed).outcome(graded=graded)) == once


def test_a_worse_point_is_worst_wherever_it_stands(small):
    errors = [(0.0, (177 + n) * ULP, 0.0) for n in (1, 3, 9, 2)]
    for turn in range(4):
        turned = errors[turn:] + errors[:turn]
        assert tallied(trial(small), "kernel", turned).outcome().worst.got == (186 * ULP).hex()
