"""Variants with a number that is worked out from the answers: another beta, another label smoothing, a factor, a shift."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from conformance.diagnosis.forms import SMOOTHED, Form
from conformance.diagnosis.hypotheses.cures import BETA, FACTOR, FORMULA, SMOOTHING
from conformance.diagnosis.hypotheses.margins import margin_of, net
from conformance.diagnosis.points import Points, holds
from conformance.diagnosis.variants import Logps, Variant
from oracle import Format
from oracle.bounds import Mask
from oracle.formats import Floats

_DIGITS = (1, 2, 3, 4, 6)
"""Significant digits to which a number that somebody wrote is likely to be round."""
_DECIMALS = (
    "one decimal",
    *(
        f"{many} decimals"
        for many in ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    ),
)
WHOLE_DIGITS = "Return the loss as it is computed: round where it is printed, not where it is returned."
WHOLE_NUMBERS = "Compute with the log-probabilities as they come in and round where they are printed: a rounding has no slope."
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
    yield from _added(asked)


def inferred_slopes(asked: Points) -> Iterator[Variant]:
    """The same of derivatives: those at another beta or label smoothing, or times a factor."""
    yield from _options(
        asked,
        "beta",
        asked.beta,
        asked.eps == 0,
        _beta_of_slopes,
        lambda old, new: lambda b, e: (_looked(old, new, b), e),
        BETA,
    )
    yield from _options(
        asked,
        "label_smoothing",
        asked.eps,
        asked.beta > 0,
        _smoothing_of_slopes,
        lambda old, new: lambda b, e: (b, _looked(old, new, e)),
        SMOOTHING,
    )
    yield from _factor_of_slopes(asked)


Estimate = Callable[[Points, Mask, Floats], float]
Lookup = Callable[[list[float], list[float]], Callable[[float, float], tuple[float, float]]]


def _looked(old: list[float], new: list[float], value: float) -> float:
    return new[old.index(value)] if value in old else value


def _options(
    asked: Points, name: str, values: Floats, usable: Mask, estimate: Estimate, lookup: Lookup, cure: str
) -> Iterator[Variant]:
    """One option taken as another number, by what was asked."""
    got = asked.got() if asked.part == "loss" else asked.slopes()
    table: dict[float, float] = {}
    for value in np.unique(values[asked.wrong & usable]):
        rows = usable & (values == value)
        table[float(value)] = _round(estimate(asked, rows, got), asked, rows, float(value), lookup)
    changed = {old: new for old, new in table.items() if np.isfinite(new) and new != old}
    if not changed:
        return
    told, taken = ", ".join(f"{new:.6g} for {old:.6g}" for old, new in changed.items()), set(changed.values())
    says = f"the loss at another {name} than was asked: {told}"
    if len(taken) == 1 and len(changed) > 2 and set(np.unique(values[usable])) <= {*changed, *taken}:
        says = f"the loss at {name} {taken.pop():.6g}, whatever is asked"
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


def _beta_of_slopes(asked: Points, rows: Mask, slopes: Floats) -> float:
    """The beta b at which b sigma(-b m) is the derivative that was got, of lost pairs, by bisection: it grows with b there."""
    lost = rows & (asked.margin < 0) & np.isfinite(slopes)
    if not lost.any():
        return float("nan")
    if not slopes[lost].any():
        return 0.0
    wanted, margin = slopes[lost] * asked.beta[lost], asked.margin[lost]
    low, high = np.zeros(len(wanted)), np.full(len(wanted), 2.0**20)
    for _ in range(80):
        middle = (low + high) / 2
        with np.errstate(over="ignore"):
            above = middle / (1 + np.exp(middle * margin)) > wanted
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return float(np.median((low + high) / 2))


def _smoothing_of_slopes(asked: Points, rows: Mask, slopes: Floats) -> float:
    """The label smoothing that the derivatives of won pairs tell: sigma(-z) less what was got."""
    won = rows & (asked.z > 3) & np.isfinite(slopes)
    with np.errstate(over="ignore"):
        return float(np.median(1 / (1 + np.exp(asked.z[won])) - slopes[won])) if won.any() else float("nan")


def _factor_of_slopes(asked: Points) -> Iterator[Variant]:
    """A constant ratio of what was got and what is exact, or of the part of it that is no label smoothing."""
    slopes, rows = asked.slopes(), asked.wrong & (asked.eps == 0) & (np.abs(asked.z) < _MODERATE[1])
    rows &= np.isfinite(slopes)
    if not rows.any():
        return
    ratio = float(np.median(slopes[rows] * (1 + np.exp(asked.z[rows]))))
    for number in _factors(ratio):
        says = f"the loss, times {number:.6g}"
        yield Variant("derivatives times a constant", says, FACTOR, scale=_constant(number))
        yield Variant("derivatives times a constant", says, FACTOR, form=_sloped(number))


def _sloped(factor: float) -> Form:
    return Form(SMOOTHED.value, lambda at: at.eps - factor * at.s, SMOOTHED.size)


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
            return bool(holds(variant, call, asked.probe, asked.part)[rows[these]].all())
    return False


def _factor(asked: Points) -> Iterator[Variant]:
    """A constant ratio, or a constant difference, of what was got and what is exact."""
    got, rows = asked.got(), asked.wrong & (np.abs(asked.z) < _MODERATE[1])
    exact = np.logaddexp(0, -asked.z) + asked.eps * asked.z
    if not rows.any():
        return
    with np.errstate(all="ignore"):
        ratio, shift = float(np.median(got[rows] / exact[rows])), float(np.median(got[rows] - exact[rows]))
    for number in _factors(ratio):
        yield Variant("a constant factor", f"the loss times {number:.6g}", FACTOR, scale=_constant(number))
    seen = abs(shift) > 16 * asked.probe.trial.fmt.unit_roundoff * float(np.median(np.abs(exact[rows])))
    for number in _numbers(shift) if seen else ():
        yield Variant("a constant added", _moved(number), FORMULA, form=_shifted(number))


def _added(asked: Points) -> Iterator[Variant]:
    """A constant beside which the loss of the pairs that are won by far is nothing: what is got there."""
    got = asked.got()
    with np.errstate(all="ignore"):
        far = asked.wrong & (asked.eps == 0) & (np.logaddexp(0, -asked.z) < np.abs(got) * asked.probe.trial.fmt.unit_roundoff)
    if not far.any() or not np.isfinite(got[far]).all():
        return
    for number in _numbers(float(np.median(got[far]))):
        yield Variant("a constant added", _moved(number), FORMULA, form=_shifted(number))


def _moved(number: float) -> str:
    return f"the loss {'plus' if number > 0 else 'less'} {abs(number):.6g}"


def decimals(asked: Points) -> Iterator[Variant]:
    """So few decimals that every finite loss has no more."""
    fmt, got = asked.probe.trial.fmt, asked.got()
    finite = got[np.isfinite(got)]
    for count, told in enumerate(_DECIMALS, 1):
        if finite.size and (fmt.round_array(np.round(finite, count)) == finite).all():
            yield Variant(f"{count} decimals", f"the loss rounded to {told}", WHOLE_DIGITS, after=_to_decimals(count, fmt))
            return


def rounded(asked: Points) -> Iterator[Variant]:
    """The log-probabilities, or what is made of them before the logit, rounded to a few decimals."""
    for count, told in enumerate(_DECIMALS[:6], 1):
        for what, before in _stages(_to_decimals(count, asked.probe.trial.fmt)):
            says = f"the loss with the {what} rounded to {told}"
            yield Variant(f"{what} to {count} decimals", says, WHOLE_NUMBERS, before=before, slopes=False)


def _stages(to: Callable[[Floats], Floats]) -> Iterator[tuple[str, Callable[[Logps], Logps]]]:
    """What of the log-probabilities may be rounded, and the log-probabilities that give the same."""

    def each(x: Logps) -> Logps:
        pc, pr, rc, rr = map(to, x)
        return pc, pr, rc, rr

    yield "log-probabilities", each
    yield "log-ratios", lambda x: (to(x[0] - x[2]), to(x[1] - x[3]), 0 * x[2], 0 * x[3])
    yield "margin", lambda x: net(to(margin_of(x)))


def _to_decimals(count: int, fmt: Format) -> Callable[[Floats], Floats]:
    return lambda values: fmt.round_array(np.round(values, count))


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


def _factors(estimate: float) -> list[float]:
    """The same of a factor, which is not told where it reads as 1."""
    return [number for number in _numbers(estimate) if f"{number:.6g}" != "1"]
