"""Wrong variants of any loss, made from its own definition: each an expression, its sentence, and what mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain

from conformance.diagnosis.hypotheses.cures import FACTOR
from oracle.expressions import nodes
from oracle.expressions.nodes import ONE, ZERO, Kernel, Node, Op, walk
from oracle.expressions.rebuilding import first_spelling, rebuilt
from oracle.losses import LENGTHS, LOSSES, Loss

BATCH = 'Return each pair\'s own loss; a mean over the batch is claimed by reduction="mean".'
ARGUMENTS = "Take what comes by its name, and subtract each reference log-probability from the policy's of the same response."
TOKENS = "Divide each response's log-probability by that response's own length, where the definition divides, and only there."


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A wrong variant. key: its name. says: what is returned. loss: with the right one's parameters."""

    key: str
    says: str
    cure: str
    loss: Loss


def known(loss: Loss) -> Iterator[Rewritten]:
    """Those that its file names."""
    for wrong in loss.wrong:
        says = f"{loss.name} with a known mistake: {wrong.sentence}"
        yield Rewritten(wrong.name, says, defined(loss), loss.variant(wrong))


def variants(loss: Loss, *, whole: bool) -> Iterator[Rewritten]:
    """Those of any loss: factors, options, arguments, means.

    whole: one number is returned for a batch.
    """
    for key, says, cure, definition in chain(
        _factors(loss), _options(loss), _arguments(loss), _means(loss) if whole else _batches(loss)
    ):
        if definition is not loss.definition:
            yield Rewritten(key, says, cure, changed(loss, key, definition))


def slipped(loss: Loss) -> Iterator[Rewritten]:
    """The loss with a single slip."""
    for key, says, definition in slips(loss.definition):
        yield Rewritten(key, f"{loss.name} with {says}", defined(loss), changed(loss, key, definition))


def defined(loss: Loss) -> str:
    """The definition as a cure."""
    return f"Return {nodes.text(loss.definition)}: {loss.paper}, {loss.equation}."


def changed(loss: Loss, key: str, definition: Node) -> Loss:
    """The loss by another definition, of the same parameters, under that key."""
    return replace(loss, name=f"{loss.name}/{key}", definition=definition, wrong=())


_Made = tuple[str, str, str, Node]


def _factors(loss: Loss) -> Iterator[_Made]:
    whole = loss.definition
    yield "halved", "half of the loss", FACTOR, whole / 2
    yield "doubled", "twice the loss", FACTOR, whole * 2
    yield "negated", "the loss with the opposite sign", FACTOR, -whole
    yield "in bits", "the loss in bits: divided by ln 2", FACTOR, whole / nodes.log(nodes.constant(2))
    yield "always 0", "0, whatever is given", FACTOR, whole * 0
    for name in loss.defaults:
        one = nodes.parameter(name)
        yield f"times {name}", f"the loss times {name} once more", f"Pass {name} on once.", whole * one
        yield f"over {name}", f"the loss divided by {name}", f"Pass {name} on once.", whole / one


def _options(loss: Loss) -> Iterator[_Made]:
    """One option taken as another number, or two in each other's place."""
    for parameter in loss.parameters:
        name, own = parameter.name, nodes.parameter(parameter.name)
        cure = f"Use the {name} of each call, once, where the definition has it."
        constants = {parameter.default: f"the default, {parameter.default:g}", 1.0: "1", 0.0: "0"}
        for x, told in constants.items():
            if Fraction(x) in parameter.domain or not x:
                value = nodes.constant(Fraction(x))
                yield f"{name} is {x:g}", f"the loss at {name} {told}, whatever is asked", cure, _put(loss, {name: value})
        for key, value in {
            f"{name} halved": own / 2, f"{name} doubled": own * 2, f"{name} squared": own * own, f"1 / {name}": ONE / own,
            f"1 - {name}": ONE - own, f"-{name}": -own,
        }.items():  # fmt: skip
            yield key, f"the loss at {key}", cure, _put(loss, {name: value})
    names = list(loss.defaults)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            told = f"the loss with {first} and {second} in each other's place"
            swap = {first: nodes.parameter(second), second: nodes.parameter(first)}
            yield f"{first} for {second}", told, f"Pass {first} and {second} by name.", _put(loss, swap)


_SWAPS = {
    "pair exchanged": ("the loss with chosen and rejected exchanged", ("policy", "ref", "lengths")),
    "policy crossed": ("the loss with the policy's chosen and rejected exchanged, the reference's not", ("policy",)),
    "reference crossed": ("the loss with the reference's chosen and rejected exchanged, the policy's not", ("ref",)),
    "lengths exchanged": ("the loss with the two lengths exchanged", ("lengths",)),
    "log-probabilities exchanged": ("the loss with chosen and rejected exchanged, the lengths not", ("policy", "ref")),
}
_PAIRED = {
    "policy": ("policy_chosen_logps", "policy_rejected_logps"),
    "ref": ("ref_chosen_logps", "ref_rejected_logps"),
    "lengths": LENGTHS,
}
_REF_CHOSEN, _REF_REJECTED = _PAIRED["ref"]


def _arguments(loss: Loss) -> Iterator[_Made]:
    """Arguments in another order, missing, or taken for others."""
    for key, (says, parts) in _SWAPS.items():
        swap: dict[str, Node] = {}
        for first, second in (_PAIRED[part] for part in parts):
            swap |= {first: nodes.symbol(second), second: nodes.symbol(first)}
        yield key, says, ARGUMENTS, _put(loss, swap)
    roles = {f"{side}_{rest}": nodes.symbol(f"{other}_{rest}") for side, other in (("policy", "ref"), ("ref", "policy"))
             for rest in ("chosen_logps", "rejected_logps", "kl_logps")}  # fmt: skip
    yield "policy for reference", "the loss with policy and reference exchanged", ARGUMENTS, _put(loss, roles)
    gone = dict.fromkeys(_PAIRED["ref"], ZERO)
    yield "no reference", "the loss without the reference", ARGUMENTS, _put(loss, gone)
    yield "no chosen reference", "the loss without ref_chosen_logps", ARGUMENTS, _put(loss, {_REF_CHOSEN: ZERO})
    yield "no rejected reference", "the loss without ref_rejected_logps", ARGUMENTS, _put(loss, {_REF_REJECTED: ZERO})
    own = {name: node for name, node in roles.items() if name.startswith("ref")}
    says = "the loss at policy = reference: the policy's own log-probabilities serve as reference"
    yield (
        "policy as reference",
        says,
        "Hand the reference model's log-probabilities over, not the policy's own.",
        _put(loss, own),
    )
    for key, says, change in (
        ("lengths ignored", "the loss with every length 1: sums where the definition has means", lambda _: ONE),
        ("a token too many", "the loss with each length one too many: it counts a token that is not scored", lambda x: x + 1),
    ):
        yield key, says, TOKENS, _put(loss, {name: change(nodes.symbol(name)) for name in LENGTHS})
    chosen = dict.fromkeys(LENGTHS, nodes.symbol(LENGTHS[0]))
    if all(name in loss.inputs for name in LENGTHS):
        yield "chosen length for both", "the loss with the chosen length for both responses", TOKENS, _put(loss, chosen)
        mean = dict.fromkeys(LENGTHS, (nodes.symbol(LENGTHS[0]) + nodes.symbol(LENGTHS[1])) / 2)
        yield "mean length for both", "the loss with the mean of the two lengths for both responses", TOKENS, _put(loss, mean)
    exponentials = {name: nodes.exp(nodes.symbol(name)) for name in loss.logps}
    says = "the loss of probabilities, exp(logps), not of log-probabilities"
    yield "probabilities for logarithms", says, ARGUMENTS, _put(loss, exponentials)


def _batches(loss: Loss) -> Iterator[_Made]:
    """One number for every pair."""
    yield "the mean for each", "the mean over the batch, at every pair", BATCH, nodes.mean(loss.definition)
    yield "the sum for each", "the sum over the batch, at every pair", BATCH, nodes.total(loss.definition)


def _means(loss: Loss) -> Iterator[_Made]:
    """Another reduction."""
    yield "the sum", "the sum over the pairs, not the mean", FACTOR, nodes.total(loss.definition)


def others(loss: Loss) -> Iterator[Rewritten]:
    """Every other loss that takes no more, and its known wrong variants, at the options that it shares with this one."""
    for other in LOSSES.values():
        if other.name == loss.name or not set(other.inputs) <= set(loss.inputs):
            continue
        for made in (other, *(other.variant(wrong) for wrong in other.wrong)):
            told = f"{other.name}, another loss: {other.title}"
            told = told if made is other else f"{other.name}, another loss, with a known mistake: {made.title}"
            guesses = [()] if set(other.defaults) <= set(loss.defaults) else [other.defaults, other.telling]
            for guess in guesses:
                missing = {name: x for name, x in dict(guess).items() if name not in loss.defaults}
                at = "".join(f", at {name} {x:g}" for name, x in missing.items())
                values = {name: nodes.constant(Fraction(x)) for name, x in missing.items()}
                yield Rewritten(made.name, told + at, defined(loss), _settled(made, values))


def _settled(loss: Loss, values: Mapping[str, Node]) -> Loss:
    """The loss with some of its parameters as numbers."""
    kept = tuple(parameter for parameter in loss.parameters if parameter.name not in values)
    definition = substituted(loss.definition, values)
    return replace(loss, name=f"{loss.name}/at", definition=definition, parameters=kept, compared=(), wrong=())


def _put(loss: Loss, values: Mapping[str, Node]) -> Node:
    return substituted(loss.definition, values)


def substituted(node: Node, values: Mapping[str, Node]) -> Node:
    """The expression with other expressions in place of inputs and parameters."""
    return rebuilt(node, lambda x, _: values.get(x.name) if x.op in {Op.INPUT, Op.PARAMETER} else None)


def slips(definition: Node) -> Iterator[tuple[str, str, Node]]:
    """(key, what is wrong, expression): a term dropped, a sign or a kernel mistaken, at each place where it applies."""
    whole = first_spelling(definition)
    for number, x in enumerate(walk(whole)):
        for says, other in _SLIPS.get(x.op, {}).items():
            yield f"{says} {number}", f"{says} in {nodes.text(x)}", _at(whole, x, other)
        for says, instead in _KERNELS.get(x.kernel, {}).items() if x.op is Op.KERNEL else ():
            yield f"{says} {number}", f"{says} in {nodes.text(x)}", _at(whole, x, _applied(instead))
        if x is not whole and x.op not in _KEPT:
            yield f"batch mean {number}", f"the batch's mean for {nodes.text(x)}", _at(whole, x, _averaged(x))
    for kernel, ways in _KERNELS.items():
        if sum(x.kernel is kernel for x in walk(whole) if x.op is Op.KERNEL) > 1:
            for says, instead in ways.items():
                yield f"{says}, always", f"{says} throughout", _throughout(whole, kernel, instead)


def cut(definition: Node) -> Iterator[tuple[str, str, Node]]:
    """(key, what is wrong, expression): no derivative through one part, or one through a part that is detached."""
    whole = first_spelling(definition)
    for number, x in enumerate(walk(whole)):
        if x.op is Op.DETACHED:
            yield f"live {number}", f"a derivative through {nodes.text(x.args[0])}, which is held fixed", _at(whole, x, _first)
        elif x is not whole and x.op not in {Op.CONSTANT, Op.PARAMETER} and x.name not in LENGTHS:
            yield f"cut {number}", f"no derivative through {nodes.text(x)}", _at(whole, x, _detached(x))


def _throughout(whole: Node, kernel: Kernel, instead: Callable[[Node], Node]) -> Node:
    return rebuilt(whole, lambda x, args: instead(args[0]) if x.op is Op.KERNEL and x.kernel is kernel else None)


def _applied(instead: Callable[[Node], Node]) -> Callable[[list[Node]], Node]:
    return lambda args: instead(args[0])


def _first(args: list[Node]) -> Node:
    return args[0]


def _averaged(x: Node) -> Callable[[list[Node]], Node]:
    return lambda _: nodes.mean(x)


def _detached(x: Node) -> Callable[[list[Node]], Node]:
    return lambda _: nodes.detached(x)


def _at(node: Node, place: Node, other: Callable[[list[Node]], Node]) -> Node:
    return rebuilt(node, lambda x, args: other(args) if x is place else None)


_SLIPS: dict[Op, dict[str, Callable[[list[Node]], Node]]] = {
    Op.ADD: {"the first term missing": lambda a: a[1], "the second term missing": _first,
             "minus for plus": lambda a: nodes.subtract(*a)},
    Op.SUBTRACT: {"the first term missing": lambda a: nodes.negate(a[1]), "the second term missing": _first,
                  "plus for minus": lambda a: nodes.add(*a)},
    Op.NEGATE: {"the sign missing": _first},
    Op.MULTIPLY: {"the first factor missing": lambda a: a[1], "the second factor missing": _first,
                  "the first factor twice": lambda a: nodes.multiply(a[0], nodes.multiply(*a))},
    Op.DIVIDE: {"the divisor missing": _first, "a product for the quotient": lambda a: nodes.multiply(*a)},
    Op.SORTED: {"no sorting": _first},
}  # fmt: skip
_KERNELS: dict[Kernel, dict[str, Callable[[Node], Node]]] = {
    Kernel.SOFTPLUS: {"max(x, 0) for softplus(x)": nodes.maximum0, "e^x for softplus(x)": nodes.exp},
    Kernel.SIGMOID: {
        "a step for the sigmoid": lambda x: nodes.apply(Kernel.STEP, x),
        "log(sigmoid) for the sigmoid": lambda x: -nodes.softplus(-x),
    },
    Kernel.RELU: {"softplus(x) for max(x, 0)": nodes.softplus, "no cut at 0": lambda x: x},
    Kernel.SQUARE: {
        "the absolute value for the square": lambda x: nodes.maximum0(x) + nodes.maximum0(-x),
        "the square missing": lambda x: x,
    },
    Kernel.LOG1MEXP: {
        "log(1 + e^x) for log(1 - e^x)": nodes.softplus,
        "e^x - 1 for log(1 - e^x)": nodes.expm1,
    },
}
_KEPT = {Op.CONSTANT, Op.PARAMETER, Op.MEAN, Op.TOTAL}
