"""The smallest token logits that show a fault: one sequence of two places over two columns where that suffices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import cast

import numpy as np

from conformance.clauses.sequence.judging import Scale, sequence_gradient
from conformance.clauses.sequence.pairs import Pairs
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.implementations.sequence.path import PathImplementation
from conformance.implementations.sequence.protocol import SequenceImplementation
from conformance.inputs.paths import Paths
from conformance.inputs.sequences import Rows, drawn
from conformance.records.diagnosis import Asked, Shown
from oracle.bounds import Mask
from oracle.formats import Floats
from oracle.sequence import bounds, sequence_logp, token_gradient

SHAPES = ((1, 2, 2), (1, 3, 2), (1, 3, 3), (2, 3, 3), (1, 5, 3), (2, 5, 3), (3, 7, 4), (18, 7, 5))
"""Sequences or pairs, places and columns, the fewest first."""
VALUE, SLOPE = "log-probability", "d log-probability / d logits"


def smallest(trial: Trial) -> Shown | None:
    """The first of them that shows it, of values or else of derivatives; None where none does, or it does not answer."""
    path = trial.implementation.claims.kind == "path"
    for gradient in (False, True):
        if gradient and not trial.implementation.claims.gradient:
            break
        for found in _of_paths(trial, gradient) if path else _of_rows(trial, gradient):
            if found is not None:
                return found
    return None


def _quartered(rows: Rows) -> Rows:
    """With logits in quarters, which every format holds and a reader can type."""
    return replace(rows, logits=np.rint(4 * rows.logits) / 4)


def _first(got: Floats, exact: Floats, allowed: Floats) -> tuple[int, ...] | None:
    """The place of the first number that is not what it should be, beyond what it may be off by."""
    if got.shape != exact.shape:
        return None
    with np.errstate(invalid="ignore"):
        wrong: Mask = ~(np.abs(got - exact) <= allowed * (1 + 2.0**-10)) & ~np.isnan(exact)
    found = np.argwhere(wrong)
    return tuple(int(i) for i in found[0]) if len(found) else None


def _of_rows(trial: Trial, gradient: bool) -> Iterator[Shown | None]:
    judged, scale, rng = cast("SequenceImplementation", trial.implementation), Scale(trial), np.random.default_rng(3)
    if judged.claims.returns != "sequence":
        return
    temperatures = (1.0, 0.5) if "temperature" in judged.claims.options else (1.0,)
    for shape in SHAPES:
        for temperature in temperatures:
            rows = replace(_quartered(drawn(rng, trial.fmt, *shape)), temperature=temperature)
            try:
                answer = judged.evaluate(rows, trial.fmt, gradient=gradient)
            except Misbehaviour:
                continue
            if not gradient:
                place = _first(answer.values, *scale.allowed(rows, answer, bounds.must))
                if place is not None:
                    exact = _sequence(rows, place[0], average=judged.claims.average)
                    yield _shown(rows, VALUE, place, float(answer.values[place]), exact)
                continue
            fmt, average = judged.claims.arithmetic(trial.fmt, answer.dtype), judged.claims.average
            right, allowed = sequence_gradient(rows, fmt, trial.fmt, bounds.must, average=average)
            got = answer.gradient if answer.gradient is None or not judged.claims.shift else answer.gradient[:, :-1]
            place = None if got is None else _first(got, right, allowed)
            if got is not None and place is not None:
                yield _shown(rows, SLOPE, place, float(got[place]), _slope(rows, place, average=average))


def _sequence(rows: Rows, i: int, *, average: bool) -> str:
    logits, labels, mask = (part[i] for part in rows.aligned)
    exact = sequence_logp(logits.tolist(), labels.tolist(), mask.tolist(), Fraction(rows.temperature), average=average)
    return exact.digits(20)


def _slope(rows: Rows, place: tuple[int, ...], *, average: bool) -> str:
    i, t, column = place
    logits, labels, mask = (part[i] for part in rows.aligned)
    if not mask[t]:
        return "0"
    exact = token_gradient(logits[t].tolist(), int(labels[t]), Fraction(rows.temperature))[column]
    return (exact * Fraction(1, int(mask.sum())) if average else exact).digits(20)


def _shown(rows: Rows, quantity: str, place: tuple[int, ...], got: float, exact: str) -> Shown:
    inputs = {"logits": _hex(rows.logits), "labels": _hex(rows.labels), "mask": _hex(rows.mask)}
    parameters = {} if rows.temperature == 1 else {"temperature": rows.temperature.hex()}
    call = Asked(inputs, "nan", "nan", rows.shape[0], parameters=parameters, shape=rows.shape)
    told = quantity if len(place) == 1 else f"{quantity}[{', '.join(map(str, place))}]"
    return Shown(call, told, place[0], got.hex(), exact)


def _hex(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> tuple[str, ...]:
    return tuple(float(x).hex() for x in values.ravel())


def _of_paths(trial: Trial, gradient: bool) -> Iterator[Shown | None]:
    judged, pairs, rng = cast("PathImplementation", trial.implementation), Pairs(trial), np.random.default_rng(3)
    for shape in SHAPES:
        for parameters in list(pairs.varied())[:4] or [{}]:
            drawn_ones = pairs.drawn(rng, *shape, drift=1.5).at(**parameters)
            sides = (_quartered(drawn_ones.policy), _quartered(drawn_ones.reference))
            paths = replace(drawn_ones, policy=sides[0], reference=sides[1])
            try:
                answer = judged.evaluate(paths, trial.fmt, gradient=gradient)
            except Misbehaviour:
                continue
            known = pairs.known(paths, answer)
            if not gradient:
                got = np.mean(answer.losses, keepdims=True).reshape(1) if known.whole else answer.losses
                place = _first(got, known.loss, known.loss_error)
                if place is not None:
                    quantity = "mean loss" if known.whole else "loss"
                    yield _of_path(paths, quantity, place, float(got[place]), repr(float(known.loss[place])))


def _of_path(paths: Paths, quantity: str, place: tuple[int, ...], got: float, exact: str) -> Shown:
    rows = paths.policy
    inputs = {
        "policy_logits": _hex(rows.logits),
        "ref_logits": _hex(paths.reference.logits),
        "labels": _hex(rows.labels),
        "mask": _hex(rows.mask),
    }
    parameters = {name: float(x).hex() for name, x in paths.parameters.items()}
    call = Asked(inputs, "nan", "nan", len(paths), parameters=parameters, shape=rows.shape)
    return Shown(call, quantity, place[0], got.hex(), exact)
