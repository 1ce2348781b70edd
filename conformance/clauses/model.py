"""A clause: one numbered requirement, its level, statement, derivation and check, in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from conformance.clauses.trial import Trial
from conformance.records.record import Level, Worst

NEEDS = frozenset(
    {
        "beta",
        "label_smoothing",
        "gradient",
        "metrics",
        "second",
        "none",
        "mean",
        "sequence",
        "token",
        "infinities",
        "temperature",
        "chunk",
        "incoming",
        "head",
        "reference",
        "lengths",
    }
)
"""What a clause may need an implementation to claim: an option, gradients, metrics, second derivatives, a reduction; or, from
logits, one number a sequence or a token, logits of -inf, a temperature, a chunk size, derivatives with incoming ones, a fused
head, a loss that takes a reference, or one that divides by numbers of tokens."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check saw: how many numbers it judged, how many violate, and the worst of them.

    not_claimed: why the clause does not apply after all, found out only by looking (a detached reference, say).
    """

    points: int
    violations: int
    worst: Worst | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    grade: str | None = None
    note: str = ""
    not_claimed: bool = False


Check = Callable[[Trial], Outcome]


@dataclass(frozen=True, slots=True)
class Clause:
    """One requirement.

    id: chapter and number, never reused. statement: one sentence that reads like a standard. derivation: where its
    bound comes from, in Markdown. guards: links to real bugs. kills: names of mutants that this clause rejects.
    needs: what must be claimed for it to apply. remedy: what usually mends a violation, in a sentence. kind: of what
    implementations: a loss of four log-probabilities, a sequence, a path, steps, a pairing.
    """

    id: str
    level: Level
    title: str
    statement: str
    derivation: str
    check: Check
    guards: tuple[str, ...] = ()
    kills: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()
    remedy: str = ""
    kind: str = "loss"

    @property
    def chapter(self) -> str:
        """The part of the id before the number."""
        return self.id.partition("-")[0]


class Chapter:
    """Collects the clauses of one file, in order; use its `clause` as a decorator on the check."""

    def __init__(self, name: str, kind: str = "loss") -> None:
        self.name = name
        self.kind = kind
        self.clauses: list[Clause] = []

    def clause(
        self,
        number: int,
        level: Level,
        title: str,
        *,
        statement: str,
        derivation: str,
        guards: tuple[str, ...] = (),
        kills: tuple[str, ...] = (),
        needs: tuple[str, ...] = (),
        remedy: str = "",
    ) -> Callable[[Check], Check]:
        """The decorated check becomes the clause NAME-number."""
        identity = f"{self.name}-{number}"
        if any(clause.id == identity for clause in self.clauses) or not NEEDS.issuperset(needs):
            raise ValueError(f"{identity}: the number is taken, or needs names what nobody can claim")

        def add(check: Check) -> Check:
            self.clauses.append(
                Clause(identity, level, title, statement, derivation, check, guards, kills, frozenset(needs), remedy, self.kind)
            )
            return check

        return add
