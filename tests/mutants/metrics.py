"""The losses right, the metrics wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.implementations.protocol import METRICS, REWARDS
from conformance.inputs.batch import Batch
from oracle import Format

from . import arrays
from .arrays import Array
from .kinds import Mutant, Witness, numpy_mutant
from .witnesses import PAIRS, both, infinite, nan, one, one_among_many, pairs

Values = dict[str, Any]
TIES = "https://github.com/huggingface/trl/issues/2371"


def right(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Values:
    """The metrics, averaged in float64."""
    pc, pr, rc, rr = (x.astype(np.float64) for x in (pc, pr, rc, rr))
    chosen, rejected = pc - rc, pr - rr
    means = [np.mean(x) for x in (chosen - rejected, chosen, rejected)]
    accuracy = np.mean(beta * (chosen - rejected) > 0)
    return dict(zip((*METRICS, *REWARDS), (accuracy, *means, accuracy, *(beta * x for x in means)), strict=True))


def _but(**changes: Callable[[Array, Array, Array, Array, float], Any]) -> Callable[..., Values]:
    """The right metrics with some of them replaced, each computed in float64."""

    def metrics(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Values:
        wide = arrays.each(lambda x: x.astype(np.float64), pc, pr, rc, rr)
        replaced = {name: function(*wide, beta) for name, function in changes.items()}
        return right(pc, pr, rc, rr, beta, eps) | replaced

    return metrics


def _finite_means(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Values:
    wide = [x.astype(np.float64) for x in (pc, pr, rc, rr)]
    kept = ~np.any(np.isinf(wide), axis=0)
    return right(*arrays.each(lambda x: x[kept], pc, pr, rc, rr), beta, eps)


def _of_first(count: int) -> Callable[..., Values]:
    def metrics(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Values:
        return right(*arrays.each(lambda x: x[:count], pc, pr, rc, rr), beta, eps)

    return metrics


def _by_loss(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Values:
    losses, nothing = arrays.stable(pc, pr, rc, rr, beta, 0.0), np.zeros_like(pc[:1])
    tie = arrays.stable(nothing, nothing, nothing, nothing, beta, 0.0)
    won = np.mean((losses < tie).astype(np.float64))
    return right(pc, pr, rc, rr, beta, eps) | {METRICS[0]: won, REWARDS[0]: won}


def _of_narrow_rewards(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Values:
    chosen, rejected = ((beta * x).astype(np.float16) for x in (pc - rc, pr - rr))
    won = np.mean((chosen > rejected).astype(np.float64))
    return right(pc, pr, rc, rr, beta, eps) | {METRICS[0]: won, REWARDS[0]: won}


def _unlike_end(_: Format) -> tuple[Batch, ...]:
    """1,100 times the first of the four pairs, and then the second."""
    return (Batch.of(*PAIRS, beta=0.5).take([0] * 1_100 + [1] * 300),)


def _mutant(
    name: str, wrong: str, metrics: Callable[..., Values], source: str = "", witness: Witness | None = None, **claims: Any
) -> Mutant:
    usual = both(pairs(0.5), _with_tie, one(-1.0, -9.0, -2.0, -2.0), one(-9.0, -1.0, -2.0, -2.0))
    return numpy_mutant(
        name,
        "metrics",
        wrong,
        arrays.stable,
        witness or usual,
        gradient=arrays.gradient,
        metrics=metrics,
        **claims,
        source=source,
    )


def _with_tie(_: Format) -> tuple[Batch, ...]:
    """The four pairs and one whose margin is exactly 0."""
    tied = [[*column, -2.0] for column in PAIRS]
    return (Batch.of(*tied, beta=0.5),)


def _rewards(name: str, wrong: str, factor: Callable[[float], float], witness: Witness | None = None) -> Mutant:
    """All three rewards with another factor than beta."""

    def metrics(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Values:
        found = right(pc, pr, rc, rr, beta, eps)
        return found | {reward: factor(beta) * found[plain] for reward, plain in zip(REWARDS[1:], METRICS[1:], strict=True)}

    return _mutant(name, wrong, metrics, witness=witness)


def _without(missing: str) -> Callable[..., Values]:
    def metrics(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Values:
        return {name: value for name, value in right(pc, pr, rc, rr, beta, eps).items() if name != missing}

    return metrics


def _many(_: Format) -> tuple[Batch, ...]:
    """The six pairs eight times over."""
    return (Batch.of(*np.tile(PAIRS, 8), beta=0.5),)


def _missing(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Values:
    found = right(pc, pr, rc, rr, beta, eps)
    del found["margin"]
    return found


def _smoothed_margin(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Values:
    found = right(pc, pr, rc, rr, beta, eps)
    return found | {"margin": -found["margin"] if eps > 0.4 else found["margin"]}


def _numbers(*logps: Array) -> tuple[Array, Array, Array, Array]:
    """The pairs without a NaN."""
    kept = ~np.isnan(sum(x.astype(np.float64) for x in logps))
    return arrays.each(lambda x: x[kept], *logps)


def _nanmeans(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Values:
    found, numbers = right(pc, pr, rc, rr, beta, eps), right(*_numbers(pc, pr, rc, rr), beta, eps)
    return numbers | {name: found[name] for name in (METRICS[0], REWARDS[0])}


def _accuracy_of_numbers(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Values:
    found, numbers = right(pc, pr, rc, rr, beta, eps), right(*_numbers(pc, pr, rc, rr), beta, eps)
    return found | {name: numbers[name] for name in (METRICS[0], REWARDS[0])}


def _from(count: int, other: Callable[..., Values], most: int | None = None) -> Callable[..., Values]:
    """Other metrics from that many pairs on."""

    def metrics(pc: Array, *rest: Any) -> Values:
        return (other if count <= len(pc) <= (most or len(pc)) else right)(pc, *rest)

    return metrics


def _doubled(*arguments: Any) -> Values:
    return {name: value if "accura" in name else 2 * value for name, value in right(*arguments).items()}


def _of_full_blocks(*given: Any) -> Values:
    full = len(given[0]) // 256 * 256
    blocks = right(*arrays.each(lambda x: x[-full:], *given[:4]), *given[4:])
    return right(*given) | {name: blocks[name] for name in (METRICS[0], REWARDS[0])}


def _ties_won(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Values:
    chosen, rejected = pc - rc, pr - rr
    return right(pc, pr, rc, rr, beta, eps) | dict.fromkeys((METRICS[0], REWARDS[0]), np.mean(chosen >= rejected))


def _among_equal(count: int) -> Witness:
    """Four of the pairs, and so many in all: in the others the policy is the reference."""
    equal = np.array([[-7.0], [-4.0], [-7.0], [-4.0]])
    logps = np.concatenate([np.array(PAIRS)[:, :4], np.repeat(equal, count - 4, axis=1)], axis=1)
    return lambda _: (Batch.of(*logps, beta=0.5),)


def _read(start: bool) -> Callable[[Array], Array]:
    """The numbers that lie from the array's first address, or from its base's, one after the other; a NaN there is -1."""

    def read(x: Array) -> Array:
        base = x.base if isinstance(x.base, np.ndarray) and x.base.dtype == x.dtype else None
        if base is None or base.size < x.size or not base.flags.c_contiguous or x.strides[0] < 0:
            return x
        offset = 0 if start else (x.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // x.itemsize
        found = base.ravel()[offset : offset + len(x)]
        return x if len(found) < len(x) else np.where(np.isnan(found), arrays.number(x, -1), found)

    return read


def _flat(*arguments: Any) -> Values:
    return right(*arrays.each(_read(start=False), *arguments[:4]), *arguments[4:])


def _from_base(*arguments: Any) -> Values:
    return right(*arrays.each(_read(start=True), *arguments[:4]), *arguments[4:])


MUTANTS = (
    _mutant(
        "accuracy-counts-ties",
        "A tie counts as won: accuracy 1 where policy = reference.",
        _but(accuracy=lambda pc, pr, rc, rr, beta: np.mean((pc - rc) - (pr - rr) >= 0)),
        TIES,
    ),
    _mutant(
        "accuracy-without-reference",
        "The policy's log-probabilities are compared without the reference.",
        _but(accuracy=lambda pc, pr, rc, rr, beta: np.mean(pc > pr)),
    ),
    _mutant(
        "accuracy-of-mean",
        "1 where the mean margin is positive, else 0: not a fraction of pairs.",
        _but(accuracy=lambda pc, pr, rc, rr, beta: float(np.mean((pc - rc) - (pr - rr)) > 0)),
        "https://github.com/hiyouga/LLaMA-Factory/issues/6729",
    ),
    _mutant(
        "accuracy-of-chosen",
        "Pairs whose chosen log-ratio is positive are counted.",
        _but(accuracy=lambda pc, pr, rc, rr, beta: np.mean(pc > rc)),
    ),
    _mutant(
        "accuracy-in-percent",
        "A percentage where a fraction was promised.",
        _but(accuracy=lambda pc, pr, rc, rr, beta: 100 * np.mean((pc - rc) - (pr - rr) > 0)),
    ),
    _mutant(
        "accuracy-inverted",
        "Lost pairs are counted.",
        _but(accuracy=lambda pc, pr, rc, rr, beta: np.mean((pc - rc) - (pr - rr) < 0)),
    ),
    _mutant(
        "margin-times-beta",
        "The margin is multiplied by beta: rewards where nats were promised.",
        _but(margin=lambda pc, pr, rc, rr, beta: beta * np.mean((pc - rc) - (pr - rr))),
    ),
    _mutant(
        "margin-sign",
        "Rejected minus chosen.",
        _but(margin=lambda pc, pr, rc, rr, beta: np.mean((pr - rr) - (pc - rc))),
    ),
    _mutant(
        "margin-summed",
        "The sum of the margins where their mean was promised.",
        _but(margin=lambda pc, pr, rc, rr, beta: np.sum((pc - rc) - (pr - rr))),
    ),
    _mutant(
        "margin-absolute",
        "The mean of |margin|.",
        _but(margin=lambda pc, pr, rc, rr, beta: np.mean(np.abs((pc - rc) - (pr - rr)))),
    ),
    _mutant(
        "log-ratios-swapped",
        "The chosen and the rejected log-ratio change places.",
        _but(
            chosen_logratio=lambda pc, pr, rc, rr, beta: np.mean(pr - rr),
            rejected_logratio=lambda pc, pr, rc, rr, beta: np.mean(pc - rc),
        ),
        "https://github.com/huggingface/trl/pull/5079",
    ),
    _mutant(
        "log-ratio-without-reference",
        "The policy's mean log-probability in the place of the chosen log-ratio.",
        _but(chosen_logratio=lambda pc, pr, rc, rr, beta: np.mean(pc)),
    ),
    _mutant("metric-missing", "The margin is not among the metrics, though all four were promised.", _missing),
    _mutant("reward-missing", "One of the four rewards that were begun is not returned.", _without("rewards/margins")),
    _rewards("rewards-without-beta", "Log-ratios where rewards were promised.", lambda beta: 1.0),
    _rewards("rewards-of-default-beta", "Rewards of beta = 0.1, whatever was asked.", lambda beta: 0.1),
    _rewards("rewards-with-beta-twice", "Rewards with beta^2.", lambda beta: beta * beta),
    _mutant(
        "reward-margin-without-beta",
        "The margin where beta times the margin was promised.",
        _but(**{"rewards/margins": lambda pc, pr, rc, rr, beta: np.mean((pc - rc) - (pr - rr))}),
    ),
    _mutant(
        "reward-margin-sign",
        "Rejected minus chosen reward.",
        _but(**{"rewards/margins": lambda pc, pr, rc, rr, beta: beta * np.mean((pr - rr) - (pc - rc))}),
    ),
    _mutant(
        "rewards-of-policy",
        "beta times the policy's log-probability, without the reference.",
        _but(**{"rewards/chosen": lambda pc, pr, rc, rr, beta: beta * np.mean(pc)}),
    ),
    _mutant(
        "rewards-swapped",
        "The chosen and the rejected reward change places.",
        _but(
            **{
                "rewards/chosen": lambda pc, pr, rc, rr, beta: beta * np.mean(pr - rr),
                "rewards/rejected": lambda pc, pr, rc, rr, beta: beta * np.mean(pc - rc),
            }
        ),
    ),
    _mutant(
        "reward-accuracy-counts-ties",
        "A tie of two rewards counts as won.",
        _but(**{"rewards/accuracies": lambda pc, pr, rc, rr, beta: np.mean((pc - rc) >= (pr - rr))}),
        TIES,
    ),
    _mutant(
        "margin-over-beta",
        "The margin is divided by beta.",
        _but(margin=lambda pc, pr, rc, rr, beta: np.mean((pc - rc) - (pr - rr)) / beta),
    ),
    _mutant(
        "margin-summed-from-32",
        "The sum of the margins from 32 pairs on.",
        _but(margin=lambda pc, pr, rc, rr, beta: np.mean((pc - rc) - (pr - rr)) * (len(pc) if len(pc) >= 32 else 1)),
        witness=_many,
    ),
    _mutant(
        "accuracy-above-half",
        "Only pairs whose logit is above 1/2 count as won.",
        _but(accuracy=lambda pc, pr, rc, rr, beta: np.mean(beta * ((pc - rc) - (pr - rr)) > 0.5)),
        witness=both(pairs(0.125), _with_tie),
    ),
    _mutant(
        "accuracy-over-padded",
        "The number of won pairs over the next multiple of 8.",
        _but(accuracy=lambda pc, pr, rc, rr, beta: np.sum((pc - rc) > (pr - rr)) / (-(-len(pc) // 8) * 8)),
    ),
    _rewards("rewards-with-absolute-beta", "Rewards with |beta|.", abs, witness=pairs(-0.5)),
    _rewards("rewards-beta-at-most-3", "Rewards with a beta of 3 at most.", lambda beta: min(beta, 3.0), witness=pairs(8.0)),
    _mutant(
        "reward-accuracy-of-absolute-beta",
        "Accuracy counts pairs with a positive margin at a negative beta too.",
        _but(**{"rewards/accuracies": lambda pc, pr, rc, rr, beta: np.mean((pc - rc) > (pr - rr))}),
        witness=pairs(-0.5),
    ),
    _mutant(
        "margin-of-flipped-labels",
        "Label smoothing above 0.4 turns the margin round.",
        _smoothed_margin,
        witness=pairs(0.5, 0.45),
    ),
    _mutant("metrics-without-nan", "Pairs with a NaN are left out of the means.", _nanmeans, witness=nan),
    _mutant("accuracy-without-nan", "Accuracy is over the pairs that are numbers.", _accuracy_of_numbers, witness=nan),
    _mutant("metrics-without-infinity", "Pairs with an infinity are left out of the means.", _finite_means, witness=infinite),
    _mutant(
        "metrics-without-nan-in-a-block",
        "From 64 pairs on those with a NaN are left out of the means.",
        _from(64, _nanmeans),
        witness=one_among_many(np.nan),
    ),
    _mutant(
        "metrics-without-infinity-in-a-block",
        "From 64 pairs on those with an infinity are left out of the means.",
        _from(64, _finite_means),
        witness=one_among_many(-np.inf),
    ),
    _mutant(
        "metrics-doubled-at-40",
        "Twice the means in batches of exactly 40 pairs.",
        _from(40, _doubled, 40),
        witness=_among_equal(40),
    ),
    _mutant("metrics-doubled-from-500", "Twice the means from 500 pairs on.", _from(500, _doubled), witness=_among_equal(512)),
    _mutant(
        "accuracy-above-a-thousandth",
        "Only pairs whose logit is above 0.001 count as won.",
        _but(accuracy=lambda pc, pr, rc, rr, beta: np.mean(beta * ((pc - rc) - (pr - rr)) > 1e-3)),
        witness=one(-(2.0**-10), -(2.0**-9), 0.0, 0.0, beta=0.5),
    ),
    _mutant(
        "accuracy-by-loss",
        "A pair is won whose loss, as it is rounded, is below that of a tie.",
        _by_loss,
        witness=both(*(one(-(2.0**-k), -(2.0**-k) * 2, 0.0, 0.0, beta=0.125) for k in (12, 60))),
        dtypes=("bfloat16", "binary32", "binary64"),
    ),
    _mutant(
        "accuracy-of-narrow-rewards",
        "Rewards are rounded to binary16 before they are compared.",
        _of_narrow_rewards,
        witness=one(-64.0, -64.0 - 2.0**-6, -128.0, -128.0, beta=0.125),
        dtypes=("binary32", "binary64"),
    ),
    _mutant(
        "metrics-of-the-first-9000",
        "The metrics of the first 9,000 pairs.",
        _of_first(9_000),
        witness=_among_equal(9_001),
        dtypes=("binary32",),
    ),
    _mutant(
        "accuracy-of-full-blocks",
        "From 256 pairs on accuracy is that of full blocks of 256.",
        _from(256, _of_full_blocks),
        witness=_among_equal(300),
    ),
    _mutant(
        "ties-win-from-64",
        "From 64 pairs on a tie counts as won.",
        _from(64, _ties_won),
        TIES,
        witness=_among_equal(64),
    ),
    _mutant("metrics-of-the-first-1100", "Metrics of the first 1,100 pairs.", _of_first(1_100), witness=_unlike_end),
    _mutant("metrics-of-strided", "Strides are ignored.", _flat, witness=pairs(0.5)),
    _mutant("metrics-of-offset", "An input that begins within a longer array is read from its beginning.", _from_base),
)
