"""PyTorch functions from token logits, or from hidden states, to losses; derivatives come from autograd."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from conformance.implementations.results import called, versions
from conformance.implementations.sequence.path import PathAnswer, PathClaims, inputs
from conformance.implementations.sequence.torch import changed, derivative, read, surroundings, tensor
from conformance.inputs.paths import Paths
from oracle import Format
from oracle.formats import Floats


class TorchPath:
    """A function of policy and reference logits behind the suite's interface; or of hidden states and heads."""

    def __init__(self, function: Callable[..., Any], name: str, claimed: PathClaims, head: bool, library: str | None) -> None:
        self.name = name
        self.claims = claimed
        self.library = library
        self._function = function
        self._head = head
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """The plain function itself."""
        return self._function(*arguments, **keywords)

    @property
    def environment(self) -> dict[str, str]:
        """The library's version and torch's."""
        return versions(self.library, torch=torch.__version__)

    def unavailable(self) -> str | None:
        """It can run wherever torch does."""
        return None

    def surroundings(self) -> dict[str, str]:
        """Torch's global state."""
        return surroundings()

    def evaluate(self, paths: Paths, fmt: Format, *, gradient: bool = False) -> PathAnswer:
        """The function's losses, and autograd's derivatives of their sum in the policy's logits."""
        policy, reference, others, options = inputs(paths, self.claims)
        rest = [torch.from_numpy(other) for other in others]
        if self._head:
            leaf, given = self._heads(policy, reference, fmt, gradient)
        else:
            leaf, other = tensor(policy, fmt, gradient=gradient), tensor(reference, fmt)
            given = [leaf, other]
        tracked = [leaf, *rest]
        before = [part.detach().clone() for part in tracked]
        result = called(self._function, *given, *rest, *options)
        shape = (len(paths),) if self.claims.reduction == "none" else ()
        losses, dtype = read("losses", result, shape, fmt)
        slopes = derivative("d loss / d logits", result, leaf, fmt) if gradient else None
        if slopes is not None and self._head:
            slopes = slopes.T.reshape(policy.shape)
        return PathAnswer(losses, slopes, dtype, changed(("policy_logits", "labels", "mask"), before, tracked))

    def _heads(self, policy: Floats, reference: Floats, fmt: Format, gradient: bool) -> tuple[Tensor, list[Tensor | None]]:
        """The policy's weight, and all six arguments: hidden states, weight and bias of policy and reference."""
        found: list[Tensor | None] = []
        leaf = None
        for logits in (policy, reference):
            batch, length, columns = logits.shape
            places = batch * length
            hidden = np.eye(places).reshape(batch, length, places)
            hidden[~np.isfinite(np.where(np.isneginf(logits), 0.0, logits)).all(axis=2)] = np.nan
            weight = np.where(np.isfinite(logits), logits, 0.0).reshape(places, columns).T
            banned = np.isneginf(logits).any(axis=(0, 1))
            bias = tensor(np.where(banned, -np.inf, 0.0), fmt) if self.claims.infinities else None
            own = tensor(weight, fmt, gradient=gradient and leaf is None)
            leaf = own if leaf is None else leaf
            found += [tensor(hidden, fmt, gradient=gradient and own is leaf), own, bias]
        assert leaf is not None
        return leaf, found
