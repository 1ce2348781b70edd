"""The conditioning of the inputs: how far from the exact logit correct arithmetic may end up, and where it overflows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oracle import enclosure
from oracle.bounds.acceptance import Mask, centre
from oracle.formats import Floats, Format

KERNEL_MUST_WIDE = 16.0
"""ulp. The loosest that OpenCL allows an elementary function in single precision (OpenCL C 3.0, table 65: erf)."""
KERNEL_MUST_NARROW = 8.0
"""ulp, in the 16-bit formats, whose ulp is up to 0.8 % of the value."""
KERNEL_SHOULD = 4.0
"""ulp, in every format."""


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


def quantum_floor(fmt: Format, flush: bool) -> float:
    """eta, or lambda for an implementation that declares flushing: the least distance that the format resolves."""
    return fmt.smallest_normal if flush else fmt.smallest_subnormal


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
