"""Losses as plain functions of JAX arrays; derivatives come from jax.vjp."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from conformance.implementations.jax_arrays import read, wide
from conformance.implementations.numpy_arrays import DTYPES
from conformance.implementations.preference import LossAnswer, LossClaims, call, is_length, lengths_of, shape_of
from conformance.implementations.results import called, versions
from conformance.inputs.losses import LossBatch
from oracle import Format
from oracle.formats import Floats
from oracle.losses import Loss


class JaxFramework:
    """JAX on its default device, eager or under jit with the parameters static."""

    def __init__(self, jit: bool, library: str) -> None:
        self._jit, self._library = jit, library

    @property
    def environment(self) -> Mapping[str, str]:
        """The library's version and JAX's, and the device."""
        return versions(self._library, jax=jax.__version__) | {"device": jax.devices()[0].platform}

    def unavailable(self) -> str | None:
        """JAX falls back to the CPU where there is nothing else."""
        return None

    def surroundings(self) -> Mapping[str, str]:
        """JAX's options that change results."""
        names = ("jax_enable_x64", "jax_default_matmul_precision", "jax_debug_nans", "jax_numpy_dtype_promotion")
        return {name: str(getattr(jax.config, name)) for name in names}

    weighs, compiles_each_size = True, True

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
        """The function's losses, and the derivatives of their sum, each times its weight."""
        with wide(fmt):
            lengths = {name: jnp.asarray(lengths_of(row)) for name, row in batch.rows.items() if is_length(name)}
            logps = {
                name: jnp.asarray(fmt.encode(row).view(DTYPES[fmt.name]))
                for name, row in batch.rows.items()
                if not is_length(name)
            }

            def of(given: Mapping[str, jax.Array]) -> Any:
                return call(function, batch, {**given, **lengths})

            losses = called(jax.jit(of) if self._jit else of, logps)
            shape = shape_of(loss, claims, len(batch), np.shape(losses))
            values, dtype = read("losses", losses, shape, fmt)
            found = None
            if gradient:
                share = 1.0 if weights is None else weights[: math.prod(shape)].reshape(shape)
                parts = called(jax.grad(lambda given: jnp.sum(_weighed(of(given), share))), logps)
                found = {name: read(f"d loss / d {name}", part, (len(batch),), fmt)[0] for name, part in parts.items()}
        return LossAnswer(values, found, dtype)


def _weighed(losses: jax.Array, weights: Floats | float) -> jax.Array:
    """In the losses' own dtype."""
    return losses if isinstance(weights, float) else losses * jnp.asarray(weights, dtype=losses.dtype)
