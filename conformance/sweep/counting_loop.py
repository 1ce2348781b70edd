"""A block judged and counted in one compiled pass, in parts that stay in the first-level cache: `counting` to the same bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from conformance.sweep.found import EDGES
from oracle import Format, first_tier, judging
from oracle.ball import prepare
from oracle.compiled import first
from oracle.compiled.first import Returned, Sizes, Tables
from oracle.compiled.jit import CHUNK, compiled
from oracle.formats import Floats
from oracle.judging import Judged, Mask

Counts = NDArray[np.int64]
"""Wrong, not finite, flushed, above each of the first edges: a part adds its own."""

_FIRST = EDGES[:7]
"""Edges that are counted in the same pass: 1/8 to 4 ulp, beyond which few errors lie."""
_A, _B, _C, _D, _E, _F, _G = _FIRST


@compiled
def _as_they_count(got: Returned, given: Floats, wrong: Mask, subnormal: Mask, unit: float, errors: Floats) -> np.int64:
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
def _above(errors: Floats, counts: Counts) -> float:
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
    counts[3] += a
    counts[4] += b
    counts[5] += c
    counts[6] += d
    counts[7] += e
    counts[8] += f
    counts[9] += g
    return np.int64(bits).view(np.float64)


@compiled
def _told(got: Returned, wrong: Mask, counts: Counts) -> None:
    bad = unfinished = np.int64(0)
    for i in range(got.size):
        bad += np.int64(wrong[i])
        unfinished += np.int64(not abs(got[i]) < np.inf)
    counts[0] += bad
    counts[1] += unfinished


@compiled
def _within_half(errors: Floats, counts: Counts) -> float:
    """As `_above` of errors that are all below 1/2."""
    bits = np.int64(0)
    a = b = c = np.int64(0)
    for i in range(errors.size):
        error = errors[i]
        mine = np.float64(error).view(np.int64)
        bits = mine if mine > bits else bits
        a += np.int64(error > _A)
        b += np.int64(error > _B)
        c += np.int64(error > _C)
    counts[3] += a
    counts[4] += b
    counts[5] += c
    return np.int64(bits).view(np.float64)


@compiled
def _count(got: Returned, given: Floats, wrong: Mask, subnormal: Mask, unit: float, errors: Floats, counts: Counts) -> float:
    _told(got, wrong, counts)
    counts[2] += _as_they_count(got, given, wrong, subnormal, unit, errors)
    return _above(errors, counts)


@compiled
def _unfinished(got: Returned) -> np.int64:
    many = np.int64(0)
    for i in range(got.size):
        many += np.int64(not abs(got[i]) < np.inf)
    return many


@compiled
def _part(
    z: Floats, got: Returned, exact: Floats, slope: bool, sizes: Sizes, unit: float, errors: Floats, counts: Counts
) -> tuple[np.int64, float]:
    """How many are in doubt, and the largest error. What is wrong is what errs by 1/2 at least: the format holds all else.

    Of no logit of binary32 is it in doubt whether the exact value is subnormal: the nearest is 2**-18 away.
    """
    n, normal = z.size, sizes[0]
    far, least = first.near(got, exact, sizes, errors)
    in_doubt = np.int64(0)
    deep = first.is_deep(least, normal)
    if far == 0 and (unit == 1.0 or not deep):
        return in_doubt, _within_half(errors, counts)
    if not deep:
        in_doubt += first.beyond_half(z, got, exact, slope, sizes, errors, far)
        counts[0] += far
        counts[1] += _unfinished(got)
        return in_doubt, _above(errors, counts)
    wrong, subnormal, given = np.empty(n, np.bool_), np.empty(n, np.bool_), np.empty(n)
    for i in range(n):
        wrong[i] = not errors[i] < 0.5
        subnormal[i] = exact[i] < normal
    in_doubt += first.beyond_half(z, got, exact, slope, sizes, errors, far)
    given[:] = errors
    return in_doubt, _count(got, given, wrong, subnormal, unit, errors, counts)


@compiled
def _block(
    z: Floats,
    losses: Returned,
    slopes: Returned,
    tables: Tables,
    sizes: Sizes,
    unit: float,
    errors: tuple[Floats, Floats],
    counts: tuple[Counts, Counts],
) -> tuple[np.int64, float, float]:
    """How many are in doubt, and the largest errors of the losses and of the slopes."""
    r, f_k, s_k, exact, k = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK, np.int64)
    f, s = tables
    in_doubt, top_f, top_s = np.int64(0), 0.0, 0.0
    for start in range(0, z.size, CHUNK):
        at = slice(start, start + CHUNK)
        part = z[at]
        n = part.size
        in_doubt += first.reduce(part, r, k)
        if k[0] == k[n - 1]:  # the logits are consecutive
            f_k[:n] = f[k[0]]
            s_k[:n] = s[k[0]]
        else:
            first.look_up(f, k[:n], f_k)
            first.look_up(s, k[:n], s_k)
        first.losses(part, r, f_k, s_k, exact)
        more, top = _part(part, losses[at], exact, False, sizes, unit, errors[0][at], counts[0])
        in_doubt += more
        top_f = max(top_f, top)
        first.slopes(part, r, s_k, exact)
        more, top = _part(part, slopes[at], exact, True, sizes, unit, errors[1][at], counts[1])
        in_doubt += more
        top_s = max(top_s, top)
    return in_doubt, top_f, top_s


def counted(got: Floats, judged: Judged, unit: float) -> tuple[Floats, list[int], float]:
    """(errors, [wrong, not finite, flushed, above each of the first edges], largest error)."""
    errors, counts = np.empty(len(got)), np.zeros(3 + len(_FIRST), np.int64)
    top = _count(np.ascontiguousarray(got), judged.errors, judged.wrong, judged.subnormal, unit, errors, counts)
    return errors, counts.tolist(), top


def judged_and_counted(
    z: Floats, losses: Returned, slopes: Returned, fmt: Format, unit: float
) -> tuple[tuple[Floats, list[int], float], tuple[Floats, list[int], float]] | None:
    """What `counted` gives of losses and of derivatives that `judging` has judged; None if the float64 tier left one open.

    z: consecutive finite logits of the format; losses, slopes: numbers that it holds, infinities and NaN among them.
    """
    prepare()
    _, sizes = first.sizes_of(fmt, judging.first_slack(fmt))
    found = (np.empty(len(z)), np.empty(len(z))), (np.zeros(3 + len(_FIRST), np.int64), np.zeros(3 + len(_FIRST), np.int64))
    open_, *tops = _block(z, losses, slopes, first_tier.tables(), sizes, unit, *found)
    if open_:
        return None
    f, s = ((errors, counts.tolist(), top) for errors, counts, top in zip(*found, tops, strict=True))
    return f, s
