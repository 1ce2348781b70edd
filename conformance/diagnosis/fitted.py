"""Linear variants that are worked out from the answers: the coefficients of another logit, and a term added to the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np

from conformance.diagnosis.hypotheses.cures import FORMULA
from conformance.diagnosis.points import Points
from conformance.diagnosis.variants import RIGHT_MARGIN, Coefficients, Logps, Term, Variant
from oracle.formats import Floats

_POWERS = (1, 0, 2, -1)
"""Of beta, that a coefficient may carry; the likeliest first."""
_CONSTANTS = {1 / np.log(2): "1 / ln 2", np.log(2): "ln 2", 1 / np.log(10): "1 / ln 10", np.log(10): "ln 10"}
_DIGITS = (1, 2, 3, 4)
_TELLING = (2.0**-5, 6.0)
"""|z| at which a loss tells its logit well in every format."""
_LEAST = 0.02
"""A coefficient below that, of a term that is wrong at all, is taken for 0."""
_NAMES = ("pc", "pr", "rc", "rr")
_PENALTY = 5

Fit = dict[float, tuple[Floats, Floats]]
"""By beta: the coefficients, and the size of their errors."""


def linear(asked: Points) -> Iterator[Variant]:
    """Another logit that is linear in the four log-probabilities, and a linear term, or a penalty, beside the loss."""
    yield from _logits(asked)
    yield from _terms(asked)


def _fit(asked: Points, told: Callable[[Floats, Floats], tuple[Floats, Floats]], columns: Callable[[Logps], Floats]) -> Fit:
    """Least squares at each beta of the unsmoothed calls; told(got, z) gives what is fitted, and its weights."""
    got = asked.got()
    found: Fit = {}
    plain = (asked.eps == 0) & (asked.beta > 0) & (asked.n == 16)
    for beta in np.unique(asked.beta[plain]):
        rows = np.flatnonzero(plain & (asked.beta == beta))
        with np.errstate(all="ignore"):
            wanted, weights = told(got[rows], asked.z[rows])
        sound = np.isfinite(wanted) & np.isfinite(weights) & (weights > 0)
        pc, pr, rc, rr = asked.logps[:, rows[sound]]
        matrix = columns((pc, pr, rc, rr))
        if sound.sum() <= matrix.shape[1]:
            continue
        weighed = matrix * weights[sound][:, np.newaxis]
        solved, _, rank, _ = np.linalg.lstsq(weighed, wanted[sound] * weights[sound], rcond=None)
        if rank == matrix.shape[1]:
            errors = np.sqrt(np.diag(np.linalg.inv(weighed.T @ weighed)))
            found[float(beta)] = (np.asarray(solved, np.float64), np.asarray(errors, np.float64))
    return found


def _columns(logps: Logps) -> Floats:
    return np.stack([*logps, np.ones_like(logps[0])], axis=1)


def _powers(fit: Fit, column: int) -> tuple[int, float]:
    """(the power of beta that a coefficient carries, the coefficient): the likeliest that all betas bear out."""
    scored = []
    for power in _POWERS:
        values = np.array([solved[column] / beta**power for beta, (solved, _) in fit.items()])
        errors = np.array([error[column] / beta**power for beta, (_, error) in fit.items()])
        centre = float(np.sum(values / errors**2) / np.sum(1 / errors**2))
        scored.append((float(np.sum(((values - centre) / errors) ** 2)), _POWERS.index(power), power, centre))
    _, _, power, centre = min(scored)
    return (power, centre) if abs(centre) > _LEAST else (1, 0.0)


def _rounded(value: float, digits: int) -> float:
    for constant in _CONSTANTS:
        if abs(abs(value) - constant) < 0.01 * constant and digits > 1:
            return float(np.copysign(constant, value))
    return float(f"{value:.{digits}g}") + 0.0


def _logits(asked: Points) -> Iterator[Variant]:
    def told(got: Floats, _: Floats) -> tuple[Floats, Floats]:
        z = -np.log(np.expm1(got))
        sound = (np.abs(z) > _TELLING[0]) & (np.abs(z) < _TELLING[1])
        return z, np.where(sound, 1 / (1 + np.exp(z)) / got, 0.0)

    fit = _fit(asked, told, _columns)
    if len(fit) < 2:
        return
    found = [_powers(fit, column) for column in range(5)]
    for digits in _DIGITS:
        numbers = [(power, _rounded(value, digits)) for power, value in found]
        if all(number == (1, right) for number, right in zip(numbers[:4], RIGHT_MARGIN, strict=True)) and not numbers[4][1]:
            continue
        yield _logit(numbers)


def _logit(numbers: Sequence[tuple[int, float]]) -> Variant:
    *terms, (power, constant) = numbers

    def margin(beta: float, _: float) -> Coefficients:
        pc, pr, rc, rr = (value * beta**k if value else 0.0 for k, value in terms)
        return pc, pr, rc, rr

    written = _written([*((name, *term) for name, term in zip(_NAMES, terms, strict=True)), ("", power, constant)])
    right = all(term == (1, one) for term, one in zip(terms, RIGHT_MARGIN, strict=True))
    if right:
        said = "less" if constant < 0 else "plus"
        says = f"the loss of z {said} {_written([('', power, abs(constant))])}: a constant is added to the logit"
    else:
        says = f"the loss of another logit: z = {written}"
    return Variant("another logit", says, FORMULA, margin=margin, shift=lambda b, e: constant * b**power if constant else 0.0)


def _terms(asked: Points) -> Iterator[Variant]:
    """Something linear in the log-probabilities, or max(0, rc - pc), added to the loss."""

    def told(got: Floats, z: Floats) -> tuple[Floats, Floats]:
        exact = np.logaddexp(0, -z)
        return got - exact, 1 / (np.abs(got) + exact + 0.1)

    def columns(logps: Logps) -> Floats:
        return np.column_stack([_columns(logps), np.maximum(logps[2] - logps[0], 0)])

    fit = _fit(asked, told, columns)
    if len(fit) < 2:
        return
    found = [_powers(fit, column) for column in range(6)]
    for digits, alone in product(_DIGITS, (True, False)):
        numbers = [(power, _rounded(value, digits)) for power, value in found]
        if alone:
            largest = max(range(6), key=lambda column: abs(numbers[column][1]))
            numbers = [number if column == largest else (1, 0.0) for column, number in enumerate(numbers)]
        if any(value for _, value in numbers):
            yield _term(numbers)


def _term(numbers: Sequence[tuple[int, float]]) -> Variant:
    powers = {power for power, value in numbers if value}
    slopes: Coefficients = (0.0, 0.0, 0.0, 0.0)
    of: Callable[[float], float] = lambda beta: 1.0  # noqa: E731 - replaced where it carries beta
    if len(powers) == 1 and not numbers[_PENALTY][1]:
        (power,) = powers
        pc, pr, rc, rr = (value for _, value in numbers[:4])
        slopes, of = (pc, pr, rc, rr), lambda beta: beta**power

    def value(logps: Logps, beta: float) -> Floats:
        pc, _, rc, _ = logps
        parts = (*logps, np.ones_like(pc), np.maximum(rc - pc, 0))
        return np.asarray(sum(number * beta**k * part for (k, number), part in zip(numbers, parts, strict=True) if number))

    names = (*_NAMES, "", "max(0, rc - pc)")
    written = _written([(name, *number) for name, number in zip(names, numbers, strict=True)])
    says = f"the loss, and added to it {written}: a term of another loss"
    cure = "Return the preference loss alone; add a supervised term or a penalty where the losses are summed, under a name."
    return Variant("a term added", says, cure, term=Term(value, slopes, of))


def _written(terms: Sequence[tuple[str, int, float]]) -> str:
    """A sum, as people write it."""
    text = ""
    for name, power, value in terms:
        if value:
            number = _number(abs(value))
            parts = [part for part in (number if number != "1" or not (name or power) else "", _power(power), name) if part]
            sign = "-" if value < 0 else "+"
            text += f" {sign} {' '.join(parts)}" if text else f"{'-' if value < 0 else ''}{' '.join(parts)}"
    return text or "0"


def _number(value: float) -> str:
    return f"({_CONSTANTS[value]})" if value in _CONSTANTS else f"{value:.4g}"


def _power(power: int) -> str:
    return {0: "", 1: "beta", 2: "beta^2", -1: "1/beta"}[power]
