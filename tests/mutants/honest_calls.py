"""Correct implementations that keep, copy, recompute or batch in unusual ways, in PyTorch, NumPy and JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from conformance.implementations.protocol import Implementation
from conformance.implementations.torch import torch_implementation

from . import arrays
from .arrays import Array
from .functions import by_slope, combined, kept, logit, slope_of
from .kinds import ALL, Honest, numpy_honest, torch_honest
from .tensors import Loss, smoothed, stable


def _slope_in_forward(ctx: Any, logps: tuple[Tensor, ...], beta: float, eps: float) -> Tensor:
    z = logit(logps, beta)
    ctx.save_for_backward(slope_of(z, eps))
    return smoothed(z, eps)


def _from_slope(ctx: Any, incoming: Tensor) -> Tensor:
    return by_slope(ctx, ctx.saved_tensors[0], incoming)


def _inputs_saved(ctx: Any, logps: tuple[Tensor, ...], beta: float, eps: float) -> Tensor:
    ctx.save_for_backward(*logps)
    return smoothed(logit(logps, beta), eps)


def _recomputed(ctx: Any, incoming: Tensor) -> Tensor:
    return by_slope(ctx, slope_of(logit(ctx.saved_tensors, ctx.beta), ctx.eps), incoming)


def _inputs_copied(ctx: Any, logps: tuple[Tensor, ...], beta: float, eps: float) -> Tensor:
    ctx.copies = tuple(x.clone() for x in logps)
    return smoothed(logit(logps, beta), eps)


def _from_copies(ctx: Any, incoming: Tensor) -> Tensor:
    return by_slope(ctx, slope_of(logit(ctx.copies, ctx.beta), ctx.eps), incoming)


def _flat_kernel(incoming: Tensor, slope: Tensor) -> Tensor:
    """A kernel that reads memory from the first element on, handed contiguous copies."""
    n, dense = incoming.numel(), incoming.contiguous().clone()
    return torch.as_strided(dense, (n,), (1,), 0).reshape(slope.shape) * slope


class _Once(torch.autograd.Function):  # type: ignore[misc]
    """The loss of a logit, whose derivative cannot be differentiated and says so."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, eps: float) -> Tensor:
        ctx.save_for_backward(z)
        ctx.eps = eps
        ctx.set_materialize_grads(False)
        return smoothed(z, eps)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, incoming: Tensor | None) -> tuple[Tensor | None, None]:
        return (None if incoming is None else incoming * slope_of(ctx.saved_tensors[0], ctx.eps)), None


def _once(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    result: Tensor = _Once.apply(logit((pc, pr, rc, rr), beta), eps)
    return result


def _checkpointed(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    result: Tensor = checkpoint(stable, pc, pr, rc, rr, beta, eps, use_reentrant=False)
    return result


class _Module(torch.nn.Module):  # type: ignore[misc]
    """A module that keeps its last losses for a log, detached and copied."""

    def forward(self, pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        losses = stable(pc, pr, rc, rr, beta, eps)
        self.last = losses.detach().clone()
        return losses


def _another_path_without_graph(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    if torch.is_grad_enabled() and not torch.is_inference_mode_enabled():
        return stable(pc, pr, rc, rr, beta, eps)
    z = beta * ((pc - pr) - (rc - rr))
    return smoothed(z, eps)


def _split_in_blocks(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    parts = zip(*(x.split(128) for x in (pc, pr, rc, rr)), strict=True)
    return torch.cat([stable(*part, beta, eps) for part in parts])


def _hooked(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """A hook on a tensor of its own counts backward passes."""
    losses, passes = stable(pc, pr, rc, rr, beta, eps), []
    if losses.requires_grad:
        losses.register_hook(lambda incoming: passes.append(incoming.shape))
    return losses


def _two_dimensional(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """As columns of a matrix, transposed there and back."""
    rows = [x.reshape(1, -1).t() for x in (pc, pr, rc, rr)]
    return stable(*rows, beta, eps).t().reshape(-1)  # type: ignore[call-arg]


def _buffered() -> Loss:
    """Computed in a buffer that every call shares, and copied out of it."""
    buffer = torch.empty(0)

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        nonlocal buffer
        losses = stable(pc, pr, rc, rr, beta, eps)
        buffer = torch.empty_like(losses).copy_(losses.detach())
        return losses

    return loss


def _by_content() -> arrays.Loss:
    """Answers are remembered by what the arrays hold, and copied."""
    memo: dict[Any, Array] = {}

    def loss(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
        key = (*(x.tobytes() for x in (pc, pr, rc, rr)), pc.dtype, beta, eps)
        if len(memo) > 64:
            memo.clear()
        return memo.setdefault(key, arrays.stable(pc, pr, rc, rr, beta, eps)).copy()

    return loss


def _out_of_buffer() -> arrays.Loss:
    buffer = np.empty(0)

    def loss(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
        nonlocal buffer
        losses = arrays.stable(pc, pr, rc, rr, beta, eps)
        if buffer.dtype != losses.dtype or len(buffer) < len(losses):
            buffer = np.empty(2 * len(losses), losses.dtype)
        buffer[: len(losses)] = losses
        return buffer[: len(losses)].copy()

    return loss


def _contiguous(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
    return arrays.stable(*arrays.each(np.ascontiguousarray, pc, pr, rc, rr), beta, eps)


def _jax(name: str, why: str, make: Callable[[], Callable[..., Any]], jit: bool = False) -> Honest:
    def build() -> Implementation:
        from conformance.implementations.jax import jax_implementation  # noqa: PLC0415

        return jax_implementation(make(), name=name, subnormals="flush", jit=jit)

    return Honest(name, why, build, slow=True)


def _jax_loss(z: Any, eps: float) -> Any:
    import jax  # noqa: PLC0415

    losses = -jax.nn.log_sigmoid(z)
    return losses if eps == 0 else (1 - eps) * losses - eps * jax.nn.log_sigmoid(-z)


def _jax_plain(pc: Any, pr: Any, rc: Any, rr: Any, beta: float, eps: float) -> Any:
    return _jax_loss(beta * ((pc - rc) - (pr - rr)), eps)


def _jax_own_rule() -> Callable[..., Any]:
    import jax  # noqa: PLC0415

    def of(eps: float) -> Callable[[Any], Any]:
        @jax.custom_vjp  # type: ignore[untyped-decorator]
        def loss(z: Any) -> Any:
            return _jax_loss(z, eps)

        loss.defvjp(lambda z: (loss(z), z), lambda z, came: (came * (eps - jax.nn.sigmoid(-z)),))
        made: Callable[[Any], Any] = loss
        return made

    return lambda pc, pr, rc, rr, beta, eps: of(eps)(beta * ((pc - rc) - (pr - rr)))


def _jax_pair_by_pair() -> Callable[..., Any]:
    import jax  # noqa: PLC0415

    return lambda pc, pr, rc, rr, beta, eps: jax.vmap(lambda *pair: _jax_plain(*pair, beta, eps))(pc, pr, rc, rr)


def _jax_checkpointed() -> Callable[..., Any]:
    import jax  # noqa: PLC0415

    return lambda *arguments: jax.checkpoint(lambda *logps: _jax_plain(*logps, *arguments[4:]))(*arguments[:4])


HONEST: tuple[Honest, ...] = (
    torch_honest("torch-slope-in-forward", "the slope is computed in the forward pass", kept(_slope_in_forward, _from_slope)),
    torch_honest("torch-inputs-saved", "the inputs are saved and the slope computed again", kept(_inputs_saved, _recomputed)),
    torch_honest("torch-inputs-copied", "the inputs are copied by hand", kept(_inputs_copied, _from_copies)),
    torch_honest("torch-flat-kernel", "a kernel that reads flat memory, handed contiguous copies", combined(_flat_kernel)),
    torch_honest("torch-once-differentiable", "a derivative that cannot be differentiated, and says so", _once),
    torch_honest("torch-checkpointed", "activation checkpointing", _checkpointed),
    torch_honest("torch-without-graph", "another order of subtraction where nothing is recorded", _another_path_without_graph),
    torch_honest("torch-blocks", "blocks of 128 pairs", _split_in_blocks),
    torch_honest("torch-hook-of-its-own", "a hook on its own losses that changes nothing", _hooked),
    torch_honest("torch-transposed", "as the transposed rows of a matrix", _two_dimensional),
    Honest(
        "torch-module",
        "a module that keeps a copy of its last losses",
        lambda: torch_implementation(_Module(), name="torch-module"),
        ALL,
    ),
    Honest(
        "torch-buffered",
        "a buffer that the next call overwrites, and never returned",
        lambda: torch_implementation(_buffered(), name="torch-buffered"),
        ALL,
    ),
    numpy_honest("numpy-by-content", "answers remembered by what the arrays hold", _by_content(), gradient=arrays.gradient),
    numpy_honest(
        "numpy-out-of-buffer", "computed in a buffer and copied out of it", _out_of_buffer(), gradient=arrays.gradient
    ),
    numpy_honest("numpy-contiguous", "made contiguous first", _contiguous, gradient=arrays.gradient),
    _jax("jax-own-rule", "custom_vjp", _jax_own_rule),
    _jax("jax-own-rule-under-jit", "custom_vjp under jit", _jax_own_rule, jit=True),
    _jax("jax-pair-by-pair", "vmap over the pairs", _jax_pair_by_pair),
    _jax("jax-checkpointed", "jax.checkpoint", _jax_checkpointed),
)
