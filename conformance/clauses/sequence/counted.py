"""What a check of sequences, paths or steps adds up: numbers held against exact ones, and the worst place in words."""

from __future__ import annotations

import numpy as np

from conformance.clauses.model import Outcome
from oracle.formats import Floats


class Counted:
    """Points and violations, the largest ρ, and what is told of its place."""

    def __init__(self) -> None:
        self.points = self.violations = 0
        self.worst, self.told = -1.0, ""

    def numbers(self, got: Floats, exact: Floats, allowed: Floats) -> tuple[int, ...] | None:
        """Each number against its exact value: the place of the worst, where it is the worst so far and has to be told.

        An exact NaN, an average of nothing, is not judged; an infinity must be that infinity.
        """
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            rho = np.where(got == exact, 0.0, np.abs(got - exact) / allowed)
        rho = np.where(np.isnan(exact), 0.0, np.where(np.isnan(rho), np.inf, rho))
        self.points += rho.size
        self.violations += int(np.count_nonzero(rho > 1))
        if not rho.size or float(rho.max()) <= self.worst:
            return None
        place = tuple(map(int, np.unravel_index(int(rho.argmax()), rho.shape)))
        self.worst = float(rho[place])
        return place

    def right(self, right: bool, told: str) -> None:
        """Right or wrong, with nothing between; the first that is wrong is told."""
        self.points += 1
        if not right:
            self.violations += 1
            if np.inf > self.worst:
                self.worst, self.told = np.inf, told

    def outcome(self, note: str = "") -> Outcome:
        """The finding's content: what is told of the worst place where it violates, else how close it came."""
        close = f"largest ρ {self.worst:.3g}" if 0 <= self.worst < np.inf else ""
        told = self.told if self.violations else close
        return Outcome(self.points, self.violations, note="; ".join(part for part in (told, note) if part))
