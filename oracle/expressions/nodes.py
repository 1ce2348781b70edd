"""The nodes of the language: inputs, parameters, rationals, + - * /, a dozen kernels, and four operations on a batch.

Equal expressions are one object, so that what is worked out of a node is worked out once. An expression is a real
number of its inputs, whatever the arithmetic; `spelled` says in which other ways correct code computes the same number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from weakref import WeakValueDictionary


class Op(Enum):
    """What a node is."""

    INPUT = "input"
    PARAMETER = "parameter"
    CONSTANT = "constant"
    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"
    NEGATE = "negative"
    KERNEL = "kernel"
    SPELLED = "spelled"
    DETACHED = "detached"
    MEAN = "mean"
    TOTAL = "total"
    SORTED = "sorted"
    UNSORTED = "unsorted"


_BATCH = {Op.MEAN, Op.TOTAL, Op.SORTED, Op.UNSORTED}


class Kernel(Enum):
    """A function of one number."""

    SOFTPLUS = "softplus"  # log(1 + e**x)
    SIGMOID = "sigmoid"  # 1 / (1 + e**-x)
    BUMP = "bump"  # sigmoid(x) sigmoid(-x)
    RELU = "relu"  # max(x, 0)
    STEP = "step"  # 1 for x > 0, else 0: the derivative of relu, at whose kink the field returns 0
    SQUARE = "square"
    EXP = "exp"
    EXPM1 = "expm1"  # e**x - 1
    LOG = "log"
    LOG1MEXP = "log1mexp"  # log(1 - e**x), x <= 0
    ODDS = "odds"  # e**x / (1 - e**x), x < 0: minus the derivative of log1mexp


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Node:
    """One expression. Build it by +, -, *, / and the functions of this file; equal expressions are the same object."""

    op: Op
    args: tuple[Node, ...] = ()
    name: str = ""
    value: Fraction = Fraction(0)
    kernel: Kernel = Kernel.SOFTPLUS
    varies: bool = field(init=False)
    """Whether an input is in it, so that its value differs from pair to pair."""
    of_batch: bool = field(init=False)
    """Whether a pair's value depends on other pairs of the batch."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "varies", self.op is Op.INPUT or any(arg.varies for arg in self.args))
        object.__setattr__(self, "of_batch", self.op in _BATCH or any(arg.of_batch for arg in self.args))

    def __add__(self, other: Node | int | Fraction) -> Node:
        return add(self, as_node(other))

    def __radd__(self, other: int | Fraction) -> Node:
        return add(as_node(other), self)

    def __sub__(self, other: Node | int | Fraction) -> Node:
        return subtract(self, as_node(other))

    def __rsub__(self, other: int | Fraction) -> Node:
        return subtract(as_node(other), self)

    def __mul__(self, other: Node | int | Fraction) -> Node:
        return multiply(self, as_node(other))

    def __rmul__(self, other: int | Fraction) -> Node:
        return multiply(as_node(other), self)

    def __truediv__(self, other: Node | int | Fraction) -> Node:
        return divide(self, as_node(other))

    def __rtruediv__(self, other: int | Fraction) -> Node:
        return divide(as_node(other), self)

    def __neg__(self) -> Node:
        return negate(self)

    def __str__(self) -> str:
        return text(self)

    @property
    def is_constant(self) -> bool:
        """Whether it is a rational that no input changes."""
        return self.op is Op.CONSTANT


_Key = tuple[Op, tuple[int, ...], str, Fraction, Kernel]
_made: WeakValueDictionary[_Key, Node] = WeakValueDictionary()


def _make(op: Op, *args: Node, name: str = "", value: Fraction = Fraction(0), kernel: Kernel = Kernel.SOFTPLUS) -> Node:
    key = (op, tuple(map(id, args)), name, value, kernel)
    known = _made.get(key)
    if known is None:
        known = _made[key] = Node(op, args, name, value, kernel)
    return known


def symbol(name: str) -> Node:
    """One of the inputs: a log-probability, a length, or what else varies from pair to pair."""
    return _make(Op.INPUT, name=name)


def parameter(name: str) -> Node:
    """One of the loss's own numbers, the same for every pair of a batch."""
    return _make(Op.PARAMETER, name=name)


def constant(value: int | Fraction) -> Node:
    """A rational number."""
    return _make(Op.CONSTANT, value=Fraction(value))


ZERO, ONE = constant(0), constant(1)


def as_node(x: Node | int | Fraction) -> Node:
    """A node as it is, a rational as a constant."""
    return x if isinstance(x, Node) else constant(x)


def add(x: Node, y: Node) -> Node:
    """X + y."""
    if x is ZERO or y is ZERO:
        return y if x is ZERO else x
    if x.is_constant and y.is_constant:
        return constant(x.value + y.value)
    if y.op is Op.NEGATE:
        return subtract(x, y.args[0])
    return _make(Op.ADD, x, y)


def subtract(x: Node, y: Node) -> Node:
    """X - y."""
    if y is ZERO:
        return x
    if x is ZERO:
        return negate(y)
    if x.is_constant and y.is_constant:
        return constant(x.value - y.value)
    return add(x, y.args[0]) if y.op is Op.NEGATE else _make(Op.SUBTRACT, x, y)


def multiply(x: Node, y: Node) -> Node:
    """X * y."""
    if x is ZERO or y is ZERO:
        return ZERO
    if x is ONE or y is ONE:
        return y if x is ONE else x
    if x.is_constant and y.is_constant:
        return constant(x.value * y.value)
    for one, other in ((x, y), (y, x)):
        if one.op is Op.NEGATE:
            return negate(multiply(one.args[0], other))
        if one.is_constant and one.value == -1:
            return negate(other)
    return _make(Op.MULTIPLY, x, y)


def divide(x: Node, y: Node) -> Node:
    """X / y."""
    if x is ZERO or y is ONE:
        return x
    if x.is_constant and y.is_constant and y.value:
        return constant(x.value / y.value)
    if x.is_constant and x.value < 0:
        return negate(divide(negate(x), y))
    return negate(divide(x.args[0], y)) if x.op is Op.NEGATE else _make(Op.DIVIDE, x, y)


def negate(x: Node) -> Node:
    """-x."""
    if x.op is Op.NEGATE:
        return x.args[0]
    return constant(-x.value) if x.is_constant else _make(Op.NEGATE, x)


def apply(kernel: Kernel, x: Node) -> Node:
    """The kernel of x."""
    return _make(Op.KERNEL, as_node(x), kernel=kernel)


def softplus(x: Node) -> Node:
    """log(1 + e**x)."""
    return apply(Kernel.SOFTPLUS, x)


def sigmoid(x: Node) -> Node:
    """1 / (1 + e**-x)."""
    return apply(Kernel.SIGMOID, x)


def maximum0(x: Node) -> Node:
    """max(x, 0), the relu."""
    return apply(Kernel.RELU, x)


def square(x: Node) -> Node:
    """X * x."""
    return apply(Kernel.SQUARE, x)


def exp(x: Node) -> Node:
    """e**x."""
    return apply(Kernel.EXP, x)


def expm1(x: Node) -> Node:
    """e**x - 1."""
    return apply(Kernel.EXPM1, x)


def log(x: Node) -> Node:
    """The natural logarithm of x > 0."""
    return apply(Kernel.LOG, x)


def log1mexp(x: Node) -> Node:
    """log(1 - e**x) for x < 0; -inf at 0."""
    return apply(Kernel.LOG1MEXP, x)


def spelled(first: Node, *others: Node) -> Node:
    """One number in several spellings: exact mathematics takes the first, the bounds admit each of them."""
    different = tuple(other for other in dict.fromkeys(others) if other is not first)
    return _make(Op.SPELLED, first, *different) if different else first


def detached(x: Node) -> Node:
    """X, of which no derivative is taken."""
    return _make(Op.DETACHED, x)


def mean(x: Node) -> Node:
    """The mean of x over the batch, the same for every pair."""
    return _make(Op.MEAN, x)


def total(x: Node) -> Node:
    """The sum of x over the batch, the same for every pair."""
    return _make(Op.TOTAL, x)


def sorted_batch(x: Node) -> Node:
    """The values of x over the batch in ascending order: the k-th of them at place k."""
    return ranked(x, x)


def ranked(x: Node, by: Node) -> Node:
    """The values of x over the batch in the order that sorts `by`."""
    return _make(Op.SORTED, x, by)


def unsorted(x: Node, by: Node) -> Node:
    """What `sorted_batch(by)` carried away brought back: at pair i, x at the rank of pair i."""
    return _make(Op.UNSORTED, x, by)


@lru_cache(maxsize=1 << 12)
def walk(node: Node, *, first: bool = False) -> tuple[Node, ...]:
    """Every node of an expression once, arguments before what they are arguments of; first: of spellings only the first."""
    found: dict[Node, None] = {}

    def visit(x: Node) -> None:
        if x not in found:
            for arg in x.args[:1] if first and x.op is Op.SPELLED else x.args:
                visit(arg)
            found[x] = None

    visit(node)
    return tuple(found)


def inputs_of(node: Node) -> tuple[str, ...]:
    """The names of the inputs, in the order of first use."""
    return tuple(dict.fromkeys(x.name for x in walk(node) if x.op is Op.INPUT))


def parameters_of(node: Node) -> tuple[str, ...]:
    """The names of the parameters, in the order of first use."""
    return tuple(dict.fromkeys(x.name for x in walk(node) if x.op is Op.PARAMETER))


_SIGNS = {Op.ADD: (" + ", 1), Op.SUBTRACT: (" - ", 1), Op.MULTIPLY: (" * ", 2), Op.DIVIDE: (" / ", 2)}
SHORT = {
    "policy_chosen_logps": "pc", "policy_rejected_logps": "pr", "ref_chosen_logps": "rc", "ref_rejected_logps": "rr",
    "chosen_lengths": "lw", "rejected_lengths": "ll", "policy_kl_logps": "pk", "ref_kl_logps": "rk",
    "label_smoothing": "eps",
}  # fmt: skip
"""How formulas abbreviate the arguments."""


def text(node: Node, level: int = 0, names: Mapping[Node, str] | None = None) -> str:
    """The expression in one line of mathematics; a `spelled` node by its first spelling, a named one by its name."""
    known = names or {}
    if node in known:
        return known[node]
    if node.op in {Op.INPUT, Op.PARAMETER}:
        return SHORT.get(node.name, node.name)
    if node.op is Op.CONSTANT:
        return str(node.value) if level < 2 or node.value.denominator == 1 else f"({node.value})"
    if node.op is Op.SPELLED:
        return text(node.args[0], level, known)
    if node.op is Op.NEGATE:
        inside = f"-{text(node.args[0], 2, known)}"
        return f"({inside})" if level else inside
    if node.op in _SIGNS:
        sign, own = _SIGNS[node.op]
        right = own + (node.op in {Op.SUBTRACT, Op.DIVIDE})
        inside = text(node.args[0], own, known) + sign + text(node.args[1], max(right, own), known)
        return f"({inside})" if own < level or (own == 1 and level == 2) else inside
    name = node.kernel.value if node.op is Op.KERNEL else node.op.value
    args = node.args[:1] if node.op is Op.SORTED and node.args[0] is node.args[1] else node.args
    return f"{name}({', '.join(text(arg, 0, known) for arg in args)})"
