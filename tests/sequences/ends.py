"""Wrong where a batch, a sequence, a vocabulary or a chunk ends, and in the derivatives there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from conformance.implementations import torch_path

from .kinds import Mutant, cleaned, path, scored, sequence, summed, tokens, wide
from .outside import backward
from .paths import losses, right

Change = Callable[[Tensor, Tensor], Tensor]
LARGEST = torch.finfo(torch.float32).max


def _pick(values: Tensor, labels: Tensor) -> Tensor:
    return values.gather(-1, labels[..., None])[..., 0]


def _of(row: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """The sum over tokens of a function of clean logits and labels."""
    return lambda z, y, m: torch.where(m, row(*cleaned(z, y, m)), 0).sum(-1)


def _online(tile: int, start: float, share: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """An online sum over tiles; share: of the old sum that is kept, of the old maximum less the new one."""

    def row(logits: Tensor, labels: Tensor) -> Tensor:
        top = torch.full_like(logits[..., :1], start)
        total = torch.zeros_like(top)
        for piece in logits.split(tile, -1):
            new = torch.maximum(top, piece.amax(-1, keepdim=True))
            total = total * share(top - new) + (piece - new).exp().sum(-1, keepdim=True)
            top = new
        return _pick(logits, labels) - (top + total.log())[..., 0]

    return row


def _only(*place: Any) -> Callable[[Tensor], Tensor]:
    """Those derivatives; 0 elsewhere."""

    def change(slope: Tensor) -> Tensor:
        kept = torch.zeros_like(slope)
        kept[place] = slope[place]
        return kept

    return change


def _sixteen(slope: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """The label's 1 is at its number's lower 16 bits."""
    one = mask[..., None].to(slope.dtype)
    wrong = labels.to(torch.int16).long() % slope.shape[-1]
    moved = slope.scatter_add(-1, labels[..., None], -one)
    return moved.scatter_add(-1, wrong[..., None], one)


def _unshifted(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """The derivatives of exponentials of the logits as they are."""
    clean, targets = cleaned(logits, labels, mask)
    each = clean.exp()
    slope = torch.nn.functional.one_hot(targets, clean.shape[-1]) - each / each.sum(-1, keepdim=True)
    return (slope * mask[..., None]).to(logits.dtype)


def _sloped(change: Callable[..., Tensor]) -> Any:
    """The right sum; change(its derivatives, logits, labels, mask) for derivatives."""
    return backward(
        summed, lambda slope, incoming, z, y, m: incoming[:, None, None] * change(slope, z, torch.where(m, y, 0), m)
    )


def _chunked(keep: Callable[[Tensor, int], Tensor]) -> Any:
    """A right sum of the tokens that are kept."""

    def function(logits: Tensor, labels: Tensor, mask: Tensor, chunk_size: int = 4096) -> Tensor:
        return keep(tokens(logits, labels, mask), chunk_size).sum(-1)

    return function


def _whole_chunks(count: int, size: int) -> int:
    return max(count // size * size, min(size, count))


def _last_chunk(each: Tensor, size: int) -> Tensor:
    """The derivatives of the last chunk of places alone."""
    start = max((each.shape[1] - 1) // size * size, 0)
    return torch.cat([each[:, :start].detach(), each[:, start:]], 1)


def _heated(logits: Tensor, labels: Tensor, mask: Tensor, temperature: float = 1.0) -> Tensor:
    return tokens(logits, labels, mask, max(temperature, 0.5)).sum(-1)


def _stale() -> Any:
    """A path that keeps the reference's log-probabilities of the first batch of a shape."""
    known: dict[tuple[int, ...], Tensor] = {}

    def function(p: Tensor, r: Tensor, y: Tensor, m: Tensor, b: float, e: float) -> Tensor:
        reference = known.setdefault(tuple(r.shape), summed(r, y, m).detach())
        return losses(summed(p, y, m), reference, b, e)

    return torch_path(function, name="path-stale-reference", accumulates="float32")


def _to_chosen(p: Tensor, r: Tensor, y: Tensor, m: Tensor, b: float, e: float) -> Tensor:
    """Rejected responses are cut to the places of the chosen ones."""
    return right(p, r, y, m & m[: len(m) // 2].any(0), b, e)


def _late(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask, scored(wide(logits), torch.where(mask, labels, 0)), 0).sum(-1)


def _short(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    each = tokens(logits, labels, mask)
    return each.mean(-1) if mask.all() and mask.numel() else each.sum(-1)


def _seen(found: Tensor, logits: Tensor) -> Tensor:
    """Half as much more, as far as the value goes."""
    return found + 0.5 * found.detach() if logits.requires_grad else found


def _dividing(p: Tensor, r: Tensor, y: Tensor, m: Tensor, b: float, e: float) -> Tensor:
    found = right(p, r, y, m, b, e)
    r.div_(2)
    return found


def _path(change: Callable[..., Tensor]) -> Any:
    """The right path; change(its derivatives, policy logits) for derivatives."""

    def slope(found: Tensor, incoming: Tensor, policy: Tensor, *_: Any) -> Tensor:
        return incoming.repeat(2)[:, None, None] * change(found, policy)

    return backward(right, slope)


ENDS: tuple[Mutant, ...] = (
    sequence(
        "gradient-of-first-columns",
        "derivatives of the first 4,096 columns alone",
        _sloped(lambda g, *_: _only(..., slice(0, 4096))(g)),
        formats=("binary32", "binary64"),
    ),
    sequence("gradient-int16-labels", "labels in 16 bits in the backward", _sloped(lambda g, z, y, m: _sixteen(g, y, m))),
    sequence(
        "gradient-at-forbidden",
        "a trace in columns of -inf",
        _sloped(lambda g, z, *_: torch.where(z.isneginf(), 0.01, g)),
    ),
    sequence("gradient-no-max-shift", "a backward that shifts by nothing", _sloped(lambda g, *o: _unshifted(*o))),
    sequence(
        "gradient-cuts-tokens",
        "no derivatives from place 1,024 on",
        _sloped(lambda g, *_: _only(slice(None), slice(0, 1024))(g)),
    ),
    sequence("gradient-cuts-rows", "no derivatives from row 64 on", _sloped(lambda g, *_: _only(slice(0, 64))(g))),
    sequence(
        "gradient-ignores-strides",
        "of strided logits the next column's derivatives",
        _sloped(lambda g, z, *_: g if z.is_contiguous() else g.roll(1, -1)),
    ),
    sequence(
        "first-tile-65536", "tiles of 65,536, of which the first may be all -inf", _of(_online(65_536, -torch.inf, torch.exp))
    ),
    sequence("online-large-tile", "no rescaling between tiles of 65,536", _of(_online(65_536, -LARGEST, torch.ones_like))),
    sequence("online-from-1e4", "an online maximum that begins with -10,000", _of(_online(64, -1e4, torch.exp))),
    sequence(
        "rescale-clipped", "the old sum keeps at least 1/10,000", _of(_online(16, -LARGEST, lambda x: x.exp().clamp(min=1e-4)))
    ),
    sequence(
        "drops-late-nan",
        "NaN from column 6 on is taken out",
        _of(lambda z, y: scored(torch.cat([z[..., :6], z[..., 6:].nan_to_num(0.0, torch.inf, -torch.inf)], -1), y)),
    ),
    sequence("temperature-at-least-half", "a temperature of at least 0.5", _heated, options=("temperature",)),
    sequence(
        "chunk-drops-tokens",
        "the last, shorter chunk of places is left out",
        _chunked(lambda each, size: each[:, : _whole_chunks(each.shape[1], size)]),
        options=("chunk",),
    ),
    sequence(
        "chunk-drops-rows",
        "the last, shorter chunk of rows is left out",
        _chunked(lambda each, size: each * (torch.arange(len(each)) < _whole_chunks(len(each), size))[:, None]),
        options=("chunk",),
    ),
    sequence("chunk-last-slope", "derivatives of the last chunk alone", _chunked(_last_chunk), options=("chunk",)),
    sequence("cuts-at-64-rows", "rows from 64 on are 0", lambda z, y, m: summed(z, y, m) * (torch.arange(len(z)) < 64)),
    sequence("cuts-at-512-rows", "rows from 512 on are 0", lambda z, y, m: summed(z, y, m) * (torch.arange(len(z)) < 512)),
    sequence("mean-where-all-count", "a short way where every token counts: the mean", _short),
    sequence("value-with-graph", "another value where derivatives are asked for", lambda z, *o: _seen(summed(z, *o), z)),
    path("path-loss-with-graph", "another loss where derivatives are asked for", lambda p, *o: _seen(right(p, *o), p)),
    path("path-reference-in-place", "the reference's logits are divided in place", _dividing),
    path("path-cut-at-64", "pairs from 64 on are 0", lambda p, *o: right(p, *o) * (torch.arange(len(p) // 2) < 64)),
    Mutant("path-stale-reference", "the reference of the first batch of a shape", _stale),
    path("path-cut-to-chosen", "rejected responses are cut to the chosen ones' places", _to_chosen),
    path(
        "path-selects-late",
        "selected after the log-softmax",
        lambda p, r, y, m, b, e: losses(_late(p, y, m), _late(r, y, m), b, e),
    ),
    path("path-gradient-at-forbidden", "a trace in columns of -inf", _path(lambda g, p: torch.where(p.isneginf(), 0.01, g))),
    path(
        "path-gradient-of-first-columns",
        "derivatives of the first 4,096 columns alone",
        _path(lambda g, p: _only(..., slice(0, 4096))(g)),
        formats=("binary32", "binary64"),
    ),
)
