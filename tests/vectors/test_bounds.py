"""lowest and highest are the ends: they are accepted, and the next numbers outside are not."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import oracle
from conformance.inputs.batch import NAMES, Batch
from conformance.vectorgen.identity import as_batch
from conformance.vectorgen.model import as_pairs
from oracle import FORMATS, bounds

from .consumer import decode, read

FILES = {file["chapter"]: file for file in read()}
INTERVALS = [name for name, file in FILES.items() if name != "kernel" and file["kind"] == "pair"]


def batch_of(test, kind):
    columns = [test["inputs"][name] if kind == "mean" else [test["inputs"][name]] for name in NAMES]
    return as_batch(kind, test["beta"]["hex"], test["label_smoothing"]["hex"], columns)


def is_finite(test):
    return all(np.isfinite(float.fromhex(x)) for name in NAMES for x in np.atleast_1d(test["inputs"][name]))


def ends(answers, fmt):
    return (np.array([decode(answer[end], fmt.name) for answer in answers]) for end in ("lowest", "highest"))


def assert_ends(acceptance, answers, sign=1.0, *, never_negative=False):
    """sign: -1 where the answers are to minus the quantity. never_negative: what lies below 0 is left out, as DEF-3 says."""
    fmt = acceptance.fmt
    low, high = ends(answers, fmt)
    low, high = (low, high) if sign > 0 else (-high, -low)
    assert (acceptance.rho(low) <= 1).all()
    assert (acceptance.rho(high) <= 1).all()
    without = replace(acceptance, zero=np.zeros_like(acceptance.zero))
    below, above = fmt.neighbours(low)[0], fmt.neighbours(high)[1]
    assert ((without.rho(below) > 1) | (low == -np.inf) | (never_negative & (low == 0))).all()
    assert ((without.rho(above) > 1) | (high == np.inf)).all()
    assert [answer["zero"] for answer in answers] == acceptance.zero.tolist()


def groups(chapter, fmt):
    """Tests with finite inputs and the same options, in that format."""
    tests = [test for test in FILES[chapter]["tests"] if fmt.name in test["formats"] and is_finite(test)]

    def options(test):
        return test["beta"]["hex"], test["label_smoothing"]["hex"]

    for _, same in itertools.groupby(sorted(tests, key=options), options):
        yield list(same)


@pytest.mark.no_cover
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
@pytest.mark.parametrize("chapter", INTERVALS)
def test_rho_is_at_most_one_at_the_ends_and_above_one_beside_them(chapter, fmt):
    for tests in groups(chapter, fmt):
        batches = [batch_of(test, "pair") for test in tests]
        columns = (np.concatenate(column) for column in zip(*(batch.logps for batch in batches), strict=True))
        pairs = as_pairs(Batch(*columns, batches[0].beta, batches[0].label_smoothing))
        wanted = [test["formats"][fmt.name] for test in tests]
        assert bounds.representable(pairs, fmt).all()
        plain = pairs.label_smoothing == 0
        assert_ends(bounds.loss(pairs, fmt), [answers["loss"] for answers in wanted], never_negative=plain)
        slope = bounds.gradient(pairs, fmt)
        assert_ends(slope, [answers["d_policy_rejected_logps"] for answers in wanted])
        assert_ends(slope, [answers["d_policy_chosen_logps"] for answers in wanted], sign=-1.0)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_kernel_ends_are_the_last_within_the_kernels_bound(fmt):
    tests = [test for test in FILES["kernel"]["tests"] if fmt.name in test["formats"]]
    batches = [batch_of(test, "pair") for test in tests]
    z = np.concatenate([batch.policy_chosen_logps - batch.policy_rejected_logps for batch in batches])
    wanted = [test["formats"][fmt.name] for test in tests]
    assert_ends(bounds.kernel_losses(z, fmt), [answers["loss"] for answers in wanted], never_negative=True)
    slopes = bounds.kernel_slopes(z, fmt)
    assert_ends(slopes, [answers["d_policy_rejected_logps"] for answers in wanted])
    assert_ends(slopes, [answers["d_policy_chosen_logps"] for answers in wanted], sign=-1.0)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_ends_of_means(fmt):
    for test in FILES["mean"]["tests"]:
        if not is_finite(test):
            assert test["formats"][fmt.name]["loss"] == {"nan": True}
            continue
        batch, wanted = batch_of(test, "mean"), test["formats"][fmt.name]
        pairs = as_pairs(batch)
        assert_ends(bounds.mean(bounds.loss(pairs, fmt)), [wanted["loss"]])
        slopes = bounds.shared(bounds.gradient(pairs, fmt), len(batch), batch.beta)
        assert_ends(slopes, wanted["d_policy_rejected_logps"])
        assert_ends(slopes, wanted["d_policy_chosen_logps"], sign=-1.0)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_special_values_are_their_limits(fmt):
    """The loss is the limit itself; a derivative is within beta's rounding and four unit roundoffs of its own."""
    judged = 0
    for test in FILES["special"]["tests"]:
        if is_finite(test):
            continue
        batch, wanted = batch_of(test, "pair"), test["formats"][fmt.name]
        exact = float(oracle.loss(*batch.logps, beta=batch.beta, label_smoothing=batch.label_smoothing)[0])
        if np.isnan(exact):
            assert wanted["loss"] == {"nan": True}
        else:
            (low,), (high,) = ends([wanted["loss"]], fmt)
            assert low == exact == high
            assert wanted["loss"]["zero"] is False
        assert "d_policy_chosen_logps" not in wanted or not np.isnan(exact)
        if "d_policy_chosen_logps" not in wanted:
            continue
        judged += 1
        slope = float(oracle.gradient(*batch.logps, beta=batch.beta).policy_rejected[0])
        room = bounds.option_error(batch.beta, fmt) + 4 * fmt.unit_roundoff * batch.beta
        (low,), (high,) = ends([wanted["d_policy_rejected_logps"]], fmt)
        if slope == 0:
            assert low == high == 0
        else:
            assert slope - room <= low < slope < high <= slope + room or low <= slope <= high
            assert fmt.neighbours(low)[0] < slope - room
            assert fmt.neighbours(high)[1] > slope + room
    assert judged == 4
