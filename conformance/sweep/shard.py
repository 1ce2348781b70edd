"""One shard judged: an implementation asked block by block, its answers judged and counted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from conformance.errors import Misbehaviour
from conformance.implementations.protocol import Answer, Columns, Implementation, Stored, Sweepable
from conformance.inputs.batch import Batch
from conformance.sweep.counting import Counted, above_from, counted, counted_both
from conformance.sweep.found import KEPT, Found, Point
from conformance.sweep.plan import Plan, Shard
from conformance.sweep.quantities import QUANTITIES, Quantity
from oracle import Format
from oracle.bounds import KERNEL_SHOULD, kernel_least
from oracle.doubledouble import UnfaithfulArithmetic, assert_ieee
from oracle.formats import Floats
from oracle.ulp import ulp_error

Asking = Callable[[Shard], AbstractContextManager[object]]
OPEN = 2.0**-15
"""ulp. An error this little above a limit may be an upper bound that passes it alone."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Conduct that ended a shard before it was judged.

    kind: as of a Misbehaviour, or "died", "hung". first, last: the logits that were at hand, hexadecimal, the one nearer
    to 0 first: a block's, or the shard's where nobody knows at which block it was.
    """

    kind: str
    text: str
    first: str
    last: str


def judge_shard(
    implementation: Implementation, planned: Plan, shard: Shard, asking: Asking = contextlib.nullcontext
) -> tuple[Found, ...] | Failure:
    """What is found of each quantity that the implementation claims, in the order of QUANTITIES; or why nothing is.

    asking: what a call about a block is made in.
    """
    quantities = QUANTITIES if implementation.claims.gradient else QUANTITIES[:1]
    fmt, flush = planned.fmt, implementation.claims.subnormals == "flush"
    tallies = tuple(_Tally(quantity, fmt, planned.bin_bits, flush) for quantity in quantities)
    for block in shard.blocks():
        try:
            z = block.logits(fmt)
            with asking(block):
                columns = _asked(implementation, fmt, block, z, gradient=len(tallies) > 1)
            _judge_block(fmt, block, z, columns, tallies)
        except Misbehaviour as error:
            return failure(error.kind, str(error), block, fmt)
        except UnfaithfulArithmetic as error:
            return failure("changed the arithmetic", f"after its call, {error}", block, fmt)
    return tuple(tally.found for tally in tallies)


def failure(kind: str, text: str, shard: Shard, fmt: Format) -> Failure:
    """The failure at those logits."""
    first, last = shard.ends(fmt)
    return Failure(kind, text, first.hex(), last.hex())


def _judge_block(fmt: Format, block: Shard, z: Floats, columns: tuple[Stored, ...], tallies: tuple[_Tally, ...]) -> None:
    flush = tallies[0].flush
    both = counted_both(z, columns[0], -columns[1], fmt, flush) if len(tallies) > 1 else None
    before: tuple[Quantity, Stored, Counted] | None = None
    for place, tally in enumerate(tallies):
        quantity, got = tally.quantity, columns[place]
        size = got if quantity.sign > 0 else -got
        if before is not None and before[0].judge is quantity.judge and np.array_equal(before[1], size):
            count = before[2]  # one derivative is minus the other: the same numbers at the same logits
        elif both is not None and place < len(both):
            count = both[place]
        else:
            wide = size.astype(np.float64, copy=False)
            count = counted(wide, quantity.judge(z, wide, fmt), fmt, flush)
        tally.add(block, z, got, count)
        before = quantity, size, count


def _asked(implementation: Implementation, fmt: Format, block: Shard, z: Floats, *, gradient: bool) -> tuple[Stored, ...]:
    """What is returned of each quantity; NaN where the implementation does not differentiate. Raises Misbehaviour."""
    told: Answer | Columns
    if isinstance(implementation, Sweepable):
        told = implementation.at_patterns(block.logps(fmt), fmt, gradient=gradient)
    else:
        told = implementation.evaluate(Batch.at_logits(z), fmt, gradient=gradient)
    assert_ieee()
    if told.wrote:
        raise Misbehaviour("wrote its inputs", f"it changed {', '.join(told.wrote)} in place")
    parts = (told.gradient or (None, None))[:2] if gradient else ()
    return told.losses, *(np.full_like(told.losses, np.nan) if part is None else part for part in parts)


class _Tally:
    """Adds up the blocks of one shard, from 0 outwards, for one quantity."""

    def __init__(self, quantity: Quantity, fmt: Format, bin_bits: int, flush: bool) -> None:
        self.quantity = quantity
        self.found = Found()
        self._fmt = fmt
        self.flush = flush
        self._bin = bin_bits

    def add(self, block: Shard, z: Floats, got: Stored, count: Counted) -> None:
        """Count a block of consecutive logits."""
        found, errors, top, above = self.found, count.errors, count.top, count.above
        found.judged += len(z)
        found.wrong += count.wrong
        found.not_finite += count.not_finite
        found.escalated = tuple(a + b for a, b in zip(found.escalated, count.escalated, strict=True))  # type: ignore[assignment]
        found.flushed += count.flushed
        if top > KERNEL_SHOULD:
            errors = self._sharpened(block, z, got, errors)
            top = float(errors.max())
            above = above_from(errors, top, [])
            found.over_should += int(np.count_nonzero(errors > KERNEL_SHOULD))
        if top > kernel_least(self._fmt):
            self._break(block, z, got, np.flatnonzero(errors > kernel_least(self._fmt)))
        for i, (more, fewer) in enumerate(pairwise([len(z), *above, 0])):
            found.histogram[i] += more - fewer
        found.histogram[0] -= count.flushed
        self._peak(block, errors, top)
        if top > found.threshold:
            self._keep(block, got, errors)

    def _break(self, block: Shard, z: Floats, got: Stored, places: NDArray[np.intp]) -> None:
        """Count what the MUST does not allow among those places, and keep the worst of it."""
        rho = self.quantity.bound(z[places], self._fmt, flush=self.flush).rho(
            self.quantity.sign * got[places].astype(np.float64)
        )
        self.found.over_must += int(np.count_nonzero(rho > 1))
        if (rho > 1).any():
            worst = int(np.argmax(rho))
            at = int(places[worst])
            self.found.keep_breach(Point(float(rho[worst]), block.negative, block.first + at, float(got[at])))

    def _sharpened(self, block: Shard, z: Floats, got: Stored, errors: Floats) -> Floats:
        """Errors worked out exactly where their upper bounds leave the SHOULD open."""
        places = np.flatnonzero((errors > KERNEL_SHOULD) & (errors <= KERNEL_SHOULD + OPEN))
        errors = errors.copy() if places.size else errors
        for i in places:
            unit = self.quantity.unit(self._fmt, block.negative, block.first + int(i), self.flush)
            errors[i] = ulp_error(float(got[i]), self.quantity.exact(float(z[i])), self._fmt) / unit
        return errors

    def _peak(self, block: Shard, errors: Floats, top: float) -> None:
        """The worst error of each bin that the block touches."""
        first, last = block.first >> self._bin, (block.stop - 1) >> self._bin
        numbers = range(first, last + 1)
        if first == last:
            peaks = [top]
        else:
            cuts = [max(0, (number << self._bin) - block.first) for number in numbers]
            peaks = np.maximum.reduceat(errors, cuts).tolist()
        keys = (~number for number in numbers) if block.negative else iter(numbers)
        self.found.raise_peaks(dict(zip(keys, peaks, strict=True)))

    def _keep(self, block: Shard, got: Stored, errors: Floats) -> None:
        """The block's worst among the worst; of equal errors those nearest to 0, and so the first, are kept."""
        places = np.flatnonzero(errors > self.found.threshold)
        if len(places) > KEPT:
            candidates = errors[places]
            least = np.partition(candidates, len(places) - KEPT)[len(places) - KEPT]
            surely, ties = places[candidates > least], places[candidates == least]
            places = np.concatenate([surely, ties[: KEPT - len(surely)]])
        self.found.keep(Point(float(errors[i]), block.negative, block.first + int(i), float(got[i])) for i in places)
