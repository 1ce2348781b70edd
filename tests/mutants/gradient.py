"""The gradient alone wrong, the value right."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from . import arrays, tensors
from .arrays import Array, Partials
from .kinds import Mutant, numpy_mutant, torch_mutant
from .tensors import of_logit, of_logps, of_slope, of_softplus, scaled_gradient, softplus
from .witnesses import batch_of, both, infinite, logits, options, tails

_torch = functools.partial(torch_mutant, family="gradient")
CANCELS = "https://github.com/jax-ml/jax/issues/777"


def _numpy(name: str, wrong: str, partials: Partials, **keywords: object) -> Mutant:
    keywords.setdefault("witness", options)
    return numpy_mutant(name, "gradient", wrong, arrays.stable, gradient=partials, **keywords)  # type: ignore[arg-type]


def _slope(z: Tensor, eps: float) -> Tensor:
    return eps - torch.sigmoid(-z)


def _scaled(factors: tuple[float, float, float, float]) -> tensors.Loss:
    def change(*logps: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        pc, pr, rc, rr = (scaled_gradient(x, factor) for x, factor in zip(logps, factors, strict=True))
        return pc, pr, rc, rr

    return of_logps(change)


def _clipped(x: Tensor, limit: float) -> Tensor:
    y = x.clone()
    if y.requires_grad:
        y.register_hook(lambda upstream: upstream.clamp(-limit, limit))
    return y


def _where(x: Tensor) -> Tensor:
    """Two branches of which the one not taken overflows: its derivative is 0 * inf."""
    return torch.where(x > 0, x + torch.log1p(torch.exp(-x)), torch.log1p(torch.exp(x)))


def _kinked(x: Tensor) -> Tensor:
    return torch.relu(x) + torch.log1p(torch.exp(-x.abs()))


def _kinked_the_other_way(x: Tensor) -> Tensor:
    return x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))


def _shifted_at_kink(z: Tensor, eps: float) -> Tensor:
    """softplus(-|z|) + (eps - 1) z or eps z: right, but autograd takes one side at z = 0."""
    return softplus(-z.abs()) + torch.where(z > 0, eps * z if eps else 0 * z.clamp(max=1), (eps - 1) * z)


def _of_product(z: Tensor, eps: float) -> Tensor:
    """sigmoid'(z) / sigmoid(z), the chain rule by hand."""
    s = torch.sigmoid(z)
    return eps - s * (1 - s) / s


def _reordered(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> tuple[Array, Array, Array, Array]:
    by_pc, by_pr, by_rc, by_rr = arrays.gradient(pc, pr, rc, rr, beta, eps)
    return by_pr, by_pc, by_rr, by_rc


def _finite_difference(
    pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float
) -> tuple[Array, Array, Array, Array]:
    """One-sided differences in float64 with a step of 2^-14 in z."""
    m = arrays.margin(*arrays.each(lambda x: x.astype(np.float64), pc, pr, rc, rr))
    z, step = beta * m, 2.0**-14
    rise = arrays.softplus(-(z + step)) - arrays.softplus(-z)
    scaled = (beta * (rise / step + eps)).astype(pc.dtype)
    return scaled, -scaled, -scaled, scaled


def _unnormalised(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> tuple[Array, Array, Array, Array]:
    return arrays.gradient(pc, pr, rc, rr, beta, eps)


def _mean(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
    losses = arrays.stable(pc, pr, rc, rr, beta, eps)
    return np.asarray(np.mean(losses.astype(np.float64)).astype(losses.dtype))


MUTANTS = (
    _torch(
        "gradient-one-minus-sigmoid",
        wrong="-(1 - sigmoid(z)): cancels to 0 for won pairs, beyond z = 16.64 in binary32.",
        function=of_slope(lambda z, eps: eps - (1 - torch.sigmoid(z))),
        witness=tails,
        source=CANCELS,
    ),
    _torch(
        "gradient-sigmoid-slope-over-sigmoid",
        wrong="sigmoid(z) (1 - sigmoid(z)) / sigmoid(z): cancels for won pairs, NaN for lost ones.",
        function=of_slope(_of_product),
        witness=tails,
        source="https://github.com/tensorflow/tensorflow/issues/126060",
    ),
    _torch(
        "gradient-nan-branch",
        wrong="torch.where over two branches: the derivative of the branch not taken is 0 * inf = NaN.",
        function=of_softplus(_where),
        witness=tails,
    ),
    _torch(
        "gradient-zero-at-kink",
        wrong="relu(-z) + log1p(exp(-|z|)) by autograd: gradient 0 instead of -beta/2 where policy = reference.",
        function=of_softplus(_kinked),
        witness=logits(0.0, 1.0),
        source="https://github.com/jax-ml/jax/issues/2140",
    ),
    _torch(
        "gradient-one-at-kink",
        wrong="clamp(-z, min=0) + log1p(exp(-|z|)) by autograd: gradient -beta instead of -beta/2 at z = 0.",
        function=of_softplus(_kinked_the_other_way),
        witness=logits(0.0, 1.0),
        source="https://github.com/jax-ml/jax/issues/2107",
    ),
    _torch(
        "gradient-one-sided-at-kink",
        wrong="softplus(-|z|) and a linear part chosen by z > 0: autograd takes the lost side at z = 0.",
        function=of_logit(_shifted_at_kink),
        witness=logits(0.0, 1.0),
    ),
    _torch(
        "gradient-clipped",
        wrong="The gradient is clipped to [-0.1, 0.1].",
        function=of_logps(lambda *logps: tensors.each(lambda x: _clipped(x, 0.1), *logps)),
        witness=options,
    ),
    _torch(
        "gradient-floored",
        wrong="sigmoid(-z) is held above 1e-3 in the gradient: won pairs are pushed for ever.",
        function=of_slope(lambda z, eps: eps - torch.sigmoid(-z).clamp(min=1e-3)),
        witness=tails,
    ),
    _torch(
        "gradient-zero-for-won-pairs",
        wrong="No gradient for z > 5, as a hinge would have it.",
        function=of_slope(lambda z, eps: torch.where(z > 5, 0 * z, _slope(z, eps))),
        witness=tails,
    ),
    _torch(
        "gradient-threshold-mismatch",
        wrong="The backward takes slope 1 from -z = 4 on, the forward does not.",
        function=of_slope(lambda z, eps: torch.where(z < -4, eps - torch.ones_like(z), _slope(z, eps))),
        witness=logits(-4.125, -4.5, -5.0),
        equivalent={"bfloat16": "1 - sigmoid(4) = 0.018 is 1.8 % of 0.98, where the kernel's bound is 2.5 %"},
        source="https://github.com/pytorch/pytorch/issues/61568",
    ),
    _torch(
        "gradient-rejected-sign",
        wrong="The gradient in the rejected log-probability has the chosen one's sign.",
        function=_scaled((1.0, -1.0, 1.0, 1.0)),
        witness=options,
    ),
    _torch(
        "gradient-chosen-doubled",
        wrong="Twice the gradient in the chosen log-probability.",
        function=_scaled((2.0, 1.0, 1.0, 1.0)),
        witness=options,
    ),
    _torch(
        "gradient-reference-doubled",
        wrong="Twice the gradient in the reference.",
        function=_scaled((1.0, 1.0, 2.0, 2.0)),
        witness=options,
    ),
    _torch(
        "gradient-reference-sign",
        wrong="The gradient in the reference has the policy's sign.",
        function=_scaled((1.0, 1.0, -1.0, -1.0)),
        witness=options,
    ),
    _torch(
        "gradient-ascent",
        wrong="All four derivatives have the opposite sign.",
        function=_scaled((-1.0, -1.0, -1.0, -1.0)),
        witness=options,
    ),
    _torch(
        "gradient-of-unsmoothed",
        wrong="The value is smoothed, its gradient is not.",
        function=of_slope(lambda z, eps: -torch.sigmoid(-z)),
        witness=options,
    ),
    _torch(
        "gradient-of-smoothed-sign",
        wrong="-(sigmoid(-z) + eps) instead of -(sigmoid(-z) - eps).",
        function=of_slope(lambda z, eps: -torch.sigmoid(-z) - eps),
        witness=options,
    ),
    _torch(
        "gradient-of-won-pair",
        wrong="-sigmoid(z) instead of -sigmoid(-z).",
        function=of_slope(lambda z, eps: eps - torch.sigmoid(z)),
        witness=options,
    ),
    _torch(
        "gradient-in-float16",
        wrong="The gradient is rounded to binary16 on its way.",
        function=of_slope(lambda z, eps: _slope(z, eps).half().to(z.dtype)),
        witness=tails,
        equivalent={"binary16": "it is the format itself"},
        source="https://github.com/mst272/LLM-Dojo/issues/23",
    ),
    _torch(
        "gradient-detached-policy",
        wrong="The chosen log-probability is detached: half of the training signal is gone.",
        function=of_logps(lambda pc, pr, rc, rr: (pc.detach(), pr, rc, rr)),
        witness=options,
    ),
    _torch(
        "gradient-none",
        wrong="The losses are detached: right numbers, no gradient at all.",
        function=tensors.then(lambda loss: loss.detach()),
        witness=options,
        source="https://github.com/jingyaogong/minimind/issues/430",
    ),
    _torch(
        "gradient-without-beta",
        wrong="beta is applied to a detached value and lost in the backward.",
        function=lambda pc, pr, rc, rr, beta, eps: tensors.stable(
            *tensors.each(lambda x: scaled_gradient(x, 1 / beta if beta else 1.0), pc, pr, rc, rr), beta, eps
        ),
        witness=options,
    ),
    _torch(
        "gradient-nan-for-certain-pairs",
        wrong="sqrt of a squared logit inside: NaN gradient where policy = reference.",
        function=of_logit(lambda z, eps: tensors.smoothed(torch.where(z < 0, -1, 1) * torch.sqrt(z * z), eps)),
        witness=logits(0.0, 1.0),
    ),
    _numpy(
        "gradient-without-beta-numpy",
        "d loss / dz is returned where d loss / d logp was promised.",
        lambda pc, pr, rc, rr, beta, eps: arrays.each(
            lambda x: x / arrays.number(x, beta or 1.0), *arrays.gradient(pc, pr, rc, rr, beta, eps)
        ),
    ),
    _numpy("gradient-order", "The derivatives are returned as rejected, chosen, rejected, chosen.", _reordered),
    _numpy(
        "gradient-by-finite-difference",
        "One-sided differences with a step of 2^-14: off by 3e-5 of the slope, 0 where the step is absorbed or inf - inf.",
        _finite_difference,
        witness=both(logits(2.0, 5.0), infinite),
    ),
    numpy_mutant(
        "gradient-of-sum-for-mean",
        "gradient",
        "The mean's value, the sum's gradient: n times too large.",
        _mean,
        batch_of(8),
        gradient=_unnormalised,
        reduction="mean",
        source="https://github.com/huggingface/trl/issues/2615",
    ),
)
