"""Steps of torch tensors: derivatives are read where a trainer leaves them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from conformance.errors import Misbehaviour
from conformance.implementations.decorating import decorator
from conformance.implementations.protocol import OPTIONS
from conformance.implementations.results import called, versions
from conformance.implementations.sequence.steps import Steps, steps_claims
from conformance.implementations.sequence.torch import surroundings, tensor
from conformance.inputs.batch import Batch
from oracle import Format
from oracle.formats import Floats


class TorchSteps(Steps):
    """A function of a list of micro-batches of torch tensors."""

    @property
    def environment(self) -> dict[str, str]:
        """The library's version and torch's."""
        return versions(self.library, torch=torch.__version__)

    def surroundings(self) -> dict[str, str]:
        """Torch's global state."""
        return surroundings()

    def part(self, batch: Batch, fmt: Format) -> Sequence[Any]:
        """A micro-batch as four tensors, the policy's being leaves."""
        return [tensor(values, fmt, gradient=place < 2) for place, values in enumerate(batch.logps)]

    def slopes(self, result: Mapping[str, Any], micro: list[Sequence[Any]]) -> tuple[Floats, Floats]:
        """What lies in `.grad`; else autograd's derivatives of the returned loss."""
        loss = result["loss"]
        leaves = [part[place] for part in micro for place in (0, 1)]
        if all(leaf.grad is None for leaf in leaves) and isinstance(loss, torch.Tensor) and loss.requires_grad:
            called(loss.backward)
        if all(leaf.grad is None for leaf in leaves):
            raise Misbehaviour("no gradient", "no derivative reached the policy's log-probabilities")
        chosen, rejected = ([_grad(part[place]) for part in micro] for place in (0, 1))
        return np.concatenate(chosen), np.concatenate(rejected)


def _grad(leaf: torch.Tensor) -> Floats:
    found: Floats = (torch.zeros_like(leaf) if leaf.grad is None else leaf.grad).detach().to(torch.float64).numpy().copy()
    return found


@decorator
def torch_steps(
    function: Callable[..., Any],
    /,
    *,
    name: str | None = None,
    dtypes: Collection[str | Format] | None = None,
    options: Collection[str] = OPTIONS,
    metrics: Collection[str] = (),
    gradient: bool = True,
    library: str | None = None,
    notes: Mapping[str, str] | None = None,
) -> Steps:
    """As array_steps, of torch tensors: the derivatives are what the function left in `.grad` by its own backward calls, as a
    trainer does; where it left none, autograd's of the returned loss.
    """
    claimed = steps_claims(dtypes, options, metrics, gradient, notes)
    return TorchSteps(function, name or str(getattr(function, "__name__", "function")), claimed, library)
