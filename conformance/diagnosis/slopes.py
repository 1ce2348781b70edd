"""Why the derivatives of a named loss are wrong where its losses are right."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from conformance.diagnosis.hypotheses.cures import FACTOR
from conformance.diagnosis.identification import Seen, derivatives
from conformance.diagnosis.rewritten import changed, cut, known, others, slipped, variants
from conformance.diagnosis.trials import Answers, candidate
from conformance.records.diagnosis import Cause, Kind
from oracle.bounds import centre
from oracle.expressions.nodes import constant, total
from oracle.formats import Floats
from oracle.losses import Loss

BACKWARD = (
    "Let autograd differentiate the loss: no .detach(), .item(), .data or no_grad between a log-probability and the loss that "
    "the definition does not have, and what it holds fixed is detached; a handwritten backward multiplies by grad_output once."
)
_FACTORS = {
    "halved": (Fraction(1, 2), "half of the right ones"),
    "doubled": (Fraction(2), "twice the right ones"),
    "negated": (Fraction(-1), "the right ones with the opposite sign"),
}


def of_derivatives(answers: Answers) -> list[Cause]:
    """What explains them, of all or of one argument's; empty where they are right or nothing does."""
    loss = answers.loss
    if answers.gives_derivatives(loss) or not any(one.gradient for one in answers.seen):
        return []
    counts = [derivatives(candidate(loss), one, answers.analysis(loss, one)) for one in answers.seen if one.gradient]
    agreed, numbers = (sum(part) for part in zip(*counts, strict=True))
    for key, says, cure, made in _hypotheses(loss, whole=answers.whole):
        if answers.gives_derivatives(made):
            return [Cause(key, Kind.GRADIENT, "derivatives", says, "", cure, numbers, numbers - agreed)]
    return list(_by_argument(answers))


def _hypotheses(loss: Loss, *, whole: bool) -> Iterator[tuple[str, str, str, Loss]]:
    for key, (factor, says) in _FACTORS.items():
        yield key, says, FACTOR, changed(loss, key, loss.definition * constant(factor))
    if whole:
        yield "times n", "those of the sum, not of the mean", FACTOR, changed(loss, "times n", total(loss.definition))
    for made in known(loss):
        yield made.key, f"those of {made.says}", BACKWARD, made.loss
    for key, says, definition in cut(loss.definition):
        yield key, f"those of {loss.name} with {says}", BACKWARD, changed(loss, key, definition)
    for made in (*variants(loss, whole=whole), *others(loss), *slipped(loss)):
        yield made.key, f"those of {made.says}", BACKWARD, made.loss


def _by_argument(answers: Answers) -> Iterator[Cause]:
    """In which arguments they are wrong, and by which factor."""
    for name in answers.loss.logps:
        parts = [_wrong(answers, one, name) for one in answers.seen if one.gradient.get(name) is not None]
        if not parts:
            continue
        got, exact = np.concatenate([part for part, _ in parts], axis=1)
        if got.size:
            numbers = sum(judged for _, judged in parts)
            told = _told(got, exact)
            key = f"derivatives in {name}: {told}"
            yield Cause(key, Kind.GRADIENT, "derivatives", told, f"in {name}", BACKWARD, numbers, got.size)


def _wrong(answers: Answers, one: Seen, name: str) -> tuple[Floats, int]:
    """(the wrong derivatives and the exact ones, shape (2, k); how many were judged)."""
    got = one.gradient[name]
    assert got is not None
    bound, judged, bad = answers.slopes(one, name)
    return np.stack([got[bad], centre(bound.exact)[bad]]), int(judged.sum())


def _told(got: Floats, exact: Floats) -> str:
    with np.errstate(all="ignore"):
        ratios = got / exact
    middle = float(np.median(ratios))
    if np.isnan(got).all():
        return "NaN"
    if (got == 0).all():
        return "0"
    constant_ratio = np.isfinite(ratios).all() and np.ptp(ratios) <= 0.02 * abs(middle)
    return f"{middle:.3g} times the right ones" if constant_ratio else "other numbers"
