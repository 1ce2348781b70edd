"""Correct NumPy implementations: per-operation arithmetic, compensated margins, other libraries' log-sigmoid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from . import arrays
from .arrays import Array, of_sigmoid, of_softplus
from .kinds import NARROW, WIDE, Honest, numpy_honest


def _policy_first(pc: Array, pr: Array, rc: Array, rr: Array) -> Array:
    result: Array = (pc - pr) - (rc - rr)
    return result


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """a + b as a rounded sum and its exact error. Source: Knuth (1969), TAOCP volume 2, section 4.2.2."""
    total = a + b
    part = total - a
    error = (a - (total - part)) + (b - part)
    return total, np.where(np.isfinite(total), error, arrays.number(total, 0))


def _compensated(pc: Array, pr: Array, rc: Array, rr: Array) -> Array:
    """The margin by three TwoSums, their errors added at the end."""
    total, errors = pc, np.zeros_like(pc)
    for term in (-rc, -pr, rr):
        total, error = _two_sum(total, term)
        errors = errors + error
    return total + errors


def _kahan(pc: Array, pr: Array, rc: Array, rr: Array) -> Array:
    """Kahan's summation of the four terms."""
    total, carry = pc, np.zeros_like(pc)
    for term in (-rc, -pr, rr):
        y = term - carry
        new = total + y
        carry = np.where(np.isfinite(new), (new - total) - y, arrays.number(new, 0))
        total = new
    return total


def _in_double(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The function in float64, cast back."""
    return lambda x: function(x.astype(np.float64)).astype(x.dtype)


def _log_expit(x: Array) -> Array:
    """-log(expit(-x)) by SciPy, in float32 for the 16-bit formats."""
    wide = x.astype(np.float32) if x.dtype.itemsize == 2 else x
    result: Array = (-special.log_expit(-wide)).astype(x.dtype)
    return result


def _expit(x: Array) -> Array:
    wide = x.astype(np.float32) if x.dtype.itemsize == 2 else x
    result: Array = special.expit(wide).astype(x.dtype)
    return result


def _logaddexp(x: Array) -> Array:
    result: Array = np.logaddexp(x, arrays.number(x, 0))
    return result


def _arctanh_tail(x: Array) -> Array:
    """log1p(y) = 2 artanh(y / (2 + y))."""
    y, two = np.exp(-np.abs(x)), arrays.number(x, 2)
    result: Array = np.maximum(x, arrays.number(x, 0)) + two * np.arctanh(y / (two + y))
    return result


def _exp_of_difference(x: Array) -> Array:
    """sigmoid(x) = exp(x - softplus(x)), the derivative of logaddexp as an automatic differentiator writes it."""
    with np.errstate(invalid="ignore"):
        inside = np.exp(x - arrays.softplus(x))
    result: Array = np.where(x == np.inf, arrays.number(x, 1), inside)
    return result


def _exp2(x: Array) -> Array:
    """e**-|x| as a compiler lowers it: the product with log2 e rounded."""
    result: Array = np.exp2(-np.abs(x) * arrays.number(x, 1 / np.log(2)))
    return result


def _exp2_softplus(x: Array) -> Array:
    result: Array = np.maximum(x, arrays.number(x, 0)) + np.log1p(_exp2(x))
    return result


def _exp2_sigmoid(x: Array) -> Array:
    one, y = arrays.number(x, 1), _exp2(x)
    result: Array = np.where(x >= 0, one, y) / (one + y)
    return result


def _running(losses: Array) -> Array:
    """The mean as a running one: m + (x - m) / i."""
    mean = arrays.number(losses, 0)
    for i, loss in enumerate(losses, 1):
        mean = mean + (loss - mean) / arrays.number(losses, i)
    result: Array = mean
    return result


def _half_plus_half_tanh(x: Array) -> Array:
    """(1 + tanh(x/2)) / 2 for x > 0, exp(x) / (1 + exp(x)) below."""
    half = arrays.number(x, 0.5)
    result: Array = np.where(x > 0, half + half * np.tanh(half * x), arrays.sigmoid(x))
    return result


def _masked(x: Array) -> Array:
    """Two branches written into one array by masks."""
    out = np.array(x)
    lost = x > 0
    out[lost] = x[lost] + np.log1p(np.exp(-x[lost]))
    out[~lost] = np.log1p(np.exp(x[~lost]))
    return out


def _one_by_one(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
    """Pair by pair in a Python loop."""
    rows = [arrays.stable(pc[i : i + 1], pr[i : i + 1], rc[i : i + 1], rr[i : i + 1], beta, eps) for i in range(len(pc))]
    return np.concatenate(rows) if rows else pc.copy()


def _split_margin(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
    """The margin as an unevaluated sum of two numbers, multiplied by beta part by part."""
    high, low = _double_double(pc, pr, rc, rr)
    factor = arrays.number(high, beta)
    z = factor * high + factor * low
    return arrays.mixed(arrays.softplus(-z), arrays.softplus(z), eps)


def _double_double(pc: Array, pr: Array, rc: Array, rr: Array) -> tuple[Array, Array]:
    chosen, chosen_error = _two_sum(pc, -rc)
    rejected, rejected_error = _two_sum(-pr, rr)
    high, error = _two_sum(chosen, rejected)
    return _two_sum(high, error + (chosen_error + rejected_error))


def _mean_of(reduce: Callable[[Array], Array]) -> arrays.Loss:
    def loss(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
        losses = arrays.stable(pc, pr, rc, rr, beta, eps)
        return np.asarray(reduce(losses) if len(losses) else arrays.number(losses, np.nan))

    return loss


def _mean_gradient(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> tuple[Array, Array, Array, Array]:
    by_pc, by_pr, by_rc, by_rr = (
        part / arrays.number(part, max(len(part), 1)) for part in arrays.gradient(pc, pr, rc, rr, beta, eps)
    )
    return by_pc, by_pr, by_rc, by_rr


def _one_after_the_other(losses: Array) -> Array:
    """n - 1 additions in the format, one division."""
    total = losses[0]
    for loss in losses[1:]:
        total = total + loss
    result: Array = total / arrays.number(losses, len(losses))
    return result


def _pair(
    name: str,
    why: str,
    softplus: Callable[[Array], Array] = arrays.softplus,
    sigmoid: Callable[[Array], Array] = arrays.sigmoid,
    margin: arrays.Margin = arrays.margin,
    formats: tuple[str, ...] = (*NARROW, *WIDE),
) -> Honest:
    """An implementation whose value and derivatives are made of the same parts."""
    return numpy_honest(name, why, of_softplus(softplus, margin), gradient=of_sigmoid(sigmoid, margin), formats=formats)


HONEST: tuple[Honest, ...] = (
    _pair("numpy-per-operation", "every operation rounded into the format, by ml_dtypes for bfloat16"),
    _pair("numpy-policy-first", "(pc - pr) - (rc - rr), per operation", margin=_policy_first),
    _pair("numpy-kahan", "Kahan's summation of the margin", margin=_kahan),
    _pair("numpy-compensated", "TwoSum-compensated margin", margin=_compensated),
    numpy_honest(
        "numpy-double-double-margin",
        "the margin as an unevaluated sum of two numbers",
        _split_margin,
        gradient=of_sigmoid(arrays.sigmoid, _compensated),
    ),
    _pair("numpy-logaddexp", "np.logaddexp(0, -z)", softplus=_logaddexp, formats=("binary16", *WIDE)),
    _pair(
        "numpy-logaddexp-in-float64",
        "np.logaddexp(0, -z) in float64, cast back",
        softplus=_in_double(_logaddexp),
        formats=(*NARROW, "binary32"),
    ),
    _pair("scipy-log-expit", "scipy.special.log_expit and expit, in float32 for 16 bits", softplus=_log_expit, sigmoid=_expit),
    _pair("numpy-arctanh", "log1p(y) as 2 artanh(y / (2 + y))", softplus=_arctanh_tail),
    _pair(
        "numpy-exp-of-difference",
        "gradient exp(-z - softplus(-z)), which errs by the rounding of the loss: 32 ulp at z = -32 in binary64",
        sigmoid=_exp_of_difference,
    ),
    _pair("numpy-exp2", "exp by exp2 of z log2 e, rounded", softplus=_exp2_softplus, sigmoid=_exp2_sigmoid),
    _pair("numpy-tanh", "gradient by tanh for lost pairs", sigmoid=_half_plus_half_tanh),
    _pair("numpy-masked", "two branches written by masks", softplus=_masked),
    numpy_honest("numpy-loop", "a Python loop, pair by pair", _one_by_one, gradient=arrays.gradient),
    numpy_honest("numpy-value-only", "no gradient claimed", arrays.stable),
    numpy_honest(
        "numpy-mean-one-after-the-other",
        "the mean by n - 1 additions in the format",
        _mean_of(_one_after_the_other),
        gradient=_mean_gradient,
        reduction="mean",
    ),
    numpy_honest(
        "numpy-mean-running",
        "a running mean, NaN where a loss is infinite",
        _mean_of(_running),
        gradient=_mean_gradient,
        reduction="mean",
        formats=WIDE,
    ),
    numpy_honest(
        "numpy-mean-pairwise",
        "np.mean, pairwise",
        _mean_of(np.mean),
        gradient=_mean_gradient,
        reduction="mean",
        formats=("binary16", *WIDE),
    ),
    numpy_honest(
        "numpy-mean-in-float64",
        "the mean accumulated in float64",
        _mean_of(lambda losses: np.mean(losses.astype(np.float64)).astype(losses.dtype)),
        gradient=_mean_gradient,
        reduction="mean",
    ),
)
