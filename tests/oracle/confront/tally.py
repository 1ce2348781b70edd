"""What a confrontation counted: points, comparisons, escapes, and how near to its radius an error came."""

from __future__ import annotations

from dataclasses import dataclass, field

EXAMPLES = 5


@dataclass
class Tally:
    """One quantity's count. worst: the largest |error| / radius seen, at most 1 while nothing escapes; nan if it has none.

    undecided: questions that a ball left open, as it may.
    """

    name: str
    points: int = 0
    comparisons: int = 0
    escapes: int = 0
    undecided: int = 0
    worst: float = 0.0
    examples: list[str] = field(default_factory=list)

    def escaped(self, what: str) -> None:
        """Counts one escape and keeps the first few in words."""
        self.escapes += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(what)

    def add(self, other: Tally) -> None:
        """Counts another tally of the same quantity in."""
        self.points += other.points
        self.comparisons += other.comparisons
        self.escapes += other.escapes
        self.undecided += other.undecided
        self.worst = max(self.worst, other.worst)
        self.examples = (self.examples + other.examples)[:EXAMPLES]
