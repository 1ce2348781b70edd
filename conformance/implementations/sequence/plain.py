"""What every wrapper of a plain function shares, and what those of arrays do besides: there, back, and read."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from conformance.errors import Misbehaviour
from conformance.implementations.results import check_dtype, check_shape, versions
from oracle import Format
from oracle.formats import Floats

Function = Callable[..., Any]
PRECISIONS = {np.dtype(np.float16): 11, np.dtype(ml_dtypes.bfloat16): 8, np.dtype(np.float32): 24, np.dtype(np.float64): 53}


class Plain:
    """A plain function with a name, of NumPy unless a subclass says otherwise."""

    def __init__(self, function: Function, name: str, library: str | None) -> None:
        self.name = name
        self.library = library
        self._function = function
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


class OfArrays(Plain):
    """A function of any framework's arrays, with the way there and back; its derivatives by a function of its own."""

    def __init__(
        self,
        function: Function,
        name: str,
        derivatives: Function | None,
        convert: tuple[Function, Function],
        library: str | None,
    ) -> None:
        super().__init__(function, name, library)
        self._derivatives = derivatives
        self._there, self._back = convert

    def _given(self, parts: Sequence[object]) -> tuple[list[Any], list[NDArray[Any]]]:
        """The framework's arrays, and what they hold before the call."""
        own = [self._there(part) for part in parts]
        return own, [np.array(self._back(part)) for part in own]

    def _wrote(self, names: Sequence[str], before: Sequence[NDArray[Any]], own: Sequence[Any]) -> tuple[str, ...]:
        """The names of those that no longer hold it."""
        pairs = zip(names, before, own, strict=False)
        return tuple(name for name, old, new in pairs if old.tobytes() != np.asarray(self._back(new)).tobytes())

    def _read(self, what: str, result: object, shape: tuple[int, ...], fmt: Format) -> tuple[Floats, str]:
        """What was returned as exact float64 values, with its own dtype's name. Raises Misbehaviour."""
        try:
            array = np.asarray(self._back(result))
        except (TypeError, ValueError) as error:
            raise Misbehaviour("wrong type", f"{what}: {error}") from None
        check_shape(what, array.shape, shape)
        check_dtype(what, str(array.dtype), PRECISIONS.get(array.dtype), fmt)
        return array.astype(np.float64), str(array.dtype)
