"""Where a fault shows: the simplest condition that tells the wrong numbers of a probe from the right ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from conformance.diagnosis.points import Points
from conformance.inputs.batch import NAMES
from oracle.bounds import Mask
from oracle.formats import Floats

Place = tuple[str, Mask]
WIDTHS = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 65_536)


def where(points: Points, right: Mask) -> str | None:
    """The condition, in words, that holds at every wrong point and at none of the right ones; None where none is known."""
    wrong = points.wrong
    if not right.any():
        return ""
    for words, mask in _ways(points):
        # asked in a way of its own, some of the pairs may be right by chance
        if mask[wrong].all() and mask[right].sum() <= wrong.sum():
            return words
    for words, mask in _places(points, wrong, right):
        if mask[wrong].all() and not mask[right].any():
            return words
    return None


def _places(points: Points, wrong: Mask, right: Mask) -> Iterator[Place]:
    """Conditions, the likelier first."""
    yield from _options(points, wrong)
    yield from _sizes(points, wrong, right)
    yield from _logits(points, wrong, right)
    yield from _values(points)
    for words, mask in _options(points, wrong):
        for more, other in (*_sizes(points, wrong, right & mask), *_logits(points, wrong, right & mask)):
            yield f"{words} and {more}", mask & other
    plain = points.how != "losses alone"
    if not plain.all():
        yield "where derivatives are asked for", plain
        for words, mask in _options(points, wrong):
            yield f"{words} and where derivatives are asked for", mask & plain
    several = points.n > 1
    yield "in the first pair of a batch of two or more", several & (points.index == 0)
    yield "in the last pair of a batch of two or more", several & (points.index == points.n - 1)


def _ways(points: Points) -> Iterator[Place]:
    says = {
        "strided": "for inputs that are strided views",
        "losses alone": "where no derivative is asked for",
        "weighed": "where each loss has a weight of its own",
        "policy alone": "where no derivative is asked for in the reference",
        "again": "when the same is asked again, after other calls",
    }
    for way, words in says.items():
        yield words, points.how == way


def _options(points: Points, wrong: Mask) -> Iterator[Place]:
    yield "under label smoothing", points.eps > 0
    yield "without label smoothing", points.eps == 0
    for name, values in (("beta", points.beta), ("label_smoothing", points.eps)):
        held = np.unique(values[wrong])
        if len(held) == 1:
            yield f"at {name} {held[0]:g}", values == held[0]
        if len(held):
            yield f"at {name} {held[0]:g} and above", values >= held[0]
            yield f"at {name} {held[-1]:g} and below", values <= held[-1]


def _sizes(points: Points, wrong: Mask, right: Mask) -> Iterator[Place]:
    n, index = points.n, points.index
    yield "in batches of one pair", n == 1
    yield "in batches of two pairs or more", n > 1
    least, most = int(n[wrong].min()), int(n[wrong].max())
    yield from_size(least), n >= least
    yield f"in batches of up to {most:,} pairs", n <= most
    if least == most:
        yield f"in batches of exactly {least:,} pairs", n == least
    first = int(index[wrong].min())
    yield f"from pair {first + 1:,} of a batch on", index >= first
    for width in WIDTHS:
        full, over = n // width * width, f"in pairs left over after full {'vectors' if width <= 64 else 'blocks'} of {width:,}"
        yield over, index >= full
        yield f"in full {'vectors' if width <= 64 else 'blocks'} of {width:,} pairs", index < full
        yield f"in batches that are whole blocks of {width:,} pairs", n == full
        yield f"{over}, {from_size(least)}", (index >= full) & (n >= least)
        yield f"{over}, in batches of {least:,} to {most:,}", (index >= full) & (n >= least) & (n <= most)
    yield "in the first pair of a batch of two or more", (n > 1) & (index == 0)
    yield "in the last pair of a batch of two or more", (n > 1) & (index == n - 1)
    yield "in the second half of a batch", index >= n // 2
    yield "in the first half of a batch", index < (n + 1) // 2
    yield "in every other pair, the second, fourth and so on", index % 2 == 1
    yield "in every other pair, the first, third and so on", index % 2 == 0


def from_size(least: int) -> str:
    """In batches of so many pairs and of more, in words."""
    return f"in batches of {'two' if least == 2 else f'{least:,}'} pairs or more"


def _logits(points: Points, wrong: Mask, right: Mask) -> Iterator[Place]:
    z = points.z
    yield "at z = 0", z == 0
    yield from _beyond("z", z, wrong)
    yield from _beyond("|z|", np.abs(z), wrong)
    yield from _beyond("|margin|", np.abs(points.margin), wrong)
    yield from _beyond("the log-probabilities", np.abs(points.logps).max(axis=0), wrong)


def _beyond(name: str, values: Floats, wrong: Mask) -> Iterator[Place]:
    least, most = values[wrong].min(), values[wrong].max()
    yield f"where {name} > 0", values > 0
    yield f"where {name} < 0", values < 0
    yield f"from {name} = {least:.6g} on", values >= least
    yield f"up to {name} = {most:.6g}", values <= most


def _values(points: Points) -> Iterator[Place]:
    for name, values in zip(NAMES, points.logps, strict=True):
        yield f"where {name} is 0", values == 0
    yield "where a log-probability is 0", (points.logps == 0).any(axis=0)
    yield "where the margin is 0", points.margin == 0
    pc, pr, rc, rr = points.logps
    with np.errstate(invalid="ignore"):
        z = points.beta * ((pc - rc) - (pr - rr))
    yield "where the logit is -0", (z == 0) & np.signbit(z)
    yield "where a log-probability is -0", ((points.logps == 0) & np.signbit(points.logps)).any(axis=0)
