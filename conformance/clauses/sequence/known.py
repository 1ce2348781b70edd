"""The exact losses of pairs of token logits, their derivatives, and what correct arithmetic may be off by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from conformance.clauses.sequence.judging import Truth, truth
from conformance.implementations.sequence.path import GROUPS, PathClaims
from conformance.inputs.paths import Paths
from oracle import Format
from oracle.bounds.acceptance import centre
from oracle.bounds.expression import Running, running
from oracle.expressions.arrays import Arrays
from oracle.expressions.nodes import ZERO, Node, mean
from oracle.formats import Floats
from oracle.losses import LENGTHS
from oracle.losses._evaluate import slope
from oracle.sequence import bounds

SIDES = {"policy": "policy", "reference": "ref"}


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Of n pairs: the exact losses, or the one mean where `whole`, and what they may be off by; and for each group of
    sequences the derivatives of the losses' sum in their log-probabilities, with theirs. What has no bound is NaN.
    """

    whole: bool
    loss: Floats
    loss_error: Floats
    slopes: tuple[tuple[Floats, Floats], ...]

    @classmethod
    def of(cls, paths: Paths, claims: PathClaims, fmt: Format, result: Format) -> Known:
        """Everything from the sequences' sums. fmt: in which it adds up; result: that of the losses."""
        loss = claims.known
        coarse = result if result.precision < fmt.precision else fmt
        rows, off = numbers(paths, average=claims.average), {}
        for side, name in SIDES.items():
            known = truth(getattr(paths, side))
            room = _room(known, fmt, result, average=claims.average)
            for group, place in zip(GROUPS, paths.places, strict=False):
                off[f"{name}_{group}_logps"] = room[place]
        taken = {name: rows[name] for name in loss.inputs}
        parameters = {name: Fraction(x) for name, x in paths.parameters.items()}
        analysis = running(taken, parameters, coarse, flush=claims.subnormals == "flush", given=off)
        whole = claims.reduction == "mean" or loss.has_batch_state
        exact, error = _within(analysis, mean(loss.definition) if whole else loss.definition)
        slopes = tuple(_within(analysis, slope(loss, f"policy_{group}_logps")) for group in GROUPS[: claims.groups])
        return cls(whole, exact[:1] if whole else exact, error[:1] if whole else error, slopes)


def numbers(paths: Paths, *, average: bool) -> dict[str, Floats]:
    """What a loss takes, by its inputs' names: the exact sums, or averages, to float64, and how many tokens count."""
    found = {}
    for side, name in SIDES.items():
        known = truth(getattr(paths, side))
        sums = known.sequences(average=average)
        for group, place in zip(GROUPS, paths.places, strict=False):
            found[f"{name}_{group}_logps"] = sums[place]
    counts = truth(paths.policy).counts
    return found | {name: counts[place] for name, place in zip(LENGTHS, paths.places, strict=False)}


def evaluated(definition: Node, rows: Mapping[str, Floats], parameters: Mapping[str, float]) -> Floats:
    """An expression of what a loss takes at each pair, to float64."""
    arrays = Arrays(dict(rows), {name: Fraction(x) for name, x in parameters.items()})
    return np.asarray(centre(arrays.ball(definition)))


def _within(analysis: Running, node: Node) -> tuple[Floats, Floats]:
    """The exact value of an expression and what it may be off by; NaN where an intermediate may overflow."""
    if node is ZERO:
        return np.zeros(analysis.arrays.n), np.zeros(analysis.arrays.n)
    accepted, fits = analysis.acceptance(node), analysis.representable(node)
    exact = centre(accepted.exact)
    with np.errstate(invalid="ignore"):
        off = np.maximum(centre(accepted.high) - exact, exact - centre(accepted.low))
    bounded = fits & np.isfinite(off)
    return np.where(bounded, exact, np.nan), np.where(bounded, off, np.nan)


def _room(known: Truth, fmt: Format, result: Format, *, average: bool) -> Floats:
    """What each sequence's sum may be off by before it is stored, and what float64 leaves of the exact one."""
    errors, tokens = known.spread(known.tokens.error(fmt, bounds.must(known.rows.shape[2]))), known.spread(known.tokens.exact)
    narrow = result if result.precision < fmt.precision else fmt
    room = np.array([bounds.total(e[m], t[m], narrow) for e, t, m in zip(errors, tokens, known.places, strict=True)])
    exact = known.sequences(average=average)
    sums = room / np.maximum(known.counts, 1) if average else room
    return np.asarray(sums + 2 * bounds.stored(np.nan_to_num(exact), narrow))
