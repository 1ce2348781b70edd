"""Why an implementation of a named loss violates: which wrong variant, which other loss, which convention it computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from conformance.clauses.trial import Trial
from conformance.diagnosis.conditions import condition
from conformance.diagnosis.fewest import smallest
from conformance.diagnosis.hypotheses.cures import FACTOR, PAIRS, WIDER
from conformance.diagnosis.identification import answered
from conformance.diagnosis.rewritten import Rewritten, known, others, slipped, variants
from conformance.diagnosis.slopes import of_derivatives
from conformance.diagnosis.trials import Answers, asked
from conformance.diagnosis.unstable import unstable
from conformance.errors import Misbehaviour
from conformance.inputs.losses import LossBatch
from conformance.records.diagnosis import Cause, Kind, Shown
from oracle import FORMATS
from oracle.formats import Floats
from oracle.losses import INPUTS

STABLE = (
    "Compute each part by a function that is accurate at both ends (softplus or logsigmoid, expm1, log1p), take differences "
    "of log-probabilities before anything is multiplied, and multiply no infinity by 0."
)
STATE = "Keep nothing between calls, and switch off whatever is drawn: dropout, noise."
MOST = 4
"""Variants that fit alike, after which no more are looked for."""


def causes(trial: Trial) -> tuple[list[Cause], list[Cause], Shown | None]:
    """(what explains its losses, or else its derivatives; what fits as well as that; the smallest input that shows it)."""
    answers = asked(trial)
    if not answers.seen:
        return [], [], None
    if (changed := _unrepeated(answers)) is not None:
        return [changed], [], None
    if answers.wrong.any():
        found = _of_losses(answers)
        return found[:1], found[1:], smallest(answers)
    return of_derivatives(answers), [], smallest(answers)


def _unrepeated(answers: Answers) -> Cause | None:
    """Other numbers for the same pairs and options, asked again after others."""
    first = answers.seen[0]
    try:
        again = answered(answers.judged, first.batch, answers.fmt)
    except Misbehaviour:
        return None
    if np.array_equal(first.losses, again.losses, equal_nan=True):
        return None
    says = "not the same when the same is asked again after other calls"
    return Cause("not repeated", Kind.BATCH, "loss", says, "", STATE, 2 * len(first.batch), len(first.batch))


def _of_losses(answers: Answers) -> list[Cause]:
    """Variants that give every loss, those that give every derivative too first; else one under a condition; else a shape."""
    loss = answers.loss
    own = [one for one in variants(loss, whole=answers.whole) if answers.even or not one.key.endswith("for each")]
    for stage in (known(loss), own, others(loss), slipped(loss)):
        fits = [(made, answers.gives_derivatives(made.loss)) for made in _first(answers, stage)]
        if fits:
            fits.sort(key=lambda one: not one[1])
            return [_cause(answers, made, both=both) for made, both in fits]
    placed = unstable(answers) or _permuted(answers) or _scaled(answers) or _narrow(answers)
    if placed is not None:
        return [placed]
    return _somewhere(answers, [*known(loss), *own]) or [_shape(answers)]


def _first(answers: Answers, stage: Iterator[Rewritten] | Sequence[Rewritten]) -> list[Rewritten]:
    found: list[Rewritten] = []
    for made in stage:
        if answers.gives(made.loss):
            found.append(made)
            if len(found) == MOST:
                break
    return found


def _cause(answers: Answers, made: Rewritten, *, both: bool) -> Cause:
    numbers = answers.wrong.size
    if both:
        numbers += sum(np.size(part) for one in answers.seen for part in one.gradient.values() if part is not None)
    part = "loss and derivatives" if both else "loss"
    return Cause(made.key, Kind.FORMULA, part, made.says, "", made.cure, numbers, int(answers.wrong.sum()))


_REJECTED = ("policy_rejected_logps", "ref_rejected_logps", "rejected_lengths")
_REFERENCES = ("ref_chosen_logps", "ref_rejected_logps")
_PLACES = (
    ("the next pair's rejected", "the loss with each rejected response of the next pair", _REJECTED, -1),
    ("the last pair's rejected", "the loss with each rejected response of the pair before", _REJECTED, 1),
    ("the next pair's reference", "the loss with each reference of the next pair", _REFERENCES, -1),
    ("the last pair's reference", "the loss with each reference of the pair before", _REFERENCES, 1),
    ("the next pair's loss", "the loss of the next pair, at each place", INPUTS, -1),
    ("the last pair's loss", "the loss of the pair before, at each place", INPUTS, 1),
    ("losses turned round", "the losses in the opposite order", INPUTS, 0),
)


def _permuted(answers: Answers) -> Cause | None:
    """Rows of other pairs, or losses at other places."""
    for key, says, names, by in _PLACES:
        turned = [replace(one, batch=_turned(one.batch, names, by)) for one in answers.seen]
        if answers.gives(answers.loss, turned):
            return Cause(key, Kind.BATCH, "loss", says, "", PAIRS, answers.wrong.size, int(answers.wrong.sum()))
    return None


def _turned(batch: LossBatch, names: Sequence[str], by: int) -> LossBatch:
    rows = {name: (np.roll(row, by) if by else row[::-1].copy()) if name in names else row for name, row in batch.rows.items()}
    return replace(batch, rows=rows)


def _scaled(answers: Answers) -> Cause | None:
    """A mean divided by something else than n."""
    for key, says, of in _DIVISORS if answers.whole else ():
        scaled = [replace(one, losses=one.losses * of(len(one.batch))) for one in answers.seen]
        if answers.gives(answers.loss, scaled):
            return Cause(key, Kind.BATCH, "loss", says, "", FACTOR, answers.wrong.size, int(answers.wrong.sum()))
    return None


_DIVISORS: tuple[tuple[str, str, Callable[[int], float]], ...] = (
    ("over n twice", "the mean divided by n once more", lambda n: n),
    ("over n - 1", "the sum divided by n - 1", lambda n: (n - 1) / n),
    ("over n + 1", "the sum divided by n + 1", lambda n: (n + 1) / n),
    ("over 2 n", "the sum divided by 2 n, the number of rows, chosen and rejected", lambda n: 2.0),
)
"""The quotient by the mean is a function of n."""


def _narrow(answers: Answers) -> Cause | None:
    """The loss itself, as arithmetic of a narrower format has it."""
    for inner in sorted(FORMATS, key=lambda fmt: -fmt.precision):
        if inner.precision >= answers.fmt.precision or not answers.narrow(inner):
            continue
        if replace(answers, fmt=inner, analyses={}).gives(answers.loss):
            says = f"{answers.loss.name} as {inner.name} has it, whatever is asked for"
            numbers, wrong = answers.wrong.size, int(answers.wrong.sum())
            return Cause(f"inside in {inner.name}", Kind.FORMULA, "loss", says, "", WIDER, numbers, wrong)
    return None


def _somewhere(answers: Answers, made: Sequence[Rewritten]) -> list[Cause]:
    """A variant that gives every wrong loss, and the condition under which it is returned."""
    wrong, columns = answers.wrong, list(answers.columns())
    for one in made:
        explained = answers.held(one.loss)
        if (wrong & ~explained).any():
            continue
        where = condition(columns, wrong, ~wrong & ~explained)
        if where:
            numbers = int((explained & wrong).sum())
            return [Cause(one.key, Kind.FORMULA, "loss", one.says, where, one.cure, numbers, int(wrong.sum()))]
    return []


def _shape(answers: Answers) -> Cause:
    """What is returned where it is wrong, told without a formula, and where that is."""
    wrong = answers.wrong
    says = _told(answers, answers.got[wrong], answers.exact[wrong])
    where = "" if wrong.all() else condition(answers.columns(), wrong, ~wrong) or "at some of the numbers asked"
    unstable = bool(where) and says.startswith(("NaN", "infinite", "0"))
    numbers = int(wrong.sum())
    return Cause(
        f"shape: {says.partition(',')[0]}", Kind.FORMULA, "loss", says, where, STABLE if unstable else "", numbers, numbers
    )


def _told(answers: Answers, got: Floats, exact: Floats) -> str:
    name, room = answers.loss.name, 16 * answers.fmt.unit_roundoff
    for says, same in (
        ("NaN", np.isnan(got)),
        ("infinite", np.isinf(got)),
        ("0", got == 0),
        ("NaN or infinite", ~np.isfinite(got)),
    ):
        if same.all():
            return says
    if not np.isfinite(got).all():
        return "NaN or infinite at some, and elsewhere other numbers"
    with np.errstate(all="ignore"):
        ratios, differences = got / exact, got - exact
    if np.isfinite(ratios).all() and np.ptp(ratios) <= room * abs(float(np.median(ratios))):
        return f"{float(np.median(ratios)):.4g} times {name}"
    if np.ptp(differences) <= room * max(map(abs, chain(got, exact))):
        return f"{name}, and {float(np.median(differences)):.4g} added to it"
    off = float(np.abs(ratios - 1).max()) if np.isfinite(ratios).all() else np.inf
    if off < 0.01:
        return f"{name}, but for up to {off:.1g} of it"
    if off < 0.5:
        return f"from {ratios.min():.4g} to {ratios.max():.4g} times {name}"
    return "numbers of no formula that is known"
