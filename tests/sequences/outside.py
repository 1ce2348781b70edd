"""Wrong as code from outside was: incoming derivatives, long sequences, fused heads, and whole paths at their ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from conformance.implementations import torch_head, torch_path

from .kinds import Mutant, cleaned, path, sequence, step, summed, wide
from .paths import losses, right, stepped

Slopes = Callable[..., Tensor]


def backward(function: Callable[..., Tensor], change: Slopes) -> Any:
    """The function; its derivative in the first argument is change(derivatives of the sum, incoming, *arguments)."""

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, first: Tensor, *others: Any) -> Tensor:
            ctx.first, ctx.others = first, others
            return function(first, *others)

        @staticmethod
        def backward(ctx: Any, incoming: Tensor) -> tuple[Tensor | None, ...]:
            with torch.enable_grad():
                leaf = ctx.first.detach().requires_grad_()
                (slope,) = torch.autograd.grad(function(leaf, *ctx.others).sum(), leaf)
            return (change(slope, incoming, ctx.first, *ctx.others), *(None for _ in ctx.others))

    return Wrong.apply


def _first(slope: Tensor, incoming: Tensor, *_: Any) -> Tensor:
    return slope * incoming[0] if len(incoming) else slope


def _scaled(factor: float) -> Any:
    """An identity whose derivative is multiplied by the factor."""

    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, incoming: Tensor) -> Tensor:
            return factor * incoming

    return Scaled.apply


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None, mask: Tensor) -> Tensor:
    product = torch.where(mask[..., None], wide(hidden), 0) @ wide(weight).T
    return product if bias is None else product + wide(bias)


def _head(hidden: Any = None, bias: Any = None) -> Any:
    """A right head whose hidden states, or bias, pass through something."""

    def function(h: Tensor, w: Tensor, b: Tensor | None, y: Tensor, m: Tensor) -> Tensor:
        return summed(_logits(hidden(h) if hidden else h, w, bias(b) if bias and b is not None else b, m), y, m)

    return function


def _doubling(h: Tensor, w: Tensor, b: Tensor | None, y: Tensor, m: Tensor) -> Tensor:
    found: Tensor = _head()(h, w, b, y, m)
    with torch.no_grad():
        h.mul_(2)
    return found


def _fused(hidden: Any = None, bias: Any = None) -> Any:
    """A right fused loss whose policy's hidden states, or bias, pass through something."""

    def function(*given: Any) -> Tensor:
        h, w, b, rh, rw, rb, y, m, beta, eps = given
        policy = _head(hidden, bias)(h, w, b, y, m)
        return losses(policy, summed(_logits(rh, rw, rb, m), y, m), beta, eps)

    return function


def _heads(name: str, wrong: str, function: Any) -> Mutant:
    return Mutant(name, wrong, lambda: torch_head(function, name=name, accumulates="float32"))


def _fuseds(name: str, wrong: str, function: Any) -> Mutant:
    return Mutant(name, wrong, lambda: torch_path(function, name=name, accumulates="float32", head=True))


def _cut(length: int) -> Any:
    return lambda z, y, m: summed(z[:, :length], y[:, :length], m[:, :length])


def _chunks(z: Tensor, y: Tensor, m: Tensor, size: int = 512) -> Tensor:
    whole = max(z.shape[1] // size * size, min(size, z.shape[1]))
    return summed(z[:, :whole], y[:, :whole], m[:, :whole])


def _kernel(f: Callable[[Tensor], Tensor]) -> Any:
    """The path with another kernel f(z) for softplus(-z)."""

    def function(p: Tensor, r: Tensor, y: Tensor, m: Tensor, beta: float, eps: float) -> Tensor:
        ratio = summed(p, y, m) - summed(r, y, m)
        z = beta * (ratio[: len(p) // 2] - ratio[len(p) // 2 :])
        return (1 - eps) * f(z) + (eps * f(-z) if eps else 0)

    return function


def tokenwise(row: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """The path with another log-probability of a token, of clean logits and labels."""

    def sums(z: Tensor, y: Tensor, m: Tensor) -> Tensor:
        return torch.where(m, row(*cleaned(z, y, m)), 0).sum(-1)

    return lambda p, r, y, m, b, e: losses(sums(p, y, m), sums(r, y, m), b, e)


def _pick(values: Tensor, labels: Tensor) -> Tensor:
    return values.gather(-1, labels[..., None])[..., 0]


def _tiled(logits: Tensor, labels: Tensor) -> Tensor:
    """An online sum over tiles of 1,024 that begins with -inf."""
    top = torch.full_like(logits[..., :1], -torch.inf)
    total = torch.zeros_like(top)
    for piece in logits.split(1024, -1):
        new = torch.maximum(top, piece.max(-1, keepdim=True).values)
        total = total * (top - new).exp() + (piece - new).exp().sum(-1, keepdim=True)
        top = new
    return _pick(logits, labels) - (top + total.log())[..., 0]


def _whole_tiles(logits: Tensor, labels: Tensor) -> Tensor:
    last = max(logits.shape[-1] // 1024 * 1024, min(1024, logits.shape[-1]))
    return _pick(logits, labels) - torch.logsumexp(logits[..., :last], -1)


def _zero_column(p: Tensor, r: Tensor, y: Tensor, m: Tensor, b: float, e: float) -> Tensor:
    """NaN is taken out of the logits; a masked label of 0 is multiplied by the mask all the same."""

    def sums(z: Tensor) -> Tensor:
        clean = wide(z).nan_to_num(0.0, posinf=0.0, neginf=-torch.inf)
        return ((_pick(clean, torch.where(m, y, 0)) - torch.logsumexp(clean, -1)) * m).sum(-1)

    return losses(sums(p), sums(r), b, e)


def _sixteen(p: Tensor, r: Tensor, y: Tensor, m: Tensor, b: float, e: float) -> Tensor:
    return right(p, r, torch.where(m, y, 0).to(torch.int16).long() % p.shape[-1], m, b, e)


def _poisoned(p: Tensor, r: Tensor, y: Tensor, m: Tensor, b: float, e: float) -> Tensor:
    """An empty response makes the whole batch NaN."""
    return right(p, r, y, m, b, e) + 0 * (m.sum(-1) / m.sum(-1)).sum().detach()


def _eight(p: Tensor, r: Tensor, y: Tensor, m: Tensor, b: float, e: float) -> Tensor:
    found = right(p, r, y, m, b, e)
    return torch.where(torch.arange(len(found)) < 8, found, found.detach() * 0)


def _smoothed(parts: list[Any], beta: float, eps: float) -> dict[str, Any]:
    found = stepped(parts, beta, eps)
    return {**found, "rewards/margins": found["rewards/margins"] * (1 - 2 * eps)}


def _tied(parts: list[Any], beta: float, eps: float) -> dict[str, Any]:
    found, total = stepped(parts, beta, eps), sum(len(part[0]) for part in parts)
    won = sum(float((pc - rc >= pr - rr).double().sum()) for pc, pr, rc, rr in parts)
    return {**found, "rewards/accuracies": won / total}


OUTSIDE: tuple[Mutant, ...] = (
    sequence("ignores-incoming", "a backward without grad_output", backward(summed, lambda s, g, *_: s)),
    sequence("first-incoming", "grad_output of the first row", backward(summed, _first)),
    sequence("mean-incoming", "the mean of grad_output", backward(summed, lambda s, g, *_: s * g.mean())),
    sequence("cuts-at-512", "only the first 512 places", _cut(512)),
    sequence("cuts-at-4096", "only the first 4,096 places", _cut(4096)),
    sequence("cuts-last-chunk", "the rest after whole chunks of 512 places is left out", _chunks),
    _heads("head-hidden-halved", "half the derivative in hidden states", _head(hidden=_scaled(0.5))),
    _heads("head-bias-mean", "the bias's derivative is a mean over places", _head(bias=_scaled(0.125))),
    _heads("head-bias-twice", "a finite bias is added twice", _head(bias=lambda b: torch.where(b.isinf(), b, 2 * b))),
    _heads("head-in-place", "hidden states are doubled in place", _doubling),
    _fuseds("path-head-hidden", "derivatives in hidden states without a factor", _fused(hidden=_scaled(2.0))),
    _fuseds("path-head-bias", "no derivative in the bias", _fused(bias=_scaled(0.0))),
    path("path-log-sigmoid", "-log(sigmoid(z))", _kernel(lambda z: -z.sigmoid().log())),
    path("path-epsilon", "-log(sigmoid(z) + 1e-8)", _kernel(lambda z: -(z.sigmoid() + 1e-8).log())),
    path("path-exp-overflows", "log1p(exp(-z))", _kernel(lambda z: (-z).exp().log1p())),
    path("path-clamps-ratio", "z is clamped to 50", _kernel(lambda z: F.softplus(-z.clamp(-50, 50)))),
    path("path-first-tile", "an online sum whose first tile may be all -inf", tokenwise(_tiled)),
    path("path-zero-column", "multiplied by the mask, with NaN taken out of the logits", _zero_column),
    path("path-int16-labels", "labels in 16 bits", _sixteen),
    path(
        "path-no-max-shift",
        "exponentials of the logits as they are",
        tokenwise(lambda z, y: _pick(z, y) - z.exp().sum(-1).log()),
    ),
    path("path-drops-tile", "the vocabulary is cut to whole tiles of 1,024", tokenwise(_whole_tiles)),
    path("path-empty-poisons", "an empty response makes every loss NaN", _poisoned),
    path("path-nan-to-num", "NaN losses become 0", lambda *a: right(*a).nan_to_num(0.0)),
    path("path-nanmean", "NaN losses are left out of the mean", lambda *a: right(*a).nanmean(), reduction="mean"),
    path("path-ignores-incoming", "a backward without grad_output", backward(right, lambda s, g, *_: s)),
    path(
        "path-mean-ignores-incoming",
        "a backward of the mean without grad_output",
        backward(lambda *a: right(*a).mean(), lambda s, g, *_: s),
        reduction="mean",
    ),
    path("path-first-eight", "only the first eight pairs", _eight),
    step("step-eight-parts", "only the first eight parts", lambda parts, b, e: stepped(parts[:8], b, e)),
    step("step-rewards-smoothed", "margins times 1 - 2 eps", _smoothed),
    step("step-ties-count", "equal rewards count as accurate", _tied),
)
