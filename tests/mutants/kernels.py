"""Kernels that are wrong on one path only, in a narrow band, or at the entries of a table."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from . import arrays, tensors
from .arrays import Array
from .kinds import WIDE, numpy_mutant, torch_mutant
from .tensors import Loss, of_slope, of_softplus, smoothed, softplus
from .witnesses import both, logits, one, tails

_torch = functools.partial(torch_mutant, family="kernels")
_numpy = functools.partial(numpy_mutant, family="kernels")


def _naive(z: Tensor, eps: float) -> Tensor:
    """-log sigmoid."""
    return tensors.mixed(-torch.log(torch.sigmoid(z)), -torch.log(torch.sigmoid(-z)), eps)


def _zero_beyond_4(z: Tensor, eps: float) -> Tensor:
    return torch.where(z > 4, torch.zeros_like(z), smoothed(z, eps))


def _without_derivatives(other: Callable[[Tensor, float], Tensor]) -> Loss:
    """The right loss where a derivative is asked for, another where none is."""

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        z = beta * tensors.margin(pc, pr, rc, rr)
        return smoothed(z, eps) if z.requires_grad else other(z, eps)

    return loss


def _with_reference(other: Loss) -> Loss:
    """The right loss where the reference is 0, another where it is not."""

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        right = tensors.stable(pc, pr, rc, rr, beta, eps)
        return torch.where((rc != 0) | (rr != 0), other(pc, pr, rc, rr, beta, eps), right)

    return loss


def _of_naive(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return _naive(beta * tensors.margin(pc, pr, rc, rr), eps)


def _in_band(low: float, width: float, factor: float) -> Loss:
    """Softplus times a factor where -x lies in a band of that relative width."""
    high = low * (1 + width)
    return of_softplus(lambda x: torch.where((-x >= low) & (-x <= high), softplus(x) * factor, softplus(x)))


def _slope_in_band(low: float, width: float, factor: float) -> Loss:
    def slope(z: Tensor, eps: float) -> Tensor:
        s = torch.sigmoid(-z)
        return eps - torch.where((z >= low) & (z <= low * (1 + width)), s * factor, s)

    return of_slope(slope)


def _wrong_entry(cells: int, cell: int, factor: float) -> Callable[[Array], Array]:
    """An exponential by a table of so many parts of ln 2, one entry of which is wrong."""

    def function(x: Array) -> Array:
        t = np.abs(x).astype(np.float64) / np.log(2)
        wrong = np.floor((t - np.floor(t)) * cells) == cell
        y = np.exp(-np.abs(x))
        y = np.where(wrong & (t > 0), y * arrays.number(y, factor), y)
        result: Array = np.maximum(x, arrays.number(x, 0)) + np.log1p(y)
        return result

    return function


reference = both(
    *(one(-size, 0.0, -size / 2, 0.0, beta=1.0) for size in (120.0, 200.0)),
    *(one(-size, 0.0, -2 * size, 0.0, beta=1.0) for size in (6.0, 9.0, 12.0, 32.0, 90.0)),
)

MUTANTS = (
    _torch(
        "naive-without-derivatives",
        wrong="log of sigmoid where no derivative is asked for.",
        function=_without_derivatives(_naive),
        witness=tails,
    ),
    _torch(
        "threshold-without-derivatives",
        wrong="0 beyond z = 4 where no derivative is asked for.",
        function=_without_derivatives(_zero_beyond_4),
        witness=tails,
    ),
    _torch(
        "naive-with-reference",
        wrong="log of sigmoid where the reference is not 0.",
        function=_with_reference(_of_naive),
        witness=reference,
    ),
    _torch(
        "slope-of-naive-with-reference",
        wrong="The derivative of 1 - sigmoid where the reference is not 0.",
        function=_with_reference(of_slope(lambda z, eps: eps - (1 - torch.sigmoid(z)))),
        witness=reference,
        dtypes=("binary16", *WIDE),
    ),
    _torch(
        "two-point-seven-per-cent",
        wrong="The loss is 2.7 % too large.",
        function=of_softplus(lambda x: softplus(x) * 1.027),
        witness=logits(0.0, 1.0, -1.0),
        dtypes=("binary16", *WIDE),
    ),
    _torch(
        "slope-two-point-seven-per-cent",
        wrong="The derivative is 2.7 % too large.",
        function=of_slope(lambda z, eps: eps - 1.027 * torch.sigmoid(-z)),
        witness=logits(0.0, 1.0, -1.0),
        dtypes=("binary16", *WIDE),
    ),
    _torch(
        "seven-per-cent",
        wrong="The loss is 7 % too small.",
        function=of_softplus(lambda x: softplus(x) * 0.93),
        witness=logits(0.0, 1.0, -1.0),
        dtypes=("binary16", *WIDE),
    ),
    _torch(
        "band-of-a-hundredth",
        wrong="The loss is doubled for z from 5 to 5.05.",
        function=_in_band(5, 0.01, 2.0),
        witness=logits(5.0),
    ),
    _torch(
        "band-of-a-thousandth",
        wrong="The loss is doubled for z from 9 to 9.009.",
        function=_in_band(9, 0.001, 2.0),
        witness=logits(9.0),
    ),
    _torch(
        "slope-band-of-a-thousandth",
        wrong="The derivative is doubled for z from 3 to 3.003.",
        function=_slope_in_band(3, 0.001, 2.0),
        witness=logits(3.0),
    ),
    _numpy(
        "wrong-entry-of-64",
        wrong="One of the 64 entries of exp's table is 12.5 % off.",
        function=arrays.of_softplus(_wrong_entry(64, 17, 1.125)),
        witness=logits(*(np.log(2) * (k + 17.5 / 64) for k in range(3, 9))),
        gradient=arrays.gradient,
        dtypes=("binary16", *WIDE),
    ),
    _numpy(
        "wrong-entry-of-256",
        wrong="One of the 256 entries of exp's table is 1 % off.",
        function=arrays.of_softplus(_wrong_entry(256, 100, 1.01)),
        witness=logits(*(np.log(2) * (k + 100.5 / 256) for k in range(3, 40))),
        gradient=arrays.gradient,
        dtypes=WIDE,
    ),
)
