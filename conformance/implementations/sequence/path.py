"""Whole paths: from the token logits of policy and reference to losses."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from conformance.errors import BadClaim, Misbehaviour
from conformance.implementations.array import as_numpy
from conformance.implementations.decorating import decorator
from conformance.implementations.protocol import OPTIONS
from conformance.implementations.results import called, check_dtype, check_shape, versions
from conformance.implementations.sequence.numpy import DTYPES, PRECISIONS
from conformance.implementations.sequence.protocol import Inner, SequenceClaims, given, sequence_claims
from conformance.inputs.paths import Paths
from oracle import Format
from oracle.formats import Floats

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class PathClaims(SequenceClaims):
    """What a function of policy and reference logits says of itself: as of sequences, and the reduction of its losses."""

    @property
    def kind(self) -> str:
        """A function from logits to losses."""
        return "path"

    @property
    def claimed(self) -> frozenset[str]:
        """What a clause may need and it claims."""
        return self.options | self.capable | {self.reduction}

    def plain(self) -> dict[str, object]:
        """The claims as JSON's own types."""
        return SequenceClaims.plain(self) | {"reduction": self.reduction}


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


def path_claims(*, reduction: str, options: Collection[str], **keywords: Any) -> PathClaims:
    """The claims, checked. Raises BadClaim."""
    if reduction not in {"none", "mean"}:
        raise BadClaim(f"reduction = {reduction!r}: 'none' or 'mean'")
    if isinstance(options, str) or not set(options) <= set(OPTIONS):
        raise BadClaim(f"options = {options!r}: a collection of some of {', '.join(OPTIONS)}")
    base = sequence_claims(**keywords)
    return PathClaims(
        formats=base.formats,
        reduction="mean" if reduction == "mean" else "none",
        options=frozenset(options),
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
    )


def inputs(paths: Paths, claims: PathClaims) -> tuple[Floats, Floats, list[Any], tuple[float, float]]:
    """Policy and reference logits, labels and mask (where one is passed), and the two options."""
    policy, labels, mask, _ = given(paths.policy, claims)
    reference, _, _, _ = given(paths.reference, claims)
    return policy, reference, [labels, *([] if mask is None else [mask])], (paths.beta, paths.label_smoothing)


class ArrayPath:
    """A function of arrays behind the suite's interface."""

    def __init__(
        self,
        function: Function,
        name: str,
        claimed: PathClaims,
        derivatives: Function | None,
        convert: tuple[Function, Function],
        library: str | None,
    ) -> None:
        self.name = name
        self.claims = claimed
        self.library = library
        self._function = function
        self._derivatives = derivatives
        self._there, self._back = convert
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """The plain function itself."""
        return self._function(*arguments, **keywords)

    @property
    def environment(self) -> dict[str, str]:
        """The library's version and NumPy's."""
        return versions(self.library, numpy=np.__version__)

    def unavailable(self) -> str | None:
        """It can run wherever the suite does."""
        return None

    def surroundings(self) -> dict[str, str]:
        """NumPy's error handling."""
        return {"error handling": str(np.geterr())}

    def evaluate(self, paths: Paths, fmt: Format, *, gradient: bool = False, incoming: Floats | None = None) -> PathAnswer:
        """The function's losses, and its derivatives; no factors are claimed of them."""
        policy, reference, others, options = inputs(paths, self.claims)
        arrays = [policy.astype(DTYPES[fmt.name]), reference.astype(DTYPES[fmt.name]), *others]
        own = [self._there(array) for array in arrays]
        before = [np.array(self._back(part)) for part in own]
        with np.errstate(all="ignore"):
            shape = (len(paths),) if self.claims.reduction == "none" else ()
            losses, dtype = self._read("losses", called(self._function, *own, *options), shape, fmt)
            slopes = None
            if gradient and self._derivatives is not None:
                found = called(self._derivatives, *own, *options)
                slopes = self._read("d loss / d logits", found, policy.shape, fmt)[0]
        names = ("policy_logits", "ref_logits", "labels", "mask")
        wrote = tuple(
            name
            for name, old, new in zip(names, before, own, strict=False)
            if old.tobytes() != np.asarray(self._back(new)).tobytes()
        )
        return PathAnswer(losses, slopes, dtype, wrote)

    def _read(self, what: str, result: object, shape: tuple[int, ...], fmt: Format) -> tuple[Floats, str]:
        try:
            array = np.asarray(self._back(result))
        except (TypeError, ValueError) as error:
            raise Misbehaviour("wrong type", f"{what}: {error}") from None
        check_shape(what, array.shape, shape)
        check_dtype(what, str(array.dtype), PRECISIONS.get(array.dtype), fmt)
        return array.astype(np.float64), str(array.dtype)


@decorator
def array_path(
    function: Function,
    /,
    *,
    from_numpy: Function = np.asarray,
    to_numpy: Function = as_numpy,
    derivatives: Function | None = None,
    name: str | None = None,
    dtypes: Collection[str | Format] | None = None,
    reduction: str = "none",
    options: Collection[str] = OPTIONS,
    average: bool = False,
    shift: bool = False,
    ignore_index: int | None = None,
    accumulates: str | Format | Mapping[str, str | Format] | None = None,
    infinities: bool = True,
    library: str | None = None,
    notes: Mapping[str, str] | None = None,
) -> ArrayPath:
    """As torch_path, in NumPy or any framework that has arrays; from_numpy, to_numpy, derivatives as of array_sequence.

    derivatives: of the sum of the losses, or of the mean, in the policy's logits. Raises BadClaim.
    """
    claimed = path_claims(
        reduction=reduction, options=options, dtypes=dtypes, average=average, shift=shift, ignore_index=ignore_index,
        accumulates=accumulates, infinities=infinities, gradient=derivatives is not None, notes=notes,
    )  # fmt: skip
    label = name or str(getattr(function, "__name__", "function"))
    return ArrayPath(function, label, claimed, derivatives, (from_numpy, to_numpy), library)
