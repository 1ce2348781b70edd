"""What is wrong with the vectors, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.errors import ConformanceError


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong: the file, the test's id, the field in it (each empty where there is none), and what."""

    file: str
    test: str
    field: str
    what: str

    def __str__(self) -> str:
        place = ", ".join(part for part in (self.file, self.test, self.field) if part)
        return f"{place}: {self.what}"


class BadVectors(ConformanceError):
    """The vectors may not be written as they are; `problems` says why, and nothing was written."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
