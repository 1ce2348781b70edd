"""Steps: one optimiser step put together from micro-batches or ranks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from conformance.errors import BadClaim, Misbehaviour
from conformance.implementations.array import as_numpy
from conformance.implementations.decorating import decorator
from conformance.implementations.numpy_arrays import DTYPES
from conformance.implementations.protocol import OPTIONS, Claims
from conformance.implementations.protocol import claims as loss_claims
from conformance.implementations.results import called
from conformance.implementations.sequence.plain import Function, Plain
from conformance.inputs.batch import Batch
from conformance.inputs.paths import Parts
from oracle import Format
from oracle.formats import Floats

METRICS = (
    "rewards/chosen",
    "rewards/rejected",
    "rewards/margins",
    "rewards/accuracies",
    "logps/chosen",
    "logps/rejected",
)
"""What trainers log, by the names that they use; each a mean over the pairs of the step."""


@dataclass(frozen=True, slots=True)
class StepsClaims(Claims):
    """What a step says of itself: its options, and which metrics it logs."""

    logged: frozenset[str] = field(default_factory=frozenset)

    @property
    def kind(self) -> str:
        """A step from micro-batches."""
        return "steps"

    def plain(self) -> dict[str, object]:
        """The claims as JSON's own types."""
        return Claims.plain(self) | {"kind": self.kind, "logged": sorted(self.logged)}


@dataclass(frozen=True, slots=True, eq=False)
class StepsAnswer:
    """The loss of the step; the derivatives in the policy's chosen and rejected logps of every pair, in order; the metrics."""

    loss: float
    gradient: tuple[Floats, Floats] | None
    metrics: Mapping[str, float]


class StepsImplementation(Protocol):
    """The code that is judged, behind one interface."""

    @property
    def name(self) -> str:
        """How reports call it."""

    @property
    def claims(self) -> StepsClaims:
        """What it says of itself."""

    def evaluate(self, parts: Parts, fmt: Format) -> StepsAnswer:
        """The step. Raises Misbehaviour."""


def steps_claims(
    dtypes: Collection[str | Format] | None,
    options: Collection[str],
    logged: Collection[str],
    gradient: bool,
    notes: Mapping[str, str] | None,
) -> StepsClaims:
    """The claims, checked. Raises BadClaim."""
    base = loss_claims(
        dtypes=dtypes, reduction="mean", options=options, subnormals=None, gradient=gradient, metrics=bool(logged), notes=notes
    )
    if isinstance(logged, str) or not set(logged) <= set(METRICS):
        raise BadClaim(f"metrics = {logged!r}: a collection of some of {', '.join(METRICS)}")
    return StepsClaims(
        formats=base.formats, reduction="mean", options=base.options, gradient=gradient, metrics=base.metrics,
        notes=base.notes, logged=frozenset(logged),
    )  # fmt: skip


class Steps(Plain):
    """A function of a list of micro-batches behind the suite's interface."""

    def __init__(self, function: Function, name: str, claimed: StepsClaims, library: str | None) -> None:
        super().__init__(function, name, library)
        self.claims = claimed

    def evaluate(self, parts: Parts, fmt: Format) -> StepsAnswer:
        """The function's loss, the derivatives that it returned or accumulated, and its metrics."""
        micro = [self.part(batch, fmt) for batch in parts.each]
        result = called(self._function, micro, parts.batch.beta, parts.batch.label_smoothing)
        if not isinstance(result, Mapping) or "loss" not in result:
            raise Misbehaviour("wrong type", "a mapping with loss, and the metrics by name, was promised")
        missing = sorted(self.claims.logged - set(result))
        if missing:
            raise Misbehaviour("wrong type", f"no {', '.join(missing)} among what was logged")
        slopes = self.slopes(result, micro) if self.claims.gradient else None
        metrics = {name: _number(name, result[name]) for name in sorted(self.claims.logged)}
        return StepsAnswer(_number("loss", result["loss"]), slopes, metrics)

    def part(self, batch: Batch, fmt: Format) -> Sequence[Any]:
        """A micro-batch as four arrays."""
        return [values.astype(DTYPES[fmt.name]) for values in batch.logps]

    def slopes(self, result: Mapping[str, Any], micro: list[Sequence[Any]]) -> tuple[Floats, Floats]:
        """The derivatives that were returned under "gradients", a pair of arrays for each micro-batch."""
        if "gradients" not in result or len(result["gradients"]) != len(micro):
            raise Misbehaviour("wrong type", "gradients: one pair of arrays for each micro-batch was promised")
        chosen, rejected = (
            [np.asarray(as_numpy(part[place]), dtype=np.float64).reshape(-1) for part in result["gradients"]]
            for place in (0, 1)
        )
        return np.concatenate(chosen), np.concatenate(rejected)


def _number(name: str, value: Any) -> float:
    found = value.detach() if hasattr(value, "detach") else value
    try:
        return float(found)
    except (TypeError, ValueError) as error:
        raise Misbehaviour("wrong type", f"{name}: {error}") from None


@decorator
def array_steps(
    function: Function,
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
    """A function that makes one step of several micro-batches, or plays several ranks, becomes an implementation.

    function(parts, beta, label_smoothing): a list of micro-batches, each the four logps as NumPy arrays of its n pairs, which
    may be 0; it returns a mapping with "loss", the mean over all pairs of the step, "gradients", for each micro-batch the
    derivatives of that in its policy_chosen_logps and policy_rejected_logps, and each of `metrics` by name.
    gradient=False: no "gradients". Raises BadClaim.
    """
    claimed = steps_claims(dtypes, options, metrics, gradient, notes)
    return Steps(function, name or str(getattr(function, "__name__", "function")), claimed, library)
