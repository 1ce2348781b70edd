"""Value and derivative right, and wrong where the derivative is differentiated again; and two that are right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .kinds import Honest, Mutant, torch_honest, torch_mutant
from .tensors import Loss, margin, smoothed
from .witnesses import both, logits, pairs

Curvature = Callable[[Tensor, float], Tensor]
"""The second derivative in z, from z and label_smoothing."""
TAIL = both(pairs(0.5, 0.5), logits(7.0, 9.0, 12.0, 20.0, -7.0, -9.0, -12.0, -20.0, 2.0))


def bump(z: Tensor, _: float = 0.0) -> Tensor:
    """sigma(z) sigma(-z), right in both tails."""
    y = torch.exp(-z.abs())
    return y / ((1 + y) * (1 + y))


def of_curvature(
    reverse: Curvature,
    forward: Curvature = bump,
    *,
    weighed: bool = True,
    through: bool = True,
    betas: int = 2,
    signs: tuple[int, ...] = (1, -1, -1, 1),
) -> Loss:
    """The right loss and derivatives; the second ones of these curvatures, beta so many times, with these signs."""

    class Slope(torch.autograd.Function):
        @staticmethod
        def forward(z: Tensor, eps: float) -> Tensor:
            return eps - torch.sigmoid(-z)

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(inputs[0])
            ctx.save_for_forward(inputs[0])
            ctx.eps = inputs[1]

        @staticmethod
        def backward(ctx: Any, came: Tensor) -> Any:
            (z,) = ctx.saved_tensors
            return (came if weighed else came.sign()) * reverse(z, ctx.eps), None

        @staticmethod
        def jvp(ctx: Any, along: Tensor, _: Any) -> Tensor:
            (z,) = ctx.saved_for_forward
            return along * forward(z, ctx.eps)

    class Value(torch.autograd.Function):
        @staticmethod
        def forward(z: Tensor, eps: float) -> Tensor:
            return smoothed(z, eps)

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(inputs[0])
            ctx.save_for_forward(inputs[0])
            ctx.eps = inputs[1]

        @staticmethod
        def backward(ctx: Any, came: Tensor) -> Any:
            return (came if through else came.detach()) * Slope.apply(ctx.saved_tensors[0], ctx.eps), None

        @staticmethod
        def jvp(ctx: Any, along: Tensor, _: Any) -> Tensor:
            return along * Slope.apply(ctx.saved_for_forward[0], ctx.eps)

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        z = beta * margin(pc, pr, rc, rr)
        found: Tensor = Value.apply(z, eps)
        return found

    return loss if betas == 2 and signs == (1, -1, -1, 1) else _with_rule(betas, signs)


def _with_rule(betas: int, signs: tuple[int, ...]) -> Loss:
    """The second derivative by a rule of its own in the four: beta once, or a sign that is wrong."""

    class Slope(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
            z = beta * margin(pc, pr, rc, rr)
            ctx.save_for_backward(z)
            ctx.beta = beta
            return beta * (eps - torch.sigmoid(-z))

        @staticmethod
        def backward(ctx: Any, came: Tensor) -> Any:
            curved = came * bump(ctx.saved_tensors[0]) * ctx.beta**betas
            return *(sign * curved for sign in signs), None, None

    class Value(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
            ctx.save_for_backward(pc, pr, rc, rr)
            ctx.options = beta, eps
            return smoothed(beta * margin(pc, pr, rc, rr), eps)

        @staticmethod
        def backward(ctx: Any, came: Tensor) -> Any:
            slope = came * Slope.apply(*ctx.saved_tensors, *ctx.options)
            return slope, -slope, -slope, slope, None, None

    return Value.apply


def _of_logsigmoid(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    z = beta * margin(pc, pr, rc, rr)
    return -(1 - eps) * F.logsigmoid(z) - eps * F.logsigmoid(-z) if eps else -F.logsigmoid(z)


def _of_two_slopes(z: Tensor, _: float) -> Tensor:
    return torch.sigmoid(z) * torch.sigmoid(-z)


class _Once(torch.autograd.Function):
    """Its derivative is a constant to autograd."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, eps: float) -> Tensor:
        ctx.slope = (eps - torch.sigmoid(-z)).detach()
        return smoothed(z, eps)

    @staticmethod
    def backward(ctx: Any, came: Tensor) -> Any:
        return came * ctx.slope, None


def _once(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    found: Tensor = _Once.apply(beta * margin(pc, pr, rc, rr), eps)
    return found


def _mutant(name: str, wrong: str, function: Loss, source: str = "") -> Mutant:
    return torch_mutant(name, "second", wrong, function, TAIL, source=source, second_derivatives=True)


MUTANTS: tuple[Mutant, ...] = (
    _mutant(
        "second-of-logsigmoid",
        "torch's own derivative of logsigmoid's derivative: on one side it is a difference of equal numbers.",
        _of_logsigmoid,
        "https://github.com/pytorch/pytorch/issues/195530",
    ),
    _mutant(
        "second-of-sigmoid",
        "s (1 - s), which cancels where s is near 1.",
        of_curvature(lambda z, _: torch.sigmoid(-z) * (1 - torch.sigmoid(-z))),
        "https://github.com/pytorch/pytorch/issues/195527",
    ),
    _mutant("second-of-nothing", "The derivative is a constant to autograd: it is 0.", _once),
    _mutant("second-without-beta", "beta once and not twice.", of_curvature(bump, betas=1)),
    _mutant("second-smoothed", "Label smoothing makes it smaller.", of_curvature(lambda z, eps: (1 - 2 * eps) * bump(z))),
    _mutant(
        "second-mixed-sign", "The mixed derivative in the rejected has the other sign.", of_curvature(bump, signs=(1, 1, -1, 1))
    ),
    _mutant("second-without-upstream", "The incoming derivative's size is left out.", of_curvature(bump, weighed=False)),
    _mutant(
        "second-of-constant-upstream",
        "The incoming derivative is a constant to autograd.",
        of_curvature(bump, through=False),
    ),
    _mutant(
        "second-forward-doubled",
        "Right in reverse mode; twice as large forward.",
        of_curvature(bump, lambda z, _: 2 * bump(z)),
    ),
)
HONEST: tuple[Honest, ...] = (
    torch_honest(
        "torch-second-of-its-own",
        "A derivative of the derivative by a rule: y / (1 + y)^2.",
        of_curvature(bump),
        second_derivatives=True,
    ),
    torch_honest(
        "torch-second-of-two-slopes",
        "The second derivative is a product of two slopes.",
        of_curvature(_of_two_slopes, _of_two_slopes),
        second_derivatives=True,
    ),
)
