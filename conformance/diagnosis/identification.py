"""Which loss a function computes: every definition and every known wrong variant tried on inputs that tell them apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeGuard, cast

import numpy as np

from conformance.diagnosis.scaled import Asked, Scale, scale
from conformance.errors import BadRequest, Misbehaviour
from conformance.implementations import Implementation
from conformance.implementations.preference import KIND, PreferenceLoss
from conformance.inputs.batch import NAMES, Batch
from conformance.inputs.losses import LossBatch, common, mirrored, steep
from oracle import Format, losses
from oracle.bounds import Mask, centre
from oracle.bounds.expression import Running, running
from oracle.expressions.nodes import ZERO, Node, mean, parameters_of
from oracle.formats import Floats
from oracle.losses import Loss
from oracle.losses._evaluate import slope

_Key = tuple[bytes, tuple[tuple[str, Fraction], ...]]
Analyses = dict[_Key, Running]
"""What was worked out for a batch at parameters: of use again where another function is asked the same in the same format."""
FIRST = 3
"""Batches after which a candidate that fits no number, nor a constant multiple, is left."""
STEEP = 8.0
"""By which log-ratios are stretched once, so that kinks and ends are reached."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the function returned for one batch."""

    batch: LossBatch
    losses: Floats
    gradient: Mapping[str, Floats | None]

    @property
    def rows(self) -> bytes:
        """What tells its pairs from others."""
        return LossBatch(self.batch.rows, {}).key


@dataclass(frozen=True, slots=True)
class Candidate:
    """A loss, or one of its wrong variants, at parameters that the function was not told: by name."""

    loss: Loss
    base: Loss
    guessed: tuple[tuple[str, float], ...]

    @property
    def wrong(self) -> bool:
        """Whether it is a known wrong variant."""
        return self.loss is not self.base

    @property
    def text(self) -> str:
        """Its name, what is wrong with it, and the parameters that were guessed."""
        told = f"{self.loss.name}: {self.loss.title}" if self.wrong else f"{self.loss.name}: {self.base.title}"
        return told + "".join(f", {name} = {x:g}" for name, x in self.guessed)


@dataclass(frozen=True, slots=True)
class Match:
    """How a candidate fits: how many of how many numbers, and what stands before it where that alone is between them."""

    candidate: Candidate
    agreed: int
    numbers: int
    gradient: bool
    scale: Scale | None = None

    @property
    def complete(self) -> bool:
        """Whether every number agrees, derivatives included."""
        return self.agreed == self.numbers


def identify(implementation: Implementation | PreferenceLoss, fmt: Format, analyses: Analyses | None = None) -> list[Match]:
    """The candidates, those that fit everything first, right before wrong; then by how many numbers agree.

    analyses: kept from one function to the next of the same format, where several are identified. Raises BadRequest where the
    implementation is no loss, or does not claim the format, and Misbehaviour.
    """
    if fmt not in implementation.claims.formats:
        raise BadRequest(f"{implementation.name} does not claim {fmt.name}")
    return identified(list(_seen(implementation, fmt)), fmt, analyses)


def _seen(implementation: Implementation | PreferenceLoss, fmt: Format) -> Iterator[Seen]:
    """What it returns for each batch, but for one at options of 0 where it refuses those. Raises Misbehaviour."""
    others = _options(implementation)
    for batch in batches(implementation, fmt):
        try:
            yield answered(implementation, batch, fmt)
        except Misbehaviour as error:
            if error.kind != "raised" or batch.parameters in others:
                raise


def identified(seen: Sequence[Seen], fmt: Format, analyses: Analyses | None = None) -> list[Match]:
    """The candidates that take no more than the batches hold, those that fit everything first, as `identify` sorts them."""
    analyses = {} if analyses is None else analyses
    held = set(seen[0].batch.rows)
    matches = [_match(one, seen, fmt, analyses) for one in _candidates(seen) if held.issuperset(one.loss.inputs)]
    return sorted(matches, key=lambda m: (not m.complete, -m.agreed / m.numbers, m.candidate.wrong, m.candidate.loss.name))


def _named(implementation: Implementation | PreferenceLoss) -> TypeGuard[PreferenceLoss]:
    """Whether it claims a loss by name; also of one that is watched while it is called."""
    return implementation.claims.kind == KIND


def batches(implementation: Implementation | PreferenceLoss, fmt: Format) -> Iterator[LossBatch]:
    """The pairs that tell losses apart, as they are, mirrored, stretched, and far out; at options that show, then at
    others; and as they are at options of 0, which code may take for none given.
    """
    options, none = _options(implementation), _zeros(implementation)
    stretched = {
        name: row if "length" in name else fmt.round_array(np.minimum(row * STEEP, 0)) for name, row in common().rows.items()
    }
    for rows in (common().rows, mirrored(common()).rows, stretched, steep(fmt).rows):
        for parameters in options:
            yield LossBatch(rows, parameters)
    if none not in options:
        yield LossBatch(common().rows, none)


def _options(implementation: Implementation | PreferenceLoss) -> list[dict[str, float]]:
    if _named(implementation):
        loss = losses.get_loss(implementation.claims.loss)
        claimed = implementation.claims.options
        shown = {name: x for name, x in loss.telling.items() if name in claimed}
        return [shown, {name: x for name, x in loss.defaults.items() if name in claimed}]
    shown = {"beta": 0.3, "label_smoothing": 0.25}
    plain = {"beta": 0.1, "label_smoothing": 0.0}
    claimed = implementation.claims.options
    return [{name: x for name, x in options.items() if name in claimed} for options in (shown, plain)]


def _zeros(implementation: Implementation | PreferenceLoss) -> dict[str, float]:
    """The options at 0 where they may be 0, the others so that they show."""
    shown = _options(implementation)[0]
    if not _named(implementation):
        return {name: x if name == "beta" else 0.0 for name, x in shown.items()}
    loss = losses.get_loss(implementation.claims.loss)
    return {name: 0.0 if Fraction(0) in loss.parameter(name).domain else x for name, x in shown.items()}


def answered(implementation: Implementation | PreferenceLoss, batch: LossBatch, fmt: Format) -> Seen:
    """What it returns for a batch, which may hold more than it takes. Raises Misbehaviour, BadRequest for what is no loss."""
    if _named(implementation):
        loss = losses.get_loss(implementation.claims.loss)
        given = LossBatch({name: batch.rows[name] for name in loss.inputs}, batch.parameters)
        answer = implementation.evaluate(given, fmt, gradient=True)
        return Seen(batch, np.atleast_1d(answer.losses), answer.gradient or {})
    judged = cast("Implementation", implementation)
    if judged.claims.kind != "loss":
        raise BadRequest(f"{judged.name} is a {judged.claims.kind}, not a loss: dpo-conformance run judges it")
    pairs = Batch.of(*(batch.rows[name] for name in NAMES), **batch.parameters)
    found = judged.evaluate(pairs, fmt, gradient=judged.claims.gradient)
    gradient = dict(zip(NAMES, found.gradient, strict=True)) if found.gradient is not None else {}
    return Seen(batch, np.atleast_1d(found.losses), gradient)


def _candidates(seen: Sequence[Seen]) -> Iterator[Candidate]:
    """Every loss and wrong variant, with what the function was not told at its default and at a value beside it."""
    told = set(seen[0].batch.parameters)
    for base in losses.LOSSES.values():
        for loss in (base, *(base.variant(wrong) for wrong in base.wrong)):
            missing = sorted(set(parameters_of(loss.definition)) - told)
            defaults = tuple((name, loss.defaults[name]) for name in missing)
            others = tuple((name, loss.telling[name]) for name in missing)
            for guessed in dict.fromkeys((defaults, others)):
                yield Candidate(loss, base, guessed)


def _match(candidate: Candidate, seen: Sequence[Seen], fmt: Format, analyses: Analyses) -> Match:
    tried = [one for one in seen if admitted(candidate, one)]
    if not tried or is_far(candidate, tried[0], analysis_of(candidate, tried[0], fmt, analyses)):
        return Match(candidate, 0, sum(len(one.batch) for one in seen), False)
    values = [_values(candidate, one, analysis_of(candidate, one, fmt, analyses)) for one in tried[:FIRST]]
    if any(part[0] for part in values) or scale([part[2] for part in values], fmt) is not None:
        values += [_values(candidate, one, analysis_of(candidate, one, fmt, analyses)) for one in tried[FIRST:]]
    agreed, numbers = sum(part[0] for part in values), sum(part[1] for part in values)
    before = scale([part[2] for part in values], fmt)
    if not agreed:
        return Match(candidate, 0, max(numbers, 1), False, before)
    slopes = [derivatives(candidate, one, analysis_of(candidate, one, fmt, analyses)) for one in tried]
    agreed, numbers = agreed + sum(part[0] for part in slopes), numbers + sum(part[1] for part in slopes)
    return Match(candidate, agreed, numbers, any(part[1] for part in slopes), before)


def _parameters(candidate: Candidate, one: Seen) -> dict[str, Fraction]:
    given = {**candidate.loss.defaults, **one.batch.parameters, **dict(candidate.guessed)}
    return {name: Fraction(given[name]) for name in candidate.loss.defaults}


def admitted(candidate: Candidate, one: Seen) -> bool:
    """Whether its parameters there are in the candidate's domains."""
    known = _parameters(candidate, one)
    return all(known[parameter.name] in parameter.domain for parameter in candidate.loss.parameters)


def analysis_of(candidate: Candidate, one: Seen, fmt: Format, analyses: Analyses) -> Running:
    """What was worked out for the batch at the candidate's parameters."""
    known = _parameters(candidate, one)
    key = one.rows, tuple(sorted(known.items()))
    if key not in analyses:
        analyses[key] = running(one.batch.rows, known, fmt)
    return analyses[key]


def is_far(candidate: Candidate, one: Seen, analysis: Running) -> bool:
    """Whether no loss of a batch is within a tenth of the candidate's, nor a constant multiple: at no cost of a bound."""
    node, got = _asked(candidate, one)
    exact = centre(analysis.arrays.ball(node))
    with np.errstate(all="ignore"):
        ratios = got / exact
        near = np.abs(got - exact) <= 0.1 * np.abs(exact)
        constant = np.ptp(ratios) <= 0.1 * np.abs(np.median(ratios))
    return not (near.any() or bool(constant))


def held(candidate: Candidate, one: Seen, analysis: Running) -> tuple[Mask, Mask]:
    """(which losses are the candidate's, which could be); a mean stands for each of its pairs."""
    node, got = _asked(candidate, one)
    acceptance, fits = analysis.acceptance(node), analysis.representable(node)
    return (acceptance.rho(got) <= 1) & fits, fits


def _asked(candidate: Candidate, one: Seen) -> tuple[Node, Floats]:
    """What was asked of the candidate, and what came back, a number a pair."""
    n = len(one.batch)
    whole = one.losses.size != n or candidate.loss.has_batch_state
    node = mean(candidate.loss.definition) if whole else candidate.loss.definition
    return node, np.full(n, one.losses.mean()) if whole else one.losses


def _values(candidate: Candidate, one: Seen, analysis: Running) -> tuple[int, int, Asked]:
    """How many losses agree, of how many, and what they are beside the candidate's."""
    agreed, fits = held(candidate, one, analysis)
    node, got = _asked(candidate, one)
    beta = one.batch.parameters.get("beta", float("nan"))
    asked = Asked(got, analysis.acceptance(node), fits, len(one.batch), beta)
    return int(np.count_nonzero(agreed)), int(np.count_nonzero(fits)), asked


def derivatives(candidate: Candidate, one: Seen, analysis: Running) -> tuple[int, int]:
    """How many derivatives agree, of how many; one in what the candidate does not take has to be 0, and so has one in a
    policy's that was detached.
    """
    n, agreed, numbers = len(one.batch), 0, 0
    share = n if one.losses.size != n else 1
    for name, part in one.gradient.items():
        derived = slope(candidate.loss, name) / share if name in candidate.loss.inputs else ZERO
        if part is None:
            numbers += n * (name.startswith("policy_") and derived is not ZERO)
            continue
        if derived is ZERO:
            numbers += n * bool(np.any(part))
            continue
        bound, within = analysis.acceptance(derived), analysis.representable(derived)
        agreed += int(np.count_nonzero((bound.rho(part) <= 1) & within))
        numbers += int(np.count_nonzero(within))
    return agreed, numbers
