"""Any expression of the oracle's language as NumPy code in a dtype: honest losses in each of their spellings, and mutants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oracle.expressions.nodes import Kernel, Node, Op, walk

Array = NDArray[Any]


def computed(node: Node, inputs: Mapping[str, Array], parameters: Mapping[str, float], *, spelling: int = 0) -> Array:
    """The expression in the dtype of the log-probabilities, operation by operation, each rounded there.

    spelling: which spelling to take where a node has several, counted round.
    """
    dtype = next(array.dtype for name, array in inputs.items() if name.endswith("logps"))
    n = len(next(iter(inputs.values())))
    known: dict[Node, Array] = {}
    with np.errstate(all="ignore"):
        for x in walk(node):
            args = [known[arg] for arg in x.args]
            if x.op is Op.INPUT:
                known[x] = inputs[x.name].astype(dtype)
            elif x.op is Op.PARAMETER:
                known[x] = np.full(n, parameters[x.name]).astype(dtype)
            elif x.op is Op.CONSTANT:
                known[x] = np.full(n, float(x.value)).astype(dtype)
            elif x.op is Op.SPELLED:
                known[x] = args[spelling % len(args)]
            else:
                known[x] = _one(x, args).astype(dtype)
    return known[node]


def _one(x: Node, args: list[Array]) -> Array:
    if x.op is Op.KERNEL:
        return KERNELS[x.kernel](args[0])
    if x.op is Op.DETACHED:
        return args[0]
    if x.op in {Op.MEAN, Op.TOTAL}:
        whole = np.sum(args[0], dtype=args[0].dtype)
        return np.full_like(args[0], whole / args[0].dtype.type(len(args[0])) if x.op is Op.MEAN else whole)
    if x.op in {Op.SORTED, Op.UNSORTED}:
        places = np.argsort(args[1].astype(np.float64), kind="stable")
        back = np.argsort(places)
        return args[0][places if x.op is Op.SORTED else back]
    operation: Callable[..., Array] = _OPERATIONS[x.op]
    return operation(*args)


_OPERATIONS: dict[Op, Callable[..., Array]] = {
    Op.ADD: np.add,
    Op.SUBTRACT: np.subtract,
    Op.MULTIPLY: np.multiply,
    Op.DIVIDE: np.divide,
    Op.NEGATE: np.negative,
}


def _softplus(x: Array) -> Array:
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def _sigmoid(x: Array) -> Array:
    y = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, x.dtype.type(1), y) / (x.dtype.type(1) + y))


def _log1mexp(x: Array) -> Array:
    return np.where(x > -0.6875, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


KERNELS: dict[Kernel, Callable[[Array], Array]] = {
    Kernel.SOFTPLUS: _softplus,
    Kernel.SIGMOID: _sigmoid,
    Kernel.BUMP: lambda x: _sigmoid(x) * _sigmoid(-x),
    Kernel.RELU: lambda x: np.maximum(x, 0),
    Kernel.STEP: lambda x: np.asarray(x > 0),
    Kernel.SQUARE: lambda x: x * x,
    Kernel.EXP: np.exp,
    Kernel.EXPM1: np.expm1,
    Kernel.LOG: np.log,
    Kernel.LOG1MEXP: _log1mexp,
    Kernel.ODDS: lambda x: x.dtype.type(1) / np.expm1(-x),
}
"""Each kernel as careful code writes it."""
