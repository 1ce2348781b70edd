# Copyright the dpo-conformance authors. Licensed under the Apache License, Version 2.0
# (http://www.apache.org/licenses/LICENSE-2.0). To vendor: copy this file as it is, with this header; it needs PyTorch alone.
"""Log-probabilities of labels where each rank holds some columns of the logits, in PyTorch: vocabulary parallelism.

    logp_t = z_t - log sum_j e**z_j,  the sum over the others made apart from the label's own term, and added over the ranks

Three reductions of one number a token go between the ranks, and none in the backward pass. Exponentials are binary32 for 16-bit
logits; what there is one of a token is binary64. Beyond logits and derivative, memory is that of a rank's own columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Reduce = Callable[[Tensor, Literal["max", "sum"]], Tensor]
"""The same tensor from every rank, reduced over all of them; as torch.distributed.all_reduce does it in place."""


def token_logps(
    logits: Tensor, labels: Tensor, mask: Tensor | None = None, *, first: int, reduce: Reduce, temperature: float = 1.0
) -> Tensor:
    """The log-probability of each label in nats, (..., T), the same on every rank: binary32 for 16-bit logits.

    logits: (..., T, columns of this rank), of which the first is token `first`. labels: (..., T) integers, tokens of the whole
    vocabulary. mask: (..., T) booleans, True where a label counts; by default a label of -100 does not. What does not count is
    0, with the derivative 0, and may hold NaN. A label that counts and is no rank's gives NaN. The incoming derivative must be
    the same on every rank. Differentiable once. Raises ValueError for other shapes and dtypes.
    """
    counts = labels != -100 if mask is None else mask
    if labels.is_floating_point() or labels.dtype == torch.bool or counts.dtype != torch.bool:
        raise ValueError("labels: integers; mask: booleans")
    if not logits.is_floating_point() or not logits.shape[:-1] == labels.shape == counts.shape:
        raise ValueError(
            f"logits: {logits.dtype} {tuple(logits.shape)}; labels {tuple(labels.shape)}, mask {tuple(counts.shape)}"
        )
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature = {temperature}: a positive number")
    found: Tensor = _Logps.apply(logits, labels, counts, first, reduce, float(temperature))
    return found


class _Logps(torch.autograd.Function):
    """Each row's largest logit and its sum, over all ranks, are kept for the backward."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, labels: Tensor, counts: Tensor, first: int, reduce: Reduce, temperature: float
    ) -> Tensor:
        z = _widened(logits, counts)
        own = torch.where(counts, labels - first, -1)
        inside = (own >= 0) & (own < z.shape[-1])
        column = own.where(inside, 0)[..., None].to(torch.int64)
        top = reduce(z.amax(-1), "max")
        top = top.masked_fill(top == -math.inf, 0)  # a row of -inf: its terms are 0, not NaN
        terms = z.sub(top[..., None]).div_(temperature).exp_()
        here = terms.gather(-1, column).masked_fill(inside[..., None], 0)  # its own term is left out
        rest = terms.scatter_(-1, column, here).sum(-1, dtype=torch.float64)
        lead = (z.gather(-1, column)[..., 0].double() - top.double()) / temperature
        rest, lead, ranks = reduce(torch.stack([rest, lead.where(inside, 0), inside.double()]), "sum")
        term = torch.where(lead == 0, 1.0, lead.exp())
        logps = torch.where(lead == 0, -rest.log1p(), lead - (rest + term).log())
        logps = logps.where(ranks > 0, math.nan).where(counts, 0.0)
        ctx.save_for_backward(logits, counts, column, inside, top, rest + term, logps)
        ctx.temperature = temperature
        return logps.to(z.dtype)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Tensor) -> Any:
        logits, counts, column, inside, top, total, logps = ctx.saved_tensors
        scale = (grad.double() / ctx.temperature).where(counts, 0.0)
        slopes = _widened(logits, counts).sub_(top[..., None]).div_(ctx.temperature).exp_()
        slopes.mul_((-scale / total).where(~logps.isnan(), math.nan)[..., None].to(slopes.dtype))
        own = torch.where(inside, (-scale * logps.expm1()).to(slopes.dtype), slopes.gather(-1, column)[..., 0])
        slopes.scatter_(-1, column, own[..., None]).masked_fill_(~counts[..., None], 0)
        return slopes.to(logits.dtype), None, None, None, None, None


def _widened(logits: Tensor, counts: Tensor) -> Tensor:
    """A copy in the format that sums, 0 in rows that do not count."""
    wide = torch.float64 if logits.dtype == torch.float64 else torch.float32
    return logits.to(wide, copy=True).masked_fill_(~counts[..., None], 0)
