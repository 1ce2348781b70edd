"""The numbers of a probe, one a row, with what each was asked for: what a fault may depend on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from conformance.diagnosis.probe import Call, Probe
from conformance.diagnosis.variants import RIGHT, Predicted, Range, Variant, predicted
from oracle import Format, enclosure
from oracle.bounds import Mask, centre
from oracle.formats import Floats

Part = Literal["loss", "derivatives"]
NEAR = 2.0
"""|z| up to which every stable and unstable log-sigmoid agrees, in every format, within its bound."""


@dataclass(frozen=True, eq=False)
class Points:
    """The losses, or the derivatives, of the calls: arrays with an entry for each pair of each call."""

    probe: Probe
    part: Part
    calls: tuple[Call, ...]
    wrong: Mask
    right: Mask
    z: Floats
    margin: Floats
    beta: Floats
    eps: Floats
    n: NDArray[np.intp]
    index: NDArray[np.intp]
    how: NDArray[np.str_]
    logps: Floats
    """Shape (4, points)."""

    def masked(self, keep: Mask) -> Points:
        """The same points, of which only those count."""
        return replace(self, wrong=self.wrong & keep, right=self.right & keep)

    def explained(self, variant: Variant) -> Mask | None:
        """Where the variant gives what was got; None where it does not give what was got at a wrong point."""
        found: dict[int, Mask] = {}
        for number, mask in enumerate(self.by_call(self.wrong)):
            if mask.any() and len(mask) <= variant.most:
                found[number] = holds(variant, self.calls[number], self.probe, self.part)
                if not found[number][mask].all():
                    return None
        if not found:
            return None
        rest = [
            found[number] if number in found else holds(variant, call, self.probe, self.part)
            for number, call in enumerate(self.calls)
        ]
        return np.concatenate(rest) if rest else np.zeros(0, dtype=bool)

    def nearer(self, variant: Variant) -> bool:
        """Whether most wrong numbers but 0 lie nearer, by half at least, to what it gives than to the right ones.

        Far out a formula of other size than the loss is allowed more than the loss, and the hinge loss is 0 as what underflows
        is: what it explains there need not be its own.
        """
        wrong = (self.got() if self.part == "loss" else self.slopes())[self.wrong]
        if not np.isfinite(wrong).any():
            return False
        if not wrong.any():
            return variant.key in {"zero", "derivatives zero"}
        found = []
        for call, mask in zip(self.calls, self.by_call(self.wrong), strict=True):
            if mask.any() and len(mask) <= variant.most:
                with np.errstate(all="ignore"):
                    (ours, theirs) = (_given(each, call, self.probe) for each in (variant, RIGHT))
                    for got, of, right in _beside(self.part, call, ours, theirs):
                        near = np.abs(got - of.middle) <= np.abs(got - right.middle) / 2
                        found.append((near | ~np.isfinite(got) | ~np.isfinite(of.middle))[mask & (got != 0)])
        told = np.concatenate(found) if found else np.zeros(0, dtype=bool)
        return not told.size or float(told.mean()) > 0.5

    def by_call(self, values: Mask) -> list[Mask]:
        """The part of each call."""
        return np.split(values, np.cumsum([len(call.batch) for call in self.calls])[:-1])

    def got(self) -> Floats:
        """The losses that were returned."""
        return np.concatenate([call.losses for call in self.calls])

    def slopes(self) -> Floats:
        """d loss / dz, as the derivatives in policy_chosen_logps tell it, with its sign changed; NaN where there is none."""
        found = []
        for call in self.calls:
            by_place = dict(call.derivatives())
            got = by_place.get(0, np.full(len(call.batch), np.nan))
            found.append(-got / call.batch.beta if call.batch.beta else np.full(len(call.batch), np.nan))
        return np.concatenate(found) if found else np.zeros(0)

    def narrow(self, fmt: Format) -> bool:
        """True where every number that was got is one of that format; of derivatives, where beta is a power of two."""
        got = self.got() if self.part == "loss" else self.slopes()
        exact = np.frexp(self.beta)[0] == 0.5 if self.part == "derivatives" else np.ones(len(got), dtype=bool)
        finite = got[exact & np.isfinite(got)]
        return bool(finite.size and (fmt.round_array(finite) == finite).all())


def _beside(part: Part, call: Call, ours: Predicted, theirs: Predicted) -> Iterator[tuple[Floats, Range, Range]]:
    """What was got, beside what two variants give."""
    if part == "loss":
        yield call.losses, ours.losses, theirs.losses
    elif ours.derivatives is not None and theirs.derivatives is not None:
        for place, got in call.derivatives():
            yield got, ours.derivatives[place], theirs.derivatives[place]


def holds(variant: Variant, call: Call, probe: Probe, part: Part) -> Mask:
    """Where a call's answers are what the variant gives."""
    if len(call.batch) > variant.most:
        return np.ones(len(call.batch), dtype=bool)
    with np.errstate(all="ignore"):
        found = _given(variant, call, probe)
    if part == "loss":
        return found.losses.holds(call.losses)
    if found.derivatives is None or len(found.derivatives[0].low) != len(call.batch):
        return np.zeros(len(call.batch), dtype=bool)
    held = np.ones(len(call.batch), dtype=bool)
    for place, got in call.derivatives():
        held &= found.derivatives[place].holds(got)
    return held


def closest(variants: Iterable[Variant], calls: Sequence[Call], probe: Probe, part: Part) -> list[Variant]:
    """Those that give all numbers of the calls, in their order, but for those that miss them by far more than the closest.

    One that misses them by more than half of what the right numbers do is none: its own are allowed too much.
    """
    fit = [variant for variant in variants if all(holds(variant, call, probe, part).all() for call in calls)]
    right, *missed = [float(np.mean([_missed(each, call, probe, part) for call in calls])) for each in (RIGHT, *fit)]
    most = min(4 * min(missed, default=0.0) + 4 * probe.trial.fmt.unit_roundoff, right / 2)
    return [variant for variant, each in zip(fit, missed, strict=True) if each <= most]


def _missed(variant: Variant, call: Call, probe: Probe, part: Part) -> float:
    """How far a call's numbers lie from the middle of what the variant gives, relative to the largest of them."""
    with np.errstate(all="ignore"):
        found = _given(variant, call, probe)
        far = [np.abs(got - of.middle) / (np.abs(got).max() or 1.0) for got, of, _ in _beside(part, call, found, found)]
    return max((float(each[np.isfinite(each)].max(initial=0.0)) for each in far), default=0.0)


def _given(variant: Variant, call: Call, probe: Probe) -> Predicted:
    """What the variant gives; of a batch that repeats its first pairs, worked out for those."""
    n, fmt = len(call.batch), probe.trial.fmt
    if variant.across or call.period is None or n <= call.period:
        return predicted(variant, call.batch, fmt, mean=call.mean)
    once = predicted(variant, call.batch.take(slice(0, call.period)), fmt, n=n)
    return once.resized(n)


def points(probe: Probe, part: Part) -> Points:
    """The answered calls' numbers; those of means are judged elsewhere."""
    wrong = probe.wrong_losses if part == "loss" else probe.wrong_derivatives
    kept = [(call, mask) for call, mask in zip(probe.calls, wrong, strict=True) if _kept(call, part)]
    calls = tuple(call for call, _ in kept)
    batches = [call.batch for call in calls]
    logps = np.concatenate([np.array(batch.logps) for batch in batches] or [np.zeros((4, 0))], axis=1)
    sizes = [len(batch) for batch in batches]

    def spread(values: list[float]) -> Floats:
        return np.repeat(np.array(values, dtype=np.float64), sizes)

    beta = spread([batch.beta for batch in batches])
    margin = centre(enclosure.margin(*logps))
    wrongs = np.concatenate([mask for _, mask in kept] or [np.zeros(0, dtype=bool)])
    return Points(
        probe,
        part,
        calls,
        wrongs,
        ~wrongs,
        beta * margin,
        margin,
        beta,
        spread([batch.label_smoothing for batch in batches]),
        np.repeat(np.array([1 if probe.trial.single else size for size in sizes], dtype=np.intp), sizes),
        np.concatenate([np.arange(size) * (not probe.trial.single) for size in sizes] or [np.zeros(0, dtype=np.intp)]),
        np.repeat(np.array([call.how or call.label for call in calls], dtype=np.str_), sizes),
        logps,
    )


def _kept(call: Call, part: Part) -> bool:
    if call.answer is None or call.mean:
        return False
    return part == "loss" or call.answer.gradient is not None
