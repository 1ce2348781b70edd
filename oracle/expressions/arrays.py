"""Certified values of expressions over whole arrays: balls, and exact arithmetic for the few rows that balls leave open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from oracle.arguments import Extended
from oracle.ball import Enclosure, exact, joined, normalised, where
from oracle.computable import Computable
from oracle.doubledouble import Floats
from oracle.dyadic import Dyadic
from oracle.expressions import balls
from oracle.expressions.exact import Value, order, values
from oracle.expressions.nodes import Node, Op, walk
from oracle.expressions.numbers import simplest
from oracle.real import Real


class Arrays:
    """The values of expressions at n pairs, each worked out once. inputs: float64 arrays of shape (n,), or exact numbers.

    `ball(node)` is an Enclosure of shape (n,); its radius is relative to the terms of the value. NaN stays NaN, and an
    infinite input gives the limit, as `oracle.expressions.exact` has it.
    """

    def __init__(self, inputs: Mapping[str, Floats], parameters: Mapping[str, Fraction]) -> None:
        shapes = {np.shape(array) for array in inputs.values()} or {(1,)}
        (self.shape,) = shapes
        self.n = self.shape[0]
        self._inputs = {name: np.asarray(array, dtype=np.float64) for name, array in inputs.items()}
        self._parameters = dict(parameters)
        self._known: dict[Node, Enclosure] = {}
        self._logistic: dict[Node, balls.Logistic] = {}
        self._reciprocals: dict[Node, Enclosure] = {}
        self._places: dict[Node, NDArray[np.intp]] = {}
        self._odd = np.zeros(self.n, dtype=bool)
        for array in self._inputs.values():
            self._odd |= ~np.isfinite(array)

    def ball(self, node: Node) -> Enclosure:
        """The enclosures of a node."""
        if node not in self._known:
            for x in walk(node, first=True):
                if x not in self._known:
                    self._known[x] = self._repaired(x, self._evaluated(x))
        return self._known[node]

    def _evaluated(self, node: Node) -> Enclosure:
        if node.op is Op.INPUT:
            return exact(np.where(self._odd, -1.0, self._inputs[node.name]))
        if not node.varies:
            return self._constant(node)
        args = [self._known[arg] for arg in (node.args[:1] if node.op is Op.SPELLED else node.args)]
        if node.op is Op.KERNEL:
            return self._kernel(node, args[0])
        if node.op in {Op.SPELLED, Op.DETACHED}:
            return args[0]
        if node.op in {Op.MEAN, Op.TOTAL, Op.SORTED, Op.UNSORTED}:
            return self._of_batch(node, args)
        if node.op is Op.DIVIDE:
            return args[0] * self._reciprocal(node.args[1])
        return _arithmetic(node.op, args)

    def _reciprocal(self, divisor: Node) -> Enclosure:
        if divisor not in self._reciprocals:
            self._reciprocals[divisor] = balls.reciprocal(self._known[divisor])
        return self._reciprocals[divisor]

    def _kernel(self, node: Node, x: Enclosure) -> Enclosure:
        """Softplus, sigmoid and bump of x and of -x share what is worked out of |x|."""
        if node.kernel not in balls.LOGISTIC:
            return balls.apply(node.kernel, x)
        (arg,) = node.args
        negative = arg.op is Op.NEGATE
        base = arg.args[0] if negative else arg
        if base not in self._logistic:
            self._logistic[base] = balls.Logistic(self._known[base])
        return self._logistic[base].of(node.kernel, negative=negative)

    def _constant(self, node: Node) -> Enclosure:
        ((value,),) = values([node], {name: [number] for name, number in self._parameters.items()}, 1)
        return _repeated(as_ball([value]), self.n)

    def _of_batch(self, node: Node, args: list[Enclosure]) -> Enclosure:
        if self._odd.any():
            return balls.unknown(self.shape)
        if node.op in {Op.MEAN, Op.TOTAL}:
            whole = _sum(args[0])
            return _repeated(whole.divided_by(self.n) if node.op is Op.MEAN else whole, self.n)
        places = self.places(node.args[1])
        if node.op is Op.SORTED:
            return args[0].take(places)
        back = np.empty_like(places)
        back[places] = np.arange(self.n)
        return args[0].take(back)

    def places(self, key: Node) -> NDArray[np.intp]:
        """The places of the pairs in the order that sorts the key: exact where balls do not tell two of them apart."""
        if key not in self._places:
            ball = self.ball(key)
            rough = np.ldexp(ball.head, np.clip(ball.exponent, -1000, 1000).astype(np.int32))
            places = np.argsort(rough, kind="stable")
            ordered = ball.take(places)
            gaps = ordered[1:] - ordered[:-1]
            if ((gaps.head <= gaps.radius * (1 + 2.0**-50)) & ~((gaps.head == 0) & (gaps.radius == 0))).any():
                places = np.array(order([simplest(x) for x in self.exact(key, np.arange(self.n))]))
            self._places[key] = np.asarray(places)
        return self._places[key]

    def _repaired(self, node: Node, ball: Enclosure) -> Enclosure:
        """Rows that a ball leaves open, and rows with an infinity or NaN in them, from exact arithmetic."""
        if node.op in {Op.INPUT, Op.PARAMETER, Op.CONSTANT} or not node.varies:
            if node.op is Op.INPUT and self._odd.any():
                return where(self._odd, self._inputs[node.name], ball)
            return ball
        open_rows = self._odd | np.isnan(ball.head)
        if not open_rows.any():
            return ball
        rows = np.arange(self.n) if node.of_batch else np.flatnonzero(open_rows)
        found = as_ball(self.exact(node, rows))
        if rows.size == self.n:
            return found
        index = np.zeros(self.n, dtype=np.intp)
        index[rows] = np.arange(rows.size)
        mask = np.zeros(self.n, dtype=bool)
        mask[rows] = True
        return where(mask, found.take(index), ball)

    def exact(self, node: Node, rows: NDArray[np.intp]) -> list[Value]:
        """The exact values of a node at those pairs."""
        environment: dict[str, list[Extended]] = {
            name: [Fraction(x) if np.isfinite(x) else float(x) for x in array[rows].tolist()]
            for name, array in self._inputs.items()
        }
        environment |= {name: [number] * rows.size for name, number in self._parameters.items()}
        return values([node], environment, rows.size)[0]


def _arithmetic(op: Op, args: list[Enclosure]) -> Enclosure:
    if op is Op.ADD:
        return args[0] + args[1]
    if op is Op.SUBTRACT:
        return args[0] - args[1]
    if op is Op.NEGATE:
        return -args[0]
    return args[0] * args[1]


def as_ball(numbers: Sequence[Value]) -> Enclosure:
    """Exact numbers as balls of relative radius 2**-100; NaN where `Undecided` would be raised."""
    fields = [_one_ball(x) for x in numbers]
    head, tail, exponent, radius, special = (np.array(column) for column in zip(*fields, strict=True))
    return normalised(head, tail, exponent.astype(np.int64), radius, special)


def _one_ball(x: Real | Computable) -> tuple[float, float, int, float, float]:
    if x.special is not None:
        return 0.0, 0.0, 0, 0.0, x.special
    if x.exact == 0:
        return 0.0, 0.0, 0, 0.0, 0.0
    interval = x.enclose(104)
    low, high = interval.low, interval.high
    unit = low.top - 120
    bottom, top = _floor(low, unit), -_floor(-high, unit)
    head = float(bottom)
    tail = float(bottom - int(head))
    left = abs(bottom - int(head) - int(tail)) + (top - bottom)
    return head, tail, unit, float(left) * (1 + 2.0**-50), 0.0


def _floor(x: Dyadic, unit: int) -> int:
    shift = x.exponent - unit
    return x.mantissa << shift if shift >= 0 else x.mantissa >> -shift


def _sum(ball: Enclosure) -> Enclosure:
    """The sum of all, in halves."""
    while ball.size > 1:
        half = ball.size // 2
        rest = ball[2 * half :]
        folded = ball[:half] + ball[half : 2 * half]
        ball = joined(folded, rest) if rest.size else folded
    return ball


def _repeated(ball: Enclosure, n: int) -> Enclosure:
    return ball.reshape(1).take(np.zeros(n, dtype=np.intp))
