"""How four arrays may lie in memory: the same numbers, through views of other arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.implementations.ways import OFFSETS, STRIDES, Way, alike

Array = NDArray[Any]
Arrays = tuple[Array, Array, Array, Array]


def laid_out(arrays: Arrays, layout: Way) -> Arrays:
    """The same numbers, in memory as the layout says, NaN in the gaps."""
    if layout is Way.EXPANDED:
        pc, pr, rc, rr = (_expanded(x) for x in arrays)
    elif layout is Way.REVERSED:
        pc, pr, rc, rr = (x[::-1].copy()[::-1] for x in arrays)
    elif layout is Way.SHARED:
        pc, pr, rc, rr = (arrays[place] for place in alike(arrays))
    elif layout is Way.COLUMNS:
        pc, pr, rc, rr = np.stack(arrays, axis=1).T
    else:
        strides, offsets = (STRIDES, OFFSETS) if layout is Way.UNLIKE_STRIDES else ((1,) * 4, (3,) * 4)
        pc, pr, rc, rr = (_spread(x, step, start) for x, step, start in zip(arrays, strides, offsets, strict=True))
    return pc, pr, rc, rr


def _expanded(x: Array) -> Array:
    """One number with a stride of 0 where all are the same; writing to it is refused, as NumPy does."""
    return np.broadcast_to(x[:1], len(x)) if len(x) and bool((x == x[0]).all()) else x


def _spread(x: Array, step: int, start: int) -> Array:
    longer = np.full(start + step * len(x) + 2, np.nan, dtype=x.dtype)
    view = longer[start : start + step * len(x) : step]
    view[...] = x
    return view
