"""The diagnosis of one implementation in one format, whatever it is: a loss, a sequence, a path, a step or a pairing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from conformance.clauses import find
from conformance.clauses.trial import Trial
from conformance.diagnosis import conduct, diagnosing, fewest_tokens, preferences, steps, tokens
from conformance.errors import Misbehaviour
from conformance.implementations.preference import KIND
from conformance.records.diagnosis import Cause, Diagnosis, Kind, Shown
from conformance.records.record import Finding, Level, Verdict

_GENERAL = ("TIDY-1", "PATH-7", "PATH-3", "LOGP-2", "PATH-2", "STEP-2")
"""Inputs that are changed, a policy that differs from itself, ordinary values: what else is violated then says less."""
_NAMES = "; the numbers are "
"""Between a number that a clause saw and the mistake that gives it."""


def diagnosed(trial: Trial, findings: Sequence[Finding]) -> Diagnosis | None:
    """Why it violates; None where it violates no MUST. Raises Misbehaviour where it does not answer."""
    violated = [f for f in findings if f.verdict is Verdict.VIOLATES and f.level is Level.MUST]
    if trial.implementation.claims.kind == "loss":
        try:
            return diagnosing.diagnosed(trial, findings)
        except Misbehaviour as error:  # it does not answer what the diagnosis asks, as no clause may have seen
            cure = find(violated[0].clause).remedy
            return Diagnosis((Cause(error.kind, Kind.CONDUCT, "", str(error), "", cure, 1, 1),))
    if not violated:
        return None
    refused = conduct.cause(violated)
    if refused is not None:
        refused = replace(refused, cure=refused.cure or find(violated[0].clause).remedy)
        if conduct.cause(violated[:1]) is not None:  # no answer to what is asked first: its numbers tell less
            return Diagnosis((refused,))
    found, alike, shown = _by_numbers(trial, violated)
    besides = [*found[1:], *([] if refused is None else [refused])]
    first = found[:1] or [_of_clause(trial, violated)]
    usual = find(violated[0].clause).remedy
    return Diagnosis((replace(first[0], cure=first[0].cure or usual), *alike), tuple(besides), shown)


def _by_numbers(trial: Trial, violated: Sequence[Finding]) -> tuple[list[Cause], list[Cause], Shown | None]:
    """(causes, what fits as well as the first, the smallest input that shows it), from calls of their own."""
    kind = trial.implementation.claims.kind
    if kind == "pairing" or any(f.clause in _GENERAL[:2] for f in violated):
        return [], [], None
    if kind == KIND:
        return preferences.causes(trial)
    if kind == "steps":
        found, shown = steps.causes(trial)
        return found, [], shown
    found = tokens.causes(trial)
    return found[:1], found[1:], fewest_tokens.smallest(trial)


def _of_clause(trial: Trial, violated: Sequence[Finding]) -> Cause:
    """Where nothing that is known fits everywhere: the clause that says the most, and the mistake that it saw, if one."""
    named = {finding.clause: finding for finding in violated}
    general = [named[name] for name in _GENERAL if name in named]
    if not general and "SLOPE-1" in named and not any(name.startswith("LOGP-") for name in named):
        general = [named["SLOPE-1"]]
    first = (general or list(violated))[0]
    clause = find(first.clause)
    if clause.kind == "pairing" or conduct.told(first):  # no number is returned, or none is wrong
        return conduct.by_note(first)
    _, seen, mistake = first.note.partition(_NAMES)
    if seen:
        part = "loss" if trial.implementation.claims.kind == "path" else "log-probabilities"
        where = f"by {first.clause} ({clause.title})"
        cure = tokens.cure(mistake) or clause.remedy
        return Cause(mistake, Kind.CLAUSE, part, mistake, where, cure, first.points, first.violations)
    return conduct.by_title(first)
