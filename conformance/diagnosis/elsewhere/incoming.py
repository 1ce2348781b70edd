"""What becomes of the incoming derivative of a loss: left out, clamped, rounded, or another pair's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from conformance.clauses import find
from conformance.clauses.accepted import accepted_gradients
from conformance.clauses.called import incoming
from conformance.clauses.quantities import SIGNS
from conformance.clauses.trial import Trial
from conformance.diagnosis.places import from_size
from conformance.diagnosis.probe import PAIRS, UNLIKE, Call
from conformance.implementations.protocol import Weighing
from conformance.inputs.batch import Batch
from conformance.records.diagnosis import Cause, Kind
from conformance.records.record import Finding
from oracle import Format, bfloat16, binary16, binary32, bounds
from oracle.ball import exact
from oracle.bounds import Acceptance
from oracle.formats import Floats

WHERE, OF_MEANS = "where each loss has a weight of its own", "where the mean is weighed"
_SIZES = (16, 1, 2, 3, 33, 65, 129, 255, 256, 257, 300, 1025)
"""The first tells the reading; the others, from which size on it holds."""
_MEANS, _SCALES = (2, 1, 3, 9, 65), (4.0, -2.0, 0.5, 8.0, 1024.0, -0.25)
_DIGITS = (1, 2, 3, 4, 6)

Change = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Reading:
    """What an incoming derivative is taken for. whole: it depends on those of the other pairs."""

    says: str
    change: Change
    whole: bool = False


def _unscaled(w: Floats) -> Floats:
    return np.asarray(w / 2.0 ** max(np.floor(np.log2(max(np.abs(w).max(), 2.0**-30))) - 6, 0))


READINGS = (
    Reading("without it: it is left out", np.ones_like),
    Reading("with its sign alone", np.sign),
    Reading("without its sign", np.abs),
    Reading("with it applied twice", np.square),
    Reading("with that of the first pair for all", lambda w: np.full_like(w, w[0]), whole=True),
    Reading("with the mean of them all for each", lambda w: np.full_like(w, w.mean()), whole=True),
    Reading("with the largest of them for all", lambda w: np.full_like(w, w[np.argmax(np.abs(w))]), whole=True),
    Reading("with those of the pairs in reverse", lambda w: w[::-1], whole=True),
    Reading("with it truncated to a whole number", np.trunc),
    Reading("with it left out where it is below 1", lambda w: np.where(np.abs(w) < 1, 1.0, w)),
    Reading("with it left out where it is above 1", lambda w: np.where(np.abs(w) > 1, 1.0, w)),
    Reading("with it left out where it is 0", lambda w: np.where(w == 0, 1.0, w)),
    Reading("with a power of two, as of a loss scale, divided out of it", _unscaled, whole=True),
    Reading("with it clamped to the numbers of binary16", lambda w: np.clip(w, -binary16.largest, binary16.largest)),
    *(
        Reading(f"with it rounded to {fmt.name}", lambda w, fmt=fmt: fmt.round_array(w))  # type: ignore[misc]
        for fmt in (binary32, binary16, bfloat16)
    ),
    Reading(
        "with it 0 where it is below the normal numbers of binary16",
        lambda w: np.where(np.abs(w) < binary16.smallest_normal, 0.0, w),
    ),
)
"""How code that has a backward pass of its own mistakes what comes in, the likelier of two that fit first."""


@dataclass(frozen=True, eq=False)
class _Asked:
    """One weighed call, its weights, and what its derivatives over their weights may be."""

    call: Call
    weights: Floats
    accepted: Acceptance
    fmt: Format

    def holds(self, change: Change) -> bool:
        """Whether the derivatives are those of the weights, changed so."""
        with np.errstate(all="ignore"):
            taken = np.broadcast_to(change(self.weights), (len(self.call.batch),))
        return all(self._right(SIGNS[place] * got, taken) for place, got in self.call.derivatives())

    def _right(self, got: Floats, taken: Floats) -> bool:
        some = np.isfinite(taken) & (taken != 0)
        with np.errstate(all="ignore"):
            each = got[some] / taken[some]
        beyond = np.isinf(got[some]) & (np.abs(taken[some]) > self.fmt.largest * 2.0**-8)
        right = (self.accepted[np.flatnonzero(some)].rho(np.where(beyond, 0.0, each)) <= 1) | beyond
        return bool(right.all() and (got[taken == 0] == 0).all() and not np.isfinite(got[~np.isfinite(taken)]).any())

    def told(self) -> Floats:
        """The weights that the derivatives in policy_chosen_logps tell."""
        got = dict(self.call.derivatives()).get(0, np.zeros(0))
        with np.errstate(all="ignore"):
            found = SIGNS[0] * got / bounds.centre(self.accepted.exact)
        return found[np.isfinite(found)]


def cause(trial: Trial, violated: Sequence[Finding]) -> Cause | None:
    """What the derivatives of weighed losses, or of a weighed mean, are; None where they are right or nothing known."""
    clauses = {finding.clause for finding in violated}
    concerned = any(name.startswith("AUTOGRAD-") for name in clauses) or clauses & {"GRAD-6", "REDUCE-8", "BATCH-6"}
    judged = trial.implementation
    if not concerned or not isinstance(judged, Weighing) or not judged.claims.gradient:
        return None
    asked = [*(_of_means(trial, judged) if trial.single else _of_losses(trial, judged))]
    wrong = [one for one in asked if not one.holds(lambda w: w)]
    if not wrong:
        return None
    readings = [one for one in (*READINGS, *_clamped(wrong)) if all(each.holds(one.change) for each in wrong)]
    sizes = {len(one.call.batch) for one in wrong}
    alike = [one for one in asked if len(one.call.batch) in sizes]
    everywhere = (one for one in readings if all(each.holds(one.change) for each in alike))
    reading = next(everywhere, readings[0] if readings else None)
    return None if reading is None else _cause(trial, reading, asked, wrong)


def _cause(trial: Trial, reading: Reading, asked: Sequence[_Asked], wrong: Sequence[_Asked]) -> Cause:
    right = [one for one in asked if one not in wrong and not one.holds(reading.change)]
    size = _size([len(one.call.batch) for one in wrong], [len(one.call.batch) for one in right])
    place = ", ".join(part for part in (OF_MEANS if trial.single else WHERE, size) if part)
    says = f"those of the incoming derivative misread, {reading.says}"
    cure = find("AUTOGRAD-1").remedy
    return Cause(f"incoming derivative: {reading.says}", Kind.BATCH, "derivatives", says, place, cure, len(asked), len(wrong))


def _size(wrong: Sequence[int], right: Sequence[int]) -> str:
    """The sizes of batches at which it is wrong, where others are right."""
    if not right or set(wrong) & set(right):
        return ""
    if max(wrong) == 1:
        return "in batches of one pair"
    if min(wrong) > max(right):
        return from_size(min(wrong))
    return f"in batches of up to {max(wrong):,} pairs" if max(wrong) < min(right) else ""


def _of_losses(trial: Trial, judged: Weighing) -> Iterator[_Asked]:
    short = trial.optioned(Batch.of(*PAIRS), beta=0.5, label_smoothing=0.0)
    accepted = _roomy(accepted_gradients(trial, short), trial.fmt, short.beta)
    for size in _SIZES[:3] if trial.compiles else _SIZES:
        places = np.arange(size) % len(short)
        for weights in (UNLIKE, np.roll(incoming(trial.fmt), size), (8.0,), (-2048.0, 2048.0, 0.5)):
            scale, batch = np.resize(np.asarray(weights, dtype=np.float64), size), short.take(places)
            answer = trial.weighed(judged, batch, scale)
            yield _Asked(Call("weighed", batch, "weighed", answer), scale, accepted[places], trial.fmt)


def _of_means(trial: Trial, judged: Weighing) -> Iterator[_Asked]:
    short = trial.optioned(Batch.of(*PAIRS), beta=0.5, label_smoothing=0.0)
    for size in _MEANS[:2] if trial.compiles else _MEANS:
        batch = short.take(np.arange(size) % len(short))
        each = bounds.shared(accepted_gradients(trial, batch), size, batch.beta, trial.accumulation)
        for weight in _SCALES:
            answer = judged.weighed(batch, trial.fmt, np.array([weight]))
            yield _Asked(Call("weighed", batch, "weighed", answer, mean=True), np.array([weight]), each, trial.fmt)


def _roomy(accepted: Acceptance, fmt: Format, beta: float) -> Acceptance:
    """With the roundings of a product with any weight, as AUTOGRAD-1 admits them."""
    room = exact(np.full(len(accepted.zero), 4 * fmt.unit_roundoff * abs(beta)))
    return replace(accepted, low=accepted.low - room, high=accepted.high + room)


def _clamped(wrong: Sequence[_Asked]) -> Iterator[Reading]:
    """A clamp, whose ends are the least and the largest weight that the derivatives tell."""
    told = np.concatenate([one.told() for one in wrong])
    given = np.concatenate([one.weights for one in wrong])
    if not told.size:
        return
    for digits in (0, *_DIGITS):
        low, high = (float(f"{end:.{digits}g}") + 0.0 if digits else _power(end) for end in (told.min(), told.max()))
        low = -np.inf if low <= 0.99 * given.min() else low
        high = np.inf if high >= 0.99 * given.max() else high
        if low < high and (np.isfinite(low) or np.isfinite(high)):
            words = f"with it clamped to [{low:.6g}, {high:.6g}]"
            yield Reading(words, lambda w, low=low, high=high: np.clip(w, low, high))  # type: ignore[misc]


def _power(end: float) -> float:
    """The nearest power of two, of its sign."""
    return float(np.copysign(2.0 ** np.round(np.log2(abs(end))), end)) if end else 0.0
