"""Chosen and rejected confused, or one of them lost."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from . import arrays
from .arrays import Array
from .kinds import numpy_mutant, torch_mutant
from .tensors import of_logps, of_margin, smoothed
from .witnesses import options, pairs

_torch = functools.partial(torch_mutant, family="pair")


def _interleaved(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """[chosen; rejected] read as if pairs were interleaved."""
    policy, reference = torch.cat([pc, pr]), torch.cat([rc, rr])
    return policy[0::2], policy[1::2], reference[0::2], reference[1::2]


def _policy_only_interleaved(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    policy = torch.stack([pc, pr], dim=1).reshape(-1)
    return policy[: len(pc)], policy[len(pc) :], rc, rr


def _swapped(pc: Array, pr: Array, rc: Array, rr: Array) -> Array:
    return arrays.margin(pr, pc, rr, rc)


def _sorted(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """Alignment by optimal transport: both log-ratios sorted over the batch."""
    chosen, rejected = (pc - rc).sort().values, (pr - rr).sort().values
    return smoothed(beta * (chosen - rejected), eps)


MUTANTS = (
    _torch(
        "pair-swapped",
        wrong="Chosen and rejected change places.",
        function=of_logps(lambda pc, pr, rc, rr: (pr, pc, rr, rc)),
        witness=options,
    ),
    numpy_mutant(
        "pair-swapped-numpy",
        "pair",
        "Chosen and rejected change places in the value; the gradient is right.",
        arrays.of_softplus(arrays.softplus, _swapped),
        options,
        gradient=arrays.gradient,
    ),
    _torch(
        "policy-pair-swapped",
        wrong="Only the policy's chosen and rejected change places.",
        function=of_logps(lambda pc, pr, rc, rr: (pr, pc, rc, rr)),
        witness=options,
    ),
    _torch(
        "chosen-only",
        wrong="The rejected response is left out.",
        function=of_logps(lambda pc, pr, rc, rr: (pc, 0 * pr, rc, 0 * rr)),
        witness=options,
    ),
    _torch(
        "rejected-only",
        wrong="The chosen response is left out.",
        function=of_logps(lambda pc, pr, rc, rr: (0 * pc, pr, 0 * rc, rr)),
        witness=options,
    ),
    _torch(
        "log-ratios-added",
        wrong="The log-ratios are added where they should be subtracted.",
        function=of_logps(lambda pc, pr, rc, rr: (pc, -pr, rc, -rr)),
        witness=options,
    ),
    _torch(
        "absolute-margin",
        wrong="|margin|: every pair counts as won.",
        function=of_margin(lambda m, beta, eps: smoothed(beta * m.abs(), eps)),
        witness=options,
    ),
    _torch(
        "margin-not-negative",
        wrong="max(margin, 0): lost pairs count as ties.",
        function=of_margin(lambda m, beta, eps: smoothed(beta * m.clamp(min=0), eps)),
        witness=options,
    ),
    _torch(
        "rows-interleaved",
        wrong="Rows laid out as all chosen, then all rejected are read as interleaved pairs.",
        function=of_logps(_interleaved),
        witness=options,
    ),
    _torch(
        "policy-rows-interleaved",
        wrong="The policy's interleaved rows are cut in halves; the reference is right.",
        function=of_logps(_policy_only_interleaved),
        witness=options,
    ),
    _torch(
        "rejected-of-next-pair",
        wrong="Each chosen response is compared with the next pair's rejected one.",
        function=of_logps(lambda pc, pr, rc, rr: (pc, pr.roll(1), rc, rr.roll(1))),
        witness=options,
    ),
    _torch(
        "log-ratios-sorted",
        wrong="Both log-ratios are sorted over the batch before they are subtracted.",
        function=_sorted,
        witness=options,
        source="https://github.com/huggingface/trl/blob/v0.28.0/trl/trainer/dpo_trainer.py",
    ),
    numpy_mutant(
        "length-normalised",
        "pair",
        "The margin is divided by the larger of the two log-probabilities, as if by a length.",
        arrays.of_softplus(
            arrays.softplus,
            lambda pc, pr, rc, rr: (
                arrays.margin(pc, pr, rc, rr) / np.maximum(np.maximum(np.abs(pc), np.abs(pr)), arrays.number(pc, 1))
            ),
        ),
        pairs(2.0),
        source="https://github.com/huggingface/trl/issues/1677",
    ),
)
