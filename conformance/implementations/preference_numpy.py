"""Losses as plain functions of NumPy arrays, or of arrays that are made from NumPy's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from conformance.implementations.numpy_arrays import DTYPES, read
from conformance.implementations.preference import LossAnswer, LossClaims, by_name, call, is_length, lengths_of, shape_of
from conformance.implementations.results import versions
from conformance.inputs.losses import LossBatch
from oracle import Format
from oracle.formats import Floats
from oracle.losses import Loss


class NumpyFramework:
    """NumPy; with `there` and `back`, whatever converts from it and to it."""

    def __init__(
        self,
        gradient: Callable[..., Any] | None,
        library: str | None,
        there: Callable[[Any], Any] | None = None,
        back: Callable[[Any], Any] | None = None,
    ) -> None:
        self._gradient, self._library = gradient, library
        self._there, self._back = there or _same_array, back or _same_array

    @property
    def environment(self) -> Mapping[str, str]:
        """The library's version and NumPy's."""
        return versions(self._library, numpy=np.__version__)

    def unavailable(self) -> str | None:
        """NumPy runs everywhere."""
        return None

    def surroundings(self) -> Mapping[str, str]:
        """NumPy's error handling and print options."""
        return {"error handling": str(np.geterr()), "print options": str(np.get_printoptions())}

    weighs = False

    @property
    def compiles_each_size(self) -> bool:
        """Many frameworks of arrays do, and nothing says which."""
        return self._there is not _same_array

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
        """The function's losses, and its gradient function's derivatives; warnings of the arithmetic are silenced."""
        del weights
        originals = {
            name: lengths_of(row) if is_length(name) else fmt.encode(row).view(DTYPES[fmt.name])
            for name, row in batch.rows.items()
        }
        arrays = {name: self._there(array.copy()) for name, array in originals.items()}
        with np.errstate(all="ignore"):
            losses = self._back(call(function, batch, arrays))
            parts = call(self._gradient, batch, arrays) if gradient and self._gradient is not None else None
        values, dtype = read("losses", losses, shape_of(loss, claims, len(batch), np.shape(losses)), fmt)
        found = None
        if parts is not None:
            found = {
                name: None if part is None else read(f"d loss / d {name}", self._back(part), (len(batch),), fmt)[0]
                for name, part in by_name(parts, loss).items()
            }
        wrote = tuple(n for n, array in arrays.items() if not _same(self._back(array), originals[n]))
        return LossAnswer(values, found, dtype, wrote)


def _same_array(array: Any) -> Any:
    return array


def _same(array: Any, original: Any) -> bool:
    """Whether the numbers are the same, whatever the dtypes."""
    return np.array_equal(np.asarray(array).astype(np.float64), np.asarray(original).astype(np.float64), equal_nan=True)
