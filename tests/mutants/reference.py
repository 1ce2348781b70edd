"""The reference left out, taken for the policy, or used in the wrong place."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from . import arrays
from .kinds import numpy_mutant, stateful_mutant, torch_mutant
from .tensors import Loss, of_arguments, of_logps, stable
from .witnesses import batch_of, both, one, options

_torch = functools.partial(torch_mutant, family="reference")
LIGER = "https://github.com/linkedin/Liger-Kernel/pull/405"


def _cached() -> Loss:
    """The reference log-probabilities of the first batch of each size are kept."""
    seen: dict[int, tuple[Tensor, Tensor]] = {}

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        kept_rc, kept_rr = seen.setdefault(len(pc), (rc.detach().double(), rr.detach().double()))
        return stable(pc, pr, kept_rc.to(rc.dtype) + 0 * rc, kept_rr.to(rr.dtype) + 0 * rr, beta, eps)

    return loss


_LONG = one(-896.0, -904.0, -900.0, -900.0)
"""Responses of -900 nats, the policy within a few nats."""

MUTANTS = (
    _torch(
        "reference-ignored",
        wrong="No reference: the loss of contrastive preference optimization.",
        function=of_logps(lambda pc, pr, rc, rr: (pc, pr, 0 * rc, 0 * rr)),
        witness=options,
        source=LIGER,
    ),
    numpy_mutant(
        "reference-ignored-numpy",
        "reference",
        "No reference, in the value and in the gradient.",
        arrays.of_softplus(arrays.softplus, lambda pc, pr, rc, rr: pc - pr),
        options,
        gradient=arrays.of_sigmoid(arrays.sigmoid, lambda pc, pr, rc, rr: pc - pr),
        source=LIGER,
    ),
    _torch(
        "reference-rejected-ignored",
        wrong="The reference's rejected log-probability is left out.",
        function=of_logps(lambda pc, pr, rc, rr: (pc, pr, rc, 0 * rr)),
        witness=options,
    ),
    _torch(
        "reference-chosen-ignored",
        wrong="The reference's chosen log-probability is left out.",
        function=of_logps(lambda pc, pr, rc, rr: (pc, pr, 0 * rc, rr)),
        witness=options,
    ),
    _torch(
        "reference-swapped",
        wrong="The reference's chosen and rejected log-probabilities change places.",
        function=of_logps(lambda pc, pr, rc, rr: (pc, pr, rr, rc)),
        witness=options,
    ),
    _torch(
        "reference-added",
        wrong="The reference is added where it should be subtracted.",
        function=of_logps(lambda pc, pr, rc, rr: (pc, pr, -rc, -rr)),
        witness=options,
    ),
    _torch(
        "reference-is-policy",
        wrong="The policy's own log-probabilities serve as reference: ln 2 for ever.",
        function=of_logps(lambda pc, pr, rc, rr: (pc, pr, pc + 0 * rc, pr + 0 * rr)),
        witness=options,
        source="https://github.com/huggingface/trl/issues/1962",
    ),
    _torch(
        "reference-is-detached-policy",
        wrong="The detached policy serves as reference: ln 2 for ever, with a gradient.",
        function=of_logps(lambda pc, pr, rc, rr: (pc, pr, pc.detach() + 0 * rc, pr.detach() + 0 * rr)),
        witness=options,
        source="https://github.com/OpenRLHF/OpenRLHF/issues/364",
    ),
    _torch(
        "reference-halved",
        wrong="Half of the reference.",
        function=of_logps(lambda pc, pr, rc, rr: (pc, pr, rc / 2, rr / 2)),
        witness=options,
    ),
    _torch(
        "reference-averaged",
        wrong="The batch's mean reference instead of each pair's own.",
        function=of_logps(lambda pc, pr, rc, rr: (pc, pr, rc.mean() + 0 * rc, rr.mean() + 0 * rr)),
        witness=options,
    ),
    _torch(
        "reference-free-when-smoothed",
        wrong="With label smoothing the reference is dropped.",
        function=of_arguments(
            lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc if eps == 0 else 0 * rc, rr if eps == 0 else 0 * rr, beta, eps)
        ),
        witness=options,
    ),
    _torch(
        "reference-from-probability",
        wrong="log(exp(reference)) with exp in the format: long responses underflow to -inf.",
        function=of_logps(lambda pc, pr, rc, rr: (pc, pr, torch.log(torch.exp(rc)), torch.log(torch.exp(rr)))),
        witness=both(batch_of(40), _LONG),
    ),
    stateful_mutant(
        "reference-of-first-batch",
        "reference",
        "The reference of the first batch of a size is kept for all batches of that size.",
        _cached,
        both(batch_of(4, seed=1), batch_of(4, seed=2)),
        source="https://github.com/huggingface/trl/issues/2423",
    ),
)
