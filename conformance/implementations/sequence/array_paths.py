"""Whole paths in NumPy, or in any framework that has arrays."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping

import numpy as np

from conformance.implementations.array import as_numpy
from conformance.implementations.decorating import decorator
from conformance.implementations.numpy_arrays import DTYPES
from conformance.implementations.protocol import OPTIONS
from conformance.implementations.results import called
from conformance.implementations.sequence.path import OfOneLoss, PathAnswer, PathClaims, inputs, path_claims
from conformance.implementations.sequence.plain import Function, OfArrays
from conformance.inputs.paths import Paths
from oracle import Format
from oracle.formats import Floats


class ArrayPath(OfArrays, OfOneLoss):
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
        super().__init__(function, name, derivatives, convert, library)
        self.claims = claimed

    def evaluate(self, paths: Paths, fmt: Format, *, gradient: bool = False, incoming: Floats | None = None) -> PathAnswer:
        """The function's losses, and its derivatives; no factors are claimed of them."""
        policy, reference, others, options, named = inputs(paths, self.claims)
        both = [policy] if reference is None else [policy, reference]
        own, before = self._given([*(x.astype(DTYPES[fmt.name]) for x in both), *others])
        with np.errstate(all="ignore"):
            shape = (len(paths),) if self.claims.reduction == "none" else ()
            result = called(functools.partial(self._function, **named), *own, *options)
            losses, dtype = self._read("losses", result, shape, fmt)
            slopes = None
            if gradient and self._derivatives is not None:
                found = called(functools.partial(self._derivatives, **named), *own, *options)
                slopes = self._read("d loss / d logits", found, policy.shape, fmt)[0]
        names = (*("policy_logits", "ref_logits")[: len(both)], "labels", "mask")
        return PathAnswer(losses, slopes, dtype, self._wrote(names, before, own))


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
