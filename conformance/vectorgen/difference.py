"""Where two documents of vectors differ: which test, which field, what is there and what is generated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from conformance.vectorgen.problems import Problem


def differences(file: str, there: Any, made: dict[str, Any]) -> Iterator[Problem]:
    """Every field in which a file's content differs from what is generated, test by test."""
    if not isinstance(there, dict) or not isinstance(there.get("tests"), list):
        yield Problem(file, "", "", "has no list of tests")
        return
    for field, what in fields({**there, "tests": None}, {**made, "tests": None}):
        yield Problem(file, "", field, what)
    tests = {str(test.get("id")): test for test in there["tests"] if isinstance(test, dict)}
    right = {test["id"]: test for test in made["tests"]}
    for name in sorted(set(tests) - set(right)):
        yield Problem(file, name, "", "is not generated: its inputs were changed, or it was removed")
    for name, test in right.items():
        if name not in tests:
            yield Problem(file, name, "", "is missing")
            continue
        for field, what in fields(tests[name], test):
            yield Problem(file, name, field, what)
    if list(tests) != list(right) and set(tests) == set(right):
        yield Problem(file, "", "tests", "are in another order")


def fields(there: Any, made: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The leaves that differ: the path of each, and both values."""
    if isinstance(there, dict) and isinstance(made, dict):
        for key in [*made, *(key for key in there if key not in made)]:
            inner = f"{path}.{key}" if path else key
            if key not in there:
                yield inner, "is missing"
            elif key not in made:
                yield inner, "is not generated"
            else:
                yield from fields(there[key], made[key], inner)
    elif isinstance(there, list) and isinstance(made, list) and len(there) == len(made):
        for i, (x, y) in enumerate(zip(there, made, strict=True)):
            yield from fields(x, y, f"{path}.{i}")
    elif there != made or type(there) is not type(made):
        yield path, f"is {_shown(there)}, generated is {_shown(made)}"


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100 else text[:97] + "..."
