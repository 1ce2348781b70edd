"""PyTorch functions from token logits, or from hidden states, to losses; derivatives come from autograd."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from conformance.implementations.decorating import decorator
from conformance.implementations.protocol import OPTIONS
from conformance.implementations.results import called, versions
from conformance.implementations.sequence.path import OfOneLoss, PathAnswer, PathClaims, inputs, path_claims
from conformance.implementations.sequence.plain import Plain
from conformance.implementations.sequence.torch import changed, derivatives, headed, inner_of, read, surroundings, tensor
from conformance.inputs.paths import Paths
from oracle import Format
from oracle.formats import Floats

LOGITS = ("policy_logits", "ref_logits")
HEADS = ("hidden", "weight", "bias", "ref_hidden", "ref_weight", "ref_bias")


class TorchPath(Plain, OfOneLoss):
    """A function of policy and reference logits behind the suite's interface; or of hidden states and heads."""

    def __init__(self, function: Callable[..., Any], name: str, claimed: PathClaims, library: str | None) -> None:
        super().__init__(function, name, library)
        self.claims = claimed

    @property
    def environment(self) -> dict[str, str]:
        """The library's version and torch's."""
        return versions(self.library, torch=torch.__version__)

    def surroundings(self) -> dict[str, str]:
        """Torch's global state."""
        return surroundings()

    def evaluate(self, paths: Paths, fmt: Format, *, gradient: bool = False, incoming: Floats | None = None) -> PathAnswer:
        """The function's losses, and autograd's derivatives of their sum in the policy's logits."""
        policy, reference, others, options, named = inputs(paths, self.claims)
        rest = [torch.from_numpy(other) for other in others]
        given, weight = self._given(policy, reference, fmt, gradient)
        leaf = given[1] if self.claims.head else given[0]
        assert leaf is not None
        names = (*(HEADS if self.claims.head else LOGITS)[: len(given)], "labels", "mask")
        tracked = {name: part for name, part in zip(names, [*given, *rest], strict=False) if part is not None}
        before = [part.detach().clone() for part in tracked.values()]
        result = called(functools.partial(self._function, **named), *given, *rest, *options)
        shape = (len(paths),) if self.claims.reduction == "none" else ()
        losses, dtype = read("losses", result, shape, fmt)
        wrote = changed(tuple(tracked), before, list(tracked.values()))
        if not gradient:
            return PathAnswer(losses, None, dtype, wrote)
        if not self.claims.head:
            return PathAnswer(losses, derivatives(result, {"logits": leaf}, fmt, incoming)["logits"], dtype, wrote)
        states = given[0]
        assert states is not None
        slopes, inner = inner_of(result, weight, (leaf, states, given[2]), fmt, incoming)
        return PathAnswer(losses, None if slopes is None else slopes.T.reshape(policy.shape), dtype, wrote, inner)

    def _given(
        self, policy: Floats, reference: Floats | None, fmt: Format, gradient: bool
    ) -> tuple[list[Tensor | None], Floats]:
        """Logits of both, or of the policy alone; or hidden states, weight and bias; and the policy's weights."""
        if not self.claims.head:
            both = [tensor(policy, fmt, gradient=gradient), None if reference is None else tensor(reference, fmt)]
            return [part for part in both if part is not None], policy
        found: list[Tensor | None] = []
        weights = []
        for logits, asked in ((policy, gradient), *(() if reference is None else ((reference, False),))):
            hidden, weight, bias = headed(logits, fmt, biased=self.claims.infinities)
            found += [None if part is None else tensor(part, fmt, gradient=asked) for part in (hidden, weight, bias)]
            weights.append(weight)
        return found, weights[0]


@decorator
def torch_path(
    function: Callable[..., Any],
    /,
    *,
    name: str | None = None,
    dtypes: Collection[str | Format] | None = None,
    loss: str = "",
    reduction: str = "none",
    options: Collection[str] = OPTIONS,
    average: bool = False,
    shift: bool = False,
    ignore_index: int | None = None,
    accumulates: str | Format | Mapping[str, str | Format] | None = None,
    infinities: bool = True,
    head: bool = False,
    gradient: bool = True,
    library: str | None = None,
    notes: Mapping[str, str] | None = None,
) -> Any:
    """A function from token logits to losses becomes an implementation, as a call or as a decorator.

    function(policy_logits, ref_logits, labels, mask, beta, label_smoothing): 2n sequences, (2n, T, V) each, the n chosen ones
    first and then the n rejected ones; it returns n losses, or their mean with reduction="mean".

    loss: another loss that the oracle knows, by its name. Its parameters then come by keyword, function(policy_logits,
    ref_logits, labels, mask, *, beta, ...), no reference where it takes none, and 3n sequences where it takes others for its KL
    term: those come last. How many tokens a response has, where it averages, is for the function to count.
    head: function(hidden, weight, bias, ref_hidden, ref_weight, ref_bias, labels, mask, beta, label_smoothing) instead, a fused
    loss that never shows its logits; it is fed exactly by hidden states that are the identity. average: its
    log-probabilities are means over tokens. The other keywords are those of torch_sequence. Raises BadClaim.
    """
    claimed = path_claims(
        reduction=reduction, options=options, loss=loss, dtypes=dtypes, average=average, shift=shift, ignore_index=ignore_index,
        accumulates=accumulates, infinities=infinities, gradient=gradient, incoming=True, head=head, notes=notes,
    )  # fmt: skip
    return TorchPath(function, name or str(getattr(function, "__name__", "function")), claimed, library)
