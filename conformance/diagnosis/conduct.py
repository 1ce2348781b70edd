"""Conduct that is no number: what a violation's note says of it."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.clauses import find
from conformance.implementations.preference import KIND as PREFERENCE
from conformance.records.diagnosis import Cause, Kind
from conformance.records.record import Finding

CURES = {
    "losses: shape () ": 'Return one loss a pair, without .mean() or .sum(); or claim a mean, by reduction="mean".',
    "losses: shape (1,) ": "Return one loss a pair, as an array of n numbers.",
    "losses: shape (": "Return one loss a pair, as an array of shape (n,): squeeze a column.",
    ": a tuple where": "Return that one array: of a tuple, the part that holds it.",
    ": a list where": "Return one array, not a list of numbers.",
    ": a dict where": "Return that one array: of a dictionary, the value that holds it.",
    ": a NoneType where": "Return it: the function ends without a return.",
    "is narrower than the inputs'": "Return the losses in the dtype of the inputs or a wider one; a format that it is not "
    "for is left out of dtypes=.",
    "one number a batch was promised": "Return the mean over the batch under each name: .mean().",
    "metrics: no ": "Return all four names of a group: help(conformance.implementations.torch_implementation) lists them.",
    "where a mapping was promised": "Return a dictionary: one number a batch for each name.",
    "it raised ": "Let the call go through: what it raised is said above, and --smoke shows what it printed.",
    "where () was promised": 'Return one number for the batch; or leave reduction="mean" out, for one loss a pair.',
}
"""What mends it, by a part of what was said."""
CALLED = {
    "loss": "Take what it is called with, by position: the four log-probabilities, beta and label_smoothing; metrics= and "
    "gradient= too.",
    PREFERENCE: "Take by keyword what the loss is called with: its log-probabilities, lengths and parameters, by the names "
    "that dpo-conformance explain gives for it.",
}
"""The cure of a signature, by the kind of implementation."""
SIGNATURE = "positional argument", "unexpected keyword argument", "keyword-only argument"


def cause(violated: Sequence[Finding]) -> Cause | None:
    """The first violation by conduct, as a cause."""
    for finding in violated:
        kind, colon, said = finding.note.partition(": ")
        if finding.worst is None and colon and not set(kind) & set("(["):  # a place in brackets is a number's
            return Cause(kind, Kind.CONDUCT, "", said, "", _cure(finding.clause, said), finding.points, finding.violations)
    return None


def told(finding: Finding) -> bool:
    """Whether the note tells what was done, and no number."""
    return finding.worst is None and bool(finding.note) and " got " not in finding.note


def by_note(finding: Finding) -> Cause:
    """The violation, as what its note says of it."""
    key, remedy = f"it violates {finding.clause}", find(finding.clause).remedy
    return Cause(key, Kind.CONDUCT, "", finding.note, "", remedy, finding.points, finding.violations)


def by_title(finding: Finding) -> Cause:
    """The violation, as what its clause is called, where no more is known."""
    clause = find(finding.clause)
    return Cause(finding.clause, Kind.CLAUSE, "", clause.title, "", clause.remedy, finding.points, finding.violations)


def _cure(clause: str, said: str) -> str:
    called = CALLED.get(find(clause).kind)
    if called and any(part in said for part in SIGNATURE):
        return called
    promised = "where () was promised" in said
    return next(
        (text for part, text in CURES.items() if part in said and promised == ("promised" in part and "()" in part)), ""
    )
