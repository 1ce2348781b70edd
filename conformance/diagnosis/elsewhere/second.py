"""Second derivatives: by what they differ from beta^2 sigma(z) sigma(-z), in which mode, and from which logit on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from conformance.clauses import find
from conformance.clauses.quantities import SIGNS
from conformance.clauses.trial import Trial
from conformance.diagnosis.probe import LOGITS, PAIRS, UNLIKE
from conformance.errors import Misbehaviour
from conformance.implementations.protocol import Curved
from conformance.implementations.ways import Twice
from conformance.inputs.batch import NAMES, Batch
from conformance.records.diagnosis import Cause, Kind
from conformance.records.record import Finding
from oracle.formats import Floats

Factor = Callable[[Batch, Floats, int, int], Floats | float]
"""(batch, weights, first place, second place) to what the right number is multiplied by."""
READINGS: tuple[tuple[str, Factor], ...] = (
    ("0: the derivative is a constant to autograd", lambda b, w, i, j: 0.0),
    ("without one of the two factors beta", lambda b, w, i, j: 1 / b.beta),
    ("with a third factor beta", lambda b, w, i, j: b.beta),
    ("times 1 - 2 label_smoothing, on which they do not depend", lambda b, w, i, j: 1 - 2 * b.label_smoothing),
    ("times 1 - label_smoothing, on which they do not depend", lambda b, w, i, j: 1 - b.label_smoothing),
    ("without the size of the incoming derivative", lambda b, w, i, j: 1 / np.abs(w)),
    ("without the size of the incoming derivative", lambda b, w, i, j: 1 / np.abs(w * b.beta)),
    ("without the incoming derivative", lambda b, w, i, j: 1 / w),
    ("twice the right ones", lambda b, w, i, j: 2.0),
    ("half of the right ones", lambda b, w, i, j: 0.5),
    ("right but for the sign where one is chosen and one rejected", lambda b, w, i, j: -1.0 if (i + j) % 2 else 1.0),
    *(
        (f"right but for the sign of those in {name}", lambda b, w, i, j, at=at: -1.0 if j == at else 1.0)
        for at, name in enumerate(NAMES)
    ),
    ("the right ones with the opposite sign", lambda b, w, i, j: -1.0),
)
"""What a rule of one's own for the second derivative gets wrong."""


@dataclass(frozen=True, eq=False)
class _Seen:
    """Second derivatives over their weights, with the sign of both places taken off, and what they should be."""

    mode: Twice
    batch: Batch
    weights: Floats
    first: int
    place: int
    got: Floats
    exact: Floats
    z: Floats

    def holds(self, factor: Factor, room: float) -> bool:
        """Whether they are the right ones times that."""
        expected = factor(self.batch, self.weights, self.first, self.place) * self.exact
        return bool((np.abs(self.got - expected) <= room * np.abs(self.exact) + 2.0**-1000).all())


def cause(trial: Trial, violated: Sequence[Finding]) -> Cause | None:
    """What the second derivatives are; None where they are right, or none are asked."""
    judged = trial.implementation
    if not any(finding.clause.startswith("SECOND-") for finding in violated) or not isinstance(judged, Curved):
        return None
    seen = [one for mode in _modes(judged) for batch in _batches(trial) for one in _asked(trial, judged, mode, batch)]
    room = 24 * trial.fmt.unit_roundoff
    wrong = [one for one in seen if not one.holds(lambda *_: 1.0, room)]
    if not wrong:
        return _tails(trial, judged)
    modes = {one.mode for one in wrong}
    where = "" if modes == {one.mode for one in seen} else f"by {' and by '.join(sorted(modes))}"
    cure = find("SECOND-1").remedy
    for says, factor in READINGS:
        if all(one.holds(factor, room) for one in wrong):
            return Cause(f"second: {says}", Kind.GRADIENT, "second derivatives", says, where, cure, len(seen), len(wrong))
    return Cause("second", Kind.GRADIENT, "second derivatives", "wrong", where or "everywhere", cure, len(seen), len(wrong))


def _batches(trial: Trial) -> list[Batch]:
    near = Batch.of(*PAIRS).take([2, 5, 8, 11, 13])
    options = dict.fromkeys(((0.25, 0.0), (0.125, 0.3)))
    return [trial.optioned(near, beta=beta, label_smoothing=eps) for beta, eps in options]


def _asked(trial: Trial, judged: Curved, mode: Twice, batch: Batch) -> list[_Seen]:
    pc, pr, rc, rr = batch.logps
    z = batch.beta * ((pc - rc) - (pr - rr))
    exact = batch.beta**2 / ((1 + np.exp(z)) * (1 + np.exp(-z)))
    weights = np.resize(UNLIKE, len(batch))
    seen: list[_Seen] = []
    for first in (0, 1):
        try:
            parts = trial.twice(judged, mode, first, batch, weights).gradient or (None,) * 4
        except Misbehaviour:
            return seen
        for place, part in enumerate(parts[:2]):
            got = np.zeros(len(batch)) if part is None else SIGNS[first] * SIGNS[place] * part / weights
            seen.append(_Seen(mode, batch, weights, first, place, got, exact, z))
    return seen


def _modes(judged: Curved) -> list[Twice]:
    """The ways in which it is differentiated twice, always in one order."""
    return [mode for mode in Twice if mode in judged.twice_by]


def _tails(trial: Trial, judged: Curved) -> Cause | None:
    """The first way in which digits are lost."""
    found = (_of_tails(trial, judged, mode) for mode in _modes(judged))
    return next((one for one in found if one is not None), None)


def _of_tails(trial: Trial, judged: Curved, mode: Twice) -> Cause | None:
    """From which logit on they have lost their digits, and on which side."""
    z = trial.fmt.round_array(np.array([x for x in LOGITS if 0 < x < 40]))
    z = np.concatenate([-z, z])
    batch = Batch.at_logits(z)
    parts = trial.twice(judged, mode, 0, batch, np.ones(len(z))).gradient or (None,) * 4
    got = np.zeros(len(z)) if parts[0] is None else parts[0]
    exact = 1 / ((1 + np.exp(z)) * (1 + np.exp(-z)))
    wrong = np.abs(got - exact) > 128 * trial.fmt.unit_roundoff * (1 + np.abs(z)) * exact + 8 * trial.fmt.smallest_normal
    if not wrong.any():
        return None
    side = "z" if (z[wrong] > 0).all() else "-z" if (z[wrong] < 0).all() else "|z|"
    where, cure = f"from {side} = {np.abs(z[wrong]).min():.4g} on", find("SECOND-1").remedy
    nothing = " and 0 in the end" if (got[wrong] == 0).any() else ""
    says = f"s (1 - s), or another difference of equal numbers: digits are lost{nothing}"
    return Cause("second derivative cancels", Kind.KERNEL, "second derivatives", says, where, cure, len(z), int(wrong.sum()))
