"""What makes two sweeps the same: who is judged, with which code, on what; and what must be equal to carry one on."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from conformance.implementations import SHIPPED, Implementation
from conformance.records.environment import environment, suite_version
from conformance.sweep.plan import BLOCK, Plan

SURROUNDINGS = ("python", "numpy", "mpmath", "machine", "cpu")
"""What of the machine may change an answer; not how many CPUs it has, nor the release of its kernel."""
INDIFFERENT = ("threads",)
"""What an implementation tells of its environment and no answer depends on: a block is too short to be split."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is judged, as one process sees it.

    source: how it was named to be loaded; empty for an object. code: SHA-256 of the file of its module; empty for an
    object. environment: library versions, device, Python, NumPy, the CPU.
    """

    implementation: str
    source: str
    code: str
    claims: Mapping[str, Any]
    environment: Mapping[str, str]
    suite: str

    def plain(self) -> dict[str, Any]:
        """As JSON's own types."""
        return {
            "implementation": self.implementation,
            "source": self.source,
            "code": self.code,
            "claims": dict(self.claims),
            "environment": dict(self.environment),
            "suite": self.suite,
        }


def subject(implementation: Implementation, source: str) -> Subject:
    """The subject in this process."""
    told = {name: fact for name, fact in implementation.environment.items() if name not in INDIFFERENT}
    here = {name: environment()[name] for name in SURROUNDINGS}
    claims = implementation.claims.plain()
    return Subject(implementation.name, source, _code(source), claims, {**here, **told}, suite_version())


def identity(who: Subject, plan: Plan) -> dict[str, Any]:
    """What a ledger holds on to: the subject, the format, the range and how it is cut."""
    cut = {"format": plan.fmt.name, "from": plan.low.hex(), "to": plan.high.hex()}
    return {**who.plain(), **cut, "shard size": plan.shard_size, "block": BLOCK}


def differences(before: Mapping[str, Any], now: Mapping[str, Any], within: str = "") -> Iterator[str]:
    """Each thing that is not what it was, with both, in words."""
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(old, new, f"{name} ")
        elif old != new:
            yield f"{within}{name} was {_short(old)} and is {_short(new)}"


def _short(value: object) -> str:
    text = "absent" if value is None else str(value)
    return f"{text[:12]}..." if len(text) == 64 else text or "empty"


def _code(source: str) -> str:
    """SHA-256 of the file that the name loads from; empty where there is none."""
    module = (SHIPPED[source][0] if source in SHIPPED else source).rpartition(":")[0]
    path = module
    if module and not module.endswith(".py"):
        spec = None if module in sys.builtin_module_names else find_spec(module)
        path = (spec.origin if spec is not None else None) or ""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path and Path(path).is_file() else ""
