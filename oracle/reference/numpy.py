# Copyright the dpo-conformance authors. Licensed under the Apache License, Version 2.0
# (http://www.apache.org/licenses/LICENSE-2.0). To vendor: copy this file as it is, with this header; it needs NumPy alone.
"""The DPO loss and its derivatives in NumPy: right in every format, at every size.

    loss = (1 - eps) log(1 + e**-z) + eps log(1 + e**z),  z = beta ((pc - rc) - (pr - rr))

Computed in binary64 whatever the arrays' dtype (ml_dtypes' bfloat16 too), and rounded once. Source: Rafailov et al. (2023),
equation 7; Mitchell (2023) for eps. What was proved, swept and sampled: docs/reference.md.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]


def dpo_loss(
    policy_chosen_logps: Floats,
    policy_rejected_logps: Floats,
    ref_chosen_logps: Floats,
    ref_rejected_logps: Floats,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
    reduction: Literal["none", "mean", "sum"] = "none",
) -> Floats:
    """The loss of each pair in nats, in the dtype of the log-probabilities; its mean or sum where reduction says so.

    Four arrays of one shape and floating-point dtype: log-probabilities of whole responses, in nats. Raises ValueError for a
    label_smoothing outside [0, 1], another reduction, and arrays that are not alike.
    """
    if reduction not in {"none", "mean", "sum"}:
        raise ValueError(f"reduction = {reduction!r}: 'none', 'mean' or 'sum'")
    z, dtype = _logit(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps, beta, label_smoothing)
    with np.errstate(all="ignore"):
        losses = np.log1p(np.exp(-np.abs(z)))
        if label_smoothing != 1:  # 0 * inf would be NaN
            losses = losses + (1 - label_smoothing) * np.maximum(-z, 0.0)
        if label_smoothing != 0:
            losses = losses + label_smoothing * np.maximum(z, 0.0)
        each = losses.astype(dtype)
        if reduction == "none":
            return each
        wide = each.astype(np.float64)
        return np.asarray(wide.mean() if reduction == "mean" else wide.sum()).astype(dtype)


def dpo_gradient(
    policy_chosen_logps: Floats,
    policy_rejected_logps: Floats,
    ref_chosen_logps: Floats,
    ref_rejected_logps: Floats,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
) -> tuple[Floats, Floats, Floats, Floats]:
    """The derivatives of the sum of the losses in each of the four, in the order of the arguments and in their dtype.

    beta (eps - sigma(-z)) in policy_chosen and ref_rejected, minus that in the others. Raises as `dpo_loss`.
    """
    z, dtype = _logit(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps, beta, label_smoothing)
    with np.errstate(all="ignore"):
        y = np.exp(-np.abs(z))
        sigma = np.where(z >= 0, y, 1.0) / (1.0 + y)  # sigma(-z), and NaN for NaN
        slope = (beta * (label_smoothing - sigma)).astype(dtype)
    return slope, -slope, -slope, slope


def _logit(pc: Floats, pr: Floats, rc: Floats, rr: Floats, beta: float, eps: float) -> tuple[Floats, np.dtype[Any]]:
    """The logit in binary64, and the dtype to round to; where only the margin overflows, beta comes before it."""
    given = [np.asarray(x) for x in (pc, pr, rc, rr)]
    if not 0 <= eps <= 1:
        raise ValueError(f"label_smoothing = {eps}: a number in [0, 1]")
    if len({(x.shape, x.dtype) for x in given}) != 1:
        raise ValueError("the four log-probabilities: arrays of one shape and one floating-point dtype")
    if given[0].dtype.kind in "biucOSUmM" or given[0].dtype.itemsize > 8:
        raise ValueError(f"the four log-probabilities: floating-point numbers of 64 bits at the most, not {given[0].dtype}")
    a, b, c, d = (x.astype(np.float64) for x in given)
    with np.errstate(all="ignore"):
        chosen, rejected = a - c, b - d
        margin = chosen - rejected
        beyond = np.isinf(margin) & np.isfinite(chosen) & np.isfinite(rejected)
        z = np.where(beyond, beta * chosen - beta * rejected, beta * margin)
    return z, given[0].dtype
