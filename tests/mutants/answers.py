"""Answers that do not last: buffers that the next call overwrites, and answers remembered by where the inputs lie."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from conformance.implementations.numpy import numpy_implementation
from conformance.implementations.protocol import Implementation
from conformance.inputs.batch import Batch

from . import arrays
from .arrays import Array
from .functions import by_slope, kept, logit, slope_of
from .kinds import Mutant, Witness, stateful_mutant
from .tensors import Loss, each, scaled_gradient, smoothed, stable
from .witnesses import both, pairs

_PAIRS = pairs(0.5, 0.25)
_stateful = functools.partial(stateful_mutant, family="answers", witness=_PAIRS)
Buffer = Callable[[Array], Array]


def _numpy(name: str, wrong: str, make: Callable[[], dict[str, Any]], witness: Witness = _PAIRS) -> Mutant:
    """A mutant of arrays that carries state: `make` gives a fresh function, and its gradient."""

    def build() -> Implementation:
        made = make()
        return numpy_implementation(made["loss"], name=name, gradient=made.get("gradient", arrays.gradient))

    return Mutant(name, "answers", wrong, build, witness)


def _taken(*orders: list[int]) -> Witness:
    """Some of the six pairs, once for each of these orders."""
    return lambda fmt: tuple(batch.take(order) for order in orders for batch in pairs(0.5)(fmt))


def _halved(batch: Batch) -> Batch:
    return Batch.of(*(x / 2 for x in batch.logps), beta=batch.beta)


_between, _reordered = _taken([0, 1, 2], [0, 3, 2]), _taken([0, 1, 2], [1, 0, 2])


def _by_size() -> Buffer:
    """One buffer for each size and dtype."""
    buffers: dict[tuple[int, np.dtype[Any]], Array] = {}

    def write(found: Array) -> Array:
        buffer = buffers.setdefault((len(found), found.dtype), np.empty_like(found))
        buffer[...] = found
        return buffer

    return write


def _of_all_sizes() -> Buffer:
    """One long buffer for each dtype, of which every answer is the beginning."""
    buffers: dict[np.dtype[Any], Array] = {}

    def write(found: Array) -> Array:
        if len(found) > len(buffers.get(found.dtype, found[:0])):
            buffers[found.dtype] = np.empty(2 * len(found), found.dtype)
        buffer = buffers[found.dtype][: len(found)]
        buffer[...] = found
        return buffer

    return write


def _in_turn(count: int) -> Buffer:
    """So many buffers for each size, in turn."""
    writers, calls = [_by_size() for _ in range(count)], [0]

    def write(found: Array) -> Array:
        calls[0] += 1
        return writers[calls[0] % count](found)

    return write


def _losses(make: Callable[[], Buffer]) -> Callable[[], dict[str, Any]]:
    def built() -> dict[str, Any]:
        write = make()
        return {"loss": lambda *arguments: write(arrays.stable(*arguments))}

    return built


def _one_gradient_buffer() -> dict[str, Any]:
    write, other = _by_size(), _by_size()

    def gradient(*arguments: Any) -> tuple[Array, Array, Array, Array]:
        by_pc, by_pr, _, _ = arrays.gradient(*arguments)
        down, up = write(by_pc), other(by_pr)
        return down, up, up, down

    return {"loss": arrays.stable, "gradient": gradient}


def _last_gradient_buffer() -> dict[str, Any]:
    write = _of_all_sizes()

    def gradient(*arguments: Any) -> tuple[Array, Array, Array, Array]:
        by_pc, by_pr, by_rc, by_rr = arrays.gradient(*arguments)
        return by_pc, by_pr, by_rc, write(by_rr)

    return {"loss": arrays.stable, "gradient": gradient}


def _remembered(key: Callable[..., Any]) -> Callable[[], dict[str, Any]]:
    """Answers by a key of the arrays and the options; the arrays are kept, so that no address is used twice."""

    def built() -> dict[str, Any]:
        memo: dict[Any, tuple[Array, tuple[Array, ...]]] = {}

        def loss(*arguments: Any) -> Array:
            found = memo.setdefault(key(*arguments), (arrays.stable(*arguments), arguments[:4]))
            return found[0].copy()

        return {"loss": loss}

    return built


def _by_last_losses() -> dict[str, Any]:
    """A forward and a backward method of one object: the second reads the logit that the first has left there."""
    last: list[Array] = []

    def loss(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
        last[:] = [arrays.margin(pc, pr, rc, rr)]
        return arrays.stable(pc, pr, rc, rr, beta, eps)

    def gradient(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> tuple[Array, Array, Array, Array]:
        nothing = np.zeros_like(last[0])
        return arrays.gradient(last[0], nothing, nothing, nothing, beta, eps)

    return {"loss": loss, "gradient": gradient}


def _by_logit() -> dict[str, Any]:
    """Derivatives are remembered by the logits and label smoothing."""
    memo: dict[Any, tuple[Array, Array, Array, Array]] = {}

    def gradient(*given: Any) -> tuple[Array, Array, Array, Array]:
        z = arrays.number(given[0], given[4]) * arrays.margin(*given[:4])
        found = memo.setdefault((z.tobytes(), z.dtype, given[5]), arrays.gradient(*given))
        return arrays.each(np.copy, *found)

    return {"loss": arrays.stable, "gradient": gradient}


def _per_thread(change: Callable[..., Tensor]) -> Callable[[], Loss]:
    """change(whether this is the thread in which it was made, *arguments)."""

    def make() -> Loss:
        here = threading.local()
        here.known = True
        return lambda *arguments: change(getattr(here, "known", False), *arguments)

    return make


def _sloped_here(here: bool, pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return stable(*each(lambda x: scaled_gradient(x, 1.0 if here else 0.0), pc, pr, rc, rr), beta, eps)


def _address(x: Array) -> int:
    return int(x.__array_interface__["data"][0])


def _torch_buffer(of_all_sizes: bool) -> Callable[[], Loss]:
    """Losses written into a buffer, behind an autograd function whose derivatives are right."""

    def make() -> Loss:
        buffers: dict[Any, Tensor] = {}

        def keep(ctx: Any, logps: tuple[Tensor, ...], beta: float, eps: float) -> Tensor:
            z = logit(logps, beta)
            ctx.slope, found = slope_of(z, eps), smoothed(z, eps)
            key = found.dtype if of_all_sizes else (len(found), found.dtype)
            if len(buffers.get(key, found[:0])) < len(found):
                buffers[key] = torch.empty(2 * len(found), dtype=found.dtype)
            return buffers[key].detach()[: len(found)].copy_(found)

        return kept(keep, lambda ctx, incoming: by_slope(ctx, ctx.slope, incoming))

    return make


def _torch_gradient_buffer() -> Loss:
    """The derivative in policy_chosen is written into a buffer that each size shares."""
    buffers: dict[tuple[int, torch.dtype], Tensor] = {}

    def keep(ctx: Any, logps: tuple[Tensor, ...], beta: float, eps: float) -> Tensor:
        z = logit(logps, beta)
        ctx.slope = slope_of(z, eps)
        return smoothed(z, eps)

    def recall(ctx: Any, incoming: Tensor) -> Tensor:
        found = by_slope(ctx, ctx.slope, incoming)
        return buffers.setdefault((len(found), found.dtype), torch.empty_like(found)).detach().copy_(found)

    return kept(keep, recall)


def _torch_memo(key: Callable[[Tensor], Any]) -> Callable[[], Loss]:
    """The reference's log-ratio is remembered by a key of its tensor; the tensors are kept, so that no key is used twice."""

    def make() -> Loss:
        memo: dict[Any, tuple[Tensor, Tensor]] = {}

        def remembered(x: Tensor) -> Tensor:
            frozen = memo.setdefault((key(x), x.shape, x.dtype), (x.detach().clone(), x))[0]
            return x + (frozen - x).detach() if x.requires_grad else frozen.clone()

        def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
            return stable(pc, pr, remembered(rc), remembered(rr), beta, eps)

        return loss

    return make


MUTANTS: tuple[Mutant, ...] = (
    _numpy("buffer-of-losses", "The losses lie in a buffer that the next call of that size overwrites.", _losses(_by_size)),
    _numpy("buffer-of-all-sizes", "The losses are the beginning of one buffer for every size.", _losses(_of_all_sizes)),
    _numpy("buffers-in-turn", "The losses lie in one of two buffers, in turn.", _losses(lambda: _in_turn(2))),
    _numpy("buffers-in-turn-of-4", "The losses lie in one of four buffers, in turn.", _losses(lambda: _in_turn(4))),
    _numpy("buffer-of-gradients", "The derivatives lie in buffers that the next call overwrites.", _one_gradient_buffer),
    _numpy("buffer-of-last-gradient", "The derivative in ref_rejected is the beginning of one buffer.", _last_gradient_buffer),
    _numpy(
        "memo-by-identity",
        "Losses are remembered by the identity of the arrays.",
        _remembered(lambda pc, pr, rc, rr, beta, eps: (id(pc), id(pr), id(rc), id(rr), beta, eps)),
    ),
    _numpy(
        "memo-by-address",
        "Losses are remembered by the addresses of the arrays.",
        _remembered(lambda pc, pr, rc, rr, beta, eps: (*(_address(x) for x in (pc, pr, rc, rr)), pc.shape, beta, eps)),
    ),
    _numpy(
        "gradient-of-last-losses", "The derivatives are those of the batch whose losses were asked for last.", _by_last_losses
    ),
    _stateful(
        "unsmoothed-in-another-thread",
        wrong="Label smoothing is an option of the thread that set it.",
        make=_per_thread(lambda here, *given: stable(*given[:5], given[5] if here else 0.0)),
    ),
    _stateful(
        "gradient-of-another-thread",
        wrong="No derivatives but in the thread that has switched them on.",
        make=_per_thread(_sloped_here),
    ),
    _numpy(
        "gradient-remembered-by-logit",
        "Derivatives are remembered by the logits and label smoothing, of whatever beta.",
        _by_logit,
        witness=both(pairs(0.5), lambda fmt: tuple(_halved(batch) for batch in pairs(1.0)(fmt))),
    ),
    _numpy(
        "memo-by-both-ends",
        "Losses are remembered by the first and the last pair, the size and the options.",
        _remembered(lambda *given: (len(given[0]), *(x[[0, -1]].tobytes() if len(x) else b"" for x in given[:4]), *given[4:])),
        witness=_between,
    ),
    _numpy(
        "memo-by-sorted-numbers",
        "Losses are remembered by the numbers in each argument, whatever their order, and the options.",
        _remembered(lambda *given: (len(given[0]), *(np.sort(x).tobytes() for x in given[:4]), *given[4:])),
        witness=_reordered,
    ),
    _stateful(
        "buffer-of-tensors",
        wrong="The losses lie in a buffer that the next call of that size overwrites.",
        make=_torch_buffer(of_all_sizes=False),
    ),
    _stateful(
        "buffer-of-tensors-of-all-sizes",
        wrong="The losses are the beginning of one buffer for every size.",
        make=_torch_buffer(of_all_sizes=True),
    ),
    _stateful(
        "buffer-of-torch-gradients", wrong="The derivative in policy_chosen lies in a buffer.", make=_torch_gradient_buffer
    ),
    _stateful(
        "memo-of-reference-by-address",
        wrong="The reference is remembered by its tensors' addresses.",
        make=_torch_memo(lambda x: x.data_ptr()),
    ),
    _stateful(
        "memo-of-reference-by-identity", wrong="The reference is remembered by its tensors' identity.", make=_torch_memo(id)
    ),
)
