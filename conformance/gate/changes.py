"""What the gate finds between two records: a change, the rule that it falls under, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from conformance.records.record import Finding, Run


class Rule(StrEnum):
    """What a record is compared by; each is the name of what may get worse."""

    MUST_VIOLATED = "must-violated"
    VIOLATIONS_GREW = "violations-grew"
    GRADE_DROPPED = "grade-dropped"
    ERROR_GREW = "error-grew"
    CLAUSE_VANISHED = "clause-vanished"
    CLAIM_DROPPED = "claim-dropped"
    NOT_RUN = "not-run"
    RUN_VANISHED = "run-vanished"
    ACCEPTANCE_EXPIRED = "acceptance-expired"
    ACCEPTANCE_STALE = "acceptance-stale"
    ACCEPTANCE_UNMATCHED = "acceptance-unmatched"
    SHOULD_VIOLATED = "should-violated"


RULES: dict[Rule, str] = {
    Rule.MUST_VIOLATED: "a MUST is violated that the baseline does not show violated",
    Rule.VIOLATIONS_GREW: "a MUST that was violated already is violated at more of its numbers",
    Rule.GRADE_DROPPED: "a kernel's grade is lower: correctly rounded, faithful, within 2 ulp, within 4 ulp, within MUST",
    Rule.ERROR_GREW: "the worst error of a MUST grew",
    Rule.CLAUSE_VANISHED: "a clause that was judged is not in the record",
    Rule.CLAIM_DROPPED: "a format, an option, gradients, metrics or a clause is not claimed any more",
    Rule.NOT_RUN: "an implementation, a format or a clause is not run that was judged, or that is new",
    Rule.RUN_VANISHED: "an implementation or a format that was judged is not in the record",
    Rule.ACCEPTANCE_EXPIRED: "an accepted violation is past its expiry",
    Rule.ACCEPTANCE_STALE: "an accepted violation no longer occurs",
    Rule.ACCEPTANCE_UNMATCHED: "an accepted violation names what was not judged",
}
"""The rules that fail a gate, in words. SHOULD_VIOLATED is not among them: it warns."""


class Effect(StrEnum):
    """What follows from a change."""

    FAILS = "fails"
    ACCEPTED = "accepted"
    WARNS = "warns"
    IMPROVES = "improves"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between the baseline and the record.

    implementation: as reports call it, with its source where two share a name. clause: empty where the change is of a
    whole run. text: what was and what is. before, now: the findings, where there are any. run: the run it was seen in.
    """

    rule: Rule
    effect: Effect
    implementation: str
    format: str
    text: str
    clause: str = ""
    before: Finding | None = None
    now: Finding | None = None
    run: Run | None = None
