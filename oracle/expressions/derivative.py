"""Derivatives of expressions, as expressions: forward mode through every node, batch operations included."""

from __future__ import annotations

from collections.abc import Callable

from oracle.expressions.nodes import (
    ONE,
    ZERO,
    Kernel,
    Node,
    Op,
    add,
    apply,
    constant,
    divide,
    inputs_of,
    mean,
    multiply,
    negate,
    ranked,
    spelled,
    subtract,
    total,
    unsorted,
    walk,
)


def derivative(loss: Node, name: str) -> Node:
    """What autograd of the sum over the batch gives at pair i: d (sum of loss) / d (input `name` of pair i).

    A loss without batch state: d loss / d input of its own pair. Through a mean or total M(x) of the batch,
    d/dx_i = (sum over j of d loss_j / dM) dM/dx_i; through a sort, d/dx_i is the derivative at the rank of pair i.
    By the name of a parameter: d loss_i / d parameter, pair by pair.
    """
    batch = [x for x in walk(loss) if x.op in {Op.MEAN, Op.TOTAL, Op.SORTED}]
    if not batch or name not in inputs_of(loss):
        return _along(loss, name, {}, None)
    result = _along(loss, name, {}, ZERO)
    for state in batch:
        reached = _along(state.args[0], name, {}, ZERO)
        weight = _along(loss, None, {state: ONE}, None)
        if reached is ZERO or weight is ZERO:
            continue
        if state.op is Op.SORTED:
            carried = unsorted(weight, state.args[1])
        else:
            carried = total(weight) if state.op is Op.TOTAL else mean(weight)
        result = add(result, multiply(carried, reached))
    return result


def _along(node: Node, name: str | None, seeds: dict[Node, Node], held: Node | None) -> Node:
    """d node / d name, with the derivatives of some nodes given; held: what a batch operation's derivative is taken for."""
    known: dict[Node, Node] = dict(seeds)
    for x in walk(node):
        if x not in known:
            known[x] = _one(x, [known[arg] for arg in x.args], name, held)
    return known[node]


def _one(x: Node, slopes: list[Node], name: str | None, held: Node | None) -> Node:
    if x.op in {Op.INPUT, Op.PARAMETER}:
        return ONE if x.name == name else ZERO
    if x.op in {Op.CONSTANT, Op.DETACHED}:
        return ZERO
    if x.op in _LINEAR:
        return _LINEAR[x.op](*slopes)
    if all(slope is ZERO for slope in slopes):
        return ZERO
    if x.op in {Op.MULTIPLY, Op.DIVIDE}:
        return _product_rule(x, slopes)
    if x.op is Op.SPELLED:
        return spelled(*slopes)
    if x.op is Op.KERNEL:
        return multiply(_slope(x.kernel, x.args[0]), slopes[0])
    if held is not None:
        return held
    if x.op in {Op.SORTED, Op.UNSORTED}:
        return (ranked if x.op is Op.SORTED else unsorted)(slopes[0], x.args[1])
    return {Op.MEAN: mean, Op.TOTAL: total}[x.op](slopes[0])


_LINEAR: dict[Op, Callable[..., Node]] = {Op.ADD: add, Op.SUBTRACT: subtract, Op.NEGATE: negate}


def _product_rule(x: Node, slopes: list[Node]) -> Node:
    first, second = x.args
    if x.op is Op.MULTIPLY:
        return add(multiply(slopes[0], second), multiply(first, slopes[1]))
    quotient = divide(slopes[0], second)
    return quotient if slopes[1] is ZERO else subtract(quotient, divide(multiply(first, slopes[1]), multiply(second, second)))


def _slope(kernel: Kernel, x: Node) -> Node:
    """The derivative of a kernel, in the spellings that autograd and hand-written code use."""
    if kernel is Kernel.SOFTPLUS:
        return apply(Kernel.SIGMOID, x)
    if kernel is Kernel.SIGMOID:
        value = apply(Kernel.SIGMOID, x)
        return spelled(apply(Kernel.BUMP, x), multiply(value, subtract(ONE, value)))
    if kernel is Kernel.BUMP:
        opposite = subtract(apply(Kernel.SIGMOID, negate(x)), apply(Kernel.SIGMOID, x))
        return multiply(apply(Kernel.BUMP, x), opposite)
    if kernel is Kernel.RELU:
        return apply(Kernel.STEP, x)
    if kernel is Kernel.SQUARE:
        return multiply(constant(2), x)
    if kernel is Kernel.EXP:
        return apply(Kernel.EXP, x)
    if kernel is Kernel.EXPM1:  # autograd of torch and of JAX adds 1 to the value
        return spelled(apply(Kernel.EXP, x), add(apply(Kernel.EXPM1, x), ONE))
    if kernel is Kernel.LOG:
        return divide(ONE, x)
    if kernel is Kernel.LOG1MEXP:
        return negate(apply(Kernel.ODDS, x))
    if kernel is Kernel.ODDS:
        odds = apply(Kernel.ODDS, x)
        return multiply(odds, add(ONE, odds))
    return ZERO
