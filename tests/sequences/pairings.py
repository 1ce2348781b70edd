"""Choices of the completions of KTO's KL term, wrong and right."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from conformance.implementations import kl_pairing
from conformance.records.record import Level

from .kinds import Honest, Mutant

Rows = list[list[int]]
Choice = Callable[[Rows, Rows], Rows]
ONE = ("binary32",)
"""A pairing has no format: once is enough."""


def _pairing(name: str, wrong: str, function: Choice, level: Level = Level.MUST) -> Mutant:
    return Mutant(name, wrong, lambda: kl_pairing(function, name=name), level, ONE)


def _refusing(function: Choice) -> Choice:
    def choice(prompts: Rows, completions: Rows) -> Rows:
        if len(prompts) < 2:
            raise ValueError(f"{len(prompts)} examples: the KL term needs 2 or more")
        return function(prompts, completions)

    return choice


def _turned(prompts: Rows, completions: Rows) -> Rows:
    return completions[1:] + completions[:1]


def _shuffled(prompts: Rows, completions: Rows) -> Rows:
    found = list(completions)
    random.Random(7).shuffle(found)
    return found


def _neighbours(prompts: Rows, completions: Rows) -> Rows:
    """Swapped two by two: the last of an odd number is left over."""
    found = list(completions)
    for i in range(0, len(found) - 1, 2):
        found[i : i + 2] = found[i : i + 2][::-1]
    return found


def _drawn(prompts: Rows, completions: Rows) -> Rows:
    """Another one by chance for each, maybe the same for two."""
    chance = random.Random(3)
    return [completions[(i + chance.randrange(1, len(completions))) % len(completions)] for i in range(len(prompts))]


def _turned_back(prompts: Rows, completions: Rows) -> Any:
    return [tuple(row) for row in completions[-1:] + completions[:-1]]


PAIRINGS: tuple[Mutant, ...] = (
    _pairing("kl-reversed", "reversed: an odd batch's middle one keeps its own", _refusing(lambda p, c: c[::-1])),
    _pairing("kl-shuffled", "shuffled: some keep their own", _refusing(_shuffled)),
    _pairing("kl-swapped-neighbours", "neighbours swapped: an odd one keeps its own", _refusing(_neighbours)),
    _pairing("kl-too-few", "one completion less", _refusing(lambda p, c: c[1:])),
    _pairing("kl-takes-one", "one example is given its own completion", _turned, Level.SHOULD),
)
HONEST: tuple[Honest, ...] = (
    Honest("kl-turned", "turned by one place", lambda: kl_pairing(_refusing(_turned), name="kl-turned"), ONE),
    Honest("kl-turned-back", "by one place back, as tuples", lambda: kl_pairing(_refusing(_turned_back), name="kl-back"), ONE),
    Honest("kl-drawn", "another one by chance", lambda: kl_pairing(_refusing(_drawn), name="kl-drawn"), ONE),
)
