"""Quill, a miniature array framework that nobody has heard of: arrays, dtypes and derivatives of its own.

It knows nothing of NumPy, and NumPy nothing of it. `docs/judge-your-own.md` judges a loss that is written in it.
"""

from __future__ import annotations

import math
from array import array as _memory
from collections.abc import Callable

SINGLE, DOUBLE = "f", "d"


class Sheet:
    """Numbers in one dtype, and how each depends on the sheets that it was computed from."""

    def __init__(self, numbers, dtype, parents=()):
        self.memory = _memory(dtype, numbers)
        self.dtype = dtype
        self.parents = parents

    def __add__(self, other):
        return _apply(lambda x, y: x + y, (self, other), (lambda x, y: 1.0, lambda x, y: 1.0))

    def __sub__(self, other):
        return _apply(lambda x, y: x - y, (self, other), (lambda x, y: 1.0, lambda x, y: -1.0))

    def __rmul__(self, number):
        (factor,) = _memory(self.dtype, [number])
        return _apply(lambda x: factor * x, (self,), (lambda x: factor,))

    def __neg__(self):
        return -1.0 * self


def sheet(buffer) -> Sheet:
    """A sheet with the numbers of any object that has the buffer protocol, in its own dtype: single or double."""
    view = memoryview(buffer)
    if view.format not in {SINGLE, DOUBLE}:
        raise TypeError(f"quill has no dtype {view.format!r}")
    return Sheet(view.tolist(), view.format)


def log_sigmoid(x: Sheet) -> Sheet:
    """-log(1 + exp(-x)), without overflow."""
    return _apply(
        lambda v: min(v, 0.0) - math.log1p(math.exp(-abs(v))) if not math.isnan(v) else v, (x,), (lambda v: _sigmoid(-v),)
    )


def slopes(result: Sheet, *inputs: Sheet) -> list[Sheet]:
    """The derivatives of the sum of the result in each of the inputs, by walking back to them."""
    total = {id(each): [0.0] * len(each.memory) for each in inputs}

    def walk(node, weights):
        if id(node) in total:
            total[id(node)] = [a + b for a, b in zip(total[id(node)], weights, strict=True)]
        for parent, partial in node.parents:
            walk(parent, Sheet((w * p for w, p in zip(weights, partial, strict=True)), node.dtype).memory)

    walk(result, [1.0] * len(result.memory))
    return [Sheet(total[id(each)], each.dtype) for each in inputs]


def _sigmoid(x: float) -> float:
    y = math.exp(-abs(x))
    return (1.0 if x >= 0 else y) / (1.0 + y) if not math.isnan(x) else x


def _apply(function: Callable[..., float], sheets: tuple[Sheet, ...], partials: tuple[Callable[..., float], ...]) -> Sheet:
    rows = list(zip(*(each.memory for each in sheets), strict=True))
    parents = [(each, [partial(*row) for row in rows]) for each, partial in zip(sheets, partials, strict=True)]
    return Sheet((function(*row) for row in rows), sheets[0].dtype, parents)
