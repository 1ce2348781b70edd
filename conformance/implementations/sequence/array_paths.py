"""Whole paths in NumPy, or in any framework that has arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from conformance.errors import Misbehaviour
from conformance.implementations.array import as_numpy
from conformance.implementations.decorating import decorator
from conformance.implementations.protocol import OPTIONS
from conformance.implementations.results import called, check_dtype, check_shape, versions
from conformance.implementations.sequence.numpy import DTYPES, PRECISIONS
from conformance.implementations.sequence.path import OfOneLoss, PathAnswer, PathClaims, inputs, path_claims
from conformance.inputs.paths import Paths
from oracle import Format
from oracle.formats import Floats

Function = Callable[..., Any]


class ArrayPath(OfOneLoss):
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
        policy, reference, others, options, named = inputs(paths, self.claims)
        both = [policy] if reference is None else [policy, reference]
        own = [self._there(array) for array in (*(x.astype(DTYPES[fmt.name]) for x in both), *others)]
        before = [np.array(self._back(part)) for part in own]
        with np.errstate(all="ignore"):
            shape = (len(paths),) if self.claims.reduction == "none" else ()
            result = called(functools.partial(self._function, **named), *own, *options)
            losses, dtype = self._read("losses", result, shape, fmt)
            slopes = None
            if gradient and self._derivatives is not None:
                found = called(functools.partial(self._derivatives, **named), *own, *options)
                slopes = self._read("d loss / d logits", found, policy.shape, fmt)[0]
        names = (*("policy_logits", "ref_logits")[: len(both)], "labels", "mask")
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
    loss: str = "",
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
        reduction=reduction, options=options, loss=loss, dtypes=dtypes, average=average, shift=shift,
        ignore_index=ignore_index, accumulates=accumulates, infinities=infinities,
        gradient=derivatives is not None, notes=notes,
    )  # fmt: skip
    label = name or str(getattr(function, "__name__", "function"))
    return ArrayPath(function, label, claimed, derivatives, (from_numpy, to_numpy), library)
