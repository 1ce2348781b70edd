"""Wrong for some ways to call alone: strided, differentiated in part, weighted, large, beside what is not finite."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .kinds import Mutant, torch_mutant
from .tensors import Loss, each, of_logit, scaled_gradient, smoothed, stable, then
from .witnesses import batch_of, infinite, nan, one, pairs

_torch = functools.partial(torch_mutant, family="calling")
Slope = Callable[[Tensor, Tensor], Tensor]


class _Backward(torch.autograd.Function):  # type: ignore[misc]
    """The right loss of a logit; its derivative is combined with the incoming one as it says."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, eps: float, combine: Slope) -> Tensor:
        ctx.save_for_backward(z)
        ctx.eps, ctx.combine = eps, combine
        return smoothed(z, eps)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        (z,) = ctx.saved_tensors
        return ctx.combine(upstream, ctx.eps - torch.sigmoid(-z)), None, None


def _combined(combine: Slope) -> Loss:
    def loss(z: Tensor, eps: float) -> Tensor:
        result: Tensor = _Backward.apply(z, eps, combine)
        return result

    return of_logit(loss)


def _needs_reference(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """Hands the reference's derivatives on to the policy: none where the reference has none."""
    factor = 1.0 if rc.requires_grad else 0.0
    return stable(scaled_gradient(pc, factor), scaled_gradient(pr, factor), rc, rr, beta, eps)


def _strided_gradient(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    factor = 1.0 if pc.is_contiguous() else 0.5
    return stable(*each(lambda x: scaled_gradient(x, factor), pc, pr, rc, rr), beta, eps)


def _strided_unsmoothed(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return stable(pc, pr, rc, rr, beta, eps if pc.is_contiguous() else 0.0)


def _tail_detached(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """The backward pass forgets what is left over after full vectors of 8, in batches of up to 99 pairs."""
    full = len(pc) // 8 * 8 if 8 < len(pc) < 100 else len(pc)
    return stable(*each(lambda x: torch.cat([x[:full], x[full:].detach()]), pc, pr, rc, rr), beta, eps)


def _unsmoothed_value(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    losses, plain = stable(pc, pr, rc, rr, beta, eps), stable(pc, pr, rc, rr, beta, 0.0)
    return losses + (plain - losses).detach() if pc.requires_grad else losses


def _unsmoothed_from(start: int) -> Loss:
    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        logps = (pc, pr, rc, rr)
        parts = [stable(*each(lambda x: x[:start], *logps), beta, eps), stable(*each(lambda x: x[start:], *logps), beta, 0.0)]
        return torch.cat(parts)

    return loss


def _no_reference_above(most: int) -> Loss:
    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        return stable(pc, pr, rc, rr, beta, eps) if len(pc) <= most else stable(pc, pr, 0 * rc, 0 * rr, beta, eps)

    return loss


def _derivatives_times(factor: float, where: Callable[[Tensor], Tensor]) -> Loss:
    """All derivatives of a batch times the factor, where any of its losses is so."""
    return then(lambda losses: scaled_gradient(losses, factor) if len(losses) > 1 and bool(where(losses).any()) else losses)


def _nan_at_infinity(reference: bool) -> Loss:
    """Derivatives of NaN at an infinite logit: of a reference that is infinite, or under label smoothing."""

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        losses = stable(pc, pr, rc, rr, beta, eps)
        bad = torch.isinf(rc) | torch.isinf(rr) if reference else torch.isinf(beta * ((pc - rc) - (pr - rr))) & (eps > 0)
        if losses.requires_grad:
            losses = losses.clone()
            losses.register_hook(lambda upstream: torch.where(bad, math.nan, upstream))
        return losses

    return loss


def _mean_options_of_one(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return stable(pc, pr, rc, rr, beta if len(pc) == 1 else 0.1, eps).mean()


def _mean_reference_sign(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return stable(pc, pr, rc if len(pc) == 1 else scaled_gradient(rc, -1.0), rr, beta, eps).mean()


def _mean_unsmoothed_gradient(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    losses, plain = stable(pc, pr, rc, rr, beta, eps).mean(), stable(pc, pr, rc, rr, beta, 0.0).mean()
    return losses if len(pc) == 1 or not eps else plain + (losses - plain).detach()


MUTANTS: tuple[Mutant, ...] = (
    _torch(
        "backward-without-upstream",
        wrong="A backward pass of its own returns the slope and ignores the derivative that comes in.",
        function=_combined(lambda upstream, slope: slope),
        witness=batch_of(5),
    ),
    _torch(
        "backward-with-first-upstream",
        wrong="A backward pass of its own multiplies every slope by the first pair's incoming derivative.",
        function=_combined(lambda upstream, slope: upstream[:1] * slope),
        witness=batch_of(5),
    ),
    _torch(
        "gradient-needs-reference",
        wrong="The policy has no derivative where none is asked for in the reference.",
        function=_needs_reference,
        witness=batch_of(5),
    ),
    _torch(
        "gradient-of-strided",
        wrong="The derivatives are halved for inputs that are not contiguous.",
        function=_strided_gradient,
        witness=batch_of(5),
    ),
    _torch(
        "label-smoothing-of-contiguous",
        wrong="Label smoothing is ignored for inputs that are not contiguous.",
        function=_strided_unsmoothed,
        witness=pairs(0.5, 0.3),
    ),
    _torch(
        "gradient-vector-tail",
        wrong="In batches of 9 to 99 pairs, those left over after full vectors of 8 have the derivative 0.",
        function=_tail_detached,
        witness=batch_of(13),
    ),
    _torch(
        "unsmoothed-where-differentiated",
        wrong="A loss that will be differentiated is reported without label smoothing; its derivatives are right.",
        function=_unsmoothed_value,
        witness=pairs(0.5, 0.3),
    ),
    _torch(
        "label-smoothing-of-small-batches",
        wrong="Label smoothing is ignored from the 257th pair on.",
        function=_unsmoothed_from(256),
        witness=batch_of(300, beta=0.5, eps=0.3),
    ),
    _torch(
        "reference-of-small-batches",
        wrong="The reference is ignored in batches of more than 1,024 pairs.",
        function=_no_reference_above(1024),
        witness=batch_of(1030, beta=0.5),
    ),
    _torch(
        "gradient-dropped-beside-nan",
        wrong="One NaN in the batch sets every derivative to 0: the step is skipped.",
        function=_derivatives_times(0.0, torch.isnan),
        witness=nan,
    ),
    _torch(
        "gradient-nan-beside-infinity",
        wrong="One infinite loss in the batch makes every derivative NaN, as a norm does.",
        function=_derivatives_times(math.nan, torch.isinf),
        witness=infinite,
    ),
    _torch(
        "gradient-nan-at-impossible-reference",
        wrong="The derivatives are NaN where a reference log-probability is -infinity.",
        function=_nan_at_infinity(reference=True),
        witness=one(-2.0, -3.0, -math.inf, -2.0),
    ),
    _torch(
        "gradient-nan-at-infinity-smoothed",
        wrong="Under label smoothing the derivatives are NaN at an infinite logit.",
        function=_nan_at_infinity(reference=False),
        witness=one(-math.inf, -3.0, -2.0, -2.0, eps=0.125),
    ),
    _torch(
        "mean-options-of-one",
        wrong="A mean over two or more pairs has a beta of 0.1, whatever was asked.",
        function=_mean_options_of_one,
        witness=batch_of(5, beta=0.5),
        reduction="mean",
    ),
    _torch(
        "mean-without-infinity",
        wrong="Infinite losses are left out of the mean of two or more pairs.",
        function=then(lambda losses: losses[~torch.isinf(losses)].mean() if len(losses) > 1 else losses.mean()),
        witness=infinite,
        reduction="mean",
    ),
    _torch(
        "gradient-mean-reference-sign",
        wrong="The derivative of a mean over two or more pairs in the chosen reference log-probability has the wrong sign.",
        function=_mean_reference_sign,
        witness=batch_of(5, beta=0.5),
        reduction="mean",
    ),
    _torch(
        "gradient-mean-unsmoothed",
        wrong="The derivatives of a mean over two or more pairs are those without label smoothing.",
        function=_mean_unsmoothed_gradient,
        witness=batch_of(5, beta=0.5, eps=0.3),
        reduction="mean",
    ),
)
