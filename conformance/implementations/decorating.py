"""A function that wraps another, with keywords, as a decorator too: with its keywords, and bare."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

Given_contra = TypeVar("Given_contra", contravariant=True)
Made_co = TypeVar("Made_co", covariant=True)
Keywords = ParamSpec("Keywords")


class Decorator(Protocol[Given_contra, Keywords, Made_co]):
    """`wrap(function, keyword=...)`, `@wrap(keyword=...)` and `@wrap`."""

    @overload
    def __call__(self, function: Given_contra, /, *none: Keywords.args, **keywords: Keywords.kwargs) -> Made_co: ...

    @overload
    def __call__(
        self, function: None = None, /, *none: Keywords.args, **keywords: Keywords.kwargs
    ) -> Callable[[Given_contra], Made_co]: ...


def decorator(
    wrap: Callable[Concatenate[Given_contra, Keywords], Made_co],
) -> Decorator[Given_contra, Keywords, Made_co]:
    """The same function; called with keywords alone, it returns what wraps a function with them."""

    def either(function: Given_contra | None = None, /, **keywords: Any) -> Any:
        wrapping = cast("Callable[[Given_contra], Made_co]", functools.partial(wrap, **keywords))
        return wrapping if function is None else wrapping(function)

    return cast("Decorator[Given_contra, Keywords, Made_co]", functools.update_wrapper(either, wrap))
