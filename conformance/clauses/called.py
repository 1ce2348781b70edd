"""Answers to calls made in the ways of those who train, judged as answers to plain calls are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from conformance.clauses.accepted import accepted_gradients, accepted_losses, gradients_ahead, losses_ahead
from conformance.clauses.ends import reference_detached
from conformance.clauses.model import Outcome
from conformance.clauses.quantities import GRADIENTS, LOSS, MEAN_GRADIENTS, MEAN_LOSS, OPPOSED, SIGNS, UNWEIGHED, WEIGHTS
from conformance.clauses.repeats import Repeats
from conformance.clauses.tally import Tally
from conformance.clauses.trial import MANY, Trial
from conformance.errors import Misbehaviour
from conformance.implementations.protocol import Answer, Versatile
from conformance.implementations.ways import UNWEIGHED as UNWEIGHED_WAYS
from conformance.implementations.ways import Way, alike, asked
from conformance.inputs.batch import Batch
from oracle import Format, bounds, get_format
from oracle.ball import exact
from oracle.bounds import Acceptance
from oracle.formats import Floats

PAIRS, SINGLES = 61, 4
"""Pairs of a batch; and where each costs a call, because a mean is returned."""
SMOOTHINGS = (0.0, 0.1)
NEAR = 4.0
"""The largest margin of the pairs that take any weight; beyond it lie the tails."""
WEIGHING = (
    "Log-probabilities are eighths of a nat from -8 on, the margin at most 4 and beta 1/2, so that every admitted order "
    "has the exact margin. A power of two scales every product of a backward pass exactly, and any other weight adds "
    "at most four roundings of a term, none of which is larger than beta: 4 u beta are added at either end of the interval. "
    "What is judged is the derivative divided by its weight. A few pairs more lie in both tails, where an unstable kernel has "
    "lost its digits or overflows, with the weight 1. Each is asked in batches of these pairs, of one, of a drawn few and of "
    f"{MANY:,}, with label smoothing and without."
)
"""The derivation of a bound on weighted derivatives."""


def exact_pairs(trial: Trial, smoothing: float) -> Batch:
    """Pairs whose margins are exact, at beta = 1/2 and that label smoothing where they are claimed; the last in the tails."""
    drawn = -np.random.default_rng([trial.seed, 61]).integers(1, 65, (4, 40 * PAIRS)) / 8
    few = SINGLES if trial.single else PAIRS
    near = drawn[:, np.flatnonzero(np.abs(_margin(drawn)) <= NEAR)[:few]]
    batch = Batch.of(*np.concatenate([near, _tails(trial)], axis=1))
    return trial.optioned(batch, beta=0.5, label_smoothing=smoothing)


def _margin(logps: Sequence[Floats] | Floats) -> Floats:
    pc, pr, rc, rr = logps
    return (pc - rc) - (pr - rr)


def _tails(trial: Trial) -> Floats:
    """Margins of either sign, in one log-probability, whose logits are about p ln 2, where 1 - sigma(z) vanishes, and beyond
    (emax + 1) ln 2, where e^|z| overflows.
    """
    fmt = trial.fmt
    logits = np.log(2) * np.array([0.7 * fmt.precision, 1.1 * fmt.precision, 1.6 * fmt.precision, 1.05 * (fmt.emax + 1)])
    size = fmt.round_array(np.rint(8 * logits) / 4)[2 if trial.single else 0 :]
    nothing = np.zeros(2 * len(size))
    return np.array([np.append(nothing[: len(size)], -size), np.append(-size, nothing[: len(size)]), nothing, nothing])


def alike_pairs(trial: Trial) -> Iterator[Batch]:
    """Exact pairs whose reference is the policy, or the policy exchanged, or whose policy cannot tell the responses apart."""
    for smoothing in trial.offered("label_smoothing", SMOOTHINGS):
        pairs = exact_pairs(trial, smoothing)
        pc, pr, rc, rr = pairs.logps
        for batch, apart in (
            ((pc, pr, pc, pr), pc != pr),
            ((pc, pr, pr, pc), (pc != pr) & (np.abs(pc - pr) <= 2)),
            ((pc, pc, rc, rr), (pc != rc) & (pc != rr) & (rc != rr) & (np.abs(rc - rr) <= 4)),
        ):
            yield Batch(*batch, pairs.beta, pairs.label_smoothing).take(np.flatnonzero(apart))


def incoming(fmt: Format) -> tuple[float, ...]:
    """Weights for AUTOGRAD-1: 0, both signs, below 1, above, loss scales, and numbers that a narrower format does not hold.

    Binary16 holds neither 2^16 nor, as a normal number, 2^-24: it gets 2^15 and 2^-4.
    """
    scales = (2.0**15, 2.0**-4) if fmt.emax < 16 else (2.0**16, 2.0**-24, 2.0**-30, 2.0**20)
    fine = [1 + 2.0**-k for k in (7, 12, 30) if k < fmt.precision]
    return (1.0, 0.0, 0.5, -1.0, *scales, 0.75, 3.0, -0.0, -0.25, 0.125, *fine, 1024.0, -6.0)


def weights_of(way: str, fmt: str) -> list[float]:
    """The weights by which the derivatives of that way are shown again, none of them 0; of no clause's own order."""
    if way in {Way.GIVEN, Way.BACKWARD}:
        return [weight for weight in incoming(get_format(fmt)) if weight]
    if way in UNWEIGHED_WAYS:
        return [1.0]
    return [WEIGHTS[-1]] if way == Way.GIVEN_EXPANDED else list(WEIGHTS)


def judge_ways(
    trial: Trial,
    ways: Sequence[Way],
    *,
    weights: Sequence[float] = WEIGHTS,
    gradient: bool = True,
    may_refuse: Sequence[Way] = (),
    batches: Iterable[Batch] | None = None,
) -> Outcome:
    """Losses and derivatives, asked for in each of the ways that the implementation knows; without any, not claimed.

    One that returns a mean is asked for each pair alone, and for the mean of all of them.
    may_refuse: the ways in which an exception is no wrong answer. batches: by default, exact pairs at each smoothing.
    """
    judged = trial.implementation
    known = [way for way in ways if isinstance(judged, Versatile) and way in judged.ways]
    if not known or not isinstance(judged, Versatile):
        return Outcome(0, 0, note="its wrapper makes no such calls", not_claimed=True)
    tally, refused, answered = Tally(trial), dict[Way, str](), False
    if batches is None:
        batches = [exact_pairs(trial, smoothing) for smoothing in trial.offered("label_smoothing", SMOOTHINGS)]
    batches = list(batches)
    losses_ahead(trial, batches)
    if gradient:
        gradients_ahead(trial, batches)
    for batch in batches:
        judge, tails = _Judge(tally, trial, batch, gradient=gradient), np.abs(_margin(batch.logps)) > NEAR
        for way in known:
            those = weights[:1] if way is Way.GIVEN_EXPANDED else weights
            try:
                for places in [np.arange(len(batch))] if way is Way.ONE_TENSOR else _places(trial, batch):
                    scale = np.resize(those, len(places))
                    scale[tails[places]] = those[0] if way is Way.GIVEN_EXPANDED else 1.0
                    answer = trial.by_way(judged, way, batch.take(places), scale, gradient=gradient)
                    judge.add(way, answer, scale, places)
                if trial.single and len(judge.near) > 1:
                    for weight in dict.fromkeys(those):
                        whole = judged.by_way(way, judge.near, trial.fmt, gradient=gradient, weights=np.array([weight]))
                        judge.add_mean(way, whole, weight)
            except Misbehaviour as error:
                if way not in may_refuse or error.kind != "raised":
                    raise Misbehaviour(error.kind, f"{way}: {error}") from error
                refused[way] = str(error)
                tally.count("refused", len(batch))
                continue
            answered = True
    note = "; ".join(f"{way}: it refuses: {why}" for way, why in refused.items())
    return tally.outcome(note=note) if answered else Outcome(0, 0, note=note, not_claimed=True)


def _places(trial: Trial, batch: Batch) -> Iterator[NDArray[np.intp]]:
    """The pairs of the batches that are asked: all and one without label smoothing, many and a few with it; all alone where
    a framework compiles for each size, or where each pair costs a call.
    """
    smooths = "label_smoothing" in trial.implementation.claims.options
    if trial.single or trial.compiles or not batch.label_smoothing:
        yield np.arange(len(batch))
    if trial.single or trial.compiles:
        return
    if not batch.label_smoothing:
        yield np.zeros(1, dtype=np.intp)
    if batch.label_smoothing or not smooths:
        yield np.arange(MANY) % len(batch)
        yield np.arange(int(trial.rng("ways").integers(2, 33))) % len(batch)


class _Judge:
    """Adds answers to pairs of one batch, however they were asked for, to a tally.

    near: the pairs that take any weight, outside the tails; all where no derivative is asked for.
    """

    def __init__(self, tally: Tally, trial: Trial, batch: Batch, *, gradient: bool) -> None:
        self._tally, self._batch, self._gradient = tally, batch, gradient
        self._repeats, self._accumulation = Repeats(tally, batch), trial.accumulation
        self._losses = accepted_losses(trial, batch)
        self._alike = alike(batch.logps)
        self._near = np.flatnonzero((np.abs(_margin(batch.logps)) <= NEAR) | (not gradient))
        self.near = batch.take(self._near)
        self._means: dict[bool, tuple[Acceptance, Acceptance | None]] = {}
        if gradient:
            self._detached = reference_detached(trial.answer(batch, gradient=True))
            self._exact = accepted_gradients(trial, batch)
            room = exact(np.full(len(batch), 4 * trial.fmt.unit_roundoff * abs(batch.beta)))
            self._roomy = replace(self._exact, low=self._exact.low - room, high=self._exact.high + room)

    def _slopes(self, scale: Floats) -> Acceptance:
        """The intervals of derivatives over those weights, which add no error where all are powers of two."""
        return self._exact if bool((np.abs(np.frexp(scale)[0]) == 0.5).all()) else self._roomy

    def add(self, way: Way, answer: Answer, scale: Floats, pairs: NDArray[np.intp]) -> None:
        """Each number of the answer for those pairs; those for which the way does not ask are left out."""
        self._repeats.interval(LOSS, answer.losses, self._losses, pairs=pairs, told=f", {way}")
        for place in asked(way) if self._gradient else ():
            part = (answer.gradient or (None,) * 4)[place]
            if self._detached and place >= 2:
                self._tally.count("reference detached", len(pairs))
            elif way is Way.ONE_TENSOR:
                self._total(place, way, GRADIENTS, part, scale, self._batch, self._roomy)
            else:
                self._derivative(place, way, np.full(len(scale), np.nan) if part is None else part, scale, pairs)

    def add_mean(self, way: Way, answer: Answer, weight: float) -> None:
        """The mean of the near pairs, and its derivatives over that one weight."""
        mean, slopes = self._mean(np.array([weight]))
        batch, got = self.near, answer.losses.reshape(1)
        self._tally.whole(f"{MEAN_LOSS}, {way}", batch, float(got[0]), float(mean.rho(got)[0]))
        if slopes is None:
            return
        for place in asked(way):
            part = (answer.gradient or (None,) * 4)[place]
            if self._detached and place >= 2:
                continue
            if way is Way.ONE_TENSOR:
                self._total(place, way, MEAN_GRADIENTS, part, np.full(len(batch), weight), batch, slopes)
                continue
            got, quantity = np.full(len(batch), np.nan) if part is None else part, f"{MEAN_GRADIENTS[place]}, {way}"
            if weight == 0:
                self._tally.boolean(quantity + UNWEIGHED, batch, got, got == 0)
            else:
                each = got / weight
                self._tally.shares(quantity, batch, each, slopes.rho(SIGNS[place] * each))

    def _mean(self, weight: Floats) -> tuple[Acceptance, Acceptance | None]:
        """The intervals of the mean and of its derivatives, which are the same for all weights of a kind."""
        kind = self._gradient and self._slopes(weight) is self._exact
        if kind not in self._means:
            slopes = self._slopes(weight)[self._near] if self._gradient else None
            n, beta = len(self.near), self._batch.beta
            shares = None if slopes is None else bounds.shared(slopes, n, beta, self._accumulation)
            self._means[kind] = bounds.mean(self._losses[self._near], self._accumulation), shares
        return self._means[kind]

    def _derivative(self, place: int, way: Way, got: Floats, scale: Floats, pairs: NDArray[np.intp]) -> None:
        """The derivatives over their weights; where the weight is 0, whether they are 0."""
        nothing, some = np.flatnonzero(scale == 0), np.flatnonzero(scale)
        if nothing.size:
            zeros = got[nothing]
            self._tally.boolean(f"{GRADIENTS[place]}, {way}{UNWEIGHED}", self._batch.take(pairs[nothing]), zeros, zeros == 0)
        powers = np.abs(np.frexp(scale[some])[0]) == 0.5
        for these in (some[powers], some[~powers]):
            each = got[these] / scale[these]
            slopes = self._slopes(scale[these])
            self._repeats.interval(GRADIENTS[place], each, slopes, SIGNS[place], pairs=pairs[these], told=f", {way}")

    def _total(
        self, place: int, way: Way, names: Sequence[str], part: Floats | None, scale: Floats, batch: Batch, slopes: Acceptance
    ) -> None:
        """The derivative in a tensor that is two arguments, the first of them at the place: the sum of theirs.

        Half of it where their signs are alike; where they are opposite it is 0, to within the width of the interval of each.
        """
        places = [i for i, first in enumerate(self._alike) if first == place]
        if not places or (self._detached and max(places) >= 2):
            return  # it has been judged at the first place, or one of the two is detached
        got = (np.full(len(scale), np.nan) if part is None else part) / (scale * len(places))
        quantity = f"{names[place]}, {way}"
        if sum(SIGNS[i] for i in places):
            self._tally.ratio(quantity, batch, got, slopes.rho(SIGNS[place] * got))
        else:
            width = bounds.centre(slopes.high) - bounds.centre(slopes.low)
            self._tally.ratio(quantity + OPPOSED, batch, got, np.abs(got) / width)
