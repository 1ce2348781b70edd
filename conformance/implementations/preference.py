"""Implementations of any loss of the oracle: what they claim, and plain functions of arrays behind the suite's interface."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from conformance.errors import BadClaim, BadRequest, Misbehaviour
from conformance.implementations.protocol import OPTIONS, Claims
from conformance.implementations.results import called
from conformance.inputs.losses import LossBatch
from oracle import Format
from oracle.formats import Floats
from oracle.losses import LENGTHS, Loss, UnknownLoss, get_loss

KIND = "preference loss"


@dataclass(frozen=True, slots=True)
class LossClaims:
    """What an implementation of one loss says of itself: the members of `protocol.Claims`, and which loss it is."""

    loss: str
    formats: tuple[Format, ...]
    reduction: str
    options: frozenset[str]
    subnormals: str | None
    gradient: bool
    notes: Mapping[str, str] = field(default_factory=dict)
    metrics: bool = False

    @property
    def kind(self) -> str:
        """What it is: a loss that it names."""
        return KIND

    @property
    def claimed(self) -> frozenset[str]:
        """What a clause may need and it claims."""
        return self.options | {self.reduction} | ({"gradient"} if self.gradient else set())

    def plain(self) -> dict[str, object]:
        """The claims as JSON's own types."""
        return {
            "loss": self.loss,
            "formats": [fmt.name for fmt in self.formats],
            "reduction": self.reduction,
            "options": sorted(self.options),
            "subnormals": self.subnormals,
            "gradient": self.gradient,
            "notes": dict(self.notes),
        }


def loss_claims(loss: str, given: Claims, named: Collection[str] = OPTIONS) -> LossClaims:
    """Claims of a named loss: as given, with the loss's own parameters as options unless some are named.

    Raises BadClaim for a loss that does not exist, and for an option that it does not have.
    """
    try:
        known = get_loss(loss)
    except UnknownLoss as error:
        raise BadClaim(str(error)) from None
    own = frozenset(known.defaults)
    if isinstance(named, str):
        raise BadClaim(f"options = {named!r}: a collection of some of {', '.join(sorted(own))}")
    options = own if named is OPTIONS else frozenset(named)
    if not options <= own:
        raise BadClaim(f"options = {sorted(options - own)}: {loss} has {', '.join(sorted(own)) or 'no parameters'}")
    return LossClaims(loss, given.formats, given.reduction, options, given.subnormals, given.gradient, given.notes)


@dataclass(frozen=True, slots=True, eq=False)
class LossAnswer:
    """What was returned for a batch: losses, derivatives of their sum by the logps' names (None where detached), the dtype,
    and the names of inputs that were changed in place.
    """

    losses: Floats
    gradient: Mapping[str, Floats | None] | None
    dtype: str
    wrote: tuple[str, ...] = ()


class Framework(Protocol):
    """What turns a plain function of a framework's arrays into numbers."""

    @property
    def weighs(self) -> bool:
        """Whether derivatives are taken of weighted sums, by the framework itself."""

    @property
    def compiles_each_size(self) -> bool:
        """Whether a batch of a new size costs a compilation, or may."""

    def evaluate(
        self,
        function: Callable[..., Any],
        batch: LossBatch,
        fmt: Format,
        loss: Loss,
        claims: LossClaims,
        *,
        gradient: bool,
        weights: Floats | None = None,
    ) -> LossAnswer:
        """The function's losses and the derivatives of their sum, each times its weight. Raises Misbehaviour.

        weights: of the losses' shape; taken up where the framework `weighs`.
        """

    @property
    def environment(self) -> Mapping[str, str]:
        """What it runs on."""

    def unavailable(self) -> str | None:
        """Why it cannot run here."""

    def surroundings(self) -> Mapping[str, str]:
        """The framework's global state."""


class PreferenceLoss:
    """A plain function, called by keyword with what the loss takes, behind the suite's interface."""

    def __init__(
        self, function: Callable[..., Any], name: str, claimed: LossClaims, framework: Framework, told: Mapping[str, Any]
    ) -> None:
        self.name = name
        self.claims = claimed
        self.framework = framework
        self._function = function
        self._told = dict(told)
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """The plain function itself."""
        return self._function(*arguments, **keywords)

    @property
    def environment(self) -> Mapping[str, str]:
        """What the framework runs on."""
        return self.framework.environment

    def unavailable(self) -> str | None:
        """Why it cannot run here."""
        return self.framework.unavailable()

    def surroundings(self) -> Mapping[str, str]:
        """The framework's global state."""
        return self.framework.surroundings()

    def evaluate(self, batch: LossBatch, fmt: Format, *, gradient: bool, weights: Floats | None = None) -> LossAnswer:
        """The losses of a batch, and the derivatives of their sum, each times its weight where there are any and the framework
        `weighs`. Raises Misbehaviour.
        """
        loss = get_loss(self.claims.loss)
        offered = {name: x for name, x in batch.parameters.items() if name in self.claims.options}
        asked = LossBatch(batch.rows, {**offered, **self._told})
        wanted = gradient and self.claims.gradient
        return self.framework.evaluate(self._function, asked, fmt, loss, self.claims, gradient=wanted, weights=weights)

    def as_loss(self, loss: str) -> PreferenceLoss:
        """The same function as an implementation of that loss. Raises BadRequest for one that it does not claim."""
        if loss != self.claims.loss:
            raise BadRequest(f"{self.name} claims the loss {self.claims.loss}, not {loss}")
        return self


class PreferenceLosses:
    """A function that has several losses and is told by the keyword `loss` which; `as_loss` is one of them.

    losses: their names, each with what the function is told.
    """

    def __init__(self, one: Callable[[str], PreferenceLoss], losses: Mapping[str, str]) -> None:
        self._one = one
        self.losses = dict(losses)

    def as_loss(self, loss: str) -> PreferenceLoss:
        """The implementation of that loss. Raises BadRequest for one that it does not claim."""
        if loss not in self.losses:
            raise BadRequest(f"it claims the losses {', '.join(self.losses)}, not {loss}")
        return self._one(loss)


def preference(
    function: Callable[..., Any],
    label: str,
    given: Claims,
    options: Collection[str],
    loss: str | Collection[str],
    framework: Framework,
) -> Any:
    """The `PreferenceLoss` of one loss, or the `PreferenceLosses` of several; of a mapping, the function is told not the
    loss's name but what stands there, its own name for it. Of several, each claims the options that it has. Raises BadClaim.
    """
    if isinstance(loss, str):
        return PreferenceLoss(function, label, loss_claims(loss, given, options), framework, {})
    if not loss:
        raise BadClaim("loss = (): the name of a loss, or of several")
    called = loss if isinstance(loss, Mapping) else {name: name for name in loss}
    had = {name: loss_claims(name, given, options if isinstance(options, str) else OPTIONS).options for name in called}
    strange = set() if options is OPTIONS else set(options).difference(*had.values())
    if strange:
        raise BadClaim(f"options = {sorted(strange)}: none of {', '.join(called)} has that")

    def one(name: str) -> PreferenceLoss:
        named = options if options is OPTIONS else had[name].intersection(options)
        return PreferenceLoss(function, f"{label}@{name}", loss_claims(name, given, named), framework, {"loss": called[name]})

    return PreferenceLosses(one, called)


def shape_of(loss: Loss, claims: LossClaims, pairs: int, got: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that was promised; a loss that is one number a batch may be given as one."""
    if claims.reduction == "mean" or (loss.has_batch_state and got == ()):
        return ()
    return (pairs,)


def by_name(parts: object, loss: Loss) -> Mapping[str, Any]:
    """Derivatives by the logps' names: a mapping, or a sequence in the order of the loss's inputs. Raises Misbehaviour."""
    if isinstance(parts, Mapping):
        strange = set(parts) - set(loss.logps)
        if strange:
            raise Misbehaviour("wrong type", f"gradient: {', '.join(sorted(strange))}, which {loss.name} does not take")
        return {name: parts.get(name) for name in loss.logps}
    if isinstance(parts, tuple | list) and len(parts) == len(loss.logps):
        return dict(zip(loss.logps, parts, strict=True))
    raise Misbehaviour("wrong type", f"gradient: derivatives by {', '.join(loss.logps)} were promised")


def keywords(batch: LossBatch, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """What the function is called with."""
    return {**arrays, **batch.parameters}


def lengths_of(row: Floats) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Lengths as integers."""
    return row.astype(np.int64)


def is_length(name: str) -> bool:
    """Whether an input is a number of tokens."""
    return name in LENGTHS


def call(function: Callable[..., Any], batch: LossBatch, arrays: Mapping[str, Any]) -> Any:
    """The function called by keyword; whatever it raises is a Misbehaviour."""
    return called(functools.partial(function, **keywords(batch, arrays)))
