"""What a violating implementation is asked again: a few dozen calls that tell the usual causes apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from conformance.clauses.accepted import accepted_gradients, accepted_losses, as_pairs
from conformance.clauses.ends import reference_detached
from conformance.clauses.quantities import SIGNS
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.implementations.protocol import Answer, Weighing
from conformance.inputs.batch import Batch
from oracle import bounds
from oracle.bounds import Mask
from oracle.formats import Floats

PAIRS = (
    (-12.0, -9.5, -31.0, -6.0, -22.5, -14.0, -8.5, -41.0, -5.5, -17.0, -27.5, -3.0, -10.0, -36.0, -7.5, -19.0),
    (-14.5, -6.0, -29.0, -13.5, -24.0, -8.5, -12.0, -37.5, -11.0, -20.5, -23.0, -9.5, -8.0, -40.5, -4.0, -26.0),
    (-11.0, -12.0, -33.5, -7.5, -19.5, -15.5, -6.0, -44.0, -8.5, -16.0, -30.5, -2.5, -13.0, -34.5, -9.0, -21.5),
    (-11.5, -10.5, -30.5, -9.0, -23.0, -12.5, -7.5, -42.0, -6.5, -18.0, -27.0, -5.0, -9.0, -38.0, -6.5, -24.5),
)
"""Sixteen pairs of short responses, in quarters and halves that every format holds; no two log-ratios are alike."""
PERIODS = {"size": 16, "strided": 16, "any size": 15}
"""By label, after how many pairs a call repeats them; 15 does not divide 2^16, past which a place of 16 bits begins anew."""
OPTIONS = ((0.1, 0.0), (0.5, 0.0), (2.0, 0.0), (0.5, 0.1), (1.0, 0.3), (1.0, 0.5), (2.0, 0.03))
ODD_BETAS = (0.07, 0.125, 0.001, 1.75, 5.0, 30.0, 0.0)
SIZES = (1, 2, 3, 7, 8, 9, 13, 16, 33, 65, 300, 1000, 4099)
UNLIKE = (4.0, 0.5, -2.0, 8.0, 2.0)
"""Weights that scale exactly, none of them 1."""
LOGITS: tuple[float, ...] = (
    0.0,
    2.0**-12,
    0.0625,
    0.25,
    0.5,
    1.0,
    1.0625,
    2.0,
    3.125,
    3.5,
    4.25,
    5.0625,
    5.5,
    6.5,
    7.5625,
    8.5,
    9.0,
    10.5,
    12.0,
    13.5,
)
LOGITS += (
    15.5,
    16.75,
    18.0,
    20.5,
    25.0,
    30.0,
    35.0,
    37.5,
    40.5,
    52.0,
    60.0,
    82.0,
    88.0,
    89.0,
    96.0,
    110.0,
    300.0,
    700.0,
    720.0,
    760.0,
)
LOGITS += (1e4, 3e4)


@dataclass(frozen=True, eq=False)
class Call:
    """One call and its answer; `label` says what it is for, `how` in what way it was asked. refused: why there is none.

    weights: by which the derivatives were weighed, those of `answer` already divided by them.
    """

    label: str
    batch: Batch
    how: str = ""
    answer: Answer | None = None
    refused: str = ""
    mean: bool = False

    @property
    def period(self) -> int | None:
        """After so many pairs they repeat themselves."""
        return None if self.mean else PERIODS.get(self.label)

    @property
    def losses(self) -> Floats:
        """The losses, or the mean as an array of one; NaN where it was refused."""
        n = 1 if self.mean else len(self.batch)
        return np.full(n, np.nan) if self.answer is None else np.atleast_1d(self.answer.losses)

    def derivatives(self) -> Iterator[tuple[int, Floats]]:
        """(place, got) of each derivative that is judged: a detached reference is not, nor is what is absent."""
        if self.answer is None or self.answer.gradient is None:
            return
        detached = reference_detached(self.answer)
        for place, got in enumerate(self.answer.gradient):
            if got is not None and not (detached and place > 1):
                yield place, got


@dataclass(frozen=True, eq=False)
class Probe:
    """All calls, each with what of it is wrong."""

    trial: Trial
    calls: tuple[Call, ...]
    wrong_losses: tuple[Mask, ...] = field(default=())
    wrong_derivatives: tuple[Mask, ...] = field(default=())

    def of(self, *labels: str) -> list[Call]:
        """The calls of those labels that were answered."""
        return [call for call in self.calls if call.label in labels and call.answer is not None]

    @property
    def asked(self) -> int:
        """How many numbers were asked for."""
        return sum(len(call.losses) + sum(len(got) for _, got in call.derivatives()) for call in self.calls)


def wrong_losses(trial: Trial, call: Call) -> Mask:
    """Which losses the judge rejects; where it is not asked to judge (an overflow on the way), none."""
    if call.answer is None:
        return np.ones(1 if call.mean else len(call.batch), dtype=bool)
    accepted = accepted_losses(trial, call.batch)
    if call.mean:
        return np.asarray(~(bounds.mean(accepted, trial.accumulation).rho(call.losses) <= 1))
    return np.asarray(~(accepted.rho(call.losses) <= 1) & bounds.representable(as_pairs(call.batch), trial.fmt))


def wrong_derivatives(trial: Trial, call: Call) -> Mask:
    """In which pairs a derivative is rejected."""
    n = len(call.batch)
    found = np.zeros(n, dtype=bool)
    accepted = accepted_gradients(trial, call.batch)
    if call.mean:
        accepted = bounds.shared(accepted, n, call.batch.beta, trial.accumulation)
    for place, got in call.derivatives():
        found |= ~(accepted.rho(SIGNS[place] * got) <= 1)
    return np.asarray(found & bounds.representable(as_pairs(call.batch), trial.fmt))


def ask(trial: Trial, label: str, batch: Batch, how: str = "", *, mean: bool = False) -> Call:
    """One call, and what came of it. how: "", "strided", "weighed", "policy alone" or "losses alone"."""
    gradient = trial.implementation.claims.gradient and how != "losses alone"
    try:
        answer = _answered(trial, batch, how, gradient, mean)
    except Misbehaviour as error:
        return Call(label, batch, how, None, f"{error.kind}: {error}", mean)
    return Call(label, batch, how, answer, "", mean)


def _answered(trial: Trial, batch: Batch, how: str, gradient: bool, mean: bool) -> Answer:
    judged = trial.implementation
    if how in {"weighed", "policy alone"} and isinstance(judged, Weighing):
        weights = np.resize(UNLIKE, len(batch)) if how == "weighed" else np.ones(len(batch))
        answer = trial.weighed(judged, batch, weights, policy_alone=how == "policy alone")
        pc, pr, rc, rr = (None if part is None else part / weights for part in answer.gradient or (None,) * 4)
        return Answer(answer.losses, (pc, pr, rc, rr), answer.dtype, answer.wrote)
    strided = how == "strided"
    if mean:
        return judged.evaluate(batch, trial.fmt, gradient=gradient, strided=strided)
    return trial.answer(batch, gradient=gradient, strided=strided)


def probed(trial: Trial) -> Probe:
    """Every call, asked in this order."""
    return judged(trial, tuple(_calls(trial)))


def judged(trial: Trial, calls: tuple[Call, ...]) -> Probe:
    """The calls, each with what the judge rejects of it."""
    losses, derivatives = (tuple(judge(trial, call) for call in calls) for judge in (wrong_losses, wrong_derivatives))
    return Probe(trial, calls, losses, derivatives)


def _calls(trial: Trial) -> Iterator[Call]:
    short = Batch.of(*PAIRS)
    for beta, eps in _offered(trial, OPTIONS):
        yield ask(trial, "options", short.at(beta=beta, label_smoothing=eps))
    for beta in trial.offered("beta", ODD_BETAS):
        yield ask(trial, "odd options", (_long(trial) if beta < 0.05 else short).at(beta=beta))
    for scale, beta in ((8.1, 0.125), (1000.7, 0.001)):
        yield ask(trial, "long", _long(trial, scale).at(**_options(trial, beta, 0.0)))
    policy = short.logps[:2]
    yield ask(trial, "at the reference", Batch(*policy, *policy).at(**_options(trial, 0.5, 0.0)))
    if "beta" in trial.implementation.claims.options:
        z = np.array([x for x in LOGITS if x < trial.fmt.largest / 2])
        z = trial.fmt.round_array(z)
        yield ask(trial, "kernel", Batch.at_logits(z))
        yield ask(trial, "kernel", Batch.at_logits(-z))
    yield from _batches(trial, short)
    yield ask(trial, "again", short.at(**_options(trial, *OPTIONS[0])))


def _batches(trial: Trial, short: Batch) -> Iterator[Call]:
    """Other sizes, strides, neighbours, weights."""
    options = _options(trial, 0.5, 0.1)
    if trial.single:
        for size in (1, 2, 3, 5, 8, 9, 16, 33, 65):
            yield ask(trial, "mean", _many(short, size).at(**options), mean=True)
        for size in (2, 3, 8):
            yield ask(trial, "mean", _many(short, size).at(**_options(trial, 2.0, 0.0)), mean=True)
        return
    for place in (0, 2, 5, 7):
        yield ask(trial, "size", short.take([place]).at(**options))
    for size in SIZES:
        yield ask(trial, "size", _many(short, size).at(**options))
    for size in (9, 65):
        yield ask(trial, "strided", _many(short, size).at(**options), "strided")
    if trial.implementation.claims.gradient:
        yield ask(trial, "losses alone", short.at(**options), "losses alone")
        if isinstance(trial.implementation, Weighing):
            yield ask(trial, "weighed", short.at(**options), "weighed")
            yield ask(trial, "policy alone", short.at(**options), "policy alone")


def _many(short: Batch, size: int) -> Batch:
    """So many pairs, neighbours unlike."""
    return short.take(np.resize(np.arange(len(short)), size) if size != 1 else [4])


def _long(trial: Trial, scale: float = 16.0) -> Batch:
    """The same pairs of responses so many times as long, in the format."""
    scale = min(scale, trial.fmt.largest / 64)
    return Batch.of(*(trial.fmt.round_array(scale * np.array(values)) for values in PAIRS))


def _offered(trial: Trial, options: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those options where they are claimed, each once."""
    claimed = (_options(trial, *each) for each in options)
    return list(dict.fromkeys((each["beta"], each["label_smoothing"]) for each in claimed))


def _options(trial: Trial, beta: float, eps: float) -> dict[str, float]:
    (beta,), (eps,) = trial.offered("beta", (beta,)), trial.offered("label_smoothing", (eps,))
    return {"beta": beta, "label_smoothing": eps}
