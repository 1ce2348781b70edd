"""Right losses that look different: every admitted spelling, float64 inside, one pair at a time or a batch in another order."""

from __future__ import annotations

import numpy as np

from conformance.implementations import numpy_implementation
from conformance.implementations.preference import PreferenceLoss
from conformance.implementations.written import computed
from oracle.expressions.nodes import Op, walk
from oracle.losses import LENGTHS, Loss
from oracle.losses._evaluate import slope


def honest(loss: Loss) -> list[PreferenceLoss]:
    """Every one of a loss."""
    spellings = max([1, *(len(x.args) for x in walk(loss.definition) if x.op is Op.SPELLED)])
    return [*(_spelled(loss, number) for number in range(spellings)), _wide(loss), _apart(loss)]


def _spelled(loss: Loss, number: int) -> PreferenceLoss:
    return _made(loss, f"{loss.name} spelling {number}", lambda node, given: _computed(loss, node, given, number))


def _wide(loss: Loss) -> PreferenceLoss:
    def wide(node, given):
        return _computed(loss, node, {key: _as_float64(key, x) for key, x in given.items()}, 0)

    return _made(loss, f"{loss.name} in float64", wide)


def _apart(loss: Loss) -> PreferenceLoss:
    """One pair at a time; of a loss with the state of a batch, the batch in the opposite order."""

    def apart(node, given):
        n = max((np.size(x) for x in given.values()), default=1)
        if loss.has_batch_state or not n:
            return np.asarray(_computed(loss, node, {key: _taken(x, slice(None, None, -1)) for key, x in given.items()}, 0))[
                ::-1
            ]
        parts = [_computed(loss, node, {key: _taken(x, [i]) for key, x in given.items()}, 0) for i in range(n)]
        return np.concatenate([np.atleast_1d(part) for part in parts])

    return _made(loss, f"{loss.name} apart", apart)


def _made(loss: Loss, name: str, of) -> PreferenceLoss:
    def function(**given):
        return of(loss.definition, given)

    def gradient(**given):
        return {key: of(slope(loss, key), given) for key in loss.logps}

    return numpy_implementation(function, loss=loss.name, gradient=gradient, name=name)


def _computed(loss: Loss, node, given, spelling):
    rows = {key: x for key, x in given.items() if key not in loss.defaults}
    parameters = {**loss.defaults, **{key: x for key, x in given.items() if key in loss.defaults}}
    return computed(node, rows, parameters, spelling=spelling)


def _taken(x, places):
    return x[places] if isinstance(x, np.ndarray) else x


def _as_float64(key, x):
    return x.astype(np.float64) if isinstance(x, np.ndarray) and key not in LENGTHS else x
