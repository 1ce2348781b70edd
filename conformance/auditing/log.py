"""The audit of one log, in one pass and in blocks of lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from conformance.auditing import names
from conformance.auditing.blocks import Columns, blocks, some
from conformance.auditing.checks import CHECKS, Check
from conformance.auditing.evidence import Evidence
from conformance.auditing.figures import read
from conformance.auditing.notices import Watch
from conformance.auditing.points import Points
from conformance.auditing.reading import Cut, Entry
from conformance.auditing.report import Checked, FileReport
from conformance.auditing.settings import Settings
from conformance.auditing.tally import Tally
from oracle import bfloat16, binary32

LOGPS = (names.LOGPS_CHOSEN, names.LOGPS_REJECTED)


def audit_log(entries: Iterable[Entry | Cut], settings: Settings, *, file: str = "", form: str = "") -> FileReport:
    """The report of a log's lines: each consistent, impossible, or not decided by any check.

    Where the format of the run is neither told nor shown, a line is impossible only if it is so in bfloat16 too; where the
    number of processes is not told, only if it is so whether the rewards are those of all or of one.
    """
    formats = (settings.dtype,) if settings.dtype is not None else (binary32, bfloat16)
    told = (replace(settings, ranks=1), settings) if settings.ranks is None else (settings,)
    tallies = [Tally(fmt, each) for fmt in formats for each in told]
    watch, evidence, shaped = Watch(settings), Evidence(), Columns(as_shown=settings.dtype is None)
    cuts: list[tuple[int, str]] = []
    count, cut, points, columns = 0, 0, Points(), set[str]()
    for block in blocks(entries):
        found = [one for one in block if isinstance(one, Entry)]
        broken = [(one.number, one.reason) for one in block if isinstance(one, Cut)]
        cut += len(broken)
        cuts += broken[: max(0, 100 - len(cuts))]
        if not found:
            continue
        count += len(found)
        lines, watched = shaped.lines(found)
        columns.update(lines.spans)
        watch.see(watched)
        evidence.add(read(raw) for entry in some(found) for name in LOGPS if (raw := entry.figures.get(name)) is not None)
        wrong = [tally.add(lines) for tally in tallies]
        points.add(lines, wrong)
    shown = evidence.format
    # the coarser of the formats that it may be, and of the processes what is told
    judge = len(tallies) - 1 if settings.dtype is not None or shown in {None, bfloat16} else len(told) - 1
    chosen, alone = tallies[judge], tallies[judge - len(told) + 1]
    strict = tallies[0] if shown is None else alone
    doubtful = strict.impossible - chosen.impossible
    return FileReport(
        file=file,
        form=form,
        settings=settings.told,
        lines=count,
        consistent=chosen.consistent - doubtful,
        impossible=chosen.impossible,
        undecided=count - chosen.consistent - chosen.impossible + doubtful,
        cut=cut,
        cuts=tuple(cuts),
        checks=_checked(chosen, alone, strict, settings, columns),
        findings=tuple(chosen.findings),
        causes=chosen.causes(),
        notices=watch.notices(settings.dtype is None and shown == bfloat16),
        points=points.all(judge),
        columns=tuple(sorted(columns)),
        format=chosen.fmt.name,
    )


def _checked(chosen: Tally, alone: Tally, strict: Tally, settings: Settings, columns: set[str]) -> tuple[Checked, ...]:
    """alone: as chosen, if one process trained; strict: and in the finest format that it may be."""
    found = []
    for check in CHECKS:
        needs = _needs(check, settings, columns)
        broken, by_one, finest = (tally.broken[check.id] for tally in (chosen, alone, strict))
        missing = [f"--dtype: impossible in {strict.fmt.name}, possible in {chosen.fmt.name}"] if finest > by_one else []
        if by_one > broken:
            missing.append("--ranks: impossible if 1 process trained, possible if the rewards are those of one of several")
        inequality = f"{check.left} {check.relation} {check.right}"
        told = "; ".join(missing) or needs
        found.append(
            Checked(check.id, check.statement, inequality, chosen.asked[check.id], broken, check.premise, finest - broken, told)
        )
    return tuple(found)


def _needs(check: Check, settings: Settings, columns: set[str]) -> str:
    """What would have to be told, or logged, for a check to be asked; empty where it can be."""
    missing = [name for name in check.columns if name not in columns]
    if names.MARGIN in missing and {names.CHOSEN, names.REJECTED} <= columns:
        missing.remove(names.MARGIN)
    if missing:
        return "not logged: " + ", ".join(missing)
    if check.id in {"least", "most", "mean", "one-sided", "finite"} and settings.shape() is None:
        return settings.missing
    added = settings.added_term is None and names.ADDED in columns
    if check.id in {"most", "one-sided"} and (settings.added_term or added):
        return "a loss without the added term" + (" (--no-added-term says that what is logged is not added)" if added else "")
    if check.id == "one-sided" and settings.reference_free:
        return "the accuracy of the policy alone"
    if check.id == "counted" and settings.pairs_per_line is None:
        return "--pairs-per-line"
    if check.id == "one-sided" and settings.pairs_per_line is None:
        return "--pairs-per-line: an accuracy of 0 or 1 is one of every pair only where it is printed finely enough"
    if check.id == "finite" and settings.ranks is None:
        return "--ranks 1: of several processes another may have the pair that is not finite"
    if check.id in {"mean", "one-sided", "finite"} and settings.ranks not in {None, 1}:
        return "rewards of all ranks: with --ranks above 1 the rewards may be those of one rank"
    return ""
