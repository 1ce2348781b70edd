"""Exact values of expressions over a batch: a number for every pair, at any precision; limits where an input is infinite."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cmp_to_key, partial
from typing import TypeAlias

from oracle.arguments import Extended
from oracle.computable import Computable, Number
from oracle.expressions import limits, numbers
from oracle.expressions.limits import Growth, NoLimit
from oracle.expressions.nodes import Kernel, Node, Op, walk
from oracle.expressions.numbers import OutsideDomain, Pole
from oracle.real import Real

Value: TypeAlias = Real | Computable
"""What an expression is at one pair."""


@dataclass(frozen=True, slots=True)
class _Nothing:
    """NaN: of an input, or of a limit that does not exist."""


NOTHING = _Nothing()
AT_0 = {Kernel.LOG1MEXP, Kernel.ODDS}
"""The kernels of what rises to 0, where both are infinite and one is the exponential of the other."""
_Row: TypeAlias = Number | Growth | _Nothing


def values(expressions: Sequence[Node], environment: Mapping[str, Sequence[Extended]], n: int) -> list[list[Value]]:
    """Each expression at each of n pairs; environment has n exact numbers for each input and parameter.

    NaN gives NaN. An infinite input gives the limit as it grows, NaN where there is none. A parameter's value is the
    same for all pairs or differs from pair to pair.
    """
    known: dict[Node, list[_Row]] = {}
    approaches: dict[tuple[Node, int], limits.Variable] = defaultdict(limits.approach)
    rows = {name: [_grown(x) for x in row] for name, row in environment.items()}
    for expression in expressions:
        for node in walk(expression, first=True):
            if node not in known:
                known[node] = _evaluated(node, [known[arg] for arg in _arguments(node)], rows, n, approaches)
    return [[_settled(x) for x in known[expression]] for expression in expressions]


def _arguments(node: Node) -> tuple[Node, ...]:
    """The arguments that its value is worked out of: of spellings the first."""
    return node.args[:1] if node.op is Op.SPELLED else node.args


def _grown(x: Extended) -> _Row:
    if isinstance(x, Fraction):
        return x
    return NOTHING if math.isnan(x) else limits.grows(1 if x > 0 else -1)


def _settled(x: _Row) -> Value:
    if isinstance(x, Growth):
        end = limits.limit(x)
        return Real.nonfinite(end) if isinstance(end, float) else numbers.as_value(end)
    return Real.nonfinite(math.nan) if isinstance(x, _Nothing) else numbers.as_value(x)


def _evaluated(
    node: Node,
    args: list[list[_Row]],
    rows: Mapping[str, list[_Row]],
    n: int,
    approaches: Mapping[tuple[Node, int], limits.Variable],
) -> list[_Row]:
    """approaches: how the argument of a kernel that is infinite at 0 comes to it, by the argument and the pair."""
    if node.op in {Op.INPUT, Op.PARAMETER}:
        return rows[node.name]
    if node.op is Op.CONSTANT:
        return [node.value] * n
    if node.op in {Op.SPELLED, Op.DETACHED}:
        return args[0]
    if node.op in {Op.MEAN, Op.TOTAL}:
        return [_total(args[0], node.op is Op.MEAN)] * n
    if node.op is Op.SORTED:
        return _by_order(args[0], order(args[1]))
    if node.op is Op.UNSORTED:
        back: list[_Row] = [NOTHING] * n
        for rank, place in enumerate(order(args[1])):
            back[place] = args[0][rank]
        return back
    if node.op is Op.KERNEL:
        (arg,) = node.args
        return [_one_kernel(node.kernel, x, partial(approaches.__getitem__, (arg, i))) for i, x in enumerate(args[0])]
    return [_one_operation(node.op, *row) for row in zip(*args, strict=True)]


def _by_order(values: list[_Row], places: list[int]) -> list[_Row]:
    return [values[place] for place in places]


def order(keys: Sequence[_Row]) -> list[int]:
    """The places of the keys in ascending order; equal keys in the order of the batch, NaN last."""

    def compare(i: int, j: int) -> int:
        x, y = keys[i], keys[j]
        if isinstance(x, _Nothing) or isinstance(y, _Nothing):
            return isinstance(x, _Nothing) - isinstance(y, _Nothing)
        difference = limits.limit(_sum(_as_growth(x), limits.scale(_as_growth(y), -1)))
        if isinstance(difference, float):
            return 0 if math.isnan(difference) else (1 if difference > 0 else -1)
        return numbers.sign(difference)

    if all(isinstance(key, Fraction) for key in keys):
        return sorted(range(len(keys)), key=keys.__getitem__)  # type: ignore[arg-type]
    return sorted(range(len(keys)), key=cmp_to_key(compare))


def _sum(x: Growth, y: Growth) -> Growth:
    return limits.add(x, y)


def _total(row: list[_Row], mean: bool) -> _Row:
    if any(isinstance(x, _Nothing) for x in row):
        return NOTHING
    if any(isinstance(x, Growth) for x in row):
        whole: _Row = limits.add(*(_as_growth(x) for x in row if not isinstance(x, _Nothing)))
    else:
        whole = numbers.total(x for x in row if not isinstance(x, Growth | _Nothing))
    return _one_operation(Op.DIVIDE, whole, Fraction(len(row))) if mean else whole


def _as_growth(x: Number | Growth) -> Growth:
    return x if isinstance(x, Growth) else limits.finite(x)


def _one_kernel(kernel: Kernel, x: _Row, approach: Callable[[], limits.Variable]) -> _Row:
    """At one pair; NaN where the argument is, or where there is no limit."""
    if isinstance(x, _Nothing):
        return NOTHING
    try:
        return limits.apply(kernel, x) if isinstance(x, Growth) else numbers.apply(kernel, x)
    except Pole as pole:
        return limits.rising_to_0(kernel, approach()) if kernel in AT_0 else limits.grows(pole.sign, -1)
    except (NoLimit, OutsideDomain):
        return NOTHING


_ON_NUMBERS: dict[Op, Callable[..., Number]] = {
    Op.ADD: numbers.add,
    Op.SUBTRACT: lambda x, y: numbers.add(x, numbers.negate(y)),
    Op.MULTIPLY: numbers.multiply,
    Op.DIVIDE: numbers.divide,
    Op.NEGATE: numbers.negate,
}
_ON_GROWTHS: dict[Op, Callable[..., Growth]] = {
    Op.ADD: limits.add,
    Op.SUBTRACT: lambda x, y: limits.add(x, limits.scale(y, -1)),
    Op.MULTIPLY: limits.multiply,
    Op.DIVIDE: limits.divide,
    Op.NEGATE: lambda x: limits.scale(x, -1),
}


def _one_operation(op: Op, *row: _Row) -> _Row:
    """NaN where an argument is, or where infinities meet without a limit."""
    if any(isinstance(x, _Nothing) for x in row):
        return NOTHING
    try:
        if any(isinstance(x, Growth) for x in row):
            return _ON_GROWTHS[op](*(_as_growth(x) for x in row if not isinstance(x, _Nothing)))
        return _ON_NUMBERS[op](*row)
    except (NoLimit, Pole):
        return NOTHING
