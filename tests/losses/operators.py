"""Wrong losses by operator from the definition itself: a term dropped, a sign flipped, a parameter or a length mistaken."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping

from oracle.expressions import nodes
from oracle.expressions.nodes import Kernel, Node, Op, walk
from oracle.expressions.rebuilding import first_spelling, rebuilt
from oracle.losses import LENGTHS, Loss, Wrong


def at(node: Node, place: Node, other: Callable[[list[Node]], Node]) -> Node:
    return rebuilt(node, lambda x, args: other(args) if x is place else None)


def mutants(loss: Loss) -> Iterator[Wrong]:
    """Each operator at each place where it applies, in the order of the expression."""
    whole = first_spelling(loss.definition)
    for number, x in enumerate(walk(whole)):
        for name, other in OPERATORS.get(x.op, {}).items():
            yield Wrong(f"{name}-{number}", f"{name} at {nodes.text(x)}", at(whole, x, other))
        if x.op is Op.KERNEL and x.kernel in KERNELS:
            kernel = KERNELS[x.kernel]
            yield Wrong(
                f"{kernel.value}-{number}",
                f"{kernel.value} at {nodes.text(x)}",
                at(whole, x, lambda a, k=kernel: nodes.apply(k, a[0])),
            )
    names = [parameter.name for parameter in loss.parameters]
    for first, second in itertools.pairwise(names):
        swaps = {first: nodes.parameter(second), second: nodes.parameter(first)}
        yield Wrong(f"{first}-for-{second}", "two parameters exchanged", renamed(whole, swaps))
    if any(name in loss.inputs for name in LENGTHS):
        lw, ll = (nodes.symbol(name) for name in LENGTHS)
        yield Wrong("lengths-swapped", "the lengths exchanged", renamed(whole, {LENGTHS[0]: ll, LENGTHS[1]: lw}))
        yield Wrong("no-lengths", "every length 1", renamed(whole, dict.fromkeys(LENGTHS, nodes.constant(1))))


def renamed(node: Node, swaps: Mapping[str, Node]) -> Node:
    return rebuilt(node, lambda x, _: swaps.get(x.name) if x.op in {Op.INPUT, Op.PARAMETER} else None)


OPERATORS: dict[Op, dict[str, Callable[[list[Node]], Node]]] = {
    Op.ADD: {"first-dropped": lambda a: a[1], "second-dropped": lambda a: a[0], "minus": lambda a: nodes.subtract(*a)},
    Op.SUBTRACT: {
        "first-dropped": lambda a: nodes.negate(a[1]),
        "second-dropped": lambda a: a[0],
        "plus": lambda a: nodes.add(*a),
    },
    Op.NEGATE: {"sign": lambda a: a[0]},
    Op.MULTIPLY: {"factor-dropped": lambda a: a[1], "factor-twice": lambda a: nodes.multiply(a[0], nodes.multiply(*a))},
    Op.DIVIDE: {"divisor-dropped": lambda a: a[0]},
    Op.DETACHED: {"live": lambda a: a[0]},
    Op.SORTED: {"unsorted": lambda a: a[0]},
}
KERNELS = {
    Kernel.SOFTPLUS: Kernel.RELU,
    Kernel.SIGMOID: Kernel.STEP,
    Kernel.RELU: Kernel.SOFTPLUS,
    Kernel.LOG1MEXP: Kernel.EXPM1,
}
