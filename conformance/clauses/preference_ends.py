"""PREF, at the ends and from outside: log-probabilities of 0, where a loss may be singular, parameters at the ends that they
exclude, and derivatives that come in.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from conformance.clauses.model import Outcome
from conformance.clauses.preference import chapter
from conformance.clauses.preference_tally import Judge
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.inputs.losses import LossBatch, common
from conformance.records.record import Level
from oracle.losses import Parameter

__all__ = ["chapter"]


@chapter.clause(
    14,
    Level.SHOULD,
    "a certain response",
    statement="Where a log-probability of 0 makes the definition singular and the loss has a limit there, the loss should be "
    "that limit and, where it is finite, each derivative its own.",
    derivation="A response that is all but certain has the log-probability 0 once it is rounded. ORPO's log-odds are infinite "
    "there, and its loss is not: log(1 + expm1(-p) e^L), L the rejected response's log-odds, is 0 at an average p = 0 and "
    "falls with the slope e^L, where the derivative of log(1 - e^p), an infinity times 0, is NaN and spoils every weight. The "
    'limits are worked out from the definition (docs/termination.md, "Limits"); within 32 unit roundoffs of a finite one, and '
    "what its terms may lose.",
    remedy="Write the loss so that no infinity is multiplied by 0: near 0 ORPO's term as log1p(expm1(-p) e^L).",
)
def certain(trial: Trial) -> Outcome:
    """The six pairs with one policy log-probability after the other at 0; only where the definition is singular there."""
    judge = Judge(trial)
    if judge.loss.has_batch_state:
        return Outcome(0, 0, note="a loss of a whole batch has no limit of one pair", not_claimed=True)
    for base in (judge.telling(common()), judge.plain(common())):
        for name in (name for name in judge.loss.logps if name.startswith("policy_")):
            judge.at_poles(LossBatch({**base.rows, name: np.zeros(len(base))}, base.parameters))
    return judge.outcome()


@chapter.clause(
    15,
    Level.SHOULD,
    "parameters that are excluded",
    statement="Asked at an end that a parameter's domain excludes, it should refuse, or return what is not finite, or the "
    "limit at that end; not another number.",
    derivation="A parameter that is quietly replaced (a label smoothing of 0 by 0.001) trains by a loss that nobody asked for. "
    "The limit is taken of the exact loss, 2^-40 and 2^-60 within the end: where the two are a millionth apart there is none, "
    "and a hundredth tells another number from one that there is.",
    remedy="Raise an error that names the parameter and its domain (the loss's page has it).",
)
def excluded(trial: Trial) -> Outcome:
    """Each claimed parameter at each end that its domain leaves out, at the six pairs."""
    judge, told, asked = Judge(trial), [], 0
    base = judge.telling(common())
    for parameter in judge.loss.parameters:
        for x in _left_out(parameter) if parameter.name in trial.implementation.claims.options else ():
            asked += 1
            try:
                told += judge.at_excluded(base, parameter, x)
            except Misbehaviour as error:
                if error.kind != "raised":
                    raise
    if not asked:
        return Outcome(0, 0, note="it claims no parameter with an end that is excluded", not_claimed=True)
    return Outcome(asked, len(told), note="; ".join(told))


def _left_out(parameter: Parameter) -> Iterator[float]:
    domain = parameter.domain
    yield from (
        float(x) for x, out in ((domain.low, domain.low_open), (domain.high, domain.high_open)) if out and x is not None
    )
    if domain.nonzero:
        yield 0.0


@chapter.clause(
    16,
    Level.MUST,
    "derivatives that come in",
    needs=("gradient",),
    statement="The derivatives of a sum of losses that are each weighted, or of a multiple of a mean, divided by the weights, "
    "shall lie in the intervals of the derivatives.",
    derivation="A training step weighs its pairs, divides by the steps of accumulation, or scales the loss in binary16: a "
    "backward pass of its own must multiply by what comes in, pair by pair. The weights are powers of two, so that nothing is "
    "lost by them.",
    remedy="Multiply by the incoming derivative, element by element, in the backward pass.",
)
def incoming(trial: Trial) -> Outcome:
    """The six pairs, at the weights 1, 2, -4, 8, -1 and -2; a mean, and what has the state of a batch, times 4."""
    judge = Judge(trial)
    if not judge.weighs:
        return Outcome(0, 0, note="its derivatives are its own, of the plain sum", not_claimed=True)
    judge.weighed(judge.telling(common()))
    return judge.outcome()
