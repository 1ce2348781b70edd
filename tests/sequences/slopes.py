"""Right values, wrong derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from conformance.records.record import Level

from .kinds import Mutant, sequence, summed, tokens, wide

Change = Callable[[Tensor, Tensor, Tensor], Tensor]


def _changed(change: Change) -> Any:
    """The right sum; its derivative in the logits is what change(derivative, labels, mask) makes of the right one."""

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
            ctx.save_for_backward(logits, labels, mask)
            return summed(logits, labels, mask)

        @staticmethod
        def backward(ctx: Any, incoming: Tensor) -> tuple[Tensor, None, None]:
            logits, labels, mask = ctx.saved_tensors
            with torch.enable_grad():
                leaf = wide(logits).detach().requires_grad_()
                (slope,) = torch.autograd.grad((summed(leaf, labels, mask) * incoming).sum(), leaf)
            return change(slope, torch.where(mask, labels, 0), mask).to(logits.dtype), None, None

    return Wrong.apply


def _one_hot(slope: Tensor, labels: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(labels, slope.shape[-1]).to(slope.dtype)


def _batch_count(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    each = tokens(logits, labels, mask)
    right = each.sum(-1) / mask.sum(-1).clamp(min=1)
    wrong = each.sum(-1) / mask.sum(-1).clamp(min=1).float().mean()
    return right.detach() + wrong - wrong.detach()


MUTANTS: tuple[Mutant, ...] = (
    sequence("detached", "no derivative at all", lambda z, y, m: summed(z.detach(), y, m) + 0 * z.nan_to_num(0, 0, 0).sum()),
    sequence("no-graph", "the logits are detached", lambda z, y, m: summed(z.detach(), y, m)),
    sequence("gradient-unscaled", "twice the derivative", _changed(lambda g, y, m: 2 * g)),
    sequence("gradient-sign", "the sign of a loss", _changed(lambda g, y, m: -g)),
    sequence("gradient-softmax-only", "-p, without the label", _changed(lambda g, y, m: g - _one_hot(g, y) * m[..., None])),
    sequence("gradient-without-label", "0 for the label", _changed(lambda g, y, m: g * (1 - _one_hot(g, y)))),
    sequence("gradient-at-masked", "a trace where nothing counts", _changed(lambda g, y, m: g + 1e-3 * (~m)[..., None])),
    sequence("gradient-batch-count", "a mean's derivative by the batch's mean length", _batch_count, average=True),
    sequence(
        "gradient-clipped", "derivatives below 0.01 are dropped", _changed(lambda g, y, m: torch.where(g.abs() < 0.01, 0, g))
    ),
    sequence("gradient-level", "a level is left in each row", _changed(lambda g, y, m: g + 1e-2 * m[..., None])),
    sequence(
        "gradient-first-row",
        "the first row's derivative alone",
        _changed(lambda g, y, m: g * (torch.arange(len(g)) == 0)[:, None, None]),
    ),
    sequence("gradient-sixteen", "the softmax is rounded to 3 bits", _changed(lambda g, y, m: (g * 8).round() / 8)),
)
__all__ = ["MUTANTS", "Level"]
