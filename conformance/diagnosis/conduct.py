"""Conduct that is no number: what a violation's note says of it."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.records.diagnosis import Cause, Kind
from conformance.records.record import Finding


def cause(violated: Sequence[Finding]) -> Cause | None:
    """The first violation by conduct, as a cause."""
    for finding in violated:
        kind, colon, said = finding.note.partition(": ")
        if finding.worst is None and colon:
            return Cause(kind, Kind.CONDUCT, "", said, "", "", finding.points, finding.violations)
    return None
