"""What is true: the exact DPO loss, its gradients and metrics, at any precision, correctly rounded into any format."""

from oracle import bounds, enclosure, judging, sequence
from oracle.dpo import Gradient, chosen_logratio, gradient, logit, loss, margin, rejected_logratio, second_derivative
from oracle.dyadic import Dyadic
from oracle.errors import (
    BadArgument,
    MixedKinds,
    NotAnInteger,
    NotANumber,
    NotBinary64,
    NotFinite,
    NotRepresentable,
    OracleError,
    OutOfRange,
    ShapeMismatch,
    Undecided,
    UnknownFormat,
)
from oracle.formats import FORMATS, Format, bfloat16, binary16, binary32, binary64, get_format
from oracle.real import Interval, Real
from oracle.reductions import EmptyBatch, Metrics, mean, metrics
from oracle.rounding import round  # noqa: A004

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
    "NotAnInteger",
    "NotBinary64",
    "NotFinite",
    "NotRepresentable",
    "OracleError",
    "OutOfRange",
    "Real",
    "ShapeMismatch",
    "Undecided",
    "UnknownFormat",
    "bfloat16",
    "binary16",
    "binary32",
    "binary64",
    "bounds",
    "chosen_logratio",
    "enclosure",
    "get_format",
    "gradient",
    "judging",
    "logit",
    "loss",
    "margin",
    "mean",
    "metrics",
    "rejected_logratio",
    "round",
    "second_derivative",
    "sequence",
]
