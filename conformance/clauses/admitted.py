"""Which values of an option may be refused, by an exception: stated once, for every clause."""

from __future__ import annotations

STATED = (
    "May be refused, by an exception of any type: a beta that is not from 0.001 to 1,000 (negative, 0, tiny, huge), and a "
    "label smoothing of 1/2 or more, or above 0 and below 0.001. A refusal is of the value: it is raised for every batch and "
    "of losses and derivatives alike, and no clause then asks for that value. What lies between shall be answered."
)
"""The policy in words: libraries refuse labels that are wrong as often as not, and a beta that is no temperature."""


def may_be_refused(*, beta: float = 1.0, label_smoothing: float = 0.0) -> bool:
    """Whether an exception is an answer to these values."""
    return not 1e-3 <= beta <= 1e3 or label_smoothing >= 0.5 or 0 < label_smoothing < 1e-3
