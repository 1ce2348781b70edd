# Copyright the dpo-conformance authors. Licensed under the Apache License, Version 2.0
# (http://www.apache.org/licenses/LICENSE-2.0). To vendor: copy this file as it is, with this header; it needs JAX alone.
"""The other losses of preference tuning in JAX, one function each, for every transformation: computed in binary64 where
jax_enable_x64 allows it, else in binary32, and rounded to the dtype that came.

z = beta ((pc - rc) - (pr - rr)) and f(z) = log(1 + e**-z). Log-probabilities are those of whole responses, in nats, arrays
alike in shape and dtype; lengths are numbers of tokens, (n,); parameters are numbers. Each returns one loss a pair, `kto` the
mean of a batch. Raises ValueError for arrays that are not alike or not floating-point, and for parameters outside their range.
Formulas and papers are those of `dpo-conformance list --losses`; what was judged: docs/reference.md.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array


def cdpo(
    policy_chosen_logps: Array,
    policy_rejected_logps: Array,
    ref_chosen_logps: Array,
    ref_rejected_logps: Array,
    beta: float = 0.1,
    label_smoothing: float = 0.1,
) -> Array:
    """(1 - eps) f(z) + eps f(-z). Mitchell (2023)."""
    pc, pr, rc, rr = _wide(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    return _smoothed(beta * ((pc - rc) - (pr - rr)), label_smoothing).astype(policy_chosen_logps.dtype)


def robust(
    policy_chosen_logps: Array,
    policy_rejected_logps: Array,
    ref_chosen_logps: Array,
    ref_rejected_logps: Array,
    beta: float = 0.1,
    label_smoothing: float = 0.1,
) -> Array:
    """((1 - eps) f(z) - eps f(-z)) / (1 - 2 eps), for eps < 1/2. Chowdhury et al. (2024)."""
    if not 0 <= label_smoothing < 0.5:
        raise ValueError(f"label_smoothing = {label_smoothing}: a number in [0, 1/2)")
    pc, pr, rc, rr = _wide(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    z = beta * ((pc - rc) - (pr - rr))
    loss = _f(z) if label_smoothing == 0 else (1 - label_smoothing) * _f(z) - label_smoothing * _f(-z)
    return (loss / (1 - 2 * label_smoothing)).astype(policy_chosen_logps.dtype)


def ipo_sum(
    policy_chosen_logps: Array,
    policy_rejected_logps: Array,
    ref_chosen_logps: Array,
    ref_rejected_logps: Array,
    beta: float = 0.1,
) -> Array:
    """((pc - rc) - (pr - rr) - 1 / (2 beta))**2, of sums. Azar et al. (2023), equation 17."""
    pc, pr, rc, rr = _wide(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    return jnp.square(((pc - rc) - (pr - rr)) - _target(beta)).astype(policy_chosen_logps.dtype)


def ipo_average(
    policy_chosen_logps: Array,
    policy_rejected_logps: Array,
    ref_chosen_logps: Array,
    ref_rejected_logps: Array,
    chosen_lengths: Array,
    rejected_lengths: Array,
    beta: float = 0.1,
) -> Array:
    """IPO of log-ratios that are divided by their lengths, as TRL has it."""
    pc, pr, rc, rr = _wide(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    margin = (pc - rc) / chosen_lengths - (pr - rr) / rejected_lengths
    return jnp.square(margin - _target(beta)).astype(policy_chosen_logps.dtype)


def hinge(
    policy_chosen_logps: Array,
    policy_rejected_logps: Array,
    ref_chosen_logps: Array,
    ref_rejected_logps: Array,
    beta: float = 0.1,
) -> Array:
    """max(1 - z, 0); its derivative at z = 1 is 0. Liu et al. (2023), hinge-norm."""
    pc, pr, rc, rr = _wide(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    return jax.nn.relu(1 - beta * ((pc - rc) - (pr - rr))).astype(policy_chosen_logps.dtype)


def simpo(
    policy_chosen_logps: Array,
    policy_rejected_logps: Array,
    chosen_lengths: Array,
    rejected_lengths: Array,
    beta: float = 2.0,
    gamma: float = 1.0,
) -> Array:
    """f(beta (pc / |w| - pr / |l|) - gamma). Meng et al. (2024), equation 6."""
    pc, pr = _wide(policy_chosen_logps, policy_rejected_logps)
    return _f(beta * (pc / chosen_lengths - pr / rejected_lengths) - gamma).astype(policy_chosen_logps.dtype)


def cpo(policy_chosen_logps: Array, policy_rejected_logps: Array, beta: float = 0.1, label_smoothing: float = 0.0) -> Array:
    """(1 - eps) f(beta (pc - pr)) + eps f(beta (pr - pc)). Xu et al. (2024), the preference term."""
    pc, pr = _wide(policy_chosen_logps, policy_rejected_logps)
    return _smoothed(beta * (pc - pr), label_smoothing).astype(policy_chosen_logps.dtype)


def sigmoid_norm(
    policy_chosen_logps: Array,
    policy_rejected_logps: Array,
    ref_chosen_logps: Array,
    ref_rejected_logps: Array,
    chosen_lengths: Array,
    rejected_lengths: Array,
    beta: float = 2.0,
) -> Array:
    """f(beta ((pc - rc) / |w| - (pr - rr) / |l|)). Lambert et al. (2024)."""
    pc, pr, rc, rr = _wide(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    return _f(beta * ((pc - rc) / chosen_lengths - (pr - rr) / rejected_lengths)).astype(policy_chosen_logps.dtype)


def kto(
    policy_chosen_logps: Array,
    policy_rejected_logps: Array,
    ref_chosen_logps: Array,
    ref_rejected_logps: Array,
    policy_kl_logps: Array,
    ref_kl_logps: Array,
    beta: float = 0.1,
    desirable_weight: float = 1.0,
    undesirable_weight: float = 1.0,
) -> Array:
    """The mean of (w_D sigma(beta (z0 - (pc - rc))) + w_U sigma(beta ((pr - rr) - z0))) / 2, z0 = max(mean(pk - rk), 0).

    No derivative goes through z0. Ethayarajh et al. (2024), equation 8.
    """
    pc, pr, rc, rr = _wide(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    pk, rk = _wide(policy_kl_logps, ref_kl_logps)
    z0 = jax.lax.stop_gradient(jax.nn.relu((pk - rk).mean()))
    desirable = desirable_weight * _sigma(beta * (z0 - (pc - rc)))
    undesirable = undesirable_weight * _sigma(beta * ((pr - rr) - z0))
    return ((desirable + undesirable) / 2).mean().astype(policy_chosen_logps.dtype)


def orpo(
    policy_chosen_logps: Array,
    policy_rejected_logps: Array,
    chosen_lengths: Array,
    rejected_lengths: Array,
    odds_weight: float = 0.1,
) -> Array:
    """-x + lambda f(log-odds x - log-odds y), of the averages x and y. Hong et al. (2024), equation 6."""
    pc, pr = _wide(policy_chosen_logps, policy_rejected_logps)
    x, y = pc / chosen_lengths, pr / rejected_lengths
    term = odds_weight * _odds_term(x, y) if odds_weight != 0 else 0 * jnp.where(jnp.isinf(y), 0, y)  # 0 * inf would be NaN
    return (term - x).astype(policy_chosen_logps.dtype)


def _odds_term(x: Array, y: Array) -> Array:
    """f(log-odds x - log-odds y); at x = 0, where JAX's derivative of that is NaN, log1p(expm1(-x) e**(log-odds y))."""
    certain = x == 0
    away, other = jnp.where(certain, -1, x), jnp.where(certain, y, -1)
    odds = (away - y) - (jnp.log(-jnp.expm1(away)) - jnp.log(-jnp.expm1(y)))
    at_0 = jnp.log1p(jnp.expm1(-jnp.where(certain, x, 0)) * jnp.exp(other - jnp.log(-jnp.expm1(other))))
    return jnp.where(certain, at_0, _f(odds))


def _wide(*logps: Array) -> list[Array]:
    if len({(x.shape, x.dtype) for x in logps}) != 1 or not jnp.issubdtype(logps[0].dtype, jnp.floating):
        raise ValueError("the log-probabilities: floating-point arrays of one shape and dtype")
    wide: Any = jax.dtypes.canonicalize_dtype(jnp.float64)
    return [x.astype(wide) for x in logps]


def _target(beta: float) -> float:
    if beta == 0:
        raise ValueError("beta = 0: IPO divides by it")
    return 1 / (2 * beta)


def _f(z: Array) -> Array:
    return -jax.nn.log_sigmoid(z)


def _smoothed(z: Array, eps: float) -> Array:
    if not 0 <= eps <= 1:
        raise ValueError(f"label_smoothing = {eps}: a number in [0, 1]")
    if eps in {0, 1}:  # 0 * inf would be NaN
        return _f(z) if eps == 0 else _f(-z)
    return (1 - eps) * _f(z) + eps * _f(-z)


def _sigma(x: Array) -> Array:
    """The logistic function, whose derivative keeps its digits on both sides: sigma(x) sigma(-x)."""
    return jnp.exp(jax.nn.log_sigmoid(x))
