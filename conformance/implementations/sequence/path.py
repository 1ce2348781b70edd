"""Whole paths: from the token logits of policy and reference to losses."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from conformance.errors import BadClaim, BadRequest
from conformance.implementations.preference import loss_claims
from conformance.implementations.protocol import DEFAULTS, OPTIONS
from conformance.implementations.sequence.protocol import Inner, SequenceClaims, given, sequence_claims
from conformance.inputs.paths import Paths
from oracle import Format
from oracle.formats import Floats
from oracle.losses import LENGTHS, Loss, get_loss

GROUPS = ("chosen", "rejected", "kl")
"""The responses of a pair, in the order in which their sequences come: the third where the loss takes its log-probabilities."""


@dataclass(frozen=True, slots=True)
class PathClaims(SequenceClaims):
    """What a function of policy and reference logits says of itself: as of sequences, the reduction of its losses, and which
    loss it is, by the oracle's name; empty for DPO with label smoothing.
    """

    loss: str = ""

    @property
    def kind(self) -> str:
        """A function from logits to losses."""
        return "path"

    @property
    def claimed(self) -> frozenset[str]:
        """What a clause may need and it claims."""
        counted = self.average or set(LENGTHS) & set(self.known.inputs)
        more = ({"reference"} if self.referenced else set()) | ({"lengths"} if counted else set())
        return self.options | self.capable | {self.reduction} | more

    @property
    def known(self) -> Loss:
        """The loss that it is."""
        return get_loss(self.loss or "cdpo")

    @property
    def defaults(self) -> Mapping[str, float]:
        """What its parameters are where it does not claim them."""
        return self.known.defaults if self.loss else DEFAULTS

    @property
    def referenced(self) -> bool:
        """Whether the loss takes a reference."""
        return any(name.startswith("ref_") for name in self.known.inputs)

    @property
    def groups(self) -> int:
        """How many sequences there are of each pair."""
        return 3 if "policy_kl_logps" in self.known.inputs else 2

    def plain(self) -> dict[str, object]:
        """The claims as JSON's own types."""
        return SequenceClaims.plain(self) | {"reduction": self.reduction} | ({"loss": self.loss} if self.loss else {})


@dataclass(frozen=True, slots=True, eq=False)
class PathAnswer:
    """Losses (n,) or one mean; the derivatives of their sum, or of the mean, in every policy logit; what was written; and what
    a fused head has besides, of the policy.
    """

    losses: Floats
    gradient: Floats | None
    dtype: str
    wrote: tuple[str, ...] = ()
    inner: Inner | None = None


class PathImplementation(Protocol):
    """The code that is judged, behind one interface."""

    @property
    def name(self) -> str:
        """How reports call it."""

    @property
    def claims(self) -> PathClaims:
        """What it says of itself."""

    def evaluate(self, paths: Paths, fmt: Format, *, gradient: bool = False, incoming: Floats | None = None) -> PathAnswer:
        """The losses, and the derivatives in the policy's logits, with factors where that is claimed. Raises Misbehaviour."""


class OfOneLoss:
    """What a path shares with every implementation of a named loss."""

    name: str
    claims: PathClaims

    def as_loss(self, loss: str) -> OfOneLoss:
        """The same path as an implementation of that loss. Raises BadRequest for one that it does not claim."""
        if loss != self.claims.known.name:
            raise BadRequest(f"{self.name} claims the loss {self.claims.known.name}, not {loss}")
        return self


def path_claims(*, reduction: str, options: Collection[str], loss: str = "", **keywords: Any) -> PathClaims:
    """The claims, checked. Raises BadClaim."""
    if reduction not in {"none", "mean"}:
        raise BadClaim(f"reduction = {reduction!r}: 'none' or 'mean'")
    base = sequence_claims(**keywords)
    if not loss and (isinstance(options, str) or not set(options) <= set(OPTIONS)):
        raise BadClaim(f"options = {options!r}: a collection of some of {', '.join(OPTIONS)}")
    if loss and base.average:
        raise BadClaim(f"average = True, loss = {loss!r}: whether tokens are averaged is said by the loss")
    return PathClaims(
        formats=base.formats,
        reduction="mean" if reduction == "mean" else "none",
        options=loss_claims(loss, base, options).options if loss else frozenset(options),
        subnormals=base.subnormals,
        gradient=base.gradient,
        notes=base.notes,
        average=base.average,
        shift=base.shift,
        ignore_index=base.ignore_index,
        accumulates=base.accumulates,
        infinities=base.infinities,
        incoming=base.incoming,
        head=base.head,
        loss=loss,
    )


def inputs(paths: Paths, claims: PathClaims) -> tuple[Floats, Floats | None, list[Any], list[Any], dict[str, float]]:
    """Policy and reference logits (None where the loss takes none), labels and mask (where one is passed), and the options:
    the two of DPO in order, those of a named loss by keyword.
    """
    policy, labels, mask, _ = given(paths.policy, claims)
    reference = given(paths.reference, claims)[0] if claims.referenced else None
    others = [labels, *([] if mask is None else [mask])]
    if claims.loss:
        return policy, reference, others, [], {name: x for name, x in paths.parameters.items() if name in claims.options}
    return policy, reference, others, [paths.parameters[name] for name in OPTIONS], {}
