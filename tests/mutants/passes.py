"""What a backward pass needs kept in the wrong place: on the module, by reference, or for one pass only."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .functions import by_slope, combined, kept, logit, slope_of
from .kinds import Mutant, stateful_mutant, torch_mutant
from .tensors import Loss, scaled_gradient, smoothed, stable
from .witnesses import calls, pairs

_torch = functools.partial(torch_mutant, family="passes", witness=calls)
_stateful = functools.partial(stateful_mutant, family="passes", witness=calls)


# -- what is kept for the backward pass, and where -----------------------------------------------------------------------


def _queued(place: int) -> Callable[[], Loss]:
    """Logits in one queue for all calls, of which a backward pass takes the first or the last."""

    def make() -> Loss:
        queue: list[tuple[Tensor, float]] = []

        def keep(ctx: Any, logps: tuple[Tensor, ...], beta: float, eps: float) -> Tensor:
            z = logit(logps, beta)
            if any(ctx.needs_input_grad):
                queue.append((z, eps))
            return smoothed(z, eps)

        return kept(keep, lambda ctx, incoming: by_slope(ctx, slope_of(*queue.pop(place)), incoming))

    return make


def _module(what: str) -> Callable[[], Loss]:
    """One thing that the backward pass needs is an attribute of the module, and thereby of the last call."""

    def make() -> Loss:
        state: dict[str, Any] = {}

        def keep(ctx: Any, logps: tuple[Tensor, ...], beta: float, eps: float) -> Tensor:
            z = logit(logps, beta)
            ctx.own = {"z": z, "beta": beta, "eps": eps}
            state[what] = ctx.own[what]
            return smoothed(z, eps)

        def recall(ctx: Any, incoming: Tensor) -> Tensor:
            own = ctx.own | state
            return incoming * slope_of(own["z"], own["eps"]) * own["beta"]

        return kept(keep, recall)

    return make


def _memo_of_slopes() -> Loss:
    """The slope is kept by batch size, and the first of each size is used by all."""
    slopes: dict[int, Tensor] = {}

    def keep(ctx: Any, logps: tuple[Tensor, ...], beta: float, eps: float) -> Tensor:
        z = logit(logps, beta)
        ctx.key = len(z)
        slopes[ctx.key] = slope_of(z, eps)
        return smoothed(z, eps)

    return kept(keep, lambda ctx, incoming: by_slope(ctx, slopes[ctx.key].to(incoming.dtype), incoming))


def _hook_left(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """Halves the derivative inside and doubles it by a hook on the caller's own tensor, which stays there."""
    if pc.requires_grad:
        pc.register_hook(lambda derivative: 2 * derivative)
    return stable(scaled_gradient(pc, 0.5), pr, rc, rr, beta, eps)


def _overwriting(ctx: Any, logps: tuple[Tensor, ...], beta: float, eps: float) -> Tensor:
    z = logit(logps, beta)
    ctx.slope, ctx.passes = slope_of(z, eps), 0
    return smoothed(z, eps)


def _in_place(ctx: Any, incoming: Tensor) -> Tensor:
    """The derivatives are computed in the forward pass, and multiplied by what comes in, in place."""
    return (ctx.slope.mul_(incoming) * ctx.beta).clone()  # type: ignore[no-any-return]


def _once(ctx: Any, incoming: Tensor) -> Tensor:
    """What was saved is given up after the first pass, by zeroing it."""
    result = by_slope(ctx, ctx.slope, incoming)
    ctx.slope = torch.zeros_like(ctx.slope)
    return result


def _accumulating(ctx: Any, incoming: Tensor) -> Tensor:
    """Each pass adds to the last one's derivatives."""
    result = by_slope(ctx, ctx.slope, incoming) + (ctx.last if ctx.passes else 0)
    ctx.last, ctx.passes = result, ctx.passes + 1
    return result


def _first_again(ctx: Any, incoming: Tensor) -> Tensor:
    """The first pass's derivatives are returned by every later one."""
    if not ctx.passes:
        ctx.last, ctx.passes = by_slope(ctx, ctx.slope, incoming), 1
    return ctx.last  # type: ignore[no-any-return]


def _graphless(combine: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Something else where the backward pass is itself recorded."""
    return lambda incoming, slope: combine(incoming, slope) if torch.is_grad_enabled() else incoming * slope


STATE: tuple[Mutant, ...] = (
    _stateful("state-of-last-forward", wrong="The logit is kept on the module: the last call's.", make=_module("z")),
    _stateful("state-beta-of-last-forward", wrong="beta is kept on the module: the last call's.", make=_module("beta")),
    _stateful("state-smoothing-of-last-forward", wrong="eps is kept on the module: the last call's.", make=_module("eps")),
    _stateful(
        "state-first-in-first-out", wrong="Backward passes take what is kept in the order of the calls.", make=_queued(0)
    ),
    _stateful("state-last-in-first-out", wrong="Backward passes take what was kept last.", make=_queued(-1)),
    _stateful("state-slopes-by-size", wrong="The slope is kept by batch size: the last call's.", make=_memo_of_slopes),
    _torch(
        name="hook-left-on-inputs",
        wrong="A hook that doubles the derivative is left on the caller's tensor at each call.",
        function=_hook_left,
    ),
    _torch(
        name="saved-slope-overwritten",
        wrong="The incoming derivative is multiplied into the saved slope in place: a second pass applies both.",
        function=kept(_overwriting, _in_place),
        source="https://github.com/linkedin/Liger-Kernel",
    ),
    _torch(
        name="second-backward-of-nothing",
        wrong="What was saved is zeroed after the first pass: a second one gives 0.",
        function=kept(_overwriting, _once),
    ),
    _torch(
        name="second-backward-added",
        wrong="A second pass adds the first one's derivatives to its own.",
        function=kept(_overwriting, _accumulating),
    ),
    _torch(
        name="second-backward-of-first",
        wrong="A second pass returns the first one's derivatives, whatever comes in.",
        function=kept(_overwriting, _first_again),
    ),
    _torch(
        name="create-graph-of-nothing",
        wrong="The derivatives are 0 where they are to be differentiated.",
        function=combined(_graphless(lambda incoming, slope: 0 * slope)),
    ),
    _torch(
        name="create-graph-without-upstream",
        wrong="The incoming derivative is left out where the derivatives are to be differentiated.",
        function=combined(_graphless(lambda incoming, slope: slope)),
    ),
)


# -- what is kept, by reference --------------------------------------------------------------------------------------------


def _by_reference(ctx: Any, logps: tuple[Tensor, ...], beta: float, eps: float) -> Tensor:
    ctx.logps = logps
    return smoothed(logit(logps, beta), eps)


def _without_version(ctx: Any, logps: tuple[Tensor, ...], beta: float, eps: float) -> Tensor:
    ctx.save_for_backward(*(x.data for x in logps))
    return smoothed(logit(logps, beta), eps)


def _reference_by_reference(ctx: Any, logps: tuple[Tensor, ...], beta: float, eps: float) -> Tensor:
    ctx.logps = (logps[0].clone(), logps[1].clone(), *logps[2:])
    return smoothed(logit(logps, beta), eps)


def _from_logps(ctx: Any, incoming: Tensor) -> Tensor:
    return by_slope(ctx, slope_of(logit(ctx.logps, ctx.beta), ctx.eps), incoming)


def _from_saved(ctx: Any, incoming: Tensor) -> Tensor:
    return by_slope(ctx, slope_of(logit(ctx.saved_tensors, ctx.beta), ctx.eps), incoming)


def _losses_kept(ctx: Any, logps: tuple[Tensor, ...], beta: float, eps: float) -> Tensor:
    """sigma(-z) is 1 - exp(-loss): the losses themselves are kept, where there is no label smoothing."""
    z = logit(logps, beta)
    ctx.z, ctx.losses = z, smoothed(z, eps)
    return ctx.losses  # type: ignore[no-any-return]


def _from_losses(ctx: Any, incoming: Tensor) -> Tensor:
    slope = slope_of(ctx.z, ctx.eps) if ctx.eps else torch.expm1(-ctx.losses.detach())
    return by_slope(ctx, slope, incoming)


KEPT: tuple[Mutant, ...] = (
    _torch(
        name="inputs-kept-by-reference",
        wrong="The inputs are attributes of the context: changed meanwhile, they give other derivatives in silence.",
        function=kept(_by_reference, _from_logps),
    ),
    _torch(
        name="inputs-kept-without-version",
        wrong="The inputs are saved by .data, whose version nobody counts.",
        function=kept(_without_version, _from_saved),
    ),
    _torch(
        name="reference-kept-by-reference",
        wrong="The reference alone is an attribute of the context.",
        function=kept(_reference_by_reference, _from_logps),
        witness=pairs(1.0),
    ),
    _torch(
        name="losses-kept-by-reference",
        wrong="The losses are an attribute of the context: weighted in place, they give other derivatives in silence.",
        function=kept(_losses_kept, _from_losses),
        witness=pairs(0.5),
    ),
)
MUTANTS: tuple[Mutant, ...] = (*STATE, *KEPT)
