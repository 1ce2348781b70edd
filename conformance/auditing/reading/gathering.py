"""Logs of a value a record (a metric's name, its value, its step): those of a step together are one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from conformance.auditing.names import STEP, word
from conformance.auditing.reading.entry import Entry, split

NAME = ("metric", "metricname", "metric_name", "key", "tag", "name")
VALUE = ("value", "metricvalue", "metric_value")
DEEPEST = 4
"""Mappings within mappings that are looked into."""


def place(names: list[str], wanted: tuple[str, ...]) -> int | None:
    """Where the first of the wanted names stands, whatever its case."""
    lowered = [name.strip().lower() for name in names]
    return next((lowered.index(name) for name in wanted if name in lowered), None)


def step_of(names: list[str]) -> int | None:
    """Where the step stands."""
    return next((at for at, name in enumerate(names) if (known := word(name)) is not None and known.word == STEP), None)


@dataclass(slots=True)
class Gathered:
    """The values of one step so far; a step ends where another begins, or where a metric comes a second time."""

    number: int = 0
    step: object = ""
    values: dict[str, object] = field(default_factory=dict)

    def add(self, number: int, step: object, name: str, value: object) -> Iterator[Entry]:
        """One more value; the entries of the step before, where that has ended. number: of the value's line."""
        if self.values and (step != self.step or name in self.values):
            yield from self.rest()
        if not self.values:
            self.number, self.step = number, step
        self.values[name] = value

    def rest(self) -> Iterator[Entry]:
        """The entries of what was gathered last."""
        if self.values:
            yield from split(self.number, [("step", self.step), *self.values.items()])
            self.values = {}


@lru_cache(maxsize=4096)
def _places(names: tuple[str, ...]) -> tuple[int | None, int, int] | None:
    """Where step, name and value stand among the names of a record that is one value (MLflow's, Comet's)."""
    bare = list(names)
    name, value = place(bare, NAME), place(bare, VALUE)
    return None if name is None or value is None else (step_of(bare), name, value)


def record(number: int, value: Mapping[str, Any], gathered: Gathered) -> Iterable[Entry]:
    """The entries of one object: a line's figures, or one value, which is gathered with those of its step."""
    pairs = list(flat(value))
    places = _places(tuple(name for name, _ in pairs))
    if places is None or not isinstance(pairs[places[1]][1], str):
        return split(number, pairs)
    at, name, one = places
    return gathered.add(number, "" if at is None else pairs[at][1], str(pairs[name][1]), pairs[one][1])


def flat(value: Mapping[str, Any], depth: int = 0) -> Iterable[tuple[str, object]]:
    """Names and values; those of a mapping within by their own name, or with its name before it."""
    if not any(isinstance(item, dict) for item in value.values()):
        return value.items()
    found: list[tuple[str, object]] = []
    for name, item in value.items():
        if not isinstance(item, dict):
            found.append((name, item))
        elif depth < DEEPEST:
            inner = flat(item, depth + 1)
            found += (((part if word(f"{name}/{part}") is None else f"{name}/{part}"), thing) for part, thing in inner)
    return found
