"""The sweep's parts: every logit once, every number counted, and the same sum in any order."""

import math
import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from conformance.clauses import find, quantities
from conformance.errors import BadRequest
from conformance.implementations import load, numpy_implementation
from conformance.sweep import sweep
from conformance.sweep.counting import counted
from conformance.sweep.found import EDGES, KEPT, Found, Point, found_from
from conformance.sweep.plan import BLOCK, Shard, logit, plan
from conformance.sweep.quantities import LOSS, QUANTITIES
from conformance.sweep.shard import Failure, _Tally, judge_shard
from oracle import FORMATS, bfloat16, binary16, binary32, binary64, judging
from oracle.judging import Judged

small_formats = pytest.mark.parametrize("fmt", [binary16, bfloat16], ids=str)


# -- the plan ----------------------------------------------------------------------------------------------------------


@small_formats
@pytest.mark.parametrize("size", [1, BLOCK, 10**6])
def test_every_number_of_a_format_is_one_logit(fmt, size):
    made = plan(fmt, shard_size=size)
    z = np.concatenate([shard.logits(fmt) for shard in made.shards()])
    finite = fmt.all_values()[np.isfinite(fmt.all_values())]
    assert len(z) == made.numbers == len(finite)
    assert np.array_equal(np.sort(fmt.encode(z)), np.sort(fmt.encode(finite)))


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
@pytest.mark.parametrize("steps", [(-100_000, 70_000), (777, 70_000), (-100_000, -7)])
def test_shards_and_blocks_are_cut_at_multiples_of_the_block(fmt, steps):
    low, high = fmt.from_ordinals(np.array(steps) // (1 if fmt.width > 16 else 4)).tolist()
    made = plan(fmt, low, high, shard_size=40_000)
    blocks = [block for shard in made.shards() for block in shard.blocks()]
    whole = [block for side in made.sides() for block in side.blocks()]
    assert sorted(blocks) == sorted(whole)
    firsts = {side.first for side in made.sides()}
    assert all(block.first % BLOCK == 0 or block.first in firsts for block in blocks)
    assert made.shard_size == 2 * BLOCK
    assert sum(map(len, blocks)) == made.numbers
    z = np.sort(np.concatenate([block.logits(fmt) for block in blocks]))
    assert (z[0], z[-1]) == (low, high)
    assert all(logit(fmt, b.negative, b.first) == b.logits(fmt)[0] == b.ends(fmt)[0] for b in blocks)


@pytest.mark.parametrize(
    ("low", "high", "held"),
    [
        ("-0", "0", [-0.0, 0.0]),
        (-0.0, 0.0, [-0.0, 0.0]),
        ("0", "0", [0.0]),
        (0, "0x0.000002p-126", [0.0, 2.0**-149]),
        ("1", "0x1.000002p0", [1.0, 1 + 2.0**-23]),
        (f"-{2.0**-149!r}", "-0", [-(2.0**-149), -0.0]),
    ],
)
def test_a_range_holds_both_its_ends_and_tells_the_zeros_apart(low, high, held):
    z = np.concatenate([shard.logits(binary32) for shard in plan(binary32, low, high).shards()])
    assert sorted(map(repr, z.tolist())) == sorted(map(repr, held))


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        ("0.1", None, r"from = 0.1 is not a number of binary32.*0.09999999403953552 .*0.10000000149011612 \(0x1.99999a"),
        (None, "1e39", r"to = 1e39 is not a number.*3.4028234663852886e\+38 .*inf"),
        ("-1e-50", None, r"-1.401298464324817e-45 .*-0.0"),
        ("inf", None, "SPECIAL"),
        (None, math.nan, "SPECIAL"),
        ("one", None, "from = 'one': a real number"),
        (2, 1, r"from = 2.0 is above to = 1.0"),
        ("0", "-0", r"from = 0.0 is above to = -0.0"),
    ],
)
def test_a_bound_that_is_no_number_of_the_format_is_refused_with_its_neighbours(low, high, said):
    with pytest.raises(BadRequest, match=said):
        plan(binary32, low, high)


def test_a_format_that_nobody_can_sweep_is_refused():
    with pytest.raises(BadRequest, match=r"1.84e\+19 logits.*give a shorter range"):
        plan(binary64)
    with pytest.raises(BadRequest, match="shard size 0"):
        plan(binary32, shard_size=0)


def test_a_whole_format_has_eight_bins_a_binade_and_a_short_range_as_many_bins_as_it_can_fill():
    assert [plan(fmt).bin_bits for fmt in (binary16, bfloat16, binary32)] == [7, 4, 20]
    assert [plan(binary32, 0, float(binary32.from_ordinals(n - 1))).bin_bits for n in (1, 511, 512, 1 << 20)] == [0, 0, 1, 12]


# -- the quantities ----------------------------------------------------------------------------------------------------


def test_quantities_have_the_names_of_findings():
    assert [q.name for q in QUANTITIES] == [quantities.LOSS, *quantities.GRADIENTS[:2]]
    assert [q.sign for q in QUANTITIES[1:]] == list(quantities.SIGNS[:2])


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda q: q.name)
def test_subnormal_begins_where_the_exact_value_first_lies_below_the_smallest_normal(fmt, quantity):
    place = quantity.subnormal_above(fmt)
    above, below = (quantity.exact(float(fmt.from_ordinals(m))) * quantity.sign for m in (place - 1, place))
    smallest = Fraction(fmt.smallest_normal)
    assert (below - smallest).sign < 0 <= (above - smallest).sign


# -- a tally -----------------------------------------------------------------------------------------------------------


def judged_as(errors):
    """A judgement of those errors, of normal numbers."""
    return Judged(errors.copy(), errors > 0.5, np.zeros(len(errors), dtype=bool), (1, 0))


class SixteenUlp:
    """A bound by which the results, numbered from 1, have a rho of a sixteenth of their errors."""

    def __init__(self, errors):
        self.errors = np.array(errors, dtype=float)

    def __call__(self, z, fmt, *, flush):
        return self

    def rho(self, got):
        return self.errors[got.astype(int) - 1] / 16


def tally_of(errors, *, first=1 << 20, negative=False, fmt=binary32, size=997):
    """The tally of synthetic errors, in blocks."""
    tally = _Tally(replace(LOSS, bound=SixteenUlp(errors)), fmt, plan(fmt, 0, 1).bin_bits, False)
    for start in range(0, len(errors), size):
        part = np.array(errors[start : start + size], dtype=float)
        block = Shard(first + start, first + start + len(part), negative)
        got, judged = np.arange(start, start + len(part)) + 1.0, judged_as(part)
        tally.add(block, block.logits(fmt), got, counted(got, judged, fmt, False))
    return tally.found


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize(
    "errors",
    [
        np.random.default_rng(0).random(5000),
        np.random.default_rng(1).integers(0, 4, 5000) / 4,
        np.full(3000, np.inf),
        np.linspace(0, 30, 3000),
        np.linspace(30, 0, 3000),
        np.zeros(2000),
        [0.3],
    ],
    ids=["random", "ties", "all infinite", "rising", "falling", "exact", "one"],
)
def test_the_worst_ten_the_histogram_and_the_peaks_are_those_of_sorting_everything(errors, negative, monkeypatch):
    monkeypatch.setattr("conformance.sweep.shard.ulp_error", lambda got, exact, fmt: float(errors[int(got) - 1]))
    errors = np.array(errors)
    found = tally_of(errors, negative=negative)
    order = sorted(range(len(errors)), key=lambda i: (-errors[i], i))
    wanted = [(errors[i], negative, (1 << 20) + i, i + 1.0) for i in order[:KEPT] if errors[i] > 0]
    assert [(p.error, p.negative, p.magnitude, p.got) for p in found.worst] == wanted
    bins = [np.count_nonzero(errors <= EDGES[0])]
    bins += [np.count_nonzero((errors > a) & (errors <= b)) for a, b in zip(EDGES, (*EDGES[1:], math.inf), strict=True)]
    assert found.histogram == bins
    assert (found.judged, sum(found.histogram)) == (len(errors), len(errors))
    assert (found.over_should, found.over_must) == (np.count_nonzero(errors > 4), np.count_nonzero(errors > 16))
    width = 1 << plan(binary32, 0, 1).bin_bits
    for key, peak in found.peaks.items():
        number = ~key if negative else key
        within = [e for i, e in enumerate(errors) if ((1 << 20) + i) // width == number]
        assert peak == max(within)


def test_a_block_across_bins_gives_each_bin_its_peak():
    errors = np.random.default_rng(2).random(10_000)
    found = tally_of(errors, first=3, fmt=bfloat16, size=10_000)
    width = 1 << plan(bfloat16, 0, 1).bin_bits
    wanted = {}
    for i, error in enumerate(errors):
        wanted[(3 + i) // width] = max(error, wanted.get((3 + i) // width, 0))
    assert found.peaks == wanted


def test_an_error_just_above_a_limit_by_its_upper_bound_alone_is_no_violation(monkeypatch):
    asked = []
    monkeypatch.setattr("conformance.sweep.shard.ulp_error", lambda got, exact, fmt: asked.append(got) or 4.0)
    found = tally_of([4.0 + 2.0**-18, 16.1, 3.9])
    assert asked == [1.0]
    assert (found.over_must, found.over_should) == (1, 1)


def test_the_worst_of_what_the_must_does_not_allow_is_kept_whatever_else_is_worse():
    found = tally_of([3.0, 17.0, 40.0, 20.0])
    assert found.breach == Point(2.5, False, (1 << 20) + 2, 3.0)
    assert found_from(found.plain()).breach == found.breach
    assert tally_of([3.0]).breach is None


def test_a_correctly_rounded_number_is_counted_at_half_an_ulp_at_most():
    tally = _Tally(LOSS, binary32, 20, False)
    block = Shard(0, 2, False)
    errors = np.array([0.5000002, 0.5000002])
    judged = replace(judged_as(errors), wrong=np.array([False, True]))
    tally.add(block, block.logits(binary32), np.ones(2), counted(np.ones(2), judged, binary32, False))
    assert tally.found.histogram[EDGES.index(0.5)] == 1
    assert tally.found.histogram[EDGES.index(0.5) + 1] == tally.found.wrong == 1


def test_found_merges_in_any_order_to_the_same_and_survives_json():
    rng = random.Random(0)
    errors = np.random.default_rng(3).integers(0, 40, 6000) / 8
    parts = [tally_of(errors[i : i + 500], first=(1 << 18) * i, negative=i % 1000 == 0) for i in range(0, 6000, 500)]
    sums = []
    for _ in range(5):
        rng.shuffle(parts)
        total = Found()
        for part in parts:
            total.merge(found_from(part.plain()))
        sums.append(total.plain())
    assert all(one == sums[0] for one in sums)
    assert sums[0]["judged"] == 6000 and sums[0]["escalated"] == [12, 0]


def test_points_are_ranked_by_error_then_nearness_to_zero_then_sign():
    points = [Point(1.0, False, 9, 0.0), Point(2.0, True, 9, 0.0), Point(2.0, False, 9, 0.0), Point(2.0, True, 3, 0.0)]
    assert sorted(points, key=lambda p: p.rank) == [points[3], points[2], points[1], points[0]]


# -- judging -----------------------------------------------------------------------------------------------------------


@small_formats
@pytest.mark.parametrize("name", ["numpy", "numpy-naive"])
def test_a_sweep_of_a_16_bit_format_finds_what_the_kernel_clauses_find(name, fmt, judged):
    clauses = [find(f"KERNEL-{i}") for i in (1, 2, 3, 4)]
    findings = {f.clause: f for f in judged(load(name), fmt, clauses=clauses).findings}
    found = sweep(load(name), fmt)
    loss, *derivatives = found.judgements
    assert loss.over_must == findings["KERNEL-1"].violations
    assert loss.over_should == findings["KERNEL-3"].violations
    worst = findings["KERNEL-1"].worst
    assert loss.ulp == worst.ulp
    counts = findings["KERNEL-1"].counts
    assert (loss.wrong, loss.flushed, loss.not_finite) == tuple(
        counts[what] for what in ("wrongly rounded", "flushed to zero", "not finite")
    )
    assert loss.grade == findings["KERNEL-1"].grade
    if derivatives:
        assert sum(d.over_must for d in derivatives) == findings["KERNEL-2"].violations
        assert sum(d.over_should for d in derivatives) == findings["KERNEL-4"].violations
        assert sum(d.wrong for d in derivatives) == findings["KERNEL-2"].counts["wrongly rounded"]
        assert max(d.ulp for d in derivatives) == findings["KERNEL-2"].worst.ulp
    assert found.conforms == (name == "numpy")


def kernel(pc, pr, rc, rr, beta, eps):
    z = ((pc - rc) - (pr - rr)).astype(float)
    return (np.maximum(-z, 0) + np.log1p(np.exp(-np.abs(z)))).astype(pc.dtype)


def flushing(pc, *rest):
    losses = kernel(pc, *rest)
    losses[np.abs(losses) < np.finfo(np.float32).smallest_normal] = 0
    return losses


@pytest.mark.parametrize(("function", "claim"), [(kernel, None), (flushing, None), (flushing, "flush"), (kernel, "flush")])
def test_flushed_numbers_are_counted_and_accepted_whatever_is_declared(function, claim):
    found = sweep(numpy_implementation(function, subnormals=claim), binary32, low="0x1.5dp6", high="0x1.5e8p6")
    (loss,) = found.judgements
    assert found.conforms and loss.over_should == 0
    assert (loss.flushed > 1000) == (function is flushing)
    assert loss.flushed + sum(b.count for b in loss.histogram) == loss.judged
    assert loss.wrong >= loss.flushed


def test_an_implementation_that_declares_flushing_is_measured_in_smallest_normals_below_them():
    def off(pc, *rest):
        losses = kernel(pc, *rest)
        tiny = (losses < np.finfo(np.float32).smallest_normal) & (losses > 0)
        return np.where(tiny, losses + np.float32(2.0**-140), losses).astype(np.float32)  # 512 of the least subnormals

    bounds = {"low": "0x1.5dp6", "high": "0x1.5e8p6"}
    gradual, declared = (
        sweep(numpy_implementation(off, subnormals=claim), binary32, **bounds).judgements[0] for claim in (None, "flush")
    )
    assert gradual.over_must > 1000 and gradual.ulp > 500
    assert declared.over_must == 0 and declared.ulp < 1


def test_not_a_number_is_an_infinite_error_and_not_finite():
    implementation = numpy_implementation(lambda pc, *rest: np.where(pc == -2, np.nan, kernel(pc, *rest)).astype(pc.dtype))
    (loss,) = sweep(implementation, binary16, low=-4).judgements
    assert (loss.over_must, loss.not_finite, loss.histogram[-1].count, loss.worst[0].z) == (1, 1, 1, "-0x1.0000000000000p+1")
    assert (loss.worst[0].got, loss.ulp) == ("nan", math.inf)


def test_derivatives_that_mirror_each_other_are_judged_once_and_others_each(monkeypatch):
    calls = []

    def judge(z, got, fmt):
        calls.append(len(z))
        return judging.derivatives(z, got, fmt)

    counted = (LOSS, *(replace(quantity, judge=judge) for quantity in QUANTITIES[1:]))
    monkeypatch.setattr("conformance.sweep.shard.QUANTITIES", counted)

    def gradient(pc, pr, rc, rr, beta, eps):
        z = ((pc - rc) - (pr - rr)).astype(float)
        slope = (1 / (1 + np.exp(z))).astype(pc.dtype)
        return -slope, slope * factor, slope, -slope

    implementation = numpy_implementation(kernel, gradient=gradient)
    judgements = []
    for factor in (1, 0):
        calls.clear()
        judgements.append(judge_shard(implementation, plan(binary16), Shard(0, 9000, False)))
        assert calls == [9000] * (2 - factor)
    assert [found.over_must for found in judgements[0]] == [0, 0, 0]
    assert [found.over_must for found in judgements[1]] == [0, 0, 9000]
    assert [found.judged for found in judgements[0]] == [9000] * 3


# -- a sliver ----------------------------------------------------------------------------------------------------------

START = int(binary32.ordinals(float.fromhex("0x1.4c9p-12")))
"""Below 2**-8, where the kernel is flat: quick draws 6 and standard 60 of the 2**23 logits of a binade, not one in 256."""


def sliver(pc, pr, rc, rr, beta, eps):
    """Right, but for 64 ulp at 400 consecutive floats."""
    losses = kernel(pc, pr, rc, rr, beta, eps)
    z = (pc - rc) - (pr - rr)
    place = z.view(np.int32) - START if z.dtype == np.float32 else np.full(z.shape, -1)
    return np.where((place >= 0) & (place < 400), losses + 64 * np.spacing(losses), losses).astype(pc.dtype)


def test_a_sliver_of_400_floats_that_no_sample_finds_is_found_by_the_sweep(judged):
    from conformance.inputs.profiles import PROFILES  # noqa: PLC0415

    implementation = numpy_implementation(sliver)
    for profile in ("quick", "standard"):
        sampled = judged(implementation, "binary32", profile=PROFILES[profile], clauses=[find("KERNEL-1")])
        assert str(sampled.verdict) == "conforms"
    low, high = (float(binary32.from_ordinals(START + step)) for step in (-100_000, 100_000))
    found = sweep(implementation, binary32, low=low, high=high)
    (loss,) = found.judgements
    assert (str(found.verdict), loss.over_must) == ("violates", 400)
    assert all(0 <= int(binary32.ordinals(float.fromhex(bad.z))) - START < 400 for bad in loss.worst)
    assert 63 < loss.ulp < 65
    assert max(peak.ulp for peak in loss.peaks) == pytest.approx(loss.ulp, rel=2.0**-19)


# -- conduct -----------------------------------------------------------------------------------------------------------


def conduct(function):
    """What a sweep says of a function that misbehaves."""
    return sweep(numpy_implementation(function), binary16, low=-1, high=2)


def raises(*_):
    raise RuntimeError("no kernel")


def writes(pc, *rest):
    losses = kernel(pc, *rest)
    pc[:1] = 7
    return losses


@pytest.mark.parametrize(
    ("function", "kind", "said"),
    [
        (raises, "raised", "RuntimeError: no kernel"),
        (lambda pc, *_: pc[:-1], "wrong shape", "promised"),
        (lambda pc, *_: pc.astype(int), "wrong dtype", "int64"),
        (lambda *_: None, "wrong type", "NoneType"),
        (writes, "wrote its inputs", "policy_chosen_logps"),
    ],
)
def test_misbehaviour_ends_the_sweep_and_is_named_with_the_logits(function, kind, said):
    found = conduct(function)
    assert not found.conforms
    (failure,) = found.failures
    assert isinstance(failure, Failure)
    assert failure.kind == kind and said in failure.text
    assert float.fromhex(failure.first) == 0
    assert found.judged == 0 and found.numbers > 0
    found.to_json()


# -- the exhaustive profile --------------------------------------------------------------------------------------------


@small_formats
@pytest.mark.parametrize("name", ["numpy", "numpy-naive"])
def test_the_kernel_clauses_find_by_a_sweep_what_they_find_by_every_pattern(name, fmt, judged, small):
    clauses = [find(f"KERNEL-{i}") for i in (1, 2, 3, 4)]
    by_pattern = judged(load(name), fmt, clauses=clauses).findings
    swept = judged(load(name), fmt, clauses=clauses, profile=replace(small, sweep=True)).findings
    for one, other in zip(by_pattern, swept, strict=True):
        assert one.points == other.points
        assert (one.verdict, one.violations, one.grade) == (other.verdict, other.violations, other.grade)
        names = ("wrongly rounded", "flushed to zero", "not finite")
        assert [one.counts.get(name) for name in names] == [other.counts.get(name) for name in names]
        if one.worst is not None:
            assert one.worst.ulp == other.worst.ulp
            assert one.worst.rho == pytest.approx(other.worst.rho, rel=2.0**-15)


def test_the_exhaustive_profile_finds_the_sliver_and_gives_signs_of_life(judged, small, monkeypatch):
    from conformance.clauses import kernel as module  # noqa: PLC0415
    from conformance.clauses.trial import Trial  # noqa: PLC0415
    from conformance.inputs.profiles import PROFILES  # noqa: PLC0415

    assert [profile.sweep for profile in PROFILES.values()] == [False, False, True]
    low, high = (float(binary32.from_ordinals(START + step)) for step in (-100_000, 100_000))
    part = plan(binary32, low, high, 1)
    monkeypatch.setattr(module, "plan", lambda fmt: part)
    told = []
    trial = Trial(numpy_implementation(sliver), binary32, replace(small, sweep=True), 0, lambda *done: told.append(done))
    outcome = find("KERNEL-1").check(trial)
    assert (outcome.violations, outcome.points, outcome.grade) == (400, 200_001, "worse")
    assert 63 < outcome.worst.ulp < 65
    assert told[-1] == (200_001, 200_001) and len(told) == len(part.shards()) > 5
    assert find("KERNEL-3").check(trial).violations == 400
    assert len(told) == len(part.shards()), "one sweep for the chapter"
    bad = numpy_implementation(raises)
    (finding,) = judged(bad, binary32, profile=replace(small, sweep=True), clauses=[find("KERNEL-1")]).findings
    assert (str(finding.verdict), "no kernel, at the logits from" in finding.note) == ("violates", True)
