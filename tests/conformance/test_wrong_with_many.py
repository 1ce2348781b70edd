"""What is wrong with batches of two or more alone, of one that returns their mean, and at sizes that are no block's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import oracle
from conformance.clauses.registry import find
from conformance.clauses.trial import Trial
from conformance.implementations.jax import jax_implementation
from conformance.implementations.torch import torch_implementation
from conformance.implementations.ways import Way
from conformance.inputs.pairs import golden
from conformance.inputs.profiles import get_profile
from conformance.records.record import Verdict
from conformance.running.trying import check
from oracle import get_format
from tests.mutants.tensors import Loss, stable


class _Upstream(torch.autograd.Function):  # type: ignore[misc]
    """The identity; its derivative is what comes in, in bfloat16."""

    @staticmethod
    def forward(ctx: Any, mean: Tensor) -> Tensor:
        return mean.view_as(mean)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        return upstream.bfloat16().to(upstream.dtype)


def _of_many(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    mean = stable(pc, pr, rc, rr, beta, eps).mean()
    return mean if len(pc) == 1 else _Upstream.apply(mean)


def _of_leaves(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    policy = (x if x.is_leaf or len(x) == 1 else x.detach() for x in (pc, pr))
    return stable(*policy, rc, rr, beta, eps).mean()  # type: ignore[call-arg]


def _unsmoothed_unless_recorded(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return stable(pc, pr, rc, rr, beta, eps if torch.is_grad_enabled() or len(pc) == 1 else 0.0).mean()


def _at_127(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return stable(pc, pr, rc, rr, beta, eps) * (0.5 if len(pc) == 127 else 1.0)


def _alike_in_policy(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    losses = stable(pc, pr, rc, rr, beta, eps)
    return torch.where((pc == pr) & (rc != rr), 0 * losses, losses)


def _smoothed_for_positive_beta(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return stable(pc, pr, rc, rr, beta, eps if beta > 0 else 0.0)


@pytest.mark.parametrize(
    ("clause", "function", "reduction"),
    [
        ("AUTOGRAD-1", _of_many, "mean"),
        ("AUTOGRAD-7", _of_leaves, "mean"),
        ("AUTOGRAD-9", _unsmoothed_unless_recorded, "mean"),
        ("BATCH-1", _at_127, "none"),
        ("OPTION-4", _alike_in_policy, "none"),
        ("OPTION-6", _smoothed_for_positive_beta, "none"),
    ],
)
def test_it_is_rejected(clause: str, function: Loss, reduction: str) -> None:
    def verdict(judged: Loss) -> Verdict:
        implementation = torch_implementation(judged, name="judged", reduction=reduction)
        return check(find(clause), Trial(implementation, get_format("binary32"), get_profile("quick"), 0)).verdict

    assert verdict(function) is Verdict.VIOLATES
    assert verdict(stable if reduction == "none" else lambda *arguments: stable(*arguments).mean()) is Verdict.CONFORMS


def test_a_mean_has_a_derivative_in_each_pair_in_forward_mode() -> None:
    jax = pytest.importorskip("jax")

    def mean(*arguments: Any) -> Any:
        pc, pr, rc, rr, beta, eps = arguments
        z = beta * ((pc - rc) - (pr - rr))
        return ((1 - eps) * -jax.nn.log_sigmoid(z) - eps * jax.nn.log_sigmoid(-z)).mean()

    answer = jax_implementation(mean, name="mean", reduction="mean").by_way(
        Way.FORWARD, golden(), get_format("binary32"), gradient=True, weights=np.array([2.0])
    )
    exact = oracle.gradient(*golden().logps, beta=golden().beta)
    for part, reals in zip(answer.gradient or (), exact.by_logps, strict=True):
        assert part == pytest.approx([2 * float(x) / len(golden()) for x in np.ravel(reals)], rel=1e-5)
