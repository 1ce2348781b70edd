"""Why a run violates: the causes that were found, each with the smallest input that shows it. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What is at fault, and so what else follows from it."""

    FORMULA = "formula"
    """Another formula, option, argument or factor."""
    GRADIENT = "gradient"
    """The derivatives alone."""
    KERNEL = "kernel"
    """The log-sigmoid at some logits."""
    BATCH = "batch"
    """Sizes, places, strides, neighbours, what was called before, how it was called, a reduction."""
    METRIC = "metric"
    """What is logged beside the loss."""
    CONDUCT = "conduct"
    """It raises, or what it returns is no answer."""
    CLAUSE = "clause"
    """Nothing that is known fits; the clause that is violated says the most."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: what it takes of each pair by name, beta and label_smoothing, hexadecimal; and how, where not plainly.

    pairs: how many there are; those given are repeated in turn. how: "", "strided", "weighed", "policy alone" or "losses
    alone". parts: of a step, the sizes of its micro-batches or ranks. parameters: of a loss that is named, all of its own.
    shape: of token logits, how many sequences, places and columns; the inputs are then those arrays, row by row.
    """

    inputs: Mapping[str, tuple[str, ...]]
    beta: str
    label_smoothing: str
    pairs: int
    how: str = ""
    parts: tuple[int, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    shape: tuple[int, ...] = ()

    @property
    def named(self) -> bool:
        """Whether it asks an implementation of a named loss, by keyword."""
        return self.beta == "nan" and not self.shape


@dataclass(frozen=True, slots=True)
class Shown:
    """The smallest input that was seen to show it.

    call: what was asked; pair `place` of it shows the fault. quantity: as in a finding; got: hexadecimal, or empty where
    there was none; exact: decimal, 20 digits. alone: False where the pair is right when it is asked alone.
    """

    call: Asked
    quantity: str
    place: int
    got: str
    exact: str
    alone: bool = True


@dataclass(frozen=True, slots=True)
class Cause:
    """One explanation. key: its name, the same in every format. part: "loss", "derivatives", or both, by "and"; of
    metrics their names.

    says: what is returned. where: under which condition, empty for everywhere. points: how many numbers it gives, of
    which `wrong` are wrong. cure: what mends it.
    """

    key: str
    kind: Kind
    part: str
    says: str
    where: str
    cure: str
    points: int
    wrong: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a run violates.

    causes: the likeliest first, and others that fit as well. besides: what is wrong besides. shown: the smallest input that
    was seen to show it. absent: the arguments in which no derivative was returned. copies: by clause, how many copies of its
    worst pair show it, where one alone is right; 0 where no number of them does.
    """

    causes: tuple[Cause, ...]
    besides: tuple[Cause, ...] = ()
    shown: Shown | None = None
    absent: tuple[str, ...] = ()
    copies: Mapping[str, int] = field(default_factory=dict)


def diagnosis_from(data: Mapping[str, Any]) -> Diagnosis:
    """The diagnosis that JSON's own types describe."""
    shown = data["shown"]
    if shown is not None:
        inputs = {name: tuple(values) for name, values in shown["call"]["inputs"].items()}
        listed = {name: tuple(shown["call"].get(name, ())) for name in ("parts", "shape")}
        shown = Shown(**{**shown, "call": Asked(**{**shown["call"], "inputs": inputs, **listed})})
    causes, besides = (
        tuple(Cause(**{**one, "kind": Kind(one["kind"])}) for one in data[name]) for name in ("causes", "besides")
    )
    return Diagnosis(causes, besides, shown, tuple(data["absent"]), dict(data["copies"]))
