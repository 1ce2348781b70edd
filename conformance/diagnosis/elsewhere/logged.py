"""Metrics of a loss that are wrong at some calls alone: of many pairs, at other options, beside a NaN, of views."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from conformance.clauses import find
from conformance.clauses.logged import Each, each_of
from conformance.clauses.trial import Trial
from conformance.diagnosis.conditions import Column, condition
from conformance.diagnosis.elsewhere.ways import ASKED
from conformance.diagnosis.metrics import BETA, READINGS, STRICT, WEIGHED, Logged, finest
from conformance.diagnosis.partitions import MEAN, WAYS, Way
from conformance.diagnosis.probe import PAIRS
from conformance.errors import Misbehaviour
from conformance.implementations.protocol import ACCURACIES, METRICS, REWARDS, Measuring
from conformance.implementations.ways import LAYOUTS
from conformance.inputs.batch import Batch
from conformance.inputs.paths import Parts
from conformance.records.diagnosis import Cause, Kind
from conformance.records.record import Finding
from oracle import Format
from oracle.formats import Floats

CALLS = (
    (5, 0.5, 0.0),
    (1, 2.0, 0.0),
    (8, 0.25, 0.3),
    (3, 0.1, 0.0),
    (9, -0.5, 0.0),
    (7, 8.0, 0.45),
    (6, 30.0, 0.0),
    (10, 1.0, 0.75),
    (48, 0.5, 0.0),
    (1400, 0.5, 0.0),
    (1100, 0.25, 0.0),
)
"""(pairs, beta, label smoothing): those of a probe, and options and sizes beyond."""
_SMALL = (-3.0, -1.5, -0.75, -0.375, 0.0, 0.375, 0.75, 1.5, 3.0)
"""Margins about the thresholds at which somebody may count a pair as won."""
_THRESHOLDS = (0.1, 0.25, 0.5, 1.0, 2.0, 0.01, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
_TINY = 2.0 ** -np.arange(1, 31)
"""Margins between the thresholds that stand for none."""
_TIED = 81
_PADDED = (
    *(
        Way(
            f"over the next multiple of {size}",
            f"the sum over all pairs divided by the next multiple of {size}",
            lambda sizes, i, size=size: 1 / (-(-sum(sizes) // size) * size),  # type: ignore[misc]
        )
        for size in (4, 8, 16, 32, 64)
    ),
    Way(
        "over the next power of two",
        "the sum over all pairs divided by the next power of two",
        lambda sizes, i: 1 / (1 << (sum(sizes) - 1).bit_length()),
    ),
)
_NAMES = frozenset((*METRICS, *REWARDS))
Told = tuple[str, str, Callable[[Logged], bool]]
"""(what it is, what mends it, whether it gives what a call logged)."""


def causes(trial: Trial, violated: Sequence[Finding]) -> list[Cause]:
    """What explains the metrics, one cause for each that is wrong; nothing where no metric is judged wrong."""
    named = {finding.clause for finding in violated}
    found: list[Cause] = []
    if named & {"METRIC-1", "METRIC-2", "METRIC-3", "METRIC-6"}:
        found = list(_of_calls(trial))
    if not found and "METRIC-4" in named:
        found = list(_beside(trial))
    if not found and "METRIC-5" in named:
        found = list(_of_views(trial)) or list(_of_calls(trial))
    return found


def _of_calls(trial: Trial) -> Iterator[Cause]:
    calls = [_logged(trial, batch) for batch in _batches(trial)]
    for name in (name for name in calls[0].metrics if name in _NAMES):
        wrong = [call for call in calls if not _right(call, name, trial)]
        right = [call for call in calls if call not in wrong]
        if not wrong:
            continue
        for says, cure, fits in (told for fmt in finest(trial.fmt) for told in _told(name, wrong, fmt)):
            if all(fits(call) for call in wrong):
                where = _condition(wrong, [call for call in right if not fits(call)])
                if where is not None:
                    yield Cause(f"{name}: {says}", Kind.METRIC, name, says, where, cure, len(calls), len(wrong))
                    break


def _batches(trial: Trial) -> Iterator[Batch]:
    short = Batch.of(*PAIRS)
    for n, beta, eps in CALLS:
        places = np.arange(n) * 7 % len(short) if n < len(short) else np.sort(np.resize(np.arange(len(short)), n))
        yield trial.optioned(short.take(places), beta=beta, label_smoothing=eps)
    margins = np.array(_SMALL)
    chosen = np.resize([-2.0, 2.0], len(margins))  # the chosen log-ratio, of the other sign than the margin half of the time
    nothing = np.full(len(margins), -8.0)
    small = Batch.of(nothing + chosen, nothing + chosen - margins, nothing, nothing)
    tiny = Batch.of(np.zeros(len(_TINY)), -_TINY)
    for beta in (0.5, 1.0):
        yield trial.optioned(small, beta=beta, label_smoothing=0.0)
        yield trial.optioned(tiny, beta=beta, label_smoothing=0.0)
    yield trial.optioned(small.take(np.resize(np.arange(len(small)), _TIED)), beta=0.5, label_smoothing=0.0)


def _logged(trial: Trial, batch: Batch) -> Logged:
    return Logged(Parts(batch, (len(batch),)), trial.implementation.metrics(batch, trial.fmt))


def _right(call: Logged, name: str, trial: Trial) -> bool:
    """At a negative beta the accuracy without beta is another question, which no clause asks."""
    return (name == ACCURACIES[0] and call.parts.batch.beta < 0) or call.right(name, trial.fmt)


def _told(name: str, wrong: Sequence[Logged], fmt: Format) -> Iterator[Told]:
    def by_way(way: Way) -> Callable[[Logged], bool]:
        return lambda call: call.holds(call.metrics[name], each_of(name, call.parts.batch), way, fmt)

    def by(each: Callable[[Logged], Each | None]) -> Callable[[Logged], bool]:
        def fits(call: Logged) -> bool:
            values = each(call)
            return values is not None and call.holds(call.metrics[name], values, MEAN, fmt)

        return fits

    if name.startswith("rewards/") and name not in ACCURACIES:
        yield "by |beta|", BETA, by(lambda call: each_of(name, call.parts.batch, abs(call.parts.batch.beta)))
    if name in ACCURACIES:
        yield from _thresholds(by)
    for way in (*WAYS, *_PADDED):
        yield way.says, WEIGHED, by_way(way)
    for reading in READINGS:
        yield reading.says, reading.cure, by(lambda call, reading=reading: reading.each(name, call.parts))  # type: ignore[misc]
    if name.startswith("rewards/") and name not in ACCURACIES:
        ratio = [call.metrics[name] / float(each_of(name, call.parts.batch, 1.0)[0].mean()) for call in wrong]
        beta = float(f"{np.median(ratio):.3g}")
        yield f"by beta = {beta:g}", BETA, by(lambda call: each_of(name, call.parts.batch, beta))
    first = _first(name, wrong, fmt.unit_roundoff)
    if first:
        yield f"that of the first {first:,} pairs", WEIGHED, _of_first(name, first, fmt)


def _of_first(name: str, most: int, fmt: Format) -> Callable[[Logged], bool]:
    def fits(call: Logged) -> bool:
        batch = call.parts.batch.take(slice(0, most))
        part = Logged(Parts(batch, (len(batch),)), call.metrics)
        return part.right(name, fmt)

    return fits


def _first(name: str, wrong: Sequence[Logged], u: float) -> int:
    """The roundest number of pairs of which the first give the metric; 0 where there is none."""
    call = max(wrong, key=lambda each: len(each.parts.batch))
    values, sizes = each_of(name, call.parts.batch)
    means = np.cumsum(values) / np.arange(1, len(values) + 1)
    near = np.flatnonzero(np.abs(means - call.metrics[name]) <= 8 * u * sizes.mean()) + 1
    near = near[near < len(values)]
    return int(max(near, key=lambda n: _roundness(int(n)))) if len(near) else 0


def _roundness(n: int) -> int:
    """How many zeros it ends in, decimal or binary."""
    return max((k for k in range(1, 12) if n % 10**k == 0 or n % 4**k == 0), default=0)


def _thresholds(by: Callable[[Callable[[Logged], Each | None]], Callable[[Logged], bool]]) -> Iterator[Told]:
    def count(of: Callable[[Floats, float], Floats], least: float) -> Callable[[Logged], Each | None]:
        def each(call: Logged) -> Each:
            pc, pr, rc, rr = call.parts.batch.logps
            won = of((pc - rc) - (pr - rr), call.parts.batch.beta) > least
            return won.astype(np.float64), np.ones_like(pc)

        return each

    yield "the share of the pairs whose margin is above 0, whatever the sign of beta", STRICT, by(count(lambda m, b: m, 0.0))
    for least in _THRESHOLDS:
        for what, of in (("logit", lambda m, b: b * m), ("margin", lambda m, b: m)):
            yield f"the share of the pairs whose {what} is above {least:g}, not above 0", STRICT, by(count(of, least))


def _condition(wrong: Sequence[Logged], right: Sequence[Logged]) -> str | None:
    """By which property of the call they are told apart; None where by none."""
    if not right:
        return ""
    every = [*wrong, *right]
    columns = [
        Column("beta is", np.array([call.parts.batch.beta for call in every])),
        Column("label_smoothing is", np.array([call.parts.batch.label_smoothing for call in every])),
        Column("the number of pairs is", np.array([float(len(call.parts.batch)) for call in every])),
    ]
    mask = np.arange(len(every)) < len(wrong)
    return condition(columns, mask, ~mask) or None


def _beside(trial: Trial) -> Iterator[Cause]:
    """Beside a NaN and an infinity: over the pairs that are numbers alone, or another number."""
    whole = trial.optioned(Batch.of(*PAIRS).take([0, 4, 9]), beta=0.5, label_smoothing=0.0)
    for value, words in ((np.nan, "where a log-probability is NaN"), (-np.inf, "where a log-probability is -infinity")):
        wrong: dict[str, list[str]] = {}
        for place in range(4):
            got = trial.implementation.metrics(whole.with_value(place, 1, value), trial.fmt)
            others = Logged(Parts(whole.take([0, 2]), (2,)), got)
            for name in (name for name in got if name in _NAMES):
                counts = name in ACCURACIES and value == -np.inf and place in {1, 2}  # the pair is won, as the others are
                hidden = np.isfinite(got[name]) and others.right(name, trial.fmt) and not counts
                if hidden and _concerns(name, place):
                    wrong.setdefault("over the other pairs alone", []).append(name)
        for says, names in wrong.items():
            part = ", ".join(dict.fromkeys(names))
            yield Cause(
                f"{says} {words}", Kind.METRIC, part.replace(", ", " and "), says, words, find("METRIC-4").remedy, 4, len(names)
            )


def _concerns(name: str, place: int) -> bool:
    """Whether a metric is made of that argument."""
    side = "rejected" if place % 2 else "chosen"
    return name in ACCURACIES or "margin" in name or side in name


def _of_views(trial: Trial) -> Iterator[Cause]:
    judged = trial.implementation
    if not isinstance(judged, Measuring):
        return
    batch = trial.optioned(Batch.of(*PAIRS), beta=0.5, label_smoothing=0.1)
    for way in (way for way in LAYOUTS if way in judged.ways):
        try:
            got = Logged(Parts(batch, (len(batch),)), judged.metrics_by_way(way, batch, trial.fmt))
        except Misbehaviour:
            continue
        wrong = [name for name in got.metrics if name in _NAMES and not got.right(name, trial.fmt)]
        if wrong:
            says, where, cure = "those of other numbers", ASKED[way][0], find("METRIC-5").remedy
            yield Cause(f"metrics {where}", Kind.METRIC, " and ".join(wrong), says, where, cure, len(got.metrics), len(wrong))
            return
