"""How PyTorch is used around a loss: the calls and backward passes of a training step, one function a way."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from conformance.implementations.ways import LAYOUTS, OFFSETS, ONLY, STRIDES, WITHOUT, Twice, Way

Parts = tuple[Tensor | None, ...]
Result = tuple[Tensor, Parts]


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A call that a way makes: the function, four tensors without derivatives, the options, the weights in float64.

    gradient: whether derivatives are asked for. others: what is called besides. alike: for each of the four, the place of the
    first that holds the same numbers.
    """

    function: Callable[..., Tensor]
    logps: tuple[Tensor, ...]
    options: tuple[float, float]
    weights: Tensor
    gradient: bool = True
    others: tuple[Call, ...] = ()
    alike: tuple[int, ...] = (0, 1, 2, 3)

    def leaves(self) -> tuple[Tensor, ...]:
        """The four logps as leaves that ask for derivatives, if any are asked for; their strides are kept."""
        return tuple(logp.detach().requires_grad_(self.gradient) for logp in self.logps)

    def losses(self, logps: tuple[Tensor, ...]) -> Tensor:
        """What the function returns for them."""
        return self.function(*logps, *self.options)

    def upstream(self, losses: Tensor) -> Tensor:
        """The weights in the losses' dtype."""
        return self.weights.to(losses.dtype)

    @property
    def other(self) -> Call:
        """The first of the others."""
        return self.others[0]


def _grad(losses: Tensor, inputs: tuple[Tensor, ...], upstream: Tensor, **keywords: bool) -> Parts:
    """The derivatives of the weighted sum in those inputs that ask for one.

    The weights are not handed over as grad_outputs: to check their shapes, torch imports SymPy first.
    """
    asked = [x for x in inputs if x.requires_grad]
    if not losses.requires_grad or not asked:
        return (None,) * len(inputs)
    found = iter(torch.autograd.grad((losses * upstream).sum(), asked, allow_unused=True, **keywords))
    return tuple(next(found) if x.requires_grad else None for x in inputs)


def _weighed(call: Call) -> Result:
    logps = call.leaves()
    losses = call.losses(logps)
    return losses, _grad(losses, logps, call.upstream(losses))


def _backward(call: Call) -> Result:
    """Twice, so that .grad accumulates: what is read is half of it."""
    logps = call.leaves()
    for _ in range(2):
        losses = call.losses(logps)
        if losses.requires_grad:
            (losses * call.upstream(losses)).sum().backward()
    return losses, tuple(None if x.grad is None else x.grad / 2 for x in logps)


def _strided(call: Call) -> Result:
    """As the middle one of three columns: what comes back to the losses is a column of a matrix."""
    logps = call.leaves()
    losses = call.losses(logps)
    beside = torch.full_like(losses, 3.0, requires_grad=False)
    rows = torch.stack((beside, losses, beside), dim=-1)
    return losses, _grad(rows, logps, torch.stack((5 * beside, call.upstream(losses), 7 * beside), dim=-1))


def _expanded(call: Call) -> Result:
    """What comes back from a sum is one number, expanded."""
    logps = call.leaves()
    losses = call.losses(logps)
    return losses, _grad(losses.sum(), logps, call.upstream(losses).reshape(-1)[0])


def _hooked(call: Call) -> Result:
    logps = call.leaves()
    losses = call.losses(logps)
    seen: dict[int, Tensor] = {}
    if losses.requires_grad:
        for place, x in enumerate(logps):
            x.register_hook(lambda derivative, place=place: seen.__setitem__(place, derivative.clone()))
        losses.register_hook(lambda derivative: derivative * call.upstream(losses))
        losses.sum().backward()
    return losses, tuple(seen.get(place) for place in range(len(logps)))


def _first_of_two(call: Call) -> Result:
    """The two losses are added, so that one incoming derivative, the same tensor, comes back to both; a third is still due."""
    logps, others = call.leaves(), call.other.leaves()
    losses = call.losses(logps)
    total = losses + call.other.losses(others)
    call.other.losses(call.other.leaves())
    return losses, _grad(total, (*logps, *others), call.upstream(losses))[: len(logps)]


def _second_of_two(call: Call) -> Result:
    due = call.other.losses(call.other.leaves())
    result = _weighed(call)
    del due
    return result


def _same_tensors(call: Call) -> Result:
    logps = call.leaves()
    before = call.function(*logps, *call.other.options)
    losses = call.losses(logps)
    parts = _grad(losses, logps, call.upstream(losses))
    del before
    return losses, parts


def _again(call: Call) -> Result:
    logps = call.leaves()
    losses = call.losses(logps)
    _grad(losses, logps, 2 * call.upstream(losses), retain_graph=True)
    return losses, _grad(losses, logps, call.upstream(losses))


def _create_graph(call: Call) -> Result:
    logps = call.leaves()
    losses = call.losses(logps)
    return losses, _grad(losses, logps, call.upstream(losses), create_graph=True)


def _inputs_changed(call: Call) -> Result:
    logps = call.leaves()
    losses = call.losses(logps)
    with torch.no_grad():
        for x, other in zip(logps, call.other.logps, strict=True):
            x.copy_(other)
    return losses, _grad(losses, logps, call.upstream(losses))


def _losses_changed(call: Call) -> Result:
    logps = call.leaves()
    losses = call.losses(logps)
    kept = losses.detach().clone()
    losses.mul_(call.upstream(losses))
    return kept, _grad(losses, logps, torch.ones_like(kept))


def _from_model(call: Call) -> Result:
    leaves = [torch.cat(call.logps[i : i + 2]).requires_grad_(call.gradient) for i in (0, 2)]
    n = len(call.logps[0])
    losses = call.losses(tuple(half for leaf in leaves for half in (leaf * 1).split(n)))
    found = _grad(losses, tuple(leaves), call.upstream(losses))
    return losses, tuple(half for part in found for half in ((None, None) if part is None else part.split(n)))


def _without(place: int, call: Call) -> Result:
    logps = call.leaves()
    logps[place].requires_grad_(False)
    losses = call.losses(logps)
    return losses, _grad(losses, logps, call.upstream(losses))


def _only(place: int, call: Call) -> Result:
    logps = tuple(x.detach().requires_grad_(call.gradient and i == place) for i, x in enumerate(call.logps))
    losses = call.losses(logps)
    return losses, _grad(losses, logps, call.upstream(losses))


def _one_tensor(call: Call) -> Result:
    own = call.leaves()
    losses = call.losses(tuple(own[place] for place in call.alike))
    found = _grad(losses, own, call.upstream(losses))
    return losses, tuple(
        part if place == first else None for (place, first), part in zip(enumerate(call.alike), found, strict=True)
    )


def _detached(call: Call) -> Result:
    pc, pr, rc, rr = call.leaves()
    references = ((pc, pr, rc, rr)[place].detach() for place in call.alike[2:])
    losses = call.losses((pc, pr, *references))
    return losses, (*_grad(losses, (pc, pr), call.upstream(losses)), None, None)


def _autocast(call: Call) -> Result:
    logps = call.leaves()
    with torch.autocast(logps[0].device.type, dtype=torch.bfloat16):
        losses = call.losses(logps)
    return losses, _grad(losses, logps, call.upstream(losses))


def _no_grad(call: Call) -> Result:
    with torch.no_grad():
        return call.losses(tuple(x.detach().requires_grad_() for x in call.logps)), (None,) * 4


def _inference(call: Call) -> Result:
    with torch.inference_mode():
        return call.losses(tuple(x.clone() for x in call.logps)), (None,) * 4


def _held(call: Call) -> Result:
    losses, parts = _weighed(call)
    for other in call.others:
        _weighed(replace(other, gradient=call.gradient))
    return losses, parts


def _losses_alone(way: Callable[[Call], Result], call: Call) -> Result:
    return way(replace(call, gradient=False))


def _refilled(call: Call) -> Result:
    logps = tuple(x.clone().requires_grad_(call.gradient) for x in call.other.logps)
    before = call.losses(logps)
    with torch.no_grad():
        for x, own in zip(logps, call.logps, strict=True):
            x.copy_(own)
    losses = call.losses(logps)
    parts = _grad(losses, logps, call.upstream(losses))
    del before
    return losses, parts


def _reverse_twice(call: Call, place: int) -> Result:
    logps = call.leaves()
    losses = call.losses(logps)
    first = _grad(losses, logps, call.upstream(losses), create_graph=True)[place]
    return losses, (None,) * len(logps) if first is None else _grad(first, logps, torch.ones_like(first))


def _forward_over_reverse(call: Call, place: int) -> Result:
    logps = call.leaves()
    with forward_ad.dual_level():
        losses = call.losses(_along(logps, place))
        found = _grad(losses, logps, call.upstream(losses), create_graph=True)
        return losses.detach(), tuple(None if part is None else forward_ad.unpack_dual(part).tangent for part in found)


def _reverse_over_forward(call: Call, place: int) -> Result:
    logps = call.leaves()
    with forward_ad.dual_level():
        losses, tangent = forward_ad.unpack_dual(call.losses(_along(logps, place)))
    return losses, (None,) * len(logps) if tangent is None else _grad(tangent, logps, call.upstream(losses))


def _in_weights(call: Call) -> Result:
    logps, weights = call.leaves(), call.weights.detach().requires_grad_()
    losses = call.losses(logps)
    found = _grad(losses, logps, weights.to(losses.dtype), create_graph=True)
    return losses, tuple(None if first is None else _by_weight(first, weights) for first in found)


def _by_weight(first: Tensor, weights: Tensor) -> Tensor | None:
    """Of a mean, whose one weight is that of all, one derivative after the other."""
    parts = first.unbind() if weights.ndim < first.ndim else (first,)
    each = [_grad(part, (weights,), torch.ones_like(part), retain_graph=True)[0] for part in parts]
    known = [part * weights.detach() for part in each if part is not None]
    return torch.stack(known).reshape(first.shape).to(first.dtype) if len(known) == len(parts) else None


def _along(logps: tuple[Tensor, ...], place: int) -> tuple[Tensor, ...]:
    """The same tensors, of which one has the tangent 1."""
    with warnings.catch_warnings():  # torch scripts decompositions of its own at the first use, which it deprecates
        warnings.simplefilter("ignore", DeprecationWarning)
        return tuple(forward_ad.make_dual(x, torch.ones_like(x)) if i == place else x for i, x in enumerate(logps))


TWICE: Mapping[Twice, Callable[[Call, int], Result]] = {
    Twice.REVERSE: _reverse_twice,
    Twice.FORWARD_OVER_REVERSE: _forward_over_reverse,
    Twice.REVERSE_OVER_FORWARD: _reverse_over_forward,
}
"""How the losses are differentiated twice. Forward mode twice is 0 for every function of one's own in torch 2.13.0."""
WAYS: Mapping[Way, Callable[[Call], Result]] = {
    Way.HELD: _held,
    Way.HELD_LOSSES: lambda call: _losses_alone(_held, call),
    Way.REFILLED: _refilled,
    Way.REFILLED_LOSSES: lambda call: _losses_alone(_refilled, call),
    Way.BACKWARD: _backward,
    Way.GIVEN_STRIDED: _strided,
    Way.GIVEN_EXPANDED: _expanded,
    Way.HOOKED: _hooked,
    Way.FIRST_OF_TWO: _first_of_two,
    Way.SECOND_OF_TWO: _second_of_two,
    Way.SAME_TENSORS: _same_tensors,
    Way.AGAIN: _again,
    Way.CREATE_GRAPH: _create_graph,
    Way.IN_WEIGHTS: _in_weights,
    Way.INPUTS_CHANGED: _inputs_changed,
    Way.LOSSES_CHANGED: _losses_changed,
    Way.FROM_MODEL: _from_model,
    **{way: lambda call, place=place: _without(place, call) for place, way in enumerate(WITHOUT)},  # type: ignore[misc]
    **{way: lambda call, place=place: _only(place, call) for place, way in enumerate(ONLY)},  # type: ignore[misc]
    Way.ONE_TENSOR: _one_tensor,
    Way.DETACHED: _detached,
    Way.AUTOCAST: _autocast,
    Way.NO_GRAD: _no_grad,
    Way.INFERENCE: _inference,
    **{layout: _weighed for layout in LAYOUTS if layout is not Way.REVERSED},
}
"""What each way does; a layout is how the tensors were made, and torch has no negative strides. torch.func is left out: its
first use imports the compiler, which takes as long as all the rest of a run."""


def laid_out(logps: tuple[Tensor, ...], layout: Way) -> tuple[Tensor, ...]:
    """The same numbers, in memory as the layout says, NaN in the gaps."""
    n = len(logps[0])
    if layout is Way.EXPANDED:
        return tuple(x[:1].expand(n) if n and bool((x == x[0]).all()) else x for x in logps)
    if layout is Way.SHARED:
        return tuple(next((y for y in logps if torch.equal(x, y)), x) for x in logps)  # one with a NaN equals none
    if layout is Way.COLUMNS:
        return tuple(torch.stack(logps, dim=1).unbind(1))
    strides, offsets = (STRIDES, OFFSETS) if layout is Way.UNLIKE_STRIDES else ((1,) * 4, (3,) * 4)
    return tuple(_spread(x, step, start) for x, step, start in zip(logps, strides, offsets, strict=True))


def _spread(x: Tensor, step: int, start: int) -> Tensor:
    longer: Any = torch.full((start + step * len(x) + 2,), torch.nan, dtype=x.dtype, device=x.device)
    view: Tensor = longer[start : start + step * len(x) : step]
    return view.copy_(x)
