"""Wrong paths from logits to losses, and wrong steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .kinds import METRICS, Mutant, path, step, summed, tokens


def losses(policy: Tensor, reference: Tensor, beta: float, eps: float) -> Tensor:
    """Right: of the 2n sequences' log-probabilities."""
    n = len(policy) // 2
    ratio = policy - reference.detach()
    z = beta * (ratio[:n] - ratio[n:])
    return -F.logsigmoid(z) if eps == 0 else -(1 - eps) * F.logsigmoid(z) - eps * F.logsigmoid(-z)


def right(policy: Tensor, reference: Tensor, labels: Tensor, mask: Tensor, beta: float, eps: float) -> Tensor:
    """Right: the whole path."""
    return losses(summed(policy, labels, mask), summed(reference, labels, mask), beta, eps)


def _of(change: Callable[..., Tensor]) -> Any:
    """change(policy sums, reference sums, beta, eps)."""
    return lambda p, r, y, m, b, e: change(summed(p, y, m), summed(r, y, m), b, e)


def _swap(sums: Tensor) -> Tensor:
    return sums.roll(len(sums) // 2)


def _beside(sums: Tensor) -> Tensor:
    return sums.reshape(-1, 2).T.reshape(-1)


def _multiplied(p: Tensor, r: Tensor, y: Tensor, m: Tensor, b: float, e: float) -> Tensor:
    keep = torch.where(m, y, 0)
    policy, reference = (
        (torch.log_softmax(z.float() if z.dtype != torch.float64 else z, -1).gather(-1, keep[..., None])[..., 0] * m).sum(-1)
        for z in (p, r)
    )
    return losses(policy, reference, b, e)


def _means(p: Tensor, r: Tensor, y: Tensor, m: Tensor, b: float, e: float) -> Tensor:
    count = m.sum(-1).clamp(min=1)
    return losses(tokens(p, y, m).sum(-1) / count, tokens(r, y, m).sum(-1) / count, b, e)


def _dropping(p: Tensor, r: Tensor, y: Tensor, m: Tensor, b: float, e: float) -> Tensor:
    return right(F.dropout(p, 0.1), F.dropout(r, 0.1), y, m, b, e)


def _rounded(p: Tensor, r: Tensor, y: Tensor, m: Tensor, b: float, e: float) -> Tensor:
    return right(p, r.bfloat16().to(p.dtype) * 0.99, y, m, b, e)


def _writing(p: Tensor, r: Tensor, y: Tensor, m: Tensor, b: float, e: float) -> Tensor:
    found = right(p, r, y, m, b, e)
    y[:, 0] += 1
    return found


PATHS: tuple[Mutant, ...] = (
    path("path-returns-metrics", "two numbers a pair", lambda p, r, y, m, b, e: right(p, r, y, m, b, e).repeat(2)),
    path("path-negated", "a fused form that subtracts the loss", _of(lambda p, r, b, e: -losses(p, r, b, e))),
    path("path-no-reference", "no reference", _of(lambda p, r, b, e: losses(p, 0 * r, b, e))),
    path(
        "path-own-reference",
        "the reference's hidden states are the policy's",
        _of(lambda p, r, b, e: losses(p, p.detach(), b, e) + 0 * r.sum()),
    ),
    path("path-token-mean", "means over tokens", _means),
    path("path-exchanged", "chosen and rejected exchanged", _of(lambda p, r, b, e: losses(_swap(p), _swap(r), b, e))),
    path(
        "path-interleaved", "pairs are taken to lie side by side", _of(lambda p, r, b, e: losses(_beside(p), _beside(r), b, e))
    ),
    path("path-other-reference", "another pair's reference", _of(lambda p, r, b, e: losses(p, r.roll(1), b, e))),
    path("path-roles", "policy and reference exchanged", _of(lambda p, r, b, e: losses(r, p, b, e))),
    path(
        "path-reference-once",
        "the reference of the chosen alone",
        _of(lambda p, r, b, e: losses(p, torch.cat([r[: len(r) // 2], 0 * r[len(r) // 2 :]]), b, e)),
    ),
    path("path-two-dtypes", "the reference in bfloat16", _rounded),
    path("path-dropout", "dropout in both", _dropping),
    path("path-beta-ignored", "β is 0.1", _of(lambda p, r, b, e: losses(p, r, 0.1, e))),
    path("path-beta-twice", "β is applied twice", _of(lambda p, r, b, e: losses(p, r, b * b, e))),
    path("path-smoothing-ignored", "no label smoothing", _of(lambda p, r, b, e: losses(p, r, b, 0.0))),
    path("path-multiplies-mask", "log-probabilities times the mask", _multiplied),
    path("path-gradient-halved", "half the derivative", _of(lambda p, r, b, e: losses((p + p.detach()) / 2, r, b, e))),
    path(
        "path-detached",
        "the rejected sequences are detached",
        _of(lambda p, r, b, e: losses(torch.cat([p[: len(p) // 2], p[len(p) // 2 :].detach()]), r, b, e)),
    ),
    path("path-gradient-sign", "ascent", _of(lambda p, r, b, e: losses(2 * p.detach() - p, r, b, e))),
    path("path-in-place", "labels are written", _writing),
    path("path-sum-for-mean", "the sum over pairs", lambda *a: right(*a).sum(), reduction="mean"),
    path(
        "path-mean-inside",
        "the loss of the mean logit",
        _of(
            lambda p, r, b, e: losses(
                torch.stack([(p - r)[: len(p) // 2].mean(), (p - r)[len(p) // 2 :].mean()]), torch.zeros(2, dtype=p.dtype), b, e
            ).mean()
        ),
        reduction="mean",
    ),
)


def stepped(
    parts: list[Any],
    beta: float,
    eps: float,
    *,
    weigh: Callable[[int, int, int], float] = lambda size, total, parts: 1 / total,
    slope: Callable[[int, int, int], float] | None = None,
    metric: Callable[[int, int, int], float] | None = None,
    betas: float | None = None,
) -> dict[str, Any]:
    """A step: each part's sum of losses times weigh(its pairs, all pairs, parts); right as it is."""
    total, found = sum(len(part[0]) for part in parts), dict.fromkeys(("loss", *METRICS), torch.zeros(()).double())
    for pc, pr, rc, rr in parts:
        arguments = len(pc), total, len(parts)
        chosen, rejected = beta * (pc - rc), beta * (pr - rr)
        z = chosen - rejected
        summed_losses = (-(1 - eps) * F.logsigmoid(z) - eps * F.logsigmoid(-z)).sum()
        (summed_losses * (slope or weigh)(*arguments)).backward()
        found["loss"] = found["loss"] + summed_losses.detach().double() * weigh(*arguments)
        share = (betas or beta) / beta
        values = chosen * share, rejected * share, z * share, (z > 0).to(z.dtype), pc, pr
        for name, value in zip(METRICS, values, strict=True):
            found[name] = found[name] + value.detach().double().sum() * (metric or (lambda s, n, k: 1 / n))(*arguments)
    return found


def _with(**keywords: Any) -> Any:
    return lambda parts, beta, eps: stepped(parts, beta, eps, **keywords)


def _renamed(parts: list[Any], beta: float, eps: float) -> dict[str, Any]:
    found = stepped(parts, beta, eps)
    return {**found, "logps/chosen": found["logps/rejected"], "logps/rejected": found["logps/chosen"]}


def _accurate(parts: list[Any], beta: float, eps: float) -> dict[str, Any]:
    found = stepped(parts, beta, eps)
    return {**found, "rewards/accuracies": float(found["rewards/margins"] > 0)}


def _mean(size: int, total: int, parts: int) -> float:
    return 1 / (size * parts) if size else 0.0


def _empty_nan(parts: list[Any], beta: float, eps: float) -> dict[str, Any]:
    found = stepped(parts, beta, eps)
    return {**found, "loss": found["loss"] + torch.stack([part[0].detach().double().mean() * 0 for part in parts]).sum()}


def _last(parts: list[Any], beta: float, eps: float) -> dict[str, Any]:
    return stepped([parts[-1]], beta, eps) if len(parts[-1][0]) else stepped(parts, beta, eps)


STEPS: tuple[Mutant, ...] = (
    step("step-no-loss", "no loss", lambda parts, beta, eps: {"total": 0.0}),
    step("step-mean-of-means", "the mean of the parts' means", _with(weigh=_mean)),
    step("step-sum-of-means", "the sum of the parts' means", _with(weigh=lambda s, n, k: 1 / s if s else 0.0)),
    step("step-total-sum", "the sum", _with(weigh=lambda s, n, k: 1.0)),
    step("step-last-part", "the last part's loss", _last),
    step(
        "step-counts-empty",
        "divided by the parts, the empty ones too, of equal parts",
        lambda parts, b, e: stepped(parts, b, e, weigh=lambda s, n, k: (1 / n) * sum(len(p[0]) > 0 for p in parts) / k),
    ),
    step("step-nan-empty", "an empty part's mean is added", _empty_nan),
    step("step-gradient-mean-of-means", "right loss, the parts' means backward", _with(slope=_mean)),
    step("step-gradient-ranks-twice", "each rank's slice, averaged over ranks", _with(slope=lambda s, n, k: 1 / (n * k))),
    step("step-gradient-undivided", "right loss, the sum backward", _with(slope=lambda s, n, k: 1.0)),
    step("step-metrics-added", "each part's mean is added", _with(metric=lambda s, n, k: 1 / s if s else 0.0)),
    step("step-metrics-mean-of-means", "the mean of the parts' means", _with(metric=_mean)),
    step("step-metrics-swapped", "logps of chosen and rejected exchanged", _renamed),
    step("step-rewards-without-beta", "rewards without β", _with(betas=1.0)),
    step("step-rewards-other-beta", "rewards by the configured β of 0.1", _with(betas=0.1)),
    step("step-accuracy-mean", "whether the mean margin is positive", _accurate),
    step("step-beta-ignored", "β is 0.1", lambda parts, beta, eps: stepped(parts, 0.1, eps)),
    step("step-smoothing-ignored", "no label smoothing", lambda parts, beta, eps: stepped(parts, beta, 0.0)),
)
