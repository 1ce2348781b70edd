"""What a printed figure says of the number behind it: an interval, with the rounding of whoever printed it inside."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from oracle import bfloat16, binary16
from oracle.formats import Floats, Format

COARSE = (bfloat16, binary16)
SHORT = 6
"""Digits with which a figure does not say which number of binary32 it is."""
_NUMBER = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?", re.ASCII)
_SPECIAL = {"nan": math.nan, "inf": math.inf, "+inf": math.inf, "-inf": -math.inf, "infinity": math.inf, "-infinity": -math.inf}
LEAST_DECIMALS, LEAST_DIGITS = 2, 3
"""No writer is taken to round more coarsely than to two decimals and three significant digits, unless all it prints is."""
AVERAGED = 64
"""So many bfloat16 numbers may have been averaged into a figure that is still known for one of theirs."""
UNITS = 4.0
"""Units of bfloat16 or binary16 by which a figure may be off that was computed in it."""
LOOKED_AT = 4096
"""Figures of a column whose format is looked at."""
FEW = 5
"""Short figures that show a format: all of them are its numbers, where not every figure would be."""
SINGLE = 11
"""Characters of a number that says more than binary32 does, where it is no number of binary32 that binary64 prints."""
LARGEST = float(np.finfo(np.float64).max)
"""As which writers leave an infinity that have none, jq and MLflow's database among them."""
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
    """The number of a figure, and NaN for what is none; the largest double stands for the infinity that was."""
    try:
        number = float(raw)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return math.copysign(math.inf, number) if abs(number) >= LARGEST else number


def read(raw: Raw) -> Figure | None:
    """The figure of a text such as 0.6931, -3e-05 or nan, or of a number; None where it is none."""
    stripped = raw.strip() if isinstance(raw, str) else repr(float(raw))
    if len(stripped) > SINGLE:
        stripped = _of_single(stripped)
    special = _SPECIAL.get(stripped.lower())
    if special is not None:
        return Figure(special, 0, 0)
    found = _NUMBER.fullmatch(stripped)
    if found is None or len(stripped) > MOST_DIGITS or not (found[2] or found[3]):
        return None
    whole, fraction, exponent = found[2] or "", found[3] or "", int(found[4] or 0)
    fraction = fraction.rstrip("0")  # of 1.0 it is how a float prints, of 0.693100 how a page prints what was rounded before
    significant = (whole + fraction).lstrip("0")
    number = value(raw)
    if math.isinf(number):
        return Figure(number, 0, 0)
    return Figure(number, len(fraction) - exponent, len(significant) if number else 0)


def _of_single(text: str) -> str:
    """A number of binary32 as binary32 prints it: 0.6931 that was stored so prints as 0.6930999755859375 from binary64."""
    number = value(text)
    single = float(np.float32(number)) if abs(number) < float(np.finfo(np.float32).max) else math.nan
    return str(np.float32(number)) if single == number else text


def on_grid(figure: Figure, averaged: int) -> bool | None:
    """Whether it may be a mean of up to so many numbers of 8 significant bits, of its own binade or the one below.

    None where it is printed so coarsely that more than one in ten would be by chance.
    """
    spacing, unit = 2.0 ** (math.floor(math.log2(abs(figure.value))) - 8), 10.0 ** -min(figure.decimals, 300)
    if unit * averaged * (averaged + 1) / 2 > spacing / 10:
        return None
    for k in range(1, averaged + 1):
        steps = figure.value * k / spacing
        if abs(steps - round(steps)) < k * (1e-6 + 0.5 * unit / spacing):
            return True
    return False


def _shows(figure: Figure, fmt: Format) -> bool | None:
    """Whether a short figure may be a printed number of the format; None where nearly every figure may."""
    unit, quantum = 10.0 ** -min(figure.decimals, 300), 2.0 ** (math.frexp(figure.value)[1] - fmt.precision)
    if not 0 < 4 * unit <= quantum:
        return None
    return abs(figure.value - round(figure.value / quantum) * quantum) <= 0.5 * unit * (1 + 1e-9)


@dataclass(slots=True)
class Rounding:
    """How finely a column is printed, as far as its figures have shown: the most decimals and the most digits.

    A figure that ends in zeros may be printed without them (0.693 for 0.6930), so its own decimals say too little. Two
    ways to round are known: to fixed decimals, and to significant digits; a number lies within the coarser of the two. What
    was rounded to bfloat16 or binary16 before shows too: its figures are numbers of that format, or means of a few.
    """

    decimals: int = 0
    digits: int = 0
    _coarse: int = 0
    _fine: int = 0
    _short: dict[str, list[int]] = field(default_factory=lambda: {fmt.name: [0, 0] for fmt in COARSE})

    def add(self, figures: Iterable[Figure | None]) -> None:
        """Learn from more figures. Fewer than all are enough: what is not seen makes intervals wider, never narrower."""
        for figure in figures:
            if figure is not None and math.isfinite(figure.value):
                self.decimals = max(self.decimals, figure.decimals)
                self.digits = max(self.digits, figure.digits)
                self._see(figure)

    def _see(self, figure: Figure) -> None:
        if self._coarse + self._fine >= LOOKED_AT:
            return
        if figure.digits > SHORT:
            on = on_grid(figure, AVERAGED)
            self._coarse, self._fine = self._coarse + (on is True), self._fine + (on is False)
        elif figure.value:
            for fmt in COARSE:
                shows = _shows(figure, fmt)
                if shows is not None:
                    self._short[fmt.name][shows] += 1

    @property
    def short(self) -> bool:
        """Whether no figure has digits enough to say in which format it was before it was printed."""
        return not self._coarse + self._fine

    @property
    def unit(self) -> float:
        """The unit roundoff of the coarse format in which the column was computed; 0 where none shows."""
        if self._coarse > 2 * self._fine:
            return bfloat16.unit_roundoff
        if self._fine:
            return 0.0
        fits = (fmt.unit_roundoff for fmt in COARSE if self._short[fmt.name][1] >= FEW and not self._short[fmt.name][0])
        return next(fits, 0.0)

    def interval(self, values: Floats, *, as_shown: bool = True) -> tuple[Floats, Floats]:
        """(low, high) of the number behind each figure, rounded outward; NaN for NaN. as_shown: by a coarse format too."""
        decimals, digits = max(self.decimals, LEAST_DECIMALS), max(self.digits, LEAST_DIGITS)
        with np.errstate(all="ignore"):
            size = np.abs(values)
            order = np.where(size > 0, np.floor(np.log10(size) + 1e-12), -400.0)
            by_digits = np.where(size > 0, 0.5 * 10.0 ** np.maximum(order + 1 - digits, -350.0), 0.0)
            half = np.maximum(0.5 * 10.0 ** -float(min(decimals, 330)), by_digits) * (1 + 2.0**-40)
            half += UNITS * (self.unit if as_shown else 0.0) * size
            low, high = np.nextafter(values - half, -np.inf), np.nextafter(values + half, np.inf)
        infinite = np.isinf(values)
        return np.where(infinite, values, low), np.where(infinite, values, high)
