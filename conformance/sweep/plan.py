"""Which logits a sweep judges, and how they are cut: ranges, shards, blocks.

A logit is a sign and a magnitude, the ordinal of |z| in its format; both zeros are logits. All cuts are at multiples of
BLOCK from 0, so that an implementation sees the same calls whatever the shards, and answers that depend on the length of
an array cannot depend on the cutting.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from conformance.errors import BadRequest
from oracle import Format, OracleError, binary64
from oracle.arguments import read
from oracle.formats import Bits, Floats

BLOCK = 1 << 15
"""Logits of one call: they stay in the cache, and torch splits no array of so few over threads."""
SHARD_SIZE = 1 << 23
"""Logits of one shard, unless another size is asked for: one binade of binary32."""
BINS_PER_BINADE = 8
"""The grid of z on which the worst error is kept: so many bins of consecutive logits a binade, each sign its own."""
BINS = 256
"""A short range is cut finer: into so many bins, or up to twice as many."""
MOST = 1 << 40
"""Logits of one sweep: those of binary64 are beyond anybody."""


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """Consecutive logits of one sign: magnitudes first <= m < stop."""

    first: int
    stop: int
    negative: bool

    def __len__(self) -> int:
        return self.stop - self.first

    def blocks(self, size: int = BLOCK) -> Iterator[Shard]:
        """Cut at the multiples of that size, from 0 outwards."""
        start = self.first
        while start < self.stop:
            stop = min(self.stop, (start // size + 1) * size)
            yield Shard(start, stop, self.negative)
            start = stop

    def logits(self, fmt: Format) -> Floats:
        """The logits, from 0 outwards."""
        sign = 1 << (fmt.width - 1) if self.negative else 0
        return fmt.decode(np.arange(sign + self.first, sign + self.stop, dtype=fmt.bits_dtype))

    def logps(self, fmt: Format) -> tuple[Bits, Bits, Bits, Bits]:
        """The four logps at which `Batch.at_logits` feeds the logits, as bit patterns."""
        sign = 1 << (fmt.width - 1)
        below = np.arange(sign + self.first, sign + self.stop, dtype=fmt.bits_dtype)
        if self.negative and not self.first:
            below[0] = 0  # of both zeros pc is 0
        nothing = np.zeros_like(below)
        return (below, nothing, nothing, nothing) if self.negative else (nothing, below, nothing, nothing)

    def ends(self, fmt: Format) -> tuple[float, float]:
        """The logits nearest to 0 and farthest from it."""
        return logit(fmt, self.negative, self.first), logit(fmt, self.negative, self.stop - 1)


def logit(fmt: Format, negative: bool, magnitude: int) -> float:
    """The logit of that sign and magnitude, exactly."""
    size = float(fmt.from_ordinals(magnitude))
    return -size if negative else size


@dataclass(frozen=True, slots=True)
class Plan:
    """The logits of a format from `low` to `high`, both included, in shards of `shard_size`."""

    fmt: Format
    low: float
    high: float
    shard_size: int

    def sides(self) -> tuple[Shard, ...]:
        """The negative and the positive logits of the range, each uncut; -0 is negative."""
        below, above = math.copysign(1, self.low) < 0, math.copysign(1, self.high) > 0
        sides = []
        if below:
            sides.append(Shard(0 if above else self._ordinal(self.high), self._ordinal(self.low) + 1, True))
        if above:
            sides.append(Shard(0 if below else self._ordinal(self.low), self._ordinal(self.high) + 1, False))
        return tuple(sides)

    def shards(self) -> list[Shard]:
        """All shards, those nearest to 0 first."""
        return sorted(shard for side in self.sides() for shard in side.blocks(self.shard_size))

    @property
    def numbers(self) -> int:
        """How many logits."""
        return sum(side.stop - side.first for side in self.sides())

    @property
    def bin_bits(self) -> int:
        """log2 of how many consecutive logits share a bin."""
        binade = self.fmt.precision - 1
        return max(0, min(binade - (BINS_PER_BINADE - 1).bit_length(), (self.numbers // BINS).bit_length() - 1))

    def _ordinal(self, z: float) -> int:
        return int(self.fmt.ordinals(abs(z)))


def plan(fmt: Format, low: object = None, high: object = None, shard_size: int = SHARD_SIZE) -> Plan:
    """The plan of the logits from low to high: numbers, or text of decimals or hexadecimal floats; whole by default.

    A shard size is rounded up to whole blocks. Raises BadRequest for a bound that is not a finite number of the format,
    naming its neighbours, a range that is empty or too long, and a size below 1.
    """
    if shard_size < 1:
        raise BadRequest(f"shard size {shard_size}: a number of logits, 1 or more")
    bottom = -fmt.largest if low is None else _bound("from", low, fmt)
    top = fmt.largest if high is None else _bound("to", high, fmt)
    if (bottom, math.copysign(1, bottom)) > (top, math.copysign(1, top)):
        raise BadRequest(f"from = {bottom!r} is above to = {top!r}: there is no logit between them")
    made = Plan(fmt, bottom, top, -(-shard_size // BLOCK) * BLOCK)
    if made.numbers > MOST:
        raise BadRequest(
            f"{fmt.name} has {made.numbers:.3g} logits from {bottom!r} to {top!r}, and a sweep looks at each one, "
            "at most 2**40 of them: give a shorter range, by --from and --to or low= and high="
        )
    return made


def _bound(name: str, value: object, fmt: Format) -> float:
    """The number of the format that the bound is, its zero signed as written."""
    try:
        exact = read(name, value)
    except OracleError as error:
        raise BadRequest(str(error)) from None
    if isinstance(exact, float):
        raise BadRequest(f"{name} = {value}: a finite number; SPECIAL judges infinities and NaN")
    if exact == 0:
        return -0.0 if str(value).strip().startswith("-") else 0.0
    written = binary64.round_exact(exact) if isinstance(value, str) else exact  # a decimal is the float that Python reads
    nearest = fmt.round_exact(exact)
    if math.isinf(nearest) or nearest != written:
        below, above = (float(x) for x in fmt.neighbours(nearest))
        low, high = (nearest, above) if nearest < written else (below, nearest)
        pair = " and ".join(f"{x!r} ({x.hex()})" for x in (low, high))
        raise BadRequest(f"{name} = {value} is not a number of {fmt.name}; its neighbours there are {pair}")
    return nearest
