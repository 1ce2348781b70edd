"""NumPy functions of token logits, and those of any framework that has arrays."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping

import numpy as np

from conformance.implementations.array import as_numpy
from conformance.implementations.decorating import decorator
from conformance.implementations.numpy_arrays import DTYPES
from conformance.implementations.results import called
from conformance.implementations.sequence.plain import Function, OfArrays
from conformance.implementations.sequence.protocol import (
    SequenceAnswer,
    SequenceClaims,
    given,
    promised,
    sequence_claims,
)
from conformance.inputs.sequences import Rows
from oracle import Format
from oracle.formats import Floats


class NumpySequence(OfArrays):
    """A function of arrays behind the suite's interface; derivatives by a function of its own."""

    def __init__(
        self,
        function: Function,
        name: str,
        claimed: SequenceClaims,
        derivatives: Function | None,
        convert: tuple[Function, Function],
        library: str | None,
    ) -> None:
        super().__init__(function, name, derivatives, convert, library)
        self.claims = claimed

    def evaluate(
        self, rows: Rows, fmt: Format, *, gradient: bool = False, strided: bool = False, incoming: Floats | None = None
    ) -> SequenceAnswer:
        """The function's numbers, and its derivatives."""
        logits, labels, mask, keywords = given(rows, self.claims)
        array = logits.astype(DTYPES[fmt.name])
        if strided:
            array = np.repeat(array, 2, axis=-1)[..., ::2]
        own, before = self._given([array, labels, *([] if mask is None else [mask])])
        with np.errstate(all="ignore"):
            result = called(functools.partial(self._function, **keywords), *own)
            values, dtype = self._read("log-probabilities", result, promised(rows, self.claims), fmt)
            slopes = None
            if gradient and self._derivatives is not None:
                if self.claims.incoming and incoming is not None:
                    keywords = {**keywords, "incoming": incoming}
                found = called(functools.partial(self._derivatives, **keywords), *own)
                slopes = self._read("d logp / d logits", found, array.shape, fmt)[0]
        return SequenceAnswer(values, slopes, dtype, self._wrote(("logits", "labels", "mask"), before, own))


@decorator
def array_sequence(
    function: Function,
    /,
    *,
    from_numpy: Function = np.asarray,
    to_numpy: Function = as_numpy,
    derivatives: Function | None = None,
    name: str | None = None,
    dtypes: Collection[str | Format] | None = None,
    returns: str = "sequence",
    average: bool = False,
    shift: bool = False,
    ignore_index: int | None = None,
    accumulates: str | Format | Mapping[str, str | Format] | None = None,
    options: Collection[str] = (),
    infinities: bool = True,
    subnormals: str | None = None,
    library: str | None = None,
    notes: Mapping[str, str] | None = None,
) -> NumpySequence:
    """A function of token logits in NumPy, or in any framework that has arrays, becomes an implementation.

    function(logits, labels, mask): as of torch_sequence. from_numpy makes the framework's array, to_numpy is its inverse, by
    default through DLPack or `__array__`; both of one array. derivatives(same arguments): the derivatives of the sum of what is
    returned in every logit, an array of the logits' shape; without it gradients are not claimed. The other keywords are those
    of torch_sequence. Raises BadClaim.
    """
    claimed = sequence_claims(
        dtypes=dtypes, returns=returns, average=average, shift=shift, ignore_index=ignore_index, accumulates=accumulates,
        options=options, infinities=infinities, gradient=derivatives is not None, subnormals=subnormals, notes=notes,
    )  # fmt: skip
    label = name or str(getattr(function, "__name__", "function"))
    return NumpySequence(function, label, claimed, derivatives, (from_numpy, to_numpy), library)


numpy_sequence = array_sequence
"""The same, for NumPy's own arrays."""
