"""What one reading of a run, its format and its processes, makes of every line."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from conformance.auditing.blocks import joined
from conformance.auditing.causes import explained
from conformance.auditing.checks import CHECKS, Check
from conformance.auditing.lines import Lines, taken
from conformance.auditing.outcome import Outcome
from conformance.auditing.report import SHOWN, Cause, Impossible
from conformance.auditing.settings import Settings
from oracle import Format

KEPT = 512
"""Lines of each sort that are kept to try causes on."""


@dataclass(slots=True)
class Tally:
    """What one format's arithmetic allows, and a number of processes: verdicts and findings, if the run was such."""

    fmt: Format
    settings: Settings
    impossible: int = 0
    consistent: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    findings: list[Impossible] = field(default_factory=list)
    kept: list[Lines] = field(default_factory=list)

    def add(self, lines: Lines) -> NDArray[np.bool_]:
        """Check a block; says which of its lines are impossible."""
        settings, shape = self.settings, self.settings.shape()
        wrong, judged = np.zeros(len(lines), bool), np.zeros(len(lines), bool)
        for check in CHECKS:
            with np.errstate(all="ignore"):  # figures may be infinite
                outcome = check.run(lines, settings, shape, self.fmt)
            self.asked[check.id] += int(np.count_nonzero(outcome.asked))
            self.broken[check.id] += int(np.count_nonzero(outcome.impossible))
            wrong |= outcome.impossible
            judged |= outcome.asked
            self._note(check, lines, outcome)
        self.impossible += int(np.count_nonzero(wrong))
        self.consistent += int(np.count_nonzero(judged & ~wrong))
        self._keep(lines, wrong)
        return wrong

    def _note(self, check: Check, lines: Lines, outcome: Outcome) -> None:
        for i in np.flatnonzero(outcome.impossible)[: max(0, SHOWN - len(self.findings))]:
            step = float(lines.steps[i])
            phase = "train" if lines.train[i] else "eval"
            at = None if math.isnan(step) else step
            self.findings.append(
                Impossible(check.id, int(lines.numbers[i]), phase, at, float(outcome.left[i]), float(outcome.right[i]))
            )

    def _keep(self, lines: Lines, wrong: NDArray[np.bool_]) -> None:
        have = sum(len(block) for block in self.kept)
        if have < 2 * KEPT:
            places = np.sort(np.concatenate([np.flatnonzero(wrong)[:KEPT], np.flatnonzero(~wrong & lines.train)[:KEPT]]))
            self.kept.append(taken(lines, places[: 2 * KEPT - have]))

    def causes(self) -> tuple[Cause, ...]:
        """What would explain every line that was kept; none where no line is impossible."""
        if not self.impossible or not self.kept:
            return ()
        return explained(joined(self.kept), self.settings, self.fmt)
