# Copyright the dpo-conformance authors. Licensed under the Apache License, Version 2.0
# (http://www.apache.org/licenses/LICENSE-2.0). To vendor: copy this file as it is, with this header; it needs JAX alone.
"""The DPO loss in JAX: right in every format, under jit, vmap, scan, grad, forward mode and twice.

    loss = (1 - eps) log(1 + e**-z) + eps log(1 + e**z),  z = beta ((pc - rc) - (pr - rr))

Computed in binary64 where jax_enable_x64 allows it, else in binary32, and rounded once. Source: Rafailov et al. (2023),
equation 7; Mitchell (2023) for eps. What was proved, swept and sampled: docs/reference.md.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array


def dpo_loss(
    policy_chosen_logps: Array,
    policy_rejected_logps: Array,
    ref_chosen_logps: Array,
    ref_rejected_logps: Array,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
    reduction: Literal["none", "mean", "sum"] = "none",
) -> Array:
    """The loss of each pair in nats, in the dtype of the log-probabilities; its mean or sum where reduction says so.

    Four arrays of one shape and floating-point dtype: log-probabilities of whole responses, in nats. beta and
    label_smoothing are numbers, not traced arrays. Raises ValueError for a label_smoothing outside [0, 1], another
    reduction, and arrays not alike.
    """
    logps = [jnp.asarray(x) for x in (policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)]
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing = {label_smoothing}: a number in [0, 1]")
    if reduction not in {"none", "mean", "sum"}:
        raise ValueError(f"reduction = {reduction!r}: 'none', 'mean' or 'sum'")
    if len({(x.shape, x.dtype) for x in logps}) != 1 or not jnp.issubdtype(logps[0].dtype, jnp.floating):
        raise ValueError("the four log-probabilities: floating-point arrays of one shape and dtype")
    losses = _loss(float(beta), float(label_smoothing), *logps)
    if reduction == "none":
        return losses
    wide = losses.astype(_wide())
    return (wide.mean() if reduction == "mean" else wide.sum()).astype(losses.dtype)


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _loss(beta: float, eps: float, pc: Array, pr: Array, rc: Array, rr: Array) -> Array:
    z = _logit(beta, pc, pr, rc, rr)
    loss = jnp.log1p(jnp.exp(-jnp.abs(z)))
    if eps != 1:  # 0 * inf would be NaN
        loss = loss + (1 - eps) * jnp.maximum(-z, 0)
    if eps != 0:
        loss = loss + eps * jnp.maximum(z, 0)
    return loss.astype(pc.dtype)


@_loss.defjvp
def _loss_jvp(beta: float, eps: float, primals: Any, tangents: Any) -> tuple[Array, Array]:
    return _loss(beta, eps, *primals), _slope(beta, eps, *primals) * _margin(*tangents)


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _slope(beta: float, eps: float, pc: Array, pr: Array, rc: Array, rr: Array) -> Array:
    """beta (eps - sigma(-z)): the derivative in policy_chosen."""
    z = _logit(beta, pc, pr, rc, rr)
    y = jnp.exp(-jnp.abs(z))
    sigma = jnp.where(z >= 0, y, jnp.ones_like(y)) / (1 + y)
    return (beta * (eps - sigma)).astype(pc.dtype)


@_slope.defjvp
def _slope_jvp(beta: float, eps: float, primals: Any, tangents: Any) -> tuple[Array, Array]:
    y = jnp.exp(-jnp.abs(_logit(beta, *primals)))
    curvature = (beta * beta * (y / ((1 + y) * (1 + y)))).astype(primals[0].dtype)  # beta**2 sigma(z) sigma(-z)
    return _slope(beta, eps, *primals), curvature * _margin(*tangents)


def _margin(pc: Array, pr: Array, rc: Array, rr: Array) -> Array:
    return (pc - rc) - (pr - rr)


def _logit(beta: float, pc: Array, pr: Array, rc: Array, rr: Array) -> Array:
    """The logit, widened; where only the margin overflows, beta comes before it."""
    chosen, rejected = pc.astype(_wide()) - rc.astype(_wide()), pr.astype(_wide()) - rr.astype(_wide())
    margin = chosen - rejected
    beyond = jnp.isinf(margin) & jnp.isfinite(chosen) & jnp.isfinite(rejected)
    return jnp.where(beyond, beta * chosen - beta * rejected, beta * margin)


def _wide() -> Any:
    return jax.dtypes.canonicalize_dtype(jnp.float64)
