"""What every form of an audit says, in plain text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from conformance.auditing.report import Checked, FileReport, Impossible
from conformance.reports.words import visible

PAGE = "docs/audit.md"


def verdict(file: FileReport) -> str:
    """One line: how many lines there are of each verdict."""
    unit = file.unit + "s" if file.lines != 1 else file.unit
    parts = [f"{file.impossible:,} impossible"] if file.impossible else ["none impossible"]
    parts += [f"{file.consistent:,} consistent"]
    parts += [f"{file.undecided:,} not decided"] if file.undecided else []
    parts += [f"{file.cut:,} not read"] if file.cut else []
    return f"{file.lines:,} {unit}: {', '.join(parts)}."


def configured(file: FileReport) -> str:
    """What was told of the run, and what was not but matters."""
    told = ", ".join(f"{name} {value}" for name, value in file.settings.items()) or "nothing"
    how = "" if "dtype" in file.settings else f"; arithmetic of {file.format} allowed for (--dtype says another)"
    return f"{told}{how}"


def causes(file: FileReport) -> list[str]:
    """What would explain every line that was tried, a sentence each."""
    if not file.impossible:
        return []
    if not file.causes:
        return ["No single fault that is known explains all lines."]
    first, *others = file.causes
    lines = [f"Explained at all {first.lines:,} {file.unit}s tried: {first.text}."]
    return lines + [f"Or: {other.text}." for other in others]


def sides(file: FileReport, check: Checked, finding: Impossible) -> str:
    """The inequality of one impossible line with its numbers."""
    where = f"{file.unit} {finding.line:,}"
    if file.unit != "line":
        return f"{where}: got {_figure(finding.left)}, exact {_figure(finding.right)}"
    where += f" ({f'step {finding.step:g}, ' if finding.step is not None else ''}{finding.phase})"
    if math.isnan(finding.left):
        return f"{where}: the loss is not finite, and the margins are"
    amounts = f"{_figure(finding.left)} against {_figure(finding.right)}, by {finding.by:.3g}"
    return f"{where}: {check.inequality} does not hold: {amounts}"


def _figure(value: float) -> str:
    return f"{value:.7g}"


def broken(file: FileReport) -> list[Checked]:
    """The checks by which a line is impossible, the most frequent first."""
    return sorted((check for check in file.checks if check.impossible), key=lambda check: -check.impossible)


def conditions(check: Checked) -> str:
    """What a check lacks, and what it takes for granted."""
    return "; ".join(filter(None, (check.needs, check.premise and f"taken for granted: {check.premise}")))


def unasked(file: FileReport) -> list[Checked]:
    """The checks that were not asked, or not everywhere, for want of something that could be told or logged."""
    wanted = [check for check in file.checks if check.id != "odds" or file.settings.get("loss") == "orpo"]
    return [check for check in wanted if check.needs and (check.undecided or not check.asked)]


def untold(file: FileReport) -> list[str]:
    """The options that would decide more, where they were told."""
    found = (flag for check in unasked(file) for flag in re.findall(r"--[a-z-]+", check.needs) if not flag.startswith("--no-"))
    return list(dict.fromkeys(found))


def examples(file: FileReport, check: Checked, most: int) -> Iterator[str]:
    """The first lines that are impossible by a check."""
    found = [finding for finding in file.findings if finding.check == check.id]
    for finding in found[:most]:
        yield sides(file, check, finding)


def notices(file: FileReport) -> list[str]:
    """What else was seen."""
    return [visible(notice.text) for notice in file.notices]


def cuts(file: FileReport, most: int) -> list[str]:
    """The lines that could not be read, by number."""
    told = [f"line {number:,} not read: {visible(reason)}" for number, reason in file.cuts[:most]]
    more = file.cut - len(told)
    return told + ([f"{more:,} more lines not read"] if more > 0 else [])
