"""The audit of saved logits: each row against the exact one, and the mask, shift or average that explains it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conformance.auditing.reading.arrays import Stored
from conformance.auditing.reading.entry import NotALog
from conformance.auditing.report import SHOWN, Cause, Checked, FileReport, Impossible, Notice
from conformance.auditing.settings import Settings
from oracle import Format, bfloat16, bounds
from oracle.formats import Floats
from oracle.sequence.bounds import Tokens, must, stored, total

IGNORED = -100
"""The label of a token that is not scored, where no mask says which."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Saved:
    """logits: (B, T, V). labels, mask: (B, T). got: one log-probability a row, in the format fmt."""

    logits: Floats
    labels: NDArray[np.integer]
    mask: Mask
    got: Floats
    fmt: Format


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One way to make a row's log-probability of the saved arrays: in words, and which logits score which labels where."""

    text: str
    logits: Floats
    labels: NDArray[np.integer]
    mask: Mask
    average: bool = False


def audit_logits(path: Path, form: str, found: Mapping[str, Stored], settings: Settings) -> FileReport:
    """The report of logits, labels, mask and logps. Raises NotALog where they do not fit together."""
    saved = _saved(path, found, settings)
    conventions = {way: _outside(way, saved) for way in _conventions(saved)}
    right, outside = min(conventions.items(), key=lambda item: int(item[1][0].sum()))
    wrong, exact = outside
    causes = [] if not wrong.any() else [way.text for way in _faults(saved) if not _outside(way, saved)[0].any()]
    if wrong.any() and saved.fmt != bfloat16 and not _outside(right, saved, bfloat16)[0].any():
        causes.append("log-softmax or its sum in bfloat16")
    if wrong.any() and not causes:
        causes = [text for way in conventions for text in _near(way, saved)][:1]
    statement = "Each row's log-probability is the sum of its scored tokens', within the bound of its arithmetic."
    findings = [
        Impossible("log-probability", int(i) + 1, "train", None, float(saved.got[i]), float(exact[i]))
        for i in np.flatnonzero(wrong)[:SHOWN]
    ]
    rows, bad = len(saved.got), int(wrong.sum())
    return FileReport(
        file=str(path),
        form=form,
        settings={},
        lines=rows,
        consistent=rows - bad,
        impossible=bad,
        undecided=0,
        cut=0,
        cuts=(),
        checks=(Checked("log-probability", statement, "log-probability is the exact one", rows, bad),),
        findings=tuple(findings),
        causes=tuple(Cause(text, rows) for text in causes),
        notices=(Notice("shift", f"taken as {right.text}"),),
        format=saved.fmt.name,
        unit="row",
    )


def _saved(path: Path, found: Mapping[str, Stored], settings: Settings) -> Saved:
    for name in ("labels", "logps"):
        if name not in found:
            raise NotALog(f"{path}: logits without {name}; it holds {', '.join(found)}")
    logits, labels, logps = found["logits"], found["labels"].values, found["logps"]
    if logits.values.ndim != 3 or labels.shape != logits.values.shape[:2] or labels.dtype.kind not in "iu":
        raise NotALog(f"{path}: logits {logits.values.shape} and labels {labels.shape}: (B, T, V), and whole numbers (B, T)")
    mask = found["mask"].values.astype(bool) if "mask" in found else labels != IGNORED
    got, fmt = np.atleast_1d(logps.values).ravel(), settings.dtype or logps.fmt
    if mask.shape != labels.shape or got.shape != labels.shape[:1] or fmt is None:
        raise NotALog(f"{path}: mask {mask.shape} and logps {logps.values.shape}: (B, T) and (B,), for labels {labels.shape}")
    return Saved(logits.values, labels.astype(np.int64), mask & (labels != IGNORED), got.astype(np.float64), fmt)


def _conventions(saved: Saved) -> Iterator[Reading]:
    """Both are right: labels that are shifted already, and labels as they stand, which the code shifts."""
    shifted = saved.logits[:, :-1], saved.labels[:, 1:]
    yield Reading("labels as they stand, shifted inside: logits t score label t + 1", *shifted, saved.mask[:, 1:])
    yield Reading("labels that are shifted already: logits t score label t", saved.logits, saved.labels, saved.mask)


def _faults(saved: Saved) -> Iterator[Reading]:
    """What goes wrong: an average, a mask that is not shifted with its labels, padding counted, a second shift."""
    inside, done = _conventions(saved)
    for way in (inside, done):
        yield Reading("the mean over tokens, not their sum", way.logits, way.labels, way.mask, average=True)
    scored = saved.labels[:, 1:] != IGNORED
    yield Reading("the mask is not shifted with the labels", inside.logits, inside.labels, saved.mask[:, :-1] & scored)
    yield Reading("every token is counted: padding and prompt too", inside.logits, inside.labels, scored)
    yield Reading("every token is counted: padding and prompt too", done.logits, done.labels, saved.labels != IGNORED)
    yield Reading("shifted twice", saved.logits[:, :-2], saved.labels[:, 2:], saved.mask[:, 2:])
    yield Reading("shifted the wrong way", saved.logits[:, 1:], saved.labels[:, :-1], saved.mask[:, :-1])
    for way in (inside, done):
        yield Reading("the first scored token is left out", way.logits, way.labels, _without(way.mask, first=True))
        yield Reading("the last scored token is left out", way.logits, way.labels, _without(way.mask, first=False))


TEMPERATURES = (*(round(0.1 * k, 1) for k in range(1, 21)), 0.25, 0.75, 2.5, 3.0, 4.0, 5.0, 8.0, 10.0, 100.0)


def _near(way: Reading, saved: Saved) -> Iterator[str]:
    """What is no other choice of tokens: a temperature, logits that are not normalised, a constant factor."""
    room = 64 * saved.fmt.unit_roundoff
    for temperature in TEMPERATURES:
        if temperature != 1 and _is(_plainly(way, temperature), saved.got, room):
            yield f"the logits are divided by {temperature:g}: a temperature"
    if _is(_plainly(way, normalised=False), saved.got, room):
        yield "the sum of the labels' logits, not of their log-probabilities: no log-softmax"
    with np.errstate(all="ignore"):
        ratios = saved.got / _plainly(way)
    middle = float(np.median(ratios))
    if len(ratios) > 1 and middle not in {0.0, 1.0} and bool((np.abs(ratios / middle - 1) <= room).all()):
        yield f"{middle:.6g} times the log-probability"


def _is(made: Floats, got: Floats, room: float) -> bool:
    with np.errstate(all="ignore"):
        return bool((np.abs(made - got) <= room * (1 + np.abs(made))).all())


def _plainly(way: Reading, temperature: float = 1.0, *, normalised: bool = True) -> Floats:
    """The rows' sums in float64, NaN where a label is outside the vocabulary."""
    rows = np.zeros(len(way.labels))
    for row, (logits, labels, mask) in enumerate(zip(way.logits, way.labels, way.mask, strict=True)):
        z, at = logits[mask].astype(np.float64) / temperature, labels[mask]
        if at.size and (at.min() < 0 or at.max() >= z.shape[1]):
            rows[row] = math.nan
            continue
        with np.errstate(all="ignore"):
            top = z.max(axis=1, initial=-math.inf, keepdims=True)
            log_sum = (top + np.log(np.exp(z - top).sum(axis=1, keepdims=True)))[:, 0] if normalised else 0.0
            rows[row] = (z[np.arange(at.size), at] - log_sum).sum()
    return rows


def _without(mask: Mask, *, first: bool) -> Mask:
    """The mask less its first or last scored token of each row."""
    left = mask.copy()
    for row in left:
        places = np.flatnonzero(row)
        if places.size:
            row[places[0 if first else -1]] = False
    return left


def _outside(way: Reading, saved: Saved, fmt: Format | None = None) -> tuple[Mask, Floats]:
    """(outside, exact): which rows lie farther from the exact log-probability than any order in the format allows."""
    known = fmt or saved.fmt
    wrong, exact = np.zeros(len(saved.got), bool), np.full(len(saved.got), math.nan)
    for row, got in enumerate(saved.got):
        places = np.flatnonzero(way.mask[row])
        if places.size == 0:
            exact[row] = math.nan if way.average else 0.0
            wrong[row] = not (np.isnan(got) if way.average else got == 0)
            continue
        labels = way.labels[row, places]
        if labels.min() < 0 or labels.max() >= way.logits.shape[2]:
            wrong[row] = True
            continue
        tokens = Tokens.of(way.logits[row, places], labels)
        value = float(bounds.centre(tokens.logp).sum())
        error = total(tokens.error(known, must(tokens.columns)), tokens.exact, known)
        count = places.size if way.average else 1
        exact[row] = value / count
        room = error / count + float(stored(np.array([exact[row]]), known)[0]) + float(stored(np.array([got]), known)[0])
        wrong[row] = not abs(got - exact[row]) <= room if math.isfinite(exact[row]) else got != exact[row]
    return wrong, exact
