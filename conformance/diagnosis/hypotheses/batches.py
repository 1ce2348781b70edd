"""Pairs that are mixed up, and losses that depend on the others of their batch."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from conformance.diagnosis.hypotheses.cures import FACTOR, PAIRS, WHOLE
from conformance.diagnosis.hypotheses.margins import margin_of, net
from conformance.diagnosis.variants import Logps, Variant
from oracle.formats import Floats


def _interleaved(chosen: Floats, rejected: Floats) -> tuple[Floats, Floats]:
    """All chosen, then all rejected, read as pairs that alternate."""
    rows = np.concatenate([chosen, rejected])
    return rows[0::2], rows[1::2]


def _halved(chosen: Floats, rejected: Floats) -> tuple[Floats, Floats]:
    """Rows that alternate, cut in halves."""
    rows = np.stack([chosen, rejected], axis=1).ravel()
    return rows[: len(chosen)], rows[len(chosen) :]


def _rows(x: Logps, change: Callable[[Floats, Floats], tuple[Floats, Floats]], *, reference: bool = True) -> Logps:
    pc, pr = change(x[0], x[1])
    rc, rr = change(x[2], x[3]) if reference else (x[2], x[3])
    return pc, pr, rc, rr


def _centred(x: Logps) -> Logps:
    margin = margin_of(x)
    return net(margin - margin.mean())


BATCHES = (
    Variant(
        "rejected of the next pair",
        "the loss with each chosen response compared with a neighbouring pair's rejected one",
        PAIRS,
        before=lambda x: (x[0], np.roll(x[1], 1), x[2], np.roll(x[3], 1)),
    ),
    Variant(
        "rejected of the previous pair",
        "the loss with each chosen response compared with a neighbouring pair's rejected one",
        PAIRS,
        before=lambda x: (x[0], np.roll(x[1], -1), x[2], np.roll(x[3], -1)),
    ),
    Variant(
        "reference of the next pair",
        "the loss with each pair's reference taken from a neighbouring pair",
        PAIRS,
        before=lambda x: (x[0], x[1], np.roll(x[2], 1), np.roll(x[3], 1)),
    ),
    Variant(
        "reference of the previous pair",
        "the loss with each pair's reference taken from a neighbouring pair",
        PAIRS,
        before=lambda x: (x[0], x[1], np.roll(x[2], -1), np.roll(x[3], -1)),
    ),
    Variant(
        "policy reversed",
        "the loss with the policy's pairs in reversed order against the reference's",
        PAIRS,
        before=lambda x: (x[0][::-1], x[1][::-1], x[2], x[3]),
    ),
    Variant(
        "pairs of even places",
        "the loss of every other pair of the batch, in the place of each: as of strided inputs read without their stride",
        "Honour the strides of the inputs, or make them contiguous first.",
        before=lambda x: (*(np.resize(v[::2], v.shape) for v in x),),  # type: ignore[arg-type,return-value]
    ),
    Variant(
        "log-ratios sorted",
        "the loss with both log-ratios sorted over the batch",
        PAIRS,
        before=lambda x: (np.sort(x[0] - x[2]), np.sort(x[1] - x[3]), 0 * x[2], 0 * x[3]),
    ),
    Variant(
        "rows interleaved",
        "the loss with rows laid out as all chosen, then all rejected, read as alternating",
        PAIRS,
        before=lambda x: _rows(x, _interleaved),
    ),
    Variant("rows halved", "the loss with alternating rows cut in halves", PAIRS, before=lambda x: _rows(x, _halved)),
    Variant(
        "policy rows interleaved",
        "the loss with the policy's rows interleaved, the reference's not",
        PAIRS,
        before=lambda x: _rows(x, _interleaved, reference=False),
    ),
    Variant(
        "policy rows halved",
        "the loss with the policy's alternating rows cut in halves, the reference's not",
        PAIRS,
        before=lambda x: _rows(x, _halved, reference=False),
    ),
    Variant(
        "reference averaged",
        "the loss with the batch's mean reference in the place of each pair's own",
        PAIRS,
        before=lambda x: (x[0], x[1], np.full_like(x[2], x[2].mean()), np.full_like(x[3], x[3].mean())),
    ),
    Variant("margins centred", "the loss with the batch's mean margin subtracted from each", WHOLE, before=_centred),
    Variant(
        "margins whitened",
        "the loss with the margins divided by the batch's root mean square",
        WHOLE,
        before=lambda x: net(margin_of(x) / np.sqrt(np.mean(np.square(margin_of(x))))),
    ),
    Variant(
        "rewards centred",
        "the loss with the batch's mean chosen reward subtracted",
        WHOLE,
        before=lambda x: net(margin_of(x) - (x[0] - x[2]).mean()),
    ),
    Variant("reversed", "each pair's loss at another's place: in reversed order", WHOLE, after=lambda v: v[::-1]),
    Variant("shifted by one", "each pair's loss at another's place: shifted by one", WHOLE, after=lambda v: np.roll(v, 1)),
    Variant(
        "shifted back by one", "each pair's loss at another's place: shifted by one", WHOLE, after=lambda v: np.roll(v, -1)
    ),
    Variant("sorted", "each pair's loss at another's place: in ascending order", WHOLE, after=np.sort),
    Variant(
        "the mean for each",
        "the batch's mean loss at every place",
        WHOLE,
        after=lambda v: np.full_like(v, v.mean()),
        slopes=True,
    ),
    Variant(
        "the sum for each",
        "the batch's summed loss at every place",
        WHOLE,
        after=lambda v: np.full_like(v, v.sum()),
        share=float,
    ),
    Variant(
        "divided by n", "each pair's loss divided by the number of pairs in its batch", FACTOR, scale=lambda n, b, e: 1 / n
    ),
    Variant("times n", "each pair's loss times the number of pairs in its batch", FACTOR, scale=lambda n, b, e: float(n)),
    Variant(
        "every pair with every other",
        "the mean over every rejected response at each chosen one: (n, 1) was broadcast against (n,)",
        PAIRS,
        before=lambda x: (*net(np.subtract.outer(x[0] - x[2], x[1] - x[3]).ravel()),),
        after=lambda v: v.reshape(math.isqrt(len(v)), -1).mean(axis=1),
        most=100,
    ),
)
