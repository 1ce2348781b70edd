"""The conditioning of the inputs: how far from the exact logit correct arithmetic may end up, and where it overflows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from oracle import enclosure
from oracle.arguments import check_shapes, floats, single
from oracle.bounds.acceptance import Mask, centre
from oracle.errors import NotFinite
from oracle.formats import Floats, Format

OUT = 1 + 2.0**-40
"""Covers the float64 arithmetic of a bound itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """n pairs as the bounds see them: four float64 arrays of shape (n,), and for `loss`, `gradient`, `logit_error` and
    `representable` beta and label_smoothing of one number, or of shape (n,); elsewhere of one number.

    Raises NotANumber, NotBinary64, NotFinite for an option, and ShapeMismatch.
    """

    policy_chosen_logps: Floats
    policy_rejected_logps: Floats
    ref_chosen_logps: Floats
    ref_rejected_logps: Floats
    beta: float | Floats
    label_smoothing: float | Floats

    def __post_init__(self) -> None:
        arrays = [np.atleast_1d(floats(name, getattr(self, name))) for name in self.__slots__[:4]]
        check_shapes(self.__slots__[:4], arrays)
        for name, array in zip(self.__slots__[:4], arrays, strict=True):
            object.__setattr__(self, name, array)
        for name in self.__slots__[4:]:
            object.__setattr__(self, name, self._option(name, getattr(self, name)))

    def _option(self, name: str, value: object) -> float | Floats:
        if not isinstance(value, np.ndarray) or not value.ndim:
            return single(name, value, finite=True)
        each = floats(name, value)
        check_shapes(("policy_chosen_logps", name), (self.policy_chosen_logps, each))
        if not np.isfinite(each).all():
            raise NotFinite(name, value, "finite numbers")
        return each

    @property
    def logps(self) -> tuple[Floats, Floats, Floats, Floats]:
        """The four arrays, in the order of every signature."""
        return self.policy_chosen_logps, self.policy_rejected_logps, self.ref_chosen_logps, self.ref_rejected_logps


def logit_error(pairs: Pairs, fmt: Format, *, ratios_first: bool = False) -> tuple[Floats, Floats]:
    """delta_z, as (down, up): z - down <= computed z <= z + up, over every admitted way to compute it in the format.

    Admitted: (a - c) - (b - d) and (a - b) - (c - d), and the sequential sums that begin with a difference, such as
    ((a - b) - c) + d and ((d - c) + a) - b; beta, rounded into the format, applied last, or for the first two applied
    to both differences first (rewards).

        D       = max(2 (|a - c| + |b - d|), 2 (|a - b| + |c - d|), |h| +
                      max(|a - b|, |a - c|, |b - d|, |c - d|) + max(|h - a|, |h + b|, |h + c|, |h - d|))
        delta_z = u (1 + 4u) beta+ (D + |h|) + delta_beta |h| + lambda (4 + 8 beta+ where a subnormal may be flushed)

    ratios_first admits (a - c) - (b - d) alone, with beta applied last or first: D = 2 (|a - c| + |b - d|).

    with [beta-, beta+] the options' range: delta_beta is |beta| - beta- towards 0 and beta+ - |beta| away from it.
    """
    a, b, c, d = pairs.logps
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        largest = np.maximum.reduce([np.abs(values) for values in pairs.logps])
        shrink = np.where(largest > 2.0**1000, 2.0**-8, 1.0)  # the sums below stay finite in float64
        a, b, c, d = (values * shrink for values in pairs.logps)
        u, lam = fmt.unit_roundoff, fmt.smallest_normal
        least, most = spread(lambda one: option_range(one, fmt), pairs.beta)
        beta = np.asarray(pairs.beta)
        margin = centre(enclosure.margin(a, b, c, d))
        h = np.abs(margin)
        ratios, policies = [np.abs(a - c), np.abs(b - d)], [np.abs(a - b), np.abs(c - d)]
        partials = [np.abs(x) for x in (margin - a, margin + b, margin + c, margin - d)]
        sequential = np.maximum.reduce(ratios + policies) + np.maximum.reduce(partials) + h
        D = 2 * sum(ratios) if ratios_first else np.maximum.reduce([2 * sum(ratios), 2 * sum(policies), sequential])
        numbers = np.abs([a, b, c, d, *ratios, *policies, *partials, h])
        tiny = ((numbers > 0) & (numbers < 8 * lam)).any(axis=0)
        rounding = u * (1 + 4 * u) * most * (D + h)
        larger, smaller = rounding + (most - np.abs(beta)) * h, rounding + (np.abs(beta) - least) * h
        lost = lam * (4 + 8 * most * tiny)
        positive = (margin > 0) == (beta > 0)
        down, up = np.where(positive, smaller, larger), np.where(positive, larger, smaller)
        highest = np.finfo(np.float64).max
        return np.minimum((down / shrink + lost) * OUT, highest), np.minimum((up / shrink + lost) * OUT, highest)


def spread(function: Callable[[float], tuple[float, ...]], options: float | Floats) -> tuple[float | Floats, ...]:
    """What the function makes of one option, or arrays of what it makes of each, worked out once for equal ones."""
    if not isinstance(options, np.ndarray):
        return function(options)
    distinct, places = np.unique(options, return_inverse=True)
    return tuple(np.array([function(float(option)) for option in distinct]).T[:, places])


def option_range(value: float, fmt: Format) -> tuple[float, float]:
    """The least and the largest magnitude that beta or label_smoothing may have once it is in the format.

    |x| (1 -+ u); where |x| < lambda, from 0, since flushing is accepted, to |x| + eta / 2. A number that the format
    holds exactly does not grow, and if it is normal there does not shrink. Raises NotANumber, NotBinary64 and NotFinite.
    """
    value = single("value", value, finite=True)
    size, held = abs(value), float(fmt.round_array(value)) == value
    if size < fmt.smallest_normal:
        return 0.0, size if held else size + fmt.smallest_subnormal / 2
    if held:
        return size, size
    least, most = size * (1 - fmt.unit_roundoff), size * (1 + fmt.unit_roundoff)
    return float(np.nextafter(least, 0.0)), float(np.nextafter(most, np.inf))


def option_error(value: float, fmt: Format) -> float:
    """delta: a bound on the change of beta or label_smoothing when it is put into the format, as `option_range`."""
    value = single("value", value, finite=True)
    least, most = option_range(value, fmt)
    return max(most - abs(value), abs(value) - least) * OUT


def quantum_floor(fmt: Format, flush: bool) -> float:
    """eta, or lambda for an implementation that declares flushing: the least distance that the format resolves."""
    return fmt.smallest_normal if flush else fmt.smallest_subnormal


def representable(pairs: Pairs, fmt: Format) -> Mask:
    """True where nothing on an admitted way to the logit overflows in the format.

    beta, both log-ratios, both pair differences, the sequential partial sums, the margin, the logit, and the products
    of beta with each difference stay below the largest number, with room for their own rounding errors.
    """
    a, b, c, d = pairs.logps
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        h = centre(enclosure.margin(a, b, c, d))
        differences = [np.abs(x) for x in (a - c, b - d, a - b, c - d, h, h - a, h - d, h + c, h + b)]
        largest = np.maximum.reduce(differences)
        size = np.abs(np.asarray(pairs.beta))
        scaled = np.maximum.reduce(differences[:5]) * size
        room = fmt.largest * (1 - 8 * fmt.unit_roundoff)
        return np.asarray((largest < room) & (scaled < room) & (size < room))
