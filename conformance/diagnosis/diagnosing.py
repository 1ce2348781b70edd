"""The diagnosis of one implementation in one format, from its findings and the answers of a probe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from conformance.clauses import find
from conformance.clauses.trial import Trial
from conformance.diagnosis import conduct, kernels
from conformance.diagnosis.associations import associated, slight
from conformance.diagnosis.clamps import clamped
from conformance.diagnosis.extremes import alone, optioned
from conformance.diagnosis.fitted import linear
from conformance.diagnosis.hypotheses import BATCHES, GRADIENTS, LOSSES, PRECISIONS, REDUCTIONS
from conformance.diagnosis.inference import inferred
from conformance.diagnosis.metrics import of_loss
from conformance.diagnosis.places import where
from conformance.diagnosis.points import NEAR, Part, Points, holds, points
from conformance.diagnosis.probe import Probe, probed
from conformance.diagnosis.shapes import SLOPES, shape
from conformance.diagnosis.smallest import copies, smallest
from conformance.diagnosis.states import kept, unrepeated
from conformance.diagnosis.variants import Variant
from conformance.inputs.batch import NAMES
from conformance.records.diagnosis import Cause, Diagnosis, Kind
from conformance.records.record import Finding, Level, Verdict

MOST = 12
"""Causes that fit alike and are told."""
_SLOPE_KEYS = frozenset(variant.key for variant in GRADIENTS)
_BATCH_KEYS = frozenset(variant.key for variant in (*BATCHES, *REDUCTIONS))


def diagnosed(trial: Trial, findings: Sequence[Finding]) -> Diagnosis | None:
    """Why the implementation violates; None where it violates no MUST."""
    violated = [f for f in findings if f.verdict is Verdict.VIOLATES and f.level is Level.MUST]
    if not violated:
        return None
    refused = conduct.cause(violated)
    if refused is not None and violated[0].clause == "CALL-1":
        return Diagnosis((replace(refused, cure=refused.cure or find("CALL-1").remedy),))
    probe = probed(trial)
    missing = absent(probe)
    losses, derivatives = points(probe, "loss"), points(probe, "derivatives")
    state = kept(trial, findings)
    told = [[state]] if state else _groups(probe, losses, derivatives)  # what is kept makes anything of the rest
    far = optioned(trial, violated)
    if far is not None and alone(violated):
        told = [[far]]
    found = ([_without(missing)] if missing else [], *told)
    groups = [group for group in found if group]
    if any(finding.clause.startswith("METRIC-") for finding in violated):
        groups += [[cause] for cause in of_loss(trial)]
    if refused is not None:
        groups.append([refused])
    if not groups and far is not None:
        groups = [[far]]
    if not groups and (changed := unrepeated(trial, violated)) is not None:
        groups = [[changed]]
    if not groups:
        groups = [[_of_clause(violated)]]
    first, *others = groups
    usual = _of_clause(violated).cure
    first = [cause if cause.cure else replace(cause, cure=usual) for cause in first]
    return Diagnosis(
        tuple(first[:MOST]),
        tuple(group[0] for group in others),
        smallest(probe, losses, derivatives, missing, kernel=first[0].kind is Kind.KERNEL),
        missing,
        copies(trial, violated),
    )


def absent(probe: Probe) -> tuple[str, ...]:
    """The arguments in which no derivative was returned; a reference that is detached altogether is not meant."""
    for call in probe.of("options"):
        if call.answer is not None and probe.trial.implementation.claims.gradient:
            parts = call.answer.gradient or (None,) * 4
            none = [part is None for part in parts]
            return tuple(
                name
                for name, missing in zip(NAMES, none, strict=True)
                if missing and ("ref" not in name or none[:2] != [False, False])
            )
    return ()


def _without(missing: Sequence[str]) -> Cause:
    """No gradient, or none in some arguments."""
    every = len(missing) == len(NAMES)
    told = (
        "no gradient at all: the losses are not attached to the log-probabilities"
        if every
        else f"no gradient in {' and '.join(missing)}"
    )
    return Cause(
        "no gradient" if every else f"no gradient in {', '.join(missing)}",
        Kind.GRADIENT,
        "derivatives",
        told,
        "",
        ATTACHED,
        0,
        0,
    )


ATTACHED = (
    "Let the derivatives through: no .detach(), .item(), .data, .numpy() or no_grad between the log-probabilities and the "
    "loss; where it has none on purpose, claim gradient=False."
)


def _groups(probe: Probe, losses: Points, derivatives: Points) -> Iterator[list[Cause]]:
    """Causes that fit alike, group by group: of the losses, of the derivatives, of means."""
    means = _means(probe)
    if means and means[0].where == "":  # a reduction that is wrong for one pair too explains the pairs
        yield means
        return
    found = list(_of_losses(losses))
    both = [_with_derivatives(variant, cause, derivatives) for variant, cause in found]
    yield both
    consequent = bool(both) and both[0].kind is Kind.KERNEL
    if not (both and "derivatives" in both[0].part) and not consequent:
        known = [cause for slope, cause in _of_derivatives(derivatives) if slope is not None or not both]
        yield known
    yield means


Explained = tuple[Variant | None, Cause]


def _of_losses(asked: Points) -> Iterable[Explained]:
    """What explains the wrong losses, the best first: a variant, an unstable way, a number, a variant somewhere, a shape."""
    if not asked.wrong.any():
        return []
    if not np.isfinite(asked.got()[asked.wrong]).any():
        return _ways(asked) or _shape(asked)
    near = asked.masked(np.abs(asked.z) <= NEAR)
    everywhere, somewhere = _tried(asked, (*LOSSES, *_precisions(asked)))
    if not everywhere and slight(asked):
        return [(None, associated(asked))]
    numbers = _tried(asked, (*clamped(asked), *inferred(asked))) if not everywhere else ([], [])
    found = everywhere or numbers[0] or _ways(asked) or _tried(asked, linear(asked))[0] or somewhere or numbers[1]
    if found:
        return found
    if near.wrong.any() and not near.wrong.all():
        everywhere, somewhere = _tried(near, LOSSES)
        return everywhere or _tried(near, inferred(near))[0] or somewhere or _shape(asked)
    return _shape(asked)


def _of_derivatives(asked: Points) -> Iterable[Explained]:
    """What explains the wrong derivatives, as of the losses."""
    if not asked.wrong.any():
        return []
    near = asked.masked(np.abs(asked.z) <= NEAR)
    variants = [v for v in (*GRADIENTS, *LOSSES) if v.rounds is None or asked.narrow(v.rounds)]
    everywhere, somewhere = _tried(asked, variants)
    own = [each for each in somewhere if each[0] in GRADIENTS]
    found = everywhere or _ways(asked) or own or somewhere
    if found:
        return found
    if near.wrong.any():
        everywhere, somewhere = _tried(near, variants)
        return everywhere or somewhere or _shape(asked)
    return _shape(asked)


def _tried(asked: Points, variants: Iterable[Variant]) -> tuple[list[Explained], list[Explained]]:
    """(everywhere, somewhere): the variants that give every number, and those that give the wrong ones, told where."""
    everywhere: list[Explained] = []
    somewhere: list[Explained] = []
    for variant in variants:
        if any(known.key == variant.key for known, _ in (*everywhere, *somewhere) if known is not None):
            continue
        explained = asked.explained(variant)
        if explained is None:
            continue
        place = where(asked, asked.right & ~explained)
        cause = Cause(
            variant.key,
            Kind.BATCH if variant.key in _BATCH_KEYS else Kind.FORMULA if asked.part == "loss" else Kind.GRADIENT,
            asked.part,
            variant.says if asked.part == "loss" or variant.key in _SLOPE_KEYS else f"those of {variant.says}",
            place or "",
            variant.cure,
            int(explained.sum()),
            int(asked.wrong.sum()),
        )
        if place == "":
            everywhere.append((variant, cause))
        elif place is not None:
            somewhere.append((variant, cause))
    return everywhere, somewhere


def _precisions(asked: Points) -> Iterator[Variant]:
    """Variants that compute in a narrower format; of a result that is rounded, every number has to be one of that."""
    fmt = asked.probe.trial.fmt
    for variant in PRECISIONS:
        inner = variant.rounds
        if inner is None or inner.precision >= fmt.precision:
            continue
        if variant.key.startswith(("result", "inside")) and not asked.narrow(inner):
            continue
        yield variant


def _with_derivatives(variant: Variant | None, cause: Cause, derivatives: Points) -> Cause:
    """The cause of the losses, as that of the derivatives too where they are what it says."""
    if variant is None or not derivatives.wrong.any():
        return cause
    near = derivatives.masked(np.abs(derivatives.z) <= NEAR)
    tries = [replace(variant, jacobian=jacobian) for jacobian in (None, (1.0, -1.0, -1.0, 1.0), (1.0, -1.0, 0.0, 0.0))]
    found = (asked.explained(each) for asked in (derivatives, near) for each in tries)
    explained = next((each for each in found if each is not None), None)
    if explained is None:
        return cause
    return replace(
        cause,
        part="loss and derivatives",
        points=cause.points + int(explained.sum()),
        wrong=cause.wrong + int(derivatives.wrong.sum()),
    )


def _ways(asked: Points) -> list[Explained]:
    """Unstable ways that give every number, the closest first."""
    slopes = asked.part == "derivatives"
    fmt, got = asked.probe.trial.fmt, asked.slopes() if slopes else asked.got()
    scored = []
    for place, way in enumerate(kernels.SLOPES if slopes else kernels.WAYS):
        left = kernels.score(way, asked.z, asked.eps, got, asked.wrong, fmt, slopes=slopes)
        if left is not None:
            scored.append((left, place, way))
    least = min((left for left, _, _ in scored), default=0)
    best = {way.key: way for left, _, way in sorted(scored, key=lambda each: each[:2], reverse=True) if left == least}
    return [(None, _by_way(way, asked)) for way in reversed(best.values())]


def _by_way(way: kernels.Unstable, asked: Points) -> Cause:
    cure = SLOPES if asked.part == "derivatives" else kernels.STABLE
    return Cause(way.key, Kind.KERNEL, asked.part, way.says, "", cure, len(asked.z), int(asked.wrong.sum()))


def _shape(asked: Points) -> list[Explained]:
    return [(None, shape(asked))]


def _means(probe: Probe) -> list[Cause]:
    """What explains wrong means, beyond their pairs: a reduction, or a variant in batches of two or more."""
    every = zip(probe.calls, probe.wrong_losses, probe.wrong_derivatives, strict=True)
    calls = [(call, losses.any(), slopes.any()) for call, losses, slopes in every if call.mean and call.answer is not None]
    if not any(loss or slope for _, loss, slope in calls):
        return []
    part: Part = "loss" if any(loss for _, loss, _ in calls) else "derivatives"
    single = any((loss or slope) and len(call.batch) == 1 for call, loss, slope in calls)
    several = [call for call, _, _ in calls if single or len(call.batch) > 1]
    wrong = sum(bool(loss or slope) for _, loss, slope in calls)
    place = "" if single else "in batches of two pairs or more"
    return [
        Cause(variant.key, Kind.BATCH, part, variant.says, place, variant.cure, len(calls), wrong)
        for variant in (*REDUCTIONS, *(() if single else LOSSES if part == "loss" else (*GRADIENTS, *LOSSES)))
        if all(holds(variant, call, probe, part).all() for call in several)
    ]


_TELLING = (
    "METRIC",
    "REDUCE",
    "BATCH",
    "SPECIAL",
    "EXTREME",
    "OPTION",
    "CALL",
    "GRAD",
    "LOSS",
    "SMOOTH",
    "DEF",
    "PROP",
    "KERNEL",
)
"""Chapters by what a violation of one of their clauses alone tells; others come after."""


def _of_clause(violated: Sequence[Finding]) -> Cause:
    """The clause that tells the most, where nothing that is known fits."""

    def rank(finding: Finding) -> int:
        chapter = finding.clause.partition("-")[0]
        return _TELLING.index(chapter) if chapter in _TELLING else len(_TELLING)

    first = min(violated, key=rank)
    clause = find(first.clause)
    return Cause(first.clause, Kind.CLAUSE, "", clause.title, "", clause.remedy, first.points, first.violations)
