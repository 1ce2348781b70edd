"""What fits nothing that is known is told by its shape: what comes back, and where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conformance.diagnosis.hypotheses.cures import BACKWARD, FORMULA
from conformance.diagnosis.kernels import STABLE
from conformance.diagnosis.places import where
from conformance.diagnosis.points import NEAR, Points
from conformance.records.diagnosis import Cause, Kind
from oracle.bounds import Mask

SLOPES = (
    "Differentiate a stable log-sigmoid, or return beta * (sigma(-z) - eps) itself: not 1 - sigma(z), nothing clipped or "
    "added, no branch whose other side overflows."
)
KEEP = "Keep nothing between calls: no cached batch, option or running mean, no key by id() or shape."
VAGUE = {"loss": "a wrong number", "derivatives": "wrong derivatives"}
"""What is said of numbers that have nothing in common."""
CURES = {
    "for inputs that are strided views": "Honour the strides of the inputs, or make them contiguous first.",
    "where each loss has a weight of its own": "Multiply by the incoming derivative in a backward pass of your own, pair by "
    "pair: grad_output * slope, not slope.",
    "where no derivative is asked for in the reference": "Return a derivative for each argument that asks for one, in its own "
    "place, whatever the others ask for.",
    "when the same is asked again, after other calls": KEEP,
}
"""What mends a fault by the way in which it was asked."""


def shape(asked: Points) -> Cause:
    """What the wrong numbers have in common, most of them at least."""
    what, most = _what(asked)
    place = where(replace(asked, wrong=most), asked.right)
    far = not asked.wrong[np.abs(asked.z) <= NEAR].any()
    if place is None:
        place = f"at |z| from {np.abs(asked.z[asked.wrong]).min():.6g} on" if far else "at some of the numbers asked"
    batch = any(word in place for word in ("batch", "pair", "strided", "asked again", "asked for", "weight"))
    kind = Kind.BATCH if batch else Kind.KERNEL if far or "z =" in place else Kind.CLAUSE
    plain = ("", "") if batch else (FORMULA, BACKWARD)
    stable, usual = (STABLE, plain[0]) if asked.part == "loss" else (SLOPES, plain[1])
    cure = stable if kind is Kind.KERNEL else CURES.get(place, usual)
    return Cause(f"{what} {place}".strip(), kind, asked.part, what, place, cure, len(asked.z), int(asked.wrong.sum()))


def _what(asked: Points) -> tuple[str, Mask]:
    """What is returned at most of the wrong points, in words, and where that is."""
    got = asked.got() if asked.part == "loss" else asked.slopes() * asked.beta
    kinds = {"NaN": np.isnan(got), "infinity": np.isinf(got), "0": got == 0}
    if asked.part == "derivatives":
        kinds = {"derivatives of NaN": kinds["NaN"], "infinite derivatives": kinds["infinity"], "derivatives of 0": kinds["0"]}
    for words, mask in kinds.items():
        if 2 * np.count_nonzero(mask & asked.wrong) > np.count_nonzero(asked.wrong):
            return words, mask & asked.wrong
    size = np.abs(got[asked.wrong])
    if size.size > 3 and size.max() - size.min() <= 8 * asked.probe.trial.fmt.unit_roundoff * size.max():
        told = f"{size.max():.4g}, always the same"
        return told if asked.part == "loss" else f"derivatives of {told}, but for the sign", asked.wrong
    return VAGUE[asked.part], asked.wrong
