# Copyright the dpo-conformance authors. Licensed under the Apache License, Version 2.0
# (http://www.apache.org/licenses/LICENSE-2.0). To vendor: copy this file as it is, with this header; it needs NumPy alone.
"""Log-probabilities of labels and of whole responses from token logits, and their derivatives, in NumPy.

    logp_t = z_t - log sum_j e**z_j,  the sum over the others made apart from the label's own term

so that digits survive where the label is nearly certain, and so does its derivative, -expm1(logp_t). Exponentials and their
pairwise sums are binary32 for 16-bit logits (ml_dtypes' bfloat16 too) and for binary32; what there is one of a token is
binary64. Beyond inputs and derivative, memory is that of the tokens and of one tile. Bounds and measurements:
docs/token-logps.md, docs/reference.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

TILE = 1 << 17
"""Logits that are worked on at a time, so that they stay in cache."""
Floats = NDArray[Any]


def sequence_logps(
    logits: Floats,
    labels: NDArray[Any],
    mask: NDArray[Any] | None = None,
    *,
    shift: bool = False,
    average: bool = False,
    temperature: float = 1.0,
    chunk_size: int | None = None,
) -> Floats:
    """The log-probability of each sequence in nats: the sum over the tokens that count, (B,); or their mean.

    As `token_logps`, and raises as it does. The mean of no token is NaN.
    """
    rows = _rows(logits, labels, mask, shift, temperature, chunk_size)
    with np.errstate(all="ignore"):
        total = _forward(rows)[0].reshape(rows.shape).sum(-1)
        return np.asarray(total / _tokens(rows) if average else total).astype(rows.wide)


def token_logps(
    logits: Floats,
    labels: NDArray[Any],
    mask: NDArray[Any] | None = None,
    *,
    shift: bool = False,
    temperature: float = 1.0,
    chunk_size: int | None = None,
) -> Floats:
    """The log-probability of each label in nats, (..., T): binary32 for 16-bit logits, else in the logits' dtype.

    logits: (..., T, V), floating-point. labels: (..., T) integers. mask: (..., T) booleans, True where a label counts; by
    default a label of -100 does not. What does not count is 0, and may hold any label and any logits, NaN too, which have the
    derivative 0. A label that counts and is no token gives NaN. shift: the logits at a place score the next label, and those of
    the last place none. temperature divides the logits. chunk_size: columns at a time, by default all that fit in a tile.
    Raises ValueError for other shapes and dtypes, and a temperature that is not positive.
    """
    rows = _rows(logits, labels, mask, shift, temperature, chunk_size)
    with np.errstate(all="ignore"):
        return _forward(rows)[0].reshape(rows.shape).astype(rows.wide)


def sequence_gradient(
    logits: Floats,
    labels: NDArray[Any],
    mask: NDArray[Any] | None = None,
    *,
    incoming: ArrayLike = 1.0,
    shift: bool = False,
    average: bool = False,
    temperature: float = 1.0,
    chunk_size: int | None = None,
) -> Floats:
    """The derivatives of sum(incoming * sequence_logps) in the logits, in their shape and dtype.

    incoming: a number, or one a sequence, (B,). Of a mean over no token they are 0. Raises as `token_logps`.
    """
    rows = _rows(logits, labels, mask, shift, temperature, chunk_size)
    with np.errstate(all="ignore"):
        scale = np.asarray(incoming, dtype=np.float64)
        scale = np.broadcast_to(scale / _tokens(rows) if average else scale, rows.shape[:-1])[..., None]
        return _backward(rows, np.broadcast_to(scale, rows.shape).reshape(-1), np.shape(logits))


def token_gradient(
    logits: Floats,
    labels: NDArray[Any],
    mask: NDArray[Any] | None = None,
    *,
    incoming: ArrayLike = 1.0,
    shift: bool = False,
    temperature: float = 1.0,
    chunk_size: int | None = None,
) -> Floats:
    """The derivatives of sum(incoming * token_logps) in the logits, as `sequence_gradient`; incoming: a number, or (..., T)."""
    rows = _rows(logits, labels, mask, shift, temperature, chunk_size)
    with np.errstate(all="ignore"):
        scale = np.broadcast_to(np.asarray(incoming, dtype=np.float64), rows.shape)
        return _backward(rows, scale.reshape(-1), np.shape(logits))


class _Rows(NamedTuple):
    """One row a token: logits (N, V), its label, whether it counts, and whether it counts and is a token."""

    logits: Floats
    own: NDArray[np.int64]
    kept: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    shape: tuple[int, ...]
    temperature: float
    chunk: int
    wide: np.dtype[Any]


def _rows(
    logits: Floats,
    labels: NDArray[Any],
    mask: NDArray[Any] | None,
    shift: bool,
    temperature: float,
    chunk_size: int | None,
) -> _Rows:
    logits, labels = np.asarray(logits), np.asarray(labels)
    if labels.dtype.kind not in "iu" or (mask is not None and np.asarray(mask).dtype != np.bool_):
        raise ValueError("labels: integers; mask: booleans")
    counts = labels != -100 if mask is None else np.asarray(mask)
    if logits.dtype.kind in "biucOSUmM" or logits.dtype.itemsize > 8 or logits.ndim < 1 + shift or logits.shape[-1] < 1:
        raise ValueError(f"logits: {logits.dtype} of shape {logits.shape}; floating-point numbers (..., T, V), V > 0")
    if not logits.shape[:-1] == labels.shape == counts.shape:
        raise ValueError(f"labels {labels.shape}, mask {counts.shape}: of the logits' {logits.shape[:-1]}")
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature = {temperature}: a positive number")
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"chunk_size = {chunk_size}: a positive number of columns")
    if shift:
        labels, counts = _next(labels, 0), _next(counts, False)
    columns = logits.shape[-1]
    kept, own = counts.reshape(-1), labels.reshape(-1)
    valid = kept & (own >= 0) & (own < columns)
    wide = np.dtype(np.float64 if logits.dtype == np.float64 else np.float32)
    own = np.where(valid, own, 0).astype(np.int64)
    chunk = chunk_size or TILE
    return _Rows(logits.reshape(-1, columns), own, kept, valid, labels.shape, temperature, chunk, wide)


def _next(values: NDArray[Any], last: int | bool) -> NDArray[Any]:
    """Of each place what stands at the next; last at the last one."""
    return np.concatenate([values[..., 1:], np.full_like(values[..., :1], last)], -1)


def _tokens(rows: _Rows) -> NDArray[Any]:
    return np.count_nonzero(rows.kept.reshape(rows.shape), -1)


def _forward(rows: _Rows) -> tuple[Floats, Floats, Floats]:
    """(logps, top, total) of each row in binary64; total is the sum of e**((z - top) / T), top the largest logit."""
    z, own = rows.logits, rows.own
    top, rest = np.empty(len(z)), np.zeros(len(z))
    for tile, parts in _tiles(rows):
        largest = z[tile].max(-1).astype(np.float64)
        top[tile] = np.where(largest == -np.inf, 0.0, largest)  # a row of -inf: its terms are 0, not NaN
        for part in parts:
            terms = _exponentials(rows, tile, part, top)
            _put(terms, own[tile] - part.start, np.zeros(len(terms)))
            rest[tile] += terms.sum(-1)
    lead = (z[np.arange(len(z)), own].astype(np.float64) - top) / rows.temperature
    term = np.where(lead == 0, 1.0, np.exp(lead))
    logps = np.where(lead == 0, -np.log1p(rest), lead - np.log(rest + term))
    return np.where(rows.kept, np.where(rows.valid, logps, np.nan), 0.0), top, rest + term


def _backward(rows: _Rows, incoming: Floats, shape: tuple[int, ...]) -> Floats:
    """incoming (onehot - p) / T, the label's own as -expm1(logp)."""
    logps, top, total = _forward(rows)
    scale = np.where(rows.kept, incoming, 0.0) / rows.temperature
    weight = np.where(rows.valid | ~rows.kept, -scale / total, np.nan)
    label = -scale * np.expm1(logps)
    slopes = np.empty_like(rows.logits)
    for tile, parts in _tiles(rows):
        for part in parts:
            terms = _exponentials(rows, tile, part, top)
            terms *= weight[tile, None].astype(rows.wide)
            _put(terms, rows.own[tile] - part.start, label[tile])
            slopes[tile, part] = terms
    slopes[~rows.kept] = 0
    return slopes.reshape(shape)


def _tiles(rows: _Rows) -> Iterator[tuple[slice, list[slice]]]:
    """Rows by as many as fit in a tile, and the columns by as many as are worked on at a time."""
    n, columns = rows.logits.shape
    width = min(rows.chunk, columns)
    parts = [slice(start, min(start + width, columns)) for start in range(0, columns, width)]
    height = max(1, TILE // width)
    for start in range(0, n, height):
        yield slice(start, min(start + height, n)), parts


def _exponentials(rows: _Rows, tile: slice, part: slice, top: Floats) -> Floats:
    """e**((z - top) / T) of a tile, in the format that sums."""
    terms: Floats = rows.logits[tile, part].astype(rows.wide)
    terms -= top[tile, None].astype(rows.wide)
    if rows.temperature != 1:
        terms /= rows.wide.type(rows.temperature)
    return np.exp(terms, out=terms)


def _put(terms: Floats, column: NDArray[np.int64], values: Floats) -> None:
    """terms[i, column[i]] = values[i], where that column is among them."""
    at = np.flatnonzero((column >= 0) & (column < terms.shape[1]))
    terms[at, column[at]] = values[at]
