"""The three quantities that a sweep judges at a logit z: the loss and its derivatives in the policy's logps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Literal

from conformance.inputs.batch import NAMES
from oracle import Format, Real, bounds, judging
from oracle.bounds import Acceptance
from oracle.formats import Floats
from oracle.judging import Judged

Column = Literal[-1, 0, 1]
"""A column of an answer: -1 the losses, 0 and 1 the derivatives in policy_chosen and policy_rejected."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """`sign` times a positive function of z: the kernel f(z) = log1p(exp(-z)), or s(z) = sigma(-z)."""

    name: str
    column: Column
    sign: int
    kernel: Callable[[Fraction], Real]
    judge: Callable[[Floats, Floats, Format], Judged]
    bound: Callable[..., Acceptance]

    def exact(self, z: float) -> Real:
        """The exact value at that logit."""
        return self.kernel(-Fraction(z)) * self.sign

    @cache  # noqa: B019 - a quantity is a constant of this module
    def subnormal_above(self, fmt: Format) -> int:
        """The least magnitude, as an ordinal of the format, of a positive z where the exact value is subnormal.

        Both functions fall, so that it is subnormal, or below, at every larger z, too: found by bisection.
        """
        smallest = Fraction(fmt.smallest_normal)
        low, high = 0, int(fmt.ordinals(fmt.largest))
        while high - low > 1:
            middle = (low + high) // 2
            z = float(fmt.from_ordinals(middle))
            low, high = (low, middle) if (self.kernel(-Fraction(z)) - smallest).sign < 0 else (middle, high)
        return high

    def unit(self, fmt: Format, negative: bool, magnitude: int, flush: bool) -> float:
        """Ulps in one unit of error: those of the smallest normal for a subnormal of who declares flushing, else 1."""
        subnormal = not negative and magnitude >= self.subnormal_above(fmt)
        return 2.0 ** (fmt.precision - 1) if flush and subnormal else 1.0


LOSS = Quantity("loss", -1, 1, Real.softplus, judging.losses, bounds.kernel_losses)
CHOSEN = Quantity(f"d loss / d {NAMES[0]}", 0, -1, Real.sigmoid, judging.derivatives, bounds.kernel_slopes)
REJECTED = Quantity(f"d loss / d {NAMES[1]}", 1, 1, Real.sigmoid, judging.derivatives, bounds.kernel_slopes)
QUANTITIES: tuple[Quantity, ...] = (LOSS, CHOSEN, REJECTED)
