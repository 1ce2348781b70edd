"""The float64 tier's loss and slope against Arb, and what `oracle.judging` says of returned numbers of every format."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from flint import arb, ctx

from oracle import first_tier, judging
from oracle.formats import FORMATS, Format
from tests.oracle.arb import SHAPES, ends, pattern
from tests.oracle.confront.decisions import quantum
from tests.oracle.confront.logits import Floats, Generator, logits
from tests.oracle.confront.tally import Tally

BITS, MORE_BITS = 100, 320


def values(rng: Generator, count: int) -> list[Tally]:
    """|F - f| <= 2**-50 F + 2**-184, and the same of the slope, at `count` logits."""
    z = rng.permutation(logits(rng, count))
    found = first_tier.softplus_minus(z), first_tier.sigmoid_minus(z)
    allowed = [(value * first_tier.RELATIVE_ERROR + first_tier.LEAST).tolist() for value in found]
    tallies = [Tally("float64 loss", count, count), Tally("float64 slope", count, count)]
    ctx.prec = BITS
    errors: tuple[list[float], list[float]] = ([], [])
    for v, loss, slope, most, steepest in zip(z.tolist(), *(value.tolist() for value in found), *allowed, strict=True):
        y = (-arb(v)).exp()
        for tally, seen, error, bound in (
            (tallies[0], errors[0], abs(y.log1p() - loss), most),
            (tallies[1], errors[1], abs(y / (1 + y) - slope), steepest),
        ):
            if not error <= bound:
                tally.escaped(f"z = {v!r}")
            seen.append(float(error))
    for tally, seen, bounds in zip(tallies, errors, allowed, strict=True):
        tally.worst = float((np.array(seen) / np.array(bounds)).max())
    return tallies


def judged(rng: Generator, count: int) -> list[Tally]:
    """errors and wrong, of losses and of derivatives, in the four formats, at `count` logits."""
    z = rng.permutation(logits(rng, count))
    ctx.prec = MORE_BITS
    exponentials = [(-arb(v)).exp() for v in z.tolist()]
    tally = Tally("judged losses, derivatives", points=count)
    for fmt in FORMATS:
        _judged(rng, fmt, judging.losses, z, [y.log1p() for y in exponentials], tally)
        _judged(rng, fmt, judging.derivatives, z, [y / (1 + y) for y in exponentials], tally)
    return [tally]


def _judged(
    rng: Generator, fmt: Format, judge: Callable[..., judging.Judged], z: Floats, truths: list[arb], tally: Tally
) -> None:
    shape = SHAPES[fmt.name]
    bounds = [ends(truth) for truth in truths]
    patterns = [tuple(pattern(shape, end) for end in pair) for pair in bounds if pair is not None]
    nearest = fmt.decode(np.array([first for first, _ in patterns], dtype=fmt.bits_dtype))
    got = fmt.from_ordinals(fmt.ordinals(nearest) + rng.choice([0, 0, 0, 1, -1, 2, -30], z.size))
    found = judge(z, got, fmt)
    for i, (truth, pair) in enumerate(zip(truths, bounds, strict=True)):
        assert pair is not None
        tally.comparisons += 1
        error = abs(arb(float(got[i])) - truth) * arb((1, -quantum(pair, fmt)))
        wrong = got[i] != nearest[i]
        certain = patterns[i][0] == patterns[i][1]
        above = arb(float(found.errors[i]))
        if above < error or above > 2 * error + 2.0**-16 or (certain and bool(found.wrong[i]) != wrong):
            tally.escaped(f"{fmt.name} {judge.__name__}, z = {z[i]!r}, got {got[i]!r}: {found.errors[i]!r}, {found.wrong[i]}")
        elif not (certain and above >= error):
            tally.undecided += 1  # by Arb: exp(-666) is nothing beside a midpoint 666 in 320 bits
