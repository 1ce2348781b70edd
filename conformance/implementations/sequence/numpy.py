"""NumPy functions of token logits, and those of any framework that has arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any

import ml_dtypes
import numpy as np

from conformance.errors import Misbehaviour
from conformance.implementations.array import as_numpy
from conformance.implementations.decorating import decorator
from conformance.implementations.results import called, check_dtype, check_shape, versions
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

Function = Callable[..., Any]
DTYPES: dict[str, Any] = {
    "binary16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
    "binary32": np.float32,
    "binary64": np.float64,
}
PRECISIONS = {np.dtype(np.float16): 11, np.dtype(ml_dtypes.bfloat16): 8, np.dtype(np.float32): 24, np.dtype(np.float64): 53}


class NumpySequence:
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

    def evaluate(
        self, rows: Rows, fmt: Format, *, gradient: bool = False, strided: bool = False, incoming: Floats | None = None
    ) -> SequenceAnswer:
        """The function's numbers, and its derivatives."""
        logits, labels, mask, keywords = given(rows, self.claims)
        array = logits.astype(DTYPES[fmt.name])
        if strided:
            array = np.repeat(array, 2, axis=-1)[..., ::2]
        inputs = [array, labels, *([] if mask is None else [mask])]
        own = [self._there(part) for part in inputs]
        before = [np.array(self._back(part)) for part in own]
        with np.errstate(all="ignore"):
            result = called(functools.partial(self._function, **keywords), *own)
            values, dtype = self._read("log-probabilities", result, promised(rows, self.claims), fmt)
            slopes = None
            if gradient and self._derivatives is not None:
                if self.claims.incoming and incoming is not None:
                    keywords = {**keywords, "incoming": incoming}
                found = called(functools.partial(self._derivatives, **keywords), *own)
                slopes = self._read("d logp / d logits", found, array.shape, fmt)[0]
        wrote = tuple(
            name
            for name, old, new in zip(("logits", "labels", "mask"), before, own, strict=False)
            if old.tobytes() != np.asarray(self._back(new)).tobytes()
        )
        return SequenceAnswer(values, slopes, dtype, wrote)

    def _read(self, what: str, result: object, shape: tuple[int, ...], fmt: Format) -> tuple[Floats, str]:
        try:
            array = np.asarray(self._back(result))
        except (TypeError, ValueError) as error:
            raise Misbehaviour("wrong type", f"{what}: {error}") from None
        check_shape(what, array.shape, shape)
        check_dtype(what, str(array.dtype), PRECISIONS.get(array.dtype), fmt)
        return array.astype(np.float64), str(array.dtype)


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
