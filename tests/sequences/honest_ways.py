"""Correct code in ways of its own: handwritten backward passes, function transforms, sums in the logarithm, scans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from conformance.implementations import jax_sequence, numpy_sequence, torch_head, torch_sequence

from .kinds import ALL, Honest, cleaned, scored, summed, tokens, wide


def _pick(values: Tensor, labels: Tensor) -> Tensor:
    return values.gather(-1, labels[..., None])[..., 0]


class _Flash(torch.autograd.Function):
    """Tiles forward and backward: the log-sum-exp alone is kept."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
        clean, targets = cleaned(logits, labels, mask)
        top = torch.full(targets.shape, torch.finfo(clean.dtype).min, dtype=clean.dtype)
        total = torch.zeros_like(top)
        for tile in clean.split(4096, -1):
            new = torch.maximum(top, tile.amax(-1))
            total = total * (top - new).exp() + (tile - new[..., None]).exp().sum(-1)
            top = new
        lse = top + total.log()
        ctx.save_for_backward(logits, labels, mask, lse)
        return torch.where(mask, _pick(clean, targets) - lse, 0).sum(-1)

    @staticmethod
    def backward(ctx: Any, incoming: Tensor) -> tuple[Tensor, None, None]:
        logits, labels, mask, lse = ctx.saved_tensors
        clean, targets = cleaned(logits, labels, mask)
        slope = torch.cat([-(tile - lse[..., None]).exp() for tile in clean.split(4096, -1)], -1)
        slope.scatter_add_(-1, targets[..., None], torch.ones_like(targets[..., None], dtype=slope.dtype))
        return torch.where(mask[..., None], slope * incoming[:, None, None], 0).to(logits.dtype), None, None


def _checkpointed(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Chunks of places that are computed again in the backward pass."""
    parts = [part.split(300, 1) for part in (logits, labels, mask)]
    each = [checkpoint(tokens, *part, use_reentrant=False) for part in zip(*parts, strict=True)]
    return torch.cat(each, 1).sum(-1)


def _vmapped(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    clean, targets = cleaned(logits, labels, mask)
    if not clean.numel():
        return summed(logits, labels, mask)

    def one(row: Tensor, label: Tensor) -> Tensor:
        return torch.take_along_dim(row, label[None], 0)[0] - torch.logsumexp(row, 0)

    each: Callable[..., Tensor] = torch.func.vmap(torch.func.vmap(one))
    return torch.where(mask, each(clean, targets), 0).sum(-1)


def _one_hot(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """The label's logit by a product; what is forbidden beside it is 0 in the product."""
    clean, targets = cleaned(logits, labels, mask)
    product = (F.one_hot(targets, clean.shape[-1]).to(clean.dtype) * clean.masked_fill(clean.isneginf(), 0)).sum(-1)
    own = torch.where(_pick(clean, targets).isneginf(), -torch.inf, product)
    return torch.where(mask, own - torch.logsumexp(clean, -1), 0).sum(-1)


def _categorical(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    clean, targets = cleaned(logits, labels, mask)
    each = torch.distributions.Categorical(logits=clean, validate_args=False).log_prob(targets)
    return torch.where(mask, each, 0).sum(-1)


def _counted_alone(hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, mask: Tensor) -> Tensor:
    """A head that is applied to the places that count alone."""
    logits = F.linear(wide(hidden[mask]), wide(weight), None if bias is None else wide(bias))
    rows = mask.nonzero()[:, 0]
    return torch.zeros(len(mask), dtype=logits.dtype).index_add(0, rows, scored(logits, labels[mask]))


def _logaddexp(logits: np.ndarray, labels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A sum in the logarithm, column by column."""
    clean = np.where(mask[..., None], logits, 0).astype(np.float64 if logits.dtype == np.float64 else np.float32)
    target = np.take_along_axis(clean, np.where(mask, labels, 0)[..., None], -1)[..., 0]
    return np.where(mask, target - np.logaddexp.reduce(clean, axis=-1), 0).sum(-1)


def _longdouble(logits: np.ndarray, labels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    clean = np.where(mask[..., None], logits.astype(np.longdouble), 0)
    top = clean.max(-1, initial=-1e300, keepdims=True)
    target = np.take_along_axis(clean - top, np.where(mask, labels, 0)[..., None], -1)[..., 0]
    return np.where(mask, target - np.log(np.exp(clean - top).sum(-1)), 0).sum(-1).astype(np.float64)


def _scanned(logits: Any, labels: Any, mask: Any) -> Any:
    """An online sum by lax.scan over tiles of 16."""
    up = logits if logits.dtype == jnp.float64 else logits.astype(jnp.float32)
    clean, targets = jnp.where(mask[..., None], up, 0), jnp.where(mask, labels, 0)
    tiles = -(-clean.shape[-1] // 16)
    padded = jnp.pad(clean, ((0, 0), (0, 0), (0, tiles * 16 - clean.shape[-1])), constant_values=-jnp.inf)
    blocks = padded.reshape(*clean.shape[:2], tiles, 16).transpose(2, 0, 1, 3)

    def step(carry: tuple[Any, Any], block: Any) -> tuple[tuple[Any, Any], None]:
        top, total = carry
        new = jnp.maximum(top, block.max(-1))
        return (new, total * jnp.exp(top - new) + jnp.exp(block - new[..., None]).sum(-1)), None

    start = jnp.full(clean.shape[:2], jnp.finfo(clean.dtype).min, clean.dtype), jnp.zeros(clean.shape[:2], clean.dtype)
    (top, total), _ = jax.lax.scan(step, start, blocks)
    own = jnp.take_along_axis(clean, targets[..., None], -1, mode="fill", fill_value=jnp.nan)[..., 0]
    return jnp.where(mask, own - (top + jnp.log(total)), 0).sum(-1)


def _torch(name: str, why: str, function: Any) -> Honest:
    return Honest(name, why, lambda: torch_sequence(function, name=name, accumulates="float32"))


WAYS: tuple[Honest, ...] = (
    _torch("flash", "tiles, with a backward of its own", _Flash.apply),
    _torch("checkpointed", "chunks of places, computed again backward", _checkpointed),
    _torch("vmapped", "torch.func.vmap of one token", _vmapped),
    _torch("one-hot", "the label's logit by a product with a one-hot row", _one_hot),
    _torch("categorical", "torch.distributions.Categorical", _categorical),
    Honest(
        "head-of-counted",
        "a head of the places that count alone",
        lambda: torch_head(_counted_alone, name="head-of-counted", accumulates="float32"),
    ),
    Honest("logaddexp", "a sum in the logarithm", lambda: numpy_sequence(_logaddexp, name="logaddexp", accumulates="float32")),
    Honest("longdouble", "80 bits", lambda: numpy_sequence(_longdouble, name="longdouble", accumulates="float64"), ALL),
    Honest(
        "jax-scan",
        "an online sum by lax.scan",
        lambda: jax_sequence(_scanned, name="jax-scan", accumulates="float32", jit=True),
        ("binary32",),
        slow=True,
    ),
)
