"""Named losses whose kernel is computed in an unstable way: log(sigmoid), an exponential that overflows, a difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from conformance.diagnosis.identification import Seen
from conformance.diagnosis.kernels import STABLE, WAYS, Arithmetic
from conformance.diagnosis.trials import Answers
from conformance.records.diagnosis import Cause, Kind
from oracle import Format, OracleError
from oracle.bounds import centre
from oracle.expressions import nodes
from oracle.expressions.arrays import Arrays
from oracle.expressions.nodes import Kernel, Node, Op, walk
from oracle.expressions.rebuilding import first_spelling, rebuilt
from oracle.formats import Floats

_SIGMOID = "Compute sigma(x) by the library's own sigmoid, or by 1 / (1 + e^-x) for x >= 0 and e^x / (1 + e^x) for x < 0."
_LOG1MEXP = "Compute log(1 - e^x) by log(-expm1(x)) for x > -ln 2 and by log1p(-e^x) below."


@dataclass(frozen=True, slots=True)
class Unstable:
    """A way to a kernel: what is said of it, what mends it, and its value, each operation rounded."""

    key: str
    says: str
    cure: str
    way: Callable[[Floats, Arithmetic], Floats]


OF: dict[Kernel, tuple[Unstable, ...]] = {
    Kernel.SOFTPLUS: tuple(
        Unstable(one.key, f"the -logsigmoid of z as {one.says}", STABLE, one.way)
        for one in WAYS
        if "beyond" not in one.key and "clamped to" not in one.key
    ),
    Kernel.SIGMOID: (
        Unstable(
            "sigmoid overflows",
            "sigma(x) as e^x / (1 + e^x), whose exponentials overflow",
            _SIGMOID,
            lambda x, a: a(a(np.exp(x)) / a(1 + a(np.exp(x)))),
        ),
        Unstable("1 - sigmoid", "sigma(x) as 1 - sigma(-x), which cancels", _SIGMOID, lambda x, a: a(1 - a.sigmoid(-x))),
    ),
    Kernel.LOG1MEXP: (
        Unstable("log(1 - exp(x))", "log(1 - e^x) as it is written", _LOG1MEXP, lambda x, a: a(np.log(a(1 - a(np.exp(x)))))),
    ),
}
_MOST = 0.97
"""The share of all losses that a way has to give."""


def unstable(answers: Answers) -> Cause | None:
    """The way that gives every wrong loss and nearly every other; None where no kernel's is known to."""
    whole = first_spelling(answers.loss.definition)
    best: tuple[float, Unstable | None] = (0.0, None)
    kernels = {x.kernel for x in walk(whole) if x.op is Op.KERNEL}
    if answers.whole:
        return None
    for kernel in (each for each in OF if each in kernels):
        for one in OF[kernel]:
            share = _share(answers, whole, kernel, one)
            if share > best[0]:
                best = share, one
    share, found = best
    if found is None:
        return None
    numbers, wrong = answers.wrong.size, int(answers.wrong.sum())
    says = f"{answers.loss.name} with {found.says}"
    return Cause(found.key, Kind.KERNEL, "loss", says, "", found.cure, numbers, wrong)


def _share(answers: Answers, whole: Node, kernel: Kernel, one: Unstable) -> float:
    """The share of the losses that it gives; 0 where it misses a wrong one, or is no closer to them than the exact ones."""
    try:
        given = np.concatenate([_given(answers.fmt, whole, kernel, one, seen, answers) for seen in answers.seen])
    except (OracleError, ArithmeticError):
        return 0.0
    got, wrong = answers.got, answers.wrong
    with np.errstate(all="ignore"):
        room = 32 * answers.fmt.unit_roundoff * (1 + np.abs(given) + np.abs(answers.exact)) + 16 * answers.fmt.smallest_normal
        same = (np.abs(got - given) <= room) | (got == given) | (np.isnan(got) & np.isnan(given))
        closer = same & ((np.abs(got - given) <= np.abs(got - answers.exact) / 2) | ~np.isfinite(got) | (got == given))
    if not same[wrong].all() or same.mean() < _MOST or closer[wrong].mean() < 0.5:
        return 0.0
    return float(same.mean() + closer[wrong].mean())


def _given(fmt: Format, whole: Node, kernel: Kernel, one: Unstable, seen: Seen, answers: Answers) -> Floats:
    """The losses of a call with each such kernel taken in that way: a symbol in its place, whose numbers are the way's."""
    loss, arithmetic = answers.loss, Arithmetic(fmt)
    given = seen.batch.of(loss)
    rows = {name: np.asarray(row, dtype=np.float64) for name, row in given.rows.items()}
    parameters = {name: Fraction(x) for name, x in {**loss.defaults, **given.parameters}.items()}
    exact = Arrays(rows, parameters)
    replaced: dict[Node, Node] = {}
    taken = dict(rows)
    for number, x in enumerate(y for y in walk(whole) if y.op is Op.KERNEL and y.kernel is kernel):
        name = f"kernel {number}"
        with np.errstate(all="ignore"):
            taken[name] = one.way(fmt.round_array(centre(exact.ball(x.args[0]))), arithmetic)
        replaced[x] = nodes.symbol(name)
    node = rebuilt(whole, lambda x, _: replaced.get(x))
    with np.errstate(all="ignore"):
        return np.asarray(centre(Arrays(taken, parameters).ball(node)))
