"""PATH: from the token logits of policy and reference to the loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.sequence.judging import Truth, truth
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.implementations.sequence.path import PathAnswer, PathImplementation
from conformance.inputs.paths import Paths, drawn_pairs
from conformance.inputs.sequences import Rows, drawn
from conformance.records.record import Level
from oracle import Format, enclosure, get_format
from oracle.bounds.acceptance import centre
from oracle.formats import Floats
from oracle.sequence import bounds

chapter = Chapter("PATH", "path")
KERNEL = 32.0
"""Relative error of a loss's kernel and of its derivative, in units of u: 16 ulp."""
BOUND = (
    "δ_z = |β| (the four sequences' bounds and 4u of their sizes) + 4u|z|; the loss lies between f(z + δ_z)(1 − 32u) and "
    "f(z − δ_z)(1 + 32u) "
    "(docs/bounds.md), the mixture's terms likewise."
)


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

    def losses(self, paths: Paths) -> None:
        """The losses, or their mean, within their bounds."""
        answer = self.implementation.evaluate(paths, self.trial.fmt)
        known = self.known(paths, answer)
        if self.claims.reduction == "none":
            self.hold(paths, answer.losses, known.loss, known.loss_error, "loss")
            return
        u = get_format(answer.dtype).unit_roundoff
        room = known.loss_error.mean() + (len(paths) + 2) * u * np.abs(known.loss).mean()
        self.hold(paths, answer.losses.reshape(1), known.loss.mean(keepdims=True), np.array([room]), "mean loss")

    def gradient(self, paths: Paths) -> None:
        """The derivatives in the policy's logits: the slope of the loss times those of the log-probabilities."""
        answer = self.implementation.evaluate(paths, self.trial.fmt, gradient=True)
        rows, known = paths.policy, self.known(paths, answer)
        fmt = self.claims.arithmetic(self.trial.fmt, answer.dtype)
        got = answer.gradient
        if got is None:
            got = np.full((rows.shape[0], rows.shape[1] - (not self.claims.shift), rows.shape[2]), np.nan)
        got = got[:, :-1] if self.claims.shift else got
        share = 1.0 if self.claims.reduction == "none" else 1.0 / len(paths)
        exact, allowed = _logit_slopes(rows, fmt, self.trial.fmt, average=self.claims.average)
        slope = share * np.concatenate([known.slope, -known.slope])[:, None, None]
        off = share * np.concatenate([known.slope_error, known.slope_error])[:, None, None]
        room = np.abs(slope) * allowed + off * (np.abs(exact) + allowed) + bounds.stored(exact * slope, self.trial.fmt)
        self.hold(paths, got, exact * slope, room * (1 + 2.0**-10), "d loss / d logits")

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
            instead = "" if self.worst <= 1 or what == "d loss / d logits" else self.recognised(paths, got)
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


def _logit_slopes(rows: Rows, fmt: Format, result: Format, *, average: bool) -> tuple[Floats, Floats]:
    """d logp / d logits and its bound, by what judges sequences."""
    from conformance.clauses.sequence.judging import sequence_gradient  # noqa: PLC0415

    return sequence_gradient(rows, fmt, result, bounds.must, average=average)


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


@chapter.clause(
    1,
    Level.MUST,
    "it answers",
    statement="Called with the logits of policy and reference of 2n sequences, labels, a mask, β and label smoothing, "
    "the implementation "
    "shall return n losses, or their mean as it claims, as finite floating-point numbers for finite logits.",
    derivation="As of LOGP-1.",
    remedy="Return one loss a pair; the chosen sequences come first, then the rejected ones.",
    kills=("path-returns-metrics",),
)
def answers(trial: Trial) -> Outcome:
    """One ordinary call."""
    pairs = Pairs(trial)
    paths = drawn_pairs(trial.rng("PATH-1"), trial.fmt, 3, 6, 11)
    losses = pairs.implementation.evaluate(paths, trial.fmt).losses
    if np.isfinite(losses).all():
        return Outcome(1, 0)
    raise Misbehaviour("not finite", f"it returned {losses}")


@chapter.clause(
    2,
    Level.MUST,
    "value",
    statement="The loss shall be that of the sequences' log-probabilities under policy and reference.",
    derivation=BOUND,
    guards=(
        "https://github.com/linkedin/Liger-Kernel/pull/481",
        "https://github.com/allenai/open-instruct/issues/1868",
        "https://github.com/jingyaogong/minimind/issues/451",
    ),
    remedy="The finding names the mistake where it is a usual one: mean for sum, chosen and rejected, policy and "
    "reference, the sign.",
    kills=("path-negated", "path-no-reference", "path-own-reference", "path-token-mean", "path-exchanged", "path-interleaved"),
)
def value(trial: Trial) -> Outcome:
    """Pairs of unequal lengths, near and far from the reference."""
    pairs = Pairs(trial)
    rng = trial.rng("PATH-2")
    for n, length, columns, drift in ((1, 4, 5, 0.5), (3, 9, 40, 0.5), (4, 6, 300, 2.0)):
        paths = drawn_pairs(rng, trial.fmt, n, length, columns, drift=drift)
        pairs.losses(paths.at(**pairs.options(0.1, 0.0)))
    return pairs.outcome()


@chapter.clause(
    3,
    Level.MUST,
    "policy and reference the same",
    statement="Where policy and reference have the same logits, the loss shall be ln 2, to one ulp of the result's format.",
    derivation="The same code on the same numbers gives the same log-probabilities, their differences are 0, and f(0) = ln 2.",
    guards=(
        "https://github.com/eric-mitchell/direct-preference-optimization/issues/34",
        "https://github.com/NVIDIA/NeMo-Aligner/issues/227",
    ),
    remedy="Let policy and reference take the same path: the same dtype, the same kernel, the same masks, no dropout.",
    kills=("path-two-dtypes", "path-dropout"),
)
def same(trial: Trial) -> Outcome:
    """The policy beside itself."""
    pairs = Pairs(trial)
    policy = drawn(trial.rng("PATH-3"), trial.fmt, 6, 9, 30, name="policy = reference")
    paths = Paths(policy, policy, **pairs.options(0.5, 0.0))
    answer = pairs.implementation.evaluate(paths, trial.fmt)
    result = get_format(answer.dtype)
    exact = np.full(answer.losses.shape, np.log(2.0))
    allowed = np.full(answer.losses.shape, 2 * result.unit_roundoff * np.log(2.0))
    pairs.hold(paths, answer.losses, exact, allowed, "loss")
    return pairs.outcome()


@chapter.clause(
    4,
    Level.MUST,
    "options",
    statement="β and label smoothing shall change the loss, to what the definition says.",
    derivation=BOUND,
    remedy="Pass the options on to the loss; apply β once.",
    kills=("path-beta-ignored", "path-smoothing-ignored", "path-beta-twice"),
)
def options(trial: Trial) -> Outcome:
    """Three betas, with and without smoothing."""
    pairs = Pairs(trial)
    paths = drawn_pairs(trial.rng("PATH-4"), trial.fmt, 3, 7, 20)
    for beta, eps in ((0.5, 0.0), (2.0, 0.0), (0.05, 0.25), (1.0, 0.1)):
        pairs.losses(paths.at(**pairs.options(beta, eps)))
    return pairs.outcome()


@chapter.clause(
    5,
    Level.MUST,
    "masked places",
    statement="NaN and +∞ in logits that do not count, labels of −100 there, and padding shall change no loss.",
    derivation="The exact loss does not look there.",
    guards=("https://github.com/OpenRLHF/OpenRLHF/issues/1240",),
    remedy="Select and do not multiply: where(mask, logps, 0).",
    kills=("path-multiplies-mask",),
)
def masked(trial: Trial) -> Outcome:
    """Poison in policy and reference where nothing counts."""
    pairs = Pairs(trial)
    paths = drawn_pairs(trial.rng("PATH-5"), trial.fmt, 3, 8, 12).at(**pairs.options(0.1, 0.0))
    mask = paths.policy.mask
    counts = np.concatenate([mask[:, 1:], np.zeros((len(mask), 1), dtype=bool)], axis=1)
    labels = np.where(mask, paths.policy.labels, -100)
    for poison in (np.nan, np.inf, 0.0):
        held = []
        for rows in (paths.policy, paths.reference):
            logits = np.where(counts[..., None], rows.logits, poison)
            held.append(replace(rows, logits=logits, labels=labels, name=f"{poison} where nothing counts").padded(1, 2))
        pairs.losses(replace(paths, policy=held[0], reference=held[1]))
    return pairs.outcome()


@chapter.clause(
    6,
    Level.MUST,
    "derivatives",
    statement="The derivatives of the loss in the policy's logits shall be β (ε − σ(−z)) times those of the chosen sequence's "
    "log-probability, and minus that of the rejected one's.",
    derivation="The slope's bound times the token's, and crosswise; 0 where nothing counts.",
    needs=("gradient",),
    remedy="Detach the reference and nothing of the policy; a handwritten backward multiplies by the incoming derivative.",
    kills=("path-gradient-halved", "path-detached", "path-gradient-sign"),
)
def gradient(trial: Trial) -> Outcome:
    """Every entry."""
    pairs = Pairs(trial)
    rng = trial.rng("PATH-6")
    for columns in (5, 60):
        paths = drawn_pairs(rng, trial.fmt, 3, 6, columns)
        pairs.gradient(paths.at(**pairs.options(0.5, 0.0)))
        pairs.gradient(paths.at(**pairs.options(0.1, 0.25)))
    return pairs.outcome()


@chapter.clause(
    7,
    Level.MUST,
    "the inputs are left alone",
    statement="A call shall not change its logits, labels or mask.",
    derivation="As of TIDY-1.",
    remedy="No operation in place.",
    kills=("path-in-place",),
)
def untouched(trial: Trial) -> Outcome:
    """The bytes of the inputs."""
    pairs = Pairs(trial)
    paths = drawn_pairs(trial.rng("PATH-7"), trial.fmt, 2, 6, 12)
    wrote = pairs.implementation.evaluate(paths, trial.fmt).wrote
    pairs.wrong(paths, not wrote, f"it changed {', '.join(wrote)} in place")
    return pairs.outcome()
