"""Implementations in any framework that has arrays: theirs are made from NumPy's, and NumPy's from what they return."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from conformance.errors import BadClaim, ConformanceError
from conformance.implementations.decorating import decorator
from conformance.implementations.numpy import NumpyImplementation
from conformance.implementations.preference import preference
from conformance.implementations.preference_numpy import NumpyFramework
from conformance.implementations.protocol import OPTIONS, claims, is_given
from oracle import Format

FromNumpy = Callable[[NDArray[Any]], Any]
ToNumpy = Callable[[Any], NDArray[Any]]
Function = Callable[..., Any]


class NotAnArray(ConformanceError, TypeError):
    """What a function returned becomes no NumPy array through DLPack or `__array__`, and no `to_numpy` was given."""


class CannotConvert(ConformanceError):
    """`from_numpy` or `to_numpy` raised; says which, and what."""


class ArrayImplementation(NumpyImplementation):
    """A plain function of some framework's arrays behind the suite's interface."""

    @property
    def compiles_each_size(self) -> bool:
        """Many frameworks of arrays do, and nothing says which."""
        return True

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """The plain function itself, on the framework's own arrays."""
        return self.__wrapped__(*arguments, **keywords)  # type: ignore[attr-defined]


def as_numpy(array: Any) -> NDArray[Any]:
    """The same numbers as a NumPy array: through DLPack, and through `__array__` where there is none or it refuses, as it
    does for what NumPy's DLPack does not know (bfloat16) or for what is tracked. Raises NotAnArray, with what each said.
    """
    if isinstance(array, np.ndarray | np.generic):
        return np.asarray(array)
    ways = (("__dlpack__", np.from_dlpack), ("__array__", np.asarray))
    refused: list[str] = []
    for protocol, convert in ways:
        if hasattr(array, protocol):
            try:
                return convert(array)
            except Exception as error:
                refused.append(f"{protocol} raised {type(error).__name__}: {error}")
    offered = "; ".join(refused) or "it offers neither DLPack nor __array__"
    raise NotAnArray(f"no NumPy array of a {type(array).__name__}: {offered}; give to_numpy")


@decorator
def array_implementation(
    function: Function,
    /,
    *,
    from_numpy: FromNumpy,
    to_numpy: ToNumpy = as_numpy,
    gradient: Function | None = None,
    name: str | None = None,
    dtypes: Collection[str | Format] | None = None,
    reduction: str = "none",
    options: Collection[str] = OPTIONS,
    loss: str | Collection[str] | None = None,
    subnormals: str | None = None,
    metrics: Function | None = None,
    library: str | None = None,
    notes: Mapping[str, str] | None = None,
    accumulation: str | Format | None = None,
) -> ArrayImplementation:
    """A plain function of any framework's arrays becomes an implementation, as a call or as a decorator.

    from_numpy makes the framework's array of a NumPy array of shape (n,) in the judged dtype (bfloat16 as
    ml_dtypes.bfloat16); to_numpy is its inverse, by default through DLPack or `__array__`.
    function(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps, beta, label_smoothing)
    takes four such arrays and two Python floats and returns losses of shape (n,), or one number with reduction="mean".
    gradient(same arguments) returns the four partial derivatives of the summed losses (of the mean with
    reduction="mean"), each an array of shape (n,) or None, by whatever the framework has; without it, gradients are
    not claimed. metrics(same arguments) returns numbers by name, as protocol.METRICS, protocol.REWARDS or both have it.

    dtypes, options, subnormals, notes: as of numpy_implementation. library: the installed distribution of the framework,
    whose version the record states. What the function writes into its arrays counts as written
    into its inputs. An exception of a conversion is one of the implementation, and says so. Raises BadClaim.

    loss: the name of one of `dpo-conformance list --losses`, of which it is then an implementation, or of several, of which the
    keyword `loss` then tells the function one; in a mapping the function is told what stands at the name, its own for it.
    It is called by keyword, with what that loss takes: log-probabilities,
    lengths as int64, and the loss's parameters as Python floats.
    """
    for keyword, given in (("from_numpy", from_numpy), ("to_numpy", to_numpy)):
        if not callable(given):
            raise BadClaim(f"{keyword} = {given!r}: a function of one array")
    claimed = claims(
        dtypes=dtypes,
        reduction=reduction,
        options=options if loss is None else OPTIONS,
        subnormals=subnormals,
        gradient=is_given("gradient", gradient),
        metrics=is_given("metrics", metrics),
        notes=notes,
        accumulation=accumulation,
    )
    there, back = _converting("from_numpy", from_numpy), _converting("to_numpy", to_numpy)

    if loss is not None:
        label = name or str(getattr(function, "__name__", "function"))
        framework = NumpyFramework(gradient, library, there, lambda x: x if isinstance(x, Mapping) else back(x))
        return cast("ArrayImplementation", preference(function, label, claimed, options, loss, framework))

    judged = _on_numpy(function, there, back, back)
    partials = gradient and _on_numpy(gradient, there, back, lambda parts: _each(back, parts))
    counted = metrics and _on_numpy(metrics, there, back, lambda numbers: numbers)
    label = name or str(getattr(function, "__name__", "function"))
    implementation = ArrayImplementation(judged, label, claimed, partials, counted, library)
    implementation.__wrapped__ = function  # type: ignore[attr-defined]
    return implementation


def _on_numpy(function: Function, there: FromNumpy, back: ToNumpy, read: Function) -> Function:
    """The function on NumPy arrays: converted, called, and its result read."""

    def converted(*arguments: Any) -> Any:
        arrays, options = arguments[:4], arguments[4:]
        own = [there(array) for array in arrays]
        before = [back(array).copy() for array in own]
        result = read(function(*own, *options))
        for array, given, kept in zip(arrays, before, own, strict=True):
            _write_back(array, given, back(kept))
        return result

    return converted


def _write_back(array: NDArray[Any], before: NDArray[Any], after: NDArray[Any]) -> None:
    """What the function left in its own array, where it is not what was there before, so that the wrapper sees it."""
    if before.tobytes() != after.tobytes():
        array[...] = after


def _each(back: ToNumpy, parts: Any) -> Any:
    """Each derivative read; anything but a sequence is left for the wrapper to refuse."""
    return [None if part is None else back(part) for part in parts] if isinstance(parts, tuple | list) else parts


def _converting(keyword: str, convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def converting(array: Any) -> Any:
        try:
            return convert(array)
        except NotAnArray:
            raise
        except Exception as error:
            raise CannotConvert(f"{keyword} raised {type(error).__name__}: {error}") from error

    return converting
