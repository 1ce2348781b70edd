"""The wrong formula: another loss, a wrong sign, a term too many or too few."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from . import arrays, tensors
from .arrays import Array
from .kinds import numpy_mutant, torch_mutant
from .tensors import of_logit, of_margin, of_softplus, softplus, stable
from .witnesses import both, logits, options, pairs, tails

_torch = functools.partial(torch_mutant, family="formula")
_numpy = functools.partial(numpy_mutant, family="formula")
TUTORIALS = "https://github.com/thinking-machines-lab/tinker-cookbook/pull/188"


def _probabilities(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return stable(pc.exp(), pr.exp(), rc.exp(), rr.exp(), beta, eps)


def _taylor(x: Tensor) -> Tensor:
    """ln 2 + x/2 near 0."""
    return torch.where(x.abs() < 2**-10, math.log(2) + x / 2, softplus(x))


def _max_minus_log1p(x: Array) -> Array:
    result: Array = np.maximum(x, arrays.number(x, 0)) - np.log1p(np.exp(-np.abs(x)))
    return result


def _clamped_sigmoid(x: Array) -> Array:
    result: Array = -np.log(np.maximum(arrays.sigmoid(-x), arrays.number(x, 1e-7)))
    return result


MUTANTS = (
    _torch(
        "log-of-sigmoid",
        wrong="-log(sigmoid(z)): sigmoid rounds to 1 or 0 in the tails.",
        function=of_softplus(lambda x: -torch.log(torch.sigmoid(-x))),
        witness=tails,
        source=TUTORIALS,
    ),
    _torch(
        "log-of-sigmoid-plus-1e-8",
        wrong="-log(sigmoid(z) + 1e-8): saturates at 18.4, or at infinity where 1e-8 rounds to 0.",
        function=of_softplus(lambda x: -torch.log(torch.sigmoid(-x) + 1e-8)),
        witness=tails,
        source=TUTORIALS,
    ),
    _numpy(
        "log-of-sigmoid-clamped",
        wrong="-log(max(sigmoid(z), 1e-7)): saturates at 16.1.",
        function=arrays.of_softplus(_clamped_sigmoid),
        witness=tails,
        gradient=arrays.gradient,
    ),
    _numpy(
        "log-of-sigmoid-numpy",
        wrong="-log(1 / (1 + exp(-z))) in NumPy, with the right gradient.",
        function=arrays.of_softplus(lambda x: -np.log(arrays.number(x, 1) / (arrays.number(x, 1) + np.exp(x)))),
        witness=tails,
        gradient=arrays.gradient,
    ),
    _torch(
        "softplus-of-plus-z",
        wrong="softplus(z) instead of softplus(-z).",
        function=of_logit(lambda z, eps: tensors.smoothed(-z, eps)),
        witness=options,
        source="https://github.com/tensorflow/tensorflow/issues/3719",
    ),
    _torch(
        "sign-of-loss",
        wrong="log(sigmoid(z)): the minus is missing.",
        function=of_logit(lambda z, eps: -tensors.smoothed(z, eps)),
        witness=options,
    ),
    _torch(
        "hinge",
        wrong="max(0, 1 - z), the hinge loss.",
        function=of_softplus(lambda x: torch.relu(1 + x)),
        witness=options,
        source="https://github.com/modelscope/ms-swift/pull/10167",
    ),
    _torch(
        "exponential",
        wrong="exp(-z), the upper bound of the loss.",
        function=of_softplus(torch.exp),
        witness=options,
    ),
    _torch(
        "ipo",
        wrong="(margin - 1/(2 beta))^2, the IPO loss.",
        function=of_margin(lambda m, beta, eps: (m - (0.5 / beta if beta else 0.0)) ** 2),
        witness=options,
        source="https://github.com/meta-pytorch/torchtune/issues/1291",
    ),
    _torch(
        "squared-error",
        wrong="sigmoid(-z) squared instead of its logarithm.",
        function=of_softplus(lambda x: torch.sigmoid(x) ** 2),
        witness=options,
    ),
    _torch(
        "probability-of-loss",
        wrong="sigmoid(-z), the probability of the wrong preference, without the logarithm.",
        function=of_softplus(torch.sigmoid),
        witness=options,
    ),
    _numpy(
        "loss-in-bits",
        wrong="The base-2 logarithm: bits where nats are asked for.",
        function=arrays.of_softplus(lambda x: arrays.softplus(x) * arrays.number(x, 1 / math.log(2))),
        witness=options,
    ),
    _torch(
        "zero-at-reference",
        wrong="ln 2 subtracted, so that the loss is 0 where the policy is the reference.",
        function=tensors.then(lambda loss: loss - math.log(2)),
        witness=options,
    ),
    _torch(
        "probabilities-for-logs",
        wrong="Differences of probabilities instead of log-probabilities.",
        function=_probabilities,
        witness=pairs(2.0),
    ),
    _numpy(
        "log1p-sign",
        wrong="max(-z, 0) - log1p(exp(-|z|)): a sign slipped.",
        function=arrays.of_softplus(_max_minus_log1p),
        witness=options,
        gradient=arrays.gradient,
    ),
    _torch(
        "taylor-near-zero",
        wrong="ln 2 - z/2 for |z| < 2^-10: the curvature is missing, and the gradient is constant there.",
        function=of_softplus(_taylor),
        witness=both(logits(2**-10.5, -(2**-10.5)), logits(2**-11)),
        equivalent={
            "binary16": "the slope is off by z/4 < 2^-12, one ulp of 1/2, and the value by z^2/8 < 2^-23",
            "bfloat16": "the slope is off by z/4 < 2^-12, an eighth of an ulp of 1/2, and the value by z^2/8 < 2^-23",
        },
    ),
    _torch(
        "halved",
        wrong="Half of the loss: one mean over chosen and rejected rows together.",
        function=tensors.then(lambda loss: loss / 2),
        witness=options,
    ),
    _torch(
        "regression-on-margin",
        wrong="mse between sigmoid(z) and 1 - label_smoothing, up to scale.",
        function=of_logit(lambda z, eps: F.mse_loss(torch.sigmoid(z), torch.full_like(z, 1 - eps), reduction="none")),
        witness=options,
    ),
)
