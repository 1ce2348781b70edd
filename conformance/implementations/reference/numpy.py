# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""NumPy: `reference-numpy`, oracle.reference.numpy as it is shipped."""

from __future__ import annotations

from functools import partial

from conformance.implementations.numpy import numpy_implementation
from oracle.reference.numpy import dpo_gradient, dpo_loss

LOSS = numpy_implementation(dpo_loss, name="reference-numpy", gradient=dpo_gradient, library="numpy")
MEAN = numpy_implementation(partial(dpo_loss, reduction="mean"), name="reference-numpy-mean", reduction="mean", library="numpy")
