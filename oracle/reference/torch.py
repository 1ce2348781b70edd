# Copyright the dpo-conformance authors. Licensed under the Apache License, Version 2.0
# (http://www.apache.org/licenses/LICENSE-2.0). To vendor: copy this file as it is, with this header; it needs PyTorch alone.
"""The DPO loss in PyTorch: right in every format, at every size, differentiable as often and in every way that torch offers.

    loss = (1 - eps) log(1 + e**-z) + eps log(1 + e**z),  z = beta ((pc - rc) - (pr - rr))

Computed in binary64 whatever the tensors' dtype, and rounded once. In binary64 itself exp and log1p are made of +, -, *, /,
which round alike in every lane and remainder: a pair's loss has the same bits wherever it stands. Source: Rafailov et al.
(2023), equation 7; Mitchell (2023) for eps. What was proved, swept and sampled: docs/reference.md.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor

BLOCK = 1 << 16
"""Numbers that a thread works on at a time, so that they stay in cache."""
_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def dpo_loss(
    policy_chosen_logps: Tensor,
    policy_rejected_logps: Tensor,
    ref_chosen_logps: Tensor,
    ref_rejected_logps: Tensor,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
    reduction: Literal["none", "mean", "sum"] = "none",
) -> Tensor:
    """The loss of each pair in nats, in the dtype of the log-probabilities; its mean or sum where reduction says so.

    Four tensors of one shape, dtype (of 16, 32 or 64 bits) and device: log-probabilities of whole responses, in nats. beta and
    label_smoothing are numbers. Raises ValueError for a label_smoothing outside [0, 1], a number that wants a derivative,
    another reduction, and for tensors that are not floating-point or not alike.
    """
    logps = policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing = {label_smoothing}: a number in [0, 1]")
    if any(isinstance(x, Tensor) and x.requires_grad for x in (beta, label_smoothing)):
        raise ValueError("beta, label_smoothing: numbers; no derivative is given in them")
    if not all(isinstance(x, Tensor) for x in logps) or len({(x.shape, x.dtype, x.device) for x in logps}) != 1:
        raise ValueError("the four log-probabilities: tensors of one shape and dtype, on one device")
    if logps[0].dtype not in _DTYPES:
        raise ValueError(f"the four log-probabilities: floating-point numbers of 16, 32 or 64 bits, not {logps[0].dtype}")
    loss = _Loss if torch.compiler.is_compiling() else _Both
    losses, _ = loss.apply(*logps, float(beta), float(label_smoothing))
    if reduction == "none":
        return losses
    if reduction not in {"mean", "sum"}:
        raise ValueError(f"reduction = {reduction!r}: 'none', 'mean' or 'sum'")
    total = losses.sum(dtype=torch.float64)
    return (total / losses.numel() if reduction == "mean" else total).to(losses.dtype)


class _Loss(torch.autograd.Function):
    """The losses; their derivative in the chosen policy's log-probability is kept, and the others are that or its negative."""

    generate_vmap_rule = True

    @staticmethod
    def forward(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Any:
        loss, slope, exact = _room(pc), _room(pc), pc.dtype == torch.float64
        _each(lambda *logps: _value_and_slope(beta, eps, exact, *logps), (pc, pr, rc, rr), (loss, slope))
        return loss, slope

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        *logps, ctx.beta, ctx.eps = inputs
        ctx.save_for_backward(*logps, output[1])
        ctx.save_for_forward(*logps)
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Any) -> Any:
        *logps, slope = ctx.saved_tensors
        if torch.is_grad_enabled():  # a derivative of this derivative may be asked for
            slope = _Slope.apply(*logps, ctx.beta, ctx.eps)
        return (*_by_logp(ctx, grad * slope), None, None)


class _Both(_Loss):
    """With forward mode too, which torch.compile does not take."""

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        slope = _Slope.apply(*ctx.saved_for_forward, ctx.beta, ctx.eps)
        return slope * _margin(*(_zero(t, slope) for t in tangents[:4])), None


class _Slope(torch.autograd.Function):
    """beta (eps - sigma(-z)): the derivative of the loss in the chosen policy's log-probability."""

    generate_vmap_rule = True

    @staticmethod
    def forward(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        slope, exact = _room(pc), pc.dtype == torch.float64
        _each(lambda *logps: _value_and_slope(beta, eps, exact, *logps)[1:], (pc, pr, rc, rr), (slope,))
        return slope

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        *logps, ctx.beta, ctx.eps = inputs
        ctx.save_for_backward(*logps)
        ctx.save_for_forward(*logps)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        return (*_by_logp(ctx, grad * _curvature(ctx.beta, *ctx.saved_tensors)), None, None)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        curvature = _curvature(ctx.beta, *ctx.saved_for_forward)
        return curvature * _margin(*(_zero(t, curvature) for t in tangents[:4]))


def _by_logp(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    """The derivative in each log-probability that wants one: + for policy_chosen and ref_rejected, - for the others."""
    wanted = ctx.needs_input_grad
    minus = -grad if wanted[1] or wanted[2] else None
    return tuple(part if want else None for part, want in zip((grad, minus, minus, grad), wanted, strict=False))


def _zero(tangent: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if tangent is None else tangent


def _margin(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor) -> Tensor:
    return (pc - rc) - (pr - rr)


def _curvature(beta: float, pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor) -> Tensor:
    """beta**2 sigma(z) sigma(-z), the second derivative; made of what autograd differentiates on."""
    y = torch.exp(-_logit(pc.double(), pr.double(), rc.double(), rr.double(), beta).abs())
    return (beta * beta * (y / ((1 + y) * (1 + y)))).to(pc.dtype)


# -- one block, in binary64 --------------------------------------------------------------------------------------------


def _room(like: Tensor) -> Tensor:
    """A new tensor of that shape whose numbers lie one after the other, however its own do."""
    return torch.empty_like(like, memory_format=torch.contiguous_format)


def _each(function: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
    """outputs = function(inputs), a block a thread at a time; in one on a device, and where a compiler fuses them anyway."""
    size = BLOCK * torch.get_num_threads() if inputs[0].device.type == "cpu" and not torch.compiler.is_compiling() else 0
    if not size or inputs[0].numel() <= size:
        for out, made in zip(outputs, function(*inputs), strict=True):
            out.copy_(_once(made, out.dtype))
        return
    flat, filled = [x.reshape(-1) for x in inputs], [x.view(-1) for x in outputs]
    for start in range(0, flat[0].shape[0], size):
        block = slice(start, start + size)
        for out, made in zip(filled, function(*(x[block] for x in flat)), strict=True):
            out[block].copy_(_once(made, out.dtype))


def _once(wide: Tensor, dtype: torch.dtype) -> Tensor:
    """The binary64 numbers so prepared that conversion rounds them once: torch converts to 16 bits by way of binary32.

    Rounded to odd there, which keeps what the second rounding has to know (Boldo and Melquiond 2008).
    """
    if dtype in {torch.float32, torch.float64}:
        return wide
    near = wide.float()
    back = near.double()
    bits = near.view(torch.int32) - (back.abs() > wide.abs()).int()
    return (bits | (back != wide).int()).view(torch.float32).where(wide.isfinite(), near)


def _logit(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float) -> Tensor:
    """beta ((pc - rc) - (pr - rr)), in binary64."""
    return beta * ((pc - rc) - (pr - rr))


def _value_and_slope(
    beta: float, eps: float, exact: bool, pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor
) -> tuple[Tensor, Tensor]:
    """The loss and beta (eps - sigma(-z)), in binary64. exact: they stay there, and are not rounded into a narrower format."""
    if not exact:  # in place, and few passes: half of the time is memory's
        minus = (pc.double().sub_(rc)).sub_(pr.double().sub_(rr)).mul_(-beta)
        up = minus.neg().clamp_(min=0) if eps != 0 else minus
        down = minus.clamp(min=0)
        loss = minus.abs().mul_(-_LOG2_E).exp2_().log1p_()  # a power of 2, which CPUs have faster
        sigma = minus.sigmoid_()
    else:
        z, chosen, rejected = _logit(pc, pr, rc, rr, beta), pc - rc, pr - rr
        beyond = (chosen - rejected).isinf() & chosen.isfinite() & rejected.isfinite()
        z = torch.where(beyond, beta * chosen - beta * rejected, z)  # where only the margin overflows
        y = _exp_minus(z.abs())
        loss, sigma = _log1p(y), torch.where(z >= 0, y, torch.ones_like(y)) / (1 + y)
        up, down = z.clamp(min=0), (-z).clamp(min=0)
    if eps != 1:  # 0 * inf would be NaN
        loss = loss.add_(down, alpha=1 - eps)
    if eps != 0:
        loss = loss.add_(up, alpha=eps)
    return loss, sigma.sub_(eps).mul_(-beta)


_LOG2_E, _LN2 = 1 / math.log(2), math.log(2)
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10
"""ln 2 in two parts; a multiple of the high one by up to 2**11 is exact."""
_BELOW = 746.0
"""e**-746 is below half of the smallest subnormal number."""


def _exp_minus(t: Tensor) -> Tensor:
    """e**-t for t >= 0, in binary64, by operations that round alike everywhere; underflow is gradual."""
    t = t.clamp(max=_BELOW)
    k = torch.round(t * _LOG2_E)
    r = (k * _LN2_HIGH - t) + k * _LN2_LOW  # |r| <= ln 2 / 2, and r**14 / 14! < 2**-57
    series = torch.full_like(r, 1 / math.factorial(13))
    for n in range(12, 1, -1):
        series = series * r + 1 / math.factorial(n)
    half = torch.floor(k * 0.5)
    return (1 + (r + r * r * series)) * _power_of_two(-half) * _power_of_two(half - k)


def _power_of_two(k: Tensor) -> Tensor:
    """2**k for whole k from -1022 to 1023; NaN stays NaN."""
    bits = (k.nan_to_num().to(torch.int64) + 1023) << 52
    return bits.view(torch.float64) + k * 0


def _log1p(y: Tensor) -> Tensor:
    """log(1 + y) for y in [0, 1], in binary64: 2 artanh(s) with |s| < 0.172, about ln 2 in the upper part."""
    upper = y > 0.414
    s = torch.where(upper, (y - 1) / (3 + y), y / (2 + y))
    square = s * s
    series = torch.full_like(s, 1 / 23)
    for n in range(21, 1, -2):
        series = series * square + 1 / n
    log = 2 * s + (2 * s) * (square * series)
    return torch.where(upper, _LN2 + log, log)
