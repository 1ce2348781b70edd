"""Conduct that is no number: what a violation's note says of it."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.records.diagnosis import Cause, Kind
from conformance.records.record import Finding

CURES = {
    "losses: shape () ": 'Return one loss a pair, without .mean() or .sum(); or claim a mean, by reduction="mean".',
    "losses: shape (1,) ": "Return one loss a pair, as an array of n numbers.",
    "losses: shape (": "Return one loss a pair, as an array of shape (n,): squeeze a column.",
    "positional argument": "Take what it is called with, in this order: the four log-probabilities, beta and label_smoothing; "
    "metrics= and gradient= too.",
    "unexpected keyword argument": "Take what it is called with, by position: the four log-probabilities, beta and "
    "label_smoothing.",
    "it raised ": "Let the call go through: what it raised is said above.",
    "where () was promised": 'Return one number for the batch; or leave reduction="mean" out, for one loss a pair.',
}
"""What mends it, by a part of what was said."""


def cause(violated: Sequence[Finding]) -> Cause | None:
    """The first violation by conduct, as a cause."""
    for finding in violated:
        kind, colon, said = finding.note.partition(": ")
        if finding.worst is None and colon and not set(kind) & set("(["):  # a place in brackets is a number's
            promised = "where () was promised" in said
            cures = [text for part, text in CURES.items() if part in said and promised == ("promised" in part)]
            return Cause(kind, Kind.CONDUCT, "", said, "", cures[0] if cures else "", finding.points, finding.violations)
    return None
