"""The formats as JAX arrays: 64-bit types where they are needed, and a returned array read as exact numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from conformance.errors import Misbehaviour
from conformance.implementations.results import check_dtype, check_shape
from oracle import Format
from oracle.formats import Floats


@contextlib.contextmanager
def wide(fmt: Format) -> Iterator[None]:
    """64-bit types for binary64, which JAX would turn into binary32; its own default for the others."""
    if fmt.width <= 32:
        yield
        return
    with jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64():
        yield


def read(what: str, result: object, shape: tuple[int, ...], fmt: Format) -> tuple[Floats, str]:
    """A returned array as exact float64 values, with its own dtype's name."""
    if not isinstance(result, jax.Array):
        raise Misbehaviour("wrong type", f"{what}: a {type(result).__name__} where a JAX array was promised")
    check_shape(what, result.shape, shape)
    real = jnp.issubdtype(result.dtype, jnp.floating)
    check_dtype(what, str(result.dtype), int(ml_dtypes.finfo(result.dtype).nmant) + 1 if real else None, fmt)
    return np.asarray(result).astype(np.float64), str(result.dtype)
