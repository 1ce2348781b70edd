"""What the suite asks of an implementation: what it claims, and per-pair losses and derivatives of a batch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from conformance.errors import BadClaim
from conformance.implementations.ways import Twice, Way
from conformance.inputs.batch import Batch
from oracle import FORMATS, Format, UnknownFormat, get_format
from oracle.formats import Bits, Floats

Reduction = Literal["none", "mean"]
Subnormals = Literal["gradual", "flush"]
OPTIONS = ("beta", "label_smoothing")
METRICS = ("accuracy", "margin", "chosen_logratio", "rejected_logratio")
"""Metrics in nats, without beta, and the share of pairs that are won."""
REWARDS = ("rewards/accuracies", "rewards/margins", "rewards/chosen", "rewards/rejected")
"""The same with beta, by the names that training loops log. An implementation of metrics returns one group or both."""
ACCURACIES = (METRICS[0], REWARDS[0])
"""The names of the share of pairs that are won."""
Patterns = tuple[Bits, Bits, Bits, Bits]
"""The bit patterns of the four logps."""
DEFAULTS = {"beta": 0.1, "label_smoothing": 0.0}
"""The values an option has where an implementation does not claim it."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What an implementation says of itself; it is judged on that and on nothing else.

    formats: the formats it computes in. reduction: "none" (per-pair losses) or "mean" (one number a batch).
    options: which of beta and label_smoothing it honours: a claim covers any finite beta (negative, 0, huge) and
    any label_smoothing from 0 to 1, for values and derivatives alike, but for what is refused by raising and may be: a beta
    not from 0.001 to 1,000, a label_smoothing of 1/2 or more or above 0 and below 0.001; one that is not claimed is always
    at its default. subnormals: "gradual", or "flush" where it replaces
    subnormal results by zero or by another number below the smallest normal; None where it says nothing.
    gradient, metrics: whether it gives them. notes: by clause, what is known of conduct that violates it: its
    documentation, an issue, the cause. It is shown and excuses nothing. second_derivatives: whether its derivatives are
    claimed to be differentiable. accumulation: a wider format in which it adds up for a mean and for metrics, by whose
    bound these are judged; None where it says nothing.
    """

    formats: tuple[Format, ...] = FORMATS
    reduction: Reduction = "none"
    options: frozenset[str] = frozenset(OPTIONS)
    subnormals: Subnormals | None = None
    gradient: bool = True
    metrics: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)
    second_derivatives: bool = False
    accumulation: Format | None = None

    @property
    def kind(self) -> str:
        """What it is: a loss of four log-probabilities."""
        return "loss"

    @property
    def claimed(self) -> frozenset[str]:
        """What a clause may need and it claims."""
        given = (("gradient", self.gradient), ("metrics", self.metrics), ("second", self.second_derivatives))
        return self.options | {self.reduction} | {name for name, has in given if has}

    def plain(self) -> dict[str, object]:
        """The claims as JSON's own types."""
        return {
            "formats": [fmt.name for fmt in self.formats],
            "reduction": self.reduction,
            "options": sorted(self.options),
            "subnormals": self.subnormals,
            "gradient": self.gradient,
            "metrics": self.metrics,
            "notes": dict(self.notes),
            **({"second_derivatives": True} if self.second_derivatives else {}),
            **({"accumulation": self.accumulation.name} if self.accumulation else {}),
        }


def claims(
    *,
    dtypes: Collection[str | Format] | None,
    reduction: str,
    options: Collection[str],
    subnormals: str | None,
    gradient: bool,
    metrics: bool,
    notes: Mapping[str, str] | None = None,
    second_derivatives: bool = False,
    accumulation: str | Format | None = None,
) -> Claims:
    """The claims, checked. Raises BadClaim, naming the keyword, its value and what is allowed."""
    if second_derivatives and not gradient:
        raise BadClaim("second_derivatives = True: of derivatives, which gradient=False does not claim")
    if isinstance(dtypes, str) or (dtypes is not None and not dtypes):
        raise BadClaim(f"dtypes = {dtypes!r}: a collection of format names, not empty")
    try:
        formats = FORMATS if dtypes is None else tuple(get_format(name) for name in dtypes)
    except UnknownFormat as error:
        raise BadClaim(f"dtypes: {error}") from None
    if reduction not in {"none", "mean"}:
        raise BadClaim(f"reduction = {reduction!r}: 'none' or 'mean'")
    if not isinstance(gradient, bool):
        raise BadClaim(f"gradient = {gradient!r}: True or False")
    if isinstance(options, str) or not isinstance(options, Collection) or not set(options) <= set(OPTIONS):
        raise BadClaim(f"options = {options!r}: a collection of some of {', '.join(OPTIONS)}")
    if subnormals not in {"gradual", "flush", None}:
        raise BadClaim(f"subnormals = {subnormals!r}: 'gradual' or 'flush'")
    told = {} if notes is None else notes
    if not isinstance(told, Mapping) or not all(isinstance(text, str) for pair in told.items() for text in pair):
        raise BadClaim(f"notes = {notes!r}: texts by clause, as {{'SPECIAL-2': 'it always mixes'}}")
    wide = _accumulation(accumulation)
    return Claims(formats, reduction, frozenset(options), subnormals, gradient, metrics, told, second_derivatives, wide)  # type: ignore[arg-type]


def is_given(keyword: str, function: object) -> bool:
    """Whether there is such a function. Raises BadClaim for what is no function."""
    if function is not None and not callable(function):
        raise BadClaim(f"{keyword} = {function!r}: a function, called with the same arguments as the loss")
    return function is not None


def _accumulation(given: str | Format | None) -> Format | None:
    try:
        found = None if given is None else get_format(given)
    except UnknownFormat as error:
        raise BadClaim(f"accumulation: {error}") from None
    if found is not None and found.width <= 16:
        raise BadClaim(f"accumulation = {given!r}: 'binary32' or 'binary64', in which a mean is added up")
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What an implementation returned for a batch of n pairs.

    losses: n numbers, or one where it reduces to the mean. gradient: d(sum of losses)/d(each of the four logps),
    n numbers each, in the order of the signature; None where it was not asked for, and an entry is None where the
    implementation does not differentiate in that argument (a detached reference). dtype: the losses' own dtype.
    wrote: the names of the inputs that it changed in place.
    """

    losses: Floats
    gradient: tuple[Floats | None, Floats | None, Floats | None, Floats | None] | None
    dtype: str
    wrote: tuple[str, ...] = ()

    def take(self, index: NDArray[np.intp]) -> Answer:
        """The answer for the pairs at those places of the batch."""
        if self.gradient is None:
            return replace(self, losses=self.losses[index])
        pc, pr, rc, rr = (None if part is None else part[index] for part in self.gradient)
        return replace(self, losses=self.losses[index], gradient=(pc, pr, rc, rr))


Stored = NDArray[np.float32] | Floats
"""Returned numbers as they lie in memory, where NumPy has the dtype; else exactly, as float64."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What an implementation returned at logits: `Answer`, without the reference's derivatives and without widening."""

    losses: Stored
    gradient: tuple[Stored | None, Stored | None]
    wrote: tuple[str, ...] = ()


class Implementation(Protocol):
    """The code that is judged, behind one interface."""

    @property
    def name(self) -> str:
        """How reports call it."""

    @property
    def claims(self) -> Claims:
        """What it says of itself."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What it runs on: library versions, device."""

    def unavailable(self) -> str | None:
        """Why it cannot run here, such as "no CUDA device"; None if it can."""

    def evaluate(self, batch: Batch, fmt: Format, *, gradient: bool, strided: bool = False) -> Answer:
        """The losses of a batch in that format, and their derivatives if asked for. Raises Misbehaviour.

        strided: hand the inputs over as every second element of longer arrays, where the framework knows such views.
        """

    def metrics(self, batch: Batch, fmt: Format) -> Mapping[str, float]:
        """The metrics of a batch: those of METRICS, those of REWARDS, or all eight. Raises Misbehaviour."""

    def surroundings(self) -> Mapping[str, str]:
        """A fingerprint of the framework's global state, which a call must leave as it was."""


@runtime_checkable
class Weighing(Protocol):
    """An implementation whose derivatives its framework takes: it can weigh the losses, and leave the reference out."""

    def weighed(self, batch: Batch, fmt: Format, weights: Floats, *, policy_alone: bool = False) -> Answer:
        """The losses, and the derivatives of the sum of weights times losses, as a training step asks. Raises Misbehaviour.

        weights: n numbers of the format, or one for a mean. policy_alone: no derivative is asked for in the reference's
        logps, as where a reference model runs without gradients; theirs are then None.
        """


@runtime_checkable
class Sweepable(Protocol):
    """An implementation that takes bit patterns and returns numbers as they lie in memory, which costs a sweep least."""

    def at_patterns(self, patterns: Patterns, fmt: Format, *, gradient: bool) -> Columns:
        """What `evaluate` returns with beta 1 for the logps of those bit patterns. Raises Misbehaviour."""


@runtime_checkable
class Versatile(Protocol):
    """An implementation whose wrapper knows its framework well enough to call it as those who train do."""

    @property
    def ways(self) -> frozenset[Way]:
        """The ways that it knows."""

    def by_way(self, way: Way, batch: Batch, fmt: Format, *, gradient: bool, weights: Floats | None = None) -> Answer:
        """The answer to the batch when it is called in one of its ways; derivatives are of the weighted sum.

        weights: n numbers of the losses' dtype, or one for a mean; 1 where None, and where there is no backward pass.
        A derivative that the way does not ask for is None. Raises Misbehaviour.
        """


@runtime_checkable
class Compiling(Protocol):
    """An implementation that may be compiled anew for each size of a batch, so that it is asked for fewer sizes."""

    @property
    def compiles_each_size(self) -> bool:
        """Whether each size costs a compilation."""


@runtime_checkable
class Measuring(Versatile, Protocol):
    """A versatile implementation of metrics whose inputs may lie in memory as they like."""

    def metrics_by_way(self, way: Way, batch: Batch, fmt: Format) -> Mapping[str, float]:
        """The metrics of a batch in one of the layouts that it knows. Raises Misbehaviour."""


@runtime_checkable
class Curved(Protocol):
    """An implementation whose wrapper can differentiate its losses twice."""

    @property
    def twice_by(self) -> frozenset[Twice]:
        """The ways that it knows."""

    def twice(self, how: Twice, place: int, batch: Batch, fmt: Format, weights: Floats) -> Answer:
        """The losses, and as its gradient the derivatives of one first derivative of the weighted sum in each of the four.

        place: which first derivative, in the order of the signature. weights: as `Versatile.by_way`. Raises Misbehaviour.
        """
