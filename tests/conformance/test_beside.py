"""Means and metrics beside what is not finite, and other calls in between: right ones conform, wrong ones violate."""

import pytest

from conformance.clauses import find
from conformance.clauses.trial import Trial
from conformance.inputs.profiles import get_profile
from conformance.records.record import Verdict
from conformance.running.trying import check
from oracle import binary32
from tests.mutants.registry import honest, mutant

RIGHT = {
    "torch-mean": ("REDUCE-8", "REDUCE-9", "REDUCE-11"),
    "numpy-mean-pairwise": ("REDUCE-6", "REDUCE-9"),
    "numpy-loop": ("CALL-10", "CALL-11"),
}
WRONG = {
    "gradient-mean-nan-beside-nan": "REDUCE-11",
    "mean-without-infinity-in-a-block": "REDUCE-6",
    "metrics-without-infinity-in-a-block": "METRIC-4",
    "metrics-doubled-at-40": "METRIC-6",
    "gradient-of-last-losses": "CALL-10",
    "gradient-of-another-thread": "CALL-11",
}


def verdict(implementation, clause):
    return check(find(clause), Trial(implementation, binary32, get_profile("quick"), 0)).verdict


@pytest.mark.parametrize(("name", "clause"), [(name, clause) for name, clauses in RIGHT.items() for clause in clauses])
def test_a_right_one_does_not_violate(name, clause):
    assert verdict(honest(name).build(), clause) in {Verdict.CONFORMS, Verdict.NOT_CLAIMED}


@pytest.mark.parametrize(("name", "clause"), WRONG.items())
def test_a_wrong_one_violates(name, clause):
    assert verdict(mutant(name).build(), clause) is Verdict.VIOLATES
