"""Batches of token logits with labels and masks, as a model gives them: logits[:, t] are of the token after position t."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oracle.formats import Floats, Format

Labels = NDArray[np.int64]
Mask = NDArray[np.bool_]
LARGE = 151_936
"""Columns of a large vocabulary: those of several released models."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """B sequences of L tokens over V columns.

    logits: (B, L, V), numbers of the judged format; the last position predicts nothing. labels: (B, L), the tokens; the first
    is predicted by nothing. mask: (B, L), whether the token at that place counts; nothing predicts the
    first, whatever its mask says. name: what it is.
    """

    name: str
    logits: Floats
    labels: Labels
    mask: Mask
    temperature: float = 1.0
    chunk: int | None = None

    @property
    def aligned(self) -> tuple[Floats, Labels, Mask]:
        """Shifted by one: the logits at a place, and the label and mask of the token that they predict."""
        return self.logits[:, :-1], self.labels[:, 1:], self.mask[:, 1:]

    @property
    def shape(self) -> tuple[int, int, int]:
        """B, L and V."""
        batch, length, columns = self.logits.shape
        return batch, length, columns

    @property
    def parts(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Logits, labels and mask."""
        return self.logits, self.labels, self.mask

    def rounded(self, fmt: Format) -> Rows:
        """The same with logits that are numbers of the format."""
        return replace(self, logits=fmt.round_array(self.logits))

    def take(self, rows: list[int]) -> Rows:
        """Some of the sequences."""
        return replace(self, logits=self.logits[rows], labels=self.labels[rows], mask=self.mask[rows])

    def described(self) -> str:
        """What it is and how large."""
        batch, length, columns = self.shape
        told = f"{self.name}: {batch} x {length} tokens, {columns:,} columns"
        return told if self.temperature == 1 else f"{told}, temperature {self.temperature:g}"

    def padded(self, left: int, right: int, *, label: int = 0, logit: float = 0.0) -> Rows:
        """The same with masked places before and after."""
        wide = ((0, 0), (left, right))
        return replace(
            self,
            logits=np.pad(self.logits, (*wide, (0, 0)), constant_values=logit),
            labels=np.pad(self.labels, wide, constant_values=label),
            mask=np.pad(self.mask, wide, constant_values=False),
        )


def drawn(
    rng: np.random.Generator,
    fmt: Format,
    batch: int,
    length: int,
    columns: int,
    *,
    spread: float = 2.0,
    level: float = 0.0,
    name: str = "drawn",
) -> Rows:
    """Normal logits, uniform labels, and masks of every kind: a prompt, holes, padding at the end, unequal lengths."""
    logits = fmt.round_array(rng.normal(level, spread, (batch, length, columns)))
    labels = rng.integers(0, columns, (batch, length))
    mask = np.zeros((batch, length), dtype=bool)
    for i in range(batch):
        first = 1 + i % 3
        last = max(first + 1, length - (2 * i) % max(length - 2, 1))
        mask[i, first:last] = True
        if last - first > 4:
            mask[i, first + 2] = False
    mask[:, 0] = False
    return Rows(name, logits, labels.astype(np.int64), mask)


def joined(first: Rows, second: Rows, name: str = "") -> Rows:
    """The sequences of both, which are as long; called as the first unless a name is given."""
    logits, labels, mask = (np.concatenate(both) for both in zip(first.parts, second.parts, strict=True))
    return replace(first, logits=logits, labels=labels, mask=mask, name=name or first.name)


def many_rows(fmt: Format, rng: np.random.Generator, count: int = 1030) -> Rows:
    """So many rows of up to three tokens over five columns."""
    return drawn(rng, fmt, count, 4, 5, name=f"{count:,} rows")


def distant(fmt: Format, rng: np.random.Generator, places: int = 4200) -> Rows:
    """So many places of three columns, of which some count, the first and the last too."""
    rows = drawn(rng, fmt, 1, places, 3, name="few tokens, far apart")
    mask = np.zeros(rows.mask.shape, dtype=bool)
    far = np.array([1, 2, 63, 64, 65, 128, 257, 513, 1000, 1025, 1537, 2049, 3000, 4095, 4097])
    mask[0, [*far[far < places], places - 2, places - 1]] = True
    return replace(rows, mask=mask)


def rising(fmt: Format, rng: np.random.Generator, count: int = 1) -> Floats:
    """Rows of 151,936 normal logits, of which one far on exceeds all before it, and the last exceeds that by 2 nats."""
    logits = rng.normal(0, 4, (count, LARGE))
    logits[:, [40_000, 80_000, LARGE - 1]] = 17.9, 19.7, 21.7
    return fmt.round_array(logits)


def full(logits: Floats, labels: Any, name: str) -> Rows:
    """One token a row, every one counted: logits (B, V) and a label each; a place is put behind that predicts nothing."""
    values, targets = np.asarray(logits, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    scores = np.stack([values, np.zeros_like(values)], axis=1)
    tokens = np.stack([np.zeros_like(targets), targets], axis=1)
    mask = np.zeros(tokens.shape, dtype=bool)
    mask[:, 1] = True
    return Rows(name, scores, tokens, mask)


def flat(fmt: Format, columns: int) -> Rows:
    """The target 0 and all others -0.3: each rounding of a running sum goes the same way."""
    logits = np.full((1, columns), -0.3)
    logits[0, 0] = 0.0
    return full(fmt.round_array(logits), [0], "flat")


def dominated(fmt: Format, columns: int, rng: np.random.Generator, *, place: int = 0) -> Rows:
    """One logit far above the rest, by half the precision and by all, which a running sum absorbs one by one where it is first.

    Elsewhere by that of binary32: whoever adds in tiles has to let the others go.
    """
    leads = (24 if place else fmt.precision) * np.log(2) * np.array([0.5, 0.75, 1.0]) + 1.0
    logits = rng.normal(0, 0.5, (3, columns))
    logits[:, place] = leads
    return full(fmt.round_array(logits), [place % columns] * 3, "dom")


def near_zero(fmt: Format, columns: int, rng: np.random.Generator) -> Rows:
    """Targets 3 to 30 nats ahead."""
    leads = np.array([3.0, 6.0, 9.0, 12.0, 18.0, 24.0, 30.0])
    logits = fmt.round_array(rng.uniform(-1, 0, (len(leads), columns)) - leads[:, None])
    labels = rng.integers(0, columns, len(leads))
    logits[np.arange(len(leads)), labels] = 0.0
    return full(logits, labels, "near 0")
