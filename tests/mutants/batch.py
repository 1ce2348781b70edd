"""State between calls, places in a batch, and reductions."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from . import arrays
from .arrays import Array
from .kinds import Mutant, numpy_mutant, stateful_mutant, torch_mutant
from .tensors import Loss, of_logps, of_margin, smoothed, stable, then
from .witnesses import batch_of, both, logits, one, pairs, twice

_torch = functools.partial(torch_mutant, family="batch")
ACCUMULATION = "https://github.com/huggingface/trl/issues/2617"


def _mean_of(name: str, wrong: str, reduce: Callable[[Tensor], Tensor], source: str = "", **claims: object) -> Mutant:
    """A reduction of the right losses that is not their mean."""
    witness = claims.pop("witness", batch_of(5))
    return torch_mutant(name, "batch", wrong, then(reduce), witness, source=source, reduction="mean", **claims)  # type: ignore[arg-type]


def _momentum() -> Loss:
    """Mixes each batch's losses with the last mean."""
    last: list[float] = []

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        losses = stable(pc, pr, rc, rr, beta, eps)
        earlier = last[-1] if last else None
        last.append(float(losses.detach().double().mean()))
        return losses if earlier is None else 0.75 * losses + 0.25 * earlier

    return loss


def _memo() -> Loss:
    """Keeps results by batch size."""
    kept: dict[int, Tensor] = {}

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        losses = stable(pc, pr, rc, rr, beta, eps)
        first = kept.setdefault(len(pc), losses.detach().double())
        return losses + (first.to(losses.dtype) - losses.detach())

    return loss


def _warming() -> Loss:
    """The first call is scaled down, as a warm-up."""
    calls: list[None] = []

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        calls.append(None)
        return stable(pc, pr, rc, rr, beta * min(1.0, len(calls) / 3), eps)

    return loss


def _at(change: Callable[[Tensor], Tensor], place: slice, needs: int = 1) -> Loss:
    """The losses with some places changed, in batches of at least `needs`."""

    def edit(losses: Tensor) -> Tensor:
        if len(losses) < needs:
            return losses
        changed = losses.clone()
        changed[place] = change(losses[place])
        return changed

    return then(edit)


def _broadcast(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """(n, 1) against (n,): every chosen meets every rejected."""
    return smoothed(beta * ((pc - rc)[:, None] - (pr - rr)), eps).mean(dim=1)


def _tail_of_vectors(width: int) -> Loss:
    """What is left over after full vectors of that width is never written."""

    def edit(losses: Tensor) -> Tensor:
        full = len(losses) // width * width
        return torch.cat([losses[:full], 0 * losses[full:]])

    return then(edit)


def _numpy_losses(change: Callable[[Array], Array]) -> arrays.Loss:
    def loss(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
        return change(arrays.stable(pc, pr, rc, rr, beta, eps))

    return loss


MUTANTS = (
    stateful_mutant(
        "state-momentum", "batch", "Each batch is mixed with the last one's mean.", _momentum, twice(logits(-4.0, 4.0))
    ),
    stateful_mutant(
        "state-memo", "batch", "Results are kept by batch size alone.", _memo, both(logits(-2.0, 2.0), logits(2.0, -2.0))
    ),
    stateful_mutant("state-warm-up", "batch", "The first calls have a smaller beta.", _warming, pairs(2.0)),
    _torch(
        "first-pair-wrong",
        wrong="The first pair of a batch of two or more is counted twice.",
        function=_at(lambda x: 2 * x, slice(0, 1), 2),
        witness=batch_of(5),
    ),
    _torch(
        "last-pair-dropped",
        wrong="The last pair of a batch of two or more has loss 0.",
        function=_at(lambda x: 0 * x, slice(-1, None), 2),
        witness=batch_of(5),
    ),
    _torch(
        "single-pair-wrong",
        wrong="A batch of one pair gets half of its loss.",
        function=then(lambda loss: loss / 2 if len(loss) == 1 else loss),
        witness=one(-2.0, -5.0, -3.0, -4.0),
    ),
    _torch(
        "large-batch-wrong",
        wrong="Pairs from the 513th on have loss 0.",
        function=_at(lambda x: 0 * x, slice(512, None), 513),
        witness=batch_of(520),
    ),
    _torch(
        "vector-tail-of-8",
        wrong="Pairs left over after full vectors of 8 are never computed.",
        function=_tail_of_vectors(8),
        witness=batch_of(13),
    ),
    _torch(
        "vector-tail-of-4",
        wrong="Pairs left over after full vectors of 4 are never computed.",
        function=_tail_of_vectors(4),
        witness=batch_of(7),
    ),
    numpy_mutant(
        "vector-body-approximate",
        "batch",
        "Full vectors of 16 use a coarser function than what is left over.",
        _numpy_losses(
            lambda loss: np.concatenate(
                [loss[: len(loss) // 16 * 16] * arrays.number(loss, 1.25), loss[len(loss) // 16 * 16 :]]
            )
        ),
        logits(*[0.5] * 33),
    ),
    _torch(
        "margins-centred",
        wrong="The batch's mean margin is subtracted from every margin.",
        function=of_margin(lambda m, beta, eps: smoothed(beta * (m - m.mean()), eps)),
        witness=pairs(2.0),
    ),
    _torch(
        "margins-whitened",
        wrong="Margins are divided by the batch's root mean square.",
        function=of_margin(lambda m, beta, eps: smoothed(beta * m / (m * m).mean().sqrt(), eps)),
        witness=pairs(2.0),
    ),
    _torch(
        "rewards-centred",
        wrong="A running mean is subtracted from the chosen reward, as another loss does.",
        function=of_logps(lambda pc, pr, rc, rr: (pc - (pc - rc).mean().detach(), pr, rc, rr)),
        witness=logits(-4.0, -1.0, 3.0),
    ),
    _torch(
        "losses-sorted",
        wrong="The losses come back in ascending order.",
        function=then(lambda loss: loss.sort().values),
        witness=logits(3.0, -3.0, 1.0),
    ),
    _torch(
        "losses-reversed",
        wrong="The losses come back in reverse.",
        function=then(lambda loss: loss.flip(0)),
        witness=batch_of(5, beta=0.5),
    ),
    _torch(
        "losses-averaged",
        wrong="Every pair gets the batch's mean loss.",
        function=then(lambda loss: loss.mean() + 0 * loss),
        witness=batch_of(5, beta=0.5),
    ),
    _torch(
        "losses-divided-by-batch",
        wrong="Every loss is divided by the batch size: a mean that is not summed.",
        function=then(lambda loss: loss / len(loss)),
        witness=batch_of(5),
        source=ACCUMULATION,
    ),
    _torch(
        "broadcast-pairs",
        wrong="(n, 1) against (n,): every chosen response meets every rejected one.",
        function=_broadcast,
        witness=logits(4.0, -4.0),
        source="https://github.com/allenai/open-instruct/pull/1144",
    ),
    _torch(
        "column-returned",
        wrong="Losses of shape (n, 1) where (n,) was promised.",
        function=then(lambda loss: loss[:, None]),
        witness=batch_of(3),
    ),
    numpy_mutant(
        "mean-returned",
        "batch",
        "One mean where per-pair losses were promised.",
        _numpy_losses(lambda loss: np.asarray(loss.mean())),
        batch_of(3),
    ),
    numpy_mutant(
        "pairs-of-even-places",
        "batch",
        "Strided inputs are read as if they were contiguous: pair 2 i is pair i.",
        lambda pc, pr, rc, rr, beta, eps: arrays.stable(
            *arrays.each(lambda x: np.resize(x[::2], x.shape) if len(x) > 8 else x, pc, pr, rc, rr), beta, eps
        ),
        batch_of(12, beta=0.5),
    ),
    _mean_of(
        "sum-for-mean",
        "The sum where the mean was promised.",
        torch.sum,
        "https://github.com/meta-pytorch/torchtune/issues/1291",
    ),
    _mean_of(
        "mean-over-n-minus-1",
        "The sum divided by n - 1.",
        lambda loss: loss.sum() / max(len(loss) - 1, 1),
        witness=logits(-2.0, -3.0),
    ),
    _mean_of(
        "mean-over-2n",
        "The sum divided by the number of rows, chosen and rejected.",
        lambda loss: loss.sum() / (2 * len(loss)),
        witness=logits(-2.0, -3.0),
    ),
    _mean_of(
        "mean-over-nonzero",
        "The mean over the losses that are not 0.",
        lambda loss: loss.sum() / (loss != 0).sum().clamp(min=1),
        witness=logits(-2.0, 3000.0, 1.0),
    ),
    _mean_of("mean-without-nan", "NaN losses are left out of the mean.", torch.nanmean, witness=logits(float("nan"), 1.0, 2.0)),
    _mean_of(
        "median-for-mean", "The median where the mean was promised.", lambda loss: loss.median(), witness=logits(-8.0, 0.0, 0.0)
    ),
    _mean_of(
        "maximum-for-mean",
        "The largest loss where the mean was promised.",
        lambda loss: loss.max(),
        witness=logits(-8.0, 3.0, 3.0),
    ),
    _mean_of(
        "mean-of-chunk-means",
        "The mean of the means of chunks of 4, the last of them shorter.",
        lambda loss: torch.stack([part.mean() for part in loss.split(4)]).mean(),
        witness=logits(8.0, 8.0, 8.0, 8.0, -8.0),
        source="https://github.com/unslothai/unsloth/pull/1178",
    ),
    _mean_of(
        "mean-in-bfloat16",
        "The losses are summed one by one in bfloat16.",
        lambda loss: _summed_in(loss, torch.bfloat16) / len(loss),
        witness=batch_of(400),
        dtypes=("binary32", "binary64"),
    ),
)


def _summed_in(losses: Tensor, dtype: torch.dtype) -> Tensor:
    total = losses[0].to(dtype)
    for loss in losses[1:]:
        total = total + loss.to(dtype)
    return total.to(losses.dtype)
