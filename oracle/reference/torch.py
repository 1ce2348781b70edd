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
from collections.abc import Iterator
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
    if reduction not in {"none", "mean", "sum"}:
        raise ValueError(f"reduction = {reduction!r}: 'none', 'mean' or 'sum'")
    function = _Loss if torch.compiler.is_compiling() else _Both
    loss, _ = function.apply(*logps, float(beta), float(label_smoothing), reduction != "none")
    if reduction == "mean":
        loss = loss / logps[0].numel()
    return loss if reduction == "none" else loss.to(logps[0].dtype)


class _Loss(torch.autograd.Function):
    """The losses, or their sum in binary64; and their derivative in policy_chosen: in the others it is that or its negative."""

    @staticmethod
    def forward(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float, summed: bool) -> Any:
        exact, sums = pc.dtype == torch.float64, []
        made = [_room(pc) for _ in range(1 if summed else 2)]
        for a, b, c, d, slope, *loss in _blocks(pc, pr, rc, rr, *made):
            losses, slopes = _value_and_slope(beta, eps, exact, a, b, c, d)
            slope.copy_(_once(slopes, pc.dtype))
            if summed:
                sums.append(losses.sum())
            else:
                loss[0].copy_(_once(losses, pc.dtype))
        return torch.stack(sums).sum() if summed else made[1], made[0]

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        *logps, ctx.beta, ctx.eps, ctx.summed = inputs
        ctx.save_for_backward(*logps, output[1])
        ctx.save_for_forward(*logps)
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Any) -> Any:
        *logps, slope = ctx.saved_tensors
        if torch.is_grad_enabled():  # a derivative of this derivative may be asked for
            slope = _Slope.apply(*logps, ctx.beta, ctx.eps)
        return (*_by_logp(ctx, grad, slope), None, None, None)

    @staticmethod
    def vmap(info: Any, places: Any, *inputs: Any) -> Any:
        (*logps, beta, eps, summed) = inputs
        loss, slope = _Both.apply(*_in_front(info.batch_size, places, logps), beta, eps, False)
        return (loss.double()[..., None].flatten(1).sum(1) if summed else loss, slope), (0, 0)


class _Both(_Loss):
    """With forward mode too, which torch.compile does not take."""

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        slope = _Slope.apply(*ctx.saved_for_forward, ctx.beta, ctx.eps)
        along = slope * _margin(*(_zero(t, slope) for t in tangents[:4]))
        return along.sum(dtype=torch.float64) if ctx.summed else along, None


class _Slope(torch.autograd.Function):
    """beta (eps - sigma(-z)): the derivative of the loss in the chosen policy's log-probability."""

    @staticmethod
    def forward(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        made, exact = _room(pc), pc.dtype == torch.float64
        for a, b, c, d, slope in _blocks(pc, pr, rc, rr, made):
            slope.copy_(_once(_value_and_slope(beta, eps, exact, a, b, c, d)[1], pc.dtype))
        return made

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        *logps, ctx.beta, ctx.eps = inputs
        ctx.save_for_backward(*logps)
        ctx.save_for_forward(*logps)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        return (*_by_logp(ctx, grad, _curvature(ctx.beta, *ctx.saved_tensors)), None, None)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        curvature = _curvature(ctx.beta, *ctx.saved_for_forward)
        return curvature * _margin(*(_zero(t, curvature) for t in tangents[:4]))

    @staticmethod
    def vmap(info: Any, places: Any, *inputs: Any) -> Any:
        return _Slope.apply(*_in_front(info.batch_size, places, inputs[:4]), *inputs[4:]), 0


def _by_logp(ctx: Any, grad: Tensor, slope: Tensor) -> tuple[Tensor | None, ...]:
    """The derivative in each log-probability that wants one: + for policy_chosen and ref_rejected, - for the others."""
    wanted = ctx.needs_input_grad
    plus = slope * grad if wanted[0] or wanted[3] else None
    minus = slope * -grad if wanted[1] or wanted[2] else None
    return tuple(part if want else None for part, want in zip((plus, minus, minus, plus), wanted, strict=False))


def _in_front(size: int, places: Any, logps: Any) -> list[Tensor]:
    """What vmap maps over as the first dimension of each: a pair's numbers know no other pair."""
    alike = zip(logps, places, strict=False)
    return [x.expand(size, *x.shape) if place is None else x.movedim(place, 0) for x, place in alike]


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


def _blocks(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The tensors a block a thread at a time; whole on a device, and where a compiler fuses them anyway."""
    size = BLOCK * torch.get_num_threads() if tensors[0].device.type == "cpu" and not torch.compiler.is_compiling() else 0
    if not size or tensors[0].numel() <= size:
        yield tensors
        return
    flat = [x.reshape(-1) for x in tensors]
    for start in range(0, len(flat[0]), size):
        yield tuple(x[start : start + size] for x in flat)


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
    if exact:
        return _exactly(beta, eps, pc, pr, rc, rr)
    margin = (pc.double().sub_(rc)).sub_(pr.double().sub_(rr))  # in place, and few passes: half of the time is memory's
    if eps != 0:
        minus = margin.mul_(-beta)
        loss = minus.abs().mul_(-_LOG2_E).exp2_().log1p_().add_(minus.neg().clamp_(min=0), alpha=eps)
        if eps != 1:  # 0 * inf would be NaN
            loss = loss.add_(minus.clamp(min=0), alpha=1 - eps)
        return loss, minus.sigmoid_().sub_(eps).mul_(-beta)
    power = margin.mul_(-beta).mul_(_LOG2_E)  # e**-z is a power of 2, which CPUs have faster
    if _all_below(power, _HIGH):
        y = power.exp2_()
        loss = y.log1p()
    else:
        y = power.clamp(max=_HIGH).exp2_()
        loss = torch.where(power > _HIGH, power * _LN2, y.log1p())
    return loss, y.div_(y + 1).mul_(-beta)


def _all_below(numbers: Tensor, bound: float) -> bool:
    """Whether all are; never asked of what is not there yet: on a device, of a tensor of another kind, by a compiler."""
    here = type(numbers) is Tensor and numbers.device.type == "cpu" and not torch.compiler.is_compiling()
    return here and numbers.numel() > 0 and bool(numbers.amax() < bound)


def _exactly(beta: float, eps: float, pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor) -> tuple[Tensor, Tensor]:
    z, chosen, rejected = _logit(pc, pr, rc, rr, beta), pc - rc, pr - rr
    beyond = (chosen - rejected).isinf() & chosen.isfinite() & rejected.isfinite()
    z = torch.where(beyond, beta * chosen - beta * rejected, z)  # where only the margin overflows
    y = _exp_minus(z.abs())
    loss, sigma = _log1p(y), torch.where(z >= 0, y, torch.ones_like(y)) / (1 + y)
    if eps != 1:  # 0 * inf would be NaN
        loss = loss.add_((-z).clamp(min=0), alpha=1 - eps)
    if eps != 0:
        loss = loss.add_(z.clamp(min=0), alpha=eps)
    return loss, sigma.sub_(eps).mul_(-beta)


_LOG2_E, _LN2 = 1 / math.log(2), math.log(2)
_HIGH = 1000.0
"""log(1 + 2**1000) is 1000 log 2 in binary64."""
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
