# Copyright the dpo-conformance authors. Licensed under the Apache License, Version 2.0
# (http://www.apache.org/licenses/LICENSE-2.0). To vendor: copy this file as it is, with this header; it needs NumPy alone.
"""The other losses of preference tuning in NumPy, with their derivatives: in binary64, and rounded to the dtype that came.

z = beta ((pc - rc) - (pr - rr)) and f(z) = log(1 + e**-z). Log-probabilities are those of whole responses, in nats, arrays
alike in shape and dtype (ml_dtypes' bfloat16 too); lengths are numbers of tokens, (n,); parameters are numbers. Each returns
the losses, one a pair (`kto`: their mean), and the derivatives of their sum (of the mean) in each log-probability, in the order
of the arguments. Raises ValueError for arrays that are not alike or not floating-point, and for parameters outside their range.
Formulas and papers are those of `dpo-conformance list --losses`; what was judged: docs/reference.md.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]
_P = ParamSpec("_P")


class Differentiated(NamedTuple):
    """Losses, and their derivatives in each log-probability, in the order of the arguments."""

    loss: Floats
    derivatives: tuple[Floats, ...]


def _rounded(function: Callable[_P, tuple[Floats, tuple[Floats, ...]]]) -> Callable[_P, Differentiated]:
    """What the function computes in binary64, in the dtype of its first argument; the arithmetic's warnings are silenced."""

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> Differentiated:
        first = args[0] if args else kwargs["policy_chosen_logps"]
        with np.errstate(all="ignore"):
            loss, slopes = function(*args, **kwargs)
            dtype = np.asarray(first).dtype
            return Differentiated(np.asarray(loss).astype(dtype), tuple(np.asarray(x).astype(dtype) for x in slopes))

    return call


@_rounded
def cdpo(
    policy_chosen_logps: Floats,
    policy_rejected_logps: Floats,
    ref_chosen_logps: Floats,
    ref_rejected_logps: Floats,
    beta: float = 0.1,
    label_smoothing: float = 0.1,
) -> tuple[Floats, tuple[Floats, ...]]:
    """(1 - eps) f(z) + eps f(-z). Mitchell (2023)."""
    margin = _margin(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    return _of_margin(*_smoothed(beta * margin, label_smoothing), beta)


@_rounded
def robust(
    policy_chosen_logps: Floats,
    policy_rejected_logps: Floats,
    ref_chosen_logps: Floats,
    ref_rejected_logps: Floats,
    beta: float = 0.1,
    label_smoothing: float = 0.1,
) -> tuple[Floats, tuple[Floats, ...]]:
    """((1 - eps) f(z) - eps f(-z)) / (1 - 2 eps), for eps < 1/2. Chowdhury et al. (2024)."""
    if not 0 <= label_smoothing < 0.5:
        raise ValueError(f"label_smoothing = {label_smoothing}: a number in [0, 1/2)")
    z = beta * _margin(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    loss, slope = _f(z), -_sigma(-z)
    if label_smoothing != 0:  # 0 * inf would be NaN
        loss = (1 - label_smoothing) * loss - label_smoothing * _f(-z)
        slope = (1 - label_smoothing) * slope - label_smoothing * _sigma(z)
    return _of_margin(loss / (1 - 2 * label_smoothing), slope / (1 - 2 * label_smoothing), beta)


@_rounded
def ipo_sum(
    policy_chosen_logps: Floats,
    policy_rejected_logps: Floats,
    ref_chosen_logps: Floats,
    ref_rejected_logps: Floats,
    beta: float = 0.1,
) -> tuple[Floats, tuple[Floats, ...]]:
    """((pc - rc) - (pr - rr) - 1 / (2 beta))**2, of sums. Azar et al. (2023), equation 17."""
    margin = _margin(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    off = margin - _target(beta)
    return _of_margin(off * off, 2 * off, 1)


@_rounded
def ipo_average(
    policy_chosen_logps: Floats,
    policy_rejected_logps: Floats,
    ref_chosen_logps: Floats,
    ref_rejected_logps: Floats,
    chosen_lengths: Floats,
    rejected_lengths: Floats,
    beta: float = 0.1,
) -> tuple[Floats, tuple[Floats, ...]]:
    """IPO of log-ratios that are divided by their lengths, as TRL has it."""
    pc, pr, rc, rr = _wide(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    off = ((pc - rc) / chosen_lengths - (pr - rr) / rejected_lengths) - _target(beta)
    return _of_margin(off * off, 2 * off, 1, chosen_lengths, rejected_lengths)


@_rounded
def hinge(
    policy_chosen_logps: Floats,
    policy_rejected_logps: Floats,
    ref_chosen_logps: Floats,
    ref_rejected_logps: Floats,
    beta: float = 0.1,
) -> tuple[Floats, tuple[Floats, ...]]:
    """max(1 - z, 0); its derivative at z = 1 is 0. Liu et al. (2023), hinge-norm."""
    z = beta * _margin(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    return _of_margin(np.maximum(1 - z, 0), np.where(z >= 1, 0.0, np.where(np.isnan(z), np.nan, -1.0)), beta)


@_rounded
def simpo(
    policy_chosen_logps: Floats,
    policy_rejected_logps: Floats,
    chosen_lengths: Floats,
    rejected_lengths: Floats,
    beta: float = 2.0,
    gamma: float = 1.0,
) -> tuple[Floats, tuple[Floats, ...]]:
    """f(beta (pc / |w| - pr / |l|) - gamma). Meng et al. (2024), equation 6."""
    pc, pr = _wide(policy_chosen_logps, policy_rejected_logps)
    z = beta * (pc / chosen_lengths - pr / rejected_lengths) - gamma
    return _of_policy(_f(z), -_sigma(-z), beta, chosen_lengths, rejected_lengths)


@_rounded
def cpo(
    policy_chosen_logps: Floats, policy_rejected_logps: Floats, beta: float = 0.1, label_smoothing: float = 0.0
) -> tuple[Floats, tuple[Floats, ...]]:
    """(1 - eps) f(beta (pc - pr)) + eps f(beta (pr - pc)). Xu et al. (2024), the preference term."""
    pc, pr = _wide(policy_chosen_logps, policy_rejected_logps)
    return _of_policy(*_smoothed(beta * (pc - pr), label_smoothing), beta)


@_rounded
def sigmoid_norm(
    policy_chosen_logps: Floats,
    policy_rejected_logps: Floats,
    ref_chosen_logps: Floats,
    ref_rejected_logps: Floats,
    chosen_lengths: Floats,
    rejected_lengths: Floats,
    beta: float = 2.0,
) -> tuple[Floats, tuple[Floats, ...]]:
    """f(beta ((pc - rc) / |w| - (pr - rr) / |l|)). Lambert et al. (2024)."""
    pc, pr, rc, rr = _wide(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    z = beta * ((pc - rc) / chosen_lengths - (pr - rr) / rejected_lengths)
    return _of_margin(_f(z), -_sigma(-z), beta, chosen_lengths, rejected_lengths)


@_rounded
def kto(
    policy_chosen_logps: Floats,
    policy_rejected_logps: Floats,
    ref_chosen_logps: Floats,
    ref_rejected_logps: Floats,
    policy_kl_logps: Floats,
    ref_kl_logps: Floats,
    beta: float = 0.1,
    desirable_weight: float = 1.0,
    undesirable_weight: float = 1.0,
) -> tuple[Floats, tuple[Floats, ...]]:
    """The mean of (w_D sigma(beta (z0 - (pc - rc))) + w_U sigma(beta ((pr - rr) - z0))) / 2, z0 = max(mean(pk - rk), 0).

    No derivative goes through z0. Ethayarajh et al. (2024), equation 8.
    """
    pc, pr, rc, rr = _wide(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    pk, rk = _wide(policy_kl_logps, ref_kl_logps)
    z0 = np.maximum((pk - rk).mean(), 0)
    up, down = beta * (z0 - (pc - rc)), beta * ((pr - rr) - z0)
    loss = ((desirable_weight * _sigma(up) + undesirable_weight * _sigma(down)) / 2).mean()
    scale = beta / (2 * np.size(pc))
    chosen, rejected = desirable_weight * _bump(up) * scale, undesirable_weight * _bump(down) * scale
    return loss, (-chosen, rejected, chosen, -rejected, 0 * pk, 0 * rk)


@_rounded
def orpo(
    policy_chosen_logps: Floats,
    policy_rejected_logps: Floats,
    chosen_lengths: Floats,
    rejected_lengths: Floats,
    odds_weight: float = 0.1,
) -> tuple[Floats, tuple[Floats, ...]]:
    """-x + lambda f(log-odds x - log-odds y), of the averages x and y. Hong et al. (2024), equation 6."""
    pc, pr = _wide(policy_chosen_logps, policy_rejected_logps)
    x, y = pc / chosen_lengths, pr / rejected_lengths
    if odds_weight == 0:  # 0 * inf would be NaN
        none = 0 * np.where(np.isinf(y), 0, y)
        return none - x, (none - 1 / chosen_lengths, none)
    against = y - np.log(-np.expm1(y))
    odds = (x - y) - (np.log(-np.expm1(x)) - np.log(-np.expm1(y)))
    slope = odds_weight * _sigma(-odds)
    at_0 = np.where(y == 0, np.nan, -odds_weight * np.exp(against))  # the limit of 0 / 0
    chosen, rejected = np.where(x == 0, at_0, slope / np.expm1(x)) - 1, -slope / np.expm1(y)
    return odds_weight * _f(odds) - x, (chosen / chosen_lengths, rejected / rejected_lengths)


def _wide(*logps: Floats) -> list[Floats]:
    given = [np.asarray(x) for x in logps]
    if len({(x.shape, x.dtype) for x in given}) != 1 or given[0].dtype.kind in "biucOSUmM" or given[0].dtype.itemsize > 8:
        raise ValueError("the log-probabilities: arrays of one shape and dtype, floating-point of 64 bits at the most")
    return [x.astype(np.float64) for x in given]


def _margin(*logps: Floats) -> Floats:
    pc, pr, rc, rr = _wide(*logps)
    margin: Floats = (pc - rc) - (pr - rr)
    return margin


def _of_margin(
    loss: Floats, slope: Floats, beta: float, chosen: Floats | int = 1, rejected: Floats | int = 1
) -> tuple[Floats, tuple[Floats, ...]]:
    """The loss, and from its derivative in z those in pc, pr, rc, rr."""
    loss, (up, down) = _of_policy(loss, slope, beta, chosen, rejected)
    return loss, (up, down, -up, -down)


def _of_policy(
    loss: Floats, slope: Floats, beta: float, chosen: Floats | int = 1, rejected: Floats | int = 1
) -> tuple[Floats, tuple[Floats, Floats]]:
    """The loss, and from its derivative in z those in pc and pr, which are divided by these lengths."""
    return loss, (beta * slope / chosen, -beta * slope / rejected)


def _target(beta: float) -> float:
    if beta == 0:
        raise ValueError("beta = 0: IPO divides by it")
    return 1 / (2 * beta)


def _f(z: Floats) -> Floats:
    found: Floats = np.log1p(np.exp(-np.abs(z))) + np.maximum(-z, 0)
    return found


def _sigma(x: Floats) -> Floats:
    y = np.exp(-np.abs(x))
    found: Floats = np.where(x <= 0, y, 1.0) / (1 + y)
    return found


def _bump(x: Floats) -> Floats:
    """sigma(x) sigma(-x), which keeps its digits on both sides."""
    y = np.exp(-np.abs(x))
    found: Floats = y / ((1 + y) * (1 + y))
    return found


def _smoothed(z: Floats, eps: float) -> tuple[Floats, Floats]:
    """(1 - eps) f(z) + eps f(-z), and its derivative."""
    if not 0 <= eps <= 1:
        raise ValueError(f"label_smoothing = {eps}: a number in [0, 1]")
    if eps in {0, 1}:  # 0 * inf would be NaN
        return (_f(z), -_sigma(-z)) if eps == 0 else (_f(-z), _sigma(z))
    return (1 - eps) * _f(z) + eps * _f(-z), eps - _sigma(-z)
