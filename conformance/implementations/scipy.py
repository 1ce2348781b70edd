# /// script
# requires-python = ">=3.11"
# dependencies = ["scipy>=1.11"]
# ///
"""SciPy: `scipy`, a loss from scipy.special.log_expit with derivatives from scipy.special.expit.

log_expit has loops for float32, float64 and long double; it takes float16 too, and answers in a wider type.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from scipy.special import expit, log_expit

from conformance.implementations.numpy import numpy_implementation

Array = NDArray[Any]


def _logit(pc: Array, pr: Array, rc: Array, rr: Array, beta: float) -> Array:
    z: Array = beta * ((pc - rc) - (pr - rr))
    return z


def _loss(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, label_smoothing: float) -> Array:
    z = _logit(pc, pr, rc, rr, beta)
    losses: Array = -log_expit(z)
    if label_smoothing == 0:
        return losses
    mixed: Array = (1 - label_smoothing) * losses - label_smoothing * log_expit(-z)
    return mixed


def _gradient(
    pc: Array, pr: Array, rc: Array, rr: Array, beta: float, label_smoothing: float
) -> tuple[Array, Array, Array, Array]:
    z = _logit(pc, pr, rc, rr, beta)
    slope = (1 - label_smoothing) * expit(-z)
    if label_smoothing != 0:
        slope = slope - label_smoothing * expit(z)
    scaled = beta * slope
    return -scaled, scaled, scaled, -scaled


LOG_EXPIT = numpy_implementation(
    _loss, name="scipy", dtypes=("binary16", "binary32", "binary64"), gradient=_gradient, library="scipy"
)
