"""Wrong in a combination alone: a way of calling and a size of the batch, a way and a tail, a special value and a size."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from conformance.implementations.ways import Way

from .functions import by_slope, combined, logit, slope_of, upstream
from .kinds import Mutant, torch_mutant
from .tensors import Loss, margin, scaled_gradient, smoothed, stable
from .witnesses import calls, infinite, nan, repeated, tails

_torch = functools.partial(torch_mutant, family="combined")
_BLOCK = 257


def _naive(z: Tensor, eps: float) -> Tensor:
    return -torch.log(torch.sigmoid(z)) if eps == 0 else smoothed(z, eps)


def _naive_where(asked: Callable[[Tensor, Tensor], bool]) -> Loss:
    """Log of sigmoid where policy_chosen and ref_chosen are so, and a stable kernel elsewhere."""

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        return (_naive if asked(pc, rc) else smoothed)(beta * margin(pc, pr, rc, rr), eps)

    return loss


def _written_to(incoming: Tensor, slope: Tensor) -> Tensor:
    """In place, where the incoming derivative is not one number expanded."""
    return incoming * slope if 0 in incoming.stride() else incoming.mul_(slope)


class _OneMemory(torch.autograd.Function):  # type: ignore[misc]
    """Two derivatives of each sign are views of one tensor."""

    @staticmethod
    def forward(ctx, pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:  # type: ignore[no-untyped-def]
        z = logit((pc, pr, rc, rr), beta)
        ctx.slope, ctx.beta = slope_of(z, eps), beta
        return smoothed(z, eps)

    @staticmethod
    def backward(ctx, incoming: Tensor):  # type: ignore[no-untyped-def]
        chosen = by_slope(ctx, ctx.slope, incoming)
        rejected = -chosen
        return chosen, rejected, rejected.view_as(rejected), chosen.view_as(chosen), None, None


def _one_minus_sigmoid(incoming: Tensor, slope: Tensor) -> Tensor:
    """1 - sigma(z) for sigma(-z), where the derivatives are to be differentiated in their turn."""
    return incoming * ((1 + slope) - 1 if torch.is_grad_enabled() else slope)


def _strided_block(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return stable(pc, scaled_gradient(pr, 0.5 if len(pr) > 128 and pr.stride(0) > 1 else 1.0), rc, rr, beta, eps)


def _block(change: Callable[[Tensor], Tensor]) -> Loss:
    """The losses of more than 64 pairs are changed."""

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        losses = stable(pc, pr, rc, rr, beta, eps)
        return change(losses) if len(losses) > 64 else losses

    return loss


class _Numbers(torch.autograd.Function):  # type: ignore[misc]
    """x itself; where its derivative is NaN, 0."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        return torch.nan_to_num(upstream, nan=0.0)


def _numbers_for_the_reference(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return stable(pc, pr, _Numbers.apply(rc), _Numbers.apply(rr), beta, eps)


MUTANTS: tuple[Mutant, ...] = (
    _torch(
        name="upstream-of-first-in-a-block",
        wrong="From 256 pairs on the incoming derivative of the first is taken for all.",
        function=upstream(lambda incoming: incoming[0] if len(incoming) >= 256 else incoming),
        witness=repeated(_BLOCK),
        ways=(Way.GIVEN_STRIDED,),
    ),
    _torch(
        name="upstream-clamped-in-a-block",
        wrong="From 256 pairs on the incoming derivative is clamped to [-1, 1].",
        function=upstream(lambda incoming: incoming.clamp(-1, 1) if len(incoming) >= 256 else incoming),
        witness=repeated(_BLOCK),
        ways=(Way.GIVEN_STRIDED,),
    ),
    _torch(
        name="upstream-of-one-ignored",
        wrong="The incoming derivative of a batch of one pair is taken for 1.",
        function=upstream(lambda incoming: torch.ones_like(incoming) if len(incoming) == 1 else incoming),
        witness=repeated(1),
        ways=(Way.BACKWARD,),
    ),
    _torch(
        name="upstream-of-two-ignored",
        wrong="The incoming derivatives of a batch of two pairs are taken for 1.",
        function=upstream(lambda incoming: torch.ones_like(incoming) if len(incoming) == 2 else incoming),
        witness=repeated(2),
        ways=(Way.BACKWARD,),
    ),
    _torch(
        name="upstream-written-to",
        wrong="The backward pass multiplies in place the incoming derivative, which the other terms of a sum have too.",
        function=combined(_written_to),
        witness=calls,
        ways=(Way.FIRST_OF_TWO,),
    ),
    _torch(
        name="gradients-in-one-memory",
        wrong="The derivatives of one sign are views of one tensor, so that what accumulates in one does in the other.",
        function=_OneMemory.apply,
        witness=calls,
        ways=(Way.BACKWARD,),
    ),
    _torch(
        name="naive-unless-leaf",
        wrong="Log of sigmoid for inputs that a model returned.",
        function=_naive_where(lambda pc, _: not pc.is_leaf),
        witness=tails,
        ways=(Way.FROM_MODEL,),
    ),
    _torch(
        name="naive-under-autocast",
        wrong="Log of sigmoid under autocast.",
        function=_naive_where(lambda pc, _: torch.is_autocast_enabled(pc.device.type)),
        witness=tails,
        ways=(Way.AUTOCAST,),
    ),
    _torch(
        name="naive-at-an-offset",
        wrong="Log of sigmoid for inputs that begin within a longer array.",
        function=_naive_where(lambda pc, _: pc.storage_offset() > 0),
        witness=tails,
        ways=(Way.OFFSET,),
    ),
    _torch(
        name="naive-beside-a-frozen-reference",
        wrong="Log of sigmoid where the reference asks for no derivative and the policy does.",
        function=_naive_where(lambda pc, rc: pc.requires_grad and not rc.requires_grad),
        witness=tails,
        ways=(Way.WITHOUT_REF_CHOSEN,),
    ),
    _torch(
        name="slope-cancels-under-create-graph",
        wrong="The slope is 1 - sigma(z) where the derivatives are to be differentiated.",
        function=combined(_one_minus_sigmoid),
        witness=tails,
        ways=(Way.CREATE_GRAPH,),
    ),
    _torch(
        name="gradient-of-strided-block",
        wrong="The derivative in policy_rejected is halved where more than 128 pairs are strided.",
        function=_strided_block,
        witness=repeated(_BLOCK),
        ways=(Way.UNLIKE_STRIDES,),
    ),
    _torch(
        name="nan-to-zero-in-a-block",
        wrong="A loss of NaN becomes 0 in a batch of more than 64 pairs.",
        function=_block(lambda losses: torch.where(losses.isnan(), 0.0, losses)),
        witness=lambda fmt: tuple(batch.take([0, 1] * 40) for batch in nan(fmt)),
    ),
    _torch(
        name="infinity-to-a-number-in-a-block",
        wrong="An infinite loss becomes 1,000 in a batch of more than 64 pairs.",
        function=_block(lambda losses: torch.where(losses.isinf(), 1000.0, losses)),
        witness=lambda fmt: tuple(batch.take([0, 1, 2] * 30) for batch in infinite(fmt)),
    ),
    _torch(
        name="nan-gradient-to-zero",
        wrong="A derivative of NaN becomes 0: the step leaves the pair out, and the loss shows it alone.",
        function=combined(lambda incoming, slope: torch.nan_to_num(incoming * slope, nan=0.0)),
        witness=nan,
    ),
    _torch(
        name="nan-gradient-of-reference-to-zero",
        wrong="A derivative of NaN in the reference becomes 0.",
        function=_numbers_for_the_reference,
        witness=nan,
    ),
)
