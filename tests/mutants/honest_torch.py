"""Correct torch implementations: orders of subtraction, dtypes inside, forms of softplus, reductions."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from conformance.implementations.torch import torch_implementation

from . import tensors
from .kinds import NARROW, Honest, torch_honest
from .tensors import Loss, mixed, of_slope, of_softplus, smoothed, stable


def _of_difference(margin: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> Loss:
    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        return smoothed(beta * margin(pc, pr, rc, rr), eps)

    return loss


def _rewards(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return smoothed(beta * (pc - rc) - beta * (pr - rr), eps)


def _inside(dtype: torch.dtype, *, back: bool = True) -> Loss:
    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        losses = stable(*tensors.each(lambda x: x.to(dtype), pc, pr, rc, rr), beta, eps)
        return losses.to(pc.dtype) if back else losses

    return loss


def _margin_in_float64(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor) -> Tensor:
    return tensors.margin(*(x.double() for x in (pc, pr, rc, rr))).to(pc.dtype)


def _detached(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    with torch.no_grad():
        reference = rc - rr
    return smoothed(beta * ((pc - pr) - reference), eps)


def _beta_tensor(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    m = tensors.margin(pc, pr, rc, rr)
    return smoothed(torch.tensor(beta, dtype=m.dtype, device=m.device) * m, eps)


def _label_smoothing_tensor(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    z = beta * tensors.margin(pc, pr, rc, rr)
    weight = torch.full_like(z, eps)
    return tensors.softplus(-z) if eps == 0 else (1 - weight) * tensors.softplus(-z) + weight * tensors.softplus(z)


def _in_place(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """Operations in place, on its own tensors only."""
    z = (pc - rc).sub_(pr - rr).mul_(beta)
    chosen = F.logsigmoid(z).neg_()
    return chosen if eps == 0 else chosen.mul(1 - eps).sub_(F.logsigmoid(-z).mul_(eps))


def _maximum(x: Tensor) -> Tensor:
    """torch.maximum halves the derivative at a tie, so autograd is right at z = 0."""
    return torch.maximum(x, torch.zeros_like(x)) + torch.log1p(torch.exp(-x.abs()))


def _two_branches(x: Tensor) -> Tensor:
    """Two branches whose arguments are made safe first, so that neither derivative is infinite."""
    below, above = torch.where(x > 0, 0.0, x), torch.where(x > 0, x, 0.0)
    return torch.where(x > 0, above + torch.log1p(torch.exp(-above)), torch.log1p(torch.exp(below)))


def _shifted(z: Tensor, eps: float) -> Tensor:
    """softplus(-z) + eps * z; NaN at z = -inf under smoothing, where only a SHOULD asks for infinity."""
    chosen = tensors.softplus(-z)
    return chosen if eps == 0 else chosen + eps * z


def _interpolated(z: Tensor, eps: float) -> Tensor:
    chosen = tensors.softplus(-z)
    return chosen if eps == 0 else torch.lerp(chosen, tensors.softplus(z), eps)


def _of_labels(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """Both sides stacked into one call, as a batched kernel would."""
    z = beta * tensors.margin(pc, pr, rc, rr)
    chosen, rejected = F.logsigmoid(torch.stack([z, -z])).neg().unbind()
    return mixed(chosen, rejected, eps)


def _of_concatenation(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """[all chosen; all rejected] in one tensor, chunked again."""
    chosen, rejected = (torch.cat([pc, pr]) - torch.cat([rc, rr])).chunk(2)
    return smoothed(beta * (chosen - rejected), eps)


def _stable_slope(z: Tensor, eps: float) -> Tensor:
    return eps - torch.sigmoid(-z)


def _compiled() -> Loss:
    """Compiled with beta and label_smoothing as tensors of no dimension, so that no value of theirs is compiled in."""
    plain = torch.compile(lambda *logps, beta: tensors.softplus(-beta * tensors.margin(*logps)), dynamic=True)
    full = torch.compile(lambda *logps, beta, eps: _mixture(beta * tensors.margin(*logps), eps), dynamic=True)

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        factor, weight = torch.tensor(beta, dtype=torch.float64), torch.tensor(eps, dtype=torch.float64)
        result: Tensor = plain(pc, pr, rc, rr, beta=factor) if eps == 0 else full(pc, pr, rc, rr, beta=factor, eps=weight)
        return result

    return loss


def _mixture(z: Tensor, eps: Tensor) -> Tensor:
    return (1 - eps) * tensors.softplus(-z) + eps * tensors.softplus(z)


def _mean(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return stable(pc, pr, rc, rr, beta, eps).mean()


def _mean_in_float64(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    losses = stable(pc, pr, rc, rr, beta, eps)
    return losses.double().mean().to(losses.dtype)


def _mean_by_sum(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    losses = stable(pc, pr, rc, rr, beta, eps)
    return losses.sum() / len(losses)


HONEST: tuple[Honest, ...] = (
    torch_honest("torch-ratio-first", "(pc - rc) - (pr - rr)", stable),
    torch_honest(
        "torch-policy-first",
        "(pc - pr) - (rc - rr)",
        _of_difference(lambda pc, pr, rc, rr: (pc - pr) - (rc - rr)),
    ),
    torch_honest(
        "torch-sequential-policy",
        "((pc - pr) - rc) + rr",
        _of_difference(lambda pc, pr, rc, rr: ((pc - pr) - rc) + rr),
    ),
    torch_honest(
        "torch-sequential-chosen",
        "((pc - rc) - pr) + rr",
        _of_difference(lambda pc, pr, rc, rr: ((pc - rc) - pr) + rr),
    ),
    torch_honest("torch-rewards", "beta (pc - rc) - beta (pr - rr): beta before the subtraction", _rewards),
    torch_honest("torch-float32-inside", "float32 inside, cast back", _inside(torch.float32), formats=NARROW),
    torch_honest("torch-float64-inside", "float64 inside, cast back", _inside(torch.float64)),
    torch_honest(
        "torch-float32-returned",
        "float32 inside, not cast back: the result is wider than the inputs",
        _inside(torch.float32, back=False),
        formats=NARROW,
    ),
    torch_honest("torch-exact-margin", "the margin in float64, the rest in the format", _of_difference(_margin_in_float64)),
    torch_honest("torch-detached-reference", "the reference under no_grad: no derivative there", _detached),
    torch_honest("torch-beta-tensor", "beta as a tensor of the format, so rounded into it", _beta_tensor),
    torch_honest(
        "torch-label-smoothing-tensor",
        "label_smoothing as a tensor of the format, so rounded into it",
        _label_smoothing_tensor,
    ),
    torch_honest("torch-in-place", "in place, on its own intermediates", _in_place),
    torch_honest("torch-maximum", "maximum(-z, 0) + log1p(exp(-|z|)) by autograd", of_softplus(_maximum)),
    torch_honest("torch-two-branches", "torch.where over two safe branches by autograd", of_softplus(_two_branches)),
    torch_honest("torch-stable-function", "a custom autograd function with slope eps - sigmoid(-z)", of_slope(_stable_slope)),
    torch_honest(
        "torch-softplus",
        "F.softplus(-z): its threshold of 20 is harmless in these formats",
        of_softplus(F.softplus),
        formats=("binary16", "bfloat16", "binary32"),
    ),
    torch_honest(
        "torch-softplus-threshold-40",
        "F.softplus(-z, threshold=40): harmless in every format, and exp(40) does not overflow",
        of_softplus(lambda x: F.softplus(x, threshold=40.0)),
    ),
    torch_honest("torch-logaddexp", "torch.logaddexp(0, -z)", of_softplus(lambda x: torch.logaddexp(x, torch.zeros_like(x)))),
    torch_honest("torch-shifted-smoothing", "softplus(-z) + eps z instead of a mixture", tensors.of_logit(_shifted)),
    torch_honest(
        "torch-lerp",
        "label smoothing by torch.lerp, NaN at an infinite logit",
        tensors.of_logit(_interpolated),
        formats=("binary32", "binary64"),
    ),
    torch_honest("torch-stacked", "both sides of the smoothing in one call", _of_labels),
    torch_honest("torch-concatenated", "chosen and rejected rows in one tensor", _of_concatenation),
    torch_honest("torch-mean", "the mean by tensor.mean()", _mean, reduction="mean"),
    torch_honest(
        "torch-mean-in-float64",
        "the mean accumulated in float64, which is declared",
        _mean_in_float64,
        reduction="mean",
        accumulation="binary64",
    ),
    torch_honest(
        "torch-mean-by-sum",
        "the sum divided by n, declared to be made in float32",
        _mean_by_sum,
        reduction="mean",
        accumulation="binary32",
    ),
    Honest(
        "torch-compiled",
        "the stable function under torch.compile",
        lambda: torch_implementation(_compiled(), name="torch-compiled"),
        slow=True,
    ),
)
