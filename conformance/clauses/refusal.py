"""A refusal of what is not finite: an answer that no clause objects to."""

from __future__ import annotations

from functools import wraps

from conformance.clauses.model import Check, Outcome
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour

FINITE = (
    "A form that is right at every finite log-probability and gives NaN at an infinite one, softplus(-z) + eps z, an "
    "interpolation, "
    "a running mean, hides nothing and is no violation of a MUST under label smoothing or in a mean; a finite number there is "
    "(docs/bounds.md, special values)."
)
"""The one policy for what is right at every finite input."""


def refusable(check: Check) -> Check:
    """A refusal of non-finite logps, by an exception, is no wrong answer: the clause is then not claimed."""

    @wraps(check)
    def checked(trial: Trial) -> Outcome:
        try:
            return check(trial)
        except Misbehaviour as error:
            if error.kind != "raised":
                raise
            return Outcome(0, 0, note=f"it refuses such inputs: {error}", not_claimed=True)

    return checked
