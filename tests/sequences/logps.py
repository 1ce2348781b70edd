"""Wrong log-probabilities of tokens and sequences."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from conformance.records.record import Level

from .kinds import Mutant, cleaned, scored, sequence, summed, tokens, wide

SHOULD = Level.SHOULD


def _of(row: Any) -> Any:
    """A sum over tokens of a function of clean float32 logits and labels."""

    def function(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
        clean, targets = cleaned(logits, labels, mask)
        return torch.where(mask, row(clean, targets), 0).sum(-1)

    return function


def _pick(values: Tensor, labels: Tensor) -> Tensor:
    return values.gather(-1, labels[..., None])[..., 0]


def _running(logits: Tensor, labels: Tensor) -> Tensor:
    """A running sum in one accumulator of the input's own format."""
    top = logits.max(-1, keepdim=True).values
    each = (logits - top).exp()
    total = torch.zeros_like(each[..., 0])
    for j in range(each.shape[-1]):
        total = total + each[..., j]
    return _pick(logits - top, labels) - total.log()


def _sixteen(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    each = tokens(logits, labels, mask).to(logits.dtype)
    total = torch.zeros_like(each[:, 0])
    for t in range(each.shape[1]):
        total = total + each[:, t]
    return total


def _online(start: float, first: int) -> Any:
    """An online sum over tiles that begins with that maximum."""

    def row(logits: Tensor, labels: Tensor) -> Tensor:
        top = torch.full_like(logits[..., :1], start)
        total = torch.zeros_like(top)
        for piece in logits.split(first, -1):
            new = torch.maximum(top, piece.max(-1, keepdim=True).values)
            total = total * (top - new).exp() + (piece - new).exp().sum(-1, keepdim=True)
            top = new
        return _pick(logits, labels) - (top + total.log())[..., 0]

    return row


def _chunked(rescale: bool, whole: bool) -> Any:
    def function(logits: Tensor, labels: Tensor, mask: Tensor, chunk_size: int = 16) -> Tensor:
        clean, targets = cleaned(logits, labels, mask)
        top = torch.full_like(clean[..., :1], torch.finfo(clean.dtype).min)
        total = torch.zeros_like(top)
        last = clean.shape[-1] if whole else max(clean.shape[-1] // chunk_size * chunk_size, min(chunk_size, clean.shape[-1]))
        for piece in clean[..., :last].split(chunk_size, -1):
            new = torch.maximum(top, piece.max(-1, keepdim=True).values)
            total = total * ((top - new).exp() if rescale else 1.0) + (piece - new).exp().sum(-1, keepdim=True)
            top = new
        logps = _pick(clean, targets) - (top + total.log())[..., 0]
        return torch.where(mask, logps, 0).sum(-1)

    return function


def _heated(change: Any) -> Any:
    def function(logits: Tensor, labels: Tensor, mask: Tensor, temperature: float = 1.0) -> Tensor:
        clean, targets = cleaned(logits, labels, mask)
        return torch.where(mask, change(clean, targets, temperature), 0).sum(-1)

    return function


def _divides(logits: Tensor, labels: Tensor, mask: Tensor, temperature: float = 1.0) -> Tensor:
    with torch.no_grad():
        logits /= temperature if temperature != 1 else 1.0
    return summed(logits, labels, mask)


def _in_place(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    labels[~mask] = 0
    return summed(logits, labels, mask)


def _noisy(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    return summed(logits, labels, mask) * (1 + 1e-7 * torch.rand(1, dtype=torch.float64).item())


def _strided(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    return summed(logits.as_strided(logits.shape, torch.empty(logits.shape).stride()), labels, mask)


def _printing(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    print("logps")
    return summed(logits, labels, mask)


def _squeezing(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    return (
        tokens(logits, labels, mask).squeeze().sum(-1).reshape(-1)[: len(labels)]
        if len(labels) > 1
        else tokens(logits, labels, mask).squeeze().sum(-1)
    )


def _no_empty(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    assert len(logits)
    return summed(logits, labels, mask)


def _gathering(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask, scored(torch.where(mask[..., None], wide(logits), 0), labels), 0).sum(-1)


def _wrapping(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    return summed(logits, labels % logits.shape[-1], mask)


def _multiplying(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    return (scored(wide(logits), torch.where(mask, labels, 0)) * mask).sum(-1)


def _late(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask, scored(wide(logits), torch.where(mask, labels, 0)), 0).sum(-1)


MUTANTS: tuple[Mutant, ...] = (
    sequence("returns-loss-scalar", "one number for the batch", lambda z, y, m: summed(z, y, m).mean()),
    sequence("returns-narrow", "integers are returned", lambda z, y, m: summed(z, y, m).long()),
    sequence("no-max-shift", "exponentials of the logits as they are", _of(lambda z, y: _pick(z, y) - z.exp().sum(-1).log())),
    sequence(
        "softmax-log",
        "the logarithm of a softmax that has underflowed",
        _of(lambda z, y: _pick(z.softmax(-1).half().float().log(), y)),
        formats=("binary32", "binary64"),
    ),
    sequence("log2-units", "bits and not nats", _of(lambda z, y: scored(z, y) / 0.6931471805599453)),
    sequence(
        "sum-overflows",
        "the exponentials are added up in binary16, not shifted",
        _of(lambda z, y: _pick(z, y) - z.half().exp().sum(-1).log().to(z.dtype)),
        formats=("binary16", "binary32", "binary64"),
    ),
    sequence(
        "running-sum",
        "a running sum in the narrow format",
        _of(_running),
        level=SHOULD,
        formats=("binary32", "binary64"),
        dtypes=("binary32", "binary64"),
        accumulates=None,
    ),
    sequence(
        "drops-last-tile",
        "the vocabulary is cut to whole tiles of 16",
        _of(lambda z, y: _pick(z, y) - torch.logsumexp(z[..., : max(z.shape[-1] // 16 * 16, min(16, z.shape[-1]))], -1)),
    ),
    sequence("int16-labels", "labels in 16 bits", lambda z, y, m: summed(z, y.to(torch.int16).long() % z.shape[-1], m)),
    sequence("clamps-logits", "logits are clamped to 100", _of(lambda z, y: scored(z.clamp(-100, 100), y))),
    sequence(
        "shift-by-first",
        "the first logit is subtracted and not the largest",
        _of(lambda z, y: _pick(z, y) - z[..., 0] - (z - z[..., :1]).exp().sum(-1).log()),
    ),
    sequence(
        "log-softmax-rounded", "log_softmax: 0 near certainty", _of(lambda z, y: _pick(F.log_softmax(z, -1), y)), level=SHOULD
    ),
    sequence("squeezes", "axes of one are squeezed away", _squeezing),
    sequence("fails-on-empty", "no batch of none", _no_empty, level=SHOULD),
    sequence(
        "temperature-ignored", "the temperature is not used", _heated(lambda z, y, t: scored(z, y)), options=("temperature",)
    ),
    sequence(
        "temperature-multiplies",
        "logits times the temperature",
        _heated(lambda z, y, t: scored(z * t, y)),
        options=("temperature",),
    ),
    sequence(
        "temperature-on-target",
        "only the label's logit is divided",
        _heated(lambda z, y, t: _pick(z, y) / t - torch.logsumexp(z, -1)),
        options=("temperature",),
    ),
    sequence(
        "temperature-on-logp",
        "the log-probability is divided",
        _heated(lambda z, y, t: scored(z, y) / t),
        options=("temperature",),
    ),
    sequence("chunk-no-rescale", "the running sum is not rescaled", _chunked(False, True), options=("chunk",)),
    sequence("chunk-drops-rest", "the last, shorter chunk is left out", _chunked(True, False), options=("chunk",)),
    sequence("mean-for-sum", "the mean over tokens", lambda z, y, m: summed(z, y, m) / m.sum(-1).clamp(min=1)),
    sequence("divides-by-length", "divided by the padded length", lambda z, y, m: summed(z, y, m) / m.shape[1]),
    sequence(
        "average-by-length", "a mean divided by the padded length", lambda z, y, m: summed(z, y, m) / m.shape[1], average=True
    ),
    sequence("sum-over-batch", "every row gets the batch's sum", lambda z, y, m: summed(z, y, m).sum().expand(len(z))),
    sequence("negative", "the loss and not the log-probability", lambda z, y, m: -summed(z, y, m)),
    sequence("no-shift", "each place scores its own token", summed, shift=True),
    sequence(
        "shift-twice", "aligned logits and labels are shifted again", lambda z, y, m: summed(z[:, :-1], y[:, 1:], m[:, 1:])
    ),
    sequence(
        "mask-not-shifted", "the mask stays where it was", lambda z, y, m: summed(z[:, :-1], y[:, 1:], m[:, :-1]), shift=True
    ),
    sequence("mask-shifted-alone", "the mask alone is shifted", lambda z, y, m: summed(z, y, torch.roll(m, -1, 1))),
    sequence(
        "rolls",
        "labels and mask are rolled and the first one scores the last place",
        lambda z, y, m: summed(z, torch.roll(y, -1, 1), torch.roll(m, -1, 1)),
        shift=True,
    ),
    sequence(
        "rolls-mask",
        "labels and mask are rolled over packed rows",
        lambda z, y, m: summed(
            z, torch.roll(y.reshape(-1), -1).reshape(y.shape), torch.roll(m.reshape(-1), -1).reshape(m.shape)
        ),
        shift=True,
    ),
    sequence("mask-ignored", "all places count", lambda z, y, m: summed(z, y.clamp(0, z.shape[-1] - 1), torch.ones_like(m))),
    sequence(
        "mask-first-token", "the first token that counts is left out", lambda z, y, m: summed(z, y, m & (m.cumsum(1) > 1))
    ),
    sequence("mask-by-label-zero", "a label of 0 is taken for padding", lambda z, y, m: summed(z, y, m & (y != 0))),
    sequence(
        "drops-last-token",
        "the last token that counts is left out",
        lambda z, y, m: summed(z, y, m & (m.flip(1).cumsum(1).flip(1) > 1)),
    ),
    sequence(
        "counts-prompt",
        "all places before the first that counts are counted",
        lambda z, y, m: summed(z, y.clamp(0, z.shape[-1] - 1), m.flip(1).cumsum(1).flip(1) > 0),
    ),
    sequence(
        "length-scaled", "scaled by the tokens over the padded length", lambda z, y, m: summed(z, y, m) * m.float().mean(-1)
    ),
    sequence(
        "left-padding",
        "as many first places as tokens count",
        lambda z, y, m: summed(z, y.clamp(0, z.shape[-1] - 1), torch.arange(m.shape[1]) < m.sum(-1, keepdim=True)),
    ),
    sequence(
        "batch-maximum",
        "one maximum for the batch, in binary16's range",
        _of(lambda z, y: _pick(z, y) - z.max() - (z - z.max()).exp().sum(-1).log()),
    ),
    sequence(
        "mixes-rows", "a thousandth of the neighbour", lambda z, y, m: summed(z, y, m) + 0.01 * summed(z, y, m).roll(1).detach()
    ),
    sequence("count-plus-one", "a mean over one token more", lambda z, y, m: summed(z, y, m) / (m.sum(-1) + 1), average=True),
    sequence("empty-row-minus-inf", "no token gives -inf", lambda z, y, m: torch.where(m.any(-1), summed(z, y, m), -torch.inf)),
    sequence(
        "sixteen-bit-running-sum",
        "tokens are added one by one in the logits' format",
        _sixteen,
        level=SHOULD,
        formats=("bfloat16",),
        dtypes=("bfloat16",),
        accumulates=None,
    ),
    sequence("multiplies-mask", "log-probabilities times the mask", _multiplying),
    sequence("selects-late", "selected after the log-softmax", _late),
    sequence("gathers-unmasked", "labels that do not count are gathered too", _gathering),
    sequence("wraps-labels", "labels modulo the vocabulary", _wrapping, level=SHOULD),
    sequence(
        "clamps-labels",
        "labels clamped into the vocabulary",
        lambda z, y, m: summed(z, y.clamp(0, z.shape[-1] - 1), m),
        level=SHOULD,
    ),
    sequence(
        "infinity-to-nan",
        "p log p is added and taken away",
        _of(lambda z, y: scored(z, y) + 0 * (z.softmax(-1) * F.log_softmax(z, -1)).sum(-1)),
    ),
    sequence(
        "masks-with-finite", "-inf is replaced by -10", _of(lambda z, y: scored(torch.where(torch.isneginf(z), -10.0, z), y))
    ),
    sequence("online-first-tile", "an online sum whose first tile may be all -inf", _of(_online(-torch.inf, 1024))),
    sequence("clamps-logps", "log-probabilities are at least -100", _of(lambda z, y: scored(z, y).clamp(min=-100))),
    sequence("epsilon-in-log", "log(p + 1e-6)", _of(lambda z, y: (_pick(z.softmax(-1), y) + 1e-6).log())),
    sequence("nan-to-num", "NaN becomes 0", lambda z, y, m: summed(z, y, m).nan_to_num(0.0, neginf=-torch.inf)),
    sequence(
        "nan-logits-to-num",
        "NaN logits become 0",
        lambda z, y, m: summed(z.nan_to_num(0.0, neginf=-torch.inf, posinf=torch.inf), y, m),
    ),
    sequence("divides-in-place", "logits are divided in place", _divides, options=("temperature",)),
    sequence("writes-labels", "labels are overwritten where the mask is false", _in_place),
    sequence("random-noise", "another answer at each call", _noisy, level=SHOULD, formats=("binary64",), dtypes=("binary64",)),
    sequence("ignores-strides", "the memory is read as if it were contiguous", _strided),
    sequence("prints", "it prints", _printing, level=SHOULD),
    sequence(
        "returns-float64",
        "float64 whatever was promised",
        lambda z, y, m: summed(z, y, m).double(),
        level=SHOULD,
        formats=("binary16", "bfloat16", "binary32"),
    ),
)
