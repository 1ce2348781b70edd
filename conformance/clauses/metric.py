"""METRIC: what a training loop prints, for implementations that claim it."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from itertools import product

import numpy as np

import oracle
from conformance.clauses.accepted import as_pairs
from conformance.clauses.batch import FEW
from conformance.clauses.ends import judged_pairs
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import METRICS as QUANTITIES
from conformance.clauses.refusal import refusable
from conformance.clauses.tally import Tally
from conformance.clauses.trial import MANY, POWERS, Trial
from conformance.errors import Misbehaviour
from conformance.implementations.protocol import ACCURACIES, METRICS, REWARDS, Measuring
from conformance.implementations.ways import LAYOUTS, Way
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import golden, near_reference, short_responses, tutorial
from conformance.records.record import Level
from oracle import Format, bounds, enclosure
from oracle.formats import Floats

chapter = Chapter("METRIC")
SIZES = (1, 2, 7, 33, 129, 1000)
UNLIKE = 127
"""Unlike pairs in a large batch, which repeats them in turn."""
REPEATED = 125
"""So often METRIC-5 repeats its pairs: beyond a block, and no multiple of a power of two."""
_OPTIONS = ((0.1, 0.0), (0.5, 0.1), (2.0, 0.0), (None, 0.3), (-0.5, 0.0), (8.0, 0.45), (None, 0.75))
"""beta and label smoothing in turn; None is drawn from 0.02 to 30."""
_MEANS, _REWARDS = METRICS[1:], REWARDS[1:]


def _batches(trial: Trial) -> list[Batch]:
    """Worked examples with a tie, and drawn batches, under several betas and label smoothings; one set for the chapter."""
    rng = trial.rng("METRIC")
    drawn = [(size, draw(trial.fmt, min(size, UNLIKE), rng)) for size in SIZES for draw in (near_reference, short_responses)]
    ties = Batch.of([-3, -4, -5, -6], [-3, -4, -6, -5], [-2, -2, -2, -2], [-2, -2, -2, -2])
    batches = []
    worked = [(len(batch), batch) for batch in (tutorial(), golden(), ties)]
    for place, (size, batch) in enumerate((*worked, *drawn)):
        beta, eps = _OPTIONS[place % len(_OPTIONS)]
        beta = float(np.exp(rng.uniform(np.log(0.02), np.log(30)))) if beta is None else beta
        batches.append((size, judged_pairs(trial, trial.optioned(batch, beta=beta, label_smoothing=eps))))
    return [_in_turn(pairs, size) for size, pairs in batches if len(pairs)]


def _narrow(fmt: Format) -> Batch:
    """Pairs that are won and lost by little, with margins that are exact in the format: down to 2^-12 nats, or 2^-60 where it
    has the exponents; and by 2^-6 beside log-ratios of 64, where it has the digits.
    """
    powers = np.append(np.arange(3, 13), np.arange(16, 61, 4) if fmt.emax > 16 else [])
    small = np.append(-np.ldexp(1.0, -powers.astype(np.int64)), [-64.0] * (fmt.width > 16))
    large = np.append(-np.ldexp(2.0, -powers.astype(np.int64)), [-64.0 - 2.0**-6] * (fmt.width > 16))
    reference = np.where(small == -64, -128.0, 0.0)
    return Batch.of(*(np.append(*both) for both in ((small, large), (large, small), (reference,) * 2, (reference,) * 2)))


def _in_turn(pairs: Batch, size: int) -> Batch:
    return pairs.take(np.arange(size) % len(pairs))


@chapter.clause(
    1,
    Level.MUST,
    "accuracy",
    kills=(
        "accuracy-counts-ties",
        "accuracy-of-chosen",
        "accuracy-above-a-thousandth",
        "accuracy-by-loss",
        "accuracy-of-narrow-rewards",
    ),
    statement="Accuracy shall be the fraction of pairs whose logit is strictly positive: a tie is not a win.",
    derivation="Every admitted way to the logit, and every comparison of two rewards, has its sign right where |z| > "
    "delta_z; pairs within that are left out, ties of small integers are not. The quotient of two counts is allowed four "
    "roundings in the format (docs/bounds.md). Batches of 1 to 1,000 pairs, and one of margins down to 2^-12, but in binary16 "
    "2^-60, and in the wide formats of 2^-6 beside log-ratios of 64, each at its own "
    "beta and label smoothing; at a negative beta, where the won pair is another without beta, the rewards' accuracy "
    "alone.",
    guards=("https://github.com/huggingface/trl/issues/2371", "https://github.com/hiyouga/LlamaFactory/issues/6729"),
    needs=("metrics",),
    remedy="Count the pairs whose chosen reward is strictly above the rejected one.",
)
def accuracy(trial: Trial) -> Outcome:
    """Accuracy on batches with clear signs and exact ties."""
    tally = Tally(trial)
    for batch in (*_batches(trial), trial.optioned(_narrow(trial.fmt), beta=0.125, label_smoothing=0.0)):
        clear, exact = _won(trial, batch)
        if len(clear):
            _judge_accuracy(tally, trial, clear, exact, trial.implementation.metrics(clear, trial.fmt))
    return tally.outcome()


def _won(trial: Trial, batch: Batch) -> tuple[Batch, float]:
    """The pairs whose sign is sure, and the share of them that is won."""
    z = bounds.centre(enclosure.logit(*batch.logps, batch.beta))
    doubt = np.maximum(*bounds.logit_error(as_pairs(batch), trial.fmt))
    integers = all((values == np.rint(values)).all() and (np.abs(values) < 100).all() for values in batch.logps)
    clear = np.arange(len(batch)) if integers else np.flatnonzero(np.abs(z) > doubt)
    return batch.take(clear), float(np.count_nonzero(z[clear] > 0)) / max(1, len(clear))


def _judge_accuracy(tally: Tally, trial: Trial, batch: Batch, exact: float, got: Mapping[str, float]) -> None:
    """Both accuracies, by whichever name they are returned."""
    for name in ACCURACIES if batch.beta >= 0 else ACCURACIES[1:]:
        if name in got:
            _judge(tally, batch, name, got[name], exact, 4 * trial.fmt.unit_roundoff * exact)


@chapter.clause(
    2,
    Level.MUST,
    "margin and log-ratios",
    kills=(
        "margin-times-beta",
        "log-ratios-swapped",
    ),
    statement="The mean margin shall carry no beta, and the mean log-ratios shall be the policy's log-probability minus "
    "the reference's, of the chosen and of the rejected response.",
    derivation="A log-ratio errs by u of itself, and by three roundings more where it is a reward divided by beta; a margin "
    "by delta_z at beta = 1, and two roundings more. The mean adds a rounding for each addition, of the mean of the "
    "log-ratios' magnitudes; "
    "2 lambda cover flushed differences and a flushed mean (docs/bounds.md).",
    needs=("metrics",),
    remedy="Report the margin without beta, and each log-ratio as policy minus reference of its own response.",
)
def means(trial: Trial) -> Outcome:
    """Mean margin and mean log-ratios."""
    return _judge_means(trial, _MEANS)


@chapter.clause(
    3,
    Level.MUST,
    "rewards",
    kills=("rewards-without-beta", "reward-margin-without-beta"),
    statement="The mean rewards shall be beta times the mean log-ratios, and the mean reward margin beta times the mean "
    "margin, with the beta of the call.",
    derivation="As METRIC-2, with beta rounded into the format and one product more: delta_beta + u of a reward, delta_z of a "
    "margin. Judged of an implementation that returns them, by the names that training loops log.",
    guards=("https://github.com/huggingface/trl/pull/5079",),
    needs=("metrics",),
    remedy="Multiply each log-ratio by the beta that was passed, once.",
)
def rewards(trial: Trial) -> Outcome:
    """Mean rewards and their mean margin."""
    return _judge_means(trial, _REWARDS)


def _judge_means(trial: Trial, names: tuple[str, ...]) -> Outcome:
    """The margin, the chosen and the rejected log-ratio by their names here, or all three times beta."""
    if not set(names) <= trial.implementation.metrics(golden(), trial.fmt).keys():
        return Outcome(0, 0, note=f"it returns no {', '.join(names)}", not_claimed=True)
    tally = Tally(trial)
    for batch in _batches(trial):
        got = trial.implementation.metrics(batch, trial.fmt)
        for name, known in _known(trial, batch, names).items():
            _judge(tally, batch, name, got[name], *known)
    return tally.outcome()


def _known(
    trial: Trial, batch: Batch, names: tuple[str, ...], *, pairs: int | None = None, equal: int = 0
) -> dict[str, tuple[float, float]]:
    """Of each of these means, what it is and what correct arithmetic may err by, in a sum over so many pairs.

    equal: among so many pairs besides, whose log-ratios are 0.
    """
    fmt, u, n = trial.fmt, trial.fmt.unit_roundoff, pairs or len(batch)
    with_beta = names == _REWARDS
    beta = batch.beta if with_beta else 1.0
    a, b, c, d = batch.logps
    chosen, rejected = np.abs(a - c), np.abs(b - d)
    growth, shift = bounds.summation(n + equal, fmt, trial.accumulation, zeros=equal), bounds.option_error(beta, fmt)
    most = abs(beta) + shift
    margin = _margin_error(fmt, beta, *(values.tobytes() for values in batch.logps))
    rooms = (
        margin + most * (growth + 2 * u) * (chosen + rejected),
        (most * (growth + 4 * u) + shift) * chosen,
        (most * (growth + 4 * u) + shift) * rejected,
    )
    least = 2 * fmt.smallest_normal * (1 + most if with_beta else 1)
    exact = _exact(batch.beta, *(values.tobytes() for values in batch.logps))
    known = {name: (exact[name], float(np.mean(room)) * (1 + growth)) for name, room in zip(names, rooms, strict=True)}
    if equal:
        known = {name: (mean * n / (n + equal), room * n / (n + equal)) for name, (mean, room) in known.items()}
    return {name: (mean, room + least) for name, (mean, room) in known.items()}


def _judge(tally: Tally, batch: Batch, name: str, got: float, exact: float, allowed: float) -> None:
    """|got - exact| over what is allowed, and one float64 spacing of the exact value, which is itself rounded."""
    error = abs(got - exact)
    with np.errstate(over="ignore"):
        rho = 0.0 if error == 0 else np.float64(error) / (allowed * (1 + 2.0**-40) + np.spacing(abs(exact)))
    tally.whole(QUANTITIES[name], batch, got, float(rho) if np.isfinite(got) else np.inf)


@lru_cache(maxsize=256)
def _margin_error(fmt: Format, beta: float, *logps: bytes) -> Floats:
    """The larger of the two errors of each logit, kept for the next size and the next implementation."""
    pc, pr, rc, rr = (np.frombuffer(values) for values in logps)
    return np.maximum(*bounds.logit_error(bounds.Pairs(pc, pr, rc, rr, beta, 0.0), fmt))


@lru_cache(maxsize=256)
def _exact(beta: float, *logps: bytes) -> Mapping[str, float]:
    """The means of a batch, kept for the next clause and the next implementation."""
    arrays = [np.frombuffer(values) for values in logps]
    chosen, rejected = (oracle.mean(of(*arrays)) for of in (oracle.chosen_logratio, oracle.rejected_logratio))
    means = (chosen - rejected, chosen, rejected)
    rewards = [mean * Fraction(beta) for mean in means]
    return {name: float(value) for name, value in zip((*_MEANS, *_REWARDS), (*means, *rewards), strict=True)}


@chapter.clause(
    4,
    Level.MUST,
    "a NaN is not hidden, nor an infinity",
    kills=("metrics-without-nan", "accuracy-without-nan", "metrics-without-infinity", "metrics-without-nan-in-a-block"),
    statement="Where a log-probability of the batch is NaN, the mean margin and reward margin, and the mean log-ratio and "
    "reward of its response, shall be NaN; those of the other response shall be right; and accuracy shall count the pair as "
    "not won, or be NaN; where it is -infinity those means shall be infinite, of their sign, or NaN, and accuracy shall count "
    f"the pair as won if its logit is +infinity: among three pairs, and among {MANY:,}.",
    derivation="A mean over the other pairs hides a broken model, and is a mean over another number of pairs; a comparison "
    "with NaN is false. As REDUCE-3 and REDUCE-6 of the loss.",
    guards=("https://github.com/huggingface/trl/issues/1199",),
    needs=("metrics",),
    remedy="Take plain means: no nanmean, and no mask of what is not finite.",
)
@refusable
def nan_shows(trial: Trial) -> Outcome:
    """Metrics of a batch with a NaN, and with an infinity, at each place."""
    tally, few = Tally(trial), trial.optioned(golden(), beta=0.1, label_smoothing=0.0)
    for whole, place, value in product((few, _in_turn(few, MANY)), range(4), (np.nan, -np.inf)):
        n = len(whole)
        signs = np.array([[-1, -1, 0], [1, 0, -1], [1, 1, 0], [-1, 0, 1]][place])  # of the margin and of the two log-ratios
        won = 1.0 if value == -np.inf and place in {1, 2} else (n - 1) / n  # the others are won
        batch = whole.with_value(place, n // 2, value)
        got = trial.implementation.metrics(batch, trial.fmt)
        for name in (name for name in ACCURACIES if name in got and not np.isnan(got[name])):
            _judge(tally, batch, name, got[name], won, 4 * trial.fmt.unit_roundoff * won)
        for names in (names for names in (_MEANS, _REWARDS) if names[0] in got):
            known = _known(trial, whole, names)
            for i, name in enumerate(names):
                if i == 2 - place % 2:  # the other response's
                    _judge(tally, batch, name, got[name], *known[name])
                else:
                    right = np.isnan(got[name]) or (np.isinf(value) and got[name] == signs[i] * np.inf)
                    tally.whole(QUANTITIES[name], batch, got[name], 0.0 if right else np.inf)
    return tally.outcome()


@chapter.clause(
    5,
    Level.MUST,
    "metrics wherever the inputs lie",
    kills=("metrics-of-strided", "metrics-of-offset", "metrics-of-the-first-1100"),
    statement="The metrics shall lie within the bounds of METRIC-1 to METRIC-3 where the inputs begin within longer arrays, "
    "have strides and offsets of their own, are the columns of one matrix, or are stored backwards, and so shall those of "
    f"{REPEATED} times these pairs.",
    derivation="As LAYOUT-1 of the losses. The means of pairs and those of the same pairs repeated are one number. Judged of "
    "an implementation whose wrapper makes such views; a framework that does not take the last may refuse them, by an error.",
    needs=("metrics",),
    remedy="Honour the strides and the offset of each input, or copy it into contiguous memory first.",
)
def in_views(trial: Trial) -> Outcome:
    """Metrics of views."""
    judged = trial.implementation
    if not isinstance(judged, Measuring):
        return Outcome(0, 0, note="its wrapper makes no such calls", not_claimed=True)
    tally = Tally(trial)
    batch = judged_pairs(
        trial, trial.optioned(short_responses(trial.fmt, 33, trial.rng("METRIC-5")), beta=0.5, label_smoothing=0.1)
    )
    clear, exact = _won(trial, batch)
    for way in (way for way in LAYOUTS if way in judged.ways):
        try:
            got = judged.metrics_by_way(way, clear, trial.fmt)
        except Misbehaviour as error:
            if way is not Way.REVERSED or error.kind != "raised":
                raise
            tally.count("refused", len(clear))
            continue
        _judge_all(tally, trial, clear, exact, got)
    many = clear.take(np.repeat(np.arange(len(clear)), REPEATED))
    _judge_all(tally, trial, clear, exact, judged.metrics(many, trial.fmt), pairs=len(many))
    return tally.outcome()


def _judge_all(
    tally: Tally,
    trial: Trial,
    clear: Batch,
    exact: float,
    got: Mapping[str, float],
    *,
    pairs: int | None = None,
    among: Batch | None = None,
) -> None:
    """Every metric of the batch, or of so many pairs that repeat it, for which only the bound is another; or of a batch that
    has these among others whose log-ratios are 0.
    """
    told = clear if among is None else among
    _judge_accuracy(tally, trial, told, exact, got)
    for names in (names for names in (_MEANS, _REWARDS) if names[0] in got):
        for name, known in _known(trial, clear, names, pairs=pairs, equal=len(told) - len(clear)).items():
            _judge(tally, told, name, got[name], *known)


@chapter.clause(
    6,
    Level.MUST,
    "metrics of any size",
    kills=("metrics-doubled-at-40", "metrics-doubled-from-500", "ties-win-from-64", "accuracy-of-full-blocks"),
    statement="The metrics of a batch in which all but four pairs have the reference's log-probabilities shall lie within "
    f"the bounds of METRIC-1 to METRIC-3, wherever in the batch those four are, in batches {FEW}, of 256 to 4,096 pairs by "
    "powers of two, of one pair less and more, of 8,193 and, but in binary16, of 65,537.",
    derivation="As REDUCE-7 and REDUCE-10 of the loss. To add 0 rounds nothing, so that the bound is that of four log-ratios "
    "whatever n is (docs/bounds.md, the mean), and the others are ties, of which none is won. The bound of n log-ratios that "
    "all count grows with n, and in bfloat16 is beyond their mean itself at n = 300.",
    guards=("https://github.com/huggingface/trl/issues/2371",),
    needs=("metrics",),
    remedy="Take plain means over all pairs, at every n; count those whose chosen reward is strictly above the rejected one.",
)
def any_size(trial: Trial) -> Outcome:
    """Metrics in batches of every size."""
    tally, rng = Tally(trial), trial.rng("METRIC-6")
    four = trial.optioned(Batch.of(*_FOUR), beta=0.5, label_smoothing=0.0)
    both = [np.append(own, equal) for own, equal in zip(four.logps, _EQUAL, strict=True)]
    for size in (size for size in (*trial.few_to_130("METRIC-6"), *POWERS, *trial.past_blocks) if size > len(four)):
        places = np.full(size, len(four))
        places[rng.permutation(size)[: len(four)]] = np.arange(len(four))
        batch = Batch.of(*both, beta=four.beta).take(places)
        _judge_all(tally, trial, four, 3 / size, trial.implementation.metrics(batch, trial.fmt), among=batch)
    return tally.outcome()


_FOUR = ([-2.0, -6.0, -1.0, -3.5], [-5.0, -3.0, -4.0, -2.0], [-3.0, -4.0, -4.0, -4.0], [-4.5, -4.5, -3.0, -2.25])
"""Log-ratios 1, -2, 3, 1/2 and -1/2, 3/2, -1, 1/4: three pairs are won, and every sum is exact."""
_EQUAL = (-7.0, -4.0, -7.0, -4.0)
"""A pair in which the policy is the reference."""
