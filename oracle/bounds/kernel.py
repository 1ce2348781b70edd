"""What a correct log-sigmoid kernel may err by, for its value f and its derivative s: derived, for the forms that code takes.

A kernel is an exponential, by exp or by exp2 of z log2 e, and a few operations after it. The exponential of a rounded product
is that of another logit, z (1 + t), |t| <= kappa = (1 + u)**2 - 1; everything else is relative to f, to s, or to the part of
them that comes from the exponential. docs/bounds.md derives it, section "The kernel's own bounds".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil

import numpy as np

from oracle import enclosure
from oracle.arguments import floats
from oracle.ball import Enclosure, as_enclosure, joined, where
from oracle.ball import exact as point
from oracle.bounds.acceptance import Acceptance, centre
from oracle.bounds.conditioning import OUT, quantum_floor
from oracle.formats import Floats, Format

KERNEL_SHOULD = 4.0
"""ulp, in every format."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The errors of the operations that a kernel is made of, in unit roundoffs; an ulp is at most two of them."""

    exp: float
    log1p: float
    division: float

    @property
    def loss(self) -> float:
        """What f errs by at the most, relative to f, without kappa."""
        return 2 + self.log1p + self.exp

    @property
    def slope(self) -> float:
        """What s errs by at the most, relative to s, without kappa and `subtracted`."""
        return 2 + self.division + self.log1p + self.exp

    @property
    def quanta(self) -> int:
        """q, the least subnormals that a result may be off by underflow: half the parts' roundoffs, rounded up, and one."""
        return ceil((self.exp + max(self.log1p, self.division)) / 2) + 1


NARROW = Parts(exp=1.0, log1p=1.0, division=1.0)
"""The 16-bit formats, whose functions are computed in binary32 and rounded."""
WIDE = Parts(exp=6.0, log1p=4.0, division=5.0)
"""3, 2 and 2.5 ulp: what OpenCL C 3.0, table 65, allows exp and exp2, log1p, and a quotient in single precision."""


def parts(fmt: Format) -> Parts:
    """The operations' errors in that format."""
    return NARROW if fmt.width == 16 else WIDE


def roundoff(fmt: Format) -> float:
    """u, and what comes to it by second order, over the most roundings that a kernel has: u (1 + (e + l + d + 4) u)."""
    part = parts(fmt)
    return fmt.unit_roundoff * (1 + (part.exp + part.log1p + part.division + 4) * fmt.unit_roundoff) * OUT


def kappa(fmt: Format) -> float:
    """(1 + u)**2 - 1: log2 e rounded, and its product with z."""
    return fmt.unit_roundoff * (2 + fmt.unit_roundoff) * OUT


def kernel_must(fmt: Format) -> float:
    """What the value of a kernel MUST keep to where z is small, in unit roundoffs of the value, which are ulps at the most."""
    return parts(fmt).loss


def any_kernel(fmt: Format) -> float:
    """K, ulp. What the kernels of other losses are allowed, whose forms are not derived: 8, or 16 in the wide formats.

    16 is the loosest that OpenCL C 3.0, table 65, allows a function in single precision.
    """
    return 8.0 if fmt.width == 16 else 16.0


def kernel_least(fmt: Format) -> float:
    """ulp. What every kernel MUST keeps to is more, at every logit: (2 + l) u f and (1 + d) u s are parts of it."""
    return min(2 + parts(fmt).log1p, 1 + parts(fmt).division) / 2


def relative(fmt: Format) -> float:
    """The largest error of f and of s, relative to each, but for kappa and `subtracted`."""
    return parts(fmt).slope * roundoff(fmt)


def with_ends(z: Enclosure, down: Floats | float, up: Floats | float, fmt: Format) -> Enclosure:
    """Z, z - down moved down by kappa |z - down|, and z + up moved up likewise, one after the other: 3n logits."""
    ends = joined(z - down, z + up)
    ways = np.repeat([-kappa(fmt), kappa(fmt)], z.size)
    return joined(z, ends + abs(ends) * ways)


def loss_error(f: Enclosure, s: Enclosure, fmt: Format) -> Enclosure:
    """u ((2 + l) f + e s), without underflow: f and s are those of a logit that is shifted already."""
    part, u = parts(fmt), roundoff(fmt)
    return f * ((2 + part.log1p) * u) + s * (part.exp * u)


def slope_error(s: Enclosure, fmt: Format) -> Enclosure:
    """u ((1 + d) s + (1 + l) min(s, 1 - s) + e s (1 - s)), without underflow and `subtracted`."""
    part, u = parts(fmt), roundoff(fmt)
    other = point(np.ones(s.shape)) - s
    smaller = where(centre(s) < 0.5, s, other)
    return s * (other * (part.exp * u) + (1 + part.division) * u) + smaller * ((1 + part.log1p) * u)


def subtracted(low_z: Floats, high_z: Floats, fmt: Format) -> Floats:
    """The largest of min(u f(z), f(|z|)) over each [low_z, high_z]: what exp(-z - f) errs by, since f keeps u f of z.

    It grows up to one z, and falls from there.
    """
    z = np.clip(_turn(fmt), low_z, high_z)
    with np.errstate(under="ignore"):
        tail = np.log1p(np.exp(-np.abs(z)))
    return np.asarray(np.minimum((tail + np.maximum(-z, 0)) * roundoff(fmt), tail) * OUT)


@cache
def _turn(fmt: Format) -> float:
    """The z < 0 at which u f(z) = f(|z|), by bisection: the figure at a neighbouring z is as good to first order."""
    low, high = -64.0, 0.0
    for _ in range(60):
        z = (low + high) / 2
        tail = float(np.log1p(np.exp(z)))
        low, high = (z, high) if (tail - z) * fmt.unit_roundoff > tail else (low, z)
    return high


def losses(z: Floats, fmt: Format, *, flush: bool = False) -> Acceptance:
    """The acceptance interval of f at logits that are fed exactly; 0 besides where f is below the smallest normal number.

    Raises NotANumber and NotBinary64.
    """
    z = np.atleast_1d(floats("z", z))
    n = z.size
    f, s = enclosure.kernel(with_ends(as_enclosure(z), 0.0, 0.0, fmt))
    error = loss_error(f, s, fmt) + np.tile(_floor(f[:n], fmt, flush), 3)
    return _acceptance(f, f[2 * n :] - error[2 * n :], f[n : 2 * n] + error[n : 2 * n], fmt)


def slopes(z: Floats, fmt: Format, *, flush: bool = False) -> Acceptance:
    """The acceptance interval of s at logits that are fed exactly, as `losses`."""
    z = np.atleast_1d(floats("z", z))
    n = z.size
    s = enclosure.sigmoid_minus(with_ends(as_enclosure(z), 0.0, 0.0, fmt))
    extra = subtracted(z, z, fmt)
    error = slope_error(s, fmt) + s * np.tile(extra, 3) + np.tile(_floor(s[:n], fmt, flush), 3)
    return _acceptance(s, s[2 * n :] - error[2 * n :], s[n : 2 * n] + error[n : 2 * n], fmt)


def _floor(exact: Enclosure, fmt: Format, flush: bool) -> Floats:
    """q eta; q lambda of who declares flushing, where the exact value is subnormal."""
    least = np.where(centre(exact) < fmt.smallest_normal, quantum_floor(fmt, flush), fmt.smallest_subnormal)
    return np.asarray(parts(fmt).quanta * least)


def _acceptance(values: Enclosure, low: Enclosure, high: Enclosure, fmt: Format) -> Acceptance:
    exact = values[: low.size]
    return Acceptance(exact, low, high, np.asarray(centre(exact) < fmt.smallest_normal), fmt)
