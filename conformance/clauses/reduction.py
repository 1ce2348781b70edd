"""REDUCE: the mean over a batch, for implementations that return it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from conformance.clauses.accepted import accepted_gradients, accepted_losses
from conformance.clauses.ends import derivatives, judged_pairs
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import MEAN_GRADIENTS, MEAN_LOSS
from conformance.clauses.refusal import FINITE, refusable
from conformance.clauses.tally import Tally
from conformance.clauses.trial import MANY, POWERS, Trial
from conformance.implementations.protocol import Answer, Weighing
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import far_from_reference, golden, near_reference, short_responses, tutorial
from conformance.records.record import Level
from oracle import bounds
from oracle.bounds import Acceptance

chapter = Chapter("REDUCE")
SIZES = (1, 2, 3, 7, 8, 9, 16, 33)
UNLIKE = 67
"""Unlike pairs in a large batch, which repeats them in turn: a prime, as of the losses, and few enough to be told."""


@chapter.clause(
    1,
    Level.MUST,
    "a mean",
    kills=(
        "sum-for-mean",
        "mean-over-n-minus-1",
    ),
    statement="An implementation that reduces to the mean shall return the mean of the pairs' losses within its "
    "acceptance interval: not their sum, and not over another number of pairs.",
    derivation="The pairs' intervals added and divided by n, with n - 1 additions, 1 / n and a product rounded in the "
    "format (docs/bounds.md, the mean); where a wider one is declared for the sum (accumulation=), the additions are its own.",
    guards=("https://github.com/huggingface/trl/issues/2615", "https://github.com/huggingface/trl/pull/5710"),
    needs=("mean",),
    remedy="Return the sum over n pairs divided by n: not the sum, and not n - 1, the padded size or the number of devices.",
)
def mean_loss(trial: Trial) -> Outcome:
    """Means of batches of several sizes."""
    tally, rng = Tally(trial), trial.rng("REDUCE-1")
    draws = (near_reference, far_from_reference, short_responses)
    batches = [draw(trial.fmt, size, rng) for draw in draws for size in SIZES]
    for drawn in (golden(), tutorial(), _with_vanished(), *batches):
        for smoothing in trial.offered("label_smoothing", (0.0, 0.1)):
            _judge_mean(tally, trial, judged_pairs(trial, drawn.at(label_smoothing=smoothing)))
    return tally.outcome()


def _judge_mean(
    tally: Tally, trial: Trial, pairs: Batch, *, size: int | None = None, strided: tuple[bool, ...] = (False,)
) -> None:
    """The mean loss of the pairs, or of so many that repeat them in turn, against its interval; of none, nothing is asked."""
    if not len(pairs):
        return
    places = np.arange(size or len(pairs)) % len(pairs)
    batch, acceptance = pairs.take(places), bounds.mean(accepted_losses(trial, pairs)[places], trial.accumulation)
    for views in strided:
        got = trial.implementation.evaluate(batch, trial.fmt, gradient=False, strided=views).losses
        tally.whole(MEAN_LOSS, batch, float(got), float(acceptance.rho(got.reshape(1))[0]))


def _with_vanished() -> Batch:
    """The golden pairs among pairs whose loss underflows to 0: they count in the mean all the same."""
    return Batch.of(*(np.concatenate([values, far]) for values, far in zip(golden().logps, _VANISHED, strict=True)))


_VANISHED = ([-16.0, -8.0], [-16384.0, -8192.0], [-16.0, -8.0], [-16.0, -8.0])


@chapter.clause(
    2,
    Level.MUST,
    "derivatives of a mean",
    kills=(
        "gradient-of-sum-for-mean",
        "gradient-mean-reference-sign",
    ),
    statement="The derivatives of the mean loss of n pairs shall be the pairs' derivatives divided by n, within their "
    "acceptance intervals.",
    derivation="Each pair's interval divided by n, with two roundings more.",
    guards=("https://github.com/huggingface/trl/issues/2617",),
    needs=("mean", "gradient"),
    remedy="Divide by the number of pairs once.",
)
def mean_gradient(trial: Trial) -> Outcome:
    """Derivatives of means; each is told with the batch turned so that its pair is the first."""
    tally, rng = Tally(trial), trial.rng("REDUCE-2")
    for size in SIZES:
        _judge_derivatives(tally, trial, judged_pairs(trial, short_responses(trial.fmt, size, rng)))
    return tally.outcome()


def _judge_derivatives(
    tally: Tally, trial: Trial, pairs: Batch, *, size: int | None = None, strided: tuple[bool, ...] = (False,)
) -> None:
    """The derivatives of the mean of the pairs, or of so many that repeat them in turn; of none, nothing is asked."""
    if not len(pairs):
        return
    places = np.arange(size or len(pairs)) % len(pairs)
    batch, slopes = pairs.take(places), accepted_gradients(trial, pairs)[places]
    for views in strided:
        answer = trial.implementation.evaluate(batch, trial.fmt, gradient=True, strided=views)
        _tally_shares(tally, batch, answer, _shared(trial, slopes, batch))


def _shared(trial: Trial, each: Acceptance, batch: Batch) -> Acceptance:
    return bounds.shared(each, len(batch), batch.beta, trial.accumulation)


def _tally_shares(tally: Tally, batch: Batch, answer: Answer, acceptance: Acceptance, scale: float = 1.0) -> None:
    for quantity, sign, got in derivatives(tally, answer, batch, MEAN_GRADIENTS):
        tally.shares(quantity, batch, got / scale, acceptance.rho(sign * got / scale))


@chapter.clause(
    3,
    Level.MUST,
    "a NaN in the batch",
    kills=("mean-without-nan", "mean-without-nan-in-a-block"),
    statement=f"The mean over a batch with a NaN log-probability shall be NaN: among three pairs, and among {MANY:,}.",
    derivation="A mean over the other pairs hides a broken model, and is a mean over another number of pairs.",
    guards=("https://github.com/huggingface/trl/issues/1199",),
    needs=("mean",),
    remedy="Take the plain mean: no nanmean, no mask of what is not finite.",
)
@refusable
def mean_of_nan(trial: Trial) -> Outcome:
    """Means of batches with a NaN at each place."""
    return _judge_with(trial, np.nan, range(4))


def _judge_with(trial: Trial, value: float, places: Iterable[int], *, nan: bool = True) -> Outcome:
    """Means of the golden batch, and of its first pair many times, with that value at each of the places of one pair: infinite
    for an infinity, or NaN.
    """
    tally = Tally(trial)
    for whole, place in product(_among(), places):
        batch = whole.with_value(place, len(whole) // 2, value)
        got = float(trial.implementation.evaluate(batch, trial.fmt, gradient=False).losses)
        right = (np.isinf(value) and got == np.inf) or (nan and np.isnan(got))
        tally.whole(MEAN_LOSS, batch, got, 0.0 if right else np.inf)
    return tally.outcome()


def _among() -> tuple[Batch, Batch]:
    """The golden pairs, and the first of them many times: a block may drop what is not finite where a few pairs keep it."""
    return golden(), golden().take(np.zeros(MANY, dtype=np.intp))


@chapter.clause(
    4,
    Level.MUST,
    "options in a mean",
    kills=("mean-options-of-one", "mean-beta-on-a-grid"),
    statement="The mean loss at beta = 0.5 and label smoothing 0.1, and at drawn ones, shall lie in its acceptance interval "
    "for "
    "batches of 2, 9, 65, 1,000 and 4,097 pairs, and for inputs that are strided views.",
    derivation="One that reduces is judged elsewhere a pair at a time: a batch is where its options may be lost. Of pairs "
    "that are "
    "won by far, the loss is eps z.",
    needs=("mean",),
    remedy="Take the same options in a batch as of one pair; reduce last.",
)
def options_in_mean(trial: Trial) -> Outcome:
    """Smoothed means at other betas, of larger batches."""
    tally = Tally(trial)
    for size, pairs in _optioned(trial, "REDUCE-4", (2, 9, 65, 1000, 4097)):
        _judge_mean(tally, trial, pairs, size=size, strided=(False, True))
    for eps in trial.offered("label_smoothing", (0.03, 0.13, *trial.rng("REDUCE-4 eps").uniform(0.01, 0.2, 4))):
        won = Batch.of([0.0, 0.0], [-64.0, -96.0])
        _judge_mean(tally, trial, trial.optioned(won, beta=1.0, label_smoothing=float(eps)))
    return tally.outcome()


def _optioned(trial: Trial, clause: str, sizes: tuple[int, ...]) -> Iterator[tuple[int, Batch]]:
    """Sizes, each with the pairs that a batch of that size repeats: short responses at beta = 0.5 and label smoothing 0.1, and
    at drawn ones, where they are claimed.
    """
    rng = trial.rng(clause)
    for size in sizes:
        drawn = float(np.exp(rng.uniform(np.log(0.02), np.log(2)))), float(rng.uniform(0.01, 0.5))
        for beta, eps in dict.fromkeys([(0.5, 0.1), drawn]):
            pairs = short_responses(trial.fmt, min(size, UNLIKE), rng)
            yield size, judged_pairs(trial, trial.optioned(pairs, beta=beta, label_smoothing=eps))


@chapter.clause(
    5,
    Level.MUST,
    "derivatives of a mean under options",
    kills=("gradient-mean-unsmoothed", "gradient-mean-of-strided"),
    statement="The derivatives of the mean loss at beta = 0.5 and label smoothing 0.1, and at drawn ones, shall be the pairs' "
    "derivatives divided by n, within their acceptance intervals, for batches of 2, 9, 65, 1,000 and 4,097 "
    "pairs, and for inputs that are strided views.",
    derivation="Each pair's interval divided by n, with two roundings more.",
    needs=("mean", "gradient"),
    remedy="Take the same options in a batch as of one pair; divide by the number of pairs once.",
)
def mean_gradient_options(trial: Trial) -> Outcome:
    """Derivatives of smoothed means at other betas."""
    tally = Tally(trial)
    for size, pairs in _optioned(trial, "REDUCE-5", (2, 9, 65, 1000, 4097)):
        _judge_derivatives(tally, trial, pairs, size=size, strided=(False, True))
    return tally.outcome()


@chapter.clause(
    6,
    Level.MUST,
    "an infinite loss in the batch",
    kills=("mean-without-infinity", "mean-without-infinity-in-a-block"),
    statement="The mean over a batch with an impossible chosen response, or an impossible rejected reference response, shall "
    f"be +infinity or NaN, and no finite number, where label smoothing is 0: among three pairs, and among {MANY:,}.",
    derivation="The loss of such a pair is +infinity (SPECIAL-1). A mean over the other pairs hides it. " + FINITE,
    needs=("mean",),
    remedy="Take the plain mean: no mask of what is not finite.",
)
@refusable
def mean_of_infinity(trial: Trial) -> Outcome:
    """Means of batches with a pair whose logit is -infinity."""
    return _judge_with(trial, -np.inf, (0, 3))


@chapter.clause(
    7,
    Level.MUST,
    "a few losses among many that vanish",
    kills=("mean-zero-of-many", "mean-negative-of-many", "mean-twentyfold-of-many", "mean-over-padded", "mean-of-chunk-means"),
    statement="The mean over a batch of 2 to 4,099 pairs, of which all but one to three have a loss that is exactly 0, shall "
    "lie "
    "in its acceptance interval, wherever in the batch those few are.",
    derivation="To add 0 rounds nothing, so that the bound is that of one to three losses, with 1 / n and a product: a few u "
    "whatever n is (docs/bounds.md, the mean). The bound for n losses that all count grows with n, and in bfloat16 is beyond "
    "the "
    "mean itself at n = 300. A loss of e^-3276 or less is 0 in every format, binary64 and wider inside included.",
    guards=("https://github.com/huggingface/trl/issues/2617",),
    needs=("mean",),
    remedy="Return the sum over n pairs divided by n, whatever n: no other divisor, no mean of the means of chunks, no partial "
    "sum that is lost.",
)
def mean_of_few(trial: Trial) -> Outcome:
    """Means of batches in which all but a few losses vanish."""
    tally, rng = Tally(trial), trial.rng("REDUCE-7")
    (beta,) = trial.offered("beta", (1.0,))
    for size in (2, 3, 9, 17, 33, 65, 100, 257, 1000, 4099):
        for places in ([0], [size - 1], rng.integers(0, size, 3).tolist()):
            _judge_mean(tally, trial, _few(trial, size, places, rng).at(beta=beta))
    return tally.outcome()


def _few(trial: Trial, size: int, places: list[int], rng: np.random.Generator) -> Batch:
    """Pairs of which all but those at the places are won by 32,768 nats; these are lost by 0 to 100."""
    pc, pr = np.zeros(size), np.full(size, -(2.0**15))
    pr[places] = 0.0
    pc[places] = -trial.fmt.round_array(rng.uniform(0, 100, len(places)))
    return Batch.of(pc, pr)


@chapter.clause(
    8,
    Level.MUST,
    "a mean that is weighed",
    kills=("mean-backward-without-upstream",),
    statement="The derivatives of a mean loss times a weight shall be the mean's derivatives times that weight; what is "
    "judged is "
    "the derivative divided by the weight.",
    derivation="The chain rule, as GRAD-6, for batches of 2, 9 and 65 pairs: a training step divides the mean by the steps of "
    "gradient accumulation, and scales it in binary16. The weights are powers of two of either sign, which scale exactly. "
    "Judged "
    "of an implementation whose derivatives its framework takes.",
    guards=("https://github.com/huggingface/trl/issues/2617",),
    needs=("mean", "gradient"),
    remedy="Multiply by the incoming derivative in a backward pass of your own, also of a mean.",
)
def weighed_mean(trial: Trial) -> Outcome:
    """Derivatives of weighed means."""
    judged = trial.implementation
    if not isinstance(judged, Weighing):
        return Outcome(0, 0, note="no framework takes its derivatives", not_claimed=True)
    tally = Tally(trial)
    for place, (_, batch) in enumerate(_optioned(trial, "REDUCE-8", (2, 9, 65))):
        weight = (4.0, -2.0, 0.5, 8.0)[place % 4]
        if len(batch):
            answer, slopes = judged.weighed(batch, trial.fmt, np.array([weight])), accepted_gradients(trial, batch)
            _tally_shares(tally, batch, answer, _shared(trial, slopes, batch), weight)
    return tally.outcome()


@chapter.clause(
    9,
    Level.SHOULD,
    "an infinite loss makes an infinite mean",
    kills=("mean-without-infinity",),
    statement="The mean over a batch with an impossible chosen response should be +infinity where label smoothing is 0.",
    derivation="A sum of losses with +infinity among them is +infinity. " + FINITE,
    needs=("mean",),
)
@refusable
def infinite_mean(trial: Trial) -> Outcome:
    """Means of batches with a pair whose logit is -infinity, where NaN is not enough."""
    return _judge_with(trial, -np.inf, (0, 3), nan=False)


@chapter.clause(
    10,
    Level.MUST,
    "a mean of any size",
    kills=(
        "mean-summed-at-48",
        "gradient-mean-doubled-at-20",
        "mean-unsmoothed-at-10",
        "mean-of-the-first-4200",
        "mean-median-from-8194",
    ),
    statement="The mean, and its derivatives, shall lie in their acceptance intervals in batches of every size from 1 to 130 "
    "(of 12 and four drawn ones where a framework compiles for each: of JAX and of arrays of any framework), of 256 to 4,096 "
    "pairs by powers of two, and of one pair less and more: of few losses among many that vanish, also among "
    "8,193 and, but in binary16, 65,537, and of pairs won by 8 to 32 nats at label smoothing 0.25, "
    "in the wide formats also among so many.",
    derivation="As BATCH-1 and BATCH-6. The bound of few losses is a few u whatever n is (REDUCE-7); of pairs that are won, "
    "the loss is eps z, beside which the unsmoothed loss is nothing, and the derivative is beta eps.",
    needs=("mean",),
    remedy="Return the sum over n pairs divided by n, at every n; look at the remainder of a vectorised loop.",
)
def any_size(trial: Trial) -> Outcome:
    """Means and their derivatives in batches of every size."""
    tally, rng = Tally(trial), trial.rng("REDUCE-10")
    few = trial.optioned(_few(trial, 4, [0, 1, 2], rng), beta=1.0, label_smoothing=0.0)
    won = Batch.of(np.zeros(25), -np.arange(8.0, 33.0))
    sizes = (*trial.few_to_130("REDUCE-10"), *POWERS)
    many = (*sizes, *trial.past_blocks)
    _judge_sizes(tally, trial, few, [np.append(np.arange(min(n, 3)), np.full(max(0, n - 3), 3)) for n in many], rng)
    if "label_smoothing" in trial.implementation.claims.options:
        won = trial.optioned(won, beta=1.0, label_smoothing=0.25)
        _judge_sizes(tally, trial, won, [np.arange(n) % len(won) for n in (sizes if trial.fmt.width <= 16 else many)], rng)
    return tally.outcome()


def _judge_sizes(tally: Tally, trial: Trial, pool: Batch, batches: list[NDArray[np.intp]], rng: np.random.Generator) -> None:
    """The mean, alone and with its derivatives, of so many places of the pool, shuffled."""
    losses, judged, gradient = accepted_losses(trial, pool), trial.implementation, trial.implementation.claims.gradient
    slopes = accepted_gradients(trial, pool) if gradient else None
    for ordered in batches:
        places = rng.permutation(ordered)
        batch, mean = pool.take(places), bounds.mean(losses[places], trial.accumulation)
        for asked in (False, True) if gradient else (False,):
            answer = judged.evaluate(batch, trial.fmt, gradient=asked)
            tally.whole(MEAN_LOSS, batch, float(answer.losses), float(mean.rho(answer.losses.reshape(1))[0]))
        if slopes is not None:
            _tally_shares(tally, batch, answer, _shared(trial, slopes[places], batch))


@chapter.clause(
    11,
    Level.MUST,
    "derivatives of a mean beside what is not finite",
    kills=("gradient-mean-dropped-beside-nan", "gradient-mean-nan-beside-nan"),
    statement="The derivatives of a mean in the log-probabilities of a finite pair shall be its share, within their acceptance "
    f"intervals, where another pair has a NaN or an infinity: among three pairs, and among {MANY:,}.",
    derivation="As BATCH-7. The derivative of a sum in one of its terms does not depend on the others: each is 1/n of the "
    "pair's own.",
    needs=("mean", "gradient"),
    remedy="Decide nothing over the batch: no test for any NaN, no norm, no clip of all derivatives together.",
)
@refusable
def mean_gradient_of_neighbours(trial: Trial) -> Outcome:
    """Derivatives of means in the pairs beside one that is not finite."""
    tally = Tally(trial)
    for whole, (place, value) in product(_among(), ((0, np.nan), (3, np.nan), (0, -np.inf), (1, -np.inf))):
        batch = whole.with_value(place, len(whole) // 2, value)
        answer = trial.implementation.evaluate(batch, trial.fmt, gradient=True)
        slopes = _shared(trial, accepted_gradients(trial, whole), whole)
        for quantity, sign, got in derivatives(tally, answer, batch, MEAN_GRADIENTS):
            rho = slopes.rho(sign * got)
            rho[len(whole) // 2] = 0.0  # of the pair itself
            tally.shares(quantity, batch, got, rho)
    return tally.outcome()
