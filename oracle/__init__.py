"""What is true: the exact DPO loss, its gradients and metrics, at any precision, correctly rounded into any format."""

from oracle.dpo import Gradient, chosen_logratio, gradient, logit, loss, margin, rejected_logratio, second_derivative
from oracle.dyadic import Dyadic
from oracle.errors import (
    BadArgument,
    MixedKinds,
    NotANumber,
    NotFinite,
    NotRepresentable,
    OracleError,
    OutOfRange,
    ShapeMismatch,
    UnknownFormat,
)
from oracle.formats import FORMATS, Format, bfloat16, binary16, binary32, binary64, get_format
from oracle.real import Interval, Real
from oracle.reductions import EmptyBatch, Metrics, mean, metrics

__all__ = [
    "FORMATS",
    "BadArgument",
    "Dyadic",
    "EmptyBatch",
    "Format",
    "Gradient",
    "Interval",
    "Metrics",
    "MixedKinds",
    "NotANumber",
    "NotFinite",
    "NotRepresentable",
    "OracleError",
    "OutOfRange",
    "Real",
    "ShapeMismatch",
    "UnknownFormat",
    "bfloat16",
    "binary16",
    "binary32",
    "binary64",
    "chosen_logratio",
    "get_format",
    "gradient",
    "logit",
    "loss",
    "margin",
    "mean",
    "metrics",
    "rejected_logratio",
    "second_derivative",
]
