"""The exact value and derivatives of any loss, at any precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oracle.arguments import Extended, broadcast
from oracle.errors import BadArgument, OutOfRange
from oracle.expressions import numbers
from oracle.expressions.derivative import derivative
from oracle.expressions.exact import Value, values
from oracle.expressions.nodes import Node
from oracle.expressions.nodes import mean as mean_node
from oracle.losses._model import INPUTS, LENGTHS, Loss
from oracle.losses._registry import get_loss

Values = ArrayLike | Fraction | str
Results = Value | NDArray[Any]
"""One exact number, or an object array of them."""


class UnknownInput(BadArgument):
    """An argument that the loss does not take, or one that it needs and that is missing."""


@dataclass(frozen=True, slots=True)
class Derivatives:
    """d (sum of the loss over the batch) / d each log-probability, in nats per nat; `by` has them by the argument's name."""

    by: dict[str, Results]

    def __getitem__(self, name: str) -> Results:
        return self.by[name]


def value(loss: str | Loss, **arguments: Values) -> Results:
    """The loss at each pair, exact, in nats. A loss with batch state takes one batch and gives a value a pair, or a rank.

    Arguments: the inputs that the loss takes (`get_loss(loss).inputs`), as scalars or arrays that broadcast, and its
    parameters, whose defaults are the loss's own. Results are `Real`, or `Computable` where no theorem makes every
    question end. Raises UnknownLoss, UnknownInput, NotANumber, NotFinite, OutOfRange, ShapeMismatch.
    """
    known = get_loss(loss)
    return evaluated([known.definition], known, arguments)[0]


def mean(loss: str | Loss, **arguments: Values) -> Value:
    """The exact mean of the loss over the batch, as `value`."""
    known = get_loss(loss)
    (results,) = evaluated([mean_node(known.definition)], known, arguments)
    return cast(Value, np.ravel(np.asarray(results, dtype=object))[0])


def gradient(loss: str | Loss, **arguments: Values) -> Derivatives:
    """The derivatives of the sum of the loss over the batch in each log-probability that it takes, as `value`.

    Without batch state each is that of its own pair's loss. Where the loss has a kink, the one-sided derivative is the
    one that the field returns: relu has the derivative 0 at 0. At an infinite input it is the limit, NaN where there is none.
    """
    known = get_loss(loss)
    names = known.logps
    return Derivatives(dict(zip(names, evaluated([slope(known, name) for name in names], known, arguments), strict=True)))


def mean_gradient(loss: str | Loss, **arguments: Values) -> Derivatives:
    """The derivatives of the mean of the loss over the batch."""
    summed = gradient(loss, **arguments)
    n = max((np.size(np.asarray(row, dtype=object)) for row in summed.by.values()), default=1)
    return Derivatives({name: _divided(row, n) for name, row in summed.by.items()})


def parameter_derivatives(loss: str | Loss, **arguments: Values) -> Derivatives:
    """The derivative of each pair's loss in each parameter, by the parameter's name, as `value`."""
    known = get_loss(loss)
    names = [parameter.name for parameter in known.parameters]
    slopes = [slope(known, name) for name in names]
    return Derivatives(dict(zip(names, evaluated(slopes, known, arguments), strict=True)))


@cache
def _slope(definition: Node, name: str) -> Node:
    return derivative(definition, name)


def slope(loss: Loss, name: str) -> Node:
    """The derivative in a log-probability or a parameter, as an expression."""
    return _slope(loss.definition, name)


def evaluated(expressions: Sequence[Node], loss: Loss, arguments: dict[str, Any]) -> list[Results]:
    """Expressions of a loss's inputs and parameters, exact, at each of the broadcast arguments."""
    names, arrays = read_arguments(loss, arguments)
    shape = arrays[0].shape
    environment: dict[str, list[Extended]] = {name: array.ravel().tolist() for name, array in zip(names, arrays, strict=True)}
    n = int(np.prod(shape))
    return [_shaped(row, shape) for row in values(expressions, environment, n)]


def read_arguments(loss: Loss, arguments: dict[str, Any]) -> tuple[list[str], list[NDArray[np.object_]]]:
    """The inputs and parameters read exactly and broadcast. Raises what `value` raises."""
    parameters = {parameter.name for parameter in loss.parameters}
    takes = f"{loss.name} takes {', '.join((*loss.inputs, *sorted(parameters)))}"
    for name, given_value in arguments.items():
        if name not in parameters and name not in INPUTS:
            raise UnknownInput(name, given_value, takes)
    missing = [name for name in loss.inputs if name not in arguments]
    if missing:
        raise UnknownInput(missing[0], None, takes)
    given = {name: arguments[name] for name in loss.inputs}
    given |= {parameter.name: arguments.get(parameter.name, parameter.default) for parameter in loss.parameters}
    arrays = broadcast(**given)
    for name, array in zip(given, arrays, strict=True):
        _check(loss, name, array)
    return list(given), arrays


def _check(loss: Loss, name: str, array: NDArray[np.object_]) -> None:
    items: list[Extended] = array.ravel().tolist()
    if name in LENGTHS:
        for item in items:
            if not isinstance(item, Fraction) or item.denominator != 1 or item < 1:
                raise OutOfRange(name, item if not isinstance(item, Fraction) else float(item), "a number of tokens, 1 or more")
    elif name not in loss.inputs:
        for item in dict.fromkeys(items):
            loss.parameter(name).read(item)


def _divided(row: Results, n: int) -> Results:
    items = np.asarray(row, dtype=object)
    shares = [_share(x, n) for x in np.ravel(items)]
    return _shaped(shares, items.shape)


def _share(x: Value, n: int) -> Value:
    result = numbers.multiply(numbers.simplest(x), Fraction(1, n)) if x.special is None else x
    return numbers.as_value(result)


def _shaped(row: Sequence[Value], shape: tuple[int, ...]) -> Results:
    if shape == ():
        return row[0]
    out = np.empty(len(row), dtype=object)
    out[:] = row
    return out.reshape(shape)
