"""What came back from policy and reference logits, held against the oracle: bounds, and the worst place in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from conformance.clauses.model import Outcome
from conformance.clauses.sequence.judging import Truth, dividing, head_slopes, sequence_gradient, truth
from conformance.clauses.trial import Trial
from conformance.implementations.sequence.path import PathAnswer, PathImplementation
from conformance.inputs.paths import Paths
from conformance.inputs.sequences import Rows
from oracle import Format, enclosure, get_format
from oracle.bounds.acceptance import centre
from oracle.formats import Floats
from oracle.sequence import bounds

KERNEL = 32.0
"""Relative error of a loss's kernel and of its derivative, in units of u: 16 ulp."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Of n pairs: the exact logit, what it may be off by, and the exact loss and slope with theirs; float64."""

    z: Floats
    error: Floats
    loss: Floats
    loss_error: Floats
    slope: Floats
    slope_error: Floats

    @classmethod
    def of(cls, paths: Paths, fmt: Format, result: Format, *, average: bool) -> Known:
        """Everything from the four sequences' sums. fmt: in which it adds up; result: that of the losses."""
        chosen, rejected = slice(0, len(paths)), slice(len(paths), None)
        sums, room = [], []
        for rows in (paths.policy, paths.reference):
            known = truth(rows)
            sums.append(known.sequences(average=average))
            room.append(_room(known, fmt, result, average=average))
        policy, reference = sums
        u, beta, eps = max(fmt.unit_roundoff, result.unit_roundoff), paths.beta, paths.label_smoothing
        z = beta * ((policy - reference)[chosen] - (policy - reference)[rejected])
        sizes = np.abs(policy) + np.abs(reference)
        error = abs(beta) * (room[0] + room[1] + 4 * u * sizes)
        error = (error[chosen] + error[rejected]) + 4 * u * np.abs(z) + 2.0**-1000
        f, low, high = (_f(z + side * error) for side in (0, 1, -1))
        mirrored, below, above = (_f(-(z + side * error)) for side in (0, -1, 1))
        loss = (1 - eps) * f + (eps * mirrored if eps else 0.0)
        with np.errstate(invalid="ignore"):
            off = (1 - eps) * np.maximum(high - f, f - low)
            off = off + (eps * np.maximum(above - mirrored, mirrored - below) if eps else 0.0)
            off = off + KERNEL * u * ((1 - eps) * high + (eps * above if eps else 0.0)) + 4 * result.smallest_normal
        s, least, most = (_s(z + side * error) for side in (0, 1, -1))
        slope = beta * (eps - s)
        slope_error = abs(beta) * (np.maximum(most - s, s - least) + KERNEL * u * (most + eps)) + 4 * result.smallest_subnormal
        return cls(z, error, loss, off, slope, slope_error)


def _room(known: Truth, fmt: Format, result: Format, *, average: bool) -> Floats:
    """What each sequence's sum may be off by."""
    errors, tokens = known.spread(known.tokens.error(fmt, bounds.must(known.rows.shape[2]))), known.spread(known.tokens.exact)
    narrow = result if result.precision < fmt.precision else fmt
    room = np.array([bounds.total(e[m], t[m], narrow) for e, t, m in zip(errors, tokens, known.places, strict=True)])
    exact = known.sequences(average=average)
    return np.asarray((room / np.maximum(known.counts, 1) if average else room) + bounds.stored(np.nan_to_num(exact), narrow))


def _f(z: Floats) -> Floats:
    return np.asarray(centre(enclosure.softplus_minus(z)))


def _s(z: Floats) -> Floats:
    return np.asarray(centre(enclosure.sigmoid_minus(z)))


class Pairs:
    """Adds up what a check judges, and keeps the worst place in words."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.implementation = cast("PathImplementation", trial.implementation)
        self.claims = self.implementation.claims
        self.points = self.violations = 0
        self.worst, self.told = -1.0, ""

    def options(self, beta: float, eps: float) -> dict[str, float]:
        """The options that it honours, the others at their defaults."""
        known = self.claims.options
        return {"beta": beta if "beta" in known else 0.1, "label_smoothing": eps if "label_smoothing" in known else 0.0}

    def known(self, paths: Paths, answer: PathAnswer) -> Known:
        """The truth, with the bounds of its arithmetic."""
        fmt = self.claims.arithmetic(self.trial.fmt, answer.dtype)
        return Known.of(paths, fmt, get_format(answer.dtype), average=self.claims.average)

    def losses(self, paths: Paths, answer: PathAnswer | None = None) -> None:
        """The losses, or their mean, within their bounds."""
        answer = self.implementation.evaluate(paths, self.trial.fmt) if answer is None else answer
        known = self.known(paths, answer)
        if self.claims.reduction == "none":
            self.hold(paths, answer.losses, known.loss, known.loss_error, "loss")
            return
        u = get_format(answer.dtype).unit_roundoff
        room = known.loss_error.mean() + (len(paths) + 2) * u * np.abs(known.loss).mean()
        self.hold(paths, answer.losses.reshape(1), known.loss.mean(keepdims=True), np.array([room]), "mean loss")

    def gradient(self, paths: Paths, incoming: Floats | None = None, *, inner: bool = False) -> None:
        """The derivatives in the policy's logits: the slope of the loss times those of the log-probabilities.

        incoming: a factor for each loss, or for the mean. inner: those of a fused head in its own inputs too.
        """
        answer = self.implementation.evaluate(paths, self.trial.fmt, gradient=True, incoming=incoming)
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
        slope = np.concatenate([share * known.slope, -share * known.slope])[:, None, None]
        off = np.concatenate([np.abs(share) * known.slope_error] * 2)[:, None, None]
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
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            rho = np.where(got == exact, 0.0, np.abs(got - exact) / allowed)
        rho = np.where(np.isnan(exact), 0.0, np.where(np.isnan(rho), np.inf, rho))
        self.points += rho.size
        self.violations += int(np.count_nonzero(rho > 1))
        if rho.size and float(rho.max()) > self.worst:
            place = np.unravel_index(int(rho.argmax()), rho.shape)
            self.worst = float(rho[place])
            told = f"{what} [{', '.join(map(str, map(int, place)))}] got {float(got[place])!r}, exact {float(exact[place])!r}"
            self.told = f"{told}, {self.worst:.3g} times what the bound allows ({paths.described()})"
            instead = "" if self.worst <= 1 or what.startswith("d loss") else self.recognised(paths, got)
            self.told += f"; the numbers are {instead}" if instead else ""

    def recognised(self, paths: Paths, got: Floats) -> str:
        """Which of the usual mistakes gives these numbers."""
        if not all(np.isfinite(rows.logits).all() for rows in (paths.policy, paths.reference)):
            return ""
        for told, values in _mistakes(paths, average=self.claims.average):
            seen = np.array([values.mean()]) if self.claims.reduction == "mean" else values
            if seen.shape == got.shape and bool((np.abs(got - seen) <= 2.0**-6 * np.abs(seen) + 1e-6).all()):
                return told  # "" where it is right but for the arithmetic
        return ""

    def wrong(self, paths: Paths, right: bool, told: str) -> None:
        """Right or wrong, with nothing between."""
        self.points += 1
        if not right:
            self.violations += 1
            self.worst, self.told = np.inf, f"{told} ({paths.described()})"

    def outcome(self) -> Outcome:
        """The finding's content."""
        close = f"largest ρ {self.worst:.3g}" if 0 <= self.worst < np.inf else ""
        return Outcome(self.points, self.violations, note=self.told if self.violations else close)


def _mistakes(paths: Paths, *, average: bool) -> Iterator[tuple[str, Floats]]:
    n, beta, eps = len(paths), paths.beta, paths.label_smoothing

    def of(policy: Floats, reference: Floats, b: float = beta, e: float = eps) -> Floats:
        ratio = policy - reference
        z = b * (ratio[:n] - ratio[n:])
        return (1 - e) * _f(z) + (e * _f(-z) if e else 0.0)

    policy, reference = (truth(rows).sequences(average=average) for rows in (paths.policy, paths.reference))
    yield "", of(policy, reference)
    yield "minus the loss: a fused form that subtracts it", -of(policy, reference)
    swapped = np.concatenate([policy[n:], policy[:n]]), np.concatenate([reference[n:], reference[:n]])
    yield "those of chosen and rejected exchanged", of(*swapped)
    yield "those of policy and reference exchanged", of(reference, policy)
    yield "those without a reference", of(policy, np.zeros_like(policy))
    yield "ln 2 throughout: the reference's log-probabilities are the policy's own", of(policy, policy)
    other = [truth(rows).sequences(average=not average) for rows in (paths.policy, paths.reference)]
    yield "those of sums over tokens, not means" if average else "those of means over tokens, not sums", of(other[0], other[1])
    yield "those of label_smoothing 0: it is ignored", of(policy, reference, e=0.0)
    yield "those of β = 0.1, whatever β is", of(policy, reference, 0.1)
    yield "those of β squared: it is applied twice", of(policy, reference, beta * beta)
    yield "those of 1/β", of(policy, reference, 1 / beta)
    if n > 1:
        inside = (policy - reference)[:n].mean() - (policy - reference)[n:].mean()
        yield "the loss of the mean logit, where the mean of the losses is asked for", np.full(n, _f(np.array([beta * inside])))
    interleaved = np.arange(2 * n).reshape(n, 2).T.ravel()
    yield "those of pairs that lie side by side, where the chosen come first", of(policy[interleaved], reference[interleaved])
    yield "those of a reference that is exchanged between pairs", of(policy, np.roll(reference, 1))
    every = [
        replace(rows, mask=_all(rows), labels=rows.labels.clip(0, rows.shape[2] - 1))
        for rows in (paths.policy, paths.reference)
    ]
    unmasked = [truth(rows).sequences(average=average) for rows in every]
    yield "those of all places: the mask is not used", of(unmasked[0], unmasked[1])


def _all(rows: Rows) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    every = np.ones(rows.mask.shape, dtype=bool)
    every[:, 0] = False
    return every
