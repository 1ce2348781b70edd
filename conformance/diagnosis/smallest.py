"""The smallest input that shows a fault: one pair where one suffices, else two, else copies, else what showed it first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from conformance.clauses.batch import BLOCKS, FULL
from conformance.clauses.quantities import GRADIENTS, LOSS, MEAN_GRADIENTS, MEAN_LOSS, exact_value
from conformance.clauses.trial import Trial
from conformance.diagnosis.points import Points
from conformance.diagnosis.probe import Call, Probe, ask, wrong_derivatives, wrong_losses
from conformance.errors import Misbehaviour
from conformance.inputs.batch import NAMES, Batch
from conformance.records.diagnosis import Asked, Shown
from conformance.records.record import Finding, Verdict

COPIES = (2, 3, 4, 7, 8, 9, 16, 17, 32, 33, 64, 65)
OTHERS = tuple(sorted({*range(2, 131), *BLOCKS, *FULL} - {*COPIES}))
"""The other sizes at which BATCH asks: what is wrong at one of them alone is shown by so many copies."""
TRIED = 6
"""Wrong pairs of the probe that are asked alone."""


def smallest(probe: Probe, losses: Points, derivatives: Points, missing: tuple[str, ...], *, kernel: bool) -> Shown | None:
    """The smallest input that was seen to show what is wrong: of losses where they are wrong, else of derivatives.

    kernel: the log-sigmoid is to blame, so that a logit that is fed exactly shows it best.
    """
    trial = probe.trial
    if missing and trial.implementation.claims.gradient:
        call = probe.of("options")[0]
        one = ask(trial, "", call.batch.take([0]))
        return _shown(one, 0, GRADIENTS[NAMES.index(missing[0])], alone=True, none=True)
    for part, asked in (("loss", losses), ("derivatives", derivatives)):
        if asked.wrong.any():
            return _of_pairs(trial, asked, part, kernel)
    return _of_means(probe)


def _of_pairs(trial: Trial, asked: Points, part: str, kernel: bool) -> Shown | None:
    rows = np.flatnonzero(asked.wrong)
    fed = np.count_nonzero(asked.logps[:, rows], axis=0) <= 1
    got = (asked.got() if part == "loss" else asked.slopes())[rows]
    mild = np.isfinite(got) & (got != 0)  # a 0 or an infinity shows a kernel's fault better than some ulps do
    rows = rows[np.lexsort((np.abs(np.abs(asked.z[rows]) - 1), asked.n[rows] > 16, kernel & mild, kernel & ~fed))][:TRIED]
    starts = np.cumsum([0, *(len(call.batch) for call in asked.calls)])
    located = [(asked.calls[at := int(np.searchsorted(starts, row, side="right")) - 1], int(row - starts[at])) for row in rows]
    for call, place in located:
        found = _wrong(ask(trial, "", call.batch.take([place]), call.how), trial, part, alone=True)
        if found is not None:
            return found
    for call, place in located:
        for batch in _fewer(call.batch, place):
            found = _wrong(ask(trial, "", batch, call.how), trial, part, alone=False)
            if found is not None:
                return found
    sized = min((call for call, _ in located), key=lambda call: len(call.batch))
    return _wrong(sized, trial, part, alone=False)


def _fewer(batch: Batch, place: int) -> Iterator[Batch]:
    """The pair beside its neighbours, beside copies of itself, and the beginning of the batch up to it."""
    n = len(batch)
    for other in dict.fromkeys(((place + 1) % n, (place - 1) % n)):
        yield batch.take([place, other])
        yield batch.take([other, place])
    for copies in COPIES:
        yield batch.take([place] * copies)
    yield from (batch.take(slice(0, size)) for size in (3, 4, 8, 9, 13, 16) if place < size < n)


def _wrong(call: Call, trial: Trial, part: str, *, alone: bool) -> Shown | None:
    """What the call shows, where it is wrong."""
    if call.answer is None:
        return None
    mask = wrong_losses(trial, call) if part == "loss" else wrong_derivatives(trial, call)
    if not mask.any():
        return None
    place = int(np.flatnonzero(mask)[0])
    if part == "loss":
        return _shown(call, place, MEAN_LOSS if call.mean else LOSS, alone=alone)
    names = MEAN_GRADIENTS if call.mean else GRADIENTS
    for where, _ in call.derivatives():
        shown = _shown(call, place, names[where], alone=alone)
        if shown is not None and abs(float.fromhex(shown.got) - float(shown.exact)) > 1e-12 * abs(float(shown.exact)):
            return shown
    return _shown(call, place, names[0], alone=alone)


def _shown(call: Call, place: int, quantity: str, *, alone: bool, none: bool = False) -> Shown | None:
    if call.answer is None:
        return None
    batch, n = call.batch, len(call.batch)
    if quantity == MEAN_LOSS:
        got, exact = float(call.losses[0]), exact_value(quantity, batch)
    else:
        turned = batch.take(np.roll(np.arange(n), -place))
        exact = exact_value(quantity, turned if quantity in MEAN_GRADIENTS else batch.take([place]))
        got = float(call.losses[place]) if quantity == LOSS else float("nan")
        for names in (GRADIENTS, MEAN_GRADIENTS):
            part = (call.answer.gradient or (None,) * 4)[names.index(quantity)] if quantity in names else None
            got = got if part is None else float(part[place])
    kept = batch if call.period is None or n <= call.period else batch.take(slice(0, call.period))
    inputs = {name: tuple(float(x).hex() for x in values) for name, values in zip(NAMES, kept.logps, strict=True)}
    asked = Asked(inputs, float(batch.beta).hex(), float(batch.label_smoothing).hex(), n, call.how)
    return Shown(asked, quantity, place, "" if none else got.hex(), exact.digits(20), alone)


def _of_means(probe: Probe) -> Shown | None:
    """A mean of two pairs where that shows it, else the smallest batch that did."""
    trial = probe.trial
    every = zip(probe.calls, probe.wrong_losses, probe.wrong_derivatives, strict=True)
    wrong = [
        (call, "loss" if loss.any() else "derivatives")
        for call, loss, slope in every
        if call.mean and (loss.any() or slope.any())
    ]
    if not wrong:
        return None
    part = wrong[0][1]
    for call, _ in wrong[:3]:
        for pair in ((0, 3), (1, 6), (2, 3), (4, 5)):
            if max(pair) < len(call.batch):
                found = _wrong(ask(trial, "", call.batch.take(list(pair)), mean=True), trial, part, alone=False)
                if found is not None:
                    return found
    return _wrong(wrong[0][0], trial, part, alone=False)


def copies(trial: Trial, findings: list[Finding], *, any_size: bool) -> dict[str, int]:
    """By clause, how many copies of its worst pair show a violation that the pair alone does not; 0: none that was tried.

    any_size: a batch is wrong for its size, so that every size is tried that BATCH asks.
    """
    found = {}
    for finding in findings:
        worst = finding.worst
        if finding.verdict is not Verdict.VIOLATES or worst is None or worst.quantity not in {LOSS, *GRADIENTS}:
            continue
        pair = [[float.fromhex(worst.inputs[name][0])] for name in NAMES]
        batch = Batch.of(*pair, beta=float.fromhex(worst.beta), label_smoothing=float.fromhex(worst.label_smoothing))
        if len(worst.inputs[NAMES[0]]) > 1:
            continue
        try:
            if not _again(trial, batch, worst.quantity, worst.got):
                sizes = (*COPIES, *OTHERS) if any_size and finding.clause.startswith("BATCH-") else COPIES
                tried = (n for n in sizes if _again(trial, batch.take([0] * n), worst.quantity, worst.got))
                found[finding.clause] = next(tried, 0)
        except Misbehaviour:
            continue
    return found


def _again(trial: Trial, batch: Batch, quantity: str, got: str) -> bool:
    """True where the number that was got is got again, at any place."""
    answer = trial.answer(batch, gradient=quantity != LOSS)
    part = answer.losses if quantity == LOSS else (answer.gradient or (None,) * 4)[GRADIENTS.index(quantity)]
    wanted = float.fromhex(got)
    if part is None:
        return bool(np.isnan(wanted))
    return bool(((part == wanted) | (np.isnan(part) & np.isnan(wanted))).any())
