"""Judged numbers gathered into an outcome: the same whatever their order, chunking or number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from conformance.clauses.model import Outcome
from conformance.clauses.quantities import GRADIENTS, SIGNS, exact_value
from conformance.clauses.trial import Trial
from conformance.inputs.batch import NAMES, Batch
from conformance.records.grades import grade
from conformance.records.record import Worst
from conformance.sweep.found import Found, Point
from conformance.sweep.plan import logit
from conformance.sweep.quantities import Quantity
from oracle import bounds
from oracle.bounds import Acceptance
from oracle.formats import Floats
from oracle.judging import Judged
from oracle.ulp import ulp_error

BELOW = (
    "every wrong number, and its exact value, lies below the smallest normal one: there 0 alone is accepted besides, and who "
    "returns "
    "something else declares it with subnormals='flush'"
)


Bound = Callable[..., Acceptance]
"""`oracle.bounds.kernel_losses` or `kernel_slopes`."""


@dataclass(slots=True)
class _Candidate:
    """A point that may turn out the worst. size: what is compared where rho is at most 1; rho itself unless ulps are told."""

    quantity: str
    batch: Batch
    got: float
    rho: float
    size: float = 0.0

    @property
    def rank(self) -> tuple[bool, float, int]:
        """The key's beginning, which decides but for ties; of equal numbers, fewer pairs say more."""
        return self.rho > 1, self.rho if self.rho > 1 else self.size, -len(self.batch)

    @property
    def key(self) -> tuple[bool, float, int, tuple[float, ...], str, tuple[float, ...]]:
        """Larger is worse; ties are broken by inputs, then by results, so that the order of the points does not matter."""
        inputs = np.concatenate([*self.batch.logps, [self.batch.beta, self.batch.label_smoothing]])
        return *self.rank, tuple(_total(inputs).T.ravel()), self.quantity, tuple(_total(np.array([self.got])).T.ravel())


def _sign(quantity: str) -> float:
    """Minus 1 for a derivative that is minus the kernel's."""
    return dict(zip(GRADIENTS, SIGNS, strict=True)).get(quantity, 1.0)


def _total(values: Floats) -> Floats:
    """Two rows that order every number totally: NaN above infinity, and 0 above -0."""
    nan = np.isnan(values)
    return np.array([np.where(nan, np.inf, values), np.where(nan, 2.0, np.copysign(1.0, values))])


class Tally:
    """Adds up what a check judges."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._points = 0
        self._violations = 0
        self._counts: Counter[str] = Counter()
        self._worst: _Candidate | None = None
        self._worst_ulp = 0.0
        self._misrounded = 0
        self._strange = 0

    def kernel(self, quantity: str, z: Floats, batch: Batch, got: Floats, judged: Judged, bound: Bound | None) -> None:
        """Errors in ulps and as rho: by the MUST's bound at the logits z, or by the SHOULD's ulps where there is none.

        A zero where the exact value is below the smallest normal is accepted, and counted as flushed; an implementation that
        declares flushing is measured there in units of the smallest normal. Counts what is wrongly rounded and flushed, and
        what went up a tier. The bound is worked out where the error may exceed it, and where it is largest.
        """
        fmt, errors, limit = self._trial.fmt, judged.errors.copy(), bounds.KERNEL_SHOULD
        for i in np.flatnonzero((errors > limit) & (errors <= limit + 2.0**-15)):  # the error bound may pass it, not the error
            errors[i] = ulp_error(float(got[i]), exact_value(quantity, batch.take([i])), fmt)
        if self._trial.flush:
            errors = np.where(judged.subnormal, errors / 2.0 ** (fmt.precision - 1), errors)
        flushed = judged.subnormal & (got == 0) & judged.wrong
        self._counts["wrongly rounded"] += int(np.count_nonzero(judged.wrong))
        self._counts["flushed to zero"] += int(np.count_nonzero(flushed))
        self._counts["not finite"] += int(np.count_nonzero(judged.wrong & ~np.isfinite(got)))
        self._counts["beyond the float64 tier"] += judged.escalated[0]
        self._counts["beyond double-double"] += judged.escalated[1]
        allowed = np.where(flushed, 0.0, errors)
        self._worst_ulp = max(self._worst_ulp, float(allowed.max(initial=0.0)))
        self._misrounded += int(np.count_nonzero(judged.wrong & ~flushed))
        rho = allowed / limit if bound is None else self._bounded(z, allowed, got * _sign(quantity), bound)
        self._strange += int(np.count_nonzero((rho > 1) & judged.subnormal & (np.abs(got) <= fmt.smallest_normal)))
        self._add(quantity, batch, got, rho, allowed)

    def _bounded(self, z: Floats, errors: Floats, got: Floats, bound: Bound) -> Floats:
        """Rho where the errors are the largest, or more ulps than are allowed everywhere; 0 elsewhere."""
        fmt, rho = self._trial.fmt, np.zeros(errors.shape)
        at = np.flatnonzero((errors > bounds.kernel_least(fmt)) | (errors == errors.max(initial=0.0)) & (errors > 0))
        rho[at] = bound(z[at], fmt, flush=self._trial.flush).rho(got[at])
        return rho

    def sweep(self, quantity: Quantity, found: Found, *, must: bool) -> None:
        """What a sweep found, of which the MUST or the SHOULD of the kernel is allowed."""
        self._points += found.judged
        self._violations += found.over_must if must else found.over_should
        self._counts["wrongly rounded"] += found.wrong
        self._counts["flushed to zero"] += found.flushed
        self._counts["not finite"] += found.not_finite
        self._counts["beyond the float64 tier"] += found.escalated[0]
        self._counts["beyond double-double"] += found.escalated[1]
        self._misrounded += found.wrong - found.flushed
        self._worst_ulp = max([self._worst_ulp, *(point.error for point in found.worst[:1])])
        for point in [found.breach] if must and found.breach else found.worst if must else found.worst[:1]:
            batch = Batch.at_logits(logit(self._trial.fmt, point.negative, point.magnitude))
            rho = self._swept(quantity, point) if must else point.error / bounds.KERNEL_SHOULD
            self._consider(_Candidate(quantity.name, batch, point.got, rho, point.error))

    def _swept(self, quantity: Quantity, point: Point) -> float:
        """Rho of one of the worst that a sweep kept."""
        z = np.array([logit(self._trial.fmt, point.negative, point.magnitude)])
        bound = quantity.bound(z, self._trial.fmt, flush=self._trial.flush)
        return float(bound.rho(np.array([point.got * quantity.sign]))[0])

    def interval(self, quantity: str, batch: Batch, got: Floats, acceptance: Acceptance, sign: float = 1.0) -> None:
        """Errors as the ratio rho to what the acceptance interval allows; with sign = -1, that of minus the quantity."""
        rho, least = acceptance.rho(sign * got), self._trial.fmt.smallest_normal
        self._strange += int(
            np.count_nonzero((rho > 1) & (np.abs(bounds.centre(acceptance.exact)) < least) & (np.abs(got) <= least))
        )
        self._add(quantity, batch, got, rho)

    def boolean(self, quantity: str, batch: Batch, got: Floats, right: bounds.Mask) -> None:
        """Right or wrong, with nothing between: rho is 0 or infinite."""
        self._add(quantity, batch, got, np.where(right, 0.0, np.inf))

    def ratio(self, quantity: str, batch: Batch, got: Floats, rho: Floats) -> None:
        """Errors whose ratio to what their bound allows the check has worked out itself."""
        self._add(quantity, batch, got, rho)

    def whole(self, quantity: str, batch: Batch, got: float, rho: float) -> None:
        """One number for the whole batch: a mean, or a metric."""
        rho = np.inf if np.isnan(rho) else rho
        self._points += 1
        self._violations += bool(rho > 1)
        self._consider(_Candidate(quantity, batch, got, rho, rho))

    def shares(self, quantity: str, batch: Batch, got: Floats, rho: Floats) -> None:
        """One number for each pair of a batch that all of its pairs go into; told with its own pair turned to the front."""
        rho = np.where(np.isnan(rho), np.inf, rho)
        self._points += len(rho)
        self._violations += int(np.count_nonzero(rho > 1))
        if len(rho):
            worst = int(np.argmax(rho))
            turned = batch.take(np.roll(np.arange(len(batch)), -worst))
            self._consider(_Candidate(quantity, turned, float(got[worst]), *[float(rho[worst])] * 2))

    @property
    def violations(self) -> int:
        """How many numbers violate so far."""
        return self._violations

    def count(self, what: str, n: int) -> None:
        """Add to a named count of the finding."""
        self._counts[what] += n

    def _add(self, quantity: str, batch: Batch, got: Floats, rho: Floats, sizes: Floats | None = None) -> None:
        """Judged numbers; the worst is the largest rho above 1 or, where there is none, the largest of the sizes."""
        rho = np.where(np.isnan(rho), np.inf, rho)
        self._points += len(rho)
        self._violations += int(np.count_nonzero(rho > 1))
        if not len(rho):
            return
        ranks = rho if sizes is None or (rho > 1).any() else sizes
        worst = np.flatnonzero(ranks == ranks.max())
        i = int(worst[0])
        if len(worst) > 1:
            rows = np.concatenate([_total(values[worst]) for values in (*batch.logps, got)])
            i = int(worst[np.lexsort(rows[::-1])[-1]])
        self._consider(_Candidate(quantity, batch.take([i]), float(got[i]), float(rho[i]), float(ranks[i])))

    def _consider(self, candidate: _Candidate) -> None:
        known = self._worst
        if known is None or candidate.rank > known.rank or (candidate.rank == known.rank and candidate.key > known.key):
            self._worst = candidate

    def outcome(self, *, graded: bool = False, note: str = "") -> Outcome:
        """The finding's content, with the worst point worked out exactly."""
        named = grade(self._worst_ulp, self._misrounded, not self._violations) if graded else None
        worst = None if self._worst is None else self._exactly(self._worst)
        if self._violations and self._strange == self._violations:
            note = "; ".join(part for part in (note, BELOW) if part)
        return Outcome(self._points, self._violations, worst, dict(self._counts), named, note)

    def _exactly(self, candidate: _Candidate) -> Worst:
        exact = exact_value(candidate.quantity, candidate.batch)
        batch = candidate.batch
        inputs = {name: tuple(float(x).hex() for x in values) for name, values in zip(NAMES, batch.logps, strict=True)}
        return Worst(
            quantity=candidate.quantity,
            inputs=inputs,
            beta=float(batch.beta).hex(),
            label_smoothing=float(batch.label_smoothing).hex(),
            got=candidate.got.hex(),
            exact=exact.digits(20),
            rounded=exact.round(self._trial.fmt).hex(),
            ulp=ulp_error(candidate.got, exact, self._trial.fmt),
            rho=candidate.rho,
        )
