"""What saved losses are the right answer to instead: every known wrong variant, and every loss, tried on all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance.auditing.settings import Settings
from conformance.diagnosis.hypotheses import LOSSES, PRECISIONS, REDUCTIONS
from conformance.diagnosis.identification import Seen, identified
from conformance.diagnosis.kernels import WAYS, score
from conformance.diagnosis.variants import RIGHT, Range, Variant, predicted
from conformance.inputs.batch import Batch
from conformance.inputs.losses import LossBatch
from oracle import Format, enclosure
from oracle.bounds import centre
from oracle.formats import Floats


class Wrong(NamedTuple):
    """What was saved, and which of it lies outside its interval."""

    got: Floats
    mask: NDArray[np.bool_]


MOST = 3
"""Causes that are told."""
TRIED = 64
"""Pairs on which other losses are tried."""


def explained(
    wrong: Mapping[str, Wrong], rows: Mapping[str, Floats], batch: Batch, fmt: Format, settings: Settings
) -> list[str]:
    """What gives every number of `wrong` ("losses", "mean loss"): a wrong variant of the loss, another loss, a factor; or
    else where the wrong losses lie.
    """
    if not wrong:
        return []
    got = {check: one.got for check, one in wrong.items()}
    found: list[str] = []
    if settings.loss in {"sigmoid", "cdpo"}:
        found = list(dict.fromkeys(f"{variant.key}: {variant.says}" for variant in _variants(got, batch, fmt)))
        found = found or _ways(wrong, batch, fmt)
    found = found or _others(got, rows, batch, fmt, settings.parameters) or _where(wrong, batch)
    return found[:MOST]


def _variants(wrong: Mapping[str, Floats], batch: Batch, fmt: Format) -> Iterator[Variant]:
    """The variants that fit; of those that are one at these options the first."""
    candidates = (*LOSSES, *(one for one in PRECISIONS if one.rounds is None or one.rounds.precision < fmt.precision))
    known = set()
    for variant in (*(REDUCTIONS if "losses" not in wrong else ()), *candidates):
        if len(batch) > variant.most:
            continue
        given = {check: _given(variant, check, batch, fmt) for check in wrong}
        if all(_fits(variant, check, given[check], got, batch, fmt) for check, got in wrong.items()):
            key = b"".join(one.low.tobytes() for one in given.values())
            if key not in known:
                yield variant
            known.add(key)


def _given(variant: Variant, check: str, batch: Batch, fmt: Format) -> Range:
    with np.errstate(all="ignore"):
        return predicted(variant, batch, fmt, mean=check == "mean loss").losses


def _fits(variant: Variant, check: str, given: Range, got: Floats, batch: Batch, fmt: Format) -> bool:
    if check == "losses" and variant.rounds is not None:
        finite = got[np.isfinite(got)]
        if not np.array_equal(variant.rounds.round_array(finite), finite):
            return False
    if given.low.shape != got.shape or not given.holds(got).all():
        return False
    if variant.rounds is not None:
        return True
    # at these options some variants are no other than the right loss, with a wider interval than the judge's
    right = _given(RIGHT, check, batch, fmt)
    return not given.holds((right.low + right.high) / 2).all()


def _ways(wrong: Mapping[str, Wrong], batch: Batch, fmt: Format) -> list[str]:
    """The unstable ways to the log-sigmoid that give every loss, the closest first."""
    if "losses" not in wrong:
        return []
    z, eps, one = _logits(batch), np.full(len(batch), batch.label_smoothing), wrong["losses"]
    scored = [(left, way.says) for way in WAYS if (left := score(way, z, eps, one.got, one.mask, fmt)) is not None]
    least = min((left for left, _ in scored), default=0)
    return [says for left, says in scored if left == least]


def _others(
    wrong: Mapping[str, Floats], rows: Mapping[str, Floats], batch: Batch, fmt: Format, parameters: Mapping[str, Fraction]
) -> list[str]:
    """Other losses that give every number, and a constant factor where that alone is between."""
    if "losses" not in wrong:
        return []
    told = {"beta": batch.beta, "label_smoothing": batch.label_smoothing} | {k: float(v) for k, v in parameters.items()}
    some = LossBatch(dict(rows), told).take(slice(0, TRIED))
    seen = [Seen(some, wrong["losses"][:TRIED], {})]
    matches = [match for match in identified(seen, fmt) if not match.candidate.loss.has_batch_state]  # of those, means alone
    whole = [match.candidate for match in matches if match.complete]
    right = [candidate for candidate in whole if not candidate.wrong]
    if whole:
        return [f"another loss: {candidate.text}" for candidate in right or whole]
    own = [match for match in matches if match.scale is not None and not match.candidate.wrong]
    own.sort(key=lambda match: match.candidate.loss.name != "sigmoid")  # without smoothing three losses are one
    scaled = {match.scale.text: f"{match.scale.text} {match.candidate.text}" for match in own[::-1] if match.scale}
    return list(scaled.values())[::-1]


def _where(wrong: Mapping[str, Wrong], batch: Batch) -> list[str]:
    """What the wrong losses have in common that the right ones have not."""
    if "losses" not in wrong or (bad := wrong["losses"].mask).all():
        return []
    if not np.isfinite(wrong["losses"].got[bad]).any():
        return [f"no finite loss at {np.count_nonzero(bad):,} of {len(bad):,} pairs, and the others are right"]
    z = _logits(batch)
    for name, values in (("logit", z), ("logit's size", np.abs(z))):
        for sign, side in ((1, "above"), (-1, "below")):
            edge = (sign * values[~bad]).max()
            if (sign * values[bad]).min() > edge:
                return [f"right wherever the {name} is not {side} {sign * edge:.6g}, and wrong beyond"]
    return []


def _logits(batch: Batch) -> Floats:
    return np.asarray(centre(enclosure.margin(*batch.logps)) * batch.beta)
