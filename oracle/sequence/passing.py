"""Passes over the vocabulary: the largest of the others, and the sum of their exponentials, a tile at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oracle.doubledouble import Floats, Integers, Pair, two_product
from oracle.errors import BadArgument, NotFinite, OutOfRange, ShapeMismatch
from oracle.sequence import compiled
from oracle.sequence.kernel import LARGEST, REACH, TILE, doubled, exponents, powers, summed

Array = NDArray[Any]
Places = NDArray[np.intp]
_FURTHEST = 2.0**40  # logits over a temperature, so that the tail of the quotient stays below 2**-12


@dataclass(frozen=True, slots=True)
class Picked:
    """Some rows of an array, taken as they are asked for."""

    every: Array
    picked: Places

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows, and the size of the vocabulary."""
        return len(self.picked), self.every.shape[1]

    def __getitem__(self, place: tuple[slice, slice]) -> Array:
        """Those rows and columns; a view where it is one row."""
        picked = self.picked[place[0]]
        if len(picked) == 1:
            return np.asarray(self.every[picked[0] : picked[0] + 1, place[1]])
        return np.asarray(self.every[picked, place[1]])


@dataclass(frozen=True, slots=True)
class Found:
    """What the passes leave of each row.

    target: z_t over the temperature, as head + tail; NaN where the row holds +inf or NaN. shift: what is taken from every
    logit. total * 2**exponent: the sum of e**(z - shift) of the others, within SUM_ERROR. largest: the others' largest, less
    the shift; -inf where there is none, and the sum is then taken as 1. quotient_error: relative, of head + tail as quotients
    by the temperature.
    """

    target: Pair
    shift: Pair
    total: Pair
    largest: Floats
    exponent: Integers
    quotient_error: float

    @classmethod
    def of(cls, values: Array | Picked, index: Integers, temperature: float) -> Found:
        """The passes. Raises OutOfRange for a label outside the vocabulary, and for the temperature; NotFinite; BadArgument."""
        if not np.isfinite(temperature):
            raise NotFinite("temperature", temperature, "a positive number")
        if not 2.0**-64 <= temperature <= 2.0**64:
            raise OutOfRange("temperature", temperature, "a number from 2**-64 to 2**64")
        outside = np.flatnonzero((index < 0) | (index >= values.shape[1]))
        if outside.size:
            allowed = f"an index of the vocabulary, 0 to {values.shape[1] - 1}"
            raise OutOfRange(f"label {outside[0]}", int(index[outside[0]]), allowed)
        out = np.zeros((7, len(index)))
        for rows in passes(values):
            out[:, rows] = _block(values, index[rows], temperature, rows)
        nobody = np.isneginf(out[6])
        out[4, nobody], out[5, nobody] = 1.0, 0.0
        exponent = exponents(np.where(nobody, 0.0, out[6]))
        target, shift, total = (out[0], out[1]), (out[2], out[3]), (out[4], out[5])
        return cls(target, shift, total, out[6], exponent, 0.0 if temperature == 1.0 else 2.0**-100)


def read(logits: ArrayLike, labels: ArrayLike) -> tuple[Array, Integers]:
    """(N, V) logits and N labels. Raises ShapeMismatch and BadArgument."""
    values, index = np.asarray(logits), np.asarray(labels)
    if values.ndim == 0 or values.shape[:-1] != index.shape or not values.shape[-1]:
        raise ShapeMismatch(f"logits {values.shape}, labels {index.shape}: (..., V) and (...), V at least 1")
    if index.size and index.dtype.kind not in "iu":
        raise BadArgument("labels", index.dtype, "integers, one index a token")
    return values.reshape(-1, values.shape[-1]), index.reshape(-1).astype(np.int64)


def passes(values: Array | Picked) -> Iterator[slice]:
    """The rows, in blocks of one tile's size at the most where the vocabulary is small."""
    count, size = values.shape
    rows = 1 if compiled.usable(size) else max(1, TILE // size)
    for start in range(0, count, rows):
        yield slice(start, min(start + rows, count))


def columns_of(values: Array | Picked) -> list[slice]:
    """The vocabulary in tiles."""
    size = values.shape[1]
    return [slice(start, min(start + TILE, size)) for start in range(0, size, TILE)]


def taken_out(values: Array | Picked, labels: Integers, rows: slice, columns: slice) -> tuple[Floats, Places, Places, Floats]:
    """The tile as float64 of its own with -inf for the targets in it; their rows, their columns, and what they were."""
    tile = np.asarray(values[rows, columns])
    _check_kind(tile)
    with np.errstate(invalid="ignore"):
        floats = np.array(tile, dtype=np.float64)
    inside = np.flatnonzero((labels >= columns.start) & (labels < columns.stop))
    places = labels[inside] - columns.start
    target = floats[inside, places]
    floats[inside, places] = -np.inf
    return floats, inside, places, target


def _block(values: Array | Picked, labels: Integers, temperature: float, rows: slice) -> tuple[Floats, ...]:
    """Of some rows: target, shift and sum, each as head and tail; largest less shift."""
    target, largest = np.zeros(len(labels)), np.full(len(labels), -np.inf)
    every = columns_of(values)
    if temperature == 1.0 and compiled.usable(values.shape[1]):
        return _compiled_row(values, int(labels[0]), rows)
    kept: Floats | None = None
    for columns in every:
        kept, inside, _, goal = taken_out(values, labels, rows, columns)
        target[inside] = goal
        largest = np.maximum(largest, kept.max(axis=1))  # a NaN stays
    bad = ~(largest < np.inf) | ~(target < np.inf)
    largest[bad], target[bad] = -np.inf, 0.0
    (top, top_tail), (aim, aim_tail) = divided(largest, temperature), divided(target, temperature)
    shifted = np.isfinite(top) & (np.abs(top) > LARGEST)
    shift = np.where(shifted, top, 0.0), np.where(shifted, top_tail, 0.0)
    largest = np.where(shifted, 0.0, top)
    exponent = exponents(np.where(np.isfinite(largest), largest, 0.0))
    addends: list[Floats] = []
    for columns in every:
        tile = kept if len(every) == 1 and kept is not None else taken_out(values, labels, rows, columns)[0]
        z, rest = reduced(tile, temperature, shift, largest)
        addends += summed(*powers(z, rest, exponent[:, None]))
    return np.where(bad, np.nan, aim), aim_tail, *shift, *doubled(addends), largest


def _compiled_row(values: Array | Picked, label: int, rows: slice) -> tuple[Floats, ...]:
    """As `_block`, of one row of a large vocabulary. -inf, as every z below REACH, adds e**-REACH at the most."""
    row = as_row(values, rows)
    target, others = float(row[label]), (row[:label], row[label + 1 :])
    largest = float(np.max([part.max(initial=-np.inf) for part in others]))  # a NaN stays
    if not (largest < np.inf and target < np.inf):
        nothing = np.zeros(1)
        return np.array([np.nan]), nothing, nothing, nothing, nothing, nothing, np.array([-np.inf])
    if np.isneginf(largest):
        shift, exponent, parts = 0.0, 0, [1.0]
    else:
        shift = largest if abs(largest) > LARGEST else 0.0
        largest -= shift
        exponent = int(exponents(np.array([largest]))[0])
        parts = [x for part in others for x in compiled.row_sum(part, shift, largest - REACH, exponent)]
    total = doubled([np.array([part]) for part in parts])
    zero = np.zeros(1)
    return np.array([target]), zero, np.array([shift]), zero, *total, np.array([largest])


def as_row(values: Array | Picked, rows: slice) -> Floats:
    """One row as a contiguous vector of float64, exactly: the array's own where it is one. Raises BadArgument."""
    row = np.asarray(values[rows, slice(None)])[0]
    _check_kind(row)
    return np.ascontiguousarray(row, dtype=np.float64)


def _check_kind(tile: Array) -> None:
    if tile.dtype.kind not in "fiuV" or tile.dtype.itemsize > 8:
        raise BadArgument("logits", tile.dtype, "an array of a binary format of at most 64 bits")


def divided(z: Floats, temperature: float) -> Pair:
    """z / temperature as head + tail, relative error below 2**-100. Raises OutOfRange where it is too large."""
    if temperature == 1.0:
        return z, np.zeros_like(z)
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        head = z / temperature
        product, error = two_product(head, np.full_like(head, temperature))
        tail = ((z - product) - error) / temperature
    tail[~np.isfinite(head) | (head == 0)] = 0.0
    if bool(((np.abs(head) > _FURTHEST) & np.isfinite(z)).any()):
        raise OutOfRange("temperature", temperature, "one that leaves every logit / temperature below 2**40")
    return head, tail


def reduced(tile: Floats, temperature: float, shift: Pair, largest: Floats) -> tuple[Floats, Floats | None]:
    """The logits over the temperature less the shift, those lower than REACH below the largest taken as that low."""
    z, tail = divided(tile, temperature)
    rest: Floats | None = None if temperature == 1.0 else tail
    with np.errstate(invalid="ignore"):
        if shift[0].any():
            z = z - shift[0][:, None]
            rest = None if rest is None else rest - shift[1][:, None]
        least = (np.where(np.isfinite(largest), largest, 0.0) - REACH)[:, None]
        if rest is not None:
            rest[~(z >= least)] = 0.0
        z = np.fmax(z, least)  # a row with a NaN is undefined, whatever is computed
        if not bool((z.max(axis=1, initial=0.0) <= least[:, 0] + 2 * REACH).all()):
            np.fmin(z, least + 2 * REACH, out=z)
    return z, rest
