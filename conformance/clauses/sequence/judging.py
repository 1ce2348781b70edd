"""What came back from token logits, held against the oracle: bounds in nats, and the worst place in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import cast

import numpy as np

from conformance.clauses.sequence.counted import Counted
from conformance.clauses.sequence.instead import recognised
from conformance.clauses.trial import Trial
from conformance.implementations.sequence.protocol import Inner, SequenceAnswer, SequenceImplementation
from conformance.inputs.sequences import Mask, Rows, distant, many_rows
from oracle import Format
from oracle.bounds.acceptance import centre
from oracle.formats import Floats
from oracle.sequence import bounds, summed_tokens
from oracle.sequence.bounds import Tokens
from oracle.sequence.certified import token_logps

Constant = Callable[[int], float]
_MOST_COLUMNS = 1 << 14


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Of a batch: each counted token's exact log-probability and what bounds it, in the order of `places`; (B, T) shaped."""

    rows: Rows
    tokens: Tokens
    places: Mask

    @classmethod
    def of(cls, rows: Rows) -> Truth:
        """The truth of the tokens that the mask keeps. Raises as `oracle.sequence.token_logps` does."""
        logits, labels, mask = rows.aligned
        return cls(rows, Tokens.of(logits[mask], labels[mask], rows.temperature), mask)

    def spread(self, values: Floats) -> Floats:
        """Numbers of the counted tokens at their places, 0 elsewhere."""
        out = np.zeros(self.places.shape)
        out[self.places] = values
        return out

    @property
    def counts(self) -> Floats:
        """Tokens that count, for each sequence."""
        return np.asarray(self.places.sum(axis=1), dtype=np.float64)

    def sequences(self, *, average: bool) -> Floats:
        """The exact sum, or average, of each sequence, to float64."""
        _, _, mask = self.rows.aligned
        logps = self.tokens.logp
        total = np.zeros(len(mask))
        start = 0
        for i, n in enumerate(mask.sum(axis=1)):
            piece = logps[start : start + n]
            total[i] = float(centre(summed_tokens(piece.reshape(1, n)))[0]) if n else 0.0
            start += int(n)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            return np.asarray(total / self.counts if average else total)


@lru_cache(maxsize=64)
def _truth(key: tuple[bytes, bytes, bytes, tuple[int, ...], float], rows_of: _Held) -> Truth:
    return Truth.of(rows_of.rows)


class _Held:
    """A batch that stands for itself in a cache's key: equal batches have equal keys."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)

    def __hash__(self) -> int:
        return 0


def truth(rows: Rows) -> Truth:
    """`Truth.of`, kept for the next implementation."""
    if rows.logits.size > 1 << 20:
        return Truth.of(rows)
    key = rows.logits.tobytes(), rows.labels.tobytes(), rows.mask.tobytes(), rows.shape, rows.temperature
    return _truth(key, _Held(rows))


class Scale(Counted):
    """A sequence implementation held against the oracle."""

    def __init__(self, trial: Trial) -> None:
        super().__init__()
        self.trial = trial
        self.implementation = cast("SequenceImplementation", trial.implementation)
        self.claims = self.implementation.claims
        self.fmt = trial.fmt
        self.constant = 0.0

    # -- asking ----------------------------------------------------------------------------------------------------

    def rows(self, clause: str) -> Rows:
        """1,030 rows of few tokens; of a head, whose hidden states are as wide as there are places, 130."""
        return many_rows(self.fmt, self.trial.rng(clause), 130 if self.claims.head else 1030)

    def places(self, clause: str) -> Rows:
        """4,200 places, of which few count; of a head 2,101."""
        return distant(self.fmt, self.trial.rng(clause), 2101 if self.claims.head else 4200)

    def answer(
        self, rows: Rows, *, gradient: bool = False, strided: bool = False, incoming: Floats | None = None
    ) -> SequenceAnswer:
        """What the implementation returns. Raises Misbehaviour."""
        return self.implementation.evaluate(rows, self.fmt, gradient=gradient, strided=strided, incoming=incoming)

    def arithmetic(self, answer: SequenceAnswer) -> Format:
        """The format whose unit roundoff bounds it."""
        return self.claims.arithmetic(self.fmt, answer.dtype)

    # -- holding against -------------------------------------------------------------------------------------------

    def values(self, rows: Rows, constant: Constant = bounds.must, answer: SequenceAnswer | None = None) -> SequenceAnswer:
        """The numbers of a batch within their bounds, the constant of the vocabulary's sum given."""
        got = self.answer(rows) if answer is None else answer
        exact, allowed = self.allowed(rows, got, constant)
        self.hold(rows, got.values, exact, allowed)
        return got

    def allowed(self, rows: Rows, answer: SequenceAnswer, constant: Constant) -> tuple[Floats, Floats]:
        """Exact values, and what each returned number may be off by, in nats."""
        known, fmt = truth(rows), self.arithmetic(answer)
        flush = self.claims.subnormals == "flush"
        each = known.tokens.error(fmt, constant(rows.shape[2]), flush=flush)
        result = _format(answer.dtype)
        if self.claims.returns == "token":
            exact = known.spread(known.tokens.exact)
            return exact, known.spread(each) + bounds.stored(exact, result)
        exact = known.sequences(average=self.claims.average)
        tokens, errors = known.spread(known.tokens.exact), known.spread(each)
        narrow = result if result.precision < fmt.precision else fmt
        sums = [bounds.total(e[m], t[m], narrow) for e, t, m in zip(errors, tokens, known.places, strict=True)]
        room = np.array(sums).reshape(len(exact))
        if self.claims.average:
            room = room / np.maximum(known.counts, 1.0) + 2 * narrow.unit_roundoff * np.abs(np.nan_to_num(exact))
        return exact, room + bounds.stored(exact, result)

    def hold(self, rows: Rows, got: Floats, exact: Floats, allowed: Floats, what: str = "log-probability") -> None:
        """Each number against its exact value. An exact NaN, an average of nothing, is not judged; infinities must agree."""
        if self.claims.returns == "token" and got.shape == rows.aligned[2].shape:
            keep = rows.aligned[2]
            got, exact, allowed = np.where(keep, got, 0.0), np.where(keep, exact, 0.0), np.where(keep, allowed, 1.0)
        place = self.numbers(got, exact, allowed)
        if place is not None:
            error = abs(float(got[place]) - float(exact[place]))
            told = f"{what} [{', '.join(map(str, place))}] got {float(got[place])!r}, exact {float(exact[place])!r}"
            told += f", {error:.3g} nats off, {self.worst:.3g} times what the bound allows ({rows.described()})"
            instead = recognised(rows, self.claims, got) if self.worst > 1 and what == "log-probability" else ""
            self.told = f"{told}; {instead}" if instead else told

    def wrong(self, rows: Rows, right: bool, told: str) -> None:
        """Right or wrong, with nothing between."""
        self.right(right, f"{told} ({rows.described()})")

    def show(self, rows: Rows, got: SequenceAnswer) -> None:
        """The constant of the vocabulary's sum that the numbers show, where one token makes each."""
        known = truth(rows)
        values = got.values[known.places] if self.claims.returns == "token" else got.values
        shown = bounds.constant(known.tokens, values, self.arithmetic(got))
        self.constant = max(self.constant, float(np.nan_to_num(shown, nan=np.inf, posinf=np.inf).max(initial=0.0)))

    # -- gradients -------------------------------------------------------------------------------------------------

    def slopes(self, rows: Rows, answer: SequenceAnswer) -> Floats:
        """The derivatives by place: those of an implementation that shifts without its last place, which must have none."""
        found = answer.gradient
        if found is None:
            found = np.full((rows.shape[0], rows.shape[1] - (not self.claims.shift), rows.shape[2]), np.nan)
        found = found[:, :-1] if self.claims.shift else found
        if self.claims.returns == "token":  # what it returns where nothing counts is not asked for
            found = np.where(rows.aligned[2][..., None], found, 0.0)
        return found

    def gradient(self, rows: Rows, *, answer: SequenceAnswer | None = None) -> None:
        """Every derivative in a logit within its bound, and exactly 0 where nothing counts."""
        answer = self.answer(rows, gradient=True) if answer is None else answer
        exact, allowed = self.gradient_allowed(rows, answer, bounds.must)
        got = self.slopes(rows, answer)
        self.hold(rows, got, exact, allowed, "d logp / d logits")

    def gradient_allowed(self, rows: Rows, answer: SequenceAnswer, constant: Constant) -> tuple[Floats, Floats]:
        """Exact derivatives of the sum of what is returned, and what each may be off by; 0 where the mask is false."""
        flush = self.claims.subnormals == "flush"
        fmt = self.arithmetic(answer)
        exact, allowed = sequence_gradient(rows, fmt, self.fmt, constant, average=self.claims.average, flush=flush)
        return exact, allowed + dividing(exact, _format(answer.dtype), fmt, average=self.claims.average)


def sequence_gradient(
    rows: Rows, fmt: Format, result: Format, constant: Constant, *, average: bool = False, flush: bool = False
) -> tuple[Floats, Floats]:
    """Exact derivatives of the sequences' log-probabilities in every logit, and what each may be off by; 0 where masked.

    fmt: in which it is computed; result: that of the derivatives.
    """
    logits, labels, mask = rows.aligned
    known, kept, own, columns = truth(rows), logits[mask], labels[mask], rows.shape[2]
    logps = _all_columns(kept, rows.temperature)
    base = known.tokens.error(fmt, constant(columns), flush=flush)
    u = fmt.unit_roundoff
    with np.errstate(invalid="ignore"):
        lead = np.abs(kept / rows.temperature - (kept / rows.temperature).max(axis=1, initial=-np.inf, keepdims=True))
        each = base[:, None] + u * (lead + 2 * np.abs(logps))
    off = bounds.gradient(logps, own.astype(np.intp), np.where(np.isneginf(logps), 0.0, each), fmt)
    with np.errstate(under="ignore"):
        inner = -np.exp(logps)
    inner[np.arange(len(own)), own] = -np.expm1(known.tokens.exact)
    weight = np.repeat(1.0 / np.maximum(known.counts, 1.0), known.places.sum(axis=1)) if average else np.ones(len(own))
    scale = (weight / rows.temperature).reshape(-1, 1)
    exact, allowed = np.zeros(logits.shape), np.full(logits.shape, np.finfo(float).tiny)
    room = off * scale + bounds.stored(inner * scale, result) + 8 * u * np.abs(inner * scale)
    if result.precision < fmt.precision:  # 1 and -p of a label may be stored apart, and added in the result's format
        at = np.arange(len(own)), own
        room[at] += 2 * result.unit_roundoff * scale[:, 0]
    exact[mask], allowed[mask] = inner * scale, room + (result.smallest_normal if flush else 0.0)
    return exact, allowed


def dividing(exact: Floats, result: Format, fmt: Format, *, average: bool) -> Floats:
    """What the derivatives of a mean are off by besides, where the count divides what was rounded to a narrower format."""
    narrower = average and result.precision < fmt.precision
    return np.asarray(2 * result.unit_roundoff * np.abs(exact) if narrower else np.zeros(exact.shape))


def head_slopes(
    inner: Inner, logits: tuple[Floats, Floats], formats: tuple[Format, Format]
) -> Iterator[tuple[str, Floats, Floats, Floats]]:
    """What a head's derivatives in its hidden states and bias are, what is exact, and what bounds it.

    logits: the exact derivatives in the logits and what bounds them. formats: of the arithmetic, and of the result.
    """
    exact, allowed = logits
    fmt, result = formats
    columns, places = exact.shape[-1], exact.shape[0] * exact.shape[1]
    if inner.hidden is not None:
        size = np.abs(exact) @ np.abs(inner.weight)
        room = allowed @ np.abs(inner.weight) + bounds.must(columns) * fmt.unit_roundoff * size
        yield "hidden states", inner.hidden, exact @ inner.weight, room + bounds.stored(size, result)
    if inner.bias is not None:
        size = np.abs(exact).sum(axis=(0, 1))
        room = allowed.sum(axis=(0, 1)) + places * max(fmt.unit_roundoff, result.unit_roundoff) * size
        yield "bias", inner.bias, exact.sum(axis=(0, 1)), room + bounds.stored(size, result)


def _all_columns(logits: Floats, temperature: float) -> Floats:
    """log p_j of every column, to float64: from the first column's own, exactly as far as float64 goes."""
    if not len(logits):
        return np.zeros(logits.shape)
    pivot = logits.argmax(axis=1)
    best = centre(token_logps(logits, pivot, temperature))
    with np.errstate(invalid="ignore"):
        return np.asarray((logits - logits[np.arange(len(pivot)), pivot][:, None]) / temperature + best[:, None])


def _format(dtype: str) -> Format:
    from oracle import get_format  # noqa: PLC0415

    return get_format(dtype)


def at(rows: Rows, *, temperature: float | None = None, chunk: int | None = None, name: str | None = None) -> Rows:
    """The same batch with another temperature, chunk size or name."""
    changed = replace(rows, temperature=rows.temperature if temperature is None else temperature)
    return replace(changed, chunk=chunk if chunk is not None else rows.chunk, name=name or rows.name)
