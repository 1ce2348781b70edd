"""What correct arithmetic in a format may return: the conditioning of the inputs, and acceptance intervals.

Let u = 2**-p be the format's unit roundoff, eta its least subnormal, lambda its smallest normal, and h the exact margin
of logps a, b, c, d = policy chosen, policy rejected, ref chosen, ref rejected. A rounded operation is exact * (1 + t),
|t| <= u; products may add eta / 2 of underflow, sums and differences do not (Hauser 1996; Higham, "Accuracy and
Stability of Numerical Algorithms", 2nd ed., section 2.2, and lemma 3.1 for what follows). docs/bounds.md derives each
line; the names here are the names there.
"""

from oracle.bounds.acceptance import Acceptance, Mask, centre
from oracle.bounds.conditioning import Pairs, logit_error, option_error, option_range, representable
from oracle.bounds.intervals import gradient, loss
from oracle.bounds.kernel import KERNEL_SHOULD, kernel_least, kernel_must
from oracle.bounds.kernel import losses as kernel_losses
from oracle.bounds.kernel import slopes as kernel_slopes
from oracle.bounds.numbers import accepted_numbers, at_most, within_ulps
from oracle.bounds.reductions import mean, shared, summation
from oracle.bounds.second import curvatures, second

__all__ = [
    "KERNEL_SHOULD",
    "Acceptance",
    "Mask",
    "Pairs",
    "accepted_numbers",
    "at_most",
    "centre",
    "curvatures",
    "gradient",
    "kernel_least",
    "kernel_losses",
    "kernel_must",
    "kernel_slopes",
    "logit_error",
    "loss",
    "mean",
    "option_error",
    "option_range",
    "representable",
    "second",
    "shared",
    "summation",
    "within_ulps",
]
