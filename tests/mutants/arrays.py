"""Correct pieces in NumPy, of which a mutant or an honest implementation replaces one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Loss = Callable[[Array, Array, Array, Array, float, float], Array]
Partials = Callable[[Array, Array, Array, Array, float, float], tuple[Array, Array, Array, Array]]
Margin = Callable[[Array, Array, Array, Array], Array]


def number(like: Array, value: float) -> Any:
    """A Python number rounded into an array's dtype."""
    return like.dtype.type(value)


def margin(pc: Array, pr: Array, rc: Array, rr: Array) -> Array:
    """Chosen log-ratio - rejected log-ratio."""
    result: Array = (pc - rc) - (pr - rr)
    return result


def each(change: Callable[[Array], Array], *logps: Array) -> tuple[Array, Array, Array, Array]:
    """The four log-probabilities, each changed."""
    pc, pr, rc, rr = (change(x) for x in logps)
    return pc, pr, rc, rr


def softplus(x: Array) -> Array:
    """log(1 + e**x), stable, every operation in x's dtype."""
    result: Array = np.maximum(x, number(x, 0)) + np.log1p(np.exp(-np.abs(x)))
    return result


def sigmoid(x: Array) -> Array:
    """1 / (1 + e**-x), stable, every operation in x's dtype."""
    one = number(x, 1)
    y = np.exp(-np.abs(x))
    result: Array = np.where(x >= 0, one, y) / (one + y)
    return result


def mixed(chosen: Array, rejected: Array, eps: float) -> Array:
    """(1 - eps) * chosen + eps * rejected, where eps may be 0 and rejected infinite."""
    if eps == 0:
        return chosen
    result: Array = number(chosen, 1 - eps) * chosen + number(chosen, eps) * rejected
    return result


def of_softplus(function: Callable[[Array], Array], difference: Margin = margin) -> Loss:
    """A loss from something in the place of softplus, and of the margin."""

    def loss(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
        m = difference(pc, pr, rc, rr)
        z = number(m, beta) * m
        return mixed(function(-z), function(z) if eps else z, eps)

    return loss


def of_sigmoid(function: Callable[[Array], Array], difference: Margin = margin) -> Partials:
    """The derivatives from something in the place of sigmoid, and of the margin."""

    def partials(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> tuple[Array, Array, Array, Array]:
        m = difference(pc, pr, rc, rr)
        z = number(m, beta) * m
        scaled = number(m, beta) * (function(-z) - number(m, eps))
        return -scaled, scaled, scaled, -scaled

    return partials


stable = of_softplus(softplus)
gradient = of_sigmoid(sigmoid)
