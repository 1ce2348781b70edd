"""End-to-end checks that several chapters share: losses and derivatives against their acceptance intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from conformance.clauses.accepted import (
    accepted_gradients,
    accepted_losses,
    gradients_ahead,
    judged_places,
    losses_ahead,
    places_ahead,
)
from conformance.clauses.model import Outcome
from conformance.clauses.quantities import GRADIENTS, LOSS, SIGNS
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.implementations.protocol import Answer
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import BETAS, Draw
from oracle.bounds import Acceptance
from oracle.formats import Floats

Judge = Callable[[Tally, Trial, Batch], None]
DERIVATION = (
    "The acceptance interval is the image of [z - delta_z, z + delta_z], widened by a kernel at its MUST bound "
    "(docs/bounds.md). delta_z covers beta rounded into the format and every rounding of (pc - rc) - (pr - rr), of "
    "(pc - pr) - (rc - rr), of the sequential orders, and of beta applied to the log-ratios first. It grows with the "
    "log-ratios and the pair differences, not with the margin: where they cancel, correct code loses digits."
)


def judge_regimes(
    trial: Trial,
    clause: str,
    draws: Sequence[Draw],
    judge: Judge,
    *,
    betas: Sequence[float] = BETAS,
    smoothings: Sequence[float] = (0.0,),
) -> Outcome:
    """Pairs of each regime at each beta and smoothing that the implementation claims to honour."""
    tally, rng = Tally(trial), trial.rng(clause)
    drawn = [
        draw(trial.fmt, trial.sizes.pairs, rng).at(beta=beta, label_smoothing=smoothing)
        for draw in draws
        for beta in trial.offered("beta", betas)
        for smoothing in trial.offered("label_smoothing", smoothings)
    ]
    for batch in judged_ahead(trial, drawn, judge):
        judge(tally, trial, batch)
    return tally.outcome()


def judged_ahead(trial: Trial, batches: Sequence[Batch], *judges: Judge) -> list[Batch]:
    """The `judged_pairs` of each batch, with what the judges will ask of the oracle worked out for all of them at once."""
    places_ahead(trial, batches)
    judged = [judged_pairs(trial, batch) for batch in batches]
    if judge_losses in judges:
        losses_ahead(trial, judged)
    if judge_gradients in judges:
        gradients_ahead(trial, judged)
    return judged


def judge_losses(tally: Tally, trial: Trial, batch: Batch) -> None:
    """Each pair's loss against its acceptance interval."""
    acceptance = accepted_losses(trial, batch)
    tally.interval(LOSS, batch, trial.answer(batch).losses, acceptance)


def judge_gradients(tally: Tally, trial: Trial, batch: Batch) -> None:
    """Each derivative in a logp against its acceptance interval; a detached reference is counted, not judged."""
    tally_gradients(tally, trial.answer(batch, gradient=True), batch, accepted_gradients(trial, batch))


def tally_gradients(
    tally: Tally,
    answer: Answer,
    batch: Batch,
    acceptance: Acceptance,
    scale: Floats | float = 1.0,
    quantities: Sequence[str] = GRADIENTS,
) -> None:
    """Each derivative of an answer, divided by the scale, against the batch's acceptance interval.

    The four are one number of two signs, in most answers: what is the same number as the first has its ratio.
    """
    first = rho = None
    for quantity, sign, got in derivatives(tally, answer, batch, quantities):
        each = got / scale
        slopes = sign * each
        if first is None or rho is None:
            first, rho = slopes, acceptance.rho(slopes)
            own = rho
        else:
            own = rho
            unlike = np.flatnonzero(slopes != first)
            if unlike.size:
                own = rho.copy()
                own[unlike] = acceptance[unlike].rho(slopes[unlike])
        tally.ratio(quantity, batch, each, own)


def derivatives(
    tally: Tally, answer: Answer, batch: Batch, quantities: Sequence[str] = GRADIENTS
) -> Iterator[tuple[str, float, Floats]]:
    """(quantity, sign, got) of each derivative to be judged: NaN where it is absent; a detached reference is counted."""
    detached = reference_detached(answer)
    for quantity, sign, part in zip(quantities, SIGNS, answer.gradient or (None,) * 4, strict=True):
        if detached and "ref_" in quantity:
            tally.count("reference detached", len(batch))
            continue
        yield quantity, sign, np.full(len(batch), np.nan) if part is None else part


def judged_pairs(trial: Trial, batch: Batch) -> Batch:
    """The pairs of a batch whose way to the logit does not overflow in the format: a MUST judges no others."""
    return batch.take(judged_places(trial, batch))


def reference_detached(answer: Answer) -> bool:
    """True where no derivative flows into the reference: both are absent, or exactly zero everywhere."""
    parts = (answer.gradient or (None,) * 4)[2:]
    return all(part is None or not part.any() for part in parts)
