"""Why a step violates: how it puts its parts together, what each pair's loss is, and what its metrics hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from conformance.clauses.quantities import MEAN_GRADIENTS, MEAN_LOSS, exact_value
from conformance.clauses.trial import Trial
from conformance.diagnosis.hypotheses import GRADIENTS, LOSSES
from conformance.diagnosis.metrics import ORDER, Logged
from conformance.diagnosis.metrics import causes as of_metrics
from conformance.diagnosis.partitions import MEAN, RANKS, WAYS, WHOLE, Way
from conformance.diagnosis.probe import PAIRS
from conformance.diagnosis.variants import RIGHT, Variant, predicted
from conformance.errors import Misbehaviour
from conformance.implementations.sequence.steps import StepsAnswer, StepsImplementation
from conformance.inputs.batch import NAMES, Batch
from conformance.inputs.paths import Parts
from conformance.records.diagnosis import Asked, Cause, Kind, Shown
from oracle import Format
from oracle.formats import Floats

CALLS = (
    ((1,), 0.5, 0.0),
    ((3,), 2.0, 0.3),
    ((1, 3), 0.5, 0.0),
    ((4, 4), 0.25, 0.0),
    ((2, 5, 1), 2.0, 0.0),
    ((2, 0, 3), 0.5, 0.0),
    ((0, 1), 2.0, 0.25),
    ((1, 1, 1, 1, 1, 1), 0.5, 0.1),
    ((7, 2), 0.125, 0.0),
)
"""(sizes of the parts, beta, label smoothing)."""
SMALL = ((1,), (1, 1), (2,), (0, 1), (1, 0), (1, 2), (2, 1), (2, 0, 1), (1, 3), (2, 3, 1))
"""Partitions by which the smallest input is sought."""


@dataclass(frozen=True, eq=False)
class Step:
    """One call and its answer."""

    parts: Parts
    answer: StepsAnswer

    def losses(self, variant: Variant, way: Way, fmt: Format) -> bool:
        """Whether the loss is that of the pairs' variant put together in that way."""
        found = predicted(variant, self.parts.batch, fmt).losses
        return self._held(np.array([self.answer.loss]), [found.low], [found.high], way, fmt, summed=True)

    def derivatives(self, variant: Variant, way: Way, fmt: Format) -> bool:
        """Whether the derivatives are those."""
        found = predicted(variant, self.parts.batch, fmt).derivatives
        if found is None or self.answer.gradient is None:
            return False
        got = np.concatenate(self.answer.gradient)
        return self._held(got, [part.low for part in found[:2]], [part.high for part in found[:2]], way, fmt, summed=False)

    def _held(self, got: Floats, low: list[Floats], high: list[Floats], way: Way, fmt: Format, *, summed: bool) -> bool:
        weights, n, k = way.weights(self.parts.sizes), len(self.parts.batch), len(self.parts.sizes)
        ends = [np.concatenate([weights * part for part in parts]) for parts in (low, high)]
        size = np.maximum(np.abs(ends[0]), np.abs(ends[1]))
        if summed:
            ends, size = [end.sum(keepdims=True) for end in ends], size.sum(keepdims=True)
        room = (n + 4 * k + 4) * fmt.unit_roundoff * size + 4 * fmt.smallest_normal
        with np.errstate(invalid="ignore"):
            return bool(((got >= ends[0] - room) & (got <= ends[1] + room)).all())


Fits = Callable[[Step, Variant, Way, Format], bool]


def causes(trial: Trial) -> tuple[list[Cause], Shown | None]:
    """What explains it, of the loss, of the derivatives and of the metrics; and the smallest input that shows the first."""
    steps = list(_asked(trial))
    loss = _part("loss", steps, trial.fmt, Step.losses)
    slopes = _part("derivatives", [s for s in steps if s.answer.gradient is not None], trial.fmt, Step.derivatives)
    logged = [Logged(step.parts, step.answer.metrics) for step in steps]
    metrics = of_metrics([*logged, *_tied(trial, logged)], trial.fmt)
    if loss and slopes and loss.key == slopes.key:
        both = replace(loss, part="loss and derivatives", points=loss.points + slopes.points, wrong=loss.wrong + slopes.wrong)
        loss, slopes = both, None
    found = [cause for cause in (loss, slopes, *metrics) if cause is not None]
    return found, _smallest(trial, found[0].part) if found else None


def _batch(trial: Trial, n: int, beta: float, eps: float) -> Batch:
    pairs = Batch.of(*PAIRS).take(list(ORDER[:n]))
    return trial.optioned(pairs, beta=beta, label_smoothing=eps)


def _asked(trial: Trial) -> Iterator[Step]:
    judged = cast("StepsImplementation", trial.implementation)
    for sizes, beta, eps in CALLS:
        parts = Parts(_batch(trial, sum(sizes), beta, eps), sizes)
        try:
            yield Step(parts, judged.evaluate(parts, trial.fmt))
        except Misbehaviour:
            continue


def _tied(trial: Trial, logged: list[Logged]) -> Iterator[Logged]:
    """Pairs at the reference, whose rewards are equal."""
    if not logged or not logged[0].metrics:
        return
    pc, pr, _, _ = _batch(trial, 2, 0.5, 0.0).logps
    parts = Parts(trial.optioned(Batch.of(pc, pr, pc, pr), beta=0.5, label_smoothing=0.0), (2,))
    try:
        yield Logged(parts, cast("StepsImplementation", trial.implementation).evaluate(parts, trial.fmt).metrics)
    except Misbehaviour:
        return


def _part(part: str, steps: Sequence[Step], fmt: Format, fits: Fits) -> Cause | None:
    """What explains the losses, or the derivatives, of all the steps; None where they are right or nothing does."""
    right = [fits(step, RIGHT, MEAN, fmt) for step in steps]
    if all(right):
        return None
    numbers = sum(1 if part == "loss" else 2 * len(step.parts.batch) for step in steps)
    empty = [not all(step.parts.sizes) for step in steps]
    if [not ok for ok in right] == empty and not any(
        np.isfinite(s.answer.loss) for s, e in zip(steps, empty, strict=True) if e
    ):
        told = "no number", "where a part is empty", "An empty part has no mean, 0/0: leave it out of the sum."
        return Cause("nan of an empty part", Kind.BATCH, part, *told, numbers, sum(empty))
    slopes = part == "derivatives"
    for variant, way in _hypotheses(slopes=slopes):
        if all(fits(step, variant, way, fmt) for step in steps):
            named = way if variant is RIGHT else variant
            cure = named.cure or (RANKS if slopes else WHOLE)
            kind = Kind.BATCH if isinstance(named, Way) else Kind.GRADIENT if slopes else Kind.FORMULA
            return Cause(named.key, kind, part, named.says, "", cure, numbers, len(right) - sum(right))
    return None


def _hypotheses(*, slopes: bool) -> Iterator[tuple[Variant, Way]]:
    for way in WAYS:
        yield RIGHT, way
    for variant in (*(GRADIENTS if slopes else ()), *LOSSES):
        if not variant.across:
            yield variant, MEAN


def _smallest(trial: Trial, part: str) -> Shown | None:
    """The fewest pairs in the fewest parts that show it."""
    judged = cast("StepsImplementation", trial.implementation)
    for sizes in SMALL:
        parts = Parts(_batch(trial, sum(sizes), 0.5, 0.3), sizes)
        try:
            answer = judged.evaluate(parts, trial.fmt)
        except Misbehaviour:
            continue
        found = _shown(Step(parts, answer), part, trial.fmt)
        if found is not None:
            return found
    return None


def _shown(step: Step, part: str, fmt: Format) -> Shown | None:
    batch = step.parts.batch
    if part.startswith("loss"):
        if step.losses(RIGHT, MEAN, fmt):
            return None
        quantity, got, exact = MEAN_LOSS, step.answer.loss, exact_value(MEAN_LOSS, batch).digits(20)
    elif part == "derivatives":
        if step.answer.gradient is None or step.derivatives(RIGHT, MEAN, fmt):
            return None
        quantity, got = MEAN_GRADIENTS[0], float(step.answer.gradient[0][0])
        exact = exact_value(quantity, batch).digits(20)
    else:
        logged = Logged(step.parts, step.answer.metrics)
        name = next((name for name in step.answer.metrics if name in part and not logged.right(name, fmt)), None)
        if name is None:
            return None
        quantity, got = f"metric {name}", step.answer.metrics[name]
        exact = exact_value(quantity, batch).digits(20)
    inputs = {name: tuple(float(x).hex() for x in values) for name, values in zip(NAMES, batch.logps, strict=True)}
    call = Asked(inputs, float(batch.beta).hex(), float(batch.label_smoothing).hex(), len(batch), "", step.parts.sizes)
    return Shown(call, quantity, 0, float(got).hex(), exact)
