"""What a worst error in ulps is called."""

from __future__ import annotations

GRADES = (
    (0.5, "correctly rounded"),
    (1.0, "faithful"),
    (2.0, "within 2 ulp"),
    (4.0, "within 4 ulp"),
)
"""Worst error in ulps, and what it is called; "faithful" needs less than 1."""


def grade(worst: float, misrounded: int, allowed: bool) -> str:
    """The name of a worst error that a MUST allows or not; what was never wrongly rounded is correctly rounded."""
    if misrounded == 0:
        return GRADES[0][1]
    if not allowed:
        return "worse"
    return next((name for most, name in GRADES[1:] if worst < most), "within MUST")
