# Copyright the dpo-conformance authors. Licensed under the Apache License, Version 2.0
# (http://www.apache.org/licenses/LICENSE-2.0). To vendor: copy this file as it is, with this header; it needs PyTorch alone.
"""Log-probabilities of labels and of whole responses from token logits, in PyTorch.

    logp_t = z_t - log sum_j e**z_j,  the sum over the others made apart from the label's own term

so that digits survive where the label is nearly certain, and so does its derivative, -expm1(logp_t). Exponentials are
binary32 for 16-bit logits; what there is one of a token is binary64. Beyond inputs and derivative, memory is that of the
tokens and of one tile; where a derivative is to be differentiated, torch.func included, that of a softmax in binary64.
Bounds and measurements: docs/token-logps.md, docs/reference.md.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

TILE = 1 << 19
"""Logits that are worked on at a time on a CPU, so that they stay in cache; 64 times as many on a device."""
_LOG2_E = 1 / math.log(2)
_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def sequence_logps(
    logits: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    *,
    shift: bool = False,
    average: bool = False,
    temperature: float = 1.0,
    chunk_size: int | None = None,
) -> Tensor:
    """The log-probability of each sequence in nats: the sum over the tokens that count, (B,); or their mean.

    As `token_logps`, and raises as it does. The mean of no token is NaN, its derivatives are 0.
    """
    counts = _counts(labels, mask)
    logps = token_logps(logits, labels, counts, shift=shift, temperature=temperature, chunk_size=chunk_size)
    total = logps.double().sum(-1)
    if average:
        counts = _next(counts, False) if shift else counts
        total = total / counts.sum(-1)
    return total.to(logps.dtype)


def token_logps(
    logits: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    *,
    shift: bool = False,
    temperature: float = 1.0,
    chunk_size: int | None = None,
) -> Tensor:
    """The log-probability of each label in nats, (..., T): binary32 for 16-bit logits, else in the logits' dtype.

    logits: (..., T, V), floating-point. labels: (..., T) integers. mask: (..., T) booleans, True where a label counts; by
    default a label of -100 does not. What does not count is 0, and may hold any label and any logits, NaN too, which have the
    derivative 0. A label that counts and is no token gives NaN. shift: the logits at a place score the next label, and those of
    the last place none. temperature divides the logits. chunk_size: columns at a time, by default all that fit in a tile.
    Raises ValueError for other shapes and dtypes, and a temperature that is not positive.
    """
    counts = _counts(labels, mask)
    if logits.dtype not in _DTYPES or logits.ndim < 1 + shift or logits.shape[-1] < 1:
        raise ValueError(f"logits: {logits.dtype} of shape {tuple(logits.shape)}; floating-point numbers (..., T, V), V > 0")
    places = tuple(logits.shape[:-1])
    if not places == labels.shape == counts.shape:
        raise ValueError(f"labels {tuple(labels.shape)}, mask {tuple(counts.shape)}: of the logits' {places}")
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature = {temperature}: a positive number")
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"chunk_size = {chunk_size}: a positive number of columns")
    if shift:
        labels, counts = _next(labels, 0), _next(counts, False)
    function = _Logps if torch.compiler.is_compiling() else _Both
    logps: Tensor = function.apply(logits, labels, counts, float(temperature), chunk_size or 0)[0]
    return logps


def _counts(labels: Tensor, mask: Tensor | None) -> Tensor:
    if not isinstance(labels, Tensor) or labels.dtype not in _INTEGERS or (mask is not None and mask.dtype != torch.bool):
        raise ValueError("labels: integers; mask: booleans")
    return labels != -100 if mask is None else mask


def _next(values: Tensor, last: int | bool) -> Tensor:
    """Of each place what stands at the next; last at the last one."""
    return torch.cat([values[..., 1:], torch.full_like(values[..., :1], last)], -1)


class _Logps(torch.autograd.Function):
    """The log-probabilities; each row's largest logit, and its sum of e**((z - largest) / T), are kept for the backward."""

    @staticmethod
    def forward(logits: Tensor, labels: Tensor, counts: Tensor, temperature: float, chunk: int) -> Any:
        """(logps, top, total): of each row its log-probability, its largest logit, its sum of e**((z - top) / T)."""
        columns = logits.shape[-1]
        z, own, kept = logits.reshape(-1, columns), labels.reshape(-1), counts.reshape(-1)
        valid = kept & (own >= 0) & (own < columns)
        own = own.where(valid, 0).to(torch.int64)
        top, rest = z.new_empty(len(own)), z.new_empty(len(own), dtype=torch.float64)
        tiles, parts = _rows(z), _columns(columns, chunk)
        scratch = _scratch(z, tiles, parts)
        for rows in tiles:
            tile = z[rows]
            largest = tile.amax(-1)
            top[rows] = largest.masked_fill(largest == -math.inf, 0)  # a row of -inf: its terms are 0, not NaN
            total = z.new_zeros(len(tile), dtype=torch.float64)
            for part in parts:
                terms = _exponentials(tile[:, part], top[rows], temperature, _corner(scratch, rows, part))
                _put(terms, own[rows] - part.start, torch.zeros_like(terms[:, 0]))
                total += terms.sum(-1)
            rest[rows] = total
        lead = (z.gather(1, own[:, None])[:, 0].double() - top.double()) / temperature
        term = torch.where(lead == 0, 1.0, lead.exp())
        logps = torch.where(lead == 0, -rest.log1p(), lead - (rest + term).log())
        logps = logps.where(valid, math.nan).where(kept, 0.0).to(_wide(z.dtype))
        return logps.view(labels.shape), top.view(labels.shape), (rest + term).view(labels.shape)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        logits, labels, counts, ctx.temperature, ctx.chunk = inputs
        ctx.save_for_backward(logits, labels, counts, *output)
        ctx.save_for_forward(logits, labels, counts, output[0])
        ctx.mark_non_differentiable(*output[1:])

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Any) -> Any:
        """grad (onehot - p) / T: by tiles, or by way of `_softmax` where it is to be differentiated."""
        logits, labels, counts, logps, top, total = ctx.saved_tensors
        if torch.is_grad_enabled():  # a derivative of this derivative may be asked for
            p, rest, own = _softmax(logits, labels, counts, ctx.temperature)
            slopes = torch.where(own, rest[..., None], -p) * (grad.double() / ctx.temperature)[..., None]
            return slopes.where(counts[..., None], 0).to(logits.dtype), None, None, None, None
        slopes = _Slopes.apply(logits, labels, counts, logps, top, total, grad, ctx.temperature, ctx.chunk)
        return slopes, None, None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, *given: Any) -> Any:
        return _Both.apply(*_in_front(info, in_dims, given)), (0, 0, 0)


class _Slopes(torch.autograd.Function):
    """The derivatives in the logits, written over once; differentiable by way of `_softmax` alone."""

    @staticmethod
    def forward(
        logits: Tensor,
        labels: Tensor,
        counts: Tensor,
        logps: Tensor,
        top: Tensor,
        total: Tensor,
        grad: Tensor,
        temperature: float,
        chunk: int,
    ) -> Tensor:
        """Tile by tile e**((z - top) / T) times -grad / (T total), and the label's own as -grad expm1(logp) / T."""
        columns = logits.shape[-1]
        z, kept, own, top = logits.reshape(-1, columns), counts.reshape(-1), labels.reshape(-1), top.reshape(-1)
        scale = (grad.double() / temperature).reshape(-1).where(kept, 0.0)
        weight = (-scale / total.reshape(-1)).where((own >= 0) & (own < columns) | ~kept, math.nan)
        label = -scale * logps.reshape(-1).double().expm1()
        slopes, tiles, parts = torch.empty_like(z), _rows(z), _columns(columns, chunk)
        direct = z.dtype == _wide(z.dtype)
        scratch = slopes if direct else _scratch(z, tiles, parts)
        for rows in tiles:
            for part in parts:
                target = slopes[rows, part]
                terms = target if direct else _corner(scratch, rows, part)
                _exponentials(z[rows, part], top[rows], temperature, terms)
                terms.mul_(weight[rows, None].to(terms.dtype))
                _put(terms, own[rows] - part.start, label[rows])
                if not direct:
                    target.copy_(terms)
        return _blank(slopes, ~kept).view(logits.shape)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept: what is differentiated further does not come here."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, *given: Any) -> Any:
        return _Slopes.apply(*_in_front(info, in_dims, given)), 0


def _in_front(info: Any, in_dims: Any, given: tuple[Any, ...]) -> list[Any]:
    """Every tensor with the mapped dimension in front: rows do not depend on each other."""
    found = []
    for x, dim in zip(given, in_dims, strict=True):
        wide = not isinstance(x, Tensor) or dim is not None
        found.append((x.movedim(dim, 0) if isinstance(x, Tensor) else x) if wide else x.expand(info.batch_size, *x.shape))
    return found


class _Both(_Logps):
    """With forward mode too, which torch.compile does not take."""

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Any:
        logits, labels, counts, logps = ctx.saved_for_forward
        p, rest, own = _softmax(logits, labels, counts, ctx.temperature)
        each = torch.where(own, rest[..., None], -p) * (tangent.double() / ctx.temperature)
        return each.where(counts[..., None], 0).sum(-1).to(logps.dtype), None, None


def _softmax(logits: Tensor, labels: Tensor, counts: Tensor, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    """The probabilities, what is left of 1 beside the label's own, and where it stands; of what autograd differentiates."""
    z = logits.masked_fill(~counts[..., None], 0).double() / temperature
    own = torch.arange(z.shape[-1], device=z.device) == labels[..., None]
    p = torch.softmax(z, -1).where(own.any(-1, keepdim=True) | ~counts[..., None], math.nan)
    return p, p.masked_fill(own, 0).sum(-1), own


# -- one tile ----------------------------------------------------------------------------------------------------------


def _rows(z: Tensor) -> list[slice]:
    """Rows by as many as fit in a tile; all of them where a compiler fuses anyway."""
    if torch.compiler.is_compiling():
        return [slice(0, len(z))]
    height = max(1, (TILE if z.device.type == "cpu" else 64 * TILE) // z.shape[-1])
    return [slice(start, min(start + height, len(z))) for start in range(0, len(z), height)]


def _columns(columns: int, chunk: int) -> list[slice]:
    width = chunk or (columns if torch.compiler.is_compiling() else max(TILE, 1))
    return [slice(start, min(start + width, columns)) for start in range(0, columns, width)]


def _exponentials(z: Tensor, top: Tensor, temperature: float, into: Tensor) -> Tensor:
    """e**((z - top) / T) of a tile, into its target, which has the format that sums.

    As a power of 2, which CPUs have faster: relative error 2.3 u |z - top| / T + 2 u.
    """
    if z.dtype == into.dtype:
        torch.sub(z, top[:, None], out=into)
    else:
        into.copy_(z).sub_(top[:, None])
    return into.mul_(_LOG2_E / temperature).exp2_()


def _scratch(z: Tensor, rows: list[slice], columns: list[slice]) -> Tensor:
    """Room for one tile."""
    height, width = (parts[0].stop - parts[0].start if parts else 0 for parts in (rows, columns))  # none is larger
    return z.new_empty((height, width), dtype=_wide(z.dtype))


def _corner(scratch: Tensor, rows: slice, columns: slice) -> Tensor:
    return scratch[: rows.stop - rows.start, : columns.stop - columns.start]


def _blank(slopes: Tensor, rows: Tensor) -> Tensor:
    """0 in these rows, which may hold NaN."""
    if torch.compiler.is_compiling() or slopes.device.type != "cpu":  # where the number of rows is not to be waited for
        return slopes.masked_fill_(rows[:, None], 0)
    return slopes.index_fill_(0, rows.nonzero()[:, 0], 0)


def _put(terms: Tensor, own: Tensor, values: Tensor) -> None:
    """terms[i, own[i]] = values[i], where that column is among them."""
    width = terms.shape[1]
    column = own.clamp(0, width - 1).to(torch.int64)[:, None]
    inside = (own >= 0) & (own < width)
    terms.scatter_(1, column, torch.where(inside, values.to(terms.dtype), terms.gather(1, column)[:, 0])[:, None])


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32
