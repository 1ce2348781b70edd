"""Expressions made from others: a change at some nodes, and of several spellings the first alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from oracle.expressions import nodes
from oracle.expressions.nodes import Node, Op, walk


def rebuilt(node: Node, change: Callable[[Node, list[Node]], Node | None]) -> Node:
    """The expression with what `change` gives in place of a node, given its rebuilt arguments; None keeps it."""
    known: dict[Node, Node] = {}
    for x in walk(node):
        args = [known[arg] for arg in x.args]
        known[x] = change(x, args) or _same(x, args)
    return known[node]


@cache
def first_spelling(node: Node) -> Node:
    """The same number by the first of its spellings everywhere."""
    return rebuilt(node, lambda x, args: args[0] if x.op is Op.SPELLED else None)


def _same(x: Node, args: list[Node]) -> Node:
    if x.op is Op.KERNEL:
        return nodes.apply(x.kernel, args[0])
    return _MADE[x.op](*args) if x.op in _MADE else x


_MADE: dict[Op, Callable[..., Node]] = {
    Op.ADD: nodes.add,
    Op.SUBTRACT: nodes.subtract,
    Op.MULTIPLY: nodes.multiply,
    Op.DIVIDE: nodes.divide,
    Op.NEGATE: nodes.negate,
    Op.DETACHED: nodes.detached,
    Op.MEAN: nodes.mean,
    Op.TOTAL: nodes.total,
    Op.SORTED: nodes.ranked,
    Op.UNSORTED: nodes.unsorted,
    Op.SPELLED: nodes.spelled,
}
