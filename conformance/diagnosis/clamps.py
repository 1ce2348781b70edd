"""Losses of something that is clamped first, or clamped themselves, at a bound that is worked out from the answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from conformance.diagnosis.forms import SMOOTHED, At, Form, mixed_size
from conformance.diagnosis.points import Points
from conformance.diagnosis.variants import Logps, Variant
from oracle.bounds import Mask
from oracle.formats import Floats

CURE = "Take the clamp away: a stable log-sigmoid is finite at every logit, and a clamp has derivative 0 beyond its bound."
_DIGITS = (1, 2, 3, 4, 6)
"""Significant digits to which a bound that somebody wrote is likely to be round."""
_FLOORS = (50.0, 100.0, 1e3, 1e4)
"""Of log-probabilities, besides."""
_USUAL = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0)
"""Bounds of what is not told by a loss alone."""
Bounds = tuple[float, float]


def clamped(asked: Points) -> Iterator[Variant]:
    """Of the logit, of the margin, of the loss; of the log-ratios and of the log-probabilities at usual bounds."""
    got, plain = asked.got(), asked.wrong & (asked.eps == 0) & (asked.beta > 0)
    with np.errstate(all="ignore"):
        logit = -np.log(np.expm1(got))
        margin = logit / asked.beta
    for low, high in _bounds(asked.z, logit, plain):
        yield _of_logit("logit", low, high, lambda at: 1.0)
    yield from _soft(logit[plain & (asked.z < 0)])
    for low, high in _bounds(asked.margin, margin, plain):
        yield _of_logit("margin", low, high, lambda at: at.beta)
    for most in _rounded(_common(got[plain & (asked.z < 0)])):
        yield Variant(f"loss clamped to {most:g}", f"the loss clamped to {most:.9g}", CURE, form=_at_most(most))
    for bound in _USUAL:
        yield Variant(
            f"log-ratios clamped to {bound:g}",
            f"the loss of log-ratios clamped to [-{bound:g}, {bound:g}]",
            CURE,
            before=_ratios(bound),
        )
    for bound in (*_USUAL, *_FLOORS):
        yield Variant(
            f"log-probabilities above -{bound:g}",
            f"the loss of log-probabilities that are held at -{bound:g} or above",
            CURE,
            before=_floor(bound),
        )


def _soft(logit: Floats) -> Iterator[Variant]:
    """c tanh(z / c), a cap that sets in gradually: the largest loss tells c."""
    finite = logit[np.isfinite(logit)]
    for most in _rounded(float(np.abs(finite).max()) if finite.size else math.nan):
        says = f"the loss of a logit capped softly, {most:g} tanh(z / {most:g})"
        yield Variant(f"logit capped softly at {most:g}", says, CURE, form=_capped(most))


def _capped(most: float) -> Form:
    def held(at: At) -> At:
        return replace(at, z=most * np.tanh(at.z / most))

    return Form(lambda at: SMOOTHED.value(held(at)), None, lambda at: mixed_size(held(at)) + np.abs(held(at).z))


def _bounds(asked: Floats, told: Floats, plain: Mask) -> Iterator[Bounds]:
    """(low, high), each infinite where nothing is clamped on that side."""
    high, low = (_common(told[plain & side]) for side in (asked > 0, asked < 0))
    for digits in _DIGITS:
        ends = [float(f"{end:.{digits}g}") if math.isfinite(end) else math.inf for end in (-low, high)]
        if min(ends) < math.inf:
            yield -ends[0], ends[1]


def _common(values: Floats) -> float:
    """The number that they all are, but for roundings; NaN where they are none."""
    finite = values[np.isfinite(values)]
    if not len(finite) or len(finite) < len(values) or np.ptp(finite) > 2.0**-4 * abs(np.median(finite)) + 2.0**-6:
        return math.nan
    return float(np.median(finite))


def _rounded(value: float) -> list[float]:
    return [float(f"{value:.{digits}g}") for digits in _DIGITS] if math.isfinite(value) and value > 0 else []


def _of_logit(what: str, low: float, high: float, unit: Callable[[At], float]) -> Variant:
    def held(at: At) -> At:
        return replace(at, z=np.clip(at.z, low * unit(at), high * unit(at)))

    def slope(at: At) -> Floats:
        assert SMOOTHED.slope is not None
        inside = (at.z >= low * unit(at)) & (at.z <= high * unit(at))
        return np.where(inside, SMOOTHED.slope(held(at)), 0.0)

    told = (
        f"clamped to [{low:.9g}, {high:.9g}]"
        if math.isfinite(low + high)
        else f"held at {high:.9g} or below"
        if math.isfinite(high)
        else f"held at {low:.9g} or above"
    )
    before = ", before beta" if what == "margin" else ""
    form = Form(lambda at: SMOOTHED.value(held(at)), slope, lambda at: SMOOTHED.size(held(at)) if SMOOTHED.size else at.f)
    return Variant(f"{what} {told}", f"the loss of a {what} {told}{before}", CURE, form=form)


def _at_most(most: float) -> Form:
    def slope(at: At) -> Floats:
        assert SMOOTHED.slope is not None
        return np.where(SMOOTHED.value(at) <= most, SMOOTHED.slope(at), 0.0)

    return Form(lambda at: np.minimum(SMOOTHED.value(at), most), slope, SMOOTHED.size)


def _ratios(bound: float) -> Callable[[Logps], Logps]:
    def change(x: Logps) -> Logps:
        chosen, rejected = (np.clip(ratio, -bound, bound) for ratio in (x[0] - x[2], x[1] - x[3]))
        return chosen, rejected, np.zeros_like(chosen), np.zeros_like(chosen)

    return change


def _floor(bound: float) -> Callable[[Logps], Logps]:
    def change(x: Logps) -> Logps:
        pc, pr, rc, rr = (np.maximum(values, -bound) for values in x)
        return pc, pr, rc, rr

    return change
