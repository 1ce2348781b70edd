"""Numbers read from the wrong place in memory."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from . import arrays
from .arrays import Array
from .kinds import Mutant, numpy_mutant, torch_mutant
from .tensors import Loss, each, scaled_gradient, stable
from .witnesses import calls, constant, pairs

_torch = functools.partial(torch_mutant, family="layout", witness=calls)
_numpy = functools.partial(numpy_mutant, family="layout", witness=calls, gradient=arrays.gradient)


def _read_as(x: Tensor, step: int, start: int) -> Tensor:
    """The numbers of the storage from that place on in that step, where there are so many; x itself where not."""
    there = x.untyped_storage().nbytes() // x.element_size()
    if x.dim() != 1 or start + step * (len(x) - 1) >= there:
        return x
    return x + (torch.as_strided(x.detach(), x.shape, (step,), start) - x).detach().nan_to_num(nan=1.0)


def _each(read: Callable[[Tensor], Tensor]) -> Loss:
    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        return stable(*each(read, pc, pr, rc, rr), beta, eps)

    return loss


def _as_first(what: Callable[[Tensor, Tensor], Tensor]) -> Loss:
    """Every input is read as policy_chosen lies."""

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        return stable(*each(lambda x: what(x, pc), pc, pr, rc, rr), beta, eps)

    return loss


def _where(test: Callable[[Tensor], bool], factor: float) -> Loss:
    """The derivatives times a factor in inputs that lie so."""
    return _each(lambda x: scaled_gradient(x, factor if test(x) else 1.0))


def _unsmoothed(test: Callable[[Tensor], bool]) -> Loss:
    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        return stable(pc, pr, rc, rr, beta, 0.0 if any(map(test, (pc, pr, rc, rr))) else eps)

    return loss


def _no_reference(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """A reference with a stride of 0 is taken for none."""
    return stable(pc, pr, *(0 * x if len(x) > 1 and x.stride() == (0,) else x for x in (rc, rr)), beta, eps)


def _of_arrays(read: Callable[[Array], Array]) -> arrays.Loss:
    def loss(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
        return arrays.stable(*arrays.each(read, pc, pr, rc, rr), beta, eps)

    return loss


def _from_base(x: Array) -> Array:
    """The beginning of the array of which x is a view."""
    base = x.base
    if not isinstance(base, np.ndarray) or base.dtype != x.dtype or base.size < x.size or not base.flags.c_contiguous:
        return x
    found: Array = base.ravel()[: len(x)]
    return np.where(np.isnan(found), arrays.number(x, -1), found)


MUTANTS: tuple[Mutant, ...] = (
    _torch(
        name="layout-offset-ignored",
        wrong="The offset of each input in its storage is ignored.",
        function=_each(lambda x: _read_as(x, x.stride(0) if x.dim() else 1, 0)),
        source="https://github.com/pytorch/pytorch/issues/105801",
    ),
    _torch(
        name="layout-strides-ignored",
        wrong="The strides of each input are ignored, its offset is honoured.",
        function=_each(lambda x: _read_as(x, 1, x.storage_offset())),
        source="https://github.com/Dao-AILab/flash-attention/issues/355",
    ),
    _torch(
        name="layout-stride-of-first",
        wrong="Every input is read with the stride of policy_chosen.",
        function=_as_first(lambda x, pc: _read_as(x, pc.stride(0), x.storage_offset())),
    ),
    _torch(
        name="layout-offset-of-first",
        wrong="Every input is read from the offset of policy_chosen on.",
        function=_as_first(lambda x, pc: _read_as(x, x.stride(0), pc.storage_offset())),
    ),
    _torch(
        name="layout-expanded-is-none",
        wrong="A reference with a stride of 0 is taken for none.",
        function=_no_reference,
        witness=constant(),
    ),
    _torch(
        name="layout-gradient-of-offset",
        wrong="The derivatives are halved in inputs that do not begin their storage.",
        function=_where(lambda x: x.storage_offset() > 0 and x.is_leaf, 0.5),
    ),
    _torch(
        name="layout-gradient-of-expanded",
        wrong="The derivatives are divided among the pairs in an expanded input.",
        function=_each(lambda x: scaled_gradient(x, 1 / len(x) if len(x) > 1 and x.stride() == (0,) else 1.0)),
        witness=constant(),
    ),
    _torch(
        name="layout-gradient-of-columns",
        wrong="The derivatives are 0 in inputs with a stride of more than 2.",
        function=_where(lambda x: x.stride(0) > 2, 0.0),
    ),
    _torch(
        name="layout-unsmoothed-at-offset",
        wrong="Label smoothing is ignored for inputs that do not begin their storage.",
        function=_unsmoothed(lambda x: x.storage_offset() > 0),
        witness=pairs(2.0, 0.3),
    ),
    _torch(
        name="layout-unsmoothed-where-expanded",
        wrong="Label smoothing is ignored for inputs with a stride of 0.",
        function=_unsmoothed(lambda x: len(x) > 1 and x.stride() == (0,)),
        witness=constant(0.3),
    ),
    _numpy(
        name="layout-columns-read-flat",
        wrong="A view is read as the beginning of the array of which it is a view.",
        function=_of_arrays(_from_base),
    ),
    _numpy(
        name="layout-backwards-read-forwards",
        wrong="The sign of a stride is ignored: what is stored backwards is read so.",
        function=_of_arrays(lambda x: x[::-1] if x.strides[0] < 0 else x),
    ),
    _numpy(
        name="layout-expanded-first-alone",
        wrong="An input with a stride of 0 is taken for zeros.",
        function=_of_arrays(lambda x: 0 * x if len(x) > 1 and x.strides[0] == 0 else x),
        witness=constant(),
    ),
)
