"""Paths of every loss that the oracle knows: right by its definition in torch, and wrong in each way that its file names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from conformance.implementations import torch_path
from oracle.expressions.nodes import Kernel, Node, Op, constant, exp, log, parameter, softplus, symbol, walk
from oracle.losses import LENGTHS, LOSSES, get_loss

from .kinds import Mutant, summed

Counting = Callable[[Tensor], Tensor]
KERNELS: Mapping[Kernel, Callable[[Tensor], Tensor]] = {
    Kernel.SOFTPLUS: lambda x: -F.logsigmoid(-x),
    Kernel.SIGMOID: torch.sigmoid,
    Kernel.BUMP: lambda x: torch.sigmoid(x) * torch.sigmoid(-x),
    Kernel.RELU: torch.relu,
    Kernel.STEP: lambda x: (x > 0).to(x.dtype),
    Kernel.SQUARE: torch.square,
    Kernel.EXP: torch.exp,
    Kernel.EXPM1: lambda x: torch.where(x < -1, x.exp() - 1, torch.expm1(x)),  # autograd's 1 + expm1(x) is 0 from -17 down
    Kernel.LOG: torch.log,
    Kernel.LOG1MEXP: lambda x: _log1mexp(x.clamp(max=-torch.finfo(x.dtype).tiny)),
    Kernel.ODDS: lambda x: torch.exp(x) / -torch.expm1(x),
}


def _log1mexp(x: Tensor) -> Tensor:
    """log(1 - e**x) for x < 0; neither branch is asked where the other is chosen, as its derivative there may be infinite."""
    near = x > -0.7
    close, far = torch.where(near, x, -1.0), torch.where(near, -1.0, x)
    return torch.where(near, torch.log(-torch.expm1(close)), torch.log1p(-torch.exp(far)))


def computed(definition: Node, given: Mapping[str, Tensor], parameters: Mapping[str, float]) -> Tensor:
    """The expression in torch, node by node, of its first spelling."""
    like = next(iter(given.values()))
    known: dict[Node, Tensor] = {}
    for node in walk(definition, first=True):
        known[node] = _node(node, known, given, parameters, like)
    return known[definition].expand(like.shape)


def _node(
    node: Node, known: Mapping[Node, Tensor], given: Mapping[str, Tensor], parameters: Mapping[str, float], like: Tensor
) -> Tensor:
    if node.op is Op.INPUT:
        return given[node.name]
    if node.op in {Op.PARAMETER, Op.CONSTANT}:
        return like.new_tensor(parameters[node.name] if node.op is Op.PARAMETER else float(node.value))
    args = [known[arg] for arg in (node.args[:1] if node.op is Op.SPELLED else node.args)]
    if node.op is Op.KERNEL:
        return KERNELS[node.kernel](args[0])
    return OPERATIONS[node.op](*args)


OPERATIONS: Mapping[Op, Callable[..., Tensor]] = {
    Op.ADD: torch.add,
    Op.SUBTRACT: torch.subtract,
    Op.MULTIPLY: torch.multiply,
    Op.DIVIDE: torch.divide,
    Op.NEGATE: torch.negative,
    Op.SPELLED: lambda x: x,
    Op.DETACHED: lambda x: x.detach(),
    Op.MEAN: lambda x: x.mean(),
    Op.TOTAL: lambda x: x.sum(),
    Op.SORTED: lambda x, key: x[key.argsort(stable=True)],
    Op.UNSORTED: lambda x, key: x[key.argsort(stable=True).argsort()],
}


def counted(mask: Tensor) -> Tensor:
    """Right: how many tokens of a row count, of a mask that is aligned with the labels."""
    return mask.sum(-1)


def function(name: str, definition: Node | None = None, count: Counting = counted, *, shift: bool = False) -> Any:
    """The path of a loss: that definition in place of its own, and lengths counted of the mask as it was given."""
    loss = get_loss(name)

    def path(*given: Tensor, **parameters: float) -> Tensor:
        *logits, labels, mask = given
        cut, on = (slice(None, -1), slice(1, None)) if shift else (slice(None), slice(None))
        sums = [summed(z[:, cut], labels[:, on], mask[:, on]) for z in logits]
        groups = 3 if "policy_kl_logps" in loss.inputs else 2
        rows: dict[str, Tensor] = {}
        for side, total in zip(("policy", "ref"), sums, strict=False):
            parts = total.detach().chunk(groups) if side == "ref" else total.chunk(groups)
            rows |= {f"{side}_{group}_logps": part for group, part in zip(("chosen", "rejected", "kl"), parts, strict=False)}
        lengths = count(mask).to(sums[0].dtype).chunk(groups)
        return computed(definition or loss.definition, rows | dict(zip(LENGTHS, lengths, strict=False)), parameters)

    return path


def _path(name: str, loss: str, wrong: str, **keywords: Any) -> Mutant:
    shift = keywords.get("shift", False)
    return Mutant(
        name,
        wrong,
        lambda: torch_path(function(loss, **keywords), name=name, loss=loss, accumulates="float32", shift=shift),
    )


def named(loss: str) -> Any:
    """The right path of a loss."""
    return torch_path(function(loss), name=f"path-{loss}", loss=loss, accumulates="float32")


def variants(loss: str) -> Iterator[Mutant]:
    """Each wrong definition of the loss, as a path."""
    for wrong in LOSSES[loss].wrong:
        yield _path(f"path-{loss}-{wrong.name}", loss, wrong.sentence, definition=wrong.definition)


def _exchanged(mask: Tensor) -> Tensor:
    return counted(mask).roll(len(mask) // 2)


def _padded(mask: Tensor) -> Tensor:
    return torch.full((len(mask),), mask.shape[1])


def _odds_of_one() -> Node:
    """ORPO by log(1 - e**x), whose derivative at an average of 0 is 0 times infinity."""
    x, y = (symbol(f"policy_{side}_logps") / symbol(f"{side}_lengths") for side in ("chosen", "rejected"))
    one = constant(1)
    odds = (x - y) - (log(one - exp(x)) - log(one - exp(y)))
    return parameter("odds_weight") * softplus(-odds) - x


PREFERENCES: tuple[Mutant, ...] = (
    _path("path-orpo-certain-is-nan", "orpo", "NaN derivatives of a certain response", definition=_odds_of_one()),
    _path("path-ipo-counts-first", "ipo_average", "lengths of the mask before its shift", count=counted, shift=True),
    _path("path-simpo-padded-lengths", "simpo", "the padded length", count=_padded),
    _path("path-orpo-lengths-exchanged", "orpo", "each divided by the other's length", count=_exchanged),
    *(entry for loss in ("ipo_average", "simpo", "orpo", "kto") for entry in variants(loss)),
)
