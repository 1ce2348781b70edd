# Copyright the dpo-conformance authors. Licensed under the Apache License, Version 2.0
# (http://www.apache.org/licenses/LICENSE-2.0). To vendor: copy this file as it is, with this header; it needs JAX alone.
"""Log-probabilities of labels and of whole responses from token logits, in JAX: under jit, vmap, scan, grad and hessian.

    logp_t = z_t - log sum_j e**z_j,  the sum over the others made apart from the label's own term

so that digits survive where the label is nearly certain, and so does its derivative, -expm1(logp_t). Everything is binary32
for 16-bit logits and for binary32, in blocks of columns, each fused by XLA: beyond inputs and derivative, memory is that of
the tokens. It has a rule for reverse mode; forward mode alone is refused by JAX. Bounds: docs/token-logps.md,
docs/reference.md.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

BLOCK = 1 << 9
"""Columns that are summed before their sum is added to the others': the error grows with BLOCK + V / BLOCK, not with V."""


def sequence_logps(
    logits: Array,
    labels: Array,
    mask: Array | None = None,
    *,
    shift: bool = False,
    average: bool = False,
    temperature: float = 1.0,
    chunk_size: int | None = None,
) -> Array:
    """The log-probability of each sequence in nats: the sum over the tokens that count, (B,); or their mean.

    As `token_logps`, and raises as it does. The mean of no token is NaN, its derivatives are 0.
    """
    counts = _counts(labels, mask)
    logps = token_logps(logits, labels, counts, shift=shift, temperature=temperature, chunk_size=chunk_size)
    total = logps.sum(-1)
    if not average:
        return total
    counts = _next(counts, False) if shift else counts
    tokens = counts.sum(-1)
    return jnp.where(tokens > 0, total / jnp.maximum(tokens, 1).astype(total.dtype), jnp.nan)


def token_logps(
    logits: Array,
    labels: Array,
    mask: Array | None = None,
    *,
    shift: bool = False,
    temperature: float = 1.0,
    chunk_size: int | None = None,
) -> Array:
    """The log-probability of each label in nats, (..., T): binary32 for 16-bit logits, else in the logits' dtype.

    logits: (..., T, V), floating-point. labels: (..., T) integers. mask: (..., T) booleans, True where a label counts; by
    default a label of -100 does not. What does not count is 0, and may hold any label and any logits, NaN too, which have the
    derivative 0. A label that counts and is no token gives NaN. shift: the logits at a place score the next label, and those of
    the last place none. temperature, a number, divides the logits. chunk_size: columns whose sum is made at a time, by default
    all in one. Raises ValueError for other shapes and dtypes, and a temperature that is not positive.
    """
    logits, labels = jnp.asarray(logits), jnp.asarray(labels)
    counts = _counts(labels, mask)
    if not jnp.issubdtype(logits.dtype, jnp.floating) or logits.ndim < 1 + shift or logits.shape[-1] < 1:
        raise ValueError(f"logits: {logits.dtype} of shape {logits.shape}; floating-point numbers (..., T, V), V > 0")
    if not logits.shape[:-1] == labels.shape == counts.shape:
        raise ValueError(f"labels {labels.shape}, mask {counts.shape}: of the logits' {logits.shape[:-1]}")
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature = {temperature}: a positive number")
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"chunk_size = {chunk_size}: a positive number of columns")
    if shift:
        labels, counts = _next(labels, 0), _next(counts, False)
    return _logps(float(temperature), chunk_size or logits.shape[-1], logits, labels, counts)


def _counts(labels: Array, mask: Array | None) -> Array:
    labels = jnp.asarray(labels)
    if not jnp.issubdtype(labels.dtype, jnp.integer) or (mask is not None and jnp.asarray(mask).dtype != jnp.bool_):
        raise ValueError("labels: integers; mask: booleans")
    return labels != -100 if mask is None else jnp.asarray(mask)


def _next(values: Array, last: int | bool) -> Array:
    """Of each place what stands at the next; last at the last one."""
    return jnp.concatenate([values[..., 1:], jnp.full_like(values[..., :1], last)], -1)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _logps(temperature: float, chunk: int, logits: Array, labels: Array, counts: Array) -> Array:
    return _forward(temperature, chunk, logits, labels, counts)[0]


@partial(jax.jit, static_argnums=(0, 1))
def _forward(temperature: float, chunk: int, logits: Array, labels: Array, counts: Array) -> tuple[Array, Array, Array]:
    """(logps, top, total): top is each row's largest logit, total its sum of e**((z - top) / T)."""
    columns, wide = logits.shape[-1], _wide(logits)
    valid = counts & (labels >= 0) & (labels < columns)
    label = jnp.where(valid, labels, 0)[..., None]
    z = jnp.where(counts[..., None], logits, 0)
    largest = jax.lax.stop_gradient(z.max(-1)).astype(wide)
    top = jnp.where(largest == -jnp.inf, 0, largest)  # a row of -inf: its terms are 0, not NaN
    rest = sum(
        (_others(temperature, z, label, top, start, min(start + chunk, columns)) for start in range(0, columns, chunk)),
        jnp.zeros_like(top),
    )
    lead = (jnp.take_along_axis(z, label, -1)[..., 0].astype(wide) - top) / temperature
    term = jnp.where(lead == 0, 1, jnp.exp(lead))
    logps = jnp.where(lead == 0, -jnp.log1p(rest), lead - jnp.log(rest + term))
    return jnp.where(counts, jnp.where(valid, logps, jnp.nan), 0), top, rest + term


def _others(temperature: float, z: Array, label: Array, top: Array, start: int, stop: int) -> Array:
    """The sum of e**((z - top) / T) over those columns, but for the label's: of whole blocks, and of what is left."""
    body = start + (stop - start) // BLOCK * BLOCK
    total = jnp.zeros_like(top)
    for first, last in ((start, body), (body, stop)):
        if first == last:
            continue
        terms = jnp.exp((z[..., first:last].astype(top.dtype) - top[..., None]) / temperature)
        terms = jnp.where(jnp.arange(first, last) == label, 0, terms)
        size = min(BLOCK, last - first)
        blocks = terms.reshape(*terms.shape[:-1], (last - first) // size, size)
        total = total + blocks.sum(-1).sum(-1)
    return total


def _kept(temperature: float, chunk: int, logits: Array, labels: Array, counts: Array) -> tuple[Array, Any]:
    logps, top, total = _forward(temperature, chunk, logits, labels, counts)
    return logps, (logits, labels, counts, logps, top, total)


@partial(jax.jit, static_argnums=(0, 1))
def _slopes(temperature: float, chunk: int, kept: Any, incoming: Array) -> tuple[Array, None, None]:
    """incoming (onehot - p) / T, the label's own as -expm1(logp)."""
    logits, labels, counts, logps, top, total = kept
    columns = logits.shape[-1]
    scale = jnp.where(counts, incoming, 0) / temperature
    weight = jnp.where((labels >= 0) & (labels < columns) | ~counts, -scale / total, jnp.nan)
    z = jnp.where(counts[..., None], logits, 0).astype(top.dtype)
    others = jnp.exp((z - top[..., None]) / temperature) * weight[..., None]
    own = jnp.arange(columns) == labels[..., None]
    slopes = jnp.where(own, (-scale * jnp.expm1(logps))[..., None], others)
    return jnp.where(counts[..., None], slopes, 0).astype(logits.dtype), None, None


_logps.defvjp(_kept, _slopes)


def _wide(logits: Array) -> Any:
    return jnp.float64 if logits.dtype == jnp.float64 else jnp.float32
