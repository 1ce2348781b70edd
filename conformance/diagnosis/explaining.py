"""What explains the wrong numbers of a probe: a variant, an unstable way, a number that is worked out, a shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from conformance.diagnosis import kernels
from conformance.diagnosis.associations import associated, slight
from conformance.diagnosis.clamps import clamped
from conformance.diagnosis.fitted import linear
from conformance.diagnosis.hypotheses import BATCHES, GRADIENTS, LOSSES, PRECISIONS, REDUCTIONS
from conformance.diagnosis.hypotheses.cures import BACKWARD, WHOLE
from conformance.diagnosis.inference import decimals, inferred, inferred_slopes, rounded
from conformance.diagnosis.places import where
from conformance.diagnosis.points import NEAR, Points
from conformance.diagnosis.rewards import REWARDS, of_rewards
from conformance.diagnosis.shapes import SLOPES, shape
from conformance.diagnosis.variants import RIGHT, Range, Variant, predicted
from conformance.records.diagnosis import Cause, Kind

_SLOPE_KEYS = frozenset(variant.key for variant in GRADIENTS)
_BATCH_KEYS = frozenset(variant.key for variant in (*BATCHES, *REDUCTIONS))
_CONSTANT = frozenset({"halved", "doubled", "negated", "zero"})
BACKWARD_ALONE = (
    "The losses are right: it is the backward pass that is another function's. Look at a derivative written by hand, and at "
    "what is detached or rounded on the way. " + BACKWARD
)
Explained = tuple[Variant | None, Cause]


def of_losses(asked: Points) -> Iterable[Explained]:
    """What explains the wrong losses, the best first: a variant, an unstable way, a number, a variant somewhere, a shape."""
    if not asked.wrong.any():
        return []
    if not np.isfinite(asked.got()[asked.wrong]).any():
        return _ways(asked) or _shape(asked)
    near = asked.masked(np.abs(asked.z) <= NEAR)
    everywhere, somewhere = tried(asked, (*LOSSES, *decimals(asked), *_precisions(asked)))
    if not everywhere and slight(asked):
        return [(None, associated(asked))]
    numbers = tried(asked, (*clamped(asked), *inferred(asked), *rounded(asked))) if not everywhere else ([], [])
    found = (
        everywhere
        or numbers[0]
        or _ways(asked)
        or tried(asked, linear(asked))[0]
        or _permuted(asked)
        or somewhere
        or numbers[1]
    )
    if found:
        return found
    if near.wrong.any() and not near.wrong.all():
        everywhere, somewhere = tried(near, (*LOSSES, *rounded(near)))
        return everywhere or tried(near, inferred(near))[0] or somewhere or _shape(asked)
    return _shape(asked)


def of_derivatives(asked: Points) -> Iterable[Explained]:
    """What explains the wrong derivatives, as of the losses."""
    if not asked.wrong.any():
        return []
    near = asked.masked(np.abs(asked.z) <= NEAR)
    variants = of_slopes(asked)
    everywhere, somewhere = tried(asked, variants)
    own = [each for each in somewhere if each[0] in GRADIENTS]
    found = everywhere or _ways(asked) or tried(asked, inferred_slopes(asked))[0] or own or somewhere
    if found:
        return found
    if near.wrong.any():
        everywhere, somewhere = tried(near, variants)
        return everywhere or somewhere or _shape(asked)
    return _shape(asked)


def of_slopes(asked: Points) -> list[Variant]:
    """The variants that derivatives may be of; of a format, where every one of them is a number of it."""
    return [variant for variant in (*GRADIENTS, *LOSSES) if variant.rounds is None or asked.narrow(variant.rounds)]


def best(asked: Points) -> Cause:
    """What explains the wrong numbers best, of which there is one at least."""
    return next(iter((of_losses if asked.part == "loss" else of_derivatives)(asked)))[1]


def tried(asked: Points, variants: Iterable[Variant]) -> tuple[list[Explained], list[Explained]]:
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
            variant.cure if asked.part == "loss" or variant.key in _SLOPE_KEYS else BACKWARD_ALONE,
            int(explained.sum()),
            int(asked.wrong.sum()),
        )
        if place == "":
            everywhere.append((variant, cause))
        elif place is not None and (variant.key in _BATCH_KEYS or asked.nearer(variant)):
            somewhere.append((variant, cause))
    if len(np.unique(asked.beta[asked.wrong])) == 1:  # a factor is told from one that depends on beta by another beta alone
        somewhere.sort(key=lambda each: each[0] is None or each[0].key not in _CONSTANT)
    return everywhere, somewhere


def _precisions(asked: Points) -> Iterator[Variant]:
    """Variants that compute in a format of fewer digits or less range; every number of a rounded result has to be one of it."""
    fmt = asked.probe.trial.fmt
    for variant in PRECISIONS:
        inner = variant.rounds
        if inner is None or (inner.precision >= fmt.precision and inner.largest >= fmt.largest):
            continue
        if variant.key.startswith(("result", "inside")) and not asked.narrow(inner):
            continue
        yield variant


def with_derivatives(variant: Variant | None, cause: Cause, derivatives: Points) -> Cause:
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
    pc, pr, rc, rr = asked.logps
    rewards = [of_rewards(way, asked.beta * (pc - rc), asked.beta * (pr - rr)) for way in REWARDS]
    scored = []
    for place, way in enumerate(kernels.SLOPES if slopes else (*kernels.WAYS, *rewards)):
        left = kernels.score(way, asked.z, asked.eps, got, asked.wrong, fmt, slopes=slopes)
        if left is not None:
            scored.append((left, place, way))
    least = min((left for left, _, _ in scored), default=0)
    best = {way.key: way for left, _, way in sorted(scored, key=lambda each: each[:2], reverse=True) if left == least}
    return [(None, _by_way(way, asked)) for way in reversed(best.values())]


def _by_way(way: kernels.Unstable, asked: Points) -> Cause:
    cure = SLOPES if asked.part == "derivatives" else kernels.STABLE
    return Cause(way.key, Kind.KERNEL, asked.part, way.says, "", cure, len(asked.z), int(asked.wrong.sum()))


def _permuted(asked: Points) -> list[Explained]:
    """The right losses of each call, at other pairs' places."""
    for call, wrong in zip(asked.calls, asked.by_call(asked.wrong), strict=True):
        if wrong.any():
            found = predicted(RIGHT, call.batch, asked.probe.trial.fmt).losses
            ordered = Range(np.sort(found.low), np.sort(found.high), found.fmt, found.strict)
            if not np.isfinite(call.losses).all() or not ordered.holds(np.sort(call.losses)).all():
                return []
    says = "each pair's loss at another's place: the right losses of the batch, in another order"
    return [(None, Cause("another order", Kind.BATCH, "loss", says, "", WHOLE, len(asked.wrong), int(asked.wrong.sum())))]


def _shape(asked: Points) -> list[Explained]:
    return [(None, shape(asked))]
