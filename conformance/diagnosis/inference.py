"""Variants with a number that is worked out from the answers: another beta, another label smoothing, a factor, a shift."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from conformance.diagnosis.forms import SMOOTHED, Form
from conformance.diagnosis.hypotheses.cures import BETA, FACTOR, FORMULA, SMOOTHING
from conformance.diagnosis.points import Points
from conformance.diagnosis.variants import Variant, predicted
from oracle.bounds import Mask
from oracle.formats import Floats

_DIGITS = (1, 2, 3, 4, 6)
"""Significant digits to which a number that somebody wrote is likely to be round."""
_MODERATE = (0.25, 8.0)
"""|z| at which a loss tells its logit well in every format."""


def inferred(asked: Points) -> Iterator[Variant]:
    """Variants whose numbers fit at least the answers that they were worked out from."""
    yield from _options(
        asked, "beta", asked.beta, asked.eps == 0, _beta, lambda old, new: lambda b, e: (_looked(old, new, b), e), BETA
    )
    yield from _options(
        asked,
        "label_smoothing",
        asked.eps,
        asked.beta > 0,
        _smoothing,
        lambda old, new: lambda b, e: (b, _looked(old, new, e)),
        SMOOTHING,
    )
    yield from _factor(asked)


Estimate = Callable[[Points, Mask, Floats], float]
Lookup = Callable[[list[float], list[float]], Callable[[float, float], tuple[float, float]]]


def _looked(old: list[float], new: list[float], value: float) -> float:
    return new[old.index(value)] if value in old else value


def _options(
    asked: Points, name: str, values: Floats, usable: Mask, estimate: Estimate, lookup: Lookup, cure: str
) -> Iterator[Variant]:
    """One option taken as another number, by what was asked."""
    got = asked.got()
    table: dict[float, float] = {}
    for value in np.unique(values[asked.wrong & usable]):
        rows = usable & (values == value)
        table[float(value)] = _round(estimate(asked, rows, got), asked, rows, float(value), lookup)
    changed = {old: new for old, new in table.items() if np.isfinite(new) and new != old}
    if not changed:
        return
    told = ", ".join(f"{new:.6g} for {old:.6g}" for old, new in changed.items())
    says = f"the loss at another {name} than was asked: {told}"
    yield Variant(f"another {name}", says, cure, options=lookup(list(changed), list(changed.values())))


def _beta(asked: Points, rows: Mask, got: Floats) -> float:
    """The beta that the losses tell: -log(expm1(loss)) / margin, where that is well conditioned."""
    with np.errstate(all="ignore"):
        z = -np.log(np.expm1(got[rows]))
        if (np.abs(z) < 2.0**-4).all():
            return 0.0
        found = z / asked.margin[rows]
        sound = (np.abs(z) > _MODERATE[0]) & (np.abs(z) < _MODERATE[1]) & np.isfinite(found)
    return float(np.median(found[sound])) if sound.any() else float("nan")


def _smoothing(asked: Points, rows: Mask, got: Floats) -> float:
    """The label smoothing that the losses tell: (loss - softplus(-z)) / z."""
    with np.errstate(all="ignore"):
        z = asked.z[rows]
        found = (got[rows] - np.logaddexp(0, -z)) / z
        sound = (z > 3) & np.isfinite(found)
    return float(np.median(found[sound])) if sound.any() else float("nan")


def _round(estimate: float, asked: Points, rows: Mask, value: float, lookup: Lookup) -> float:
    """The roundest number near the estimate that fits the calls it comes from; the estimate itself where none does."""
    if not np.isfinite(estimate):
        return estimate
    for digits in _DIGITS:
        candidate = float(f"{estimate:.{digits}g}") + 0.0
        variant = Variant("", "", "", options=lookup([value], [candidate]))
        if abs(candidate - estimate) <= 0.02 * abs(estimate) + 1e-9 and _fits(variant, asked, rows):
            return candidate
    return estimate


def _fits(variant: Variant, asked: Points, rows: Mask) -> bool:
    start = 0
    for call in asked.calls:
        these = slice(start, start + len(call.batch))
        start += len(call.batch)
        if rows[these].any():
            found = predicted(variant, call.batch, asked.probe.trial.fmt).losses.holds(call.losses)
            return bool(found[rows[these]].all())
    return False


def _factor(asked: Points) -> Iterator[Variant]:
    """A constant ratio, or a constant difference, of what was got and what is exact."""
    got, rows = asked.got(), asked.wrong & (np.abs(asked.z) < _MODERATE[1])
    exact = np.logaddexp(0, -asked.z) + asked.eps * asked.z
    if not rows.any():
        return
    with np.errstate(all="ignore"):
        ratio, shift = float(np.median(got[rows] / exact[rows])), float(np.median(got[rows] - exact[rows]))
    for number in _numbers(ratio):
        yield Variant("a constant factor", f"the loss times {number:.6g}", FACTOR, scale=_constant(number))
    for number in _numbers(shift):
        yield Variant(
            "a constant added", f"the loss {'plus' if number > 0 else 'less'} {abs(number):.6g}", FORMULA, form=_shifted(number)
        )


def _constant(factor: float) -> Callable[[int, float, float], float]:
    return lambda n, b, e: factor


def _shifted(shift: float) -> Form:
    return Form(
        lambda at: SMOOTHED.value(at) + shift, SMOOTHED.slope, lambda at: at.f + at.eps * (np.abs(at.z) + at.g) + abs(shift)
    )


def _numbers(estimate: float) -> list[float]:
    """The estimate as people write numbers, and itself."""
    if not np.isfinite(estimate) or estimate == 0:
        return []
    return [*(float(f"{estimate:.{digits}g}") for digits in _DIGITS), estimate]
