"""SECOND: the second derivatives in the log-probabilities, of implementations that claim them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from conformance.clauses.accepted import as_pairs
from conformance.clauses.called import SMOOTHINGS, exact_pairs, judge_ways
from conformance.clauses.ends import judged_pairs, reference_detached
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import SECOND, SIGNS, WEIGHTS
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.implementations.protocol import Curved
from conformance.implementations.ways import Twice, Way
from conformance.inputs import logits
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import cancelling, far_from_reference, near_reference, one_sided, short_responses
from conformance.records.record import Level
from oracle import bounds
from oracle.bounds import Acceptance
from oracle.formats import Floats

chapter = Chapter("SECOND")
POLICY, EVERY = (0, 1), (0, 1, 2, 3)
_LOGITS = {"quick": 7, "standard": 1}
"""Every seventh of a 16-bit format's logits under the quick profile: all low bits are among them."""
_BOUND = (
    "The second derivative in two log-probabilities is beta^2 sigma(z) sigma(-z), with the sign of both of them in the margin: "
    "label smoothing adds a term that is linear in z. Correct code multiplies two slopes of the kernel, or does better: the "
    'bound is twice a slope\'s, and one rounding for each product (docs/bounds.md, "The second derivative"). '
)
_JUDGED = "Judged of an implementation that claims second_derivatives, whose framework differentiates."
_REMEDY = (
    "Give the derivative a derivative of its own: y / (1 + y)^2 with y = exp(-|z|), times beta^2, for the incoming derivative "
    "and both modes. Not s (1 - s), which keeps no digit where s is near 1."
)


@chapter.clause(
    1,
    Level.MUST,
    "second derivative of the kernel",
    kills=("second-of-logsigmoid", "second-of-sigmoid", "second-of-nothing"),
    statement="The second derivatives of the loss in the policy's log-probabilities at an exactly representable logit z and "
    "beta = 1 shall be sigma(z) sigma(-z), and minus that where one is chosen and one rejected, within the bound: of relative "
    "size 8u to 10u in binary16 and bfloat16 and 24u to 29u in binary32 and binary64, with 2u |z| and, in either tail, at most "
    "u |z| more.",
    derivation=_BOUND + "It vanishes as e^-|z| on both sides, and so do its digits where it is made of a difference: s (1 - s) "
    "is 0 from |z| = p ln 2 on, on one side, where s rounds to 1. The logit is fed exactly, as in KERNEL-1. " + _JUDGED,
    guards=(
        "https://github.com/pytorch/pytorch/issues/195530",
        "https://github.com/jax-ml/jax/issues/40383",
        "https://github.com/tensorflow/tensorflow/issues/126628",
    ),
    needs=("beta", "gradient", "second"),
    remedy=_REMEDY,
)
def kernel_second(trial: Trial) -> Outcome:
    """Second derivatives in both tails, and on the way there."""
    if trial.fmt.width == 16:
        z = logits.every(trial.fmt)
        z = z[np.isfinite(z)][:: _LOGITS.get(trial.profile.name, 1)]
    else:
        z = logits.stratified(trial.fmt, trial.sizes, trial.rng("logits"))
    z = z[:: 31 if trial.single else 1]

    def batches() -> Iterator[tuple[Batch, Acceptance]]:
        for start in range(0, len(z), _BLOCK):
            part = z[start : start + _BLOCK]
            yield Batch.at_logits(part), bounds.curvatures(part, trial.fmt, flush=trial.flush)

    return _judged(trial, batches(), places=(0,), of=POLICY)


_BLOCK = 1 << 14


@chapter.clause(
    2,
    Level.MUST,
    "in every two log-probabilities",
    kills=("second-without-beta", "second-smoothed", "second-mixed-sign"),
    statement="The second derivatives of the loss in each two of the four log-probabilities shall lie in their acceptance "
    "intervals, on pairs near to and far from the reference, of short responses, that cancel, and in both tails, whatever the "
    "label smoothing; those in a reference that is detached from the graph are not judged.",
    derivation=_BOUND
    + "The interval is its image over that of the logit, as for GRAD-1: it falls with |z|, and is 1/4 where 0 "
    "lies inside. " + _JUDGED,
    needs=("gradient", "second"),
    remedy=_REMEDY,
)
def every_two(trial: Trial) -> Outcome:
    """The whole matrix of second derivatives, end to end."""
    return _judged(trial, _drawn(trial), places=EVERY, of=EVERY)


def _drawn(trial: Trial) -> Iterator[tuple[Batch, Acceptance]]:
    rng, draws = trial.rng("SECOND-2"), (near_reference, far_from_reference, short_responses, cancelling, one_sided)
    for draw in draws:
        for beta, smoothing in ((0.1, 0.0), (5.0, float(rng.choice((0.1, 0.5, 0.9))))):
            batch = draw(trial.fmt, max(1, trial.sizes.pairs // 4), rng)
            yield _with_interval(trial, judged_pairs(trial, trial.optioned(batch, beta=beta, label_smoothing=smoothing)))


@chapter.clause(
    3,
    Level.MUST,
    "a weight for each loss, twice",
    kills=("second-without-upstream",),
    statement="The second derivatives of a sum of losses, each with a weight of its own, shall be the second derivatives of "
    "each loss times its weight; what is judged is the quotient by the weight.",
    derivation="The chain rule. The weights are 1, 2, 4 and 8 of either sign, which scale exactly; margins are exact, at most "
    "4 nats, and beta is 1/2. " + _BOUND + _JUDGED,
    needs=("gradient", "second"),
    remedy="Multiply by the incoming derivative in the backward pass of the backward pass too.",
)
def weighted(trial: Trial) -> Outcome:
    """Second derivatives of weighted sums of losses."""
    return _judged(trial, _exact(trial), places=POLICY, of=EVERY, weights=WEIGHTS)


@chapter.clause(
    4,
    Level.MUST,
    "forward mode",
    kills=("second-forward-doubled",),
    statement="The second derivatives by forward mode over reverse mode, reverse mode over forward mode and forward mode twice "
    "shall lie in their acceptance intervals, or be refused by an exception.",
    derivation="A mode changes how a derivative is computed and not what; a rule of its own for forward mode is code of its "
    "own. Pairs are those of SECOND-3, and exact logits in both tails. " + _BOUND + _JUDGED,
    needs=("gradient", "second"),
    remedy=_REMEDY,
)
def forward(trial: Trial) -> Outcome:
    """Second derivatives in the other modes."""
    batches = [*_exact(trial), *([_tails(trial)] if "beta" in trial.implementation.claims.options else [])]
    modes = (Twice.FORWARD_OVER_REVERSE, Twice.REVERSE_OVER_FORWARD, Twice.FORWARD)
    return _judged(trial, batches, places=POLICY, of=EVERY, weights=WEIGHTS, modes=modes)


@chapter.clause(
    5,
    Level.MUST,
    "a derivative's derivative in its weight",
    kills=("second-of-constant-upstream",),
    statement="The derivative of the weighted sum in a log-probability shall have for its own derivative, in the weight of "
    "that pair's loss, the derivative of that loss: it shall lie in the acceptance interval of GRAD-1.",
    derivation="The first derivative is the weight times the loss's own. Where a loss goes into anything that is not linear, "
    "its weight depends on it, and the second derivative has this product beside that of SECOND-3. A backward pass that takes "
    "the incoming derivative for a constant loses it, and no error says so. " + _JUDGED,
    needs=("gradient", "second"),
    remedy="Multiply by the incoming derivative as a tensor that may have a graph of its own: no detach, no .item(), no kernel "
    "that writes into it.",
)
def in_weights(trial: Trial) -> Outcome:
    """First derivatives, differentiated in the weights."""
    return judge_ways(trial, (Way.IN_WEIGHTS,))


def _exact(trial: Trial) -> Iterator[tuple[Batch, Acceptance]]:
    for smoothing in trial.offered("label_smoothing", SMOOTHINGS):
        yield _with_interval(trial, exact_pairs(trial, smoothing))


def _tails(trial: Trial) -> tuple[Batch, Acceptance]:
    """Exact logits from 1/4 nat to nearly the last normal result, of either sign."""
    most = -np.log(trial.fmt.smallest_normal * 16)
    z = trial.fmt.round_array(np.geomspace(0.25, most, 6 if trial.single else 24))
    z = np.concatenate([-z, [0.0], z])
    return Batch.at_logits(z), bounds.curvatures(z, trial.fmt, flush=trial.flush)


def _with_interval(trial: Trial, batch: Batch) -> tuple[Batch, Acceptance]:
    return batch, bounds.second(as_pairs(batch), trial.fmt, flush=trial.flush)


def _judged(
    trial: Trial,
    batches: Iterator[tuple[Batch, Acceptance]] | Sequence[tuple[Batch, Acceptance]],
    *,
    places: Sequence[int],
    of: Sequence[int],
    weights: Sequence[float] = (1.0,),
    modes: Sequence[Twice] = (Twice.REVERSE,),
) -> Outcome:
    """Second derivatives in each of those places, of the first derivatives in those; what is refused forward is no answer."""
    judged = trial.implementation
    known = [mode for mode in modes if isinstance(judged, Curved) and mode in judged.twice_by]
    if not known or not isinstance(judged, Curved):
        return Outcome(0, 0, note="its wrapper makes no such calls", not_claimed=True)
    tally, refused = Tally(trial), dict[Twice, str]()
    answered = False
    for batch, acceptance in batches:
        if not len(batch):
            continue
        scale = np.resize(weights, len(batch))
        detached = len(places) + len(of) > 3 and reference_detached(trial.answer(batch, gradient=True))
        for mode in known:
            for first in places if not detached else POLICY[: len(places)]:
                try:
                    answer = trial.twice(judged, mode, first, batch, scale)
                except Misbehaviour as error:
                    if mode is Twice.REVERSE or error.kind != "raised":
                        raise Misbehaviour(error.kind, f"{mode}: {error}") from error
                    refused[mode] = str(error)
                    break
                answered = True
                parts = answer.gradient or (None,) * len(EVERY)
                asked = [place for place in of if not (detached and place >= len(POLICY))]
                _add(tally, batch, acceptance, scale, [(first, place, parts[place]) for place in asked], mode)
        if detached:
            tally.count("reference detached", len(batch))
    note = "; ".join(f"{mode}: it refuses: {why}" for mode, why in refused.items())
    return tally.outcome(note=note) if answered else Outcome(0, 0, note=note, not_claimed=True)


def _add(
    tally: Tally,
    batch: Batch,
    acceptance: Acceptance,
    scale: Floats,
    parts: Sequence[tuple[int, int, Floats | None]],
    mode: Twice,
) -> None:
    """Each is one number of two signs, in most answers: what is the same as the one before has its ratio."""
    before: Floats | None = None
    rho: Floats | None = None
    for first, place, part in parts:
        got = np.full(len(batch), np.nan) if part is None else part / scale
        size = SIGNS[first] * SIGNS[place] * got
        if rho is None or before is None or not np.array_equal(size, before):
            before, rho = size, acceptance.rho(size)
        tally.ratio(f"{SECOND[first][place]}, {mode}", batch, got, rho)
