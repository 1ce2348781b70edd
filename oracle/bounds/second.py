"""Acceptance intervals of the second derivative, beta**2 sigma(z) sigma(-z): of pairs, and of logits that are fed exactly.

Whoever computes it correctly multiplies two slopes of a kernel, s(z) and s(-z), each at its MUST bound, or does no worse. It
falls with |z|, so that over the logit's interval its extremes are at the ends, and 1/4 where 0 is inside. docs/bounds.md
derives it, section "The second derivative".
"""

from __future__ import annotations

import numpy as np

from oracle import enclosure
from oracle.arguments import floats, single
from oracle.ball import Enclosure, as_enclosure, where
from oracle.ball import exact as point
from oracle.bounds import kernel
from oracle.bounds.acceptance import Acceptance, centre, largest
from oracle.bounds.conditioning import OUT, Pairs, logit_error, option_range, quantum_floor
from oracle.formats import Floats, Format


def second(pairs: Pairs, fmt: Format, *, flush: bool = False) -> Acceptance:
    """The acceptance interval of beta**2 c(z), c = sigma(z) sigma(-z), the size of every second derivative in two logps.

        [c- (1 - r) - (2q + 1) eta, c+ (1 + r) + (2q + 1) eta] * beta**2

    with the least and the largest c over the logit's interval, beta in its range, and two products of one rounding and one
    eta each. label_smoothing does not change it. Raises NotANumber where beta is not one number.
    """
    beta = single("beta", pairs.beta)
    z, (down, up) = enclosure.logit(*pairs.logps, beta), logit_error(pairs, fmt)
    exact, low, high = _of_logit(kernel.with_ends(z, down, up, fmt), z.size, fmt, flush)
    zero = centre(low) < fmt.smallest_normal
    for _ in range(2):
        low, high = _scaled(low, high, abs(beta), fmt, flush)
        zero |= centre(low) < fmt.smallest_normal
    return Acceptance(exact * beta * beta, low, high, np.asarray(zero), fmt)


def curvatures(z: Floats, fmt: Format, *, flush: bool = False) -> Acceptance:
    """The acceptance interval of c at logits that are fed exactly, with beta = 1, as `second`.

    Raises NotANumber and NotBinary64.
    """
    z = np.atleast_1d(floats("z", z))
    exact, low, high = _of_logit(kernel.with_ends(as_enclosure(z), 0.0, 0.0, fmt), z.size, fmt, flush)
    return Acceptance(exact, low, high, np.asarray(centre(low) < fmt.smallest_normal), fmt)


def _of_logit(z: Enclosure, n: int, fmt: Format, flush: bool) -> tuple[Enclosure, Enclosure, Enclosure]:
    """(c, low, high) of n logits, each followed by the ends of its interval, before the products with beta."""
    c = enclosure.sigmoid_minus(z) * enclosure.sigmoid_minus(-z)
    left, right = z[n : 2 * n], z[2 * n :]
    one, other = c[n : 2 * n], c[2 * n :]
    inside = (left.head <= 0) & (right.head >= 0)
    most, least = where(inside, point(np.full(n, 0.25)), largest(one, other)), -largest(-one, -other)
    low_z, high_z = centre(left), centre(right)
    r = _relative(np.where(inside, 0.0, np.minimum(np.abs(low_z), np.abs(high_z))), fmt)
    r = r + (kernel.subtracted(low_z, high_z, fmt) + kernel.subtracted(-high_z, -low_z, fmt)) * (1 + r)
    floor = (2 * kernel.parts(fmt).quanta + 1) * quantum_floor(fmt, flush)
    return c[:n], least - least * (r * OUT) - floor, most + most * (r * OUT) + floor


def _relative(size: Floats, fmt: Format) -> Floats:
    """R, but for X: the errors of both slopes and of their product, at the least |z| of the interval.

    2 (1 + d) + (1 + l) (1 + e**-|z|) + e + 1 roundoffs, with what comes to them by second order.
    """
    part = kernel.parts(fmt)
    with np.errstate(under="ignore"):
        units = 2 * (1 + part.division) + (1 + part.log1p) * (1 + np.exp(-size)) + part.exp + 1
    first: Floats = units * kernel.roundoff(fmt)
    return first * (1 + first)


def _scaled(low: Enclosure, high: Enclosure, beta: float, fmt: Format, flush: bool) -> tuple[Enclosure, Enclosure]:
    """The product with |beta| in the format: one rounding, and an underflow of one quantum; low may lie below 0."""
    least, most = option_range(beta, fmt)
    floor, u = quantum_floor(fmt, flush) if beta else 0.0, fmt.unit_roundoff
    bottom, top = where(low.head >= 0, low * least, low * most), high * most
    return bottom - abs(bottom) * u - floor, top + abs(top) * u + floor
