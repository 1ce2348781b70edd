"""Wrong at some sizes alone: blocks, their remainders, and more pairs than a thread's share or 16 bits."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from . import arrays
from .arrays import Array
from .kinds import Mutant, numpy_mutant, torch_mutant
from .tensors import Loss, each, scaled_gradient, stable, then
from .witnesses import repeated

_torch = functools.partial(torch_mutant, family="sizes")
Test = Callable[[int], bool]


def _unsmoothed(test: Test) -> Loss:
    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        return stable(pc, pr, rc, rr, beta, 0.0 if test(len(pc)) else eps)

    return loss


def _beta(test: Test) -> Loss:
    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        return stable(pc, pr, rc, rr, 0.1 if test(len(pc)) else beta, eps)

    return loss


def _gradient(test: Test, factor: float) -> Loss:
    """The derivatives times a factor at some sizes."""
    return then(lambda losses: scaled_gradient(losses, factor) if test(len(losses)) else losses)


def _gradient_smoothed(test: Test) -> Loss:
    """The derivatives without label smoothing at some sizes; the losses are right."""

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        losses = stable(pc, pr, rc, rr, beta, eps)
        if not test(len(pc)):
            return losses
        plain = stable(pc, pr, rc, rr, beta, 0.0)
        return plain + (losses - plain).detach()

    return loss


def _tail(block: int, least: int) -> Loss:
    """What is left over after full blocks is never computed, in batches of at least so many pairs."""

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        losses = stable(pc, pr, rc, rr, beta, eps)
        full = len(pc) // block * block if len(pc) >= least else len(pc)
        return torch.cat([losses[:full], 0 * losses[full:]])

    return loss


def _gradient_tail(block: int, least: int) -> Loss:
    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        full = len(pc) // block * block if len(pc) >= least else len(pc)
        return stable(*each(lambda x: torch.cat([x[:full], x[full:].detach()]), pc, pr, rc, rr), beta, eps)

    return loss


def _wrapped(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
    """A place is a number of 16 bits: the 65,537th pair is the first again."""
    losses = arrays.stable(pc, pr, rc, rr, beta, eps)
    places = np.arange(len(losses)).astype(np.uint16)
    return losses[places]


def _wrapped_signed(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
    """A place is a signed number of 16 bits: from the 32,769th pair on it is negative, and counts from the end."""
    losses = arrays.stable(pc, pr, rc, rr, beta, eps)
    return losses[np.arange(len(losses)).astype(np.int16)]


MUTANTS: tuple[Mutant, ...] = (
    _torch(
        name="unsmoothed-at-128",
        wrong="Label smoothing is ignored in batches of exactly 128 pairs.",
        function=_unsmoothed(lambda n: n == 128),
        witness=repeated(128, eps=0.3),
    ),
    _torch(
        name="unsmoothed-in-blocks-of-256",
        wrong="Label smoothing is ignored where the batch is a whole number of blocks of 256.",
        function=_unsmoothed(lambda n: n > 0 and n % 256 == 0),
        witness=repeated(256, eps=0.3),
    ),
    _torch(
        name="beta-beyond-65536",
        wrong="beta is 0.1 in batches of more than 65,536 pairs.",
        function=_beta(lambda n: n > 65_536),
        witness=repeated(65_537),
    ),
    _torch(
        name="gradient-doubled-at-512",
        wrong="The derivatives are doubled in batches of exactly 512 pairs.",
        function=_gradient(lambda n: n == 512, 2.0),
        witness=repeated(512),
    ),
    _torch(
        name="gradient-halved-from-4096",
        wrong="The derivatives are halved in batches of 4,096 pairs and more.",
        function=_gradient(lambda n: n >= 4096, 0.5),
        witness=repeated(4096),
    ),
    _torch(
        name="gradient-lost-at-65536",
        wrong="The derivatives are 0 in batches of exactly 65,536 pairs.",
        function=_gradient(lambda n: n == 65_536, 0.0),
        witness=repeated(65_536),
    ),
    _torch(
        name="gradient-unsmoothed-from-129",
        wrong="The derivatives are those without label smoothing in batches of 129 pairs and more.",
        function=_gradient_smoothed(lambda n: n >= 129),
        witness=repeated(129, eps=0.3),
    ),
    _torch(
        name="gradient-unsmoothed-at-65537",
        wrong="The derivatives are those without label smoothing in batches of more than 65,536 pairs.",
        function=_gradient_smoothed(lambda n: n > 65_536),
        witness=repeated(65_537, eps=0.3),
    ),
    _torch(
        name="tail-of-128",
        wrong="In batches of more than 1,000 pairs, those left over after full blocks of 128 have loss 0.",
        function=_tail(128, 1001),
        witness=repeated(1025),
    ),
    _torch(
        name="tail-of-65536",
        wrong="Pairs left over after full blocks of 65,536 have loss 0.",
        function=_tail(65_536, 65_536),
        witness=repeated(65_537),
    ),
    _torch(
        name="gradient-tail-of-256",
        wrong="In batches of more than 256 pairs, those left over after full blocks of 256 have derivative 0.",
        function=_gradient_tail(256, 257),
        witness=repeated(257),
    ),
    _torch(
        name="gradient-tail-of-4096",
        wrong="Pairs left over after full blocks of 4,096 have derivative 0.",
        function=_gradient_tail(4096, 4096),
        witness=repeated(4097),
    ),
    _torch(
        name="unsmoothed-at-10",
        wrong="Label smoothing is ignored in batches of exactly 10 pairs.",
        function=_unsmoothed(lambda n: n == 10),
        witness=repeated(10, eps=0.3),
    ),
    _torch(
        name="beta-of-48",
        wrong="beta is 0.1 in batches of exactly 48 pairs.",
        function=_beta(lambda n: n == 48),
        witness=repeated(48),
    ),
    _torch(
        name="gradient-doubled-at-77",
        wrong="The derivatives are doubled in batches of exactly 77 pairs.",
        function=_gradient(lambda n: n == 77, 2.0),
        witness=repeated(77),
    ),
    _torch(
        name="gradient-unsmoothed-at-120",
        wrong="The derivatives are those without label smoothing in batches of exactly 120 pairs.",
        function=_gradient_smoothed(lambda n: n == 120),
        witness=repeated(120, eps=0.3),
    ),
    numpy_mutant(
        "place-of-16-bits",
        "sizes",
        "A place in the batch is a number of 16 bits: the 65,537th pair gets the first one's loss.",
        _wrapped,
        repeated(65_537),
    ),
    numpy_mutant(
        "place-of-16-signed-bits",
        "sizes",
        "A place in the batch is a signed number of 16 bits: from the 32,769th pair on it counts from the end.",
        _wrapped_signed,
        repeated(65_537),
    ),
)
