"""The gate's decision: every change between a baseline and a record, and whether a CI passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from conformance.gate import acceptance
from conformance.gate.acceptance import Acceptance
from conformance.gate.changes import Change, Effect, Rule
from conformance.gate.pairing import NotComparable, Pair, check_comparable, check_same_machine, pair_up, same_devices
from conformance.gate.rules import Growth, claim_changes, finding_changes, state
from conformance.records.record import Finding, Record, Run, Verdict


@dataclass(frozen=True, slots=True)
class Decision:
    """What changed between two records, and what follows.

    context: what differs in where they were made, a line each. pairs: the runs that were compared.
    """

    baseline: Record
    record: Record
    changes: tuple[Change, ...]
    context: tuple[str, ...]
    pairs: tuple[Pair, ...]

    @property
    def passes(self) -> bool:
        """True where no change fails."""
        return not self.of(Effect.FAILS)

    @property
    def improves(self) -> bool:
        """True where something is better than in the baseline."""
        return bool(self.of(Effect.IMPROVES))

    def of(self, effect: Effect) -> tuple[Change, ...]:
        """The changes of that effect."""
        return tuple(change for change in self.changes if change.effect is effect)


def compare(
    baseline: Record,
    record: Record,
    *,
    growth: Growth | None = None,
    acceptances: tuple[Acceptance, ...] = (),
    today: date | None = None,
    renamed: Mapping[str, str] | None = None,
    across_machines: bool = False,
) -> Decision:
    """The decision on a record, given a baseline.

    renamed: names of the baseline, and what the record calls them. today: in UTC, for acceptances that expire.

    Raises NotComparable where the suite's version, the seed, a profile, the architecture, the operating system or a
    device differs (the last three not if across_machines).
    """
    check_comparable(baseline, record)
    pairs = pair_up(baseline, record, renamed or {})
    if not across_machines:
        check_same_machine(baseline, record)
        for pair, was, now in same_devices(pairs):
            raise NotComparable(
                f"{pair.implementation} in {pair.format}: device {was or 'unknown'} before and {now or 'unknown'} "
                "now: make the baseline where the gate runs, or pass --across-machines"
            )
    growth = growth or Growth()
    if _other_cpu(baseline, record):
        growth = growth.elsewhere()
    changes = [change for pair in pairs for change in _of_pair(pair, growth)]
    changes = list(acceptance.apply(acceptances, changes, pairs, today or datetime.now(UTC).date()))
    return Decision(baseline, record, tuple(changes), tuple(_context(baseline, record, pairs)), tuple(pairs))


def _of_pair(pair: Pair, growth: Growth) -> Iterator[Change]:
    """What changed between the two runs of a pair."""
    before, now = pair.before, pair.now
    was = before is not None and before.judged
    if now is None or not now.judged:
        if before is not None and was:
            yield _lost(pair, before, now)
        elif before is None and now is not None and now.verdict is Verdict.NOT_RUN:
            yield _change(pair, Rule.NOT_RUN, Effect.FAILS, f"not in the baseline; not run now: {now.reason}")
        return
    if not was:
        yield _change(pair, Rule.RUN_VANISHED, Effect.IMPROVES, "not judged before; judged now")
    if before is not None and was:
        yield from _claims(pair, before, now)
    old = {finding.clause: finding for finding in before.findings} if before is not None else {}
    new = {finding.clause: finding for finding in now.findings}
    for clause in dict.fromkeys([*new, *old]):
        for rule, effect, text in finding_changes(now, old.get(clause), new.get(clause), growth):
            yield _change(pair, rule, effect, text, clause, old.get(clause), new.get(clause))


def _lost(pair: Pair, before: Run, now: Run | None) -> Change:
    """A run that was judged and is not: it vanished, is no longer claimed, or was not run."""
    if now is None:
        return _change(pair, Rule.RUN_VANISHED, Effect.FAILS, f"{state(before.verdict)} before; not in the record now")
    rule = Rule.CLAIM_DROPPED if now.verdict is Verdict.NOT_CLAIMED else Rule.NOT_RUN
    return _change(pair, rule, Effect.FAILS, f"{state(before.verdict)} before; {now.verdict} now: {now.reason}")


def _claims(pair: Pair, before: Run, now: Run) -> Iterator[Change]:
    """What the run claims no longer, and what it claims now."""
    dropped, added = claim_changes(before, now)
    if dropped:
        yield _change(pair, Rule.CLAIM_DROPPED, Effect.FAILS, f"it no longer claims {', '.join(dropped)}")
    if added:
        yield _change(pair, Rule.CLAIM_DROPPED, Effect.IMPROVES, f"it claims {', '.join(added)}")


def _change(
    pair: Pair,
    rule: Rule,
    effect: Effect,
    text: str,
    clause: str = "",
    before: Finding | None = None,
    now: Finding | None = None,
) -> Change:
    run = pair.now or pair.before
    return Change(rule, effect, pair.implementation, pair.format, text, clause, before, now, run)


def _context(baseline: Record, record: Record, pairs: list[Pair]) -> Iterator[str]:
    """What differs in where the two were made: it explains, and decides nothing."""
    yield from _differences("", baseline.environment, record.environment)
    if _other_cpu(baseline, record):
        yield "on another CPU a worst error may grow by the same factor at every 16-bit pattern as where points are drawn"
    seen: set[str] = set()
    for pair in pairs:
        if pair.before is not None and pair.now is not None:
            for line in _differences(f"{pair.implementation}: ", pair.before.environment, pair.now.environment):
                if line not in seen:
                    seen.add(line)
                    yield line
            if (
                pair.before.source != pair.now.source
                and (line := _source(pair.implementation, pair.before, pair.now)) not in seen
            ):
                seen.add(line)
                yield line


def _other_cpu(baseline: Record, record: Record) -> bool:
    return baseline.environment.get("cpu") != record.environment.get("cpu")


def _differences(prefix: str, was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*was, *now}):
        if was.get(name) != now.get(name):
            yield f"{prefix}{name} {was.get(name, 'unknown')} before; {now.get(name, 'unknown')} now"


def _source(name: str, before: Run, now: Run) -> str:
    return f"{name}: loaded as {before.source or 'an object'} before; as {now.source or 'an object'} now"
