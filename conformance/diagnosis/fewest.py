"""The smallest input that shows a fault of a named loss: one pair where one does, else two or three, else what showed it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import numpy as np

from conformance.diagnosis.identification import Seen, answered
from conformance.diagnosis.trials import Answers
from conformance.errors import Misbehaviour
from conformance.records.diagnosis import Asked, Shown
from oracle import losses
from oracle.expressions.exact import Value
from oracle.losses._evaluate import Results

TRIED = 6
"""Calls that show it and whose pairs are asked alone."""


def smallest(answers: Answers) -> Shown | None:
    """One wrong number of as few pairs as were found to show it; of a loss, or of a derivative where the losses are right."""
    names = [""] if answers.wrong.any() else list(answers.loss.logps)
    for name in names:
        shown = [(one, places) for one in answers.seen if len(places := _wrong(answers, one, name))]
        for one, places in sorted(shown[:TRIED], key=lambda each: len(each[0].batch)):
            for fewer in _fewer(one, int(places[0])):
                found = _again(answers, fewer, name)
                if found is not None:
                    return found
        if shown:
            one, places = min(shown, key=lambda each: len(each[0].batch))
            return _shown(answers, one, int(places[0]), name, alone=False)
    return None


def _fewer(one: Seen, place: int) -> Iterator[Seen]:
    """The pair alone, beside each neighbour, and the first three."""
    n = len(one.batch)
    for places in dict.fromkeys(((place,), (place, (place + 1) % n), ((place - 1) % n, place), (0, 1), (0, 1, 2))):
        if len(set(places)) == len(places) and max(places) < n:
            yield replace(one, batch=one.batch.take(list(places)))


def _again(answers: Answers, one: Seen, name: str) -> Shown | None:
    try:
        asked = answered(answers.judged, one.batch, answers.fmt)
    except Misbehaviour:
        return None
    places = _wrong(answers, asked, name)
    return _shown(answers, asked, int(places[0]), name, alone=len(one.batch) == 1) if len(places) else None


def _wrong(answers: Answers, one: Seen, name: str) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """The pairs whose loss, or whose derivative in that argument, is wrong."""
    if not name:
        return np.flatnonzero(~answers.held(answers.loss, [one]))
    if one.gradient.get(name) is None:
        return np.zeros(0, dtype=np.intp)
    return np.flatnonzero(answers.slopes(one, name)[2])


def _shown(answers: Answers, one: Seen, place: int, name: str, *, alone: bool) -> Shown:
    loss, given = answers.loss, one.batch.of(answers.loss)
    asked: dict[str, Any] = {**given.rows, **given.parameters}
    whole, part = one.losses.size != len(one.batch), one.gradient.get(name)
    if part is not None:
        quantity, by = f"d {'mean ' if whole else ''}loss / d {name}", losses.mean_gradient if whole else losses.gradient
        got, exact = float(part[place]), _at(by(loss, **asked)[name], place)
    elif whole or loss.has_batch_state:
        quantity, got, exact = "mean loss", float(np.mean(one.losses)), losses.mean(loss, **asked)
    else:
        quantity, got, exact = "loss", float(one.losses[place]), _at(losses.value(loss, **asked), place)
    inputs = {key: tuple(float(x).hex() for x in row) for key, row in given.rows.items()}
    parameters = {key: float(x).hex() for key, x in given.parameters.items()}
    call = Asked(inputs, "nan", "nan", len(given), parameters=parameters)
    return Shown(call, quantity, place, got.hex(), exact.digits(20), alone)


def _at(results: Results, place: int) -> Value:
    return cast("Value", np.ravel(np.asarray(results, dtype=object))[place])
