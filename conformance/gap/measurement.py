"""Where -log(sigmoid(z)) fails and the log-sigmoid does not: predicted from a format's parameters, and measured.

Definitions, models and proofs are in docs/gap.md. Logits are numbers of the format; "first" is nearest to 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.errors import Misbehaviour
from conformance.gap.models import QUESTIONS, Prediction, Question, far, near, number, predict
from conformance.implementations.protocol import Answer, Implementation
from conformance.inputs.batch import Batch
from oracle import FORMATS, Format, Real, enclosure
from oracle.formats import Floats
from oracle.ulp import ulp_error

__all__ = [
    "DEFAULT",
    "QUESTIONS",
    "Curve",
    "FormatGap",
    "Gap",
    "Measurement",
    "Prediction",
    "Question",
    "Threshold",
    "measure",
    "predict",
]

DEFAULT = ("numpy-naive", "torch-naive", "numpy", "torch")
"""The shipped implementations that the command compares: the log of the sigmoid, then the log-sigmoid."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The first logit of an implementation; where it is None, `note` says "never" or why nothing was measured."""

    implementation: str
    logit: float | None
    note: str


@dataclass(frozen=True, slots=True)
class Threshold:
    """One question in one format: what the models predict beside what the implementations do."""

    question: Question
    predicted: tuple[Prediction, ...]
    measured: tuple[Measurement, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """The worst error in ulps of an implementation's loss in narrow bins, each placed at its first logit."""

    implementation: str
    logits: tuple[float, ...]
    errors: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class FormatGap:
    """The thresholds and the error curves in one format."""

    format: Format
    thresholds: tuple[Threshold, ...]
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """What `measure` found, and on what: library versions and devices by implementation."""

    formats: tuple[FormatGap, ...]
    environment: Mapping[str, Mapping[str, str]]

    def to_json(self) -> dict[str, Any]:
        """The thresholds as JSON values; each logit as a decimal and in hexadecimal. The curves are left out."""
        return {
            "environment": {name: dict(facts) for name, facts in self.environment.items()},
            "formats": {gap.format.name: [_threshold_json(t) for t in gap.thresholds] for gap in self.formats},
        }


def _threshold_json(threshold: Threshold) -> dict[str, Any]:
    question = threshold.question
    return {
        "what": question.key,
        "side": "z > 0" if question.side > 0 else "z < 0",
        "derivation": question.anchor,
        "predicted": [{"model": p.model} | _logit_json(p.logit) for p in threshold.predicted],
        "measured": [
            {"implementation": m.implementation} | _logit_json(m.logit) | {"note": m.note} for m in threshold.measured
        ],
    }


def _logit_json(logit: float | None) -> dict[str, Any]:
    return {"logit": logit, "hex": None if logit is None else logit.hex()}


# -- measured ----------------------------------------------------------------------------------------------------------

Property = Callable[[Floats], NDArray[np.bool_]]
PER_BINADE = 64
"""Logits searched per binade of a format too wide to search all of."""
SPLIT = 1024
BEFORE = 4096
"""A wide format's first hit gets this many consecutive numbers nearer to 0 searched, too."""


def measure(implementations: Sequence[Implementation], formats: Sequence[Format] = FORMATS) -> Gap:
    """The models' predictions and the implementations' answers, side by side, in each format.

    All numbers of a 16-bit format with 2**-(p + 8) <= |z| <= 2 (p - emin) are searched, 64 in a binade of a wide one;
    there a hit is then narrowed down to a number whose 4096 predecessors do not share the property.
    """
    gaps = []
    for fmt in formats:
        predicted = predict(fmt)
        thresholds = tuple(
            Threshold(question, predicted[question.key], tuple(_first(i, fmt, question) for i in implementations))
            for question in QUESTIONS
        )
        curves = tuple(curve for i in implementations for curve in _curves(i, fmt))
        gaps.append(FormatGap(fmt, thresholds, curves))
    return Gap(tuple(gaps), {i.name: i.environment for i in implementations})


def _refusal(implementation: Implementation, fmt: Format) -> str | None:
    """Why nothing can be measured; None if it can."""
    claims = implementation.claims
    reason = implementation.unavailable()
    if reason is not None:
        return f"not run: {reason}"
    if fmt not in claims.formats:
        return "format not claimed"
    if claims.reduction != "none" or "beta" not in claims.options:
        return "not run: needs per-pair losses and beta"
    return None


def _first(implementation: Implementation, fmt: Format, question: Question) -> Measurement:
    gradient = question.key.startswith("gradient")
    note = _refusal(implementation, fmt)
    if note is None and gradient and not implementation.claims.gradient:
        note = "no gradient"
    if note is not None:
        return Measurement(implementation.name, None, note)

    def holds(logits: Floats) -> NDArray[np.bool_]:
        return _HOLDS[question.key](logits, implementation.evaluate(Batch.at_logits(logits), fmt, gradient=gradient), fmt)

    try:
        logit = search(fmt, question.side, holds)
    except Misbehaviour as error:
        return Measurement(implementation.name, None, f"{error.kind}: {error}")
    return Measurement(implementation.name, logit, "" if logit is not None else "never")


def search(fmt: Format, side: int, holds: Property) -> float | None:
    """The logit nearest to 0 on one side for which a property holds; exhaustive for 16 bits, else as `measure` says."""
    step = 1 if fmt.width == 16 else 2 ** (fmt.precision - 1) // PER_BINADE
    low, last = near(fmt), far(fmt)
    hit = _first_hit(fmt, side, holds, np.arange(low, last + 1, step))
    if hit is None:
        return None
    before = hit - step
    while hit - before > 1:
        width = -(-(hit - before) // SPLIT)
        places = np.append(np.arange(before + width, hit, width), hit)
        found = _first_hit(fmt, side, holds, places)
        hit = hit if found is None else found
        before = max(before, hit - width)
    if step > 1:
        found = _first_hit(fmt, side, holds, np.arange(max(low, hit - BEFORE), hit + 1))
        hit = hit if found is None else found
    return side * number(fmt, hit)


def _first_hit(fmt: Format, side: int, holds: Property, places: NDArray[np.int64]) -> int | None:
    hits = np.flatnonzero(holds(side * fmt.from_ordinals(places)))
    return int(places[hits[0]]) if hits.size else None


def _errs(logits: Floats, answer: Answer, fmt: Format) -> NDArray[np.bool_]:
    """Off by more than 1 ulp: from the certified enclosure, and exactly where that leaves it open."""
    low, high = enclosure.ulp_errors(enclosure.softplus_minus(logits), answer.losses, fmt)
    errs = low > 1
    for i in np.flatnonzero((low <= 1) & (high > 1)):
        errs[i] = ulp_error(float(answer.losses[i]), Real.softplus(Fraction(-float(logits[i]))), fmt) > 1
    return errs


def _rounds_to_nonzero(exact: enclosure.Enclosure, fmt: Format) -> NDArray[np.bool_]:
    """Whether an exact number surely rounds to something other than 0."""
    values, decided = enclosure.round(exact, fmt)
    surely: NDArray[np.bool_] = decided & (values != 0)
    return surely


def _zero_loss(logits: Floats, answer: Answer, fmt: Format) -> NDArray[np.bool_]:
    zero: NDArray[np.bool_] = (answer.losses == 0) & _rounds_to_nonzero(enclosure.softplus_minus(logits), fmt)
    return zero


def _zero_gradient(logits: Floats, answer: Answer, fmt: Format) -> NDArray[np.bool_]:
    zero: NDArray[np.bool_] = (_slope(answer) == 0) & _rounds_to_nonzero(enclosure.sigmoid_minus(logits), fmt)
    return zero


def _slope(answer: Answer) -> Floats:
    """d loss / dz = d loss / d policy_chosen_logps, as beta is 1."""
    slope = None if answer.gradient is None else answer.gradient[0]
    if slope is None:
        raise Misbehaviour("wrong type", "it promised a gradient and gave none")
    return slope


_HOLDS: dict[str, Callable[[Floats, Answer, Format], NDArray[np.bool_]]] = {
    "loss-errs-above": _errs,
    "loss-errs-below": _errs,
    "loss-zero": _zero_loss,
    "loss-infinite": lambda _, answer, __: np.isinf(answer.losses),
    "gradient-zero": _zero_gradient,
    "gradient-infinite": lambda _, answer, __: np.isinf(_slope(answer)),
    "gradient-nan": lambda _, answer, __: np.isnan(_slope(answer)),
}


# -- drawn -------------------------------------------------------------------------------------------------------------

BINS, IN_BIN = 16, 16
"""Bins a binade of logits, and logits a bin; fewer where the format has fewer numbers."""


def _curves(implementation: Implementation, fmt: Format) -> tuple[Curve, ...]:
    """One a side; none where nothing can be measured."""
    if _refusal(implementation, fmt) is not None:
        return ()
    try:
        return _curve(implementation, fmt, -1), _curve(implementation, fmt, 1)
    except Misbehaviour:  # the thresholds' notes say so
        return ()


def _curve(implementation: Implementation, fmt: Format, side: int) -> Curve:
    """Worst errors over 1/16 <= |z| <= 2 (p - emin), in bins of a sixteenth of a binade."""
    binade = 2 ** (fmt.precision - 1)
    in_bin = min(IN_BIN, binade // BINS)
    places = np.arange(int(fmt.ordinals(1 / 16)), far(fmt), binade // (BINS * in_bin))
    logits = side * fmt.from_ordinals(places[: len(places) // in_bin * in_bin])
    answer = implementation.evaluate(Batch.at_logits(logits), fmt, gradient=False)
    _, errors = enclosure.ulp_errors(enclosure.softplus_minus(logits), answer.losses, fmt)
    worst = errors.reshape(-1, in_bin).max(axis=1)
    return Curve(implementation.name, tuple(logits[::in_bin].tolist()), tuple(worst.tolist()))
