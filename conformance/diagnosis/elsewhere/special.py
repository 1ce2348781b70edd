"""What is returned at infinite and NaN log-probabilities, and for ordinary pairs beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from conformance.clauses import find
from conformance.clauses.accepted import accepted_gradients, accepted_losses
from conformance.clauses.quantities import SIGNS
from conformance.clauses.trial import Trial
from conformance.diagnosis.probe import PAIRS
from conformance.errors import Misbehaviour
from conformance.inputs.batch import Batch
from conformance.records.diagnosis import Cause, Kind
from conformance.records.record import Finding
from oracle.bounds import Mask
from oracle.formats import Floats

_SIZES = (1, 3, 80)
"""One pair, a few, and more than a vector or a block of 64."""
_SHIFT = 4
"""Of the pairs of the probe, from which these are made."""


@dataclass(frozen=True, eq=False)
class _Case:
    """Pairs of one kind: where that is, in words, the clause, and which losses are right. value: at those places."""

    where: str
    clause: str
    places: tuple[int, ...]
    value: float
    right: Callable[[Floats, float], Mask]
    slopes: Callable[[float], Floats] | None = None
    """d loss / dz times -1 that is right there, by label smoothing; None: a NaN is."""


def _nan(got: Floats, eps: float) -> Mask:
    return np.isnan(got)


def _lost(got: Floats, eps: float) -> Mask:
    return np.asarray((got == np.inf) | (np.isnan(got) & (eps > 0)))


def _won(got: Floats, eps: float) -> Mask:
    return np.asarray((got == 0) if eps == 0 else (got == np.inf) | np.isnan(got))


CASES = (
    _Case("where a log-probability is NaN", "SPECIAL-3", (0, 1, 2, 3), np.nan, _nan),
    _Case("at a logit of -infinity", "SPECIAL-1", (0, 3), -np.inf, _lost, lambda eps: np.array(1 - eps)),
    _Case("at a logit of +infinity", "SPECIAL-2", (1, 2), -np.inf, _won, lambda eps: np.array(-eps)),
)
BOTH = _Case("where infinities cancel", "SPECIAL-4", (), -np.inf, _nan)


@dataclass(frozen=True, eq=False)
class _Seen:
    """One answer: under which label smoothing, at which place the value was, of how many pairs; the two parts of it."""

    case: _Case
    eps: float
    place: int
    size: int
    losses: Floats
    slopes: tuple[tuple[int, Floats], ...]
    beside: Mask
    """Ordinary pairs whose loss is wrong."""
    beside_slopes: Mask


def cause(trial: Trial, violated: Sequence[Finding]) -> Cause | None:
    """What is returned in the first case that is wrong; None where none is, or no such clause is violated."""
    named = {finding.clause for finding in violated}
    if not any(name.startswith("SPECIAL-") for name in named) and not named & {"BATCH-4", "BATCH-7"}:
        return None
    seen = list(_asked(trial))
    return _of_losses(trial, seen) or _of_neighbours(seen) or _of_slopes(seen)


def _asked(trial: Trial) -> Iterator[_Seen]:
    """Every case at each of its places, alone and among others, with label smoothing and without."""
    for eps in dict.fromkeys(trial.offered("label_smoothing", (0.0, 0.1))):
        for case in (*CASES, BOTH):
            for places in _places(case):
                for size in _SIZES[: 1 if trial.single else None]:
                    try:
                        yield _one(trial, case, eps, places, size)
                    except Misbehaviour:
                        continue


def _places(case: _Case) -> list[tuple[int, ...]]:
    """One place at a time; where infinities cancel, two."""
    return [(place,) for place in case.places] or [(0, 1), (0, 2), (1, 3)]


def _one(trial: Trial, case: _Case, eps: float, places: tuple[int, ...], size: int) -> _Seen:
    short = trial.optioned(Batch.of(*PAIRS), beta=0.5, label_smoothing=eps)
    batch = short.take((np.arange(size) + _SHIFT) % len(short))
    for place in places:
        batch = batch.with_value(place, slice(None, None, 2), case.value)
    answer = trial.answer(batch, gradient=trial.implementation.claims.gradient)
    ordinary = np.arange(1, size, 2)
    parts = () if answer.gradient is None else tuple((i, p) for i, p in enumerate(answer.gradient[:2]) if p is not None)
    kept = batch.take(ordinary)
    wrong = np.zeros(len(ordinary), dtype=bool)
    if len(ordinary):
        accepted = accepted_gradients(trial, kept)
        for i, part in parts:
            wrong |= ~(accepted.rho(SIGNS[i] * part[ordinary]) <= 1)
    beside = ~(accepted_losses(trial, kept).rho(answer.losses[ordinary]) <= 1) if len(ordinary) else wrong
    slopes = tuple((i, SIGNS[i] * part[::2] / batch.beta) for i, part in parts)
    return _Seen(case, eps, places[0], size, answer.losses[::2], slopes, np.asarray(beside), wrong)


def _of_losses(trial: Trial, seen: Sequence[_Seen]) -> Cause | None:
    wrong = [one for one in seen if not one.case.right(one.losses, one.eps).all()]
    if not wrong:
        return None
    case = wrong[0].case
    these = [one for one in wrong if one.case is case]
    got = np.concatenate([one.losses[~case.right(one.losses, one.eps)] for one in these])
    says = _told(got, trial.fmt.largest)
    others = list(dict.fromkeys(one.case.where for one in wrong if one.case is not case))
    also = f" (so too {' and '.join(others)})" if others else ""
    return _cause(f"{_where(these, seen)}{also}", "loss", says, case, len(seen), len(wrong))


def _of_neighbours(seen: Sequence[_Seen]) -> Cause | None:
    for part in ("loss", "derivatives"):
        wrong = [one for one in seen if (one.beside if part == "loss" else one.beside_slopes).any()]
        if wrong:
            cases = list(dict.fromkeys(one.case.where for one in wrong))
            where = f"for ordinary pairs of a batch in which another one is so: {' or '.join(cases)}"
            says = "changed by what is beside them" if part == "loss" else "dropped or changed by what is beside them"
            return Cause(
                f"neighbours: {part}",
                Kind.BATCH,
                part,
                says,
                where,
                find("BATCH-4" if part == "loss" else "BATCH-7").remedy,
                len(seen),
                len(wrong),
            )
    return None


def _of_slopes(seen: Sequence[_Seen]) -> Cause | None:
    def bad(one: _Seen) -> list[Floats]:
        if one.case is BOTH:
            return []
        if one.case.slopes is None:
            return [part for _, part in one.slopes if not np.isnan(part).all()]
        right = float(one.case.slopes(one.eps))
        return [part for _, part in one.slopes if not (np.abs(part - right) <= 2.0**-5 * abs(right)).all()]

    wrong = [one for one in seen if bad(one)]
    if not wrong:
        return None
    case = wrong[0].case
    these = [one for one in wrong if one.case is case]
    got = np.concatenate([np.atleast_1d(part) for one in these for part in bad(one)])
    says = _told(got, np.inf)
    clause = "SPECIAL-3" if case.slopes is None else "SPECIAL-5"
    where = _where(these, [one for one in seen if one.slopes])
    return Cause(
        f"derivatives {case.where}", Kind.BATCH, "derivatives", says, where, find(clause).remedy, len(seen), len(wrong)
    )


def _where(these: Sequence[_Seen], seen: Sequence[_Seen]) -> str:
    """The case, narrowed by label smoothing, by the size of the batch and by the place, where these decide."""
    case = these[0].case
    every = [one for one in seen if one.case is case]
    parts = [case.where]
    if {one.eps for one in these} != {one.eps for one in every}:
        parts.append("under label smoothing" if these[0].eps else "without label smoothing")
    sizes, all_sizes = {one.size for one in these}, {one.size for one in every}
    if sizes != all_sizes:
        parts.append(
            f"in batches of {min(sizes):,} pairs or more" if min(sizes) > 1 else f"in batches of up to {max(sizes):,} pairs"
        )
    if {one.place for one in these} == {2} and {one.place for one in every} != {2}:
        parts.append("by a reference log-probability")
    return ", ".join(parts)


def _told(got: Floats, largest: float) -> str:
    """What comes back, in words."""
    if np.isnan(got).all():
        return "NaN"
    finite = got[np.isfinite(got)]
    if (got == 0).all():
        return "0"
    if len(finite) == len(got) and (np.abs(got) >= largest * 0.99).all():
        return "the largest number of the format"
    if len(finite) and np.ptp(finite) == 0 and len(finite) == len(got):
        return f"{finite[0]:.4g}, a number"
    return "a finite number" if len(finite) == len(got) else "infinite" if np.isinf(got).all() else "not what it should be"


def _cause(where: str, part: str, says: str, case: _Case, asked: int, wrong: int) -> Cause:
    return Cause(f"{says} {case.where}", Kind.BATCH, part, says, where, find(case.clause).remedy, asked, wrong)
