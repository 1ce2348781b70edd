"""The formats as NumPy arrays: the dtype that carries each, and a returned array read as exact numbers."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from conformance.errors import Misbehaviour
from conformance.implementations.results import check_dtype, check_shape
from oracle import Format
from oracle.formats import Floats

DTYPES: dict[str, np.dtype[Any]] = {
    "binary16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "binary32": np.dtype(np.float32),
    "binary64": np.dtype(np.float64),
}
"""The NumPy dtype that carries each format."""


def read(what: str, result: object, shape: tuple[int, ...], fmt: Format) -> tuple[Floats, str]:
    """A returned array as exact float64 values, with its own dtype's name."""
    if not isinstance(result, np.ndarray | np.generic):
        raise Misbehaviour("wrong type", f"{what}: a {type(result).__name__} where a NumPy array was promised")
    check_shape(what, result.shape, shape)
    precision = _precision(result.dtype)
    check_dtype(what, str(result.dtype), precision, fmt)
    return np.array(result, dtype=np.float64), str(result.dtype)


def _precision(dtype: np.dtype[Any]) -> int | None:
    """p of a real floating dtype, ml_dtypes' included; None for any other."""
    if dtype.kind == "c":
        return None
    try:
        return int(ml_dtypes.finfo(dtype).nmant) + 1
    except ValueError:
        return None
