"""What one process is given to judge, and how that process is started."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.clauses import Clause
from conformance.inputs.profiles import Profile
from oracle import Format


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The Python of another environment, and the folder from which that one imports the suite."""

    python: str
    suite: str


@dataclass(frozen=True, slots=True)
class Job:
    """What to judge: an implementation by name, the formats, and the clauses in order; and by which Python, if another."""

    source: str
    formats: tuple[Format, ...]
    profile: Profile
    seed: int
    clauses: tuple[Clause, ...]
    interpreter: Interpreter | None = None

    @property
    def command(self) -> list[str]:
        """The worker's command line. It does not look into the current folder for the suite, where a project may have a
        package of the same name.
        """
        if self.interpreter is not None:
            return [self.interpreter.python, "-P", "-m", "conformance.running.worker"]
        suite = str(Path(__file__).resolve().parents[2])
        start = f"import sys; sys.path.insert(0, {suite!r}); from conformance.running.worker import main; main()"
        return [sys.executable, "-P", "-c", start]

    @property
    def environ(self) -> dict[str, str] | None:
        """The worker's environment variables: this process's, less what would show it another Python's packages."""
        if self.interpreter is None:
            return None
        kept = {key: value for key, value in os.environ.items() if key not in {"PYTHONHOME", "VIRTUAL_ENV"}}
        return kept | {"PYTHONPATH": self.interpreter.suite}

    def plain(self, start: int) -> dict[str, Any]:
        """The job from one step on, as JSON's own types; a step is a format and a clause."""
        return {
            "source": self.source,
            "formats": [fmt.name for fmt in self.formats],
            "profile": self.profile.name,
            "seed": self.seed,
            "clauses": [clause.id for clause in self.clauses],
            "start": start,
            "path": sys.path if self.interpreter is None else None,
        }
