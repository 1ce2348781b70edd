"""A wide format computed in a narrow one, coarse approximations, and rounded intermediates."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from . import arrays, tensors
from .arrays import Array
from .kinds import WIDE, numpy_mutant, torch_mutant
from .tensors import of_margin, of_softplus, smoothed, softplus
from .witnesses import batch_of, both, coarse, logits, one, options, tails

_torch = functools.partial(torch_mutant, family="precision")
_numpy = functools.partial(numpy_mutant, family="precision")


def _inside(dtype: torch.dtype) -> tensors.Loss:
    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        return tensors.stable(*tensors.each(lambda x: x.to(dtype), pc, pr, rc, rr), beta, eps).to(pc.dtype)

    return loss


def _through(x: Tensor, dtype: torch.dtype) -> Tensor:
    return x.to(dtype).to(x.dtype)


def _log_ratios_through(dtype: torch.dtype) -> tensors.Loss:
    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        return smoothed(beta * (_through(pc - rc, dtype) - _through(pr - rr, dtype)), eps)

    return loss


def _bits_kept(x: Array, bits: int) -> Array:
    """The array with its significands cut to that many bits, towards zero."""
    mantissa, exponent = np.frexp(x.astype(np.float64))
    cut: Array = np.ldexp(np.trunc(np.ldexp(mantissa, bits)), exponent - bits)
    return cut.astype(x.dtype)


def _schraudolph(x: Array) -> Array:
    """softplus with 2^t taken as linear between powers of two: up to 6 % off."""
    t = -np.abs(x).astype(np.float64) / np.log(2)
    whole = np.floor(t)
    power = np.ldexp(1 + (t - whole), np.clip(whole, -2000, 2000).astype(int))
    result: Array = np.maximum(x, arrays.number(x, 0)) + np.log1p(power).astype(x.dtype)
    return result


def _short_series(x: Array) -> Array:
    """log1p by the first two terms of its series: right only for small arguments."""
    y = np.exp(-np.abs(x))
    result: Array = np.maximum(x, arrays.number(x, 0)) + (y - y * y * arrays.number(x, 0.5))
    return result


def _table(x: Array) -> Array:
    """Linear interpolation between 129 values on [-8, 8], and the asymptotes outside."""
    grid = np.linspace(-8, 8, 129)
    inside = np.interp(x.astype(np.float64), grid, np.log1p(np.exp(grid)))
    wide = np.where(np.abs(x) < 8, inside, arrays.softplus(x.astype(np.float64)))
    return wide.astype(x.dtype)


def _rounded(decimals: int) -> tensors.Loss:
    """The value is rounded, the gradient passes."""

    def change(loss: Tensor) -> Tensor:
        rounded = torch.round(loss.detach().double(), decimals=decimals).to(loss.dtype)
        return torch.where(torch.isfinite(loss), loss + (rounded - loss.detach()), loss)

    return tensors.then(change)


far = both(options, batch_of(16, beta=0.5), tails)

MUTANTS = (
    _torch(
        "float16-inside",
        wrong="Everything in binary16 inside, whatever the inputs are.",
        function=_inside(torch.float16),
        witness=far,
        equivalent={"binary16": "it is the format itself"},
        source="https://github.com/huggingface/trl/issues/878",
    ),
    _torch(
        "bfloat16-inside",
        wrong="Everything in bfloat16 inside, whatever the inputs are.",
        function=_inside(torch.bfloat16),
        witness=both(far, coarse),
        equivalent={"bfloat16": "it is the format itself"},
        source="https://github.com/huggingface/trl/pull/7084",
    ),
    _torch(
        "float32-inside",
        wrong="Everything in binary32 inside, so binary64 has half its digits.",
        function=_inside(torch.float32),
        witness=far,
        equivalent={
            "binary16": "a wider format inside is more accurate",
            "bfloat16": "a wider format inside is more accurate",
            "binary32": "it is the format itself",
        },
    ),
    _torch(
        "log-ratios-in-bfloat16",
        wrong="The log-ratios are rounded to bfloat16 before they are subtracted.",
        function=_log_ratios_through(torch.bfloat16),
        witness=batch_of(64, beta=1.0),
        equivalent={"bfloat16": "the log-ratios are bfloat16 already"},
        dtypes=("bfloat16", *WIDE),
    ),
    _torch(
        "margin-in-float16",
        wrong="The margin is rounded to binary16.",
        function=of_margin(lambda m, beta, eps: smoothed(beta * _through(m, torch.float16), eps)),
        witness=both(batch_of(64, beta=1.0), one(-90112.0, -100.0, -50.0, -100.0)),
        equivalent={"binary16": "the margin is binary16 already"},
    ),
    _torch(
        "result-in-bfloat16",
        wrong="The losses are rounded to bfloat16 and widened again.",
        function=tensors.then(lambda loss: _through(loss, torch.bfloat16)),
        witness=far,
        dtypes=("bfloat16", *WIDE),
        equivalent={"bfloat16": "the losses are bfloat16 already"},
    ),
    _torch(
        "result-in-float16",
        wrong="The losses are rounded to binary16 and widened again.",
        function=tensors.then(lambda loss: _through(loss, torch.float16)),
        witness=far,
        equivalent={"binary16": "the losses are binary16 already"},
    ),
    _numpy(
        "ten-bit-inputs",
        wrong="The log-probabilities are cut to 11 significant bits, as TensorFloat-32 would.",
        function=lambda pc, pr, rc, rr, beta, eps: arrays.stable(
            *arrays.each(lambda x: _bits_kept(x, 11), pc, pr, rc, rr), beta, eps
        ),
        witness=batch_of(64, beta=1.0),
        equivalent={
            "binary16": "11 bits hold every binary16 number",
            "bfloat16": "11 bits hold every bfloat16 number",
        },
        gradient=arrays.gradient,
    ),
    _numpy(
        "exp-linear-between-powers",
        wrong="exp by a linear 2^t between powers of two: up to 6 % off.",
        function=arrays.of_softplus(_schraudolph),
        witness=tails,
        gradient=arrays.gradient,
        dtypes=("binary16", *WIDE),
    ),
    _numpy(
        "log1p-by-two-terms",
        wrong="log1p by two terms of its series: 28 % off at z = 0.",
        function=arrays.of_softplus(_short_series),
        witness=both(logits(0.0, 0.25), options),
        gradient=arrays.gradient,
    ),
    _numpy(
        "table-of-129",
        wrong="Linear interpolation in a table of 129 values: the error of each cell is up to 5e-4.",
        function=arrays.of_softplus(_table),
        witness=logits(0.0625, 1.0625, 5.0625, 7.5625, 7.9375),
        gradient=arrays.gradient,
        dtypes=("bfloat16", *WIDE),
        equivalent={"bfloat16": "the relative error is at most h^2/8 = 0.2 %, half an ulp of bfloat16 or less"},
    ),
    _torch(
        "three-decimals",
        wrong="The losses are rounded to three decimals.",
        function=_rounded(3),
        witness=tails,
    ),
    _torch(
        "seven-decimals",
        wrong="The losses are rounded to seven decimals.",
        function=_rounded(7),
        witness=tails,
        equivalent={"binary16": "5e-8 is less than the least binary16 number, a thousandth of the smallest normal"},
    ),
    _torch(
        "plus-1e-8",
        wrong="1e-8 is added to the loss, against a logarithm of 0 that cannot be.",
        function=tensors.then(lambda loss: loss + 1e-8),
        witness=tails,
        equivalent={"binary16": "1e-8 is less than half of the least binary16 number"},
    ),
    _numpy(
        "one-part-in-65536",
        wrong="Every loss is too large by one part in 65,536.",
        function=arrays.of_softplus(lambda x: arrays.softplus(x) * arrays.number(x, 1 + 2**-16)),
        witness=logits(0.0, 1.0, -30.0, 12.0),
        gradient=arrays.gradient,
        dtypes=(*WIDE, "bfloat16", "binary16"),
        equivalent={
            "binary16": "1 + 2^-16 rounds to 1",
            "bfloat16": "1 + 2^-16 rounds to 1",
        },
    ),
    _torch(
        "leaky-tail",
        wrong="exp(-z) in the place of log1p(exp(-z)) for z > 3.",
        function=of_softplus(lambda x: torch.where(x < -3, torch.exp(x.clamp(max=0)), softplus(x))),
        witness=logits(3.125, 3.5, 4.0, 6.0),
        dtypes=("binary16", *WIDE),
    ),
)
