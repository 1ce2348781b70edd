"""Options far out: which is used in place of the one that is asked, told by the losses or, these right, the derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from conformance.clauses.trial import Trial
from conformance.diagnosis.hypotheses.cures import BETA, SMOOTHING
from conformance.diagnosis.probe import ask, wrong_derivatives, wrong_losses
from conformance.inputs.batch import Batch
from conformance.records.diagnosis import Cause, Kind
from conformance.records.record import Finding
from oracle.formats import Floats

BETAS = (-2.0, -0.5, 0.0, 2.0**-20, 2.0**-14, 512.0, 2048.0, 2.0**14)
SMOOTHINGS = (1.0, 0.875, 0.625, 2.0**-9, 2.0**-14, 2.0**-24, 2.0**-34, 2.0**-60)
_LOGIT = 64.0
"""Where the loss without smoothing is next to nothing, so that the smoothed one is label_smoothing * z."""
_NEAR = 0.1
"""Apart, relatively, of options that are one: bfloat16 tells them no better."""
_PLAIN = 0.25
"""An option that is not far out: what is wrong at it too is not wrong for the option's sake."""
_CLAUSES = {"OPTION-6": "beta", "OPTION-7": "label_smoothing"}


def alone(violated: Sequence[Finding]) -> bool:
    """Whether nothing but options far out is violated."""
    return all(finding.clause in _CLAUSES for finding in violated)


def optioned(trial: Trial, violated: Sequence[Finding]) -> Cause | None:
    """The option that is replaced and by what; None where no such clause is violated or nothing is replaced."""
    for finding in violated:
        option = _CLAUSES.get(finding.clause)
        if option is not None:
            return _of_beta(trial) if option == "beta" else _of_smoothing(trial)
    return None


def _of_beta(trial: Trial) -> Cause | None:
    """At eps 0 the loss tells its logit, and that the beta: margins of 1 / |beta|, so that the logit is 1 or -1."""

    def pair(beta: float) -> Batch | None:
        margin = 1 / abs(beta) if beta else 1.0
        if not trial.fmt.smallest_normal < margin < trial.fmt.largest / 4:
            return None
        return Batch.of([margin, -margin], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], beta=beta, label_smoothing=0.0)

    def used(losses: Floats, batch: Batch) -> float:
        pc, *_ = batch.logps
        return float(np.median(-np.log(np.expm1(losses)) / pc))

    return _asked(trial, "beta", BETAS, pair, used, _beta_of_slopes, BETA)


def _beta_of_slopes(slopes: Floats, batch: Batch) -> float:
    """From b sigma(-b m), times m: x sigma(-x), which grows with x = b m where it is negative, and is so at one of the two."""
    margin = batch.policy_chosen_logps
    told = slopes * margin
    lost = int(np.argmin(told))
    if told[lost] >= 0:
        return 0.0
    low, high = -(2.0**30), 0.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if middle / (1 + np.exp(middle)) < told[lost] else (low, middle)
    return float((low + high) / 2 / margin[lost])


def _of_smoothing(trial: Trial) -> Cause | None:
    def pair(eps: float) -> Batch | None:
        return Batch.of([_LOGIT], [0.0], [0.0], [0.0], beta=1.0, label_smoothing=eps)

    def used(losses: Floats, batch: Batch) -> float:
        return (float(losses[0]) - float(np.log1p(np.exp(-_LOGIT)))) / _LOGIT

    def by_slope(slopes: Floats, batch: Batch) -> float:
        return float(-slopes[0] / batch.beta)

    return _asked(trial, "label_smoothing", SMOOTHINGS, pair, used, by_slope, SMOOTHING)


def _asked(
    trial: Trial,
    option: str,
    values: Sequence[float],
    pair: Callable[[float], Batch | None],
    used: Callable[[Floats, Batch], float],
    by_slope: Callable[[Floats, Batch], float],
    cure: str,
) -> Cause | None:
    told: list[tuple[float, float]] = []
    sloped: list[tuple[float, float]] = []
    numbers, usual = 0, _instead(trial, pair(_PLAIN), used, by_slope)
    for value in trial.offered(option, values):
        batch = pair(value)
        if batch is None:
            continue
        numbers += 1
        part, instead = _instead(trial, batch, used, by_slope)
        if not part or _number(instead) == _number(value):  # nothing is wrong, or not for another option
            continue
        plain = _instead(trial, batch.at(**{option: _PLAIN}), used, by_slope)
        always = plain[0] == usual[0] == part and np.allclose([plain[1], usual[1]], instead, rtol=_NEAR)
        if plain[0] and not always:
            continue  # the pairs are wrong at an option that is not far out too, and not for one that is always used
        (told if part == "loss" else sloped).append((value, instead))
    part, told = ("loss", told) if told else ("derivatives", sloped)
    if not told:
        return None
    shown = ", ".join(f"{_number(instead)} for {value:.4g}" for value, instead in told[:4])
    says = f"{'' if part == 'loss' else 'those of '}the loss at another {option} than is asked: {shown}"
    where = f"at a {option} far out"
    taken = {_number(instead) for _, instead in told}
    if len(taken) == 1 and len(told) > 4:
        says = f"{'' if part == 'loss' else 'those of '}the loss at {option} {taken.pop()}, whatever is asked"
    return Cause(f"another {option}", Kind.FORMULA, part, says, where, cure, numbers, len(told))


def _instead(
    trial: Trial, batch: Batch | None, used: Callable[[Floats, Batch], float], by_slope: Callable[[Floats, Batch], float]
) -> tuple[str, float]:
    """Which part is wrong, "loss" or "derivatives", and the option that it tells; "" where nothing is wrong or answered."""
    if batch is None:
        return "", 0.0
    call = ask(trial, "", batch, mean=trial.single)
    if call.answer is None:
        return "", 0.0
    with np.errstate(all="ignore"):
        if wrong_losses(trial, call).any():
            return "loss", used(np.resize(call.losses, len(batch)), batch)
        slopes = None if call.mean else dict(call.derivatives()).get(0)
        if slopes is not None and wrong_derivatives(trial, call).any():
            return "derivatives", by_slope(-slopes, batch)
    return "", 0.0


def _number(value: float) -> str:
    """A number that was worked out, to the two digits that the narrowest format tells."""
    nothing = abs(value) < 2.0**-70
    return "none" if np.isnan(value) else "0" if nothing else f"{float(f'{value:.2g}'):g}"
