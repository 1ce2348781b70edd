"""A note explains a flag: the kind of bug that vectors meet, what it does to a training run, and where it was met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

BUGS = (
    "absorption",
    "cancellation",
    "overflow",
    "threshold",
    "wrong formula",
    "option ignored",
    "option misapplied",
    "reference misused",
    "pair confused",
    "wrong gradient",
    "special value",
    "narrow format",
    "wrong reduction",
)
"""The kinds of bug."""
_GITHUB = "https://github.com/"


@dataclass(frozen=True, slots=True)
class Note:
    """bug: one of BUGS. description: what the code does. effect: what that does to a training run. links: threads."""

    bug: str
    description: str
    effect: str
    links: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON's own types."""
        return {"bug": self.bug, "description": self.description, "effect": self.effect, "links": list(self.links)}


def note(bug: str, description: str, effect: str, *links: str) -> Note:
    """A note whose links are paths on GitHub: owner/repository/issues/number, or pull for issues."""
    return Note(bug, description, effect, tuple(_GITHUB + link for link in links))
