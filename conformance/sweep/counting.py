"""The judgements of a block of consecutive logits, counted; derivatives that are each other's negatives are counted once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conformance.implementations.protocol import Stored
from conformance.sweep.found import EDGES
from oracle import Format, compiled
from oracle.formats import Floats
from oracle.judging import Judged


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What a block adds to a `Found`, and its errors as they count.

    errors: of what is rightly rounded 1/2 at most, of a flushed number 0, of who declares flushing in smallest normals
    where the exact value is subnormal. above: how many errors lie above each of EDGES. escalated: as of `Judged`.
    """

    errors: Floats
    wrong: int
    not_finite: int
    flushed: int
    top: float
    above: list[int]
    escalated: tuple[int, int] = (0, 0)


def counted(got: Floats, judged: Judged, fmt: Format, flush: bool) -> Counted:
    """The block's counts; got is what was returned. By compiled loops or NumPy's, to the same bits."""
    if compiled.worth("first", len(got)):
        from conformance.sweep import counting_loop  # noqa: PLC0415 - imports numba

        unit = 2.0 ** (1 - fmt.precision) if flush else 1.0
        errors, (wrong, not_finite, flushed, *above), top = counting_loop.counted(got, judged, unit)
        return Counted(errors, wrong, not_finite, flushed, top, above_from(errors, top, above), judged.escalated)
    errors, flushed = judged.errors, 0
    if errors.max() > 0.5:
        errors = np.where(judged.wrong, errors, np.minimum(errors, 0.5))  # what is rightly rounded errs by no more
    if judged.subnormal.any():
        if flush:
            errors = np.where(judged.subnormal, errors / 2.0 ** (fmt.precision - 1), errors)
        lost = judged.subnormal & (got == 0) & judged.wrong
        errors, flushed = np.where(lost, 0.0, errors), int(np.count_nonzero(lost))
    top = float(errors.max())
    not_finite = len(got) - int(np.count_nonzero(np.isfinite(got)))
    wrong, above = int(np.count_nonzero(judged.wrong)), above_from(errors, top, [])
    return Counted(errors, wrong, not_finite, flushed, top, above, judged.escalated)


def counted_both(z: Floats, losses: Stored, slopes: Stored, fmt: Format, flush: bool) -> tuple[Counted, Counted] | None:
    """The counts of losses and of derivatives against s, judged in one compiled pass; None where that does not do.

    It does of binary32 numbers stored as such, where loops are compiled, if the float64 tier leaves none of them open.
    """
    if not (fmt.width == 32 and losses.dtype == slopes.dtype == np.float32 and compiled.worth("sweep", 2 * len(z))):
        return None
    from conformance.sweep import counting_loop  # noqa: PLC0415 - imports numba

    unit = 2.0 ** (1 - fmt.precision) if flush else 1.0
    found = counting_loop.judged_and_counted(z, losses, slopes, fmt, unit)
    if found is None:
        return None
    f, s = (
        Counted(errors, wrong, not_finite, flushed, top, above_from(errors, top, above))
        for errors, (wrong, not_finite, flushed, *above), top in found
    )
    return f, s


def above_from(errors: Floats, top: float, known: list[int]) -> list[int]:
    """How many errors lie above each of EDGES, the first few known."""
    rest = EDGES[len(known) :]
    return known + [int(np.count_nonzero(errors > edge)) if top > edge else 0 for edge in rest]
