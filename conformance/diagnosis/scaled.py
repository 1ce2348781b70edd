"""A loss up to a constant, the number of pairs, or a power of beta: other conventions for the same thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from oracle import Format
from oracle.bounds import Acceptance, Mask, centre
from oracle.formats import Floats

LEAST = 4
"""Numbers of which a constant is told."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What came back for one batch of n pairs at a beta, NaN where there is none, and what the loss allows there."""

    got: Floats
    acceptance: Acceptance
    fits: Mask
    n: int
    beta: float


@dataclass(frozen=True, slots=True)
class Scale:
    """The values are factor times the unit times the loss; unit: "" for 1."""

    factor: float
    unit: str

    @property
    def text(self) -> str:
        """Both, as a factor of what follows."""
        if not self.unit:
            return f"{self.factor:.6g} times"
        return f"{self.unit} times" if abs(self.factor - 1) <= 1e-3 else f"{self.factor:.6g} {self.unit} times"


UNITS: tuple[tuple[str, Callable[[int, float], float]], ...] = (
    ("", lambda n, beta: 1.0),
    ("n, the number of pairs,", lambda n, beta: float(n)),
    ("beta", lambda n, beta: beta),
    ("beta^2", lambda n, beta: beta * beta),
    ("1 / beta", lambda n, beta: 1 / beta),
    ("1 / beta^2", lambda n, beta: 1 / beta**2),
)


def scale(parts: Sequence[Asked], fmt: Format) -> Scale | None:
    """What stands before the loss where that alone is between it and what came back; None where nothing or no such thing is."""
    for unit, of in UNITS:
        units = [of(part.n, part.beta) for part in parts]
        with np.errstate(all="ignore"):
            ratios = [_ratios(part, fmt) / each for part, each in zip(parts, units, strict=True)]
        known = np.concatenate([np.zeros(0), *ratios])
        middle = float(np.median(known)) if known.size >= LEAST else np.nan
        if not np.isfinite(middle) or middle == 0 or np.median(np.abs(known / middle - 1)) > 16 * fmt.unit_roundoff:
            continue
        if all(_same(part, middle * each, fmt) for part, each in zip(parts, units, strict=True)):
            nothing = not unit and abs(middle - 1) <= max(1e-3, 16 * fmt.unit_roundoff)
            return None if nothing else Scale(middle, unit)
    return None


def _ratios(part: Asked, fmt: Format) -> Floats:
    exact = centre(part.acceptance.exact)
    kept = (
        part.fits & np.isfinite(part.got) & (np.abs(exact) >= fmt.smallest_normal) & (np.abs(part.got) >= fmt.smallest_normal)
    )
    quotients: Floats = part.got[kept] / exact[kept]
    return quotients


def _same(part: Asked, factor: float, fmt: Format) -> bool:
    """Whether each number, divided by the factor, is the loss's, but for the rounding of the product."""
    with np.errstate(all="ignore"):
        kept = part.fits & (np.abs(centre(part.acceptance.exact) * factor) < fmt.largest / 4)
        rho = part.acceptance.rho(part.got / factor)
    return bool(np.all(rho[kept] <= 2))
