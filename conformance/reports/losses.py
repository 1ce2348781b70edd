"""A loss in words, as Markdown: what `explain` prints and what its page in the documentation says."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from conformance.inputs.losses import common, settings
from oracle import losses
from oracle.expressions import nodes
from oracle.expressions.nodes import SHORT, Node, walk
from oracle.losses import Loss
from oracle.losses._evaluate import evaluated, slope
from oracle.losses._forms import MEANINGS, NAMES, log2

COVERED = {
    "Lindemann-Weierstrass": "Covered: a rational combination of softplus, or of sigmoid and its slope, at rational arguments.",
    "rational": "Covered: rational at rational inputs, so exact.",
    "extended": "Covered by the extension to logarithms of rational functions of one exponential, with bounded effort.",
    "": "Not covered: a product or a composition. The effort is bounded, and `Undecided` is raised beyond it.",
}


def text(node: Node) -> str:
    """The expression, with the common parts by their names."""
    return nodes.text(node, 0, {**NAMES, log2: "log(2)"})


def _parts(node: Node) -> str:
    """What the names in an expression stand for."""
    used = [NAMES[x] for x in walk(node) if x in NAMES and NAMES[x] in text(node)]
    return "".join(f"{name} = {MEANINGS[name]}, " for name in sorted(set(used)))


FUNCTIONS = {
    "softplus": "softplus(x) = log(1 + e^x)",
    "sigmoid": "sigmoid(x) = 1/(1 + e^-x)",
    "bump": "bump(x) = sigmoid(x) sigmoid(-x)",
    "relu": "relu(x) = max(x, 0)",
    "step": "step(x) = 1 for x > 0, else 0",
    "square": "square(x) = x^2",
    "expm1": "expm1(x) = e^x - 1",
    "log1mexp": "log1mexp(x) = log(1 - e^x)",
    "odds": "odds(x) = e^x/(1 - e^x)",
    "sorted": "sorted(x) = the batch's x in rising order",
    "unsorted": "unsorted(x, k) = x, each at the place from which sorting by k took it",
    "detached": "detached(x) = x, with no derivative",
    "mean": "mean(x) = its mean over the batch",
    "total": "total(x) = its sum over the batch",
}
"""What the functions of formulas are."""


def _functions(formulas: Sequence[Node]) -> str:
    """What the functions in the formulas are."""
    told = " ".join(text(node) for node in formulas)
    used = [meaning for name, meaning in FUNCTIONS.items() if re.search(rf"\b{name}\(", told)]
    return f"{'; '.join(used)}." if used else ""


def page(loss: Loss) -> str:
    """The whole page: definition, parameters, derivatives, limits, facts, names elsewhere, known wrong variants, exactness."""
    return "\n".join(_lines(loss)) + "\n"


def _lines(loss: Loss) -> Iterator[str]:
    yield f"# {loss.title}: `{loss.name}`"
    yield f"\n{loss.paper}, {loss.equation}.\n\n## Definition\n"
    yield f"    {loss.name} = {text(loss.definition)}\n"
    names = ", ".join(f"{SHORT[name]} = `{name}`" for name in loss.inputs)
    yield f"with {_parts(loss.definition)}{names}. A batch is reduced by the mean over pairs."
    yield _functions([loss.definition, *(slope(loss, name) for name in loss.logps)])
    if loss.parameters:
        yield "\n| parameter | default | domain | meaning |\n|---|---|---|---|"
        for parameter in loss.parameters:
            yield f"| `{parameter.name}` | {parameter.default:g} | {parameter.domain.text} | {parameter.meaning} |"
    yield "\n## Derivatives\n"
    for name in loss.logps:
        yield f"    d/d {SHORT[name]} = {text(slope(loss, name))}"
    yield "\n## Limits\n"
    if loss.has_batch_state:
        yield "Of the common set's six pairs the first with one log-probability at -inf; derivatives are its own, of the sum:\n"
    else:
        yield "With the other log-probabilities at -10 and, where lengths count, 10 tokens each:\n"
    what = "mean" if loss.has_batch_state else "loss"
    yield f"| -inf for | {what} | " + " | ".join(f"d/d {SHORT[name]}" for name in loss.logps) + " |"
    yield "|---|---|" + "---|" * len(loss.logps)
    for name in loss.logps:
        yield f"| {SHORT[name]} | " + " | ".join(_limits(loss, name)) + " |"
    yield "\n## Facts\n"
    yield from (f"- {fact}" for fact in _facts(loss))
    yield f"- {COVERED[loss.covered]}"
    yield (
        "\n## Bounds\n\nWhat correct arithmetic may return follows from the expression, by a running error analysis of each of "
        'its spellings ([bounds](../bounds.md), "Any expression").'
    )
    spellings = _spellings(loss.definition)
    if spellings:
        yield f"Of the whole loss these are admitted: {'; '.join(spellings)}."
    if loss.aliases:
        yield "\n## Who calls it what\n\n| library | name |\n|---|---|"
        for library, name in loss.aliases.items():
            yield f"| {library} | `{name}` |"
        yield "\nWhich of them compute it, and more of them, at which version: [library by library](../losses-by-library.md)."
    yield "\n## What goes wrong\n\n| variant | what it does | mean on the common set |\n|---|---|---|"
    yield f"| **{loss.name}** | the definition | {mean_on_common(loss)} |"
    for wrong in loss.wrong:
        yield f"| {loss.name}/{wrong.name} | {wrong.sentence} | {mean_on_common(loss.variant(wrong))} |"
    yield "\nAt parameters that show; a variant with the mean of the definition differs in a derivative, or on other pairs."
    yield "\n## How to cite\n"
    yield f"The definition `{loss.name}` of [dpo-conformance](../cite.md), after {loss.paper}, {loss.equation}."


def mean_on_common(loss: Loss, **parameters: float | str) -> str:
    """The mean over the six pairs of `common` to 12 digits, at parameters that show unless some are given."""
    return losses.mean(loss, **common().rows, **(parameters or loss.telling)).digits(12)


def _limits(loss: Loss, moved: str) -> Iterator[str]:
    rows: dict[str, Any] = {name: 10 if "length" in name else -10 for name in loss.inputs} | {moved: -math.inf}
    first = loss.definition
    if loss.has_batch_state:
        rows = {name: common().rows[name].tolist() for name in loss.inputs}
        rows[moved][0], first = -math.inf, nodes.mean(loss.definition)
    arguments = {**rows, **loss.defaults}
    for node in (first, *(slope(loss, name) for name in loss.logps)):
        (value,) = evaluated([node], loss, arguments)
        number = np.ravel(np.asarray(value, dtype=object))[0]
        yield number.digits(6) if number.special is None else str(number.special)


def _facts(loss: Loss) -> Iterator[str]:
    facts = loss.facts
    yield "convex in the log-probabilities together" if facts.convex else "not convex"
    yield (
        f"at least {text(facts.lower_bound)}"
        if facts.lower_bound is not None
        else "no number is given below which it cannot fall"
    )
    if facts.upper_bound is not None:
        yield f"at most {text(facts.upper_bound)}"
    if facts.at_reference is not None:
        yield f"where policy and reference agree: {text(facts.at_reference)}"
    yield from facts.remarks
    yield from (f"singular: {place}" for place in loss.singular)


def _spellings(node: Node) -> list[str]:
    """The spellings of the whole loss, where it has several of its own."""
    return [f"`{text(arg)}`" for arg in node.args] if node.op.value == "spelled" else []


def table() -> Iterator[tuple[str, str, str]]:
    """(name, parameters, mean on the common set) of every loss at its settings, then of its wrong variants that differ."""
    for loss in losses.LOSSES.values():
        for parameters in settings(loss):
            told = ", ".join(f"{name} {x:g}" for name, x in parameters.items())
            yield loss.name, told, mean_on_common(loss, **_exact(parameters))
        for wrong in loss.wrong:
            variant = loss.variant(wrong)
            yield f"  {variant.name}", wrong.sentence, mean_on_common(variant, **_exact(loss.defaults))


def _exact(parameters: Mapping[str, float]) -> dict[str, str]:
    """The numbers as they are written, not as binary64 holds them."""
    return {name: str(Fraction(str(x))) for name, x in parameters.items()}
