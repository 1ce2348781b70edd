"""Means that are wrong: a reduction that is none, or a wrong variant of each pair in batches of two or more."""

from __future__ import annotations

from conformance.diagnosis.hypotheses import GRADIENTS, LOSSES, REDUCTIONS
from conformance.diagnosis.points import Part, closest
from conformance.diagnosis.probe import Probe
from conformance.records.diagnosis import Cause, Kind


def reductions(probe: Probe) -> list[Cause]:
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
    variants = (*REDUCTIONS, *(() if single else LOSSES if part == "loss" else (*GRADIENTS, *LOSSES)))
    return [
        Cause(variant.key, Kind.BATCH, part, variant.says, place, variant.cure, len(calls), wrong)
        for variant in closest(variants, several, probe, part)
    ]
