"""What a mutant is, what an honest implementation is, and short ways to build them from plain functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.implementations.numpy import Loss as NumpyLoss
from conformance.implementations.numpy import numpy_implementation
from conformance.implementations.protocol import Implementation
from conformance.implementations.torch import Loss as TorchLoss
from conformance.implementations.torch import torch_implementation
from conformance.implementations.ways import Way
from conformance.inputs.batch import Batch
from oracle import FORMATS, Format

Witness = Callable[[Format], Sequence[Batch]]
"""Batches to evaluate one after the other; on at least one of them the mutant's answer is wrong."""
ALL = tuple(fmt.name for fmt in FORMATS)
WIDE = ("binary32", "binary64")
NARROW = ("binary16", "bfloat16")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A deliberately wrong implementation.

    wrong: one sentence, what is wrong. build: a fresh one, with no state left from another. witness: where its answer
    is wrong. equivalent: the formats it claims in which it is not wrong, each with the reason. source: the real bug.
    ways: those in which it is looked at, where all of them would take seconds.
    """

    name: str
    family: str
    wrong: str
    build: Callable[[], Implementation]
    witness: Witness
    equivalent: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    ways: tuple[Way, ...] = ()

    @property
    def wrong_in(self) -> tuple[Format, ...]:
        """The formats in which a judge must reject it."""
        return tuple(fmt for fmt in self.build().claims.formats if fmt.name not in self.equivalent)

    @property
    def equivalent_in(self) -> tuple[Format, ...]:
        """The formats in which it is right, though it looks wrong."""
        return tuple(fmt for fmt in self.build().claims.formats if fmt.name in self.equivalent)


@dataclass(frozen=True, slots=True)
class Honest:
    """A correct implementation; `why` says how it looks different. slow: it takes seconds to start. refuses: what it answers
    by an exception.
    """

    name: str
    why: str
    build: Callable[[], Implementation]
    formats: tuple[str, ...] = ALL
    slow: bool = False
    refuses: Callable[[Batch], bool] = lambda batch: False


def torch_mutant(
    name: str,
    family: str,
    wrong: str,
    function: TorchLoss,
    witness: Witness,
    *,
    equivalent: Mapping[str, str] | None = None,
    source: str = "",
    ways: tuple[Way, ...] = (),
    **claims: Any,
) -> Mutant:
    """A mutant that is a plain function of tensors; `claims` go to torch_implementation."""

    def build() -> Implementation:
        return torch_implementation(function, name=name, **claims)

    return Mutant(name, family, wrong, build, witness, equivalent or {}, source, ways)


def numpy_mutant(
    name: str,
    family: str,
    wrong: str,
    function: NumpyLoss,
    witness: Witness,
    *,
    equivalent: Mapping[str, str] | None = None,
    source: str = "",
    **claims: Any,
) -> Mutant:
    """A mutant that is a plain function of arrays; `claims` go to numpy_implementation."""

    def build() -> Implementation:
        return numpy_implementation(function, name=name, **claims)

    return Mutant(name, family, wrong, build, witness, equivalent or {}, source)


def stateful_mutant(
    name: str, family: str, wrong: str, make: Callable[[], TorchLoss], witness: Witness, *, source: str = ""
) -> Mutant:
    """A mutant whose function carries state: `make` gives a fresh function."""

    def build() -> Implementation:
        return torch_implementation(make(), name=name)

    return Mutant(name, family, wrong, build, witness, {}, source)


def torch_honest(
    name: str,
    why: str,
    function: TorchLoss,
    *,
    formats: tuple[str, ...] = ALL,
    refuses: Callable[[Batch], bool] = lambda batch: False,
    **claims: Any,
) -> Honest:
    """A correct plain function of tensors."""

    def build() -> Implementation:
        return torch_implementation(function, name=name, dtypes=formats, **claims)

    return Honest(name, why, build, formats, refuses=refuses)


def numpy_honest(
    name: str,
    why: str,
    function: NumpyLoss,
    *,
    formats: tuple[str, ...] = ALL,
    refuses: Callable[[Batch], bool] = lambda batch: False,
    **claims: Any,
) -> Honest:
    """A correct plain function of arrays."""

    def build() -> Implementation:
        return numpy_implementation(function, name=name, dtypes=formats, **claims)

    return Honest(name, why, build, formats, refuses=refuses)
