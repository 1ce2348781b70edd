"""Losses as released code writes them, right and wrong in ways that six pairs at two settings would not show."""

import pytest
import torch
from torch.nn.functional import logsigmoid

from conformance import judge
from conformance.clauses import find
from conformance.diagnosis.identification import identify
from conformance.implementations import torch_implementation
from conformance.records.record import Verdict
from oracle import binary32

MUSTS = [find(f"PREF-{number}") for number in (1, 2, 3, 4, 5)]


@torch_implementation(loss="kto", reduction="mean")
def kto(beta, desirable_weight, undesirable_weight, **given):
    z0 = (given["policy_kl_logps"] - given["ref_kl_logps"]).mean().detach().clamp(min=0)
    chosen = 1 - torch.sigmoid(beta * (given["policy_chosen_logps"] - given["ref_chosen_logps"] - z0))
    rejected = 1 - torch.sigmoid(beta * (z0 - (given["policy_rejected_logps"] - given["ref_rejected_logps"])))
    return torch.cat([desirable_weight * chosen, undesirable_weight * rejected]).mean()


@torch_implementation(loss="orpo_odds")
def orpo(odds_weight, **given):
    chosen = given["policy_chosen_logps"] / given["chosen_lengths"]
    rejected = given["policy_rejected_logps"] / given["rejected_lengths"]
    odds = (chosen - rejected) - (torch.log1p(-torch.exp(chosen)) - torch.log1p(-torch.exp(rejected)))
    return -odds_weight * logsigmoid(odds)


@torch_implementation(loss="f_dpo_forward_kl")
def forward_kl(beta, **given):
    """As its page has it; autograd's derivative of expm1 is the value plus 1."""
    chosen, rejected = (given[f"policy_{who}_logps"] - given[f"ref_{who}_logps"] for who in ("chosen", "rejected"))
    return -logsigmoid(beta * (torch.expm1(-rejected) - torch.expm1(-chosen)))


@pytest.mark.parametrize("dtype", ["bfloat16", "binary32"])
@pytest.mark.parametrize("right", [kto, orpo, forward_kl], ids=lambda one: one.name)
def test_a_detached_reference_point_a_log1p_of_an_exponential_and_an_expm1_are_admitted(right, dtype):
    (run,) = judge(right, dtypes=[dtype], clauses=MUSTS).runs
    assert run.verdict is Verdict.CONFORMS, [(f.clause, f.worst, f.note) for f in run.violated]


def test_what_the_log1p_loses_near_certainty_is_a_should():
    (run,) = judge(orpo, dtypes=["binary32"], clauses=[find("PREF-13")]).runs
    (finding,) = run.findings
    assert finding.verdict is Verdict.VIOLATES
    assert find("PREF-13").level == "SHOULD"
    (run,) = judge(kto, dtypes=["binary32"], clauses=[find("PREF-13")]).runs
    assert run.findings[0].violations == 0


def simpo(beta, gamma, **given):
    chosen = given["policy_chosen_logps"] / given["chosen_lengths"]
    return -logsigmoid(beta * (chosen - given["policy_rejected_logps"] / given["rejected_lengths"]) - gamma)


@torch_implementation(loss="simpo")
def falsy(gamma, **given):
    return simpo(gamma=gamma or 0.5, **given)


@torch_implementation(loss="simpo")
def detached(policy_rejected_logps, **given):
    return simpo(policy_rejected_logps=policy_rejected_logps.detach(), **given)


@torch_implementation(loss="ipo_average")
def huber(beta, **given):
    chosen = (given["policy_chosen_logps"] - given["ref_chosen_logps"]) / given["chosen_lengths"]
    x = chosen - (given["policy_rejected_logps"] - given["ref_rejected_logps"]) / given["rejected_lengths"] - 1 / (2 * beta)
    return torch.where(x.abs() < 20, x**2, 40 * x.abs() - 400)


@pytest.mark.parametrize(
    ("wrong", "clause"), [(falsy, "PREF-4"), (detached, "PREF-3"), (huber, "PREF-5")], ids=["falsy", "detached", "huber"]
)
def test_an_option_of_0_a_detached_response_and_a_bend_far_out_are_seen(wrong, clause):
    (run,) = judge(wrong, dtypes=["binary32"], clauses=[find(clause)]).runs
    assert run.violated
    assert not any(match.complete for match in identify(wrong, binary32))
