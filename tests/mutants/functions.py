"""Autograd functions of which a mutant or an honest implementation replaces the part that goes wrong in practice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .tensors import Loss, margin, of_logit, smoothed

Combine = Callable[[Tensor, Tensor], Tensor]
Keep = Callable[[Any, tuple[Tensor, ...], float, float], Tensor]
Recall = Callable[[Any, Tensor], Tensor]


def slope_of(z: Tensor, eps: float) -> Tensor:
    """d loss / d z."""
    return eps - torch.sigmoid(-z)


class _Combined(torch.autograd.Function):  # type: ignore[misc]
    """The right loss of a logit; the incoming derivative and the slope are combined as it says."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, eps: float, combine: Combine) -> Tensor:
        ctx.save_for_backward(z)
        ctx.eps, ctx.combine = eps, combine
        return smoothed(z, eps)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        (z,) = ctx.saved_tensors
        return ctx.combine(upstream, slope_of(z, ctx.eps)), None, None


def combined(combine: Combine) -> Loss:
    """The right loss; the derivative in the logit is combine(incoming derivative, slope)."""

    def loss(z: Tensor, eps: float) -> Tensor:
        result: Tensor = _Combined.apply(z, eps, combine)
        return result

    return of_logit(loss)


def upstream(change: Callable[[Tensor], Tensor]) -> Loss:
    """The right loss; the incoming derivative is changed before it is applied."""
    return combined(lambda incoming, slope: change(incoming) * slope)


class _Four(torch.autograd.Function):  # type: ignore[misc]
    """The right loss of four log-probabilities; what is kept for the backward pass, and how, is as it says."""

    @staticmethod
    def forward(
        ctx: Any, pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float, keep: Keep, recall: Recall
    ) -> Tensor:
        ctx.beta, ctx.eps, ctx.recall = beta, eps, recall
        return keep(ctx, (pc, pr, rc, rr), beta, eps)

    @staticmethod
    def backward(ctx: Any, incoming: Tensor) -> tuple[Tensor | None, ...]:
        by_chosen = ctx.recall(ctx, incoming)
        parts = (by_chosen, -by_chosen, -by_chosen, by_chosen)
        asked = ctx.needs_input_grad
        return (*(part if needed else None for part, needed in zip(parts, asked, strict=False)), None, None, None, None)


def kept(keep: Keep, recall: Recall) -> Loss:
    """keep(ctx, logps, beta, eps) returns the losses; recall(ctx, incoming) returns the derivative in policy_chosen."""

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        result: Tensor = _Four.apply(pc, pr, rc, rr, beta, eps, keep, recall)
        return result

    return loss


def by_slope(ctx: Any, slope: Tensor, incoming: Tensor) -> Tensor:
    """The derivative in policy_chosen from the slope."""
    return incoming * slope * ctx.beta


def logit(logps: tuple[Tensor, ...], beta: float) -> Tensor:
    """beta times the margin."""
    pc, pr, rc, rr = logps
    return beta * margin(pc, pr, rc, rr)
