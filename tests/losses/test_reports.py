"""Public reports on other losses than DPO's: each caught by a MUST, and told."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from conformance.clauses import find
from conformance.implementations import torch_implementation
from conformance.records.record import Verdict
from conformance.reports import causes
from conformance.running.runner import judge


def _subtracted(*, policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps, beta, penalty):
    """abacusai/smaug#2, hiyouga/LlamaFactory#2587: DPO-positive's penalty is added to the margin."""
    chosen, rejected = policy_chosen_logps - ref_chosen_logps, policy_rejected_logps - ref_rejected_logps
    return -F.logsigmoid(beta * (chosen - rejected + penalty * torch.relu(-chosen)))


def _orpo(*, policy_chosen_logps, policy_rejected_logps, odds_weight, chosen_lengths, rejected_lengths):
    """hpcaitech/ColossalAI#6407: log(1.0001 - p) for log(1 - p)."""
    chosen = policy_chosen_logps / chosen_lengths.to(policy_chosen_logps.dtype)
    rejected = policy_rejected_logps / rejected_lengths.to(policy_chosen_logps.dtype)
    odds = (chosen - rejected) - (torch.log(1.0001 - chosen.exp()) - torch.log(1.0001 - rejected.exp()))
    return -chosen - odds_weight * F.logsigmoid(odds)


def _running() -> Any:
    """huggingface/trl#7265: BCO's delta is a running mean, which the micro-batches before have moved."""
    state = {"delta": 0.0, "calls": 0}

    def loss(*, policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps, beta):
        chosen, rejected = beta * (policy_chosen_logps - ref_chosen_logps), beta * (policy_rejected_logps - ref_rejected_logps)
        here = float(torch.cat([chosen, rejected]).mean().detach())
        if math.isfinite(here):
            state["calls"] += 1
            state["delta"] += (here - state["delta"]) / state["calls"]
        return -F.logsigmoid(chosen - state["delta"]) - F.logsigmoid(state["delta"] - rejected)

    return loss


REPORTS = [
    ("abacusai/smaug#2", "dpop", _subtracted, "the loss at -penalty"),
    ("hpcaitech/ColossalAI#6407", "orpo", _orpo, "orpo, but for up to 5e-06 of it in binary64; elsewhere they are right"),
    ("huggingface/trl#7265", "bco_batch", _running(), "not the same when the same is asked again after other calls"),
]


@pytest.mark.parametrize(("report", "loss", "function", "told"), REPORTS, ids=[report for report, *_ in REPORTS])
def test_a_report_is_caught_and_told(report: str, loss: str, function: Any, told: str) -> None:
    record = judge(torch_implementation(function, name="mine", loss=loss), dtypes=["float64"], clauses=[find("PREF-2")])
    assert record.runs[0].verdict is Verdict.VIOLATES
    assert told in causes.told(record)[0].headline
