"""The definitions of Direct Preference Optimization, in exact arithmetic.

    chosen log-ratio   = policy_chosen_logps - ref_chosen_logps
    rejected log-ratio = policy_rejected_logps - ref_rejected_logps
    margin             = chosen log-ratio - rejected log-ratio
    logit z            = beta * margin
    loss               = (1 - eps) * softplus(-z) + eps * softplus(z) = softplus(-z) + eps * z

Source: Rafailov et al. (2023), "Direct Preference Optimization", equation 7; the smoothed loss is the conservative DPO
of Mitchell (2023), "A note on DPO with noisy preferences and relationship to IPO".

Every function takes the four log-probabilities of whole responses in nats, as scalars or as arrays that broadcast, and
gives a `Real`, or an object array of them. Inputs are the exact numbers they hold: the float 0.1 is the binary64 next
to 1/10; the text "0.1" and Fraction(1, 10) are 1/10. They raise the errors of `oracle.arguments`.

NaN gives NaN. Infinite log-probabilities follow IEEE 754 up to the logit (inf - inf and 0 * inf are NaN); from there
on the results are limits: loss 0 at z = +inf for eps = 0 and +inf for eps > 0; +inf at z = -inf for eps < 1 and 0 for
eps = 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oracle.arguments import Extended, broadcast
from oracle.real import Real

Scalar = str | int | float | Fraction
Values = ArrayLike | Fraction
Reals = Real | NDArray[Any]
"""One Real, or an object array of Real."""


@dataclass(frozen=True, slots=True)
class Gradient:
    """The partial derivatives of the loss, in nats per unit of each argument; each a Real or an array of them."""

    policy_chosen: Reals
    policy_rejected: Reals
    ref_chosen: Reals
    ref_rejected: Reals
    beta: Reals
    label_smoothing: Reals

    @property
    def by_logps(self) -> tuple[Reals, Reals, Reals, Reals]:
        """The four derivatives in the log-probabilities, in the order of every signature."""
        return self.policy_chosen, self.policy_rejected, self.ref_chosen, self.ref_rejected


def chosen_logratio(
    policy_chosen_logps: Values,
    policy_rejected_logps: Values,
    ref_chosen_logps: Values,
    ref_rejected_logps: Values,
    *,
    beta: Values = 0.1,
    label_smoothing: Values = 0.0,
) -> Reals:
    """log pi(y_w) - log pi_ref(y_w) = policy_chosen_logps - ref_chosen_logps, in nats."""
    return _each(_chosen_logratio, **locals())


def rejected_logratio(
    policy_chosen_logps: Values,
    policy_rejected_logps: Values,
    ref_chosen_logps: Values,
    ref_rejected_logps: Values,
    *,
    beta: Values = 0.1,
    label_smoothing: Values = 0.0,
) -> Reals:
    """log pi(y_l) - log pi_ref(y_l) = policy_rejected_logps - ref_rejected_logps, in nats."""
    return _each(_rejected_logratio, **locals())


def margin(
    policy_chosen_logps: Values,
    policy_rejected_logps: Values,
    ref_chosen_logps: Values,
    ref_rejected_logps: Values,
    *,
    beta: Values = 0.1,
    label_smoothing: Values = 0.0,
) -> Reals:
    """Chosen log-ratio - rejected log-ratio, in nats; beta plays no part in it."""
    return _each(_margin, **locals())


def logit(
    policy_chosen_logps: Values,
    policy_rejected_logps: Values,
    ref_chosen_logps: Values,
    ref_rejected_logps: Values,
    *,
    beta: Values = 0.1,
    label_smoothing: Values = 0.0,
) -> Reals:
    """z = beta * margin."""
    return _each(_logit, **locals())


def loss(
    policy_chosen_logps: Values,
    policy_rejected_logps: Values,
    ref_chosen_logps: Values,
    ref_rejected_logps: Values,
    *,
    beta: Values = 0.1,
    label_smoothing: Values = 0.0,
) -> Reals:
    """(1 - eps) * softplus(-z) + eps * softplus(z), in nats, for each pair."""
    return _each(_loss, **locals())


def second_derivative(
    policy_chosen_logps: Values,
    policy_rejected_logps: Values,
    ref_chosen_logps: Values,
    ref_rejected_logps: Values,
    *,
    beta: Values = 0.1,
    label_smoothing: Values = 0.0,
) -> Reals:
    """d2 loss / dz2 = sigma(z) * sigma(-z), whatever the smoothing; 0 at an infinite logit."""
    return _each(_second_derivative, **locals())


def gradient(
    policy_chosen_logps: Values,
    policy_rejected_logps: Values,
    ref_chosen_logps: Values,
    ref_rejected_logps: Values,
    *,
    beta: Values = 0.1,
    label_smoothing: Values = 0.0,
) -> Gradient:
    """With d = eps - sigma(-z) = d loss / dz: beta * d for policy_chosen and ref_rejected, -beta * d for the other two
    log-probabilities, margin * d for beta, z for label_smoothing.

    At an infinite margin the derivative in beta is its limit: 0 where d is 0, infinite elsewhere.
    """
    arrays = broadcast(**locals())
    rows = [_gradient(*pair) for pair in zip(*(array.flat for array in arrays), strict=True)]
    fields = zip(*rows, strict=True) if rows else ([] for _ in range(6))
    return Gradient(*(_shaped(field, arrays[0].shape) for field in fields))


def _each(definition: Callable[..., Real], **arguments: object) -> Reals:
    """The definition applied to each element of the broadcast arguments."""
    arrays = broadcast(**arguments)
    results = [definition(*pair) for pair in zip(*(array.flat for array in arrays), strict=True)]
    return _shaped(results, arrays[0].shape)


def _shaped(results: Sequence[Real], shape: tuple[int, ...]) -> Reals:
    """The results as an object array of that shape; the one result itself for shape ()."""
    if shape == ():
        return results[0]
    out = np.empty(len(results), dtype=object)
    out[:] = results
    return out.reshape(shape)


# -- one pair ----------------------------------------------------------------------------------------------------------


def _subtract(a: Extended, b: Extended) -> Extended:
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a - b
    return (0.0 if isinstance(a, Fraction) else a) - (0.0 if isinstance(b, Fraction) else b)


def _multiply(factor: Fraction, x: Extended) -> Extended:
    if isinstance(x, Fraction):
        return factor * x
    return math.nan if factor == 0 else (x if factor > 0 else -x)


def _real(x: Extended) -> Real:
    return Real.rational(x) if isinstance(x, Fraction) else Real.nonfinite(x)


def _chosen_logratio(pc: Extended, pr: Extended, rc: Extended, rr: Extended, beta: Fraction, eps: Fraction) -> Real:
    return _real(_subtract(pc, rc))


def _rejected_logratio(pc: Extended, pr: Extended, rc: Extended, rr: Extended, beta: Fraction, eps: Fraction) -> Real:
    return _real(_subtract(pr, rr))


def _exact_margin(pc: Extended, pr: Extended, rc: Extended, rr: Extended) -> Extended:
    return _subtract(_subtract(pc, rc), _subtract(pr, rr))


def _margin(pc: Extended, pr: Extended, rc: Extended, rr: Extended, beta: Fraction, eps: Fraction) -> Real:
    return _real(_exact_margin(pc, pr, rc, rr))


def _logit(pc: Extended, pr: Extended, rc: Extended, rr: Extended, beta: Fraction, eps: Fraction) -> Real:
    return _real(_multiply(beta, _exact_margin(pc, pr, rc, rr)))


def _loss(pc: Extended, pr: Extended, rc: Extended, rr: Extended, beta: Fraction, eps: Fraction) -> Real:
    z = _multiply(beta, _exact_margin(pc, pr, rc, rr))
    if isinstance(z, Fraction):
        return Real.softplus(-z) + eps * z
    if math.isnan(z):
        return Real.nonfinite(math.nan)
    vanishes = eps == (0 if z > 0 else 1)
    return Real() if vanishes else Real.nonfinite(math.inf)


def _second_derivative(pc: Extended, pr: Extended, rc: Extended, rr: Extended, beta: Fraction, eps: Fraction) -> Real:
    z = _multiply(beta, _exact_margin(pc, pr, rc, rr))
    if isinstance(z, Fraction):
        return Real.sigmoid_slope(z)
    return Real.nonfinite(z) if math.isnan(z) else Real()


def _gradient(
    pc: Extended, pr: Extended, rc: Extended, rr: Extended, beta: Fraction, eps: Fraction
) -> tuple[Real, Real, Real, Real, Real, Real]:
    exact_margin = _exact_margin(pc, pr, rc, rr)
    z = _multiply(beta, exact_margin)
    if isinstance(z, Fraction) and isinstance(exact_margin, Fraction):
        slope = eps - Real.sigmoid(-z)
        by_beta = slope * exact_margin
    elif math.isnan(z):
        slope = by_beta = Real.nonfinite(math.nan)
    else:
        slope = Real.rational(eps if z > 0 else eps - 1)
        by_beta = Real.nonfinite(float(exact_margin) * slope.sign) if slope.sign else Real()
    scaled = slope * beta
    minus = -scaled
    return scaled, minus, minus, scaled, by_beta, _real(z)
