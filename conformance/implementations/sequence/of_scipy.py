# /// script
# requires-python = ">=3.11"
# dependencies = ["scipy>=1.11"]
# ///
"""SciPy's ways to a token's log-probability: `log_softmax` and `logsumexp`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

from conformance.implementations.sequence.numpy import numpy_sequence

Array = NDArray[Any]


def _log_softmax(logits: Array, labels: Array, mask: Array) -> Array:
    return np.take_along_axis(log_softmax(logits, -1), np.where(mask, labels, 0)[..., None], -1)[..., 0]


def _logsumexp(logits: Array, labels: Array, mask: Array) -> Array:
    target = np.take_along_axis(logits, np.where(mask, labels, 0)[..., None], -1)[..., 0]
    return np.asarray(target - logsumexp(logits, axis=-1))


FORMATS = ("binary32", "binary64")
LOG_SOFTMAX = numpy_sequence(_log_softmax, name="scipy log_softmax", returns="token", dtypes=FORMATS, library="scipy")
LOGSUMEXP = numpy_sequence(_logsumexp, name="scipy logsumexp", returns="token", dtypes=FORMATS, library="scipy")
