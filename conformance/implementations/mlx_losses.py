"""Losses on MLX's arrays, with MLX's derivatives."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import mlx.core as mx
import numpy as np

from conformance.implementations.array import ArrayImplementation, array_implementation
from conformance.implementations.protocol import OPTIONS


def mlx_losses(
    function: Callable[..., mx.array],
    *,
    name: str,
    library: str,
    loss: Mapping[str, str],
    reduction: str = "mean",
    options: Collection[str] = OPTIONS,
) -> ArrayImplementation:
    """`function(loss, ...)` of what a loss takes, in binary32, with the derivatives of its sum, or of its mean, by every
    log-probability. loss, reduction, options, library: as of
    array_implementation.
    """

    def gradient(loss: str, **given: Any) -> dict[str, mx.array]:
        logps = {key: x for key, x in given.items() if key.endswith("_logps")}
        derivatives: Callable[..., dict[str, mx.array]] = mx.grad(lambda x: function(loss, **{**given, **x}).sum())
        return derivatives(logps)

    return array_implementation(
        function,
        from_numpy=mx.array,
        to_numpy=np.array,
        gradient=gradient,
        name=name,
        dtypes=("binary32",),
        reduction=reduction,
        options=options,
        library=library,
        loss=loss,
    )
