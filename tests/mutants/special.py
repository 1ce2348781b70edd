"""NaN, infinities, zeros and extremes handled wrongly."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from torch import Tensor

from conformance.inputs.batch import Batch

from . import arrays, tensors
from .arrays import Array
from .kinds import numpy_mutant, torch_mutant
from .tensors import Loss, of_logit, of_logps, of_margin, smoothed, softplus, stable
from .witnesses import both, infinite, logits, nan, one, pairs, tails

_torch = functools.partial(torch_mutant, family="special")
_numpy = functools.partial(numpy_mutant, family="special")
NAN_TO_ZERO = "https://github.com/huggingface/trl/issues/1199"


def _clamped_logit(limit: float) -> Loss:
    return of_logit(lambda z, eps: smoothed(z.clamp(-limit, limit), eps))


def _clamped_logps(limit: float) -> Loss:
    return of_logps(lambda *logps: tensors.each(lambda x: x.clamp(min=-limit), *logps))


def _numpy_then(change: object) -> arrays.Loss:
    def loss(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
        return change(arrays.stable(pc, pr, rc, rr, beta, eps))  # type: ignore[operator,no-any-return]

    return loss


def _finite_only(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    losses = stable(pc, pr, rc, rr, beta, eps)
    return torch.where(torch.isfinite(losses), losses, 0 * torch.ones_like(losses))


def _padding(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    losses = stable(pc, pr, rc, rr, beta, eps)
    return torch.where(tensors.margin(pc, pr, rc, rr) == 0, 0 * losses, losses)


MUTANTS = (
    _torch(
        "always-mixed",
        wrong="The mixture is computed at label_smoothing 0 too: 0 * inf = NaN for z = +inf.",
        function=of_logit(lambda z, eps: (1 - eps) * softplus(-z) + eps * softplus(z)),
        witness=infinite,
        source="https://github.com/OpenRLHF/OpenRLHF/blob/main/openrlhf/models/loss.py",
    ),
    _numpy(
        "always-mixed-numpy",
        wrong="The mixture is computed at label_smoothing 0 too, in NumPy: NaN for z = +inf.",
        function=lambda pc, pr, rc, rr, beta, eps: (
            arrays.number(pc, 1 - eps) * arrays.stable(pc, pr, rc, rr, beta, 0.0)
            + arrays.number(pc, eps) * arrays.stable(pr, pc, rr, rc, beta, 0.0)
        ),
        witness=infinite,
        gradient=arrays.gradient,
    ),
    _torch(
        "always-shifted",
        wrong="softplus(-z) + eps * z at label_smoothing 0 too: 0 * inf = NaN at both infinities.",
        function=of_logit(lambda z, eps: softplus(-z) + eps * z),
        witness=infinite,
    ),
    _torch(
        "nan-loss-to-zero",
        wrong="A NaN loss becomes 0, so a broken model trains in silence.",
        function=tensors.then(lambda loss: torch.nan_to_num(loss, nan=0.0, posinf=math.inf, neginf=-math.inf)),
        witness=nan,
        source=NAN_TO_ZERO,
    ),
    _numpy(
        "nan-loss-to-zero-numpy",
        wrong="A NaN loss becomes 0, in NumPy.",
        function=_numpy_then(lambda loss: np.where(np.isnan(loss), arrays.number(loss, 0), loss)),
        witness=nan,
        gradient=arrays.gradient,
        source=NAN_TO_ZERO,
    ),
    _torch(
        "nan-logps-to-zero",
        wrong="nan_to_num on the log-probabilities: NaN becomes 0, infinities the largest number.",
        function=of_logps(lambda *logps: tensors.each(torch.nan_to_num, *logps)),
        witness=both(nan, infinite),
        source="https://github.com/modelscope/ms-swift/issues/5418",
    ),
    _torch(
        "nan-margin-to-zero",
        wrong="A NaN margin becomes 0, and the loss ln 2.",
        function=of_margin(lambda m, beta, eps: smoothed(beta * torch.where(m.isnan(), 0 * m.nan_to_num(), m), eps)),
        witness=nan,
    ),
    _torch(
        "not-finite-to-zero",
        wrong="A loss that is not finite becomes 0: the worst pair counts as the best.",
        function=_finite_only,
        witness=both(infinite, nan),
        source="https://github.com/huggingface/trl/issues/2553",
    ),
    _torch(
        "nan-as-certain",
        wrong="max(-z, 0) drops NaN by comparison: NaN gives a number.",
        function=of_logit(lambda z, eps: smoothed(torch.where(z > -math.inf, z, torch.full_like(z, -100.0)), eps)),
        witness=nan,
    ),
    _torch(
        "infinity-to-largest",
        wrong="An infinite loss becomes the largest finite number.",
        function=tensors.then(lambda loss: loss.clamp(max=torch.finfo(loss.dtype).max)),
        witness=infinite,
    ),
    _torch(
        "logit-clamped-15",
        wrong="The logit is clamped to [-15, 15].",
        function=_clamped_logit(15.0),
        witness=both(tails, infinite),
    ),
    _torch(
        "logit-clamped-50",
        wrong="The logit is clamped to [-50, 50].",
        function=_clamped_logit(50.0),
        witness=both(tails, infinite),
    ),
    _torch(
        "logit-clamped-80",
        wrong="The logit is clamped to [-80, 80], which exp could not leave in binary32.",
        function=_clamped_logit(80.0),
        witness=both(tails, infinite),
    ),
    _torch(
        "logps-clamped-1e4",
        wrong="Log-probabilities below -10,000 count as -10,000.",
        function=_clamped_logps(1e4),
        witness=both(one(-20000.0, -19968.0, -20032.0, -19968.0, beta=0.5), infinite),
    ),
    _torch(
        "logps-clamped-100",
        wrong="Log-probabilities below -100 count as -100.",
        function=_clamped_logps(100.0),
        witness=one(-120.0, -160.0, -140.0, -140.0, beta=0.5),
    ),
    _torch(
        "loss-clamped-10",
        wrong="The loss is clamped to 10.",
        function=tensors.then(lambda loss: loss.clamp(max=10.0)),
        witness=tails,
    ),
    _torch(
        "zero-margin-is-padding",
        wrong="A pair with margin 0 is taken for padding: loss 0 and no gradient at the reference.",
        function=_padding,
        witness=logits(0.0, 1.0),
        source="https://github.com/NVIDIA-NeMo/RL/issues/180",
    ),
    _torch(
        "zero-logp-is-padding",
        wrong="A log-probability of 0 is taken for a masked response: the loss is 0.",
        function=lambda pc, pr, rc, rr, beta, eps: torch.where(pc == 0, 0.0, stable(pc, pr, rc, rr, beta, eps)),
        witness=one(0.0, -2.0, -1.0, -1.0, beta=0.5),
    ),
    _numpy(
        "sign-bit-of-zero",
        wrong="The branch goes by the sign bit: a logit of -0 gets the loss of an infinite one.",
        function=arrays.of_softplus(
            lambda x: np.where((x == 0) & ~np.signbit(x), arrays.number(x, math.inf), arrays.softplus(x))
        ),
        witness=both(logits(0.0), lambda _: (Batch.of([-0.0], [0.0], beta=1.0),)),
        gradient=arrays.gradient,
    ),
    _torch(
        "nan-when-one-is-nan",
        wrong="One NaN pair poisons every pair of its batch.",
        function=tensors.then(lambda loss: loss + 0 * loss.detach().sum() if loss.isnan().any() else loss),
        witness=nan,
        source="https://github.com/OpenRLHF/OpenRLHF/pull/1240",
    ),
    _torch(
        "subtracts-maximum",
        wrong="The batch's largest log-probability is subtracted from all first: inf - inf where one is infinite.",
        function=of_logps(lambda pc, pr, rc, rr: (pc - pr.min().detach(), pr - pr.min().detach(), rc, rr)),
        witness=both(infinite, pairs()),
    ),
)
