"""Wrong for some ways to ask: inputs that are no leaves, one that needs no derivative, no graph at all."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from conformance.implementations.ways import ONLY, Way

from .functions import by_slope, logit, slope_of
from .kinds import Mutant, torch_mutant
from .tensors import Loss, each, scaled_gradient, smoothed, stable
from .witnesses import batch_of, calls, pairs, tails

_torch = functools.partial(torch_mutant, family="asking", witness=calls)


def _detached_unless_leaf(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return stable(*each(lambda x: x if x.is_leaf else x.detach(), pc, pr, rc, rr), beta, eps)


def _halved_unless_leaf(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return stable(*each(lambda x: scaled_gradient(x, 1.0 if x.is_leaf else 0.5), pc, pr, rc, rr), beta, eps)


def _base_of_view(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """A view is taken for the beginning of what it is a view of."""

    def base(x: Tensor) -> Tensor:
        longer = None if x.is_leaf else x._base
        return x if longer is None or longer.dim() > 1 else longer[: len(x)]

    return stable(*each(base, pc, pr, rc, rr), beta, eps)


def _unsmoothed_unless_leaf(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return stable(pc, pr, rc, rr, beta, eps if pc.is_leaf else 0.0)


def _all_or_none(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """Derivatives are computed only if all four ask for one."""
    asked = [x.requires_grad for x in (pc, pr, rc, rr)]
    factor = 0.0 if any(asked) and not all(asked) else 1.0
    return stable(*each(lambda x: scaled_gradient(x, factor), pc, pr, rc, rr), beta, eps)


def _as_the_other_asks(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """A response has a derivative if the other one asks for it."""
    chosen, rejected = (1.0, 1.0) if pc.requires_grad == pr.requires_grad else (0.0, 0.0)
    return stable(scaled_gradient(pc, chosen), scaled_gradient(pr, rejected), rc, rr, beta, eps)


class _ClosedUp(torch.autograd.Function):  # type: ignore[misc]
    """The derivatives that are asked for, one after the other, without gaps."""

    @staticmethod
    def forward(ctx: Any, pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        z = logit((pc, pr, rc, rr), beta)
        ctx.save_for_backward(z)
        ctx.beta, ctx.eps = beta, eps
        return smoothed(z, eps)

    @staticmethod
    def backward(ctx: Any, incoming: Tensor) -> tuple[Tensor | None, ...]:
        by_chosen = by_slope(ctx, slope_of(ctx.saved_tensors[0], ctx.eps), incoming)
        parts = [by_chosen, -by_chosen, -by_chosen, by_chosen]
        asked = ctx.needs_input_grad[:4]
        return (*(parts.pop(0) if needed else None for needed in asked), None, None)


def _closed_up(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    result: Tensor = _ClosedUp.apply(pc, pr, rc, rr, beta, eps)
    return result


def _in_mode(away: Callable[[], bool], other: Loss) -> Loss:
    """Another loss in some mode."""

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        return (other if away() else stable)(pc, pr, rc, rr, beta, eps)

    return loss


def _narrow(dtype: torch.dtype) -> Loss:
    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        return stable(*each(lambda x: x.to(dtype), pc, pr, rc, rr), beta, eps).to(pc.dtype)

    return loss


def _naive(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    z = beta * ((pc - rc) - (pr - rr))
    losses = -torch.log(torch.sigmoid(z))
    return losses if eps == 0 else (1 - eps) * losses - eps * torch.log(torch.sigmoid(-z))


def _unsmoothed(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return stable(pc, pr, rc, rr, beta, 0.0)


def _no_reference(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return stable(pc, pr, 0 * rc, 0 * rr, beta, eps)


def _needs_a_second(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    factor = 0.0 if sum(x.requires_grad for x in (pc, pr, rc, rr)) == 1 else 1.0
    return stable(*each(lambda x: scaled_gradient(x, factor), pc, pr, rc, rr), beta, eps)


def _needs_policy(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    factor = 1.0 if pc.requires_grad or pr.requires_grad else 0.0
    return stable(pc, pr, scaled_gradient(rc, factor), scaled_gradient(rr, factor), beta, eps)


def _autocast() -> bool:
    return torch.is_autocast_enabled("cpu")


def _by_product(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    signs = torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=pc.dtype)
    return smoothed((beta * (torch.stack((pc, pr, rc, rr), dim=-1) @ signs)).to(pc.dtype), eps)


def _rounded_gradient_in_autocast(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    z = logit((pc, pr, rc, rr), beta)
    if _autocast() and z.requires_grad:
        z.register_hook(lambda incoming: incoming.to(torch.bfloat16).to(incoming.dtype))
    return smoothed(z, eps)


def _recorded_nowhere() -> bool:
    return not torch.is_grad_enabled()


MUTANTS: tuple[Mutant, ...] = (
    _torch(
        name="detached-unless-leaf",
        wrong="Inputs that are no leaves, as every model's outputs, are detached.",
        function=_detached_unless_leaf,
    ),
    _torch(
        name="gradient-halved-unless-leaf",
        wrong="The derivatives are halved in inputs that are no leaves.",
        function=_halved_unless_leaf,
    ),
    _torch(
        name="unsmoothed-unless-leaf",
        wrong="Label smoothing is ignored for inputs that are no leaves.",
        function=_unsmoothed_unless_leaf,
        witness=pairs(2.0, 0.3),
    ),
    _torch(
        name="base-of-view",
        wrong="A half of a tensor is taken for its first half.",
        function=_base_of_view,
        witness=pairs(1.0),
    ),
    _torch(
        name="gradient-needs-all-four",
        wrong="The derivatives are 0 unless all four inputs ask for one.",
        function=_all_or_none,
    ),
    _torch(
        name="gradient-needs-the-other-response",
        wrong="The policy's derivatives are 0 where one of its two responses asks for none.",
        function=_as_the_other_asks,
    ),
    _torch(
        name="gradients-closed-up",
        wrong="The derivatives that are asked for are returned without gaps: an input gets its neighbour's.",
        function=_closed_up,
        witness=pairs(1.0),
    ),
    _torch(
        name="no-grad-in-float16",
        wrong="Where nothing is recorded, the loss is computed in binary16.",
        function=_in_mode(_recorded_nowhere, _narrow(torch.float16)),
        dtypes=("binary32", "binary64", "bfloat16"),
        witness=tails,
    ),
    _torch(
        name="no-grad-in-bfloat16",
        wrong="Where nothing is recorded, the loss is computed in bfloat16.",
        function=_in_mode(_recorded_nowhere, _narrow(torch.bfloat16)),
        dtypes=("binary32", "binary64"),
        witness=pairs(1.0),
    ),
    _torch(
        name="no-grad-naive",
        wrong="Where nothing is recorded, the loss is the logarithm of the sigmoid.",
        function=_in_mode(_recorded_nowhere, _naive),
        witness=pairs(2000.0),
        equivalent={},
    ),
    _torch(
        name="no-grad-unsmoothed",
        wrong="Where nothing is recorded, label smoothing is ignored.",
        function=_in_mode(_recorded_nowhere, _unsmoothed),
        witness=pairs(2.0, 0.3),
    ),
    _torch(
        name="inference-unsmoothed",
        wrong="In inference mode label smoothing is ignored.",
        function=_in_mode(torch.is_inference_mode_enabled, _unsmoothed),
        witness=pairs(2.0, 0.3),
    ),
    _torch(
        name="inference-without-reference",
        wrong="In inference mode the reference is ignored.",
        function=_in_mode(torch.is_inference_mode_enabled, _no_reference),
        witness=pairs(1.0),
    ),
    _torch(
        name="gradient-needs-a-second",
        wrong="The derivatives are 0 where one input alone asks for one.",
        function=_needs_a_second,
        ways=ONLY,
    ),
    _torch(
        name="gradient-of-policy-alone",
        wrong="The reference has no derivative unless the policy asks for one.",
        function=_needs_policy,
        ways=ONLY,
    ),
    _torch(
        name="autocast-in-bfloat16",
        wrong="Under autocast the loss is computed in bfloat16.",
        function=_in_mode(_autocast, _narrow(torch.bfloat16)),
        dtypes=("binary32", "binary64"),
        witness=batch_of(6, beta=1.0),
        ways=(Way.AUTOCAST,),
    ),
    _torch(
        name="autocast-margin-by-product",
        wrong="The margin is a matrix product, which autocast takes in bfloat16.",
        function=_by_product,
        dtypes=("binary32",),
        witness=batch_of(6, beta=1.0),
        ways=(Way.AUTOCAST,),
    ),
    _torch(
        name="autocast-gradient-in-bfloat16",
        wrong="Under autocast the derivatives are rounded to bfloat16.",
        function=_rounded_gradient_in_autocast,
        dtypes=("binary32", "binary64"),
        ways=(Way.AUTOCAST,),
    ),
    _torch(
        name="autocast-unsmoothed",
        wrong="Under autocast label smoothing is ignored.",
        function=_in_mode(_autocast, _unsmoothed),
        witness=pairs(2.0, 0.3),
        ways=(Way.AUTOCAST,),
    ),
)
