"""Right in exact arithmetic, wrong in floating point: overflow, absorption, cancellation, thresholds."""

from __future__ import annotations

import functools

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from . import arrays, tensors
from .arrays import Array
from .kinds import numpy_mutant, torch_mutant
from .tensors import of_logit, of_softplus, softplus
from .witnesses import both, logits, one, pairs, tails

_torch = functools.partial(torch_mutant, family="stability")
_numpy = functools.partial(numpy_mutant, family="stability")
RAW_INPUT = "https://github.com/tenstorrent/tt-metal/issues/53787"


def _rewards(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    return beta * (pc - rc), beta * (pr - rr)


def _of_rewards(chosen: Tensor, rejected: Tensor, eps: float, total: Tensor) -> Tensor:
    """total - chosen reward, mixed with total - rejected reward."""
    return tensors.mixed(total - chosen, total - rejected, eps)


def _log_of_sum(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    chosen, rejected = _rewards(pc, pr, rc, rr, beta)
    return _of_rewards(chosen, rejected, eps, torch.log(torch.exp(chosen) + torch.exp(rejected)))


def _logsumexp(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    chosen, rejected = _rewards(pc, pr, rc, rr, beta)
    return _of_rewards(chosen, rejected, eps, torch.logaddexp(chosen, rejected))


def _cross_entropy(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """Two classes, the first of them right."""
    both_rewards = torch.stack(_rewards(pc, pr, rc, rr, beta), dim=1)
    losses = -F.log_softmax(both_rewards, dim=1)
    return tensors.mixed(losses[:, 0], losses[:, 1], eps)


def _bce(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    z = beta * tensors.margin(pc, pr, rc, rr)
    return F.binary_cross_entropy_with_logits(z, torch.full_like(z, 1 - eps), reduction="none")


def _absorbing(x: Array) -> Array:
    one_ = arrays.number(x, 1)
    result: Array = np.maximum(x, arrays.number(x, 0)) + np.log(one_ + np.exp(-np.abs(x)))
    return result


def _raw_above(threshold: float) -> tensors.Loss:
    return of_softplus(lambda x: torch.where(x > threshold, x, softplus(x)))


def _zero_below(threshold: float) -> tensors.Loss:
    return of_softplus(lambda x: torch.where(x < -threshold, torch.zeros_like(x), softplus(x)))


MUTANTS = (
    _torch(
        "log1p-of-exp",
        wrong="log1p(exp(-z)): exp overflows for lost pairs.",
        function=of_softplus(lambda x: torch.log1p(torch.exp(x))),
        witness=tails,
        source="https://github.com/pytorch/pytorch/issues/1835",
    ),
    _numpy(
        "log-of-one-plus-exp",
        wrong="log(1 + exp(-z)): absorbs small terms and overflows on large ones.",
        function=arrays.of_softplus(lambda x: np.log(arrays.number(x, 1) + np.exp(x))),
        witness=tails,
        gradient=arrays.gradient,
    ),
    _numpy(
        "log-for-log1p",
        wrong="max(-z, 0) + log(1 + exp(-|z|)): never overflows, but absorbs the tail of won pairs.",
        function=arrays.of_softplus(_absorbing),
        witness=tails,
        gradient=arrays.gradient,
        source="https://github.com/pytorch/pytorch/issues/20972",
    ),
    _torch(
        "log-of-sum-of-exps",
        wrong="log(exp(chosen reward) + exp(rejected reward)) - chosen reward: overflows and cancels.",
        function=_log_of_sum,
        witness=both(tails, one(-4.0, -12.0, -8.0, -8.0, beta=2.0)),
    ),
    _torch(
        "logsumexp-minus-reward",
        wrong="logsumexp of the two rewards minus the chosen one: cancels for won pairs.",
        function=_logsumexp,
        witness=both(
            one(-1.0, -4.0, 0.0, 0.0, beta=2.0),
            one(0.0, -0.125, -2.0, 0.0, beta=2.0),
            one(-4.0, -12.0, -8.0, -8.0, beta=4.0),
        ),
    ),
    _torch(
        "cross-entropy-of-rewards",
        wrong="-log_softmax over the two rewards: its logarithm absorbs the tail of won pairs.",
        function=_cross_entropy,
        witness=tails,
        dtypes=("bfloat16", "binary32", "binary64"),
    ),
    _torch(
        "bce-with-logits",
        wrong="BCE-with-logits: its gradient sigmoid(z) - target cancels to 0, and 1 - eps is rounded as a target.",
        function=_bce,
        witness=tails,
        source="https://github.com/jax-ml/jax/issues/40825",
    ),
    _torch(
        "softplus-threshold-20",
        wrong="F.softplus(-z) with its default threshold: z itself beyond 20, 5e5 ulp off in binary64.",
        function=of_softplus(F.softplus),
        witness=logits(-20.25, -20.5, -22.0, -25.0),
        equivalent={
            "binary16": "beyond 20 the dropped exp(-20) = 2e-9 is 2e-7 ulp of 20, and the slope is 1 within 1e-5 ulp",
            "bfloat16": "beyond 20 the dropped exp(-20) = 2e-9 is 2e-8 ulp of 20, and the slope is 1 within 1e-6 ulp",
            "binary32": "beyond 20 the dropped exp(-20) = 2e-9 is 1e-3 ulp of 20, and the slope is 1 within 0.04 ulp",
        },
        source="https://github.com/pytorch/pytorch/issues/55587",
    ),
    _torch(
        "softplus-threshold-1000",
        wrong="F.softplus(-z, threshold=1000): log1p(exp(-z)) below the threshold, so exp overflows.",
        function=of_softplus(lambda x: F.softplus(x, threshold=1000.0)),
        witness=logits(-95.0, -800.0),
    ),
    _torch(
        "raw-beyond-4",
        wrong="-z itself for z < -4: 0.45 % off in the value, 1.8 % in the slope.",
        function=_raw_above(4.0),
        witness=logits(-4.0078125, -4.125, -4.5, -5.0),
        equivalent={
            "bfloat16": "the value is off by 0.6 ulp of 4, the slope by 1.8 % of 0.98, where the kernel's bound is 2.5 %"
        },
        source=RAW_INPUT,
    ),
    _torch(
        "raw-beyond-10",
        wrong="-z itself for z < -10.",
        function=_raw_above(10.0),
        witness=logits(-10.25, -10.5, -12.0),
        equivalent={
            "binary16": "exp(-10) = 4.5e-5 is 0.006 ulp of 10, and 0.1 ulp of the slope 1",
            "bfloat16": "exp(-10) = 4.5e-5 is 0.0008 ulp of 10, and 0.02 ulp of the slope 1",
        },
        source=RAW_INPUT,
    ),
    _torch(
        "zero-beyond-16",
        wrong="0 for z > 16: the loss of a won pair and its gradient vanish too early.",
        function=_zero_below(16.0),
        witness=tails,
        equivalent={"binary16": "exp(-16) = 1.1e-7 lies below the smallest normal 6.1e-5, where 0 is accepted"},
    ),
    _torch(
        "zero-beyond-40",
        wrong="0 for z > 40.",
        function=_zero_below(40.0),
        witness=tails,
        equivalent={"binary16": "exp(-40) = 4e-18 rounds to 0"},
    ),
    _torch(
        "difference-of-softplus",
        wrong="softplus(z) - z, the same number in exact arithmetic: cancels for won pairs.",
        function=of_logit(lambda z, eps: tensors.mixed(softplus(z) - z, softplus(-z) + z, eps)),
        witness=tails,
    ),
    _torch(
        "half-plus-log-cosh",
        wrong="log(2 cosh(z/2)) - z/2 by cosh: overflows, and cancels for won pairs.",
        function=of_softplus(lambda x: torch.log(2 * torch.cosh(x / 2)) + x / 2),
        witness=tails,
    ),
    _torch(
        "log1p-of-tanh",
        wrong="ln 2 - log1p(tanh(z/2)): cancels in both tails.",
        function=of_softplus(lambda x: 0.6931471805599453 - torch.log1p(torch.tanh(-x / 2))),
        witness=tails,
    ),
    _numpy(
        "products-before-differences",
        wrong="log of the ratio of probabilities: exp underflows for long responses.",
        function=arrays.of_softplus(
            arrays.softplus,
            lambda pc, pr, rc, rr: np.log((np.exp(pc) / np.exp(rc)) / (np.exp(pr) / np.exp(rr))),
        ),
        witness=both(one(-896.0, -904.0, -900.0, -900.0), pairs()),
    ),
)
