"""Log-probabilities of tokens and of sequences over whole arrays of logits, certified, with memory flat in T and V.

A token's log-probability z_t - log sum_j e**z_j is taken as -log(1 + e**(L - z_t)), L the log-sum-exp of the others: nothing
cancels, so it has full relative accuracy near 0 as well. No libm function decides anything. Proof: docs/enclosures.md.

Logits: any floating-point array of NumPy's or of ml_dtypes, tokens by vocabulary; they are read exactly, a tile at a time. A
logit of -inf is a token of probability 0; a +inf or a NaN in a row gives NaN. Labels: one index a token.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from oracle import enclosure
from oracle.ball import Enclosure, Mask, exact, normalised, prepare, where
from oracle.doubledouble import Floats, Integers, Pair, clear_low_bits, fast_two_sum, two_product
from oracle.errors import ShapeMismatch
from oracle.kernel import exponential
from oracle.sequence import compiled
from oracle.sequence.kernel import REACH, RELATIVE_ERROR, SUM_ERROR, powers, steps
from oracle.sequence.passing import Array, Found, Picked, Places, as_row, columns_of, passes, read, reduced, taken_out

LOGP_ERROR = 2.0**-60
"""The relative radius of a token's log-probability is below this."""
GRADIENT_ERROR = 2.0**-59
"""The relative radius of an entry of a gradient row is below this, REACH nats around the row's largest logit."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What the passes over the vocabulary leave of each row, as balls.

    target, others: z_t and the log-sum-exp of the others, over the temperature; -inf where there is none. found: the sum
    itself. NaN in both where the row holds +inf or NaN.
    """

    target: Enclosure
    others: Enclosure
    found: Found

    @property
    def lead(self) -> Enclosure:
        """z_t - L, the log-odds of the target."""
        return self.target - self.others


@dataclass(frozen=True, slots=True)
class Tile:
    """(head + tail) * 2**exponent, an exponent a row: derivatives of some rows in some columns, in float64 parts.

    relative: the error, one a row, relative to each entry; entries below 2**-860 are only known to be between 0 and twice that.
    """

    rows: slice
    columns: slice
    head: Floats
    tail: Floats
    exponent: Integers
    relative: Floats

    def balls(self) -> Enclosure:
        """The same as balls, of the tile's shape."""
        exponent = np.broadcast_to(self.exponent[:, None], self.head.shape)
        size = np.abs(self.head)
        radius = np.where((size < 2.0**-860) & (size > 0), size, size * self.relative[:, None])
        return normalised(self.head, self.tail, exponent, radius, special=self.head)


def token_logps(logits: ArrayLike, labels: ArrayLike, temperature: float = 1.0) -> Enclosure:
    """The log-probability of each label, in nats: relative radius below 2**-60, near 0 too.

    logits: (..., V). labels: (...). temperature: the logits are divided by it. Raises ShapeMismatch, OutOfRange for a label
    outside the vocabulary and for a temperature outside [2**-64, 2**64], NotFinite, and BadArgument for what is no array of
    floats or of indices.
    """
    values, index = read(logits, labels)
    found = -enclosure.softplus_minus(summarised(values, index, temperature).lead)
    return found.reshape(np.shape(labels))


def sequence_logps(
    logits: ArrayLike, labels: ArrayLike, mask: ArrayLike, temperature: float = 1.0, *, average: bool = False
) -> Enclosure:
    """The sum, or with `average` the mean, of the log-probabilities of the labels where the mask is true.

    logits: (B, T, V); labels, mask: (B, T); one number a row. What the mask leaves out is not looked at, whatever it holds.
    No token left: the sum is 0, the average NaN. Nothing is shifted: logits[:, t] are those of labels[:, t].
    Raises as `token_logps` does.
    """
    chosen = np.asarray(mask, dtype=bool)
    total = summed_tokens(masked_logps(logits, labels, chosen, temperature))
    if not average:
        return total
    counts = chosen.sum(axis=1)
    mean = total
    for n in np.unique(counts[counts > 0]):
        mean = where(counts == n, total.divided_by(int(n)), mean)
    return where(counts == 0, np.nan, mean)


def masked_logps(logits: ArrayLike, labels: ArrayLike, mask: ArrayLike, temperature: float = 1.0) -> Enclosure:
    """Each label's log-probability where the mask is true, and 0 elsewhere; (B, T). Raises as `token_logps` does."""
    scores, targets, chosen = np.asarray(logits), np.asarray(labels), np.asarray(mask, dtype=bool)
    if scores.ndim != 3 or targets.shape != scores.shape[:2] or chosen.shape != targets.shape:
        raise ShapeMismatch(f"logits {scores.shape}, labels {targets.shape}, mask {chosen.shape}: (B, T, V), (B, T), (B, T)")
    found, places = exact(np.zeros(chosen.size)), np.flatnonzero(chosen)
    if places.size:
        rows = Picked(scores.reshape(-1, scores.shape[-1]), places)
        logps = -enclosure.softplus_minus(summarised(rows, targets.reshape(-1)[places].astype(np.int64), temperature).lead)
        for field in ("head", "tail", "exponent", "radius"):
            getattr(found, field)[places] = getattr(logps, field)
    return found.reshape(chosen.shape)


def summed_tokens(logps: Enclosure) -> Enclosure:
    """The sum over the last axis, two halves at a time; 0 over none."""
    rest = logps
    if not rest.shape[-1]:
        return exact(np.zeros(rest.shape[:-1]))
    while (n := rest.shape[-1]) > 1:
        half = n // 2
        odd = rest[..., 2 * half :]
        rest = rest[..., :half] + rest[..., half : 2 * half]
        if n % 2:
            rest = _beside(rest, odd)
    return rest[..., 0]


def _beside(a: Enclosure, b: Enclosure) -> Enclosure:
    fields = ("head", "tail", "exponent", "radius")
    return Enclosure(*(np.concatenate([getattr(a, field), getattr(b, field)], axis=-1) for field in fields))


def gradient_tiles(
    logits: ArrayLike, labels: ArrayLike, temperature: float = 1.0, *, weights: Enclosure | None = None
) -> Iterator[Tile]:
    """d logp / d logits, tile by tile: (delta_tj - p_j) / temperature, relative error below 2**-59.

    logits: (N, V). The target's entry is 1 - p_t without cancellation. -inf has derivative 0; a row that is undefined has NaN.
    weights: what each row is multiplied by, such as d loss / d logp. Raises as `token_logps` does.
    """
    values, index = read(logits, labels)
    rows = summarised(values, index, temperature)
    own = enclosure.sigmoid_minus(rows.lead) * reciprocal((np.array([temperature]), np.zeros(1)))  # 1 - p_t
    if weights is not None:
        own = own * weights
    undefined = np.isnan(own.head)
    share = where(undefined, 1.0, own) * reciprocal(rows.found.total)
    relative = share.radius / np.maximum(np.abs(share.head), 0.5) + RELATIVE_ERROR + SUM_ERROR + 2.0**-70
    factors = own, share, relative, undefined
    whole = temperature == 1.0 and compiled.usable(values.shape[1])
    for block in passes(values):
        for place in [slice(0, values.shape[1])] if whole else columns_of(values):
            yield (_compiled if whole else _tile)(values, index, rows.found, factors, temperature, block, place)


def _tile(
    values: Array | Picked,
    index: Integers,
    found: Found,
    factors: tuple[Enclosure, Enclosure, Floats, Mask],
    temperature: float,
    rows: slice,
    columns: slice,
) -> Tile:
    own, share, relative, undefined = factors[0][rows], factors[1][rows], factors[2][rows], factors[3][rows]
    tile, inside, places, _ = taken_out(values, index[rows], rows, columns)
    nothing = np.isneginf(tile)
    z, rest = reduced(tile, temperature, (found.shift[0][rows], found.shift[1][rows]), found.largest[rows])
    with np.errstate(under="ignore"):
        v, error = powers(z, rest, found.exponent[rows, None])
        factor = -share.head[:, None]
        factor_high = clear_low_bits(factor, 27)
        high = clear_low_bits(v, 27)
        v -= high
        v += error
        v *= factor
        v += high * ((factor - factor_high) - share.tail[:, None])
        head, tail = fast_two_sum(high * factor_high, v)
    head[nothing], tail[nothing] = 0.0, 0.0
    return _with_targets((head, tail), (own, share, relative, undefined), rows, columns, inside, places)


def _with_targets(
    parts: Pair,
    factors: tuple[Enclosure, Enclosure, Floats, Mask],
    rows: slice,
    columns: slice,
    inside: Places,
    places: Places,
) -> Tile:
    """The tile with the targets' own entries, and NaN where a row is undefined."""
    (head, tail), (own, share, relative, undefined) = parts, factors
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        power = np.ldexp(1.0, np.clip(own.exponent - share.exponent, -1000, 1000).astype(np.int32))
        head[inside, places] = own.head[inside] * power[inside]
        tail[inside, places] = own.tail[inside] * power[inside]
    head[undefined] = np.nan
    return Tile(rows, columns, head, tail, share.exponent, relative)


def _compiled(
    values: Array | Picked,
    index: Integers,
    found: Found,
    factors: tuple[Enclosure, Enclosure, Floats, Mask],
    temperature: float,
    rows: slice,
    columns: slice,
) -> Tile:
    """A whole row of a large vocabulary, by the compiled loop."""
    own, share, relative, undefined = factors[0][rows], factors[1][rows], factors[2][rows], factors[3][rows]
    factor = -share.head
    high = clear_low_bits(factor, 27)
    low = (factor - high) - share.tail
    least = float(found.largest[rows][0]) if np.isfinite(found.largest[rows][0]) else 0.0
    split = float(high[0]), float(low[0]), float(factor[0])
    row = as_row(values, rows)
    head, tail = compiled.row_powers(row, float(found.shift[0][rows][0]), least - REACH, int(found.exponent[rows][0]), split)
    place = np.zeros(1, dtype=np.intp), index[rows].astype(np.intp)
    return _with_targets((head[None], tail[None]), (own, share, relative, undefined), rows, columns, *place)


def reciprocal(x: Pair) -> Enclosure:
    """1/x of a positive pair in [2**-500, 2**500], relative radius 2**-100: one Newton step."""
    first = 1.0 / x[0]
    product, error = two_product(first, x[0])
    change = ((1.0 - product) - error) - first * x[1]
    head, tail = fast_two_sum(first, first * change)
    return normalised(head, tail, np.zeros(head.shape, dtype=np.int64), head * 2.0**-100, special=head)


def summarised(values: Array | Picked, index: Integers, temperature: float = 1.0) -> Rows:
    """The passes over the vocabulary, and their sums' logarithms. Raises as `token_logps` does."""
    prepare()
    found = Found.of(values, index, temperature)
    head, tail = steps().ln2
    ln2 = (exact(head) + exact(tail)).widen(relative=2.0**-104)
    shift = (exact(found.shift[0]) + exact(found.shift[1])).widen(relative=found.quotient_error)
    others = logarithm(found.total) + ln2 * exact(found.exponent.astype(np.float64)) + shift
    others = where(np.isneginf(found.largest), -np.inf, others)
    finite = np.isfinite(found.target[0])
    target = (exact(np.where(finite, found.target[0], 0.0)) + exact(found.target[1])).widen(relative=found.quotient_error)
    target = where(finite, target, found.target[0])
    undefined = np.isnan(found.target[0])
    return Rows(target, where(undefined, np.nan, others), found)


def logarithm(x: Pair) -> Enclosure:
    """log x of a sum x = head + tail in [1, 2**60], within 2**-61: one step from any guess, which need not be trusted.

    With g >= 0 the guess and x e**-g = 1 + d: log x = g + d - d**2/2, and |d| is seen to be below 2**-30.
    """
    guess = np.maximum(np.log(x[0]), 0.0)
    (head, tail), k = exponential((guess, np.zeros_like(guess)))
    power = normalised(head, tail, -k, head * 2.0**-73, special=head)
    change = (exact(x[0]) + exact(x[1])) * power - 1.0
    size = np.ldexp(np.abs(change.head) + change.radius, np.maximum(change.exponent, -1000).astype(np.int32))
    if not bool((size < 2.0**-30).all()):
        raise ArithmeticError("the logarithm's guess is off by more than 2**-30: this machine's log is not one")
    return (exact(guess) + change - change * change * 0.5).widen(absolute=SUM_ERROR + size**3)
