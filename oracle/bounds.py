"""What correct arithmetic in a format may return: the conditioning of the inputs, and acceptance intervals.

Let u = 2**-p be the format's unit roundoff, eta its least subnormal, lambda its smallest normal, and h the exact margin
of logps a, b, c, d = policy chosen, policy rejected, ref chosen, ref rejected. A rounded operation is exact * (1 + t),
|t| <= u; products may add eta / 2 of underflow, sums and differences do not (Hauser 1996; Higham, "Accuracy and
Stability of Numerical Algorithms", 2nd ed., section 2.2 and theorem 3.1 for what follows). docs/bounds.md derives each
line; the names here are the names there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oracle import enclosure
from oracle.ball import Enclosure, where
from oracle.ball import exact as point
from oracle.formats import Floats, Format

KERNEL_MUST_WIDE = 16.0
"""ulp. The loosest that OpenCL allows an elementary function in single precision (OpenCL C 3.0, table 65: erf)."""
KERNEL_MUST_NARROW = 8.0
"""ulp, in the 16-bit formats, whose ulp is up to 0.8 % of the value."""
KERNEL_SHOULD = 4.0
"""ulp, in every format."""

Mask = NDArray[np.bool_]


def kernel_must(fmt: Format) -> float:
    """The largest error in ulps that a log-sigmoid kernel MUST keep to, for its value and for its derivative."""
    return KERNEL_MUST_NARROW if fmt.width == 16 else KERNEL_MUST_WIDE


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """n pairs as the bounds see them: four float64 arrays of shape (n,), one beta, one label_smoothing."""

    policy_chosen_logps: Floats
    policy_rejected_logps: Floats
    ref_chosen_logps: Floats
    ref_rejected_logps: Floats
    beta: float
    label_smoothing: float

    @property
    def logps(self) -> tuple[Floats, Floats, Floats, Floats]:
        """The four arrays, in the order of every signature."""
        return self.policy_chosen_logps, self.policy_rejected_logps, self.ref_chosen_logps, self.ref_rejected_logps


@dataclass(frozen=True, slots=True, eq=False)
class Acceptance:
    """For each of n results: the exact value, and the interval [low, high] of what correct code may return.

    zero says where 0 is accepted besides, by underflow of the result or of an intermediate.
    """

    exact: Enclosure
    low: Enclosure
    high: Enclosure
    zero: Mask
    fmt: Format

    def rho(self, got: Floats) -> Floats:
        """The error over what the bound allows on that side: at most 1 is accepted, 0 is exact. Infinite for a NaN.

        A result in doubt at an end of the interval is accepted: the ends are rounded outward. An infinity is placed at
        the overflow threshold, and so is a bound beyond it.
        """
        at = point(self._placed(got))
        error, room_above, room_below = at - self.exact, self.high - self.exact, self.exact - self.low
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratio = np.abs(_quotient(error, where(error.head > 0, room_above, room_below)))
        outside = _surely_positive(at - self.high) | _surely_positive(self.low - at)
        ratio = np.where(error.head == 0, 0.0, ratio)
        ratio = np.where(outside, np.maximum(ratio, np.nextafter(1.0, 2.0)), np.minimum(ratio, 1.0))
        ratio = np.where(self.zero & (got == 0), 0.0, ratio)
        return np.where(np.isnan(got), np.inf, ratio)

    def _placed(self, got: Floats) -> Floats:
        threshold = float(self.fmt.overflow_threshold) if self.fmt.width < 64 else np.finfo(np.float64).max
        return np.where(np.isinf(got), np.copysign(threshold, got), got)


def _quotient(x: Enclosure, y: Enclosure) -> Floats:
    """x / y to about 50 bits, for a figure."""
    scale = np.clip(x.exponent - y.exponent, -2000, 2000).astype(np.int32)
    return np.asarray(np.ldexp(x.head / y.head, scale))


def _surely_positive(x: Enclosure) -> Mask:
    return np.asarray(x.head > x.radius)


def centre(x: Enclosure) -> Floats:
    """The middle of each ball as one float64: for sizes and figures, never for a decision."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.ldexp(x.head, np.clip(x.exponent, -5000, 5000).astype(np.int32)))


# -- the logit ---------------------------------------------------------------------------------------------------------


def logit_error(pairs: Pairs, fmt: Format) -> Floats:
    """delta_z: a bound on |computed z - z|, over every admitted way to compute it, in the format.

    Admitted: (a - c) - (b - d) and (a - b) - (c - d); the sequential ((a - b) - c) + d, ((a - c) - b) + d,
    ((a - b) + d) - c, ((a - c) + d) - b; each with beta, rounded into the format, applied last, or applied to both
    differences first (rewards).

        D       = max(2 (|a - c| + |b - d|), 2 (|a - b| + |c - d|),
                      max(|a - b|, |a - c|) + max(|h - d|, |h + c|, |h + b|))
        delta_z = (1 + 8u) (u |beta| (D + 2 |h|) + delta_beta (|h| + u D)) + lambda
    """
    largest = max(float(np.max(np.abs(values), initial=0.0)) for values in pairs.logps)
    shrink = 2.0**-8 if largest > 2.0**1000 else 1.0  # the sums below stay finite in float64
    a, b, c, d = (values * shrink for values in pairs.logps)
    u, beta = fmt.unit_roundoff, abs(pairs.beta)
    h = centre(enclosure.margin(a, b, c, d))
    first = 2 * (np.abs(a - c) + np.abs(b - d))
    second = 2 * (np.abs(a - b) + np.abs(c - d))
    third = np.maximum.reduce([np.abs(h - d), np.abs(h + c), np.abs(h + b)])
    third = third + np.maximum(np.abs(a - b), np.abs(a - c))
    D, h = np.maximum.reduce([first, second, third]), np.abs(h)
    delta = u * beta * D + 2 * u * beta * h + option_error(beta, fmt) * (h + u * D)
    # 2**-40 covers the float64 arithmetic of this bound itself
    return np.asarray(delta * ((1 + 8 * u) * (1 + 2.0**-40) / shrink) + fmt.smallest_normal)


def option_error(value: float, fmt: Format) -> float:
    """delta: a bound on the change of beta or label_smoothing when it is rounded into the format.

    u |x|, or eta / 2 where x is subnormal there; and |x| itself where it is below lambda, since flushing is accepted.
    A value that the format holds exactly and normally is not changed.
    """
    magnitude = abs(value)
    if magnitude < fmt.smallest_normal:
        return max(magnitude, fmt.smallest_subnormal / 2) if magnitude else 0.0
    return 0.0 if float(fmt.round_array(value)) == value else fmt.unit_roundoff * magnitude


def _quantum_floor(fmt: Format, flush: bool) -> float:
    """eta, or lambda for an implementation that declares flushing: the least distance that the format resolves."""
    return fmt.smallest_normal if flush else fmt.smallest_subnormal


# -- the loss ----------------------------------------------------------------------------------------------------------


def loss(pairs: Pairs, fmt: Format, *, flush: bool = False) -> Acceptance:
    """The acceptance interval of the loss: the image of [z - delta_z, z + delta_z] with a kernel at its MUST bound.

    With G(z) = f(z) + eps z convex and E(z) = (2K + 3) u (f(z) + eps |z|) + delta_eps (f(z) + f(-z)) + (K + 2) eta,
    the interval is [min G - max E, max (G + E)] over the logit's interval: no linearisation, valid however wide.
    """
    z = enclosure.logit(*pairs.logps, pairs.beta)
    dz = logit_error(pairs, fmt)
    eps = pairs.label_smoothing
    low_z, high_z = z - dz, z + dz
    ends = [_loss_at(end, eps, fmt, flush) for end in (low_z, high_z)]
    turning = low_z if eps == 1 else high_z
    if 0 < eps < 1:  # G is least where sigma(-z) = eps
        still = point(np.full(dz.shape, np.log((1 - eps) / eps)))
        turning = where((low_z - still).head > 0, low_z, where((high_z - still).head < 0, high_z, still))
    least, _ = _loss_at(turning, eps, fmt, flush)
    error = where(centre(ends[0][1]) > centre(ends[1][1]), ends[0][1], ends[1][1])
    tops = [value + slack for value, slack in ends]
    high = where(centre(tops[0]) > centre(tops[1]), tops[0], tops[1])
    low = least - error - _flushable_loss(low_z, high_z, eps, fmt)
    value = enclosure.loss(*pairs.logps, pairs.beta, eps)
    zero = centre(low) < fmt.smallest_normal
    return Acceptance(value, low, high, zero, fmt)


def _loss_at(z: Enclosure, eps: float, fmt: Format, flush: bool) -> tuple[Enclosure, Enclosure]:
    """G(z) and E(z)."""
    f = enclosure.softplus_minus(z)
    size = np.abs(centre(z))
    K, u = kernel_must(fmt), fmt.unit_roundoff
    floor = (K + 2) * _quantum_floor(fmt, flush)
    if eps == 0:
        return f, f * (2 * K * u) + floor
    opposite = enclosure.softplus_minus(-z)
    value = f - f * eps + opposite * eps
    weight = (2 * K + 3) * u
    error = (f + eps * size) * weight + (f + opposite) * option_error(eps, fmt)
    return value, error + floor


def _flushable_loss(low_z: Enclosure, high_z: Enclosure, eps: float, fmt: Format) -> Floats:
    """What a smoothed loss loses when a term below lambda is flushed to zero."""
    if eps == 0:
        return np.zeros(low_z.head.shape)
    lam = fmt.smallest_normal
    chosen = centre(enclosure.softplus_minus(low_z))
    rejected = centre(enclosure.softplus_minus(-high_z))
    lost_chosen = np.where(centre(enclosure.softplus_minus(high_z)) < lam, np.minimum(chosen, lam), 0.0)
    lost_rejected = np.where(eps * centre(enclosure.softplus_minus(-low_z)) < lam, np.minimum(eps * rejected, lam), 0.0)
    return np.asarray(lost_chosen + lost_rejected)


# -- the gradient ------------------------------------------------------------------------------------------------------


def gradient(pairs: Pairs, fmt: Format, *, flush: bool = False) -> Acceptance:
    """The acceptance interval of beta * (sigma(-z) - eps), the size and sign of every derivative in a logp.

    d loss / d policy_chosen is minus this, policy_rejected plus, ref_chosen plus, ref_rejected minus. With
    E(z) = (2K + 3) u (sigma(-z) + eps) + delta_eps + K eta, both sigma(-z) - eps + E and sigma(-z) - eps - E
    decrease in z, so the ends of the logit's interval give the ends of the derivative's. E is relative to
    sigma(-z) + eps, because the difference cancels: correct code may lose every digit of it near its zero.
    """
    z = enclosure.logit(*pairs.logps, pairs.beta)
    dz = logit_error(pairs, fmt)
    eps, lam = pairs.label_smoothing, fmt.smallest_normal
    at_low, at_high = enclosure.sigmoid_minus(z - dz), enclosure.sigmoid_minus(z + dz)
    top, bottom = centre(at_low), centre(at_high)
    w_high = at_low - eps + _slope_error(at_low, eps, fmt, flush)
    w_low = at_high - eps - _slope_error(at_high, eps, fmt, flush)
    if eps != 0:
        w_low = w_low - np.where(bottom < lam, np.minimum(top, lam), 0.0)
        rest = eps * (1 - bottom)
        w_high = w_high + np.where(rest < lam, np.maximum(rest, 0.0), 0.0)
    value = -enclosure.gradient(*pairs.logps, pairs.beta, eps)
    low, high = _scaled(w_low, w_high, pairs.beta, fmt, flush)
    smallest = np.minimum(np.abs(centre(low)), np.abs(centre(high)))
    zero = (smallest < lam) | (bottom < lam) if eps == 0 else np.zeros(top.shape, dtype=bool)
    return Acceptance(value, low, high, zero, fmt)


def _slope_error(sigma: Enclosure, eps: float, fmt: Format, flush: bool) -> Enclosure:
    K, u = kernel_must(fmt), fmt.unit_roundoff
    if eps == 0:
        return sigma * (2 * K * u) + K * _quantum_floor(fmt, flush)
    weight = (2 * K + 3) * u
    return sigma * weight + (weight * eps + option_error(eps, fmt) + K * _quantum_floor(fmt, flush))


def _scaled(low: Enclosure, high: Enclosure, beta: float, fmt: Format, flush: bool) -> tuple[Enclosure, Enclosure]:
    """The product with beta rounded into the format: (1 +- 2u) and an underflow of one quantum."""
    slack = option_error(beta, fmt) + 2 * fmt.unit_roundoff * abs(beta)
    floor = _quantum_floor(fmt, flush)
    small, large = abs(beta) - slack, abs(beta) + slack
    bottom = where(low.head >= 0, low * small, low * large) - floor
    top = where(high.head >= 0, high * large, high * small) + floor
    return (bottom, top) if beta >= 0 else (-top, -bottom)


# -- where a bound applies ---------------------------------------------------------------------------------------------


def representable(pairs: Pairs, fmt: Format) -> Mask:
    """True where nothing on an admitted way to the logit overflows in the format.

    Both log-ratios, both pair differences, the sequential partial sums, the margin, the logit, and the products of
    beta with each difference stay below the largest number, with room for their own rounding errors.
    """
    a, b, c, d = pairs.logps
    with np.errstate(over="ignore", invalid="ignore"):
        h = centre(enclosure.margin(a, b, c, d))
        differences = [np.abs(x) for x in (a - c, b - d, a - b, c - d, h, h - d, h + c, h + b)]
        largest = np.maximum.reduce(differences)
        scaled = np.maximum.reduce(differences[:5]) * abs(pairs.beta)
        room = fmt.largest * (1 - 8 * fmt.unit_roundoff)
        return np.asarray((largest < room) & (scaled < room))


# -- reductions --------------------------------------------------------------------------------------------------------


def mean(each: Acceptance) -> Acceptance:
    """The acceptance interval, of shape (1,), of the mean of n results: n - 1 additions in the format and a division.

    low  = (sum of lows) / n - slack, high likewise, with slack = ((n + 1) u sum of |ends| + n eta) / n: every partial
    sum is at most the sum of the magnitudes, n - 1 additions and the product with 1 / n (two roundings) each err by at
    most u of it (Higham, section 4.2), and the division may underflow.
    """
    n, fmt = len(each.zero), each.fmt
    ends = [np.abs(centre(each.low)), np.abs(centre(each.high))]
    size = float(np.sum(np.maximum(*ends))) * (1 + 2.0**-40)
    slack = ((n + 1) * fmt.unit_roundoff * size + n * fmt.smallest_subnormal) / n
    low, high, exact = (_total(x).divided_by(n) for x in (each.low, each.high, each.exact))
    return Acceptance(exact, low - slack, high + slack, centre(low) < fmt.smallest_normal, fmt)


def _total(x: Enclosure) -> Enclosure:
    total = x[:1]
    for i in range(1, x.size):
        total = total + x[i : i + 1]
    return total


def shared(each: Acceptance, n: int) -> Acceptance:
    """The acceptance intervals of derivatives of a mean over n pairs: each divided by n, with two roundings more."""
    u, eta = each.fmt.unit_roundoff, each.fmt.smallest_subnormal
    low, high, exact = (x.divided_by(n) for x in (each.low, each.high, each.exact))
    low = where(low.head >= 0, low * (1 - 2 * u), low * (1 + 2 * u)) - eta
    high = where(high.head >= 0, high * (1 + 2 * u), high * (1 - 2 * u)) + eta
    smallest = np.minimum(np.abs(centre(low)), np.abs(centre(high)))
    return Acceptance(exact, low, high, each.zero | (smallest < each.fmt.smallest_normal), each.fmt)
