"""The rules: what a change from one finding to another means. Time plays no part in any of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from conformance.gate.changes import Effect, Rule
from conformance.records.record import Finding, Level, Run, Verdict, Worst
from oracle import get_format

GRADES = ("correctly rounded", "faithful", "within 2 ulp", "within 4 ulp", "within MUST", "worse")
"""From the best to the worst."""
HALF = 0.5
"""The error in ulps that a correct rounding may have: no error is taken to be smaller than it."""
Told = tuple[Rule, Effect, str]


@dataclass(frozen=True, slots=True)
class Growth:
    """By what factor a worst error, or a share of violations, may grow.

    exhaustive: where every pattern of a 16-bit format is judged on the same CPU, the worst error is a property of the
    code and not of the draw, so that any growth is the code's. sampled: elsewhere another library draws other points; 4
    is the factor by which xsf's tests let a stored error grow.
    """

    exhaustive: float = 1.0
    sampled: float = 4.0

    def elsewhere(self) -> Growth:
        """On another CPU, where a library takes another path and rounds otherwise, nothing is deterministic."""
        return Growth(max(self.exhaustive, self.sampled), self.sampled)

    def factor(self, run: Run, before: Finding, now: Finding) -> float:
        """The factor for that clause in that format."""
        every = now.clause.startswith("KERNEL-") and get_format(run.format).width == 16
        return self.exhaustive if every and before.points == now.points else self.sampled


def finding_changes(run: Run, before: Finding | None, now: Finding | None, growth: Growth) -> Iterator[Told]:
    """What changed in one clause, each rule for itself."""
    was, told = _judged(before), _judged(now)
    if before is not None and was and now is None:
        yield Rule.CLAUSE_VANISHED, Effect.FAILS, f"{state(before.verdict)} before; not in the record now"
    elif before is not None and was and now is not None and not told:
        rule = Rule.CLAIM_DROPPED if now.verdict is Verdict.NOT_CLAIMED else Rule.NOT_RUN
        yield rule, Effect.FAILS, f"{state(before.verdict)} before; {now.verdict} now: {now.note}"
    elif now is not None and told:
        verdict = list(_violation(before, now))
        yield from verdict
        if before is not None and was:
            factor = growth.factor(run, before, now)
            yield from _violations(before, now, factor)
            yield from _grade(before, now)
            if not any(effect is Effect.FAILS for _, effect, _ in verdict):  # which says that the error grew
                yield from _error(before, now, factor)


def _violation(before: Finding | None, now: Finding) -> Iterator[Told]:
    """A MUST newly violated, or violated no longer."""
    was = before.verdict if before is not None else None
    violates = now.verdict is Verdict.VIOLATES
    must = now.level is Level.MUST
    already = was is Verdict.VIOLATES and before is not None and (before.level is Level.MUST or not must)
    if violates and not already:
        rule, effect = (Rule.MUST_VIOLATED, Effect.FAILS) if must else (Rule.SHOULD_VIOLATED, Effect.WARNS)
        yield rule, effect, f"{state(was)} before; violated now at {now.share}"
    elif not violates and was is Verdict.VIOLATES:
        rule = Rule.MUST_VIOLATED if must else Rule.SHOULD_VIOLATED
        yield rule, Effect.IMPROVES, "violated before; conforms now"


def _violations(before: Finding, now: Finding, factor: float) -> Iterator[Told]:
    """More, or fewer, of the numbers of a MUST that was violated already."""
    if now.level is Level.SHOULD or not (before.violations and now.violations and before.points and now.points):
        return
    was, is_now = before.violations / before.points, now.violations / now.points
    text = f"violated at {before.share} before; at {now.share} now"
    if is_now > factor * was:
        yield Rule.VIOLATIONS_GREW, Effect.FAILS, text
    elif was > factor * is_now:
        yield Rule.VIOLATIONS_GREW, Effect.IMPROVES, text


def _grade(before: Finding, now: Finding) -> Iterator[Told]:
    if before.grade is None or now.grade is None or now.level is Level.SHOULD:
        return
    was, is_now = GRADES.index(before.grade), GRADES.index(now.grade)
    if was != is_now:
        effect = Effect.FAILS if is_now > was else Effect.IMPROVES
        yield Rule.GRADE_DROPPED, effect, f"{before.grade} before; {now.grade} now"


def _error(before: Finding, now: Finding, factor: float) -> Iterator[Told]:
    """A worst error that grew or shrank by more than the factor, never taken to be below half an ulp."""
    old, new = before.worst, now.worst
    if old is None or new is None or now.level is Level.SHOULD:
        return
    if new.rho > factor * old.rho and new.ulp > factor * HALF:
        allowed = "any growth" if factor == 1 else f"more than {factor:g} times"
        text = f"worst error {size(old)} before; {size(new)} now: {allowed} is too much"
        yield Rule.ERROR_GREW, Effect.FAILS, text
    elif old.rho > factor * new.rho and old.ulp > factor * HALF:
        yield Rule.ERROR_GREW, Effect.IMPROVES, f"worst error {size(old)} before; {size(new)} now"


def claim_changes(before: Run, now: Run) -> tuple[list[str], list[str]]:
    """What one run claims and another does not: what was dropped, and what was added."""
    old, new = _claimed(before), _claimed(now)
    return [claim for claim in old if claim not in new], [claim for claim in new if claim not in old]


def _claimed(run: Run) -> list[str]:
    """The claims of a run, in words; to declare that subnormals are flushed is to claim less."""
    claims = run.claims
    found = [f"the option {option}" for option in claims.get("options", [])]
    found += [{"none": "per-pair losses", "mean": "a mean"}.get(str(claims.get("reduction")), "a reduction")]
    keys = (("gradients", "gradient"), ("metrics", "metrics"), ("second derivatives", "second_derivatives"))
    found += [name for name, key in keys if claims.get(key)]
    if claims.get("subnormals") != "flush":
        found.append("gradual underflow")
    if claims.get("accumulation"):
        found.append(f"sums in {claims['accumulation']}")
    return found


def size(worst: Worst) -> str:
    """A worst error in ulps and as rho, to four digits."""
    return f"{worst.ulp:.4g} ulp (ρ {worst.rho:.4g})"


def _judged(finding: Finding | None) -> bool:
    return finding is not None and finding.verdict.judged


def state(verdict: Verdict | None) -> str:
    """What was, in the past; None where the record has no such finding."""
    told = {Verdict.CONFORMS: "conformed", Verdict.VIOLATES: "violated", None: "not judged"}
    return told.get(verdict, str(verdict))
