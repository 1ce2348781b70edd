"""How the loops are compiled: IEEE 754 to the letter, with Python's lock released."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

F = TypeVar("F", bound=Callable[..., Any])
Integer = int | np.signedinteger[Any]
"""64 bits in a loop."""
Truth = bool | np.bool_
CHUNK = 512
"""Numbers of one pass: what lies between two passes stays in the first-level cache, and each pass is one vector loop."""


def compiled(function: F) -> F:
    """The function compiled for the types that it is first called with.

    fastmath=False forbids LLVM to contract, to reassociate and to take subnormals for 0; error_model="numpy" divides by
    IEEE 754's rules. Nothing is kept on the disk: numba's cache looks at a function's own file, not at those it calls.
    """
    return cast(F, numba.njit(function, nogil=True, fastmath=False, error_model="numpy", cache=False))


def inlined(function: F) -> F:
    """A scalar function that is compiled into the loops that call it."""
    return cast(F, numba.njit(function, nogil=True, fastmath=False, error_model="numpy", cache=False, forceinline=True))
