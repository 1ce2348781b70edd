"""What an implementation of a named loss returned for the pairs that tell losses apart, and whether a variant gives it all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np

from conformance.clauses.trial import Trial
from conformance.diagnosis.conditions import Column
from conformance.diagnosis.identification import (
    Analyses,
    Candidate,
    Seen,
    admitted,
    analysis_of,
    answered,
    batches,
    derivatives,
    held,
    is_far,
)
from conformance.errors import Misbehaviour
from conformance.implementations.preference import PreferenceLoss
from oracle import Format, OracleError
from oracle.bounds import Acceptance, Mask, centre
from oracle.bounds.expression import Running
from oracle.formats import Floats
from oracle.losses import Loss, get_loss
from oracle.losses._evaluate import slope


def candidate(loss: Loss) -> Candidate:
    """A loss as what may have been computed."""
    return Candidate(loss, loss, ())


@dataclass(frozen=True)
class Answers:
    """The calls that were answered, in their order."""

    judged: PreferenceLoss
    fmt: Format
    seen: tuple[Seen, ...]
    analyses: Analyses

    @property
    def loss(self) -> Loss:
        """The loss that is claimed."""
        return get_loss(self.judged.claims.loss)

    @property
    def whole(self) -> bool:
        """Whether one number is returned for a batch."""
        return self.judged.claims.reduction == "mean" or any(one.losses.size != len(one.batch) for one in self.seen)

    @property
    def even(self) -> bool:
        """Whether all losses of each call are the same number."""
        return all(np.ptp(one.losses) == 0 for one in self.seen if np.isfinite(one.losses).all())

    def narrow(self, fmt: Format) -> bool:
        """Whether every finite loss is a number of that format."""
        finite = self.got[np.isfinite(self.got)]
        return bool(np.array_equal(fmt.round_array(finite), finite))

    def analysis(self, loss: Loss, one: Seen) -> Running:
        """What was worked out for a call at a loss's parameters."""
        return analysis_of(candidate(loss), one, self.fmt, self.analyses)

    def held(self, loss: Loss, seen: Sequence[Seen] | None = None) -> Mask:
        """Which losses are that one's, or out of the format's range in it.

        None of a call outside its parameters' domains, or where the oracle does not settle it.
        """
        return np.concatenate(list(self._held(loss, self.seen if seen is None else seen)))

    def gives(self, loss: Loss, seen: Sequence[Seen] | None = None) -> bool:
        """Whether every loss is that one's; not so where the oracle does not settle it."""
        asked = self.seen if seen is None else seen
        tried = [one for one in asked if admitted(candidate(loss), one)]
        try:
            if not tried or is_far(candidate(loss), tried[0], self.analysis(loss, tried[0])):
                return False
            return all(part.all() for part in self._held(loss, asked))
        except (OracleError, ArithmeticError):
            return False

    def _held(self, loss: Loss, seen: Sequence[Seen]) -> Iterator[Mask]:
        for one in seen:
            try:
                known = held(candidate(loss), one, self.analysis(loss, one)) if admitted(candidate(loss), one) else None
            except (OracleError, ArithmeticError):  # the oracle does not settle it
                known = None
            yield np.zeros(len(one.batch), dtype=bool) if known is None else np.asarray(known[0] | ~known[1])

    def gives_derivatives(self, loss: Loss) -> bool:
        """Whether there are derivatives, and every one is that loss's; not so where the oracle does not settle it."""
        asked = [one for one in self.seen if one.gradient and admitted(candidate(loss), one)]
        counts = (derivatives(candidate(loss), one, self.analysis(loss, one)) for one in asked)
        try:
            return bool(asked) and all(agreed == numbers for agreed, numbers in counts)
        except (OracleError, ArithmeticError):
            return False

    def slopes(self, one: Seen, name: str) -> tuple[Acceptance, Mask, Mask]:
        """(what is accepted, what is judged, what is wrong) of the derivatives in that argument, which were returned."""
        got = one.gradient[name]
        assert got is not None
        node = slope(self.loss, name) / (len(one.batch) if one.losses.size != len(one.batch) else 1)
        analysis = self.analysis(self.loss, one)
        bound, judged = analysis.acceptance(node), analysis.representable(node)
        return bound, judged, judged & ~(bound.rho(got) <= 1)

    @cached_property
    def wrong(self) -> Mask:
        """Which losses are not the claimed one's."""
        return ~self.held(self.loss)

    @cached_property
    def got(self) -> Floats:
        """Every loss; a mean once for each of its pairs."""
        return self._stacked(lambda one: np.resize(one.losses, len(one.batch)) if one.losses.size == 1 else one.losses)

    @cached_property
    def exact(self) -> Floats:
        """Every exact loss, to float64's last digit."""
        return self._stacked(lambda one: centre(self.analysis(self.loss, one).arrays.ball(self.loss.definition)))

    def columns(self) -> Iterator[Column]:
        """What a condition may be about, a number for each loss."""
        for name in sorted(self.judged.claims.options):
            yield Column(
                f"{name} is",
                self._stacked(lambda one, n=name: np.full(len(one.batch), one.batch.parameters.get(n, np.nan))),  # type: ignore[misc]
                option=True,
            )
        if {"policy_chosen_logps", "policy_rejected_logps"} <= set(self.loss.inputs):
            margins = self._stacked(self._margins)
            yield Column("the margin is", margins)
            yield Column("the size of the margin is", np.abs(margins))
        if {"chosen_lengths", "rejected_lengths"} <= set(self.loss.inputs):
            longer = self._stacked(lambda one: one.batch.rows["chosen_lengths"] - one.batch.rows["rejected_lengths"])
            yield Column("the chosen response is longer by", longer)
        yield Column("its place in the batch is", self._stacked(lambda one: np.arange(1.0, len(one.batch) + 1)))
        yield Column("the exact loss is", self.exact)

    def _stacked(self, of: Callable[[Seen], Floats]) -> Floats:
        return np.concatenate([of(one) for one in self.seen])

    def _margins(self, one: Seen) -> Floats:
        rows = one.batch.rows
        policy = rows["policy_chosen_logps"] - rows["policy_rejected_logps"]
        referred = {"ref_chosen_logps", "ref_rejected_logps"} <= set(self.loss.inputs)
        return policy - (rows["ref_chosen_logps"] - rows["ref_rejected_logps"]) if referred else policy


def asked(trial: Trial) -> Answers:
    """Its answers, without the calls that it did not answer."""
    judged = cast("PreferenceLoss", trial.implementation)
    seen = []
    for batch in batches(judged, trial.fmt):
        try:
            seen.append(answered(judged, batch, trial.fmt))
        except Misbehaviour:
            continue
    return Answers(judged, trial.fmt, tuple(seen), {})
