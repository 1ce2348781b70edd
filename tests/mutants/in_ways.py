"""What an implementation answers in each way to call it, in the form of plain answers: by weights of all sizes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np

from conformance.errors import Misbehaviour
from conformance.implementations.protocol import Answer, Implementation, Versatile
from conformance.implementations.ways import UNWEIGHED, Way, alike, asked
from conformance.inputs.batch import Batch
from oracle import Format
from oracle.formats import Floats

MAY_REFUSE = {
    Way.EXPANDED,
    Way.REVERSED,
    Way.AGAIN,
    Way.CREATE_GRAPH,
    Way.INPUTS_CHANGED,
    Way.LOSSES_CHANGED,
    Way.FUNCTIONAL,
    Way.COMPILED,
    Way.VMAP,
    Way.FORWARD,
    Way.CHECKPOINTED,
    Way.AUTOCAST,
    Way.ELSEWHERE,
}
"""The ways in which an exception is no wrong answer."""
SIGNS = (1, -1, -1, 1)
SCALES = (1.0, 0.5, 2.0**-4, -0.75, 2.0**15, 1 + 2.0**-7, 2.0**20, 2.0**-24, 1 + 2.0**-12, 1 + 2.0**-30)
"""Weights of one pair after the other, in the formats that hold them."""


def in_ways(implementation: Implementation, batch: Batch, fmt: Format, ways: Collection[Way]) -> Iterator[Answer]:
    """The plain answer, and one for each way, its derivatives divided by the weights."""
    gradient = implementation.claims.gradient
    plain = implementation.evaluate(batch, fmt, gradient=gradient)
    yield plain
    if not isinstance(implementation, Versatile):
        return
    scales = [
        scale for scale in SCALES if fmt.round_array(scale) == scale and (fmt.emax > 15 or 2.0**-14 < abs(scale) < 2.0**16)
    ]
    n = len(batch) if implementation.claims.reduction == "none" else 1
    unclaimed = () if implementation.claims.second_derivatives else (Way.IN_WEIGHTS,)
    for way in sorted((implementation.ways & set(ways)).difference(unclaimed)):
        weights = [np.resize([4.0, 1.0, -2.0], n)]
        if not gradient or way in UNWEIGHED:
            weights = [np.ones(n)]
        elif way is Way.GIVEN_EXPANDED:
            weights = [np.full(n, -2.0)]
        elif way in {Way.GIVEN, Way.BACKWARD}:
            weights = [np.resize(scales[k:], n) for k in range(0, len(scales), n)] + [np.zeros(n)]
        for upstream in weights:
            try:
                answer = implementation.by_way(way, batch, fmt, gradient=gradient, weights=upstream)
            except Misbehaviour as error:
                if way in MAY_REFUSE and error.kind == "raised":
                    continue
                raise
            yield _as_plain(way, answer, plain, upstream, alike(batch.logps))


def _as_plain(way: Way, answer: Answer, plain: Answer, upstream: Floats, first: tuple[int, ...]) -> Answer:
    """Derivatives over their weights, and the plain ones where the way asks for none.

    A derivative whose weight is 0 becomes the plain one where it is 0, and NaN where it is not. first: for each argument the
    first that holds the same numbers.
    """
    if plain.gradient is None or not asked(way):
        return replace(answer, gradient=plain.gradient)
    if way is Way.ONE_TENSOR:
        answer = _apart(answer, plain, first)
    parts = list(answer.gradient or (None,) * 4)
    for place, (part, own) in enumerate(zip(parts, plain.gradient, strict=True)):
        if place not in asked(way):
            parts[place] = own
        elif part is not None:
            with np.errstate(invalid="ignore", divide="ignore"):
                parts[place] = np.where(upstream == 0, np.where(part == 0, own, np.nan), part / upstream)
    pc, pr, rc, rr = parts
    return replace(answer, gradient=(pc, pr, rc, rr))


def _apart(answer: Answer, plain: Answer, first: tuple[int, ...]) -> Answer:
    """The derivative of a tensor in two roles as that of each: half of it, or NaN where the two cancel and it is not 0."""
    if answer.gradient is None or plain.gradient is None:
        return answer
    parts: list[Floats | None] = []
    for place, own in enumerate(first):
        total, roles = answer.gradient[own], [i for i in range(4) if first[i] == own]
        if total is None or not sum(SIGNS[i] for i in roles):
            parts.append(plain.gradient[place] if total is None or not total.any() else np.full(len(total), np.nan))
        else:
            parts.append(total / len(roles))
    pc, pr, rc, rr = parts
    return replace(answer, gradient=(pc, pr, rc, rr))
