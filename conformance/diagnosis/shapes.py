"""What fits nothing that is known is told by its shape: what comes back, and where."""

from __future__ import annotations

import math
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
LOGARITHMS = (
    "Stay with log-probabilities and subtract them: no exp() of one, no ratio of probabilities, no log() of these again."
)
VAGUE = {"loss": "a wrong number", "derivatives": "wrong derivatives"}
"""What is said of numbers that have nothing in common."""
_TIMES = " times the right ones"
_LARGER = "where the right ones are larger"
CURES = {
    "for inputs that are strided views": "Honour the strides of the inputs, or make them contiguous first.",
    "where each loss has a weight of its own": "Multiply by the incoming derivative in a backward pass of your own, pair by "
    "pair: grad_output * slope, not slope.",
    "where no derivative is asked for in the reference": "Return a derivative for each argument that asks for one, in its own "
    "place, whatever the others ask for.",
    "when the same is asked again, after other calls": KEEP,
}
"""What mends a fault by the way in which it was asked."""


def is_vague(says: str) -> bool:
    """Whether that says no more than that numbers are wrong, or nearly right."""
    return says in VAGUE.values() or says.endswith(_TIMES)


def shape(asked: Points) -> Cause:
    """What the wrong numbers have in common, most of them at least."""
    what, most = _what(asked)
    of_exp = _of_exponentials(asked, what)
    if of_exp is not None:
        return of_exp
    place = where(replace(asked, wrong=most), asked.right) or _beyond(asked, most)
    far = not asked.wrong[np.abs(asked.z) <= NEAR].any()
    if place is None:
        place = f"at |z| from {np.abs(asked.z[asked.wrong]).min():.6g} on" if far else "at some of the numbers asked"
    batch = any(word in place for word in ("batch", "pair", "strided", "asked again", "asked for", "weight"))
    kind = Kind.BATCH if batch else Kind.KERNEL if far or "z =" in place else Kind.CLAUSE
    kind = Kind.GRADIENT if place == _LARGER else kind
    plain = ("", "") if batch else (FORMULA, BACKWARD)
    stable, usual = (STABLE, plain[0]) if asked.part == "loss" else (SLOPES, plain[1])
    cure = stable if kind is Kind.KERNEL else CURES.get(place, usual)
    return Cause(f"{what} {place}".strip(), kind, asked.part, what, place, cure, len(asked.z), int(asked.wrong.sum()))


def _beyond(asked: Points, most: Mask) -> str | None:
    """Where derivatives that are all of one size are cut to it; None where they are not."""
    with np.errstate(all="ignore"):
        exact = np.abs(asked.beta * (1 / (1 + np.exp(asked.z)) - asked.eps))
        most, right = (mask & (asked.how != "weighed") for mask in (most, asked.right))
        size = np.abs(asked.slopes()[most] * asked.beta[most]) if asked.part == "derivatives" else np.zeros(0)
    if not size.size or not size.min() > 0 or np.ptp(size) > 8 * asked.probe.trial.fmt.unit_roundoff * size.max():
        return None
    kept = exact[right].max() <= 1.1 * size.max() if right.any() else True
    return _LARGER if kept and exact[most].min() >= 0.9 * size.min() else None


def _of_exponentials(asked: Points, what: str) -> Cause | None:
    """What is NaN or infinite, or follows from that, because exp of a log-probability is 0; None where that tells nothing."""
    if not what.endswith(("NaN", "infinity", "infinite derivatives")):
        return None
    fmt = asked.probe.trial.fmt
    low, high = -0.99 * math.log(fmt.smallest_normal), -1.25 * math.log(fmt.smallest_subnormal)
    right = asked.right & (asked.z < 0)  # a pair that is won has a loss of 0 by this too
    for name, rows in (("", slice(4)), ("reference ", slice(2, 4)), ("policy ", slice(2))):
        size = np.abs(asked.logps[rows]).max(axis=0)
        if size[asked.wrong].min() >= low and (not right.any() or size[right].max() <= high):
            place = f"where exp of a {name}log-probability is 0"
            key = f"{what} where exp of the log-probabilities is 0"
            return Cause(key, Kind.FORMULA, asked.part, what, place, LOGARITHMS, len(asked.z), int(asked.wrong.sum()))
    return None


def _ratios(asked: Points) -> str | None:
    """From what to what times the right ones they are, where that is not far; None where it is, or shows nothing."""
    with np.errstate(all="ignore"):
        exact = (
            np.logaddexp(0, -asked.z) + asked.eps * asked.z if asked.part == "loss" else 1 / (1 + np.exp(asked.z)) - asked.eps
        )
        ratio = ((asked.got() if asked.part == "loss" else asked.slopes()) / exact)[asked.wrong]
    if not ratio.size or not (np.isfinite(ratio).all() and ratio.min() > 0.5 and ratio.max() < 2):
        return None
    low, high = f"{ratio.min():.4g}", f"{ratio.max():.4g}"
    if low == high == "1":
        return None
    return f"{low}{_TIMES}" if low == high else f"from {low} to {high}{_TIMES}"


def _what(asked: Points) -> tuple[str, Mask]:
    """What is returned at most of the wrong points, in words, and where that is."""
    got = asked.got() if asked.part == "loss" else asked.slopes() * asked.beta
    kinds = {"NaN": np.isnan(got), "infinity": np.isinf(got), "0": got == 0}
    if asked.part == "derivatives":
        kinds = {"derivatives of NaN": kinds["NaN"], "infinite derivatives": kinds["infinity"], "derivatives of 0": kinds["0"]}
    for words, mask in kinds.items():
        if 2 * np.count_nonzero(mask & asked.wrong) > np.count_nonzero(asked.wrong):
            return words, mask & asked.wrong
    size = np.abs(got[asked.wrong & (asked.how != "weighed")])
    if size.size > 3 and size.max() - size.min() <= 8 * asked.probe.trial.fmt.unit_roundoff * size.max():
        told = f"{size.max():.4g}, always the same"
        return told if asked.part == "loss" else f"derivatives of {told}, but for the sign", asked.wrong
    return _ratios(asked) or VAGUE[asked.part], asked.wrong
