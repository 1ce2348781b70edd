"""What came back from policy and reference logits, held against the oracle: bounds, and the worst place in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import cast

import numpy as np

from conformance.clauses.sequence.counted import Counted
from conformance.clauses.sequence.judging import dividing, head_slopes, sequence_gradient
from conformance.clauses.sequence.known import Known
from conformance.clauses.sequence.mistaken import mistakes
from conformance.clauses.trial import Trial
from conformance.implementations.sequence.path import PathAnswer, PathImplementation
from conformance.inputs.paths import Paths, drawn_pairs
from oracle import get_format
from oracle.formats import Floats
from oracle.sequence import bounds


class Pairs(Counted):
    """A path implementation held against the oracle."""

    def __init__(self, trial: Trial) -> None:
        super().__init__()
        self.trial = trial
        self.implementation = cast("PathImplementation", trial.implementation)
        self.claims = self.implementation.claims

    def options(self, beta: float, eps: float) -> dict[str, float]:
        """The two of DPO where it honours them, else the defaults; of another loss parameters that tell."""
        own, asked = self.claims.defaults, {"beta": beta, "label_smoothing": eps}
        if self.claims.loss:
            asked = self.claims.known.telling
        return {name: asked[name] if name in self.claims.options else x for name, x in own.items()}

    def varied(self) -> Iterator[dict[str, float]]:
        """Parameters that show each that it honours: of DPO both at once, of another loss one after the other."""
        if not self.claims.loss:
            yield from (self.options(*each) for each in ((0.5, 0.0), (2.0, 0.0), (0.05, 0.25), (1.0, 0.1)))
            return
        base = self.options(0.0, 0.0)
        for parameter in self.claims.known.parameters:
            if parameter.name in self.claims.options:
                candidates = (parameter.default, parameter.other, parameter.default * 2, parameter.default / 4)
                for x in dict.fromkeys(x for x in candidates if x is not None and Fraction(x) in parameter.domain):
                    yield {**base, parameter.name: x}

    def drawn(self, rng: np.random.Generator, n: int, length: int, columns: int, *, drift: float = 0.5) -> Paths:
        """n pairs of a policy that has drifted from its reference."""
        return self.fitted(drawn_pairs(rng, self.trial.fmt, n, length, columns, drift=drift))

    def fitted(self, paths: Paths) -> Paths:
        """The pairs with a third response each where the loss takes one, and with its defaults."""
        whole = paths.with_others() if self.claims.groups == 3 else paths
        return replace(whole, parameters=dict(self.claims.defaults))

    def turned(self, paths: Paths) -> Iterator[Paths]:
        """The pairs, and with a third response those of which its mean log-ratio has the other sign."""
        yield paths
        if paths.groups == 3:
            yield paths.exchanged()

    def known(self, paths: Paths, answer: PathAnswer) -> Known:
        """The truth, with the bounds of its arithmetic."""
        fmt = self.claims.arithmetic(self.trial.fmt, answer.dtype)
        return Known.of(paths, self.claims, fmt, get_format(answer.dtype))

    def losses(self, paths: Paths, answer: PathAnswer | None = None) -> None:
        """The losses, or their mean, within their bounds."""
        answer = self.implementation.evaluate(paths, self.trial.fmt) if answer is None else answer
        known = self.known(paths, answer)
        got = np.mean(answer.losses, keepdims=True).reshape(1) if known.whole else answer.losses
        self.hold(paths, got, known.loss, known.loss_error, "mean loss" if known.whole else "loss")

    def gradient(self, paths: Paths, incoming: Floats | None = None, *, inner: bool = False) -> None:
        """The derivatives in the policy's logits: the slope of the loss times those of the log-probabilities; and the losses
        beside them.

        incoming: a factor for each loss, or for the mean. inner: those of a fused head in its own inputs too.
        """
        answer = self.implementation.evaluate(paths, self.trial.fmt, gradient=True, incoming=incoming)
        self.losses(paths, answer)
        rows, known = paths.policy, self.known(paths, answer)
        fmt, result = self.claims.arithmetic(self.trial.fmt, answer.dtype), get_format(answer.dtype)
        got = answer.gradient
        if got is None:
            got = np.full((rows.shape[0], rows.shape[1] - (not self.claims.shift), rows.shape[2]), np.nan)
        got = got[:, :-1] if self.claims.shift else got
        share = np.ones(len(paths)) if incoming is None else np.broadcast_to(incoming, (len(paths),))
        share = share / len(paths) if self.claims.reduction == "mean" else share
        exact, allowed = sequence_gradient(rows, fmt, self.trial.fmt, bounds.must, average=self.claims.average)
        allowed = allowed + dividing(exact, result, fmt, average=self.claims.average)
        slope = np.concatenate([share * part for part, _ in known.slopes])[:, None, None]
        off = np.concatenate([np.abs(share) * part for _, part in known.slopes])[:, None, None]
        room = np.abs(slope) * allowed + off * (np.abs(exact) + allowed) + bounds.stored(exact * slope, self.trial.fmt)
        room = room * (1 + 2.0**-10)
        self.hold(paths, got, exact * slope, room, "d loss / d logits")
        if inner and answer.inner is not None:
            slopes = exact * slope, room
            if self.claims.shift:  # the last place predicts nothing
                slopes = np.pad(slopes[0], ((0, 0), (0, 1), (0, 0))), np.pad(slopes[1], ((0, 0), (0, 1), (0, 0)))
            for name, found, right, bound in head_slopes(answer.inner, slopes, (fmt, self.trial.fmt)):
                self.hold(paths, found, right, bound, f"d loss / d {name}")

    def hold(self, paths: Paths, got: Floats, exact: Floats, allowed: Floats, what: str) -> None:
        """Each number against its exact value; an exact NaN is not judged."""
        place = self.numbers(got, exact, allowed)
        if place is not None:
            told = f"{what} [{', '.join(map(str, place))}] got {float(got[place])!r}, exact {float(exact[place])!r}"
            self.told = f"{told}, {self.worst:.3g} times what the bound allows ({paths.described()})"
            instead = "" if self.worst <= 1 or what.startswith("d loss") else self.recognised(paths, got)
            self.told += f"; the numbers are {instead}" if instead else ""

    def recognised(self, paths: Paths, got: Floats) -> str:
        """Which of the usual mistakes gives these numbers."""
        if not all(np.isfinite(rows.logits).all() for rows in (paths.policy, paths.reference)):
            return ""
        whole = self.claims.reduction == "mean" or self.claims.known.has_batch_state
        near = max(2.0**-12, 16 * self.trial.fmt.unit_roundoff) if whole else 2.0**-6  # one number is easily near another
        for told, values in mistakes(paths, self.claims):
            seen = np.array([values.mean()]) if whole else values
            if seen.shape == got.shape and bool((np.abs(got - seen) <= near * np.abs(seen) + 1e-6).all()):
                return told  # "" where it is right but for the arithmetic
        return ""

    def wrong(self, paths: Paths, right: bool, told: str) -> None:
        """Right or wrong, with nothing between."""
        self.right(right, f"{told} ({paths.described()})")
