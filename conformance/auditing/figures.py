"""What a printed figure says of the number behind it: an interval, with the rounding of whoever printed it inside."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from oracle.formats import Floats

_NUMBER = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?", re.ASCII)
_SPECIAL = {"nan": math.nan, "inf": math.inf, "+inf": math.inf, "-inf": -math.inf, "infinity": math.inf, "-infinity": -math.inf}
LEAST_DECIMALS, LEAST_DIGITS = 2, 3
"""No writer is taken to round more coarsely than to two decimals and three significant digits, unless all it prints is."""
MOST_DIGITS = 400
"""A longer number is no figure of a log."""


Raw = str | float | int
"""A figure as a file holds it: as text where it is printed, so that its digits can be counted."""


class Figure(NamedTuple):
    """One printed number: its value, its decimals, and its significant digits (0 for a zero, NaN or an infinity)."""

    value: float
    decimals: int
    digits: int


def value(raw: object) -> float:
    """The number of a figure, and NaN for what is none."""
    try:
        return float(raw)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan


def read(raw: Raw) -> Figure | None:
    """The figure of a text such as 0.6931, -3e-05 or nan, or of a number; None where it is none."""
    stripped = raw.strip() if isinstance(raw, str) else repr(float(raw))
    special = _SPECIAL.get(stripped.lower())
    if special is not None:
        return Figure(special, 0, 0)
    found = _NUMBER.fullmatch(stripped)
    if found is None or len(stripped) > MOST_DIGITS or not (found[2] or found[3]):
        return None
    whole, fraction, exponent = found[2] or "", found[3] or "", int(found[4] or 0)
    fraction = "" if fraction == "0" else fraction  # 1.0 is how a float prints that has no decimals
    significant = (whole + fraction).lstrip("0")
    number = float(stripped)
    return Figure(number, len(fraction) - exponent, len(significant) if number else 0)


@dataclass(slots=True)
class Rounding:
    """How finely a column is printed, as far as its figures have shown: the most decimals and the most digits.

    A figure that ends in zeros may be printed without them (0.693 for 0.6930), so its own decimals say too little. Two
    ways to round are known: to fixed decimals, and to significant digits; a number lies within the coarser of the two.
    """

    decimals: int = 0
    digits: int = 0

    def add(self, figures: Iterable[Figure | None]) -> None:
        """Learn from more figures. Fewer than all are enough: what is not seen makes intervals wider, never narrower."""
        for figure in figures:
            if figure is not None and math.isfinite(figure.value):
                self.decimals = max(self.decimals, figure.decimals)
                self.digits = max(self.digits, figure.digits)

    def interval(self, values: Floats) -> tuple[Floats, Floats]:
        """(low, high) of the number behind each figure, rounded outward; NaN for NaN."""
        decimals, digits = max(self.decimals, LEAST_DECIMALS), max(self.digits, LEAST_DIGITS)
        with np.errstate(all="ignore"):
            size = np.abs(values)
            order = np.where(size > 0, np.floor(np.log10(size) + 1e-12), -400.0)
            by_digits = np.where(size > 0, 0.5 * 10.0 ** np.maximum(order + 1 - digits, -350.0), 0.0)
            half = np.maximum(0.5 * 10.0 ** -float(min(decimals, 330)), by_digits) * (1 + 2.0**-40)
            low, high = np.nextafter(values - half, -np.inf), np.nextafter(values + half, np.inf)
        infinite = np.isinf(values)
        return np.where(infinite, values, low), np.where(infinite, values, high)
