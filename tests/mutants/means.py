"""Means that go wrong where only many pairs, views of them, or options beside them show it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .kinds import Mutant, torch_mutant
from .tensors import Loss, of_arguments, of_logps, scaled_gradient, stable, then
from .witnesses import batch_of, both, few, one_among_many, pairs, repeated

MANY = 512
"""From so many pairs on, what is wrong with many is wrong."""
ACCUMULATION = "https://github.com/huggingface/trl/issues/2617"
_few = both(*(few(size, place) for size in (9, 65, 1000, 1001, 4099) for place in (0, size - 1)))


def _mean(name: str, wrong: str, function: Loss, witness: Any = _few, source: str = "", **claims: Any) -> Mutant:
    return torch_mutant(name, "means", wrong, function, witness, source=source, reduction="mean", **claims)


def _of(reduce: Callable[[Tensor], Tensor], least: int = 2) -> Loss:
    """The right losses, reduced so from that many pairs on, and rightly below."""
    return then(lambda losses: reduce(losses) if len(losses) >= least else losses.mean())


def _padded(multiple: int) -> Loss:
    return _of(lambda losses: losses.sum() / (-(-len(losses) // multiple) * multiple))


def _chunk_means(size: int) -> Loss:
    return _of(lambda losses: torch.stack([part.mean() for part in losses.split(size)]).mean())


def _arguments(change: Callable[[float, float], tuple[float, float]]) -> Loss:
    """The right mean of other options, in batches of two or more."""

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        options = change(beta, eps) if len(pc) > 1 else (beta, eps)
        return stable(pc, pr, rc, rr, *options).mean()

    return loss


def _contiguous(x: Tensor) -> Tensor:
    """The first n numbers of the memory under a view, whatever its stride."""
    return x.as_strided((len(x),), (1,)) if len(x) > 1 else x


def _of_views(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return of_logps(lambda *logps: tuple(_contiguous(x) for x in logps))(pc, pr, rc, rr, beta, eps).mean()  # type: ignore[arg-type,return-value]


def _slope_of_views(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """Right, with twice the derivative where the inputs are views with a stride."""
    factor = 2.0 if len(pc) > 1 and pc.stride() != (1,) else 1.0
    return stable(*(scaled_gradient(x, factor) for x in (pc, pr, rc, rr)), beta, eps).mean()


class _Upstream(torch.autograd.Function):  # type: ignore[misc]
    """The mean itself; its derivative is not multiplied by what comes in, but by a function of it."""

    @staticmethod
    def forward(ctx: Any, losses: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.size, ctx.change = losses.shape, change
        return losses.mean()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        factor = ctx.change(upstream) if ctx.size[0] > 1 else upstream
        return (factor / ctx.size[0]).expand(ctx.size), None


def _backward(change: Callable[[Tensor], Tensor]) -> Loss:
    def reduce(losses: Tensor) -> Tensor:
        result: Tensor = _Upstream.apply(losses, change)
        return result

    return then(reduce)


def _with_slope(factor: Callable[[int], float]) -> Loss:
    """The right mean, its derivative times a factor of the size."""
    return then(lambda losses: scaled_gradient(losses.mean(), factor(len(losses))))


def _unsmoothed_at_10(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return stable(pc, pr, rc, rr, beta, 0.0 if len(pc) == 10 else eps).mean()


def _one_by_one(losses: Tensor) -> Tensor:
    """Each partial sum rounded to the losses' format; of a batch in which the partial sums stand still."""
    total = torch.zeros_like(losses[0])
    for part in losses:
        total = total + part
    return total / len(losses)


def _repeated(losses: Tensor) -> Tensor:
    """An odd batch is filled up with its last pair."""
    return torch.cat([losses, losses[-1:]]).mean() if len(losses) % 2 and len(losses) > 1 else losses.mean()


def _slope_unless_nan(losses: Tensor) -> Tensor:
    """The mean; where it is NaN, without a derivative."""
    mean = losses.mean()
    return mean.detach() if torch.isnan(mean) and not torch.isnan(losses).all() else mean


def _slope_of_nan(losses: Tensor) -> Tensor:
    """The mean, its derivative times 1, or times NaN where it is not finite."""
    mean = losses.mean()
    return scaled_gradient(mean, 1.0 if torch.isfinite(mean) else math.nan)


large = both(batch_of(1001, beta=0.5), batch_of(9))

MUTANTS = (
    _mean("mean-zero-of-many", "0 from 512 pairs on.", _of(lambda x: 0 * x.mean(), MANY)),
    _mean("mean-negative-of-many", "The negative of the mean from 512 pairs on.", _of(lambda x: -x.mean(), MANY)),
    _mean("mean-twentyfold-of-many", "20 times the mean from 512 pairs on.", _of(lambda x: 20 * x.mean(), MANY)),
    _mean("mean-tenth-of-many", "A tenth of the mean from 512 pairs on.", _of(lambda x: x.mean() / 10, MANY)),
    _mean("mean-summed-from-many", "The sum from 1,000 pairs on.", _of(torch.sum, 1000)),
    _mean("mean-over-padded", "The divisor is the next multiple of 64.", _padded(64), source=ACCUMULATION),
    _mean("mean-over-padded-to-8", "The divisor is the next multiple of 8.", _padded(8)),
    _mean(
        "mean-over-power-of-two",
        "The divisor is the next power of two.",
        _of(lambda x: x.sum() / (1 << (len(x) - 1).bit_length())),
    ),
    _mean("mean-of-means-of-64", "The mean of the means of chunks of 64, the last of them shorter.", _chunk_means(64)),
    _mean("mean-of-means-of-8", "The mean of the means of chunks of 8, the last of them shorter.", _chunk_means(8)),
    _mean(
        "mean-of-two-halves",
        "The mean of the means of two parts, one of them a pair longer.",
        _of(lambda x: (x[: len(x) // 2].mean() + x[len(x) // 2 :].mean()) / 2, 3),
        witness=both(few(3, 0), few(9, 0)),
    ),
    _mean(
        "mean-without-last-chunk",
        "Pairs beyond the last full chunk of 64 are left out of the sum.",
        _of(lambda x: x[: len(x) // 64 * 64].sum() / len(x), 64),
    ),
    _mean("mean-of-first-128", "The mean of the first 128 pairs.", _of(lambda x: x[:128].mean())),
    _mean("mean-without-first", "The first of two or more pairs is left out.", _of(lambda x: x[1:].sum() / len(x))),
    _mean("mean-without-last", "The last of two or more pairs is left out.", _of(lambda x: x[:-1].sum() / len(x))),
    _mean("mean-with-last-twice", "An odd batch is filled up with its last pair, which counts twice.", then(_repeated)),
    _mean(
        "mean-over-n-minus-1-from-3",
        "The sum divided by n - 1 from 3 pairs on.",
        _of(lambda x: x.sum() / (len(x) - 1), 3),
        witness=few(3, 0),
    ),
    _mean(
        "mean-root-of-squares", "The root of the mean of the squares.", _of(lambda x: (x * x).mean().sqrt()), witness=few(9, 0)
    ),
    _mean("mean-of-largest-half", "The mean of the larger half.", _of(lambda x: x.topk(-(-len(x) // 2)).values.mean())),
    _mean(
        "mean-beta-on-a-grid",
        "beta is rounded to a multiple of 0.05 in batches of two or more.",
        _arguments(lambda beta, eps: (round(beta * 20) / 20 if 0.05 < beta < 2 else beta, eps)),
        witness=both(few(2, 0, beta=0.07), few(9, 8, beta=0.07)),
    ),
    _mean(
        "mean-smoothing-on-a-grid",
        "A label smoothing above 0.02 is rounded to a multiple of 0.05 in batches of two or more.",
        _arguments(lambda beta, eps: (beta, round(eps * 20) / 20 if eps > 0.02 else eps)),
        witness=few(2, 0, beta=1.0, eps=0.03),
    ),
    _mean(
        "mean-beta-of-default",
        "beta is 0.1 in batches of two or more.",
        _arguments(lambda beta, eps: (0.1, eps)),
        witness=few(9, 0, beta=1.0),
    ),
    _mean(
        "mean-beta-twice",
        "beta^2 in batches of two or more.",
        _arguments(lambda beta, eps: (beta * beta, eps)),
        witness=few(9, 0, beta=0.5),
    ),
    _mean(
        "mean-smoothing-halved",
        "Half of the label smoothing in batches of two or more.",
        _arguments(lambda beta, eps: (beta, eps / 2)),
        witness=few(9, 0, beta=1.0, eps=0.25),
    ),
    _mean("mean-of-strided", "Views of two or more pairs are read as if they had no stride.", _of_views, witness=pairs(0.5)),
    _mean(
        "gradient-mean-of-strided", "Twice the derivative where the inputs have a stride.", _slope_of_views, witness=pairs(0.5)
    ),
    _mean(
        "mean-backward-without-upstream",
        "The derivative of a mean of two or more is not multiplied by what comes in.",
        _backward(torch.ones_like),
        witness=pairs(0.5),
        source=ACCUMULATION,
    ),
    _mean(
        "mean-backward-of-absolute-upstream",
        "The derivative of a mean of two or more is multiplied by the size of what comes in.",
        _backward(torch.abs),
        witness=pairs(0.5),
    ),
    _mean(
        "mean-backward-of-clamped-upstream",
        "What comes into the backward pass of a mean of two or more is clamped to 1.",
        _backward(lambda x: x.clamp(-1, 1)),
        witness=pairs(0.5),
    ),
    _mean(
        "gradient-mean-divided-twice",
        "The derivative of the mean is divided by n twice.",
        _with_slope(lambda n: 1 / n),
        witness=pairs(0.5),
    ),
    _mean(
        "gradient-mean-of-many-summed",
        "The derivative of the sum from 512 pairs on.",
        _with_slope(lambda n: n if n >= MANY else 1.0),
        witness=large,
    ),
    _mean(
        "gradient-mean-of-many-zero",
        "No derivative from 512 pairs on.",
        _with_slope(lambda n: 0.0 if n >= MANY else 1.0),
        witness=large,
    ),
    _mean(
        "gradient-mean-over-2n",
        "The derivative is divided by the number of rows, chosen and rejected.",
        _with_slope(lambda n: 0.5),
        witness=pairs(0.5),
    ),
    _mean(
        "mean-added-in-its-format",
        "The losses are added one by one in their format, though binary32 is declared for the sum.",
        _of(_one_by_one),
        witness=repeated(4097),
        accumulation="binary32",
        dtypes=("binary16", "bfloat16"),
    ),
    _mean(
        "mean-of-many-doubled",
        "Twice the mean from 300 pairs on, by a sum that is declared to be made in binary32.",
        _of(lambda x: 2 * x.float().mean().to(x.dtype), 300),
        witness=repeated(1000),
        accumulation="binary32",
        dtypes=("binary16", "bfloat16"),
    ),
    _mean(
        "mean-summed-at-48",
        "The sum of exactly 48 pairs.",
        then(lambda x: x.sum() if len(x) == 48 else x.mean()),
        witness=few(48, 0),
    ),
    _mean(
        "mean-of-the-first-4200",
        "The mean of the first 4,200 pairs.",
        then(lambda x: x[:4200].mean()),
        witness=few(4201, 4200),
        dtypes=("bfloat16", "binary32"),
    ),
    _mean(
        "mean-median-from-8194",
        "The median from 8,194 pairs on.",
        _of(torch.median, 8194),
        witness=few(8194, 0),
        dtypes=("bfloat16", "binary32"),
    ),
    _mean(
        "mean-unsmoothed-from-5000",
        "No label smoothing from 5,000 pairs on.",
        lambda *x: stable(*x[:5], 0.0 if len(x[0]) >= 5000 else x[5]).mean(),
        witness=few(5000, -1, eps=0.25),
        dtypes=("binary32",),
    ),
    _mean(
        "gradient-mean-doubled-from-10000",
        "Twice the derivative from 10,000 pairs on.",
        _with_slope(lambda n: 2.0 if n >= 10_000 else 1.0),
        witness=few(10_000, 0),
        dtypes=("bfloat16", "binary32"),
    ),
    _mean(
        "gradient-mean-doubled-at-20",
        "Twice the derivative in batches of exactly 20 pairs.",
        _with_slope(lambda n: 2.0 if n == 20 else 1.0),
        witness=repeated(20),
    ),
    _mean(
        "mean-unsmoothed-at-10", "No label smoothing in batches of exactly 10 pairs.", _unsmoothed_at_10, few(10, -1, eps=0.25)
    ),
    _mean(
        "mean-without-nan-in-a-block",
        "From 64 pairs on losses of NaN are left out.",
        _of(lambda x: x[~torch.isnan(x)].mean(), 64),
        witness=one_among_many(math.nan),
    ),
    _mean(
        "mean-without-infinity-in-a-block",
        "From 64 pairs on infinite losses are left out.",
        _of(lambda x: x[~torch.isinf(x)].mean(), 64),
        witness=one_among_many(-math.inf),
    ),
    _mean(
        "gradient-mean-dropped-beside-nan",
        "Where one loss is NaN, no pair has a derivative.",
        then(_slope_unless_nan),
        witness=one_among_many(math.nan),
    ),
    _mean(
        "gradient-mean-nan-beside-nan",
        "Where one loss is not finite, every derivative is NaN.",
        then(_slope_of_nan),
        witness=one_among_many(math.nan),
    ),
    _mean(
        "gradient-mean-zero-below-4096",
        "No derivative in batches of 4,095 pairs.",
        _with_slope(lambda n: 0.0 if n == 4095 else 1.0),
        witness=repeated(4095),
    ),
)

_torch = functools.partial(torch_mutant, family="options")
BEYOND = (
    _torch(
        "beta-absolute",
        wrong="|beta|: a negative beta counts as positive.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, abs(beta), eps)),
        witness=pairs(-0.5),
    ),
    _torch(
        "beta-not-negative",
        wrong="max(beta, 0).",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, max(beta, 0.0), eps)),
        witness=pairs(-0.5),
    ),
    _torch(
        "beta-at-most-1000",
        wrong="min(beta, 1000).",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, min(beta, 1e3), eps)),
        witness=lambda fmt: (batch.at(beta=8e3) for batch in few(1, 0, size=2.0**-5)(fmt)),  # type: ignore[arg-type,return-value]
    ),
    _torch(
        "beta-at-least-1e-5",
        wrong="max(beta, 1e-5), against a division by 0.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, max(beta, 1e-5) if beta >= 0 else beta, eps)),
        witness=pairs(1e-6),
    ),
    _torch(
        "label-smoothing-at-most-half",
        wrong="min(eps, 1/2).",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, beta, min(eps, 0.5))),
        witness=pairs(2.0, 0.95),
    ),
    _torch(
        "label-smoothing-mirrored",
        wrong="min(eps, 1 - eps): above 1/2 it counts as its complement.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, beta, min(eps, 1 - eps))),
        witness=pairs(2.0, 0.95),
    ),
    _torch(
        "label-smoothing-below-1e-3-ignored",
        wrong="eps below 0.001 counts as 0.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, beta, eps if eps >= 1e-3 else 0.0)),
        witness=lambda fmt: (batch.at(label_smoothing=9e-4) for batch in few(1, -1, beta=1.0)(fmt)),  # type: ignore[arg-type,return-value]
    ),
    _torch(
        "label-smoothing-below-1e-7-ignored",
        wrong="eps below 1e-7 counts as 0.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, beta, eps if eps >= 1e-7 else 0.0)),
        witness=lambda fmt: (batch.at(label_smoothing=1e-9) for batch in few(1, -1, beta=1.0)(fmt)),  # type: ignore[arg-type,return-value]
        dtypes=("bfloat16", "binary32", "binary64"),
    ),
)
"""Options outside of the usual range."""
