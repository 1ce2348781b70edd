"""Statistics of a batch that are not its mean are seen in 16 bits too, where the six pairs hide them within their bounds."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from conformance.clauses import find
from conformance.clauses.trial import Trial
from conformance.implementations.torch import torch_implementation
from conformance.inputs.profiles import get_profile
from conformance.records.record import Verdict
from conformance.running.trying import check
from oracle import get_format

STATISTICS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "mean": lambda x: x.mean(),
    "median": lambda x: x.median(),
    "unbiased": lambda x: x.sum() / max(len(x) - 1, 1),
    "trimmed": lambda x: x.sort()[0][1:-1].mean() if len(x) > 2 else x.mean(),
    "cut": lambda x: x.clamp(-4, 4).mean(),
}


def _kto(statistic: Callable[[torch.Tensor], torch.Tensor], given: dict[str, Any]) -> torch.Tensor:
    z0 = statistic(given["policy_kl_logps"] - given["ref_kl_logps"]).clamp(min=0).detach()
    chosen, rejected = (given[f"policy_{who}_logps"] - given[f"ref_{who}_logps"] for who in ("chosen", "rejected"))
    return 0.5 * (torch.sigmoid(given["beta"] * (z0 - chosen)) + torch.sigmoid(given["beta"] * (rejected - z0))).mean()


def _bco(statistic: Callable[[torch.Tensor], torch.Tensor], given: dict[str, Any]) -> torch.Tensor:
    chosen, rejected = (
        given["beta"] * (given[f"policy_{who}_logps"] - given[f"ref_{who}_logps"]) for who in ("chosen", "rejected")
    )
    delta = statistic(torch.cat([chosen, rejected])).detach()
    return -F.logsigmoid(chosen - delta) - F.logsigmoid(delta - rejected)


@pytest.mark.parametrize("statistic", list(STATISTICS))
@pytest.mark.parametrize("loss", ["kto", "bco_batch"])
@pytest.mark.parametrize("fmt", ["binary16", "bfloat16"])
def test_a_statistic_that_is_not_the_mean_is_seen(loss: str, statistic: str, fmt: str) -> None:
    kind = _kto if loss == "kto" else _bco
    made = torch_implementation(
        lambda **given: kind(STATISTICS[statistic], given), loss=loss, options=("beta",), name=f"{loss} {statistic}"
    )
    found = check(find("PREF-1"), Trial(made, get_format(fmt), get_profile("quick"), 0))
    assert (found.verdict is Verdict.VIOLATES) == (statistic != "mean")
