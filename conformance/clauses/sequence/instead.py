"""What wrong numbers are instead of what was asked: the usual mistakes, computed right, and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.implementations.sequence.protocol import SequenceClaims
from conformance.inputs.sequences import Labels, Mask, Rows
from oracle.bounds.acceptance import centre
from oracle.formats import Floats
from oracle.sequence.certified import token_logps

CLOSE = 2.0**-6
"""How near, relative, wrong numbers must be to a mistake's to be told as it."""


def recognised(rows: Rows, claims: SequenceClaims, got: Floats) -> str:
    """What the returned numbers are, in a clause of a sentence; empty where they are none of the usual mistakes."""
    if claims.returns != "sequence" or got.ndim != 1 or not np.isfinite(rows.logits).all() or rows.logits.size > 1 << 20:
        return ""
    fitting = (told for told, values in mistakes(rows, claims) if values.shape == got.shape and near(got, values))
    told = next(fitting, "")  # "" where it is right but for the arithmetic
    return told and f"the numbers are {told}"


def near(got: Floats, values: Floats) -> bool:
    """Whether numbers are a mistake's, but for the arithmetic; a NaN among these stands for anything."""
    with np.errstate(invalid="ignore"):
        close = np.abs(got - values) <= CLOSE * np.abs(values) + 1e-6
    return bool((close | np.isnan(values)).all())


def mistakes(rows: Rows, claims: SequenceClaims) -> Iterator[tuple[str, Floats]]:
    """(what is returned, its numbers), the right ones first, as ""; logits finite."""
    logits, labels, mask = rows.aligned
    tokens = _tokens(logits, labels, rows.temperature)
    right = _reduced(tokens, mask, claims.average)
    yield "", right
    other = "the mean over the tokens, where the sum is claimed" if not claims.average else "the sum, where the mean is claimed"
    yield other, _reduced(tokens, mask, not claims.average)
    yield "the negative: a loss and not a log-probability", -right
    yield "in bits, where nats are asked for", right / np.log(2)
    if rows.shape[1] > 2:
        yield from _shifted(rows, claims)
        yield from ((told, _reduced(tokens, other, claims.average)) for told, other in _masks(rows))
        if claims.average:
            yield "divided by one token more than count", right * _counts(mask) / (_counts(mask) + 1)
        yield "divided by the padded length", right * _counts(mask) / mask.shape[1] if claims.average else right / mask.shape[1]
        yield "scaled by the share of the width that counts", right * _counts(mask) / mask.shape[1]
    yield from _rolled(rows, claims)
    if rows.temperature != 1:
        yield from _heated(rows, claims)
    if len(right) > 1:
        yield "one number for all rows", np.full_like(right, right.sum())
        yield "one mean for all rows", np.full_like(right, right.mean())
        yield "those of the rows in another order", right[::-1].copy()


def _shifted(rows: Rows, claims: SequenceClaims) -> Iterator[tuple[str, Floats]]:
    """A shift that is missing, made twice, or of the labels alone."""
    logits, labels, mask = rows.aligned
    yield (
        "those of the mask as it was before the shift: the mask is one place off from the labels",
        _reduced(_tokens(logits, labels, rows.temperature), rows.mask[:, :-1], claims.average),
    )
    yield (
        "those of labels that are not shifted: each place scores its own token",
        _reduced(_tokens(rows.logits, rows.labels, rows.temperature), rows.mask, claims.average),
    )
    if claims.shift:
        twice = _tokens(rows.logits[:, :-2], rows.labels[:, 2:], rows.temperature)
        yield "those of a shift made twice", _reduced(twice, rows.mask[:, 2:], claims.average)
    else:
        again = _tokens(logits[:, :-1], labels[:, 1:], rows.temperature)
        yield "those of a second shift: logits and labels came aligned", _reduced(again, mask[:, 1:], claims.average)


def _masks(rows: Rows) -> Iterator[tuple[str, Mask]]:
    """Other tokens that are counted."""
    _, labels, mask = rows.aligned
    yield "those of all places: the mask is not used", np.ones_like(mask)
    ends = np.arange(mask.shape[1])
    yield "those with each row's last place, whatever the mask says of it", mask | (ends == len(ends) - 1)
    yield "those with each row's first place, whatever the mask says of it", mask | (ends == 0)
    yield "those without each sequence's last token", mask & ~_last(mask)
    yield "those without each sequence's first token", mask & ~_last(mask[:, ::-1])[:, ::-1]
    yield "those without the tokens whose label is 0: it is taken for padding", mask & (labels != 0)
    yield "those with the places before the first token that counts: the prompt counts too", mask | (mask.cumsum(axis=1) == 0)
    yield "those of as many places from the left as tokens count", np.arange(mask.shape[1]) < _counts(mask)[:, None]


def _heated(rows: Rows, claims: SequenceClaims) -> Iterator[tuple[str, Floats]]:
    """A temperature that is used in another way."""
    logits, labels, mask = rows.aligned
    plain = _tokens(logits, labels, 1.0)
    inverse = _tokens(logits, labels, 1 / rows.temperature)
    aim = np.take_along_axis(logits, labels.clip(0, logits.shape[-1] - 1)[..., None], axis=-1)[..., 0]
    for told, tokens in (
        ("those of temperature 1: the temperature is not used", plain),
        ("those of logits times the temperature", inverse),
        ("the log-probability divided by the temperature, not the logits", plain / rows.temperature),
        ("those of the label's logit alone divided by the temperature", plain + aim * (1 / rows.temperature - 1)),
    ):
        yield told, _reduced(tokens, mask, claims.average)


def _rolled(rows: Rows, claims: SequenceClaims) -> Iterator[tuple[str, Floats]]:
    """Labels and mask rolled: within each row, or over the rows as if they were one."""
    ways: tuple[tuple[str, Callable[[NDArray[Any]], NDArray[Any]]], ...] = (
        ("rolled: a row's last place scores its own first token", lambda a: np.roll(a, -1, axis=1)),
        ("rolled as one row: the last place of a sequence scores the next one's first token", _packed_roll),
    )
    for told, turn in ways:
        tokens = _tokens(rows.logits, turn(rows.labels), rows.temperature)
        yield f"those of labels and mask that are {told}", _reduced(tokens, turn(rows.mask), claims.average)


def _packed_roll(values: NDArray[Any]) -> NDArray[Any]:
    return np.roll(values.reshape(-1), -1).reshape(values.shape)


def _tokens(logits: Floats, labels: Labels, temperature: float) -> Floats:
    return np.asarray(centre(token_logps(logits, labels.clip(0, logits.shape[-1] - 1), temperature)))


def _counts(mask: Mask) -> Floats:
    return np.asarray(mask.sum(axis=1), dtype=np.float64)


def _reduced(tokens: Floats, mask: Mask, average: bool) -> Floats:
    total = (tokens * mask).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / _counts(mask) if average else total)


def _last(mask: Mask) -> Mask:
    """True at the last place of each row that counts."""
    after = np.cumsum(mask[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(mask & (after == 1))
