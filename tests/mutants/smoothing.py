"""Label smoothing in the wrong place, with the wrong weight, or of another loss."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from . import arrays
from .arrays import Array
from .kinds import numpy_mutant, torch_mutant
from .tensors import of_arguments, of_logit, smoothed, softplus
from .witnesses import both, logits, pairs

_torch = functools.partial(torch_mutant, family="smoothing")


def _robust(z: Tensor, eps: float) -> Tensor:
    return ((1 - eps) * softplus(-z) - eps * softplus(z)) / (1 - 2 * eps) if eps else softplus(-z)


def _swapped(z: Array, eps: float) -> Array:
    return arrays.mixed(arrays.softplus(z), arrays.softplus(-z), eps) if eps else arrays.softplus(-z)


def _of_squeezed(z: Tensor, eps: float) -> Tensor:
    """The negative logarithm of a squeezed probability."""
    return softplus(-z) if eps == 0 else -torch.log((1 - eps) * torch.sigmoid(z) + eps / 2)


def _numpy_loss(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
    m = arrays.margin(pc, pr, rc, rr)
    return _swapped(arrays.number(m, beta) * m, eps)


def _unsquared(z: Tensor, eps: float) -> Tensor:
    return softplus(-z) if eps == 0 else softplus(-z) + eps * z.mean()


smoothings = both(*(pairs(beta, eps) for beta in (0.5, 2.0) for eps in (0.1, 0.3, 0.5)))

MUTANTS = (
    _torch(
        "robust-for-conservative",
        wrong="rDPO, ((1 - eps) softplus(-z) - eps softplus(z)) / (1 - 2 eps), where cDPO is asked for.",
        function=of_logit(_robust),
        witness=smoothings,
    ),
    _torch(
        "label-smoothing-halved",
        wrong="eps / 2, as a two-class label smoothing would have it.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, beta, eps / 2)),
        witness=smoothings,
    ),
    _torch(
        "label-smoothing-not-taken-off",
        wrong="softplus(-z) + eps softplus(z): the 1 - eps is missing.",
        function=of_logit(lambda z, eps: softplus(-z) + eps * softplus(z) if eps else softplus(-z)),
        witness=smoothings,
    ),
    _torch(
        "rejected-term-missing",
        wrong="(1 - eps) softplus(-z): the second term is missing.",
        function=of_logit(lambda z, eps: (1 - eps) * softplus(-z)),
        witness=smoothings,
    ),
    numpy_mutant(
        "label-smoothing-swapped",
        "smoothing",
        "eps softplus(-z) + (1 - eps) softplus(z): the weights change places.",
        _numpy_loss,
        smoothings,
    ),
    _torch(
        "label-smoothing-sign",
        wrong="softplus(-z) - eps z: the sign of the shift.",
        function=of_logit(lambda z, eps: softplus(-z) - eps * z if eps else softplus(-z)),
        witness=smoothings,
    ),
    _torch(
        "label-smoothing-of-margin",
        wrong="softplus(-(1 - 2 eps) z): the expectation moved inside the loss.",
        function=of_logit(lambda z, eps: softplus(-(1 - 2 * eps) * z)),
        witness=smoothings,
    ),
    _torch(
        "label-smoothing-towards-ln2",
        wrong="(1 - eps) loss + eps ln 2.",
        function=of_logit(lambda z, eps: (1 - eps) * softplus(-z) + eps * math.log(2) if eps else softplus(-z)),
        witness=smoothings,
    ),
    _torch(
        "label-smoothing-of-probability",
        wrong="-log((1 - eps) sigmoid(z) + eps / 2): the probability is smoothed, not the label.",
        function=of_logit(_of_squeezed),
        witness=smoothings,
    ),
    _torch(
        "label-smoothing-at-most-0.1",
        wrong="eps is clamped to 0.1.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, beta, min(eps, 0.1))),
        witness=smoothings,
    ),
    _torch(
        "label-smoothing-below-half",
        wrong="Divided by 1 - 2 eps, so infinite or NaN at eps = 0.5.",
        function=of_logit(lambda z, eps: smoothed(z, eps) * ((1 - 2 * eps) / (1 - 2 * eps) if eps != 0.5 else math.nan)),
        witness=pairs(0.5, 0.5),
    ),
    _torch(
        "label-smoothing-never-zero",
        wrong="A label smoothing of 0 becomes 1e-3, as one loss needed it to.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, beta, eps or 1e-3)),
        witness=both(pairs(8.0), pairs(2.0)),
        source="https://github.com/huggingface/trl/blob/v0.28.0/trl/trainer/dpo_trainer.py",
    ),
    _torch(
        "label-smoothing-of-mean-logit",
        wrong="softplus(-z) + eps mean(z): the mean over the batch is right, each pair's loss is not.",
        function=of_logit(_unsquared),
        witness=smoothings,
    ),
    _torch(
        "label-smoothing-off-at-infinity",
        wrong="An infinite logit is not smoothed: the loss is 0 at z = inf where eps > 0, not infinite.",
        function=of_logit(lambda z, eps: torch.where(torch.isinf(z), softplus(-z), smoothed(z, eps))),
        witness=logits(math.inf, 1.0, eps=0.125),
    ),
    _torch(
        "label-smoothing-of-lost-pairs",
        wrong="Only pairs with a negative logit are smoothed.",
        function=of_logit(lambda z, eps: torch.where(z < 0, smoothed(z, eps), softplus(-z))),
        witness=smoothings,
    ),
)
