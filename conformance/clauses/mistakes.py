"""The usual mistakes, and which of them explains wrong answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from conformance.clauses.accepted import accepted_losses, losses_ahead
from conformance.clauses.model import Outcome
from conformance.clauses.quantities import LOSS
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.inputs.batch import Batch
from oracle.formats import Floats


def exchanged(batch: Batch) -> Batch:
    """The pairs with chosen and rejected exchanged."""
    a, b, c, d = batch.logps
    return Batch.of(b, a, d, c, beta=batch.beta, label_smoothing=batch.label_smoothing)


Mistake = Callable[[Batch], Batch]
MISTAKES: dict[str, Mistake] = {
    "beta = 0.1 whatever was asked": lambda batch: batch.at(beta=0.1),
    "beta = 1 whatever was asked": lambda batch: batch.at(beta=1.0),
    "beta applied twice": lambda batch: batch.at(beta=batch.beta**2),
    "1 / beta": lambda batch: batch.at(beta=1 / batch.beta),
    "label_smoothing ignored": lambda batch: batch.at(label_smoothing=0.0),
    "1 - label_smoothing": lambda batch: batch.at(label_smoothing=1 - batch.label_smoothing),
    "label_smoothing halved": lambda batch: batch.at(label_smoothing=batch.label_smoothing / 2),
    "the reference ignored": lambda batch: Batch.of(*batch.logps[:2], beta=batch.beta, label_smoothing=batch.label_smoothing),
    "chosen and rejected exchanged": exchanged,
    "policy and reference exchanged": lambda batch: Batch.of(
        *batch.logps[2:], *batch.logps[:2], beta=batch.beta, label_smoothing=batch.label_smoothing
    ),
}
"""What a wrong answer is the right answer to."""


def judge_explained(trial: Trial, batches: Iterable[Batch], *, since: str = "") -> Outcome:
    """Losses of the batches, with the name of the mistake that explains every wrong one, and since when it may be made."""
    tally, batches = Tally(trial), list(batches)
    wrong: list[tuple[Batch, Floats]] = []
    losses_ahead(trial, batches)
    for batch in batches:
        got = trial.answer(batch).losses
        acceptance = accepted_losses(trial, batch)
        tally.interval(LOSS, batch, got, acceptance)
        if not (acceptance.rho(got) <= 1).all():
            wrong.append((batch, got))
    found = _diagnosis(trial, wrong)
    return tally.outcome(note=found + since if found else "")


def _diagnosis(trial: Trial, wrong: list[tuple[Batch, Floats]]) -> str:
    """The mistakes to which every wrong answer is the right answer, in words; empty where there is none."""
    found = [name for name, mistake in MISTAKES.items() if wrong and all(_explains(trial, mistake, *w) for w in wrong)]
    return f"the wrong answers are exactly those of: {' or '.join(found)}" if found else ""


def _explains(trial: Trial, mistake: Mistake, batch: Batch, got: Floats) -> bool:
    acceptance = accepted_losses(trial, mistake(batch))
    return bool((acceptance.rho(got) <= 1).all())
