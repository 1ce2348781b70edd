"""What is returned for the mean of a batch whose pairs, alone, are right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from conformance.diagnosis.hypotheses.cures import CHUNKS, FACTOR
from conformance.diagnosis.hypotheses.margins import margin_of, net
from conformance.diagnosis.variants import Variant
from oracle.formats import Floats


def _reduced(
    key: str, says: str, after: Callable[[Floats], Floats], share: Callable[[int], float] | None = None, cure: str = FACTOR
) -> Variant:
    return Variant(key, says, cure, after=lambda v: np.atleast_1d(after(v)), share=share)


def _chunks(size: int) -> Callable[[Floats], Floats]:
    return lambda v: np.mean([v[i : i + size].mean() for i in range(0, len(v), size)])


def _mean(some: Floats, v: Floats) -> Floats:
    """Of some of them; of all where those are none."""
    return np.asarray((some if len(some) else v).mean())


def _share(some: Floats, v: Floats) -> Floats:
    """Their sum by the number of all; the mean where there are none."""
    return np.asarray((some if len(some) else v).sum() / len(v))


def _in_two(v: Floats) -> Floats:
    """The first pair, and the rest."""
    return np.asarray(v.mean() if len(v) == 1 else (v[0] + v[1:].mean()) / 2)


REDUCTIONS = (
    _reduced("the sum", "the sum over the pairs, not the mean", np.sum, lambda n: 1.0),
    _reduced("over n - 1", "the sum divided by n - 1", lambda v: v.sum() / max(len(v) - 1, 1), lambda n: 1 / max(n - 1, 1)),
    _reduced("over n + 1", "the sum divided by n + 1", lambda v: v.sum() / (len(v) + 1), lambda n: 1 / (n + 1)),
    _reduced(
        "over 2 n",
        "the sum divided by 2 n, the number of rows, chosen and rejected",
        lambda v: v.sum() / (2 * len(v)),
        lambda n: 0.5 / n,
    ),
    _reduced("over n twice", "the mean divided by n once more", lambda v: v.mean() / len(v), lambda n: 1 / n**2),
    *(
        _reduced(
            f"mean of means of {size}",
            f"the mean of the means of micro-batches of {size}, the last of them shorter",
            _chunks(size),
            cure=CHUNKS,
        )
        for size in (2, 3, 4, 5, 6, 7, 8, 16, 32, 64)
    ),
    _reduced(
        "mean of means, first alone",
        "the mean of the means of micro-batches of unlike size: the first pair, and the rest",
        _in_two,
        cure=CHUNKS,
    ),
    _reduced(
        "mean of the means of two halves",
        "the mean of the means of two halves",
        lambda v: v.mean() if len(v) < 3 else (v[: len(v) // 2].mean() + v[len(v) // 2 :].mean()) / 2,
        cure=CHUNKS,
    ),
    _reduced(
        "filled up with the last",
        "the mean of the batch filled up with its last pair, which counts twice",
        lambda v: np.append(v, v[-1:] if len(v) % 2 else []).mean(),
        cure=CHUNKS,
    ),
    _reduced("root mean square", "the root of the mean of the squares", lambda v: np.sqrt(np.mean(v * v))),
    _reduced("the larger half", "the mean of the larger half", lambda v: np.sort(v)[::-1][: -(-len(v) // 2)].mean()),
    Variant(
        "loss of the mean logit",
        "-logsigmoid(mean z), not the mean of -logsigmoid(z)",
        "Take the log-sigmoid of each pair's logit, and the mean of the losses.",
        before=lambda x: net(np.atleast_1d(margin_of(x).mean())),
    ),
    _reduced("without the last", "the mean of all pairs but the last", lambda v: _mean(v[:-1], v)),
    _reduced("without the first", "the mean of all pairs but the first", lambda v: _mean(v[1:], v)),
    _reduced("last left out", "the sum of all pairs but the last, divided by n", lambda v: _share(v[:-1], v)),
    _reduced("first left out", "the sum of all pairs but the first, divided by n", lambda v: _share(v[1:], v)),
    _reduced("the median", "the median", np.median),
    _reduced("the lower median", "the median, the lower of the two in the middle", lambda v: np.sort(v)[(len(v) - 1) // 2]),
    _reduced("the maximum", "the largest loss", np.max),
    _reduced("the first", "the first pair's loss", lambda v: v[0]),
    _reduced("the last", "the last pair's loss", lambda v: v[-1]),
    _reduced("the minimum", "the smallest loss", np.min),
)
