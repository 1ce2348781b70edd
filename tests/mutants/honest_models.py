"""Models of arithmetic that this machine may not have: flushed subnormals, and a device's exp and log1p.

The CUDA model: exp and log1p return one of the two numbers beside the exact result, so each error is below 1 ulp. Which of
the two is chosen adversarially. The maximum that NVIDIA publishes is wider for expf: docs/cuda.md judges by it.
"""

from __future__ import annotations

from collections.abc import Callable

import ml_dtypes
import numpy as np

from . import arrays
from .arrays import Array, Loss, Partials
from .kinds import Honest, numpy_honest

Function = Callable[[Array], Array]
Choice = Callable[[Array, Array], Array]
"""From a float array and the exact results in a wider one, one of the two neighbours of each."""

# -- flushed subnormals ------------------------------------------------------------------------------------------------


def _flush(x: Array) -> Array:
    """Subnormal numbers become zero, of their sign."""
    tiny = arrays.number(x, float(ml_dtypes.finfo(x.dtype).smallest_normal))
    result: Array = np.where(np.abs(x) < tiny, arrays.number(x, 0) * np.sign(x).astype(x.dtype), x)
    return np.where(np.isnan(x), x, result)


def _flushed_logit(pc: Array, pr: Array, rc: Array, rr: Array, beta: float) -> Array:
    pc, pr, rc, rr = (_flush(x) for x in (pc, pr, rc, rr))
    margin = _flush(_flush(pc - rc) - _flush(pr - rr))
    return _flush(_flush(arrays.number(margin, beta) * np.ones_like(margin)) * margin)


def _flushed_softplus(x: Array) -> Array:
    tail = _flush(np.log1p(_flush(np.exp(-np.abs(x)))))
    return _flush(np.maximum(x, arrays.number(x, 0)) + tail)


def _flushed_loss(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
    z = _flushed_logit(pc, pr, rc, rr, beta)
    if eps == 0:
        return _flushed_softplus(-z)
    chosen = _flush(arrays.number(z, 1 - eps) * _flushed_softplus(-z))
    return _flush(chosen + _flush(arrays.number(z, eps) * _flushed_softplus(z)))


def _flushed_gradient(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> tuple[Array, Array, Array, Array]:
    z = _flushed_logit(pc, pr, rc, rr, beta)
    y, one = _flush(np.exp(-np.abs(z))), arrays.number(z, 1)
    slope = _flush(np.where(z <= 0, one, y) / (one + y)) - arrays.number(z, eps)
    scaled = _flush(arrays.number(z, beta) * slope)
    return -scaled, scaled, scaled, -scaled


# -- a device's exp and log1p --------------------------------------------------------------------------------------------


def _beside(rounded: Array, exact: Array) -> tuple[Array, Array]:
    """The numbers of the float array's dtype next below and above each exact result; both itself where it is one."""
    wide = rounded.astype(exact.dtype)
    infinity = arrays.number(rounded, np.inf)
    below = np.where(wide > exact, np.nextafter(rounded, -infinity), rounded)
    above = np.where(wide < exact, np.nextafter(rounded, infinity), rounded)
    return below, above


def _lower(rounded: Array, exact: Array) -> Array:
    return _beside(rounded, exact)[0]


def _upper(rounded: Array, exact: Array) -> Array:
    return _beside(rounded, exact)[1]


def _farther(rounded: Array, exact: Array) -> Array:
    """The neighbour that is farther away: an error between 1/2 and 1 ulp everywhere."""
    below, above = _beside(rounded, exact)
    return np.where(rounded == below, above, below)


def _scattered(rounded: Array, exact: Array) -> Array:
    """Below or above, by a fixed hash of the bits: the same argument always gives the same result."""
    below, above = _beside(rounded, exact)
    unsigned = np.uint32 if rounded.dtype == np.float32 else np.uint64
    bits = rounded.view(unsigned).astype(np.uint64)
    odd = (bits * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(63)
    return np.where(odd == 1, above, below)


def _worst(function: Callable[[Array], Array], choose: Choice) -> Function:
    """The function with the chosen neighbour of each exact result; infinities, NaN, 0 and 1 as they are."""

    def evaluate(x: Array) -> Array:
        wide = np.float64 if x.dtype == np.float32 else np.longdouble
        exact = function(x.astype(wide))
        rounded = exact.astype(x.dtype)
        return np.where(np.isfinite(rounded) & (rounded != 0), choose(rounded, exact), rounded)

    return evaluate


def _cuda(choose: Choice) -> tuple[Loss, Partials]:
    """log1p(exp(-|z|)) as a CUDA kernel computes it: 16-bit formats in float32 inside, each operation rounded back."""
    exp, log1p = _worst(np.exp, choose), _worst(np.log1p, choose)

    def widened(function: Function) -> Function:
        def evaluate(x: Array) -> Array:
            narrow = x.dtype.itemsize == 2
            return function(x.astype(np.float32)).astype(x.dtype) if narrow else function(x)

        return evaluate

    def softplus(x: Array) -> Array:
        result: Array = np.maximum(x, arrays.number(x, 0)) + log1p(exp(-np.abs(x)))
        return result

    def sigmoid(x: Array) -> Array:
        y, one = exp(-np.abs(x)), arrays.number(x, 1)
        result: Array = np.where(x >= 0, one, y) / (one + y)
        return result

    return arrays.of_softplus(widened(softplus)), arrays.of_sigmoid(widened(sigmoid))


def _cuda_model(name: str, why: str, choose: Choice) -> Honest:
    loss, partials = _cuda(choose)
    return numpy_honest(name, f"an exp and a log1p that err by up to an ulp, as on a device: {why}", loss, gradient=partials)


HONEST: tuple[Honest, ...] = (
    numpy_honest(
        "flushing", "subnormal results and intermediates become 0, undeclared", _flushed_loss, gradient=_flushed_gradient
    ),
    numpy_honest(
        "flushing-declared",
        'subnormal results and intermediates become 0, declared with subnormals="flush"',
        _flushed_loss,
        gradient=_flushed_gradient,
        subnormals="flush",
    ),
    _cuda_model("cuda-model-low", "always the number below", _lower),
    _cuda_model("cuda-model-high", "always the number above", _upper),
    _cuda_model("cuda-model-farther", "always the farther number", _farther),
    _cuda_model("cuda-model-scattered", "below or above by a hash of the result", _scattered),
)
