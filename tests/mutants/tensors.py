"""Correct pieces in torch, of which a mutant or an honest implementation replaces one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor, Tensor, float, float], Tensor]
Six = tuple[Tensor, Tensor, Tensor, Tensor, float, float]


def margin(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor) -> Tensor:
    """Chosen log-ratio - rejected log-ratio."""
    return (pc - rc) - (pr - rr)


def each(change: Callable[[Tensor], Tensor], *logps: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The four log-probabilities, each changed."""
    pc, pr, rc, rr = (change(x) for x in logps)
    return pc, pr, rc, rr


def softplus(x: Tensor) -> Tensor:
    """log(1 + e**x), stable."""
    return -F.logsigmoid(-x)


def mixed(chosen: Tensor, rejected: Tensor, eps: float) -> Tensor:
    """(1 - eps) * chosen + eps * rejected, where eps may be 0 and rejected infinite."""
    return chosen if eps == 0 else (1 - eps) * chosen + eps * rejected


def smoothed(z: Tensor, eps: float) -> Tensor:
    """The loss of a logit."""
    return mixed(softplus(-z), softplus(z), eps)


def stable(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """The loss, right in every format."""
    return smoothed(beta * margin(pc, pr, rc, rr), eps)


def of_margin(function: Callable[[Tensor, float, float], Tensor]) -> Loss:
    """A loss from a function of margin, beta and label_smoothing."""

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        return function(margin(pc, pr, rc, rr), beta, eps)

    return loss


def of_logit(function: Callable[[Tensor, float], Tensor]) -> Loss:
    """A loss from a function of logit and label_smoothing."""
    return of_margin(lambda m, beta, eps: function(beta * m, eps))


def of_softplus(function: Callable[[Tensor], Tensor]) -> Loss:
    """A loss from something in the place of softplus."""
    return of_logit(lambda z, eps: mixed(function(-z), function(z) if eps else z, eps))


def of_arguments(change: Callable[[Tensor, Tensor, Tensor, Tensor, float, float], Six]) -> Loss:
    """The right loss of changed arguments."""

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        return stable(*change(pc, pr, rc, rr, beta, eps))

    return loss


def of_logps(change: Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor, Tensor]]) -> Loss:
    """The right loss of changed log-probabilities."""
    return of_arguments(lambda pc, pr, rc, rr, beta, eps: (*change(pc, pr, rc, rr), beta, eps))


def then(change: Callable[[Tensor], Tensor]) -> Loss:
    """The right losses, changed afterwards."""

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        return change(stable(pc, pr, rc, rr, beta, eps))

    return loss


class _Scaled(torch.autograd.Function):  # type: ignore[misc]
    """x itself; its derivative times a factor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.clone()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        return upstream * ctx.factor, None


def scaled_gradient(x: Tensor, factor: float) -> Tensor:
    """x itself, whose derivative is multiplied by the factor."""
    result: Tensor = _Scaled.apply(x, factor)
    return result


class _Sloped(torch.autograd.Function):  # type: ignore[misc]
    """The right loss of a logit; d loss / dz is whatever the slope says."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, eps: float, slope: Callable[[Tensor, float], Tensor]) -> Tensor:
        ctx.save_for_backward(z)
        ctx.eps, ctx.slope = eps, slope
        return smoothed(z, eps)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        (z,) = ctx.saved_tensors
        return upstream * ctx.slope(z, ctx.eps), None, None


def of_slope(slope: Callable[[Tensor, float], Tensor]) -> Loss:
    """The right loss with d loss / dz given by slope(z, label_smoothing)."""

    def loss(z: Tensor, eps: float) -> Tensor:
        result: Tensor = _Sloped.apply(z, eps, slope)
        return result

    return of_logit(loss)
