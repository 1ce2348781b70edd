"""Mutants and honest implementations, as functions that the consumer can call."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.implementations.protocol import Answer, Implementation
from conformance.inputs.batch import Batch
from oracle import get_format

from .consumer import Function


def as_function(implementation: Implementation) -> Function:
    """The implementation behind the consumer's interface."""

    def function(pc: Any, pr: Any, rc: Any, rr: Any, beta: float, eps: float, fmt: str) -> tuple[Any, Any, Any, Any, Any]:
        batch = Batch.of(pc, pr, rc, rr, beta=beta, label_smoothing=eps)
        answer = implementation.evaluate(batch, get_format(fmt), gradient=implementation.claims.gradient)
        return answer.losses, *_derivatives(answer, len(batch), implementation.claims.gradient)

    return function


def mean_of(function: Function) -> Function:
    """The mean of the function's losses, in binary64, and its derivatives."""

    def mean(*arguments: Any) -> tuple[Any, Any, Any, Any, Any]:
        losses, *derivatives = function(*arguments)
        return np.mean(losses), *(None if part is None else part / len(losses) for part in derivatives)

    return mean


def one_at_a_time(function: Function) -> Function:
    """The function, called with one pair at a time."""

    def each(pc: Any, pr: Any, rc: Any, rr: Any, *options: Any) -> tuple[Any, Any, Any, Any, Any]:
        rows = [function(pc[i : i + 1], pr[i : i + 1], rc[i : i + 1], rr[i : i + 1], *options) for i in range(len(pc))]
        losses, *derivatives = zip(*rows, strict=True)
        return _joined(losses), *(_joined(parts) for parts in derivatives)

    return each


def _joined(parts: tuple[Any, ...]) -> Any:
    return None if any(part is None for part in parts) else np.concatenate([np.atleast_1d(part) for part in parts])


def _derivatives(answer: Answer, n: int, claimed: bool) -> tuple[Any, Any, Any, Any]:
    """The four derivatives: NaN where the policy's are claimed and not there, None where the reference is detached."""
    if not claimed:
        return None, None, None, None
    pc, pr, rc, rr = answer.gradient or (None,) * 4
    missing = np.full(n, np.nan)
    detached = all(part is None or not part.any() for part in (rc, rr))
    pc, pr = (missing if part is None else part for part in (pc, pr))
    return (pc, pr, None, None) if detached else (pc, pr, rc, rr)
