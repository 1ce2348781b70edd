"""What a wrapper needs installed: the inline script metadata (PEP 723) at the head of its file."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from conformance.errors import BadRequirements

_BLOCK = re.compile(r"^# /// script$\n(?P<content>(?:^#(?: .*)?$\n)+?)^# ///$", re.MULTILINE)
TOOL = "dpo-conformance"


@dataclass(frozen=True, slots=True)
class Requirements:
    """The distributions that a wrapper needs, as PEP 508 requirements.

    python: the versions of Python it runs on. dependencies: installed with what they need in turn. alone: installed by
    themselves, because what they declare to need is not needed here or cannot be had together. any_python: names among
    these whose own declaration of Python versions is passed over.
    """

    python: str
    dependencies: tuple[str, ...]
    alone: tuple[str, ...] = ()
    any_python: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """What to type to install them with pip."""
        passed_over = ["--ignore-requires-python"] if self.any_python else []
        lines = [["pip", "install", *self.dependencies], ["pip", "install", "--no-deps", *passed_over, *self.alone]]
        wanted = [line for line, items in zip(lines, (self.dependencies, self.alone), strict=True) if items]
        return " && ".join(shlex.join(line) for line in wanted)


def read_requirements(path: Path) -> Requirements | None:
    """The requirements in a Python file's inline script metadata; None where it has none.

    `dependencies` and `requires-python` are PEP 723's. The table [tool.dpo-conformance] may hold `no-deps` and
    `any-python`: names among the dependencies. Raises BadRequirements, naming the file and what is wrong, and OSError.
    """
    blocks = list(_BLOCK.finditer(path.read_text(encoding="utf-8")))
    if not blocks:
        return None
    if len(blocks) > 1:
        raise BadRequirements(f"{path}: {len(blocks)} blocks of script metadata, where PEP 723 allows one")
    text = "\n".join(line[2:] for line in blocks[0]["content"].splitlines())
    try:
        return _read(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, InvalidRequirement, InvalidSpecifier, BadRequirements) as error:
        raise BadRequirements(f"{path}: script metadata: {error}") from error


def _read(metadata: Mapping[str, Any]) -> Requirements:
    tool = metadata.get("tool", {}).get(TOOL, {})
    unknown = sorted(set(tool) - {"no-deps", "any-python"})
    if unknown:
        raise BadRequirements(f"[tool.{TOOL}] has no key {', '.join(unknown)}: no-deps, any-python")
    wanted = {item: Requirement(item).name for item in _strings(metadata, "dependencies")}
    alone, any_python = _strings(tool, "no-deps"), _strings(tool, "any-python")
    for name in (*alone, *any_python):
        if name not in wanted.values():
            raise BadRequirements(f"[tool.{TOOL}] names {name!r}, which is not among the dependencies")
    if not set(any_python) <= set(alone):
        raise BadRequirements(f"[tool.{TOOL}] any-python: only names that are among no-deps")
    return Requirements(
        str(SpecifierSet(metadata.get("requires-python", ""))),
        tuple(item for item, name in wanted.items() if name not in alone),
        tuple(item for item, name in wanted.items() if name in alone),
        any_python,
    )


def _strings(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = table.get(key, [])
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise BadRequirements(f"{key} = {found!r}: a list of strings")
    return tuple(found)
