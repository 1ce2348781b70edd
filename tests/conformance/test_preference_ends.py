"""PREF at the ends: log-probabilities of 0, and parameters at the ends that they exclude; public reports of both."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from conformance import judge
from conformance.clauses import find
from conformance.diagnosis.identification import identify
from conformance.implementations import jax_implementation, numpy_implementation, torch_implementation
from conformance.records.record import Verdict
from oracle import binary32, losses
from oracle.losses import LOSSES
from oracle.reference import losses_jax, losses_torch
from tests.losses.honest import honest


def finding(implementation: Any, clause: str, dtype: str = "float32") -> Any:
    """What that clause finds."""
    (run,) = judge(implementation, dtypes=[dtype], clauses=[find(clause)]).runs
    return run.findings[0]


def averages(given: dict[str, Any]) -> list[Any]:
    """Those of the policy's tokens."""
    return [given[f"policy_{who}_logps"] / given[f"{who}_lengths"] for who in ("chosen", "rejected")]


def by_log1p(odds_weight, **given):
    """huggingface/trl#2564: log1p(-exp(x)) at x = 0; the loss is right, its derivative NaN."""
    x, y = averages(given)
    odds = (x - y) - (torch.log1p(-torch.exp(x)) - torch.log1p(-torch.exp(y)))
    return -odds_weight * F.logsigmoid(odds)


def clamped(odds_weight, **given):
    """The average kept below 0: the derivative is 0 where it is not."""
    x, y = (average.clamp(max=-1e-7) for average in averages(given))
    return -odds_weight * F.logsigmoid((x - y) - (torch.log(-torch.expm1(x)) - torch.log(-torch.expm1(y))))


def with_an_epsilon(odds_weight, **given):
    """An epsilon in the logarithm: a loss that is not 0 where it should be."""
    x, y = averages(given)
    odds = (x - y) - (torch.log(1 - x.exp() + 1e-12) - torch.log(1 - y.exp() + 1e-12))
    return -odds_weight * F.logsigmoid(odds)


def skipped(odds_weight, **given):
    """xtuner: what is NaN or infinite is replaced by 0, and its derivative with it."""
    x, y = averages(given)
    odds = (x - y) - (torch.log1p(-torch.exp(x)) - torch.log1p(-torch.exp(y)))
    finite = torch.isfinite(odds)
    return torch.where(finite, -odds_weight * F.logsigmoid(torch.where(finite, odds, 0.0)), 0.0)


@pytest.mark.parametrize("wrong", [by_log1p, clamped, with_an_epsilon, skipped], ids=lambda one: one.__name__)
def test_a_certain_response_spoils_orpo_and_is_seen(wrong):
    found = finding(torch_implementation(wrong, loss="orpo_odds"), "PREF-14")
    assert found.verdict is Verdict.VIOLATES


def test_the_report_by_its_own_numbers():
    exact = losses.gradient("orpo_odds", policy_chosen_logps=0, policy_rejected_logps=-1, chosen_lengths=1, rejected_lengths=1,
                            odds_weight="0.1")  # fmt: skip
    assert exact["policy_chosen_logps"].digits(9) == "-0.0581976707"
    found = finding(torch_implementation(by_log1p, loss="orpo_odds"), "PREF-14")
    assert found.worst.quantity == "d loss / d policy_chosen_logps"
    assert np.isnan(float.fromhex(found.worst.got))


@pytest.mark.no_cover
@pytest.mark.parametrize("dtype", ["bfloat16", "binary32", "binary64"])
def test_orpo_written_for_it_passes(dtype):
    for made in (torch_implementation(losses_torch.orpo, loss="orpo"), jax_implementation(losses_jax.orpo, loss="orpo")):
        if dtype in {fmt.name for fmt in made.claims.formats}:
            assert finding(made, "PREF-14", dtype).verdict is Verdict.CONFORMS


def test_a_mean_is_asked_too():
    def mean(**given):
        return losses_torch.orpo(**given).mean()

    assert finding(torch_implementation(mean, loss="orpo", reduction="mean"), "PREF-14").verdict is Verdict.CONFORMS


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_no_other_loss_has_a_pole_at_a_log_probability_of_0(name):
    found = finding(honest(LOSSES[name])[0], "PREF-14")
    assert found.verdict is (Verdict.VIOLATES if name.startswith("orpo") else Verdict.NOT_CLAIMED)


@numpy_implementation(loss="sigmoid")
def ignores_certain(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps, beta):
    """A log-probability of 0 taken for padding."""
    kept = [np.where(x == 0, 0, 1) for x in (policy_chosen_logps, policy_rejected_logps)]
    z = beta * (kept[0] * (policy_chosen_logps - ref_chosen_logps) - kept[1] * (policy_rejected_logps - ref_rejected_logps))
    return np.logaddexp(0, -z).astype(policy_chosen_logps.dtype)


def test_a_certain_response_taken_for_padding_violates_a_must():
    assert finding(ignores_certain, "PREF-2").verdict is Verdict.VIOLATES
    assert finding(ignores_certain, "PREF-1").verdict is Verdict.CONFORMS


def test_a_derivative_that_is_nan_where_the_loss_has_a_limit_is_seen():
    def forward_kl(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps, beta):
        chosen, rejected = policy_chosen_logps - ref_chosen_logps, policy_rejected_logps - ref_rejected_logps
        return -F.logsigmoid(beta * (torch.exp(-rejected) - torch.exp(-chosen)))

    found = finding(torch_implementation(forward_kl, loss="f_dpo_forward_kl"), "PREF-6")
    assert found.worst.quantity == "d loss / d policy_rejected_logps"


# -- excluded parameters -----------------------------------------------------------------------------------------------


def exo(z, eps):
    q, rest = torch.sigmoid(z), torch.sigmoid(-z)
    log = torch.log(torch.tensor([eps, 1 - eps], dtype=z.dtype))
    return q * (F.logsigmoid(z) - log[1]) + rest * (F.logsigmoid(-z) - log[0])


def logit(given, beta):
    chosen, rejected = (given[f"policy_{who}_logps"] - given[f"ref_{who}_logps"] for who in ("chosen", "rejected"))
    return beta * (chosen - rejected)


@pytest.mark.parametrize(
    ("eps", "told"),
    [
        (lambda eps: eps, ""),
        (lambda eps: max(eps, 1e-3), "at label_smoothing = 0"),
        (lambda eps: eps or 1e-3, "there is no limit"),
    ],
)
def test_a_smoothing_that_is_quietly_replaced_is_told(eps, told):
    made = torch_implementation(
        lambda beta, label_smoothing, **given: exo(logit(given, beta), eps(label_smoothing)), name="exo", loss="exo_pair"
    )
    found = finding(made, "PREF-15")
    assert found.verdict is (Verdict.VIOLATES if told else Verdict.CONFORMS)
    assert told in found.note


def test_a_refusal_and_a_limit_are_no_wrong_answers():
    def alphapo(beta, gamma, alpha, **given):
        x, y = (given[f"policy_{who}_logps"] / given[f"{who}_lengths"] for who in ("chosen", "rejected"))
        if alpha:
            x, y = ((-jnp.expm1(-alpha * p) / alpha) for p in (x, y))
        z = beta * (x - y) - gamma
        return jnp.logaddexp(0, -z)

    assert finding(jax_implementation(alphapo, loss="alphapo", subnormals="flush"), "PREF-15").verdict is Verdict.CONFORMS
    refusing = torch_implementation(losses_torch.robust, name="robust", loss="robust")
    assert finding(refusing, "PREF-15").verdict is Verdict.CONFORMS


@pytest.mark.parametrize(("below", "verdict"), [(0.5, Verdict.CONFORMS), (0.2, Verdict.VIOLATES)])
def test_a_label_smoothing_of_a_half_or_more_may_be_refused(below, verdict):
    def cdpo(label_smoothing, **given):
        if label_smoothing >= below:
            raise ValueError("label_smoothing")
        return losses_torch.cdpo(label_smoothing=label_smoothing, **given)

    assert finding(torch_implementation(cdpo, loss="cdpo"), "PREF-4").verdict is verdict


def test_a_weight_of_0_may_be_refused_and_its_loss_is_identified():
    def margin(beta, gamma, **given):
        if gamma == 0:
            raise ValueError("gamma")
        chosen, rejected = (given[f"policy_{who}_logps"] - given[f"ref_{who}_logps"] for who in ("chosen", "rejected"))
        return -F.logsigmoid(beta * (chosen - rejected) - gamma)

    refusing = torch_implementation(margin, loss="margin")
    assert finding(refusing, "PREF-4").verdict is Verdict.CONFORMS
    assert identify(refusing, binary32)[0].candidate.loss.name == "margin"


def test_what_has_no_such_end_is_not_asked():
    assert finding(torch_implementation(lambda **given: -given["policy_chosen_logps"], loss="nll_sum"), "PREF-15").verdict is (
        Verdict.NOT_CLAIMED
    )


# -- from outside ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keeps", [torch.ones_like, lambda x: x.mean().expand_as(x)], ids=["forgotten", "averaged"])
def test_a_backward_pass_that_mistakes_what_comes_in_violates_a_must(keeps):
    class Kept(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return -F.logsigmoid(z)

        @staticmethod
        def backward(ctx, incoming):
            (z,) = ctx.saved_tensors
            return -torch.sigmoid(-z) * keeps(incoming)

    made = torch_implementation(lambda **given: Kept.apply(logit(given, given["beta"])), name="kept", loss="sigmoid")
    assert finding(made, "PREF-16").verdict is Verdict.VIOLATES
    assert finding(made, "PREF-3").verdict is Verdict.CONFORMS


def test_right_ones_of_each_kind_multiply_by_what_comes_in():
    for made in (
        torch_implementation(losses_torch.orpo, loss="orpo"),
        torch_implementation(losses_torch.kto, loss="kto"),
        torch_implementation(lambda **given: losses_torch.cdpo(**given).mean(), name="mean", loss="cdpo", reduction="mean"),
        jax_implementation(losses_jax.simpo, loss="simpo"),
    ):
        assert finding(made, "PREF-16").verdict is Verdict.CONFORMS, made.name
    assert finding(ignores_certain, "PREF-16").verdict is Verdict.NOT_CLAIMED


def test_a_block_that_is_forgotten_at_one_size_is_seen():
    @numpy_implementation(loss="sigmoid")
    def blocks(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps, beta):
        z = beta * ((policy_chosen_logps - ref_chosen_logps) - (policy_rejected_logps - ref_rejected_logps))
        losses = np.logaddexp(0, -z).astype(policy_chosen_logps.dtype)
        if losses.size == 33:
            losses[32:] = 0
        return losses

    assert finding(blocks, "PREF-8").verdict is Verdict.VIOLATES
    assert finding(blocks, "PREF-2").verdict is Verdict.CONFORMS


def test_losses_that_are_wrong_beside_derivatives_alone_are_seen():
    def graded(**given):
        z = logit(given, given["beta"])
        losses = -F.logsigmoid(z)
        return losses + (losses.detach() / 8 if z.requires_grad else 0)

    made = torch_implementation(graded, loss="sigmoid")
    assert finding(made, "PREF-3").verdict is Verdict.VIOLATES
    assert finding(made, "PREF-2").verdict is Verdict.CONFORMS
