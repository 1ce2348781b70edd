"""What a check finds of lines: where it could be asked, where a line is impossible, and both sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conformance.auditing.spans import Mask
from oracle.formats import Floats

OUTWARD = 2.0**-40
"""Covers the float64 arithmetic of a check itself, relative to 1 and to the quantity."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a check found of n lines: where it could be asked, where the line is impossible, and both sides."""

    asked: Mask
    impossible: Mask
    left: Floats
    right: Floats


def outcome(asked: Mask, low: Floats, high: Floats, relation: str) -> Outcome:
    """left relation right, where left's most favourable value is `low` (for <=) or `high` (for >=) of the two given."""
    with np.errstate(invalid="ignore"):
        room = OUTWARD * (1 + np.abs(high))
        broken = low < high - room if relation == ">=" else low > high + room
    return Outcome(asked, asked & broken, low, high)
