"""Causes that show at options far out alone, and a cap that sets in gradually."""

import pytest
import torch
from torch.nn.functional import logsigmoid

from conformance.clauses import find
from conformance.clauses.trial import Trial
from conformance.diagnosis import diagnosed
from conformance.implementations import torch_implementation
from conformance.inputs.profiles import get_profile
from conformance.running.trying import check
from oracle import bfloat16, binary32, binary64


def _loss(pc, pr, rc, rr, beta, eps, cap=None):
    z = beta * ((pc - rc) - (pr - rr))
    z = z if cap is None else cap * torch.tanh(z / cap)
    losses = -logsigmoid(z)
    return losses if eps == 0 else (1 - eps) * losses - eps * logsigmoid(-z)


FAULTS = {
    "most": (lambda *x: _loss(*x[:4], min(x[4], 1000.0), x[5]), "OPTION-6", "another beta", "1000 for 2048"),
    "absolute": (lambda *x: _loss(*x[:4], abs(x[4]), x[5]), "OPTION-6", "another beta", "2 for -2, 0.5 for -0.5"),
    "tiny": (lambda *x: _loss(*x[:5], x[5] if x[5] > 1e-7 else 0.0), "OPTION-7", "another label_smoothing", "0 for 5.96e-08"),
    "half": (lambda *x: _loss(*x[:5], min(x[5], 0.5)), "OPTION-7", "another label_smoothing", "0.5 for 1, 0.5 for 0.875"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("fmt", [bfloat16, binary64], ids=str)
def test_an_option_that_is_replaced_far_out_is_told_by_its_numbers(fault, fmt):
    function, clause, key, says = FAULTS[fault]
    trial = Trial(torch_implementation(function), fmt, get_profile("quick"), 0)
    found = diagnosed(trial, [check(find(clause), trial)])
    assert found.causes[0].key == key
    assert says in found.causes[0].says


def test_a_soft_cap_is_named_with_its_size():
    trial = Trial(torch_implementation(lambda *x: _loss(*x, cap=30)), binary32, get_profile("quick"), 0)
    found = diagnosed(trial, [check(find("KERNEL-1"), trial)])
    assert found.causes[0].key == "logit capped softly at 30"
