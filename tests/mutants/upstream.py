"""The incoming derivative misread: cast, clamped, left out, or read from other memory."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from .functions import upstream
from .kinds import Mutant, torch_mutant
from .tensors import Loss
from .witnesses import calls

_torch = functools.partial(torch_mutant, family="upstream", witness=calls)
_WITHIN = "the cast errs by at most 4 u, less than a kernel may"
_HELD = "binary16 has no weight that the cast would change"


def _cast(dtype: torch.dtype) -> Loss:
    return upstream(lambda incoming: incoming.to(dtype).to(incoming.dtype))


def _flat(incoming: Tensor) -> Tensor:
    """The first n elements of the storage, whatever the strides and the offset."""
    n = incoming.numel()
    there = incoming.untyped_storage().nbytes() // incoming.element_size()
    return torch.as_strided(incoming, (n,), (1,), 0) if there >= n and incoming.dim() == 1 else incoming


def _without_offset(incoming: Tensor) -> Tensor:
    return torch.as_strided(incoming, incoming.shape, incoming.stride(), 0)


MUTANTS: tuple[Mutant, ...] = (
    _torch(
        name="upstream-in-binary16",
        wrong="The incoming derivative is cast to binary16 and back: loss scales overflow and vanish.",
        function=_cast(torch.float16),
        equivalent={"binary16": "the cast changes nothing"},
        source="https://github.com/pytorch/pytorch/issues/194719",
    ),
    _torch(
        name="upstream-in-bfloat16",
        wrong="The incoming derivative is cast to bfloat16 and back.",
        function=_cast(torch.bfloat16),
        equivalent={"bfloat16": "the cast changes nothing", "binary16": _WITHIN},
    ),
    _torch(
        name="upstream-in-binary32",
        wrong="The incoming derivative is cast to binary32 and back.",
        function=_cast(torch.float32),
        dtypes=("binary64",),
    ),
    _torch(
        name="upstream-clamped-to-one",
        wrong="The incoming derivative is clamped to [-1, 1].",
        function=upstream(lambda incoming: incoming.clamp(-1, 1)),
    ),
    _torch(
        name="upstream-clamped-to-unit",
        wrong="The incoming derivative is clamped to [0, 1].",
        function=upstream(lambda incoming: incoming.clamp(0, 1)),
    ),
    _torch(
        name="upstream-clamped-at-1024",
        wrong="The incoming derivative is clamped to [-1024, 1024].",
        function=upstream(lambda incoming: incoming.clamp(-1024, 1024)),
    ),
    _torch(
        name="upstream-saturated",
        wrong="The incoming derivative is clamped to the numbers of binary16.",
        function=upstream(lambda incoming: incoming.clamp(-65504, 65504)),
        equivalent={"binary16": _HELD},
    ),
    _torch(
        name="upstream-flushed",
        wrong="An incoming derivative below the smallest normal number of binary16 counts as 0.",
        function=upstream(lambda incoming: torch.where(incoming.abs() < 2.0**-14, 0 * incoming, incoming)),
        equivalent={"binary16": _HELD},
    ),
    _torch(
        name="upstream-magnitude",
        wrong="The sign of the incoming derivative is lost.",
        function=upstream(torch.abs),
    ),
    _torch(
        name="upstream-sign",
        wrong="Of the incoming derivative, the sign alone is applied.",
        function=upstream(torch.sign),
    ),
    _torch(
        name="upstream-whole",
        wrong="The incoming derivative is truncated to a whole number.",
        function=upstream(torch.trunc),
    ),
    _torch(
        name="upstream-below-one-left-out",
        wrong="An incoming derivative below 1 is not applied.",
        function=upstream(lambda incoming: torch.where(incoming.abs() < 1, torch.ones_like(incoming), incoming)),
    ),
    _torch(
        name="upstream-above-one-left-out",
        wrong="An incoming derivative above 1 is not applied.",
        function=upstream(lambda incoming: torch.where(incoming.abs() > 1, torch.ones_like(incoming), incoming)),
    ),
    _torch(
        name="upstream-of-zero-left-out",
        wrong="An incoming derivative of 0 is not applied: masked pairs are trained on.",
        function=upstream(lambda incoming: torch.where(incoming == 0, torch.ones_like(incoming), incoming)),
    ),
    _torch(
        name="upstream-averaged",
        wrong="Every pair gets the batch's mean incoming derivative.",
        function=upstream(lambda incoming: incoming.mean().expand_as(incoming)),
    ),
    _torch(
        name="upstream-largest",
        wrong="Every pair gets the incoming derivative of the largest magnitude.",
        function=upstream(lambda incoming: incoming[incoming.abs().argmax()] * torch.ones_like(incoming)),
    ),
    _torch(
        name="upstream-backwards",
        wrong="The incoming derivatives are applied in reverse order.",
        function=upstream(lambda incoming: incoming.flip(0)),
    ),
    _torch(
        name="upstream-squared",
        wrong="The incoming derivative is applied twice.",
        function=upstream(lambda incoming: incoming * incoming),
    ),
    _torch(
        name="upstream-unscaled",
        wrong="A power of two, taken for a loss scale, is divided out of the incoming derivative.",
        function=upstream(lambda incoming: incoming / torch.exp2(torch.log2(incoming.abs().max()).floor().clamp(min=6) - 6)),
    ),
    _torch(
        name="upstream-read-flat",
        wrong="The strides and the offset of the incoming derivative are ignored.",
        function=upstream(_flat),
        source="https://github.com/Dao-AILab/flash-attention/issues/355",
    ),
    _torch(
        name="upstream-offset-ignored",
        wrong="The offset of the incoming derivative is ignored, its strides are honoured.",
        function=upstream(_without_offset),
    ),
    _torch(
        name="upstream-one-where-expanded",
        wrong="An expanded incoming derivative is taken for the 1 of a sum.",
        function=upstream(lambda incoming: incoming if any(incoming.stride()) else torch.ones_like(incoming)),
    ),
    _torch(
        name="upstream-first-where-strided",
        wrong="An incoming derivative that is not contiguous is taken for one number expanded.",
        function=upstream(lambda incoming: incoming if incoming.is_contiguous() else incoming[:1].expand_as(incoming)),
    ),
)
