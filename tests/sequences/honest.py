"""Correct code that looks different: the algorithms of the field in our own words, in several frameworks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from conformance.implementations import (
    array_steps,
    jax_sequence,
    numpy_sequence,
    torch_head,
    torch_path,
    torch_sequence,
    torch_steps,
)
from oracle.losses import LOSSES

from .honest_ways import WAYS
from .kinds import ALL, METRICS, Honest, cleaned, scored, summed, tokens, wide
from .pairings import HONEST as PAIRINGS
from .paths import losses, right, stepped
from .preferences import named

WIDE = ("binary32", "binary64")


def _pick(values: Tensor, labels: Tensor) -> Tensor:
    return values.gather(-1, labels[..., None])[..., 0]


def _masked(row: Callable[[Tensor, Tensor], Tensor], *, native: bool = False) -> Any:
    def function(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
        clean = torch.where(mask[..., None], logits if native else wide(logits), 0)
        return torch.where(mask, row(clean, torch.where(mask, labels, 0)), 0).sum(-1)

    return function


def _online(logits: Tensor, labels: Tensor, tile: int = 24) -> Tensor:
    lowest = torch.finfo(logits.dtype).min
    top = torch.full_like(logits[..., :1], lowest)
    total = torch.zeros_like(top)
    for piece in logits.split(tile, -1):
        new = torch.maximum(top, piece.max(-1, keepdim=True).values.clamp(min=lowest))
        total = total * (top - new).exp() + (piece - new).exp().sum(-1, keepdim=True)
        top = new
    return _pick(logits, labels) - (top + total.log())[..., 0]


def _pairwise(values: Tensor) -> Tensor:
    while values.shape[-1] > 1:
        odd = values[..., -1:] if values.shape[-1] % 2 else values[..., :0]
        half = values.shape[-1] // 2
        values = torch.cat([values[..., :half] + values[..., half : 2 * half], odd], -1)
    return values[..., 0]


def _summing(total: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def row(logits: Tensor, labels: Tensor) -> Tensor:
        top = logits.max(-1, keepdim=True).values.detach()
        return _pick(logits - top, labels) - total((logits - top).exp()).log()

    return row


def _kahan(values: Tensor) -> Tensor:
    total = torch.zeros_like(values[..., 0])
    rest = torch.zeros_like(total)
    for block in values.split(512, -1):
        y = block.sum(-1) - rest
        t = total + y
        rest = (t - total) - y
        total = t
    return total


def _running(values: Tensor) -> Tensor:
    total = torch.zeros_like(values[..., 0])
    for block in values.split(64, -1):
        total = total + block.flip(-1).sum(-1)
    return total


def _apart(logits: Tensor, labels: Tensor) -> Tensor:
    target = _pick(logits, labels)
    others = logits.scatter(-1, labels[..., None], -torch.inf)
    if others.shape[-1] == 1:
        return target * 0
    gap = torch.logsumexp(others, -1) - target
    return torch.where(
        torch.isposinf(gap), -gap, -torch.logaddexp(torch.zeros_like(gap), torch.where(torch.isposinf(gap), 0, gap))
    )


def _shards(count: int) -> Callable[[Tensor, Tensor], Tensor]:
    """Vocabulary-parallel: each shard its maximum, its sum and its part of the target."""

    def row(logits: Tensor, labels: Tensor) -> Tensor:
        size = -(-logits.shape[-1] // count)
        pieces = logits.split(size, -1)
        top = torch.stack([piece.max(-1).values for piece in pieces]).max(0).values.detach()
        total = sum((piece - top[..., None]).exp().sum(-1) for piece in pieces)
        target = torch.zeros_like(top)
        for place, piece in enumerate(pieces):
            own = labels - place * size
            here = (own >= 0) & (own < piece.shape[-1])
            target = target + torch.where(here, _pick(piece, torch.where(here, own, 0)) - top, 0)
        return target - torch.log(total)  # type: ignore[arg-type]

    return row


def _packed(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """The tokens that count, in one row; then added to their sequence."""
    flat = scored(wide(logits)[mask], labels[mask])
    rows = torch.arange(len(mask))[:, None].expand(mask.shape)[mask]
    return torch.zeros(len(mask), dtype=flat.dtype).index_add(0, rows, flat)


def _apart_in_dtype(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """The label's logit is taken before the logits are widened: its derivative is added in their format."""
    clean, targets = torch.where(mask[..., None], logits, torch.zeros((), dtype=logits.dtype)), torch.where(mask, labels, 0)
    return torch.where(mask, wide(_pick(clean, targets)) - torch.logsumexp(wide(clean), -1), 0).sum(-1)


def _shifting(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    return summed(logits[:, :-1], labels[:, 1:], mask[:, 1:])


def _ignoring(logits: Tensor, labels: Tensor) -> Tensor:
    mask = labels != -100
    clean, _ = cleaned(logits, labels, mask)
    each = F.cross_entropy(clean.transpose(1, 2), labels, reduction="none", ignore_index=-100)
    return -each.sum(-1)


def _chunked(logits: Tensor, labels: Tensor, mask: Tensor, chunk_size: int = 7, temperature: float = 1.0) -> Tensor:
    if not logits.shape[1]:
        return summed(logits, labels, mask)
    pieces = zip(*(part.split(chunk_size, 1) for part in (logits, labels, mask)), strict=True)
    return torch.cat([tokens(*piece, temperature) for piece in pieces], 1).sum(-1)


def _inverse(logits: Tensor, labels: Tensor, mask: Tensor, temperature: float = 1.0) -> Tensor:
    clean, targets = cleaned(logits, labels, mask)
    return torch.where(mask, scored(clean * (1 / temperature), targets), 0).sum(-1)


def _average(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    return summed(logits, labels, mask) / mask.sum(-1).clamp(min=1)


def _narrow_average(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    return tokens(logits, labels, mask).to(logits.dtype).sum(-1) / mask.sum(-1).clamp(min=1)


def _exp2(logits: Tensor, labels: Tensor) -> Tensor:
    scaled = logits * 1.4426950408889634
    top = scaled.detach().amax(-1, keepdim=True)
    return (_pick(scaled - top, labels) - (scaled - top).exp2().sum(-1).log2()) * 0.6931471805599453


def _fused(*given: Any) -> Tensor:
    """A fused loss with a backward of its own hidden states, weight and bias by autograd."""
    hidden, weight, bias, ref_hidden, ref_weight, ref_bias, labels, mask, beta, eps = given
    policy = _head(hidden, weight, bias, labels, mask)
    return losses(policy, _head(ref_hidden, ref_weight, ref_bias, labels, mask), beta, eps)


def _head(hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, mask: Tensor) -> Tensor:
    clean = torch.where(mask[..., None], wide(hidden), 0)
    logits = clean @ wide(weight).T
    return summed(logits if bias is None else logits + wide(bias), labels, mask)


def _log_softmax(logits: Any, labels: Any) -> Any:
    picked = jnp.take_along_axis(jax.nn.log_softmax(logits, -1), labels[..., None], -1, mode="fill", fill_value=jnp.nan)
    return picked[..., 0]


def _jax(row: Callable[[Any, Any], Any]) -> Any:
    def function(logits: Any, labels: Any, mask: Any) -> Any:
        up = logits if logits.dtype == jnp.float64 else logits.astype(jnp.float32)
        clean, targets = jnp.where(mask[..., None], up, 0), jnp.where(mask, labels, 0)
        return jnp.where(mask, row(clean, targets), 0).sum(-1)

    return function


def _numpy(logits: np.ndarray, labels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    up = np.where(mask[..., None], logits.astype(np.float64), 0)
    top = up.max(-1, initial=-1e300, keepdims=True)
    target = np.take_along_axis(up - top, np.where(mask, labels, 0)[..., None], -1)[..., 0]
    return np.where(mask, target - np.log(np.exp(up - top).sum(-1)), 0).sum(-1).astype(np.float64)


def _single(logits: Tensor, labels: Tensor) -> Tensor:
    return scored(wide(logits), torch.where(labels == -100, 0, labels))


def _arrays(parts: list[Any], beta: float, eps: float) -> dict[str, Any]:
    """The whole step in float64, at once."""
    total = sum(len(part[0]) for part in parts)
    loss, slopes = 0.0, []
    for part in parts:
        pc, pr, rc, rr = (np.asarray(values, dtype=np.float64) for values in part)
        z = beta * ((pc - rc) - (pr - rr))
        loss += float(((1 - eps) * np.logaddexp(0, -z) + eps * np.logaddexp(0, z)).sum()) / total
        slope = beta * (eps - 1 / (1 + np.exp(z))) / total
        slopes.append((slope, -slope))
    return {"loss": loss, "gradients": slopes}


def _plain(name: str, why: str, function: Any, **keywords: Any) -> Honest:
    formats = keywords.pop("formats", ALL)
    keywords.setdefault("accumulates", "float32")
    return Honest(name, why, lambda: torch_sequence(function, name=name, dtypes=formats, **keywords), formats)


HONEST: tuple[Honest, ...] = (
    _plain("gather-minus-logsumexp", "gather minus logsumexp in float32", summed),
    _plain("log-softmax-float32", "log_softmax in float32", _masked(lambda z, y: _pick(F.log_softmax(z, -1), y))),
    _plain(
        "log-softmax-native",
        "log_softmax in the logits' own format",
        _masked(lambda z, y: _pick(F.log_softmax(z, -1), y), native=True),
        accumulates=None,
        formats=("bfloat16", "binary32", "binary64"),
    ),
    _plain(
        "gather-native",
        "gather minus logsumexp in the logits' own format",
        _masked(scored, native=True),
        accumulates=None,
        formats=("bfloat16", "binary32", "binary64"),
    ),
    _plain("online", "an online sum over tiles of 24", _masked(_online)),
    _plain("pairwise", "a pairwise sum", _masked(_summing(_pairwise))),
    _plain("kahan", "a compensated sum of blocks", _masked(_summing(_kahan))),
    _plain("running", "a running sum of blocks of 64, backward within each", _masked(_summing(_running))),
    _plain("target-apart", "minus log(1 + e^gap) of the others' logsumexp less the target, with no threshold", _masked(_apart)),
    _plain("two-shards", "vocabulary-parallel in 2", _masked(_shards(2))),
    _plain("three-shards", "vocabulary-parallel in 3", _masked(_shards(3))),
    _plain("packed", "only the tokens that count, added by index", _packed),
    _plain("gather-then-widen", "the label's logit before the logits are widened", _apart_in_dtype),
    _plain("shifts-itself", "shift inside", _shifting, shift=True),
    _plain("cross-entropy", "cross_entropy with an ignore index", _ignoring, ignore_index=-100),
    _plain("chunked-tokens", "tokens in chunks, with a temperature", _chunked, options=("chunk", "temperature")),
    _plain("inverse-temperature", "logits times 1/T", _inverse, options=("temperature",)),
    _plain("average", "the mean over tokens", _average, average=True),
    _plain("average-in-narrow", "tokens in float32, their mean in the logits' format", _narrow_average, average=True),
    _plain("exp2", "powers of two, the logits times log2 e", _masked(_exp2)),
    _plain("per-token", "a number a token", _single, returns="token", ignore_index=-100, infinities=True),
    Honest("head", "a fused head", lambda: torch_head(_head, name="head", accumulates="float32")),
    Honest(
        "head-without-bias",
        "a fused head that takes no bias",
        lambda: torch_head(_head, name="head-without-bias", accumulates="float32", infinities=False),
    ),
    Honest(
        "compiled",
        "torch.compile",
        lambda: torch_sequence(summed, name="compiled", accumulates="float32", compile=True),
        ("binary32",),
        slow=True,
    ),
    Honest("jax", "jax.nn.log_softmax", lambda: jax_sequence(_jax(_log_softmax), name="jax", accumulates="float32")),
    Honest(
        "jax-jit",
        "the same under jit",
        lambda: jax_sequence(_jax(_log_softmax), name="jax-jit", accumulates="float32", jit=True),
        WIDE,
        slow=True,
    ),
    Honest("numpy", "float64 whatever the logits", lambda: numpy_sequence(_numpy, name="numpy", accumulates="float64")),
    Honest("fused", "a fused loss", lambda: torch_path(_fused, name="fused", accumulates="float32", head=True)),
    Honest("path", "the whole path", lambda: torch_path(right, name="path", accumulates="float32")),
    Honest(
        "path-mean",
        "its mean",
        lambda: torch_path(lambda *a: right(*a).mean(), name="path-mean", accumulates="float32", reduction="mean"),
    ),
    Honest("steps", "sums over all pairs", lambda: torch_steps(stepped, name="steps", metrics=METRICS)),
    Honest("array-steps", "the whole step in float64", lambda: array_steps(_arrays, name="array-steps")),
    *WAYS,
    *PAIRINGS,
    *(Honest(f"path-{loss}", f"the whole path of {loss}", functools.partial(named, loss)) for loss in LOSSES),
)
