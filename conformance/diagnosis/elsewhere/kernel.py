"""A log-sigmoid that is wrong on one path alone, or in bands of its logits: a branch, or the entries of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from conformance.clauses.trial import Trial
from conformance.diagnosis.explaining import best
from conformance.diagnosis.points import Part, points
from conformance.diagnosis.probe import LOGITS, ask, judged, wrong_derivatives, wrong_losses
from conformance.diagnosis.shapes import is_vague
from conformance.inputs.batch import NAMES, Batch
from conformance.records.diagnosis import Cause, Kind
from conformance.records.record import Finding, Worst
from oracle.bounds import Mask
from oracle.formats import Floats

_CLAUSES = {f"KERNEL-{number}" for number in range(1, 8)}
_PATHS = (
    ("", "", False),
    ("where no derivative is asked for", "losses alone", False),
    ("where the reference is not 0", "", True),
)
"""(where that is, how it is asked, whether the logit is a log-ratio whose reference is not 0)."""
_CURE = "One log-sigmoid serves every path: with a reference and without, with derivatives and without."
_BAND = "Look at the branch, or at the entry of a table, that serves these logits: the rest of the kernel is right."
_WIDE, _STEPS = 4.0, 4001
_RUN = (0.25, 40.0)
"""|z| among which other bands are looked for."""


def cause(trial: Trial, violated: Sequence[Finding]) -> Cause | None:
    """What is wrong on one path, or else in a band; None where no logit is wrong."""
    concerned = [finding for finding in violated if finding.clause in _CLAUSES]
    if not concerned or "beta" not in trial.implementation.claims.options:
        return None
    worst = next((finding.worst for finding in concerned if finding.worst is not None), None)
    parts: tuple[Part, ...] = ("loss", "derivatives")
    for part in parts:
        for where, how, referred in _PATHS:
            found = _on_path(trial, how, referred, part)
            if found is None:
                continue
            if not where and is_vague(found.says) and worst is not None and (band := _band(trial, worst)) is not None:
                return band
            return replace(
                found, where=", ".join(part for part in (where, found.where) if part), cure=_CURE if where else found.cure
            )
    return None if worst is None else _band(trial, worst)


def _on_path(trial: Trial, how: str, referred: bool, part: Part) -> Cause | None:
    """What explains the losses, or the derivatives, at the logits of a probe that are wrong on that path."""
    z = trial.fmt.round_array(np.array([x for x in LOGITS if x < trial.fmt.largest / 4]))
    batches = [_referred(sign * z) if referred else Batch.at_logits(sign * z) for sign in (1, -1)]
    calls = tuple(call for batch in batches if (call := ask(trial, "kernel", batch, how)).answer is not None)
    asked = points(judged(trial, calls), part)
    return best(asked) if asked.wrong.any() else None


def _referred(z: Floats) -> Batch:
    """The logit as the log-ratio of one response, 2 z - z, exact."""
    nothing, lost, won = np.zeros(len(z)), np.minimum(z, 0), np.minimum(-z, 0)
    return Batch(2 * lost, 2 * won, lost + nothing, won + nothing, 1.0, 0.0)


def _band(trial: Trial, worst: Worst) -> Cause | None:
    """From which logit to which the numbers are wrong, and by what."""
    slopes = worst.quantity.startswith("d ")
    pc, pr, rc, rr = (float.fromhex(worst.inputs[name][0]) for name in NAMES)
    centre = float.fromhex(worst.beta) * ((pc - rc) - (pr - rr))
    if not np.isfinite(centre) or centre == 0:
        return None
    width = 2.0**-8
    z, wrong, ratio = _asked(trial, centre, width, slopes)
    while wrong.all() or (wrong[[0, -1]].any() and width < _WIDE):
        width *= 4
        z, wrong, ratio = _asked(trial, centre, width, slopes)
        if width >= _WIDE:
            break
    if not wrong.any():
        return None
    low, high = _run(z, wrong, centre)
    inside = ratio[(z >= low) & (z <= high)]
    others = _bands(trial, slopes)
    says = f"{np.median(inside):.3g} times the right ones"
    if np.ptp(inside) > 0.02 * abs(np.median(inside)):
        says = f"from {inside.min():.3g} to {inside.max():.3g} times the right ones"
    where = f"for z from {low:.4g} to {high:.4g}" + (f" and in {others - 1:,} more such bands" if others > 1 else "")
    return Cause(
        "a band of logits", Kind.KERNEL, "derivatives" if slopes else "loss", says, where, _BAND, len(z), int(wrong.sum())
    )


def _asked(trial: Trial, centre: float, width: float, slopes: bool) -> tuple[Floats, Mask, Floats]:
    """Logits within that relative width of the centre, which are wrong, and got over exact."""
    z = np.append(centre * (1 + width * np.linspace(-1, 1, _STEPS)), centre)
    return _judged(trial, np.unique(trial.fmt.round_array(z)), slopes)


def _judged(trial: Trial, z: Floats, slopes: bool) -> tuple[Floats, Mask, Floats]:
    call = ask(trial, "kernel", Batch.at_logits(z))
    if call.answer is None:
        return z, np.zeros(len(z), dtype=bool), np.ones(len(z))
    with np.errstate(all="ignore"):
        if slopes:
            exact = 1 / (1 + np.exp(z))
            ratio = np.abs(dict(call.derivatives()).get(0, exact)) / exact
            return z, wrong_derivatives(trial, call), ratio
        return z, wrong_losses(trial, call), call.losses / np.logaddexp(0, -z)


def _run(z: Floats, wrong: Mask, centre: float) -> tuple[float, float]:
    """The ends of the run of wrong logits that the centre lies in, or of the nearest."""
    places = np.flatnonzero(wrong)
    at = int(places[np.argmin(np.abs(z[places] - centre))])
    low = high = at
    while low > 0 and wrong[low - 1]:
        low -= 1
    while high + 1 < len(z) and wrong[high + 1]:
        high += 1
    return float(z[low]), float(z[high])


def _bands(trial: Trial, slopes: bool) -> int:
    """How many runs of wrong logits there are among a few thousand of either sign."""
    found = 0
    for sign in (1, -1):
        _, wrong, _ = _judged(trial, np.unique(trial.fmt.round_array(sign * np.linspace(*_RUN, 2 * _STEPS))), slopes)
        found += int(np.count_nonzero(np.diff(np.concatenate([[0], wrong.astype(np.int8)])) == 1))
    return found
