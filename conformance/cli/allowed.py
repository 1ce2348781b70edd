"""What correct code may return for one pair in a format: the numbers that the suite accepts, and the best of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import oracle
from oracle import Format, Real, bounds

QUANTITIES = ("loss", "d/d policy_chosen", "d/d policy_rejected", "d/d ref_chosen", "d/d ref_rejected")
SIGNS = (-1, 1, 1, -1)
"""Of each derivative, to beta (sigma(-z) - eps)."""


def allowed(logps: tuple[float, ...], beta: float, label_smoothing: float, fmt: Format) -> Iterator[str]:
    """Lines: for the loss and each derivative, the correctly rounded value, and the least and greatest number that is accepted.

    logps are numbers of the format.
    """
    pc, pr, rc, rr = (np.array([value]) for value in logps)
    pairs = bounds.Pairs(pc, pr, rc, rr, beta, label_smoothing)
    if not np.isfinite(logps).all():
        yield "  not finite: what may be returned is in the chapter SPECIAL"
        return
    if not bounds.representable(pairs, fmt)[0]:
        yield "  the way to the logit overflows in this format: no MUST judges it"
        return
    slope = oracle.gradient(*logps, beta=beta, label_smoothing=label_smoothing)
    exact = [oracle.loss(*logps, beta=beta, label_smoothing=label_smoothing), *slope.by_logps]
    (least, greatest), (low, high) = (
        tuple(float(end[0]) for end in bounds.accepted_numbers(of(pairs, fmt))) for of in (bounds.loss, bounds.gradient)
    )
    intervals = [(least, greatest), *((low, high) if sign > 0 else (-high, -low) for sign in SIGNS)]
    rows = [("", "rounded", "accepted: from", "to")]
    for name, true, ends in zip(QUANTITIES, exact, intervals, strict=True):
        assert isinstance(true, Real)
        rows.append((name, repr(true.round(fmt)), repr(ends[0]), repr(ends[1])))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        yield "  " + "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]])
