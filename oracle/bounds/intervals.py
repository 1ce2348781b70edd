"""Acceptance intervals of losses and of their derivatives, one for each pair."""

from __future__ import annotations

import numpy as np

from oracle import enclosure
from oracle.ball import Enclosure, joined, where
from oracle.ball import exact as point
from oracle.bounds import kernel
from oracle.bounds.acceptance import Acceptance, Mask, centre, largest
from oracle.bounds.conditioning import OUT, Pairs, logit_error, option_error, option_range, quantum_floor, spread
from oracle.errors import OutOfRange
from oracle.formats import Floats, Format

ROOT_ERROR = 2.0**-78
"""Of f: what a minimum gains where its place is a float64, computed by a log of relative error 2**-49. docs/bounds.md."""


def loss(pairs: Pairs, fmt: Format, *, flush: bool = False, ratios_first: bool = False) -> Acceptance:
    """The acceptance interval of the loss: the image of [z - delta_z, z + delta_z], with a kernel at its MUST bound.

    Without smoothing f falls, and a kernel is off by kappa |z| in the logit, by E_f = u ((2 + l) f + e s) and by q eta:

        [(f - E_f)(z + delta_z + kappa |z + delta_z|) - q eta,  (f + E_f)(z - delta_z - kappa |z - delta_z|) + q eta]

    With smoothing, `_smoothed_loss`. No linearisation: valid however wide the logit's interval. ratios_first: of the order
    (pc - rc) - (pr - rr) alone. Raises OutOfRange where some pairs have label smoothing and others none.
    """
    z, (down, up) = enclosure.logit(*pairs.logps, pairs.beta), logit_error(pairs, fmt, ratios_first=ratios_first)
    if _smoothed(pairs):
        return _smoothed_loss(z, z - down, z + up, pairs.label_smoothing, fmt, flush)
    n, floor = z.size, kernel.parts(fmt).quanta * quantum_floor(fmt, flush)
    f, s = enclosure.kernel(kernel.with_ends(z, down, up, fmt))
    error = kernel.loss_error(f, s, fmt) + floor
    low, high = f[2 * n :] - error[2 * n :], f[n : 2 * n] + error[n : 2 * n]
    return Acceptance(f[:n], low, high, _reaches_zero(low, high, fmt), fmt)


def _smoothed(pairs: Pairs) -> bool:
    """Whether they have label smoothing, all of them or none."""
    some = np.atleast_1d(pairs.label_smoothing) != 0
    if some.any() and not some.all():
        raise OutOfRange("label_smoothing", pairs.label_smoothing, "0 for all pairs or for none of them")
    return bool(some.any())


def _smoothed_loss(
    z: Enclosure, low_z: Enclosure, high_z: Enclosure, smoothing: float | Floats, fmt: Format, flush: bool
) -> Acceptance:
    """[min (G - E), max (G + E)] over the logit's interval, with z+ = max(z, 0), and

        G(z) = f(z) + eps z
        E(z) = w (f(z) + eps z+) + (1 + w) delta_eps (f(z) + z+) + (q + 2) eta + H

    G + E is convex, so its maximum is at an end. G - E is convex on either side of 0 and bends down at 0, so its
    minimum is at an end or where one of the two sides turns: see `_turning`. H, `_moved`, is the same all over the interval:
    the two kernels of a mixture may be off in the logit by kappa |z| each its own way.
    """
    n, w = z.size, smoothing_weight(fmt)
    change, *roots = spread(lambda eps: _of_smoothing(eps, fmt), smoothing)
    points = joined(z, low_z, high_z, *(_turning(low_z, high_z, root) for root in roots))
    f, opposite = _both_losses(points)
    positive = where(points.head > 0, points, 0.0)
    eps = np.broadcast_to(smoothing, n)
    everywhere, changed = np.tile(eps, 5), np.tile(np.broadcast_to(change, n), 5)
    value = f - f * everywhere + opposite * everywhere
    with np.errstate(under="ignore", invalid="ignore"):
        moved = (1 - eps) * _moved(low_z, high_z, fmt) + eps * _moved(-high_z, -low_z, fmt)
    floor = np.tile((kernel.parts(fmt).quanta + 2) * quantum_floor(fmt, flush) + moved, 5)
    error = (f + positive * everywhere) * (w + ROOT_ERROR) + (f + positive) * changed + floor
    above, below = value + error, value - error
    ends = [slice(i * n, (i + 1) * n) for i in range(5)]
    high = largest(above[ends[1]], above[ends[2]])
    low = -largest(*(-below[end] for end in ends[1:]))
    grown = {i: _growth(points[ends[i]], fmt) for i in (1, 2)}
    for share, term, first, last in ((1 - eps, f, 2, 1), (eps, opposite, 1, 2)):
        with np.errstate(over="ignore", under="ignore"):
            least, most = (centre(term[ends[i]] * share) * grown[i] ** sign for i, sign in ((first, -1), (last, 1)))
        low = low - _lost(least, most, fmt)
    return Acceptance(value[:n], low, high, _reaches_zero(low, high, fmt), fmt)


def _growth(z: Enclosure, fmt: Format) -> Floats:
    """E**(kappa |z|): f(z -+ d) is within a factor of e**d of f(z). Beyond e**700 a product with it is decided anyway."""
    with np.errstate(under="ignore"):
        return np.asarray(np.exp(np.minimum(kernel.kappa(fmt) * np.abs(centre(z)), 700.0)))


def _moved(low_z: Enclosure, high_z: Enclosure, fmt: Format) -> Floats:
    """The largest of f(z - kappa |z|) - f(z) over each interval: at most kappa |z|, and kappa z s((1 - kappa) z) for z > 0.

    That falls up to z = 0, and for z > 0 has one hump: t / (1 + e**t) is at most 0.2785, at t = 1.2785.
    """
    k, low, high = kernel.kappa(fmt), centre(low_z), centre(high_z)

    def most(z: Floats) -> Floats:
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            return np.abs(z) * np.where(z > 0, 1 / (1 + np.exp((1 - k) * z)), 1.0)

    hump = np.where((low < 1.3 / (1 - k)) & (high > 1.2), 0.2785 / (1 - k), 0.0)
    largest_of: Floats = np.maximum.reduce([most(low), most(high), hump])
    with np.errstate(under="ignore"):
        return largest_of * (k * OUT)


def smoothing_weight(fmt: Format) -> float:
    """w = (1 + r) (1 + u)**3 - 1: a kernel's relative error r, 1 - eps, a product and a sum (or the product with beta)."""
    r, u = kernel.relative(fmt), fmt.unit_roundoff
    return (r + (1 + r) * u * (3 + u * (3 + u))) * OUT


def _of_smoothing(eps: float, fmt: Format) -> tuple[float, float, float]:
    """(1 + w) delta_eps, and where G - E has derivative 0, left and right of z = 0: sigma(-z) = r there, for two values of r.

    G - E is (1 - w - change) f + eps z, less (change + w eps) z for z > 0, less a constant.
    """
    w = smoothing_weight(fmt)
    change = (1 + w) * option_error(eps, fmt)
    steepness = 1 - w - change
    left, right = eps / steepness, (eps - change - w * eps) / steepness
    return change, _logit_of(left), _logit_of(right)


def _logit_of(r: float) -> float:
    """Z with sigma(-z) = r; a number beyond every logit where there is none."""
    if r <= 0 or r >= 1:
        return 1e300 if r <= 0 else -1e300
    return float(np.log((1 - r) / r))


def _turning(low_z: Enclosure, high_z: Enclosure, root: float | Floats) -> Enclosure:
    """The root, or the end of the interval nearest to it."""
    still = point(np.full(low_z.shape, root))
    return where((low_z - still).head > 0, low_z, where((high_z - still).head < 0, high_z, still))


def _both_losses(z: Enclosure) -> tuple[Enclosure, Enclosure]:
    """f(z) and f(-z), from one tail: f(z) = f(|z|) + max(-z, 0).

    Only an end z -+ delta_z can be a ball around 0, of a radius below 2**-98 |z|; delta_z's own slack covers that.
    """
    tail = enclosure.softplus_minus(abs(z))
    nothing = point(np.zeros(z.shape))
    up = z.head > 0
    return tail + where(up, nothing, -z), tail + where(up, z, nothing)


def _lost(least: Floats, most: Floats, fmt: Format, scale: float | Floats = 1.0) -> Floats:
    """What a term that lies in [least, most] loses where it, or its product with scale <= 1, is flushed.

    1 - 2w covers the errors of the term itself: it is flushed where what was computed is below lambda.
    """
    with np.errstate(over="ignore", under="ignore"):
        limit = fmt.smallest_normal / (scale * (1 - 2 * smoothing_weight(fmt)))
    return np.asarray(np.where(least < limit, np.minimum(most, limit), 0.0))


def _reaches_zero(low: Enclosure, high: Enclosure, fmt: Format) -> Mask:
    """Whether a result in [low, high] may be subnormal, and so be flushed."""
    return np.asarray((centre(low) < fmt.smallest_normal) & (centre(high) > -fmt.smallest_normal))


def gradient(pairs: Pairs, fmt: Format, *, flush: bool = False) -> Acceptance:
    """The acceptance interval of beta * (sigma(-z) - eps), the size and sign of every derivative in a logp.

    d loss / d policy_chosen is minus this, policy_rejected plus, ref_chosen plus, ref_rejected minus. With
    s = sigma(-z), m = max(s, (1 - eps) s + eps (1 - s)) and

        E = w m + (1 + w) delta_eps + (q + 1) eta + X(z) s + eps X(-z),    or E_s + q eta + X s where eps = 0,

    both s - eps + E and s - eps - E decrease in z, so the ends of the logit's interval give the ends of the
    derivative's. E is relative to m <= s + eps, because the difference cancels: correct code may lose every digit of it
    near its zero. Raises OutOfRange where some pairs have label smoothing and others none.
    """
    z, (down, up) = enclosure.logit(*pairs.logps, pairs.beta), logit_error(pairs, fmt)
    n, eps, smoothed = z.size, np.broadcast_to(pairs.label_smoothing, z.shape), _smoothed(pairs)
    points = kernel.with_ends(z, down, up, fmt)
    sigma = enclosure.sigmoid_minus(points)
    low_z, high_z = centre(points[n : 2 * n]), centre(points[2 * n :])
    error = _slope_error(points, sigma, pairs.label_smoothing, fmt, flush)
    error = error + sigma * np.tile(kernel.subtracted(low_z, high_z, fmt), 3)
    if smoothed:
        with np.errstate(under="ignore"):
            error = error + np.tile(eps * kernel.subtracted(-high_z, -low_z, fmt), 3)
    slope = sigma - np.tile(eps, 3) if smoothed else sigma
    w_high, w_low = slope[n : 2 * n] + error[n : 2 * n], slope[2 * n :] - error[2 * n :]
    if smoothed:
        top, bottom = centre(sigma[n : 2 * n]), centre(sigma[2 * n :])
        scale = np.where(pairs.beta == 0, 1.0, np.minimum(1.0, np.abs(pairs.beta)))
        with np.errstate(under="ignore"):
            w_low = w_low - _lost((1 - eps) * bottom, (1 - eps) * top, fmt, scale)
            w_high = w_high + _lost(eps * (1 - top), eps * (1 - bottom), fmt, scale)
    low, high = _scaled(w_low, w_high, pairs.beta, fmt, flush)
    zero = _reaches_zero(w_low, w_high, fmt) | _reaches_zero(low, high, fmt)
    return Acceptance(slope[:n] * pairs.beta, low, high, zero, fmt)


def _slope_error(z: Enclosure, sigma: Enclosure, smoothing: float | Floats, fmt: Format, flush: bool) -> Enclosure:
    """E, of three points a pair: for z <= 0, where s >= 1/2, m is s itself; for z > 0 it is s + eps - 2 eps s."""
    quanta, floor, n = kernel.parts(fmt).quanta, quantum_floor(fmt, flush), z.size // 3
    if not np.any(smoothing):
        return kernel.slope_error(sigma, fmt) + quanta * floor
    w = smoothing_weight(fmt)
    change = spread(lambda eps: _of_smoothing(eps, fmt), smoothing)[0]
    eps, changed = (np.tile(np.broadcast_to(one, n), 3) for one in (smoothing, change))
    size = where(z.head > 0, sigma + (point(np.ones(z.shape)) - sigma * 2) * eps, sigma)
    return size * w + (changed + (quanta + 1) * floor)


def _scaled(low: Enclosure, high: Enclosure, beta: float | Floats, fmt: Format, flush: bool) -> tuple[Enclosure, Enclosure]:
    """The product with beta in the format: one rounding, and an underflow of one quantum."""
    least, most = spread(lambda one: option_range(one, fmt), beta)
    floor = np.where(np.asarray(beta) == 0, 0.0, quantum_floor(fmt, flush))
    bottom, top = where(low.head >= 0, low * least, low * most), where(high.head >= 0, high * most, high * least)
    bottom, top = bottom - abs(bottom) * fmt.unit_roundoff - floor, top + abs(top) * fmt.unit_roundoff + floor
    up = np.broadcast_to(np.asarray(beta) >= 0, low.shape)
    return where(up, bottom, -top), where(up, top, -bottom)
