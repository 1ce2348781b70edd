"""What a logged metric holds instead of what its name says: another one, another beta, another sign, another mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.clauses.logged import Each, each_of
from conformance.clauses.trial import Trial
from conformance.diagnosis.partitions import MEAN, WAYS, Way
from conformance.diagnosis.probe import PAIRS
from conformance.errors import Misbehaviour
from conformance.inputs.batch import Batch
from conformance.inputs.paths import Parts
from conformance.records.diagnosis import Cause, Kind
from oracle import Format, binary32
from oracle.formats import Floats

BETA = "Multiply each log-ratio by the beta that the loss takes, once, for the rewards; by none for margins and log-ratios."
WEIGHED = "Weigh each part's metrics by its pairs, as its loss: add over all pairs and divide once, by their number."
NAMED = "Log each number under its own name: a reward is beta times (policy - reference) of its own response."
STRICT = "Count the pairs whose chosen reward is strictly above the rejected one, as a share from 0 to 1."


@dataclass(frozen=True, eq=False)
class Logged:
    """One call: the pairs, how they were cut, and the metrics that came back."""

    parts: Parts
    metrics: Mapping[str, float]

    def holds(self, got: float, each: Each, way: Way, fmt: Format) -> bool:
        """Whether that number is the parts' numbers put together in that way, to the roundings of any order."""
        values, sizes = each
        weights = way.weights(self.parts.sizes)
        n, k = len(values), len(self.parts.sizes)
        room = (n + 4 * k + 12) * fmt.unit_roundoff * float((np.abs(weights) * sizes).sum()) + 4 * fmt.smallest_normal
        return bool(abs(got - float((weights * values).sum())) <= room)

    def right(self, name: str, fmt: Format) -> bool:
        """Whether a metric is what its name says."""
        return self.holds(self.metrics[name], each_of(name, self.parts.batch), MEAN, fmt)


@dataclass(frozen=True, slots=True)
class Reading:
    """A wrong metric: what each pair's is, by (name, its log-ratios and the like, beta); None where it has no such."""

    key: str
    says: str
    cure: str
    each: Callable[[str, Parts], Each | None]


ALL = (
    "logps/chosen",
    "logps/rejected",
    "rewards/chosen",
    "rewards/rejected",
    "rewards/margins",
    "rewards/accuracies",
)


def _rewards(change: Callable[[Parts], Mapping[str, Floats]]) -> Callable[[str, Parts], Each | None]:
    """What is in the place of a chosen or a rejected log-ratio or of their difference, times its beta."""

    def each(name: str, parts: Parts) -> Each | None:
        chosen, rejected = (change(parts)[side] for side in ("chosen", "rejected"))
        beta = parts.batch.beta if name.startswith("rewards/") else 1.0
        size = abs(beta) * np.abs(np.array(parts.batch.logps)).sum(axis=0)
        match name.rpartition("/")[2]:
            case "margins" | "margin":
                return beta * (chosen - rejected), size
            case "accuracies" | "accuracy":
                return (beta * (chosen - rejected) > 0).astype(np.float64), np.ones_like(chosen)
            case "chosen" | "chosen_logratio" if not name.startswith("logps/"):
                return beta * chosen, size
            case "rejected" | "rejected_logratio" if not name.startswith("logps/"):
                return beta * rejected, size
            case _:
                return None

    return each


def _of(pc: int, pr: int, rc: int, rr: int) -> Callable[[Parts], Mapping[str, Floats]]:
    """Log-ratios of other places: which array is policy chosen, policy rejected, and so on; -1 for none."""

    def change(parts: Parts) -> Mapping[str, Floats]:
        taken = [parts.batch.logps[i] if i >= 0 else np.zeros(len(parts.batch)) for i in (pc, pr, rc, rr)]
        return {"chosen": taken[0] - taken[2], "rejected": taken[1] - taken[3]}

    return change


def _betas(of: Callable[[float], float]) -> Callable[[str, Parts], Each | None]:
    def each(name: str, parts: Parts) -> Each | None:
        if name.startswith("rewards/") and not name.endswith("accuracies"):
            return each_of(name, parts.batch, of(parts.batch.beta))
        return None

    return each


def _scaled(of: Callable[[float], float]) -> Callable[[str, Parts], Each | None]:
    """What carries no beta, times something of it."""

    def each(name: str, parts: Parts) -> Each | None:
        if name.startswith(("rewards/", "logps/")) or name == "accuracy":
            return None
        values, size = each_of(name, parts.batch)
        return of(parts.batch.beta) * values, of(parts.batch.beta) * size

    return each


def _absolute(name: str, parts: Parts) -> Each | None:
    values, size = each_of(name, parts.batch)
    return np.abs(values), size


def _smoothed(name: str, parts: Parts) -> Each | None:
    values, size = each_of(name, parts.batch)
    return (1 - 2 * parts.batch.label_smoothing) * values, size


def _negated(name: str, parts: Parts) -> Each | None:
    values, size = each_of(name, parts.batch)
    return -values, size


def _accuracy(count: Callable[[Parts, Floats], NDArray[Any]]) -> Callable[[str, Parts], Each | None]:
    def each(name: str, parts: Parts) -> Each | None:
        if not name.endswith(("accuracies", "accuracy")):
            return None
        pc, pr, rc, rr = parts.batch.logps
        return count(parts, (pc - rc) - (pr - rr)).astype(np.float64), np.ones_like(pc)

    return each


READINGS = (
    Reading("without beta", "without beta", BETA, _betas(lambda beta: 1.0)),
    Reading("beta twice", "with beta twice", BETA, _betas(lambda beta: beta * beta)),
    Reading("beta of 0.1", "by beta = 0.1, whatever the loss takes", BETA, _betas(lambda beta: 0.1)),
    Reading("doubled beta", "by twice the beta of the loss", BETA, _betas(lambda beta: 2 * beta)),
    Reading("halved beta", "by half the beta of the loss", BETA, _betas(lambda beta: beta / 2)),
    Reading("reward divided by beta", "divided by beta, not multiplied", BETA, _betas(lambda beta: 1 / beta)),
    Reading("times beta", "times beta, of which it carries none", BETA, _scaled(lambda beta: beta)),
    Reading("divided by beta", "divided by beta, of which it carries none", BETA, _scaled(lambda beta: 1 / beta)),
    Reading("chosen and rejected exchanged", "with chosen and rejected exchanged", NAMED, _rewards(_of(1, 0, 3, 2))),
    Reading("sign", "with the opposite sign", NAMED, _negated),
    Reading("absolute", "without the signs of the pairs", NAMED, _absolute),
    Reading("no reference", "of the policy alone: no reference is subtracted", NAMED, _rewards(_of(0, 1, -1, -1))),
    Reading("reference crossed", "with the reference's chosen and rejected exchanged", NAMED, _rewards(_of(0, 1, 3, 2))),
    Reading("reference alone", "of the reference alone", NAMED, _rewards(_of(2, 3, -1, -1))),
    Reading("smoothed", "times 1 - 2 label_smoothing", NAMED, _smoothed),
    Reading("ties count", "the share with ties counted as won", STRICT, _accuracy(lambda parts, margin: margin >= 0)),
    Reading("lost share", "the share of the pairs that are lost", STRICT, _accuracy(lambda parts, margin: margin < 0)),
    Reading("percent", "in percent, 100 times the share", STRICT, _accuracy(lambda parts, margin: 100.0 * (margin > 0))),
    Reading(
        "chosen reward is positive",
        "the share of the pairs whose chosen reward is positive",
        STRICT,
        _accuracy(lambda parts, margin: parts.batch.policy_chosen_logps > parts.batch.ref_chosen_logps),
    ),
    Reading(
        "of the mean margin",
        "whether the mean margin is positive, for a share of pairs",
        STRICT,
        _accuracy(lambda parts, margin: np.full(len(margin), margin.mean() > 0)),
    ),
)
ORDER = (2, 9, 0, 14, 5, 11, 7, 1, 12, 3)
"""Pairs of the probe, unlike neighbours first."""
CALLS = ((5, 0.5, 0.0), (1, 2.0, 0.0), (8, 0.25, 0.3), (3, 0.1, 0.0))
"""(pairs, beta, label smoothing) of what a loss's metrics are asked for."""


def of_loss(trial: Trial) -> list[Cause]:
    """What explains the metrics of a loss; nothing where it does not answer."""
    pairs = Batch.of(*PAIRS)
    batches = [trial.optioned(pairs.take(list(ORDER[:n])), beta=beta, label_smoothing=eps) for n, beta, eps in CALLS]
    pc, pr, _, _ = pairs.take([0, 1]).logps
    batches.append(trial.optioned(Batch.of(pc, pr, pc, pr), beta=0.5, label_smoothing=0.0))
    try:
        asked = [Logged(Parts(batch, (len(batch),)), trial.implementation.metrics(batch, trial.fmt)) for batch in batches]
    except Misbehaviour:
        return []
    return causes(asked, trial.fmt)


def causes(calls: Sequence[Logged], fmt: Format) -> list[Cause]:
    """One cause for all the metrics that it explains, the one of most metrics first; none where all are right."""
    names = [name for name in calls[0].metrics if name in _known(calls)] if calls else []
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for name in names:
        if all(call.right(name, fmt) for call in calls):
            continue
        told = next((found for room in finest(fmt) for found in _explained(name, calls, room)), None)
        if told is not None:
            found.setdefault(told, []).append(name)
    merged = sorted(_exchanged(found).items(), key=lambda each: -len(each[1]))
    return [
        Cause(key, Kind.METRIC, _listed(these), says, where, cure, len(these) * len(calls), len(these) * len(calls))
        for (key, says, cure, where), these in merged
    ]


def finest(fmt: Format) -> tuple[Format, ...]:
    """By whose roundings a reading is tried: most metrics are added up in a wide format, whose bound tells readings apart."""
    return (fmt,) if fmt.precision >= binary32.precision else (binary32, fmt)


def _known(calls: Sequence[Logged]) -> set[str]:
    ratios = {"accuracy", "margin", "chosen_logratio", "rejected_logratio", *ALL}
    return {name for name in calls[0].metrics if name in ratios}


def _explained(name: str, calls: Sequence[Logged], fmt: Format) -> Iterator[tuple[str, str, str, str]]:
    """(key, says, cure, where) of what gives the metric at every call."""

    def fits(each: Callable[[Logged], Each | None], way: Way = MEAN) -> bool:
        held = ((call, each(call)) for call in calls)
        return all(values is not None and call.holds(call.metrics[name], values, way, fmt) for call, values in held)

    for way in WAYS:
        if fits(lambda call: each_of(name, call.parts.batch), way):
            yield way.key, way.says, WEIGHED, ""
    for reading in READINGS:
        if fits(lambda call, reading=reading: reading.each(name, call.parts)):  # type: ignore[misc]
            yield reading.key, reading.says, reading.cure, ""
    counts = name.endswith(("accuracies", "accuracy"))
    for other in (each for each in ALL if each != name and counts == each.endswith("accuracies")):
        if fits(lambda call, other=other: each_of(other, call.parts.batch)):  # type: ignore[misc]
            yield f"that of {other}", f"that of {other}", NAMED, ""
    yield from _constant(name, calls, fmt)
    empty = [not all(call.parts.sizes) for call in calls]
    broken = [not np.isfinite(call.metrics[name]) for call in calls]
    if any(broken):
        where = "where a part is empty" if broken == empty else ""
        yield "metric of nothing", "no number", "An empty part has no mean, 0/0: leave it out of the sum.", where


def _constant(name: str, calls: Sequence[Logged], fmt: Format) -> Iterator[tuple[str, str, str, str]]:
    """A constant beta, or a constant factor, that all calls have in common."""
    each = [each_of(name, call.parts.batch) for call in calls]
    told = [i for i, (values, size) in enumerate(each) if abs(values.mean()) > 32 * fmt.unit_roundoff * size.mean()]
    ratios = [calls[i].metrics[name] / float(each[i][0].mean()) for i in told]
    if len(ratios) < 2 or not np.isfinite(ratios).all():
        return
    betas = [call.parts.batch.beta for call in calls]
    factor, beta = float(np.median(ratios)), float(np.median([ratio * betas[i] for ratio, i in zip(ratios, told, strict=True)]))
    for key, says, cure, factors in (
        ("a constant beta", f"by beta = {beta:.4g}, whatever the loss takes", BETA, [beta / own for own in betas]),
        ("a factor", f"{factor:.4g} times the right number", NAMED, [factor for _ in betas]),
    ):
        scaled = [(k * values, abs(k) * size) for k, (values, size) in zip(factors, each, strict=True)]
        carries = key == "a factor" or name.startswith("rewards/")
        if carries and all(c.holds(c.metrics[name], x, MEAN, fmt) for c, x in zip(calls, scaled, strict=True)):
            yield key, says, cure, ""


def _exchanged(found: dict[tuple[str, str, str, str], list[str]]) -> dict[tuple[str, str, str, str], list[str]]:
    """Two metrics of which each holds the other are one cause."""
    holds = {name: key.removeprefix("that of ") for (key, *_), names in found.items() for name in names}
    out = dict(found)
    for told, names in found.items():
        other = told[0].removeprefix("that of ")
        if len(names) == 1 and holds.get(other) == names[0] and told in out:
            twin = next(each for each, these in out.items() if these == [other])
            del out[told], out[twin]
            out[f"{names[0]} and {other} exchanged", "exchanged: each holds the other's", NAMED, ""] = sorted((names[0], other))
    return out


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
