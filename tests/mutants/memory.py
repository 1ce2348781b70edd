"""Inputs that share memory, or are one tensor in two roles; answers that last only where derivatives are asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from conformance.implementations.ways import Way
from conformance.inputs.batch import Batch
from oracle import Format

from . import arrays
from .arrays import Array
from .kinds import Mutant, numpy_mutant, torch_mutant
from .tensors import Loss, scaled_gradient, stable
from .witnesses import both, pairs

_ALIKE = (Way.SHARED, Way.ONE_TENSOR, Way.DETACHED)
_LOSSES = (Way.HELD_LOSSES, Way.REFILLED_LOSSES)
Six = tuple[Tensor, Tensor, Tensor, Tensor, float, float]


def _alike(eps: float) -> Callable[[Format], tuple[Batch, ...]]:
    """Pairs whose reference is the policy, or the policy exchanged, or whose policy holds one response twice."""
    x, y, u = (-2.0, -3.5, -1.0), (-3.0, -2.0, -2.5), (-4.0, -3.0, -4.5)
    rows = (x, y, x, y), (x, y, y, x), (x, x, y, u)
    return lambda _: tuple(Batch.of(*row, beta=0.5, label_smoothing=eps) for row in rows)


_torch = functools.partial(torch_mutant, family="memory", witness=both(_alike(0.0), _alike(0.25)), ways=_ALIKE)
_numpy = functools.partial(numpy_mutant, family="memory", witness=both(_alike(0.0), _alike(0.25)), gradient=arrays.gradient)


def _same(a: Tensor, b: Tensor) -> bool:
    return a.data_ptr() == b.data_ptr() and a.shape == b.shape and len(a) > 0


def _first_role(*arguments: Any) -> Tensor:
    """A tensor that is passed twice has a derivative in its first role alone."""
    logps = arguments[:4]
    once = (x if not any(x is y for y in logps[:place]) else x.detach() for place, x in enumerate(logps))
    return stable(*once, *arguments[4:])


def _last_role(*arguments: Any) -> Tensor:
    """By address, so that two tensors in the same memory count as one."""
    logps = arguments[:4]
    once = (x if not any(_same(x, y) for y in logps[place + 1 :]) else x.detach() for place, x in enumerate(logps))
    return stable(*once, *arguments[4:])


def _role_counted_twice(*arguments: Any) -> Tensor:
    """The derivative of a tensor that is passed twice is applied in each role for both."""
    logps = arguments[:4]
    scaled = (scaled_gradient(x, float(sum(x is y for y in logps))) for x in logps)
    return stable(*scaled, *arguments[4:])


def _without_policy(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """Where the reference lies where the policy does, the loss is a constant."""
    constant = _same(pc, rc) and _same(pr, rr) and not rc.requires_grad
    return stable(*(scaled_gradient(x, 0.0 if constant else 1.0) for x in (pc, pr)), rc, rr, beta, eps)


def _no_reference(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """A reference that lies where the policy does is none."""
    return stable(pc, pr, *(0 * x if _same(x, y) else x for x, y in ((rc, pc), (rr, pr))), beta, eps)


def _ties_skipped(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """One tensor for both responses is taken for a tie."""
    losses = stable(pc, pr, rc, rr, beta, eps)
    return losses * 0 + float(np.log(2.0)) if _same(pc, pr) else losses


def _address(x: Array) -> int:
    return int(x.__array_interface__["data"][0])


def _by_address(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
    """The four are kept by their addresses, so that the last of two in one place stands for both."""
    kept = {(_address(x), x.strides): (sign, x) for sign, x in ((1, pc), (-1, pr), (-1, rc), (1, rr))}
    if len(kept) == 4:
        return arrays.stable(pc, pr, rc, rr, beta, eps)
    none = np.zeros_like(pc)
    chosen = sum((x for sign, x in kept.values() if sign > 0), none)
    rejected = sum((x for sign, x in kept.values() if sign < 0), none)
    return arrays.stable(chosen, rejected, none, none, beta, eps)


def _no_reference_of_arrays(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
    return arrays.stable(pc, pr, *(0 * x if x is y else x for x, y in ((rc, pc), (rr, pr))), beta, eps)


def _gradient_by_address(*arguments: Any) -> tuple[Array, Array, Array, Array]:
    """Derivatives are kept by the addresses of the arguments."""
    kept = {_address(x): part for x, part in zip(arguments[:4], arrays.gradient(*arguments), strict=True)}
    pc, pr, rc, rr = (kept[_address(x)] for x in arguments[:4])
    return pc, pr, rc, rr


def _buffered(*, mean: bool) -> Callable[[], Loss]:
    """Where nothing asks for derivatives, the answer lies in a buffer that the next such call overwrites."""

    def make() -> Loss:
        buffers: dict[Any, Tensor] = {}

        def loss(*arguments: Any) -> Tensor:
            found = stable(*arguments)
            found = found.mean() if mean else found
            if found.requires_grad:
                return found
            return buffers.setdefault((found.shape, found.dtype), torch.empty_like(found)).copy_(found)

        return loss

    return make


def _remembered() -> Loss:
    """Where nothing asks for derivatives, losses are remembered by address."""
    memo: dict[Any, tuple[Tensor, Six]] = {}

    def loss(*arguments: Any) -> Tensor:
        if any(x.requires_grad for x in arguments[:4]):
            return stable(*arguments)
        key = (*(x.data_ptr() for x in arguments[:4]), arguments[0].shape, *arguments[4:])
        return memo.setdefault(key, (stable(*arguments), arguments))[0].clone()  # type: ignore[arg-type]

    return loss


def _stateful(name: str, wrong: str, make: Callable[[], Loss], **claims: Any) -> Mutant:
    """`make` gives a fresh function at each build."""
    source = torch_mutant(name, "memory", wrong, stable, pairs(0.5, 0.25), ways=_LOSSES, **claims)

    def build() -> Any:
        return torch_mutant(name, "memory", wrong, make(), pairs(0.5, 0.25), **claims).build()

    return Mutant(name, "memory", wrong, build, source.witness, ways=_LOSSES)


MUTANTS: tuple[Mutant, ...] = (
    _torch(
        "gradient-of-first-role",
        wrong="A tensor that is passed twice has a derivative in its first role alone.",
        function=_first_role,
    ),
    _torch(
        "gradient-of-last-role", wrong="Of two tensors in the same memory the first has no derivative.", function=_last_role
    ),
    _torch(
        "gradient-of-both-roles-twice",
        wrong="A tensor that is passed twice gets twice its derivative.",
        function=_role_counted_twice,
    ),
    _torch(
        "detached-without-policy",
        wrong="Where the reference is the policy, detached, the policy has no derivative.",
        function=_without_policy,
    ),
    _torch("detached-reference-ignored", wrong="A reference in the policy's memory is taken for none.", function=_no_reference),
    _torch("one-tensor-is-a-tie", wrong="One tensor for both responses of the policy is a tie.", function=_ties_skipped),
    _numpy("memo-by-address-within-a-call", wrong="The four are kept by address, within a call.", function=_by_address),
    _numpy(
        "policy-in-place-of-its-reference",
        wrong="A reference that is the policy's array is none.",
        function=_no_reference_of_arrays,
    ),
    numpy_mutant(
        "gradient-by-address",
        "memory",
        "Derivatives are kept by the addresses of the arguments.",
        arrays.stable,
        both(_alike(0.0), _alike(0.25)),
        gradient=_gradient_by_address,
    ),
    _stateful("mean-in-a-buffer", "A mean without derivatives lies in a buffer.", _buffered(mean=True), reduction="mean"),
    _stateful("losses-in-a-buffer", "Losses without derivatives lie in a buffer.", _buffered(mean=False)),
    _stateful("losses-remembered", "Losses without derivatives are remembered by address.", _remembered),
)
