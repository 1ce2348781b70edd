"""The answers: the exact value, its correct rounding, and the least and greatest number that correct code may return."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

import oracle
from conformance.inputs.batch import Batch
from conformance.vectorgen.model import Bound, Vector, as_pairs
from oracle import Format, Real, bounds
from oracle.bounds import Acceptance
from oracle.dpo import Reals

LOSS = "loss"
CHOSEN, REJECTED = "d_policy_chosen_logps", "d_policy_rejected_logps"
"""d loss / d policy_chosen_logps is also that in ref_rejected_logps; d_policy_rejected_logps that in ref_chosen_logps."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What may be returned for one quantity in one format: NaN where rounded is NaN, else lowest <= y <= highest.

    zero: a 0 is accepted besides, because a result or an intermediate is subnormal and may be flushed.
    """

    rounded: float
    lowest: float
    highest: float
    zero: bool

    def __neg__(self) -> Answer:
        return Answer(-self.rounded, -self.highest, -self.lowest, self.zero)


Answers = dict[str, list[Answer]]
"""By quantity; one answer, or one for each pair of a batch for the derivatives of a mean."""


@functools.lru_cache(maxsize=1024)
def exact(vector: Vector, *, mean: bool) -> dict[str, list[Real]]:
    """The exact values by quantity, in the order of the file; no derivatives where none is asked for."""
    batch = vector.batch
    options = {"beta": batch.beta, "label_smoothing": batch.label_smoothing}
    losses = oracle.loss(*batch.logps, **options)
    values = {LOSS: [oracle.mean(losses)] if mean else _listed(losses)}
    if asks_for_gradient(vector, mean=mean):
        gradient = oracle.gradient(*batch.logps, **options)
        share = len(batch) if mean else 1
        for name, part in ((CHOSEN, gradient.policy_chosen), (REJECTED, gradient.policy_rejected)):
            values[name] = [derivative / share for derivative in _listed(part)]
    return values


def asks_for_gradient(vector: Vector, *, mean: bool) -> bool:
    """True for finite log-probabilities; also for one infinite policy logp without smoothing, where the limit exists."""
    if vector.finite:
        return True
    policy, reference = vector.batch.logps[:2], vector.batch.logps[2:]
    infinite = sum(int(np.isinf(values).sum()) for values in policy)
    numbers = all(np.isfinite(values).all() for values in reference) and not any(np.isnan(values).any() for values in policy)
    return not mean and numbers and infinite == 1 and vector.batch.label_smoothing == 0


def answers(vectors: Sequence[Vector], fmt: Format, bound: Bound) -> list[Answers]:
    """The answers to pairs in one format, in order; the bounds of pairs that share their options are found together."""
    found: dict[int, Answers] = {}
    plain = [i for i, vector in enumerate(vectors) if vector.finite and bound == "interval"]
    for same in _alike(plain, vectors):
        found |= zip(same, _interval_answers([vectors[i].batch for i in same], fmt), strict=True)
    for i, vector in enumerate(vectors):
        if i not in found:
            found[i] = _kernel_answers(vector, fmt) if vector.finite else _limit_answers(vector, fmt)
    return [_rounded(vectors[i], found[i], fmt, mean=False) for i in range(len(vectors))]


def mean_answers(vector: Vector, fmt: Format) -> Answers:
    """The answers to the mean of a batch in one format."""
    batch = vector.batch
    if not vector.finite:
        return {LOSS: [_at(value, fmt) for value in exact(vector, mean=True)[LOSS]]}
    losses = bounds.mean(bounds.loss(as_pairs(batch), fmt))
    slopes = bounds.shared(bounds.gradient(as_pairs(batch), fmt), len(batch), batch.beta)
    rejected = _accepted(slopes)
    made = {LOSS: _accepted(losses), CHOSEN: [-answer for answer in rejected], REJECTED: rejected}
    return _rounded(vector, made, fmt, mean=True)


def _alike(places: list[int], vectors: Sequence[Vector]) -> Iterator[list[int]]:
    """The places of pairs that share beta and label_smoothing."""

    def options(i: int) -> tuple[float, float]:
        return vectors[i].batch.beta, vectors[i].batch.label_smoothing

    for _, same in itertools.groupby(sorted(places, key=options), options):
        yield list(same)


def _interval_answers(batches: list[Batch], fmt: Format) -> list[Answers]:
    pc, pr, rc, rr = (np.concatenate(column) for column in zip(*(batch.logps for batch in batches), strict=True))
    pairs = as_pairs(Batch(pc, pr, rc, rr, batches[0].beta, batches[0].label_smoothing))
    losses, rejected = _accepted(bounds.loss(pairs, fmt)), _accepted(bounds.gradient(pairs, fmt))
    return [{LOSS: [y], CHOSEN: [-slope], REJECTED: [slope]} for y, slope in zip(losses, rejected, strict=True)]


def _accepted(acceptance: Acceptance) -> list[Answer]:
    """The ends of acceptance intervals; the rounded values are not known yet."""
    lowest, highest = bounds.accepted_numbers(acceptance)
    return [
        Answer(0.0, float(low), float(high), bool(zero))
        for low, high, zero in zip(lowest, highest, acceptance.zero, strict=True)
    ]


def _kernel_answers(vector: Vector, fmt: Format) -> Answers:
    """Within the kernel's own bounds at its exact logit; a 0 besides where the exact value is below the smallest normal."""
    chosen, rejected = vector.batch.logps[:2]
    slopes = _accepted(bounds.kernel_slopes(chosen - rejected, fmt))
    losses = _accepted(bounds.kernel_losses(chosen - rejected, fmt))
    return {LOSS: losses, CHOSEN: [-answer for answer in slopes], REJECTED: slopes}


def _limit_answers(vector: Vector, fmt: Format) -> Answers:
    """NaN, infinity and 0 as they are; a derivative that is not 0 may err by beta's rounding and by 2 ulp at 1."""
    beta = vector.batch.beta
    room = Fraction(bounds.option_error(beta, fmt) + 4 * fmt.unit_roundoff * abs(beta))
    made: Answers = {}
    for name, values in exact(vector, mean=False).items():
        made[name] = [_at(value, fmt, Fraction(0) if name == LOSS else room) for value in values]
    return made


def _at(value: Real, fmt: Format, room: Fraction = Fraction(0)) -> Answer:
    """The value itself, or around it where it is neither special nor 0."""
    if value.special is not None or value.exact == 0:
        number = float(value)
        return Answer(number, number, number, False)
    return Answer(0.0, -bounds.at_most(-value + room, fmt), bounds.at_most(value + room, fmt), False)


def _rounded(vector: Vector, made: Answers, fmt: Format, *, mean: bool) -> Answers:
    """The answers with the exact values, correctly rounded; a pair's loss without smoothing is never negative."""
    out: Answers = {}
    for name, values in exact(vector, mean=mean).items():
        floor = 0.0 if name == LOSS and not mean and vector.batch.label_smoothing == 0 else -math.inf
        out[name] = [
            Answer(value.round(fmt), _signed(max(answer.lowest, floor), -1.0), _signed(answer.highest, 1.0), answer.zero)
            for value, answer in zip(values, made[name], strict=True)
        ]
    return out


def _signed(end: float, sign: float) -> float:
    """A lowest 0 is -0 and a highest 0 is +0, so that the ends hold by any comparison of zeros."""
    return math.copysign(0.0, sign) if end == 0 else end


def _listed(values: Reals) -> list[Real]:
    return [values] if isinstance(values, Real) else list(values.flat)
