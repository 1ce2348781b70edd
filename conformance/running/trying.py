"""One implementation tried on one clause, and the findings of many drawn together into a run."""

from __future__ import annotations

import platform
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import replace

from conformance.clauses import Clause, Outcome
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour, Unfinished
from conformance.implementations import Implementation
from conformance.inputs.profiles import Profile
from conformance.records.diagnosis import Diagnosis
from conformance.records.record import Finding, Level, Run, Verdict
from oracle import Format
from oracle.doubledouble import UnfaithfulArithmetic

FIRST = "CALL-1"
"""The clause that is tried first: who gives no answer there is not asked anything else."""
FIRSTS = frozenset({FIRST, "LOGP-1", "PREF-1", "PATH-1", "STEP-1", "KL-1"})
"""The same for every kind of implementation."""


def opened(implementation: Implementation, fmt: Format, profile: Profile, source: str) -> Run:
    """The run before any clause: its verdict is final where the format is not claimed or cannot be run here."""
    blank = Run(
        implementation=implementation.name,
        source=source,
        format=fmt.name,
        profile=profile.name,
        verdict=Verdict.CONFORMS,
        claims=implementation.claims.plain(),
        environment={"python": platform.python_version()} | dict(implementation.environment),
    )
    if fmt not in implementation.claims.formats:
        return replace(blank, verdict=Verdict.NOT_CLAIMED, reason=f"it does not claim {fmt.name}")
    unavailable = implementation.unavailable()
    return blank if unavailable is None else replace(blank, verdict=Verdict.NOT_RUN, reason=unavailable)


def check(clause: Clause, trial: Trial) -> Finding:
    """What the clause's check finds: a verdict in every case, whatever the implementation does."""
    missing = _missing(clause, trial)
    if missing:
        return Finding(clause.id, clause.level, Verdict.NOT_CLAIMED, note=f"it does not claim {missing}")
    try:
        unavailable = trial.implementation.unavailable()
        if unavailable is not None:  # a program that has broken off too often
            return skipped(clause, unavailable)
        outcome: Outcome = clause.check(trial)
    except Misbehaviour as error:
        return failed(clause, _with_note(clause, trial, f"{error.kind}: {error}"))
    except Unfinished as reason:
        return skipped(clause, str(reason))
    except UnfaithfulArithmetic as error:
        return failed(clause, f"changed the arithmetic: after its call, {error}")
    verdict = Verdict.VIOLATES if outcome.violations else Verdict.CONFORMS
    if outcome.not_claimed:
        verdict = Verdict.NOT_CLAIMED
    elif not outcome.points:
        outcome = replace(outcome, note=outcome.note or f"none of its inputs can be judged in {trial.fmt.name}")
        verdict = Verdict.NOT_CLAIMED
    return Finding(
        clause.id,
        clause.level,
        verdict,
        points=outcome.points,
        violations=outcome.violations,
        worst=outcome.worst,
        counts=outcome.counts,
        grade=outcome.grade,
        note=_with_note(clause, trial, outcome.note) if verdict is Verdict.VIOLATES else outcome.note,
    )


def _with_note(clause: Clause, trial: Trial, note: str) -> str:
    """A violation's note, and what is known of it, as the implementation's wrapper says."""
    known = trial.implementation.claims.notes.get(clause.id)
    return "; ".join(part for part in (note, known) if part)


def failed(clause: Clause, note: str) -> Finding:
    """The clause is violated, by conduct and not by a number."""
    return Finding(clause.id, clause.level, Verdict.VIOLATES, points=1, violations=1, note=note)


def unanswered(finding: Finding) -> bool:
    """True where the first clause got no answer at all: nothing else is worth asking."""
    return finding.clause in FIRSTS and finding.verdict is Verdict.VIOLATES and finding.worst is None


def skipped(clause: Clause, reason: str) -> Finding:
    """The clause was not tried, and why."""
    return Finding(clause.id, clause.level, Verdict.NOT_RUN, note=reason)


def concluded(run: Run, findings: Iterable[Finding], seconds: float) -> Run:
    """The run with its findings and its verdict: violated by one MUST, and passed only where every MUST was tried."""
    found = tuple(findings)
    wrong = any(f.verdict is Verdict.VIOLATES and f.level is Level.MUST for f in found)
    judged = any(f.verdict.judged for f in found)
    untried = [f.note for f in found if f.verdict is Verdict.NOT_RUN and (f.level is Level.MUST or not judged)]
    if wrong:
        verdict, reason = Verdict.VIOLATES, ""
    elif untried:  # three violated SHOULDs may have ended it: what was not run is never a pass
        verdict, reason = Verdict.NOT_RUN, untried[0]
    elif judged:
        verdict, reason = Verdict.CONFORMS, ""
    else:
        verdict, reason = Verdict.NOT_CLAIMED, "no clause applies to what it claims"
    return replace(run, verdict=verdict, reason=reason, findings=found, seconds=round(seconds, 3))


def _missing(clause: Clause, trial: Trial) -> str:
    """What the clause needs and the implementation does not claim; empty if nothing."""
    claims = trial.implementation.claims
    if clause.kind != claims.kind:
        return f"to be a {clause.kind}"
    names = {"none": "per-pair losses", "mean": "a mean", "gradient": "gradients"}
    return ", ".join(names.get(need, need) for need in sorted(clause.needs - claims.claimed))


def told_on_stderr(text: str) -> None:
    """Told on standard error, of this process."""
    sys.stderr.write(text)


def explained(trial: Trial, findings: Iterable[Finding], defect: Callable[[str], None] = told_on_stderr) -> Diagnosis | None:
    """Why it violates a MUST; None where it does not and where it does not answer.

    A defect of the suite costs the diagnosis and nothing else: `defect` is told where it happened.
    """
    from conformance.diagnosis import diagnosed  # noqa: PLC0415 - for what violates alone

    try:
        return diagnosed(trial, list(findings))
    except (Misbehaviour, Unfinished, UnfaithfulArithmetic):
        return None
    except Exception:
        defect(traceback.format_exc())
        return None
