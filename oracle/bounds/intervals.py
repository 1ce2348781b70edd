"""Acceptance intervals of losses and of their derivatives, one for each pair."""

from __future__ import annotations

import numpy as np

from oracle import enclosure
from oracle.ball import Enclosure, joined, where
from oracle.ball import exact as point
from oracle.bounds.acceptance import Acceptance, centre
from oracle.bounds.conditioning import Pairs, kernel_must, logit_error, option_error, quantum_floor
from oracle.formats import Floats, Format


def loss(pairs: Pairs, fmt: Format, *, flush: bool = False) -> Acceptance:
    """The acceptance interval of the loss: the image of [z - delta_z, z + delta_z] with a kernel at its MUST bound.

    With G(z) = f(z) + eps z convex and E(z) = (2K + 3) u (f(z) + eps |z|) + delta_eps (f(z) + f(-z)) + (K + 2) eta,
    the interval is [min G - max E, max (G + E)] over the logit's interval: no linearisation, valid however wide.
    """
    z, dz, eps = enclosure.logit(*pairs.logps, pairs.beta), logit_error(pairs, fmt), pairs.label_smoothing
    n, low_z, high_z = z.size, z - dz, z + dz
    points = joined(z, low_z, high_z, _turning(low_z, high_z, eps))
    f, opposite = _both_losses(points)
    value = f if eps == 0 else f - f * eps + opposite * eps
    error = _loss_error(points, f, opposite, eps, fmt, flush)
    ends = slice(n, 2 * n), slice(2 * n, 3 * n)
    tops = [value[end] + error[end] for end in ends]
    high = where(centre(tops[0]) > centre(tops[1]), *tops)
    largest = where(centre(error[ends[0]]) > centre(error[ends[1]]), *(error[end] for end in ends))
    low = value[3 * n :] - largest
    if eps != 0:
        low = low - _flushable_loss(f, opposite, n, eps, fmt)
    return Acceptance(value[:n], low, high, centre(low) < fmt.smallest_normal, fmt)


def _turning(low_z: Enclosure, high_z: Enclosure, eps: float) -> Enclosure:
    """Where in the interval G is least: its end, or where sigma(-z) = eps."""
    if eps in {0.0, 1.0}:
        return low_z if eps else high_z
    still = point(np.full(low_z.shape, np.log((1 - eps) / eps)))
    return where((low_z - still).head > 0, low_z, where((high_z - still).head < 0, high_z, still))


def _both_losses(z: Enclosure) -> tuple[Enclosure, Enclosure]:
    """f(z) and f(-z), from one tail: f(z) = f(|z|) + max(-z, 0).

    Only an end z -+ delta_z can be a ball around 0, of a radius below 2**-98 |z|; delta_z's own slack covers that.
    """
    tail = enclosure.softplus_minus(abs(z))
    nothing = point(np.zeros(z.shape))
    up = z.head > 0
    return tail + where(up, nothing, -z), tail + where(up, z, nothing)


def _loss_error(z: Enclosure, f: Enclosure, opposite: Enclosure, eps: float, fmt: Format, flush: bool) -> Enclosure:
    """E(z)."""
    K, u = kernel_must(fmt), fmt.unit_roundoff
    floor = (K + 2) * quantum_floor(fmt, flush)
    if eps == 0:
        return f * (2 * K * u) + floor
    weighted = (f + abs(z) * eps) * ((2 * K + 3) * u)
    return weighted + (f + opposite) * option_error(eps, fmt) + floor


def _flushable_loss(f: Enclosure, opposite: Enclosure, n: int, eps: float, fmt: Format) -> Floats:
    """What a smoothed loss loses when a term below lambda is flushed to zero."""
    lam = fmt.smallest_normal
    chosen, rejected = centre(f), eps * centre(opposite)
    lost_chosen = np.where(chosen[2 * n : 3 * n] < lam, np.minimum(chosen[n : 2 * n], lam), 0.0)
    lost_rejected = np.where(rejected[n : 2 * n] < lam, np.minimum(rejected[2 * n : 3 * n], lam), 0.0)
    return np.asarray(lost_chosen + lost_rejected)


def gradient(pairs: Pairs, fmt: Format, *, flush: bool = False) -> Acceptance:
    """The acceptance interval of beta * (sigma(-z) - eps), the size and sign of every derivative in a logp.

    d loss / d policy_chosen is minus this, policy_rejected plus, ref_chosen plus, ref_rejected minus. With
    E(z) = (2K + 3) u (sigma(-z) + eps) + delta_eps + K eta, both sigma(-z) - eps + E and sigma(-z) - eps - E
    decrease in z, so the ends of the logit's interval give the ends of the derivative's. E is relative to
    sigma(-z) + eps, because the difference cancels: correct code may lose every digit of it near its zero.
    """
    z, dz, eps = enclosure.logit(*pairs.logps, pairs.beta), logit_error(pairs, fmt), pairs.label_smoothing
    n, lam = z.size, fmt.smallest_normal
    sigma = enclosure.sigmoid_minus(joined(z, z - dz, z + dz))
    error = _slope_error(sigma, eps, fmt, flush)
    slope = sigma if eps == 0 else sigma - eps
    w_high, w_low = slope[n : 2 * n] + error[n : 2 * n], slope[2 * n :] - error[2 * n :]
    top, bottom = centre(sigma[n : 2 * n]), centre(sigma[2 * n :])
    if eps != 0:  # either term of the mixture may be flushed
        w_low = w_low - np.where(bottom < lam, np.minimum(top, lam), 0.0)
        rest = eps * (1 - bottom)
        w_high = w_high + np.where(rest < lam, np.maximum(rest, 0.0), 0.0)
    low, high = _scaled(w_low, w_high, pairs.beta, fmt, flush)
    smallest = np.minimum(np.abs(centre(low)), np.abs(centre(high)))
    zero = (smallest < lam) | (bottom < lam) if eps == 0 else np.zeros(top.shape, dtype=bool)
    return Acceptance(slope[:n] * pairs.beta, low, high, zero, fmt)


def _slope_error(sigma: Enclosure, eps: float, fmt: Format, flush: bool) -> Enclosure:
    K, u = kernel_must(fmt), fmt.unit_roundoff
    if eps == 0:
        return sigma * (2 * K * u) + K * quantum_floor(fmt, flush)
    weight = (2 * K + 3) * u
    return sigma * weight + (weight * eps + option_error(eps, fmt) + K * quantum_floor(fmt, flush))


def _scaled(low: Enclosure, high: Enclosure, beta: float, fmt: Format, flush: bool) -> tuple[Enclosure, Enclosure]:
    """The product with beta rounded into the format: (1 +- 2u) and an underflow of one quantum."""
    slack = option_error(beta, fmt) + 2 * fmt.unit_roundoff * abs(beta)
    floor = quantum_floor(fmt, flush)
    small, large = abs(beta) - slack, abs(beta) + slack
    bottom = where(low.head >= 0, low * small, low * large) - floor
    top = where(high.head >= 0, high * large, high * small) + floor
    return (bottom, top) if beta >= 0 else (-top, -bottom)
