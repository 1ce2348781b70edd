"""The counts of a block in one compiled pass: `counting.counted`, operation by operation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from conformance.sweep.found import EDGES
from oracle.compiled.jit import compiled
from oracle.formats import Floats
from oracle.judging import Judged, Mask

_FIRST = EDGES[:7]
"""Edges that are counted in the same pass: 1/8 to 4 ulp, beyond which few errors lie."""
_A, _B, _C, _D, _E, _F, _G = _FIRST


@compiled
def _as_they_count(got: Floats, given: Floats, wrong: Mask, subnormal: Mask, unit: float, errors: Floats) -> np.int64:
    lost = np.int64(0)
    for i in range(got.size):
        error = given[i]
        error = error if wrong[i] | (error < 0.5) else 0.5
        error = error * unit if subnormal[i] else error
        flushed = subnormal[i] & (got[i] == 0) & wrong[i]
        errors[i] = 0.0 if flushed else error
        lost += np.int64(flushed)
    return lost


@compiled
def _above(errors: Floats, counts: NDArray[np.int64]) -> float:
    """The counts beyond the first three, and the largest error: of numbers that are not negative the bits are in order."""
    bits = np.int64(0)
    a = b = c = d = e = f = g = np.int64(0)
    for i in range(errors.size):
        error = errors[i]
        mine = np.float64(error).view(np.int64)
        bits = mine if mine > bits else bits
        a += np.int64(error > _A)
        b += np.int64(error > _B)
        c += np.int64(error > _C)
        d += np.int64(error > _D)
        e += np.int64(error > _E)
        f += np.int64(error > _F)
        g += np.int64(error > _G)
    counts[3], counts[4], counts[5], counts[6], counts[7], counts[8], counts[9] = a, b, c, d, e, f, g
    return np.int64(bits).view(np.float64)


@compiled
def _told(got: Floats, wrong: Mask, counts: NDArray[np.int64]) -> None:
    bad = unfinished = np.int64(0)
    for i in range(got.size):
        bad += np.int64(wrong[i])
        unfinished += np.int64(not abs(got[i]) < np.inf)
    counts[0], counts[1] = bad, unfinished


@compiled
def _count(
    got: Floats, given: Floats, wrong: Mask, subnormal: Mask, unit: float, errors: Floats, counts: NDArray[np.int64]
) -> float:
    _told(got, wrong, counts)
    counts[2] = _as_they_count(got, given, wrong, subnormal, unit, errors)
    return _above(errors, counts)


def counted(got: Floats, judged: Judged, unit: float) -> tuple[Floats, list[int], float]:
    """(errors, [wrong, not finite, flushed, above each of the first edges], largest error)."""
    errors, counts = np.empty(len(got)), np.empty(3 + len(_FIRST), np.int64)
    top = _count(np.ascontiguousarray(got), judged.errors, judged.wrong, judged.subnormal, unit, errors, counts)
    return errors, counts.tolist(), top
