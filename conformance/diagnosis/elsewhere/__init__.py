"""What is wrong where the plain calls of a probe are all right: calls made otherwise, other sizes, numbers and derivatives.

Each file has a `cause(trial, violated)`, which asks only where one of its own clauses is violated. The first that explains
anything is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from conformance.clauses.trial import Trial
from conformance.diagnosis.elsewhere import incoming, kernel, logged, means, second, sizes, special, ties, ways
from conformance.errors import Misbehaviour
from conformance.records.diagnosis import Cause
from conformance.records.record import Finding

_LOOKS: tuple[Callable[[Trial, Sequence[Finding]], Cause | None], ...] = (
    means.cause,
    incoming.cause,
    ways.cause,
    ties.cause,
    special.cause,
    sizes.cause,
    kernel.cause,
    second.cause,
)


_OTHERWISE = (ways.cause, ties.cause, special.cause)
"""What tells that something is wrong in that way, or at those inputs, and right elsewhere."""


def cause(trial: Trial, violated: Sequence[Finding], plainly: frozenset[str] = frozenset()) -> Cause | None:
    """What explains the violations, and where; None where nothing that is known does. plainly: "loss" or "derivatives",
    where those of ordinary pairs are wrong when asked plainly: then no other way of asking and no other input is to blame.
    """
    for look in _LOOKS:
        try:
            found = look(trial, violated)
        except Misbehaviour:
            continue
        if found is not None and not (look in _OTHERWISE and found.part in plainly):
            return found
    return None


def metrics(trial: Trial, violated: Sequence[Finding]) -> list[Cause]:
    """What explains the metrics that are right in the calls of a probe; nothing where it does not answer."""
    try:
        return logged.causes(trial, violated)
    except Misbehaviour:
        return []
