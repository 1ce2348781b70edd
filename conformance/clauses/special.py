"""SPECIAL: infinite and NaN log-probabilities, beta = 0, and the sign of zero."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from conformance.clauses.ends import derivatives, reference_detached
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import GRADIENTS, LOSS, exact_value
from conformance.clauses.refusal import FINITE, refusable
from conformance.clauses.tally import Tally
from conformance.clauses.trial import MANY, Trial
from conformance.inputs.batch import Batch
from conformance.records.record import Level
from oracle import bounds
from oracle.formats import Floats

chapter = Chapter("SPECIAL")
INF, NAN = math.inf, math.nan


def _judge(tally: Tally, quantity: str, batch: Batch, got: Floats) -> None:
    """Each result against the exact one: NaN for NaN, the same infinity, or the same finite number to the bound."""
    exact = np.array([float(exact_value(quantity, batch.take([i]))) for i in range(len(batch))])
    same = (np.isnan(got) & np.isnan(exact)) | (got == exact)
    tally.boolean(quantity, batch, got, same)


_SIZES = f" Asked of a few pairs, and of {MANY:,} at once."


def _losses(trial: Trial, *batches: Batch) -> Outcome:
    tally = Tally(trial)
    for batch in batches:
        _judge_sizes(tally, trial, batch)
    return tally.outcome()


def _judge_sizes(tally: Tally, trial: Trial, batch: Batch, *, gradient: Sequence[str] = ()) -> None:
    """Losses, and those derivatives where the losses are NaN, of the batch and of it again and again."""
    for places in [np.arange(len(batch)), *([] if trial.single else [np.arange(MANY) % len(batch)])]:
        answer = trial.answer(batch.take(places), gradient=bool(gradient))
        unlike = _unlike(answer.losses, places)
        _judge(tally, LOSS, batch.take(places[unlike]), answer.losses[unlike])
        for quantity, part in zip(gradient, answer.gradient or (), strict=False):
            got = np.zeros(len(places)) if part is None else part
            unlike = _unlike(got, places)
            tally.boolean(quantity, batch.take(places[unlike]), got[unlike], np.isnan(got[unlike]))


def _unlike(got: Floats, places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where a number is the first of its pair, or another than that."""
    _, first = np.unique(places, return_index=True)
    known = got[first[places]]
    return np.union1d(first, np.flatnonzero((got != known) & ~(np.isnan(got) & np.isnan(known))))


def _with(row: tuple[float, ...], values: tuple[float, ...], place: int) -> list[tuple[float, ...]]:
    """Copies of a row with each value put at a place."""
    return [(*row[:place], value, *row[place + 1 :]) for value in values]


def _table(rows: Sequence[tuple[float, ...]], **options: float) -> Batch:
    return Batch.of(*(list(column) for column in zip(*rows, strict=True)), **options)


_ROWS = [(-12.0, -15.0, -11.0, -14.0), (-3.0, -2.0, -7.0, -1.0), (0.0, 0.0, 0.0, 0.0)]


@chapter.clause(
    1,
    Level.MUST,
    "an impossible chosen response",
    kills=("not-finite-to-zero", "infinity-to-a-number-in-a-block"),
    statement="A chosen log-probability of -infinity, or a rejected reference log-probability of -infinity, shall give "
    "the loss +infinity where label smoothing is 0.",
    derivation="z = -infinity, and softplus(-z) grows without bound." + _SIZES,
    guards=("https://github.com/pytorch/pytorch/issues/20972",),
    remedy="Let the infinity through: no clamp, no mask, no nan_to_num; a stable log-sigmoid gives +infinity.",
)
@refusable
def impossible_chosen(trial: Trial) -> Outcome:
    """Losses at z = -inf."""
    rows = [new for row in _ROWS for place in (0, 3) for new in _with(row, (-INF,), place)]
    return _losses(trial, _table(rows))


@chapter.clause(
    2,
    Level.MUST,
    "an impossible rejected response",
    kills=(
        "always-mixed",
        "always-mixed-numpy",
    ),
    statement="A rejected log-probability of -infinity, or a chosen reference log-probability of -infinity, shall give "
    "the loss 0 where label smoothing is 0.",
    derivation="z = +infinity, and softplus(-z) vanishes. A mixture (1 - eps) loss(z) + eps loss(-z) that is computed "
    "even for eps = 0 gives 0 * infinity = NaN." + _SIZES,
    guards=("https://github.com/huggingface/trl/issues/1199",),
    remedy="Leave the term of label smoothing out where it is 0: 0 * infinity is NaN; subtract no infinity from another.",
)
@refusable
def impossible_rejected(trial: Trial) -> Outcome:
    """Losses at z = +inf."""
    rows = [new for row in _ROWS for place in (1, 2) for new in _with(row, (-INF,), place)]
    return _losses(trial, _table(rows))


@chapter.clause(
    3,
    Level.MUST,
    "NaN in, NaN out",
    kills=(
        "nan-loss-to-zero",
        "nan-logps-to-zero",
        "nan-to-zero-in-a-block",
        "nan-gradient-to-zero",
        "nan-gradient-of-reference-to-zero",
    ),
    statement="A NaN among the log-probabilities shall give the loss NaN, and the derivatives in the policy's "
    "log-probabilities NaN, and in the reference's where it is not detached, never a number.",
    derivation="A loss of 0.0 over NaN log-probabilities hides a broken model from everyone who watches the loss, and a "
    "derivative of 0 from the optimiser: the step leaves the pair out." + _SIZES,
    guards=(
        "https://github.com/huggingface/trl/issues/1199",
        "https://github.com/modelscope/ms-swift/issues/5418",
    ),
    remedy="Let the NaN through, in the backward pass too: no nan_to_num, no mask, no maximum that drops it.",
)
@refusable
def nan_in(trial: Trial) -> Outcome:
    """Losses and derivatives with a NaN in each place."""
    tally, gradient = Tally(trial), tuple[str, ...]()
    if trial.implementation.claims.gradient:
        gradient = GRADIENTS[:2] if reference_detached(trial.answer(_table(_ROWS), gradient=True)) else GRADIENTS
    rows = [new for row in _ROWS for place in range(4) for new in _with(row, (NAN,), place)]
    for smoothing in trial.offered("label_smoothing", (0.0, 0.1)):
        _judge_sizes(tally, trial, _table(rows, label_smoothing=smoothing), gradient=gradient)
    return tally.outcome()


@chapter.clause(
    4,
    Level.MUST,
    "infinity minus infinity",
    kills=("nan-loss-to-zero",),
    statement="Log-probabilities whose margin is infinity minus infinity shall give the loss NaN, never a number.",
    derivation="IEEE 754-2019, section 7.2: the difference of equal infinities is invalid, whichever is subtracted first."
    + _SIZES,
    guards=("https://github.com/OpenRLHF/OpenRLHF/issues/1240",),
    remedy="Let the NaN of infinity - infinity through: no nan_to_num, no mask.",
)
@refusable
def undefined_margin(trial: Trial) -> Outcome:
    """Losses where policy and reference, or chosen and rejected, are both -inf."""
    pairs = ((0, 2), (1, 3), (0, 1), (2, 3))
    rows = [tuple(-INF if place in both else x for place, x in enumerate(row)) for row in _ROWS for both in pairs]
    return _losses(trial, _table(rows))


@chapter.clause(
    5,
    Level.MUST,
    "derivatives at an infinite logit",
    kills=(
        "not-finite-to-zero",
        "gradient-nan-at-impossible-reference",
        "gradient-nan-at-infinity-smoothed",
    ),
    statement="At z = -infinity the derivatives in policy_chosen and policy_rejected shall be -beta (1 - eps) and "
    "beta (1 - eps), and at z = +infinity beta eps and -beta eps, whichever log-probability is -infinity, and those in the "
    "reference, where it is not detached, their negatives: finite numbers, never NaN.",
    derivation="sigma(-z) is exactly 1 and 0 there. Allowed: beta's and eps's rounding into the format, and 4u beta, 2 ulp at "
    "1, for a quotient and a product, or 8u beta for a mixture; a 0 is a 0 where eps is.",
    guards=(
        "https://github.com/pytorch/pytorch/issues/20972",
        "https://github.com/mst272/LLM-Dojo/issues/23",
    ),
    needs=("gradient",),
    remedy="Differentiate a stable log-sigmoid; a quotient or a product of an infinity and a 0 on the way is NaN.",
)
@refusable
def infinite_logit(trial: Trial) -> Outcome:
    """Derivatives at z = -inf and z = +inf, the infinity in each place."""
    tally = Tally(trial)
    rows = [_with((-1.0, -1.0, -1.0, -2.0), (-INF,), place)[0] for place in range(4)]
    for beta in trial.offered("beta", (1.0, 0.5)):
        for eps in trial.offered("label_smoothing", (0.0, 0.125)):
            _judge_at_infinity(tally, trial, _table(rows, beta=beta, label_smoothing=eps))
    return tally.outcome()


def _judge_at_infinity(tally: Tally, trial: Trial, batch: Batch) -> None:
    answer = trial.answer(batch, gradient=True)
    u, beta, eps = trial.fmt.unit_roundoff, batch.beta, batch.label_smoothing
    room = bounds.option_error(beta, trial.fmt) + (8 if eps else 4) * u * beta + beta * bounds.option_error(eps, trial.fmt)
    for quantity, _, got in derivatives(tally, answer, batch):
        exact = np.array([float(exact_value(quantity, batch.take([i]))) for i in range(len(batch))])
        tally.boolean(quantity, batch, got, np.abs(got - exact) <= room * (exact != 0))


@chapter.clause(
    6,
    Level.MUST,
    "beta = 0",
    kills=("beta-zero-is-default",),
    statement="At beta = 0 the loss shall be ln 2 within the kernel's bound, and every derivative in a log-probability 0.",
    derivation="z = 0 for every finite margin, and the derivatives carry the factor beta. It may be refused: OPTION-6.",
    needs=("beta",),
    remedy="Take beta = 0 for 0: no `beta or default`, no division by beta.",
)
@refusable
def beta_zero(trial: Trial) -> Outcome:
    """Losses and derivatives at beta = 0."""
    tally = Tally(trial)
    batch = _table(_ROWS, beta=0.0)
    gradient = trial.implementation.claims.gradient
    answer = trial.answer(batch, gradient=gradient)
    bound = bounds.kernel_losses(np.zeros(len(batch)), trial.fmt, flush=trial.flush)
    tally.interval(LOSS, batch, answer.losses, bound)
    for quantity, part in zip(GRADIENTS, answer.gradient or (), strict=False):
        if part is not None:
            tally.boolean(quantity, batch, part, part == 0)
    return tally.outcome()


@chapter.clause(
    7,
    Level.SHOULD,
    "an infinite loss under label smoothing",
    kills=("always-shifted",),
    statement="Under label smoothing with 0 < eps < 1, an infinite logit of either sign should give the loss +infinity.",
    derivation="One of (1 - eps) softplus(-z) and eps softplus(z) grows without bound, and the other vanishes. The form "
    "softplus(-z) + eps z gives infinity - infinity at z = -infinity, and torch.lerp at either sign; so this is no MUST. "
    + FINITE,
    needs=("label_smoothing",),
)
@refusable
def smoothed_infinite(trial: Trial) -> Outcome:
    """Smoothed losses at z = -inf and z = inf."""
    return _smoothed_at_infinity(trial, nan=False)


def _smoothed_at_infinity(trial: Trial, *, nan: bool) -> Outcome:
    """Whether the smoothed losses are +inf, or NaN where that is enough, with the infinity in each place."""
    tally = Tally(trial)
    rows = [new for row in _ROWS for place in range(4) for new in _with(row, (-INF,), place)]
    for eps in trial.offered("label_smoothing", (0.1, 0.5)):
        batch = _table(rows, label_smoothing=eps)
        got = trial.answer(batch).losses
        tally.boolean(LOSS, batch, got, (got == INF) | (np.isnan(got) & nan))
    return tally.outcome()


@chapter.clause(
    8,
    Level.SHOULD,
    "the sign of zero",
    kills=("log-of-sigmoid",),
    statement="A loss that is zero should be +0, and a log-probability of -0 should count as 0.",
    derivation="softplus is positive, so it underflows to +0. -log(1) is -0, the mark of log of sigmoid. The sign of zero "
    "is never an ulp figure: -0 equals +0.",
    needs=("beta",),
)
@refusable
def sign_of_zero(trial: Trial) -> Outcome:
    """Signs of losses that underflow, and losses at logps of -0."""
    tally = Tally(trial)
    batch = Batch.at_logits([512.0, 2048.0, 8192.0, 2.0 ** (trial.fmt.emax - 1)])
    got = trial.answer(batch).losses
    tally.boolean(LOSS, batch, got, ~(np.signbit(got) & (got == 0)))
    zeros = _table([(-0.0, -0.0, -0.0, -0.0), (0.0, 0.0, 0.0, 0.0), (-0.0, -1.0, 0.0, -0.0), (0.0, -1.0, 0.0, 0.0)])
    got = trial.answer(zeros).losses
    tally.boolean(LOSS, zeros, got, got == got[[1, 1, 3, 3]])
    return tally.outcome()


@chapter.clause(
    9,
    Level.MUST,
    "no finite loss at an infinite logit under label smoothing",
    kills=("label-smoothing-off-at-infinity",),
    statement="Under label smoothing with 0 < eps < 1, an infinite logit of either sign shall give the loss +infinity or NaN, "
    "and "
    "no finite number.",
    derivation="The exact loss is +infinity; SPECIAL-7 asks for it. " + FINITE,
    needs=("label_smoothing",),
    remedy="Mix both terms where label smoothing is above 0: one of them is infinite there.",
)
@refusable
def smoothed_not_finite(trial: Trial) -> Outcome:
    """Smoothed losses at z = -inf and z = inf, where NaN is enough."""
    return _smoothed_at_infinity(trial, nan=True)
